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
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ganaug.audit.neighbours import nearest_samples
from ganaug.audit.results import Estimate, Missing
from ganaug.audit.samples import Array, Labelled
from ganaug.audit.scores import share_of

NEAR_COPY = 0.3
"""Near-copies are nearer than this share of the median distance of real samples of their class."""
_MIN_REFERENCE = 20
"""Fewest real samples of a class for its distances to be compared."""
_MAX_REFERENCE = 1000
"""Most held-out and most training samples per class to compare with."""
_N_PERMUTATIONS = 999


@dataclass(frozen=True)
class CopyTest:
    """One test's outcome."""

    p_value: float
    """Chance of such a result, or one pointing more to copying, if nothing were copied."""
    effect: float
    """What the test is about, as a share from 0 to 1: see `CopyScreen`."""
    expected: float
    """What the effect would be, on average, if nothing were copied."""


@dataclass(frozen=True)
class ClassCopying:
    """Copying figures of one class."""

    n_synthetic: int
    n_reference: int
    """Real samples that the synthetic ones are compared with."""
    reference: str | None
    """Which: "holdout"; "training", each compared with all others; or too few of either."""
    median_synthetic: float
    """Median distance to the nearest training sample."""
    median_reference: float | None
    n_near_copies: int
    n_near_duplicates: int
    """Synthetic samples far too near another synthetic sample."""


@dataclass(frozen=True)
class CopyScreen:
    """Outcome of `screen_copies`."""

    distance_test: CopyTest | None
    """Effect: chance that a synthetic sample is nearer to its nearest training sample than a real
    sample of its class is to its own (0.5 expected). None when every class is too small."""
    near_copy_test: CopyTest | None
    """Effect: share of near-copies among synthetic samples; expected: their share among real
    samples."""
    membership_test: CopyTest | None
    """Effect: share of synthetic samples whose nearest real sample is a training sample, expected:
    by the numbers of training and held-out samples. None without held-out samples."""
    per_class: dict[int, ClassCopying]
    """By class code, for every class with synthetic samples."""
    nearest: NDArray[np.int64]
    """The training sample nearest to each synthetic one."""
    distances: NDArray[np.float32]
    """To these."""
    relative_distances: NDArray[np.float64]
    """The same over the median of the real samples of the class; NaN where that is unknown."""
    reference_distances: NDArray[np.float64]
    """Relative distances of the real samples compared with: held-out or training ones, see
    `per_class`."""
    usual_near_duplicates: float | None
    """Share of training samples as near to another training sample, where that is known."""

    def share(
        self, code: int, counted: Literal["n_near_copies", "n_near_duplicates"]
    ) -> Estimate | Missing:
        """Return the share of near-copies or near-duplicates in a class."""
        found = self.per_class.get(code)
        if found is None or found.median_reference is None:
            return Missing("too few samples to know what is near")
        return share_of(getattr(found, counted), found.n_synthetic)


def screen_copies(
    synthetic: Labelled,
    training: Labelled,
    holdout: Labelled | None = None,
    *,
    rng: np.random.Generator,
) -> CopyScreen:
    """Look for synthetic samples that copy training samples or one another.

    Every synthetic sample is compared with all training samples, of whatever class. What is near is
    judged within each class by real samples: held-out ones, where the class has at least 20 of
    them, else training samples, each compared with all the others. All samples are in the
    `comparison_space`; `rng` draws the real samples compared with, and the permutations.
    """
    distances, nearest = nearest_samples(synthetic.values, training.values)
    places = np.arange(len(distances))
    to_twins, _ = nearest_samples(synthetic.values, synthetic.values, own=places)
    leave_one_out = _distances_of_some(training, training, rng)
    held_out = _NOTHING if holdout is None else _distances_of_some(holdout, training, rng)
    kinds, reference = _choose_reference(np.unique(synthetic.labels), held_out, leave_one_out)
    medians = {
        code: float(np.median(reference.of(code))) if kind else None for code, kind in kinds.items()
    }
    n_classes = 1 + max(part.labels.max(initial=0) for part in (synthetic, held_out, leave_one_out))
    # Real samples that are all the same, with a median of 0, say nothing of what is near.
    usual = np.array([medians.get(code) or np.nan for code in range(n_classes)])
    relative, twin_relative = (of / usual[synthetic.labels] for of in (distances, to_twins))
    of_held_out, of_training, of_reference = (
        real.values / usual[real.labels] for real in (held_out, leave_one_out, reference)
    )
    per_class = {}
    for code, kind in kinds.items():
        members = synthetic.labels == code
        per_class[code] = ClassCopying(
            int(members.sum()),
            len(reference.of(code)),
            kind,
            float(np.median(distances[members])),
            medians[code],
            int(np.sum(relative[members] < NEAR_COPY)),
            int(np.sum(twin_relative[members] < NEAR_COPY)),
        )
    return CopyScreen(
        stratified_rank_test(Labelled(distances, synthetic.labels), reference),
        _near_copy_test(relative, np.concatenate([of_held_out, of_training])),
        None if holdout is None else membership_test(synthetic, training, holdout, rng=rng),
        per_class,
        nearest,
        distances,
        relative,
        of_reference,
        _share_near(of_training),
    )


