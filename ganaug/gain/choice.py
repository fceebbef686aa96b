"""Which arm to take, by scores on cross-validation splits, and what choosing so is worth.

Pure functions on an array of scores, shape (n_arms, n_splits): arms from the simplest on, larger is
better, NaN where an arm was not tried on a split. The first arm does nothing and is tried on all.
`test_over_train` is always samples of a test part over samples of a training part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ganaug.gain.intervals import PairedInterval, corrected_interval

__all__ = [
    "COARSE",
    "MATTERS",
    "Choice",
    "can_still_win",
    "choose",
    "cross_fit",
    "difference",
    "lead",
    "mean_scores",
    "standing",
    "voters",
]

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Picks = npt.NDArray[np.int64]

COARSE = 0.01
"""Where the standard error of a tie is above this, the tie says nothing: nothing is decided."""

MATTERS = 0.005
"""Gains below are no reason to train a GAN."""

CLOSABLE = 0.5
"""Of the errors that the best remedy leaves; as many real images as synthetic ones closed 0.4."""


@dataclass(frozen=True)
class Choice:
    """An arm, and whether the scores are precise enough to tell it from others."""

    arm: int
    is_decided: bool


def choose(
    scores: Scores,
    test_over_train: float,
    *,
    default: Sequence[int] = (),
    among: Sequence[int] | None = None,
    costly: Sequence[int] = (),
    unit: float = 1.0,
) -> Choice:
    """Choose the first arm where it is the best, else the default unless another is clearly ahead.

    Clearly ahead is by more than a standard error (see `lead`); a `costly` arm must be so. Of
    several arms in `default` it is the first, unless a later one leads by what `MATTERS`; without
    any the best of all is chosen. `among`: the arms to choose from; all of them by default. Those
    with one score are no choice where there are more splits. `unit`: of `MATTERS` and `COARSE`.

    Examples
    --------
    >>> scores = np.array([[0.80, 0.82, 0.81], [0.90, 0.91, 0.92], [0.91, 0.90, 0.93]])
    >>> choose(scores, 0.25, default=[1])
    Choice(arm=1, is_decided=True)
    """
    n_scores = np.count_nonzero(~np.isnan(scores), axis=1)
    among = range(len(scores)) if among is None else among
    among = [arm for arm in among if n_scores[arm] > 1] or among
    means = mean_scores(scores)
    plain = [arm for arm in among if arm not in costly] or among
    chosen, best = (max(arms, key=lambda arm: means[arm]) for arms in (plain, among))

    def is_ahead(arm: int, other: int) -> bool:
        gain, error = lead(scores[arm], scores[other], test_over_train)
        return gain > error

    defaults = [arm for arm in default if arm in plain and means[arm] > -math.inf]
    usual = max(
        defaults, key=lambda arm: means[arm] - MATTERS * unit * (arm != defaults[0]), default=None
    )
    if usual is not None and chosen and not is_ahead(chosen, usual):
        chosen = usual
    if is_ahead(best, chosen):
        chosen = best
    leads = [lead(scores[chosen], scores[arm], test_over_train) for arm in among]
    coarsest = max((error for gain, error in leads if gain <= error), default=0.0)
    if scores.shape[1] < 2 and usual is not None:
        chosen = usual
    return Choice(chosen, coarsest <= COARSE * unit)


def mean_scores(scores: Scores) -> Scores:
    """Mean of each arm over all splits, -inf for arms without scores.

    An arm that was tried on a few splits is compared by its differences to the arms that were tried
    on all of them, since some splits are harder than others.
    """
    tried = ~np.isnan(scores)
    level = scores[tried.all(axis=1)].mean(axis=0)
    gains = np.where(tried, scores - level, 0.0).sum(axis=1)
    counts = tried.sum(axis=1)
    means = level.mean() + gains / np.maximum(counts, 1)
    return np.where(counts > 0, means, -np.inf)


def lead(arm: Scores, other: Scores, test_over_train: float) -> tuple[float, float]:
    """Mean of (arm - other) on the splits of both, with its standard error.

    The error is corrected for overlapping training parts, as in `corrected_interval`.
    """
    apart = (arm - other)[~np.isnan(arm - other)]
    if not len(apart):
        return math.inf, 0.0
    if len(apart) < 2:
        return float(apart.mean()), math.inf
    error = apart.std(ddof=1) * math.sqrt(1 / len(apart) + test_over_train)
    return float(apart.mean()), float(error)


def voters(tests: Sequence[npt.NDArray[np.int64]], n_samples: int) -> tuple[Mask, bool]:
    """Say by which splits the arm for each split may be chosen: those that test other samples.

    `tests`: positions of the test samples of each split. Returns: a mask (n_splits, n_splits) whose
    row s holds the splits that may choose for split s; and False where some split shares test
    samples with every other, so that all others choose for it.
    """
    member = np.zeros((len(tests), n_samples), dtype=np.float32)
    for row, test in zip(member, tests, strict=True):
        row[test] = 1
    may_vote = (member @ member.T) == 0
    alone = ~may_vote.any(axis=1)
    may_vote[alone] = ~np.eye(len(tests), dtype=bool)[alone]
    return may_vote, len(tests) < 2 or not alone.any()


def cross_fit(
    scores: Scores,
    may_vote: Mask,
    test_over_train: float,
    *,
    default: Sequence[int] = (),
    among: Sequence[int] | None = None,
    costly: Sequence[int] = (),
    unit: float = 1.0,
) -> Picks:
    """Choose an arm for every split by other splits, so that its score there is no luck.

    `may_vote`: as `voters` gives. Returns: arms that were tried on their split; -1 where there is
    none, or no split may vote.
    """
    among = range(len(scores)) if among is None else among
    picks = np.full(scores.shape[1], -1)
    for split, by in enumerate(may_vote):
        votes = scores[:, by]
        tried = ~np.isnan(scores[:, split]) & ~np.isnan(votes).all(axis=1)
        arms = [arm for arm in among if tried[arm]]
        if arms:
            picks[split] = choose(
                votes, test_over_train, default=default, among=arms, costly=costly, unit=unit
            ).arm
    return picks


def difference(
    scores: Scores, picks: Picks, others: Picks, test_over_train: float
) -> PairedInterval:
    """Compare two ways of choosing, on the splits for which both chose (-1: it did not)."""
    columns = np.flatnonzero((picks >= 0) & (others >= 0))
    return corrected_interval(
        scores[picks[columns], columns],
        scores[others[columns], columns],
        test_over_train=test_over_train,
    )


def can_still_win(scores: Scores, test_over_train: float, *, default: Sequence[int] = ()) -> bool:
    """Tell whether a costly arm that closes half of the gap to a score of 1 would be chosen."""
    best = scores[int(np.argmax(mean_scores(scores)))]
    gap = CLOSABLE * (1 - best)
    if gap.mean() < MATTERS:
        return False
    better = np.vstack([scores, best + gap])
    new = len(scores)
    return choose(better, test_over_train, default=default, costly=[new]).arm == new


def standing(
    scores: Scores, gan_arms: Sequence[int], test_over_train: float
) -> Literal["ahead", "behind", "open"]:
    """Tell how the best arm with a GAN stands against the best without one.

    "ahead" where the interval of the difference lies above 0, "behind" where it is below 0 by more
    than a standard error, so that even a lucky further split would not make the GAN the choice.
    """
    means = mean_scores(scores)
    is_gan = np.isin(np.arange(len(scores)), gan_arms)
    gan = scores[np.argmax(np.where(is_gan, means, -np.inf))]
    rival = scores[np.argmax(np.where(is_gan, -np.inf, means))]
    both = ~np.isnan(gan - rival)
    interval = corrected_interval(gan[both], rival[both], test_over_train=test_over_train)
    if interval.low > 0:
        return "ahead"
    mean, error = lead(gan, rival, test_over_train)
    return "behind" if mean + error < 0 else "open"
