"""A screen for synthetic rows that copy training rows, or one another.

Images are compared by what they show: shrunk to at most 12 x 12, centred and scaled to unit
length, so that the distance between two is ``sqrt(2 - 2 r)`` with r their correlation. Brightness,
contrast and noise hardly change it. Tables are compared by their standardised columns.

Three questions are asked, each of real rows too:

1. Are synthetic rows nearer to training rows than fresh real rows are? (a stratified rank test)
2. Are there rows much nearer than that: near-copies? (Fisher's exact test)
3. Are synthetic rows nearer to training rows than to held-out ones? (a permutation test)

Smooth, average-looking synthetic rows answer yes to the first without having copied anything, but
then they are as near to held-out rows as to training rows, which the third shows.

It is a screen and no guarantee: mirrored, shifted, or recombined copies can pass it, and so can
anything that shows only in some part of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ClassCopying",
    "CopyScreen",
    "CopyTest",
    "comparison_space",
    "membership_test",
    "nearest_rows",
    "screen_copies",
    "stratified_rank_test",
]

_LONGER_SIDE = 12
_BLOCK_ENTRIES = 8_000_000
"""Entries of one block of float32 products: 32 MB."""
_NEAR = 0.3
"""Near-copies are nearer than this share of the median distance of real rows of their class."""
_MIN_REFERENCE = 20
"""Fewest real rows of a class for its distances to be compared."""
_N_PERMUTATIONS = 999


@dataclass(frozen=True)
class CopyTest:
    """One test's outcome.

    Attributes
    ----------
    p_value : float
        Chance of such a result, or one pointing more to copying, if nothing were copied.
    effect : float
        What the test is about, as a share from 0 to 1 (see the function that made it).
    expected : float
        What the effect would be, on average, if nothing were copied.
    """

    p_value: float
    effect: float
    expected: float


@dataclass(frozen=True)
class ClassCopying:
    """Copying figures of one class.

    Attributes
    ----------
    n_synthetic, n_reference : int
        Synthetic rows, and real rows that they are compared with.
    reference : {"holdout", "training", None}
        Held-out rows; or training rows, each compared with all others; or too few rows of either.
    median_synthetic, median_reference : float
        Median distance to the nearest training row.
    distance_test : CopyTest or None
        Question 1, within this class.
    n_near_copies, n_near_duplicates : int
        Synthetic rows far too near a training row, or another synthetic row.
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
        Effect: chance that a synthetic row is nearer to its nearest training row than a real row
        of its class is to its own (0.5 expected). None when every class is too small.
    near_copy_test : CopyTest or None
        Effect: share of near-copies among synthetic rows; expected: their share among real rows.
    membership_test : CopyTest or None
        Effect: share of synthetic rows whose nearest real row is a training row, expected: by the
        numbers of training and held-out rows. None without held-out rows.
    per_class : dict of int to ClassCopying
        By class code, for every class with synthetic rows.
    distances, nearest : numpy.ndarray
        Distance of each synthetic row to the nearest training row, and which one that is.
    relative_distances : numpy.ndarray
        The same distances over the median of the real rows of that class; NaN where unknown.
    reference_distances, reference_labels : numpy.ndarray
        Distances of the real rows compared with, and their class codes.
    reference_rows, reference_nearest : numpy.ndarray
        Which rows those are, of the held-out or of the training rows (see `per_class`), and which
        training rows are nearest to them.
    near_copies : numpy.ndarray
        Indices of near-copies among synthetic rows, nearest first.
    near_duplicates : numpy.ndarray
        int64 (k, 2): pairs (row, its nearest synthetic row) of near-duplicates, nearest first.
    real_near_duplicate_share : float
        Share of training rows as near to another training row.
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
    reference_rows: NDArray[np.int64]
    reference_nearest: NDArray[np.int64]
    near_copies: NDArray[np.int64]
    near_duplicates: NDArray[np.int64]
    real_near_duplicate_share: float


