"""A screen for synthetic samples that copy training samples, or one another.

Three questions are asked, each of real samples too:

1. Are synthetic samples nearer to training samples than fresh real ones are? (a rank test)
2. Are there samples much nearer than that: near-copies? (Fisher's exact test)
3. Are synthetic samples nearer to training samples than to held-out ones? (a permutation test)

Smooth, average-looking synthetic samples answer yes to the first without having copied anything,
but then they are as near to held-out samples as to training samples, which the third shows.

It is a screen and no guarantee: mirrored, shifted, or recombined copies can pass it, and so can
anything that shows only in some part of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from ganaug.audit.copy_tests import CopyTest, membership_test, stratified_rank_test
from ganaug.audit.neighbours import nearest_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NEAR_COPY", "ClassCopying", "CopyScreen", "screen_copies"]

NEAR_COPY = 0.3
"""Near-copies are nearer than this share of the median distance of real samples of their class."""
_MIN_REFERENCE = 20
"""Fewest real samples of a class for its distances to be compared."""


@dataclass(frozen=True)
class ClassCopying:
    """Copying figures of one class.

    Attributes
    ----------
    n_synthetic, n_reference : int
        Synthetic samples, and real samples that they are compared with.
    reference : {"holdout", "training", None}
        Held-out samples; or training samples, each compared with all others; or too few of either.
    median_synthetic, median_reference : float
        Median distance to the nearest training sample.
    distance_test : CopyTest or None
        Question 1, within this class.
    n_near_copies, n_near_duplicates : int
        Synthetic samples far too near a training sample, or another synthetic sample.
    """

    n_synthetic: int
    n_reference: int
    reference: str | None
    median_synthetic: float
    median_reference: float | None
    distance_test: CopyTest | None
    n_near_copies: int
    n_near_duplicates: int


@dataclass(frozen=True)
class CopyScreen:
    """Outcome of `screen_copies`.

    Attributes
    ----------
    distance_test : CopyTest or None
        Effect: chance that a synthetic sample is nearer to its nearest training sample than a real
        sample of its class is to its own (0.5 expected). None when every class is too small.
    near_copy_test : CopyTest or None
        Effect: share of near-copies among synthetic samples; expected: their share among real
        samples.
    membership_test : CopyTest or None
        Effect: share of synthetic samples whose nearest real sample is a training sample, expected:
        by the numbers of training and held-out samples. None without held-out samples.
    per_class : dict of int to ClassCopying
        By class code, for every class with synthetic samples.
    distances, nearest : numpy.ndarray
        Distance of each synthetic sample to the nearest training sample, and which one that is.
    relative_distances : numpy.ndarray
        The same distances over the median of the real samples of that class; NaN where unknown.
    reference_distances, reference_labels : numpy.ndarray
        Distances of the real samples compared with, and their class codes.
    reference_places, reference_nearest : numpy.ndarray
        Which samples those are, of the held-out or of the training samples (see `per_class`), and
        which training samples are nearest to them.
    near_copies : numpy.ndarray
        Indices of near-copies among synthetic samples, nearest first.
    near_duplicates : numpy.ndarray
        int64 (k, 2): pairs (sample, its nearest synthetic sample) of near-duplicates, nearest
        first.
    real_near_duplicate_share : float
        Share of training samples as near to another training sample.
    """

    distance_test: CopyTest | None
    near_copy_test: CopyTest | None
    membership_test: CopyTest | None
    per_class: dict[int, ClassCopying]
    distances: NDArray[np.float32]
    nearest: NDArray[np.int64]
    relative_distances: NDArray[np.float64]
    reference_distances: NDArray[np.float32]
    reference_labels: NDArray[np.int64]
    reference_places: NDArray[np.int64]
    reference_nearest: NDArray[np.int64]
    near_copies: NDArray[np.int64]
    near_duplicates: NDArray[np.int64]
    real_near_duplicate_share: float


def screen_copies(
    synthetic: NDArray[np.float32],
    synthetic_labels: NDArray[np.int64],
    training: NDArray[np.float32],
    training_labels: NDArray[np.int64],
    *,
    holdout: NDArray[np.float32] | None = None,
    holdout_labels: NDArray[np.int64] | None = None,
    rng: np.random.Generator,
    max_reference: int = 1000,
) -> CopyScreen:
    """Look for synthetic samples that copy training samples or one another.

    Every synthetic sample is compared with all training samples, of whatever class. What is near is
    judged within each class by real samples: held-out ones, where the class has at least 20 of
    them, else training samples, each compared with all the others.

    Parameters
    ----------
    synthetic, training, holdout : numpy.ndarray
        float32 (n, D) samples from `comparison_space`.
    synthetic_labels, training_labels, holdout_labels : numpy.ndarray
        int64 class codes.
    rng : numpy.random.Generator
        Draws the real samples compared with, and the permutations.
    max_reference : int, default 1000
        Most held-out and most training samples per class to compare with.

    Returns
    -------
    CopyScreen
    """
    distances, nearest = nearest_samples(synthetic, training)
    twin_distances, twins = nearest_samples(synthetic, synthetic, own=np.arange(len(synthetic)))
    leave_one_out = _leave_one_out(training, training_labels, rng, max_reference)
    held_out = _held_out(training, holdout, holdout_labels, rng, max_reference)
    kinds, reference = _choose_reference(np.unique(synthetic_labels), held_out, leave_one_out)
    relative = distances / _class_medians(synthetic_labels, reference)
    twin_relative = twin_distances / _class_medians(synthetic_labels, reference)
    real_relative = np.concatenate(
        [
            real.distances / _class_medians(real.labels, reference)
            for real in (held_out, leave_one_out)
        ]
    )
    near_copies, twinned = (
        np.flatnonzero(relative < NEAR_COPY),
        np.flatnonzero(twin_relative < NEAR_COPY),
    )
    membership = None
    if holdout is not None and holdout_labels is not None:
        membership = membership_test(
            synthetic, synthetic_labels, training, training_labels, holdout, holdout_labels, rng=rng
        )
    return CopyScreen(
        distance_test=stratified_rank_test(
            distances, synthetic_labels, reference.distances, reference.labels
        ),
        near_copy_test=_near_copy_test(relative, real_relative),
        membership_test=membership,
        per_class={
            code: _class_copying(
                kind,
                distances[samples],
                relative[samples],
                twin_relative[samples],
                reference.of(code).distances,
            )
            for code, kind in kinds.items()
            for samples in [synthetic_labels == code]
        },
        distances=distances,
        nearest=nearest,
        relative_distances=relative,
        reference_distances=reference.distances,
        reference_labels=reference.labels,
        reference_places=reference.samples,
        reference_nearest=reference.nearest,
        near_copies=near_copies[np.argsort(relative[near_copies], kind="stable")],
        near_duplicates=np.stack([twinned, twins[twinned]], axis=1)[
            np.argsort(twin_relative[twinned], kind="stable")
        ],
        real_near_duplicate_share=_share_near(
            leave_one_out.distances / _class_medians(leave_one_out.labels, reference)
        ),
    )


class _RealDistances(NamedTuple):
    """Real samples, their classes, and their nearest training samples (other than themselves)."""

    distances: NDArray[np.float32]
    labels: NDArray[np.int64]
    samples: NDArray[np.int64]
    nearest: NDArray[np.int64]

    def of(self, code: int) -> _RealDistances:
        members = self.labels == code
        return _RealDistances(*(field[members] for field in self))


_NO_ROWS = _RealDistances(np.empty(0, np.float32), *np.empty((3, 0), np.int64))


def _leave_one_out(
    training: NDArray[np.float32],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
    max_samples: int,
) -> _RealDistances:
    samples = _some_per_class(labels, rng, max_samples)
    distances, nearest = nearest_samples(training[samples], training, own=samples)
    return _RealDistances(distances, labels[samples], samples, nearest)


def _held_out(
    training: NDArray[np.float32],
    holdout: NDArray[np.float32] | None,
    labels: NDArray[np.int64] | None,
    rng: np.random.Generator,
    max_samples: int,
) -> _RealDistances:
    if holdout is None or labels is None:
        return _NO_ROWS
    samples = _some_per_class(labels, rng, max_samples)
    distances, nearest = nearest_samples(holdout[samples], training)
    return _RealDistances(distances, labels[samples], samples, nearest)


def _some_per_class(
    labels: NDArray[np.int64], rng: np.random.Generator, max_samples: int
) -> NDArray[np.int64]:
    parts = [
        rng.permutation(np.flatnonzero(labels == code))[:max_samples] for code in np.unique(labels)
    ]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _choose_reference(
    codes: NDArray[np.int64], held_out: _RealDistances, leave_one_out: _RealDistances
) -> tuple[dict[int, str | None], _RealDistances]:
    """Per class: held-out samples where there are enough, else training samples, else none."""
    kinds: dict[int, str | None] = {}
    chosen = [_NO_ROWS]
    for code in map(int, codes):
        kinds[code] = None
        for kind, real in (("holdout", held_out.of(code)), ("training", leave_one_out.of(code))):
            if kinds[code] is None and len(real.samples) >= _MIN_REFERENCE:
                kinds[code] = kind
                chosen.append(real)
    return kinds, _RealDistances(*map(np.concatenate, zip(*chosen, strict=True)))


def _class_medians(labels: NDArray[np.int64], reference: _RealDistances) -> NDArray[np.float64]:
    """Median reference distance of each sample's class; NaN where it is unknown or 0."""
    medians = np.full(int(labels.max(initial=-1)) + 1, np.nan)
    for code in np.unique(labels):
        distances = reference.of(int(code)).distances
        if len(distances) and (median := np.median(distances)) > 0:
            medians[code] = median
    return medians[labels]


