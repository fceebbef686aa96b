"""Tests of whether synthetic samples are nearer to training samples than chance would have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from ganaug.audit.neighbours import nearest_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ganaug.audit.samples import Array

__all__ = ["CopyTest", "membership_test", "stratified_rank_test"]

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


def stratified_rank_test(
    distances: Array,
    strata: NDArray[np.int64],
    reference_distances: Array,
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
        int64 (n,) and (m,): strata (classes). Those without samples on both sides are left out.

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
    """Test whether synthetic samples sit nearer to training samples than to held-out samples.

    Within a class, a generator that has learnt what the class looks like is as near to samples it
    was trained on as to samples it was not: which real samples are 'training' samples could be
    dealt anew. Each synthetic sample votes for its nearest real sample of its class, and the share
    of votes for training samples is compared with its share when the same real samples are dealt
    anew at random. The votes stay with the real samples, so samples in crowded places do not feign
    certainty.

    Parameters
    ----------
    synthetic, training, holdout : numpy.ndarray
        float32 (n, D) samples in the comparison space.
    synthetic_labels, training_labels, holdout_labels : numpy.ndarray
        int64 class codes.
    rng : numpy.random.Generator
        Deals the samples anew (999 times).

    Returns
    -------
    CopyTest or None
        Effect: share of votes for training samples. None when no class has samples of all three
        kinds.
    """
    strata = []
    for code in np.unique(synthetic_labels):
        members = training[training_labels == code], holdout[holdout_labels == code]
        if min(map(len, members)) < 2:
            continue
        pool = np.concatenate(members)
        _, voted_for = nearest_samples(synthetic[synthetic_labels == code], pool)
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