_NOTHING = Labelled(np.empty(0, np.float32), np.empty(0, np.int64))


def _distances_of_some(real: Labelled, training: Labelled, rng: np.random.Generator) -> Labelled:
    """Look how far some real samples are from the nearest training sample, but themselves."""
    labels = real.labels
    chosen = [
        rng.permutation(np.flatnonzero(labels == code))[:_MAX_REFERENCE]
        for code in np.unique(labels)
    ]
    places = np.sort(np.concatenate(chosen))
    own = places if real is training else None
    distances, _ = nearest_samples(real.values[places], training.values, own=own)
    return Labelled(distances, labels[places])


def _choose_reference(
    codes: NDArray[np.int64], held_out: Labelled, leave_one_out: Labelled
) -> tuple[dict[int, str | None], Labelled]:
    """Per class: distances of held-out samples where there are enough, else of training ones."""
    kinds: dict[int, str | None] = dict.fromkeys(codes.tolist())
    chosen = [_NOTHING]
    for code in kinds:
        for kind, real in (("holdout", held_out), ("training", leave_one_out)):
            own = real.take(real.labels == code)
            if len(own.labels) >= _MIN_REFERENCE:
                kinds[code] = kind
                chosen.append(own)
                break
    return kinds, Labelled(*map(np.concatenate, zip(*chosen, strict=True)))


# --- tests -------------------------------------------------------------------------------------


def _known(relative: Array) -> Array:
    return relative[np.isfinite(relative)]


def _share_near(relative: Array) -> float | None:
    known = _known(relative)
    return float((known < NEAR_COPY).mean()) if len(known) else None


def _near_copy_test(relative: Array, real_relative: Array) -> CopyTest | None:
    """Fisher's exact test of whether near-copies are more frequent than among real samples."""
    share, real_share = _share_near(relative), _share_near(real_relative)
    if share is None or real_share is None:
        return None
    near = [_known(array) < NEAR_COPY for array in (relative, real_relative)]
    table = [[int(np.sum(is_near)), int(np.sum(~is_near))] for is_near in near]
    p_value = stats.fisher_exact(table, alternative="greater").pvalue
    return CopyTest(float(p_value), share, real_share)


def stratified_rank_test(distances: Labelled, reference: Labelled) -> CopyTest | None:
    """Test, within classes, whether distances tend to be smaller than the reference's.

    Van Elteren's stratified form (1960) of the Wilcoxon rank-sum test, one-sided, in its normal
    approximation with ties; Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect
    data-copying in generative models", AISTATS 2020, on rank tests of such distances. Classes
    without samples on both sides are left out; without any, there is no test. The effect
    is the chance that one of the distances is smaller than one of the reference.
    """
    statistic = variance = smaller = n_compared = 0.0
    for code in np.intersect1d(distances.labels, reference.labels):
        own, others = distances.of(code), reference.of(code)
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
    synthetic: Labelled, training: Labelled, holdout: Labelled, *, rng: np.random.Generator
) -> CopyTest | None:
    """Test whether synthetic samples sit nearer to training samples than to held-out samples.

    Each synthetic sample votes for its nearest real sample of its class. If nothing was copied,
    which of these are training samples could be dealt anew at random: the share of votes for
    training samples, the effect, is compared with its share in such deals. The votes stay with the
    real samples, so samples in crowded places do not feign certainty. There is no test when no
    class has samples of all three kinds.
    """
    strata = []
    for code in np.unique(synthetic.labels):
        members = training.of(code), holdout.of(code)
        if min(map(len, members)) < 2:
            continue
        pool = np.concatenate(members)
        _, voted_for = nearest_samples(synthetic.of(code), pool)
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