def _share_near(relative: NDArray[np.float64]) -> float:
    known = np.isfinite(relative)
    return float((relative[known] < NEAR_COPY).mean()) if known.any() else float("nan")


def _near_copy_test(
    relative: NDArray[np.float64], real_relative: NDArray[np.float64]
) -> CopyTest | None:
    """Fisher's exact test of whether near-copies are more frequent than among real samples."""
    synthetic, real = relative[np.isfinite(relative)], real_relative[np.isfinite(real_relative)]
    if not len(synthetic) or not len(real):
        return None
    table = [
        [int(np.sum(samples < NEAR_COPY)), int(np.sum(samples >= NEAR_COPY))]
        for samples in (synthetic, real)
    ]
    p_value = stats.fisher_exact(table, alternative="greater").pvalue
    return CopyTest(float(p_value), _share_near(synthetic), _share_near(real))


def _class_copying(
    kind: str | None,
    distances: NDArray[np.float32],
    relative: NDArray[np.float64],
    twin_relative: NDArray[np.float64],
    reference: NDArray[np.float32],
) -> ClassCopying:
    one_stratum = np.zeros(len(distances), np.int64), np.zeros(len(reference), np.int64)
    return ClassCopying(
        n_synthetic=len(distances),
        n_reference=len(reference),
        reference=kind,
        median_synthetic=float(np.median(distances)),
        median_reference=float(np.median(reference)) if len(reference) else None,
        distance_test=stratified_rank_test(distances, one_stratum[0], reference, one_stratum[1]),
        n_near_copies=int(np.sum(relative < NEAR_COPY)),
        n_near_duplicates=int(np.sum(twin_relative < NEAR_COPY)),
    )