def comparison_space(
    values: NDArray[Any], reference: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Return rows in the space in which copies are looked for.

    Parameters
    ----------
    values : numpy.ndarray
        uint8 (n, C, H, W) images or float (n, d) tables.
    reference : numpy.ndarray, optional
        Rows whose column means and deviations standardise a table; `values` by default.

    Returns
    -------
    numpy.ndarray
        float32 (n, D). Images have length 1 (or 0, where a picture is of one colour).
    """
    if values.ndim == 2:
        reference = values if reference is None else reference
        spread = reference.std(axis=0)
        table = (values - reference.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return np.asarray(table, dtype=np.float32)
    parts = [_image_space(values[start : start + 4096]) for start in range(0, len(values), 4096)]
    return np.concatenate(parts) if parts else _image_space(values)


def _image_space(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = images.shape[2:]
    scale = min(1.0, _LONGER_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = functional.adaptive_avg_pool2d(torch.tensor(images).float(), size).flatten(1)
    small -= small.mean(dim=1, keepdim=True)
    space: NDArray[np.float32] = functional.normalize(small, eps=1e-3).numpy()
    return space


def nearest_rows(
    queries: NDArray[np.float32], pool: NDArray[np.float32], *, own: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each query's distance to its nearest row of the pool, and which row that is.

    Parameters
    ----------
    queries, pool : numpy.ndarray
        float32 (n, D) and (m, D).
    own : numpy.ndarray, optional
        int64 (n,): each query's own place in the pool, which is left out.

    Returns
    -------
    distances : numpy.ndarray
        float32 (n,), Euclidean.
    indices : numpy.ndarray
        int64 (n,), rows of the pool.

    Notes
    -----
    A query whose own place is the only one in the pool has the distance infinity.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.array([[0.0], [1.0], [3.0]], dtype=np.float32)
    >>> nearest_rows(rows, rows, own=np.arange(3))
    (array([1., 1., 2.], dtype=float32), array([1, 0, 1]))
    """
    centre = pool.mean(axis=0)  # far from the origin, products in float32 have no digits left
    centred = pool - centre
    half_norms = (centred**2).sum(axis=1) / 2
    distances = np.full(len(queries), np.inf, dtype=np.float32)
    indices = np.zeros(len(queries), dtype=np.int64)
    step = max(1, _BLOCK_ENTRIES // max(1, len(pool)))
    if own is not None and len(pool) < 2:
        return distances, indices
    for start in range(0, len(queries), step):
        rows = queries[start : start + step]
        block = (rows - centre) @ centred.T
        block -= half_norms
        if own is not None:
            block[np.arange(len(block)), own[start : start + step]] = -np.inf
        nearest = block.argmax(axis=1)
        indices[start : start + step] = nearest
        # Taken anew from the rows themselves: products cannot resolve small distances.
        squares = ((rows - pool[nearest]) ** 2).sum(axis=1)
        distances[start : start + step] = np.sqrt(squares)
    return distances, indices


def stratified_rank_test(
    distances: NDArray[Any],
    strata: NDArray[np.int64],
    reference_distances: NDArray[Any],
    reference_strata: NDArray[np.int64],
) -> CopyTest | None:
    """Test, within strata, whether distances tend to be smaller than the reference's.

    Van Elteren's stratified form of the Wilcoxon rank-sum test, one-sided, in its normal
    approximation with ties. With one stratum it is the Mann-Whitney test.

    Parameters
    ----------
    distances, reference_distances : numpy.ndarray
        Float (n,) and (m,).
    strata, reference_strata : numpy.ndarray
        int64 (n,) and (m,): strata (classes). Those without rows on both sides are left out.

    Returns
    -------
    CopyTest or None
        Effect: chance that one of the distances is smaller than one of the reference of the same
        stratum. None without a stratum to compare.

    References
    ----------
    van Elteren, "On the combination of independent two-sample tests of Wilcoxon", 1960. Meehan,
    Chaudhuri and Dasgupta, "A non-parametric test to detect data-copying in generative models",
    AISTATS 2020, on rank tests of such distances.
    """
    statistic = variance = smaller = n_compared = 0.0
    for stratum in np.intersect1d(strata, reference_strata):
        own = distances[strata == stratum]
        others = reference_distances[reference_strata == stratum]
        n, total = len(own), len(own) + len(others)
        ranks = stats.rankdata(np.concatenate([own, others]))
        rank_sum = ranks[:n].sum()
        weight = 1 / (total + 1)
        statistic += weight * (rank_sum - n * (total + 1) / 2)
        variance += weight**2 * n * len(others) / total * ranks.var(ddof=1)
        smaller += n - (rank_sum - n * (n + 1) / 2) / len(others)
        n_compared += n
    if not n_compared:
        return None
    p_value = float(stats.norm.cdf(statistic / np.sqrt(variance))) if variance > 0 else 1.0
    return CopyTest(p_value, float(smaller / n_compared), 0.5)


def membership_test(
    synthetic: NDArray[np.float32],
    synthetic_labels: NDArray[np.int64],
    training: NDArray[np.float32],
    training_labels: NDArray[np.int64],
    holdout: NDArray[np.float32],
    holdout_labels: NDArray[np.int64],
    *,
    rng: np.random.Generator,
) -> CopyTest | None:
    """Test whether synthetic rows sit nearer to training rows than to held-out rows.

    Within a class, a generator that has learnt what the class looks like is as near to rows it
    was trained on as to rows it was not: which real rows are 'training' rows could be dealt anew.
    Each synthetic row votes for its nearest real row of its class, and the share of votes for
    training rows is compared with its share when the same real rows are dealt anew at random.
    The votes stay with the real rows, so rows in crowded places do not feign certainty.

    Parameters
    ----------
    synthetic, training, holdout : numpy.ndarray
        float32 (n, D) rows in the comparison space.
    synthetic_labels, training_labels, holdout_labels : numpy.ndarray
        int64 class codes.
    rng : numpy.random.Generator
        Deals the rows anew (999 times).

    Returns
    -------
    CopyTest or None
        Effect: share of votes for training rows. None when no class has rows of all three kinds.
    """
    strata = []
    for code in np.unique(synthetic_labels):
        members = training[training_labels == code], holdout[holdout_labels == code]
        if min(map(len, members)) < 2:
            continue
        pool = np.concatenate(members)
        _, voted_for = nearest_rows(synthetic[synthetic_labels == code], pool)
        strata.append((np.bincount(voted_for, minlength=len(pool)), len(members[0])))
    if not strata:
        return None
    observed = sum(votes[:n_training].sum() for votes, n_training in strata)
    dealt = [
        sum(rng.permutation(votes)[:n_training].sum() for votes, n_training in strata)
        for _ in range(_N_PERMUTATIONS)
    ]
    n_votes = sum(votes.sum() for votes, _ in strata)
    expected = sum(votes.sum() * n_training / len(votes) for votes, n_training in strata)
    p_value = (1 + np.sum(np.array(dealt) >= observed)) / (1 + _N_PERMUTATIONS)
    return CopyTest(float(p_value), float(observed / n_votes), float(expected / n_votes))


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
    """Look for synthetic rows that copy training rows or one another.

    Every synthetic row is compared with all training rows, of whatever class. What is near is
    judged within each class by real rows: held-out ones, where the class has at least 20 of
    them, else training rows, each compared with all the others.

    Parameters
    ----------
    synthetic, training, holdout : numpy.ndarray
        float32 (n, D) rows from `comparison_space`.
    synthetic_labels, training_labels, holdout_labels : numpy.ndarray
        int64 class codes.
    rng : numpy.random.Generator
        Draws the real rows compared with, and the permutations.
    max_reference : int, default 1000
        Most held-out and most training rows per class to compare with.

    Returns
    -------
    CopyScreen
    """
    distances, nearest = nearest_rows(synthetic, training)
    twin_distances, twins = nearest_rows(synthetic, synthetic, own=np.arange(len(synthetic)))
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
    near_copies, twinned = np.flatnonzero(relative < _NEAR), np.flatnonzero(twin_relative < _NEAR)
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
                distances[rows],
                relative[rows],
                twin_relative[rows],
                reference.of(code).distances,
            )
            for code, kind in kinds.items()
            for rows in [synthetic_labels == code]
        },
        distances=distances,
        nearest=nearest,
        relative_distances=relative,
        reference_distances=reference.distances,
        reference_labels=reference.labels,
        reference_rows=reference.rows,
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
    """Real rows, their classes, and their nearest training rows (other than themselves)."""

    distances: NDArray[np.float32]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    nearest: NDArray[np.int64]

    def of(self, code: int) -> _RealDistances:
        members = self.labels == code
        return _RealDistances(*(field[members] for field in self))


_NO_ROWS = _RealDistances(np.empty(0, np.float32), *np.empty((3, 0), np.int64))


def _leave_one_out(
    training: NDArray[np.float32],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
    max_rows: int,
) -> _RealDistances:
    rows = _some_per_class(labels, rng, max_rows)
    distances, nearest = nearest_rows(training[rows], training, own=rows)
    return _RealDistances(distances, labels[rows], rows, nearest)


def _held_out(
    training: NDArray[np.float32],
    holdout: NDArray[np.float32] | None,
    labels: NDArray[np.int64] | None,
    rng: np.random.Generator,
    max_rows: int,
) -> _RealDistances:
    if holdout is None or labels is None:
        return _NO_ROWS
    rows = _some_per_class(labels, rng, max_rows)
    distances, nearest = nearest_rows(holdout[rows], training)
    return _RealDistances(distances, labels[rows], rows, nearest)


def _some_per_class(
    labels: NDArray[np.int64], rng: np.random.Generator, max_rows: int
) -> NDArray[np.int64]:
    parts = [
        rng.permutation(np.flatnonzero(labels == code))[:max_rows] for code in np.unique(labels)
    ]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _choose_reference(
    codes: NDArray[np.int64], held_out: _RealDistances, leave_one_out: _RealDistances
) -> tuple[dict[int, str | None], _RealDistances]:
    """Per class: held-out rows where there are enough, else training rows, else none."""
    kinds: dict[int, str | None] = {}
    chosen = [_NO_ROWS]
    for code in map(int, codes):
        kinds[code] = None
        for kind, real in (("holdout", held_out.of(code)), ("training", leave_one_out.of(code))):
            if kinds[code] is None and len(real.rows) >= _MIN_REFERENCE:
                kinds[code] = kind
                chosen.append(real)
    return kinds, _RealDistances(*map(np.concatenate, zip(*chosen, strict=True)))


def _class_medians(labels: NDArray[np.int64], reference: _RealDistances) -> NDArray[np.float64]:
    """Median reference distance of each row's class; NaN where it is unknown or 0."""
    medians = np.full(int(labels.max(initial=-1)) + 1, np.nan)
    for code in np.unique(labels):
        distances = reference.of(int(code)).distances
        if len(distances) and (median := np.median(distances)) > 0:
            medians[code] = median
    return medians[labels]


def _share_near(relative: NDArray[np.float64]) -> float:
    known = np.isfinite(relative)
    return float((relative[known] < _NEAR).mean()) if known.any() else float("nan")


def _near_copy_test(
    relative: NDArray[np.float64], real_relative: NDArray[np.float64]
) -> CopyTest | None:
    """Fisher's exact test of whether near-copies are more frequent than among real rows."""
    synthetic, real = relative[np.isfinite(relative)], real_relative[np.isfinite(real_relative)]
    if not len(synthetic) or not len(real):
        return None
    table = [[int(np.sum(rows < _NEAR)), int(np.sum(rows >= _NEAR))] for rows in (synthetic, real)]
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
        n_near_copies=int(np.sum(relative < _NEAR)),
        n_near_duplicates=int(np.sum(twin_relative < _NEAR)),
    )
