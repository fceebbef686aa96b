"""Which arm to take, by scores on cross-validation splits, and what choosing so is worth.

Pure functions on an array of scores, shape (n_arms, n_splits): arms from the simplest on, larger is
better, NaN where an arm was not tried on a split. The first arm does nothing and is tried on all.
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
    "Rule",
    "can_still_win",
    "choose",
    "cross_fit",
    "difference",
    "mean_scores",
    "standing",
    "voters",
]

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Picks = npt.NDArray[np.int64]
Rule = Literal["simplest", "best"]

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
    rule: Rule = "simplest",
    default: int | None = None,
    among: Sequence[int] | None = None,
    costly: Sequence[int] = (),
) -> Choice:
    """Choose an arm.

    Parameters
    ----------
    scores : ndarray of shape (n_arms, n_splits)
    test_over_train : float
        Samples of a test part over samples of a training part.
    rule : {"simplest", "best"}
        "simplest": the first arm within one standard error of the best. "best": the first arm, or
        the default, or what is more than a standard error ahead of the default; of arms that are
        `costly` only one that is more than a standard error ahead of that.
    default : int, optional
        The arm to take where the scores are too few or too noisy to tell it from the best.
    among : sequence of int, optional
        The arms to choose from; all of them by default.
    costly : sequence of int, optional
        Arms that must be worth their cost.

    Returns
    -------
    Choice

    Notes
    -----
    The standard error is that of the paired difference to the best arm, on the splits which both
    were tried on, corrected for overlapping training parts (Nadeau & Bengio, 2003). A tie between
    arms is worth something only where a difference of a point would have shown: else `COARSE` makes
    it undecided.

    Examples
    --------
    >>> scores = np.array([[0.80, 0.82, 0.81], [0.90, 0.91, 0.92], [0.91, 0.90, 0.93]])
    >>> choose(scores, 0.25)
    Choice(arm=1, is_decided=True)
    """
    among = range(len(scores)) if among is None else among
    means = mean_scores(scores)
    best = max(among, key=lambda arm: means[arm])
    if rule == "best":
        return _choose_best(scores, test_over_train, among, costly, default)
    apart = {arm: _difference_to(scores[best], scores[arm], test_over_train) for arm in among}
    tied = [arm for arm, (mean, error) in apart.items() if mean <= error or arm == best]
    chosen = tied[0]
    is_coarse = apart[chosen][1] > COARSE  # 0 for the best itself
    if is_coarse and default is not None and default in tied:
        return Choice(default, False)
    return Choice(chosen, not is_coarse)


def _choose_best(
    scores: Scores,
    test_over_train: float,
    among: Sequence[int],
    costly: Sequence[int],
    default: int | None,
) -> Choice:
    means = mean_scores(scores)
    plain = [arm for arm in among if arm not in costly] or list(among)
    chosen, best = (max(arms, key=lambda arm: means[arm]) for arms in (plain, among))
    if chosen and default is not None and default in plain:  # where nothing is needed, it stays so
        gain, error = _difference_to(scores[chosen], scores[default], test_over_train)
        chosen = default if gain <= error else chosen
    gain, error = _difference_to(scores[best], scores[chosen], test_over_train)
    if gain > error:  # never of the same arm
        chosen = best
    behind = [_difference_to(scores[chosen], scores[arm], test_over_train) for arm in among]
    coarsest = max((error for gap, error in behind if gap <= error), default=0.0)
    if coarsest == math.inf and default is not None and default in among:
        return Choice(default, False)
    return Choice(chosen, coarsest <= COARSE)


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


def _difference_to(best: Scores, arm: Scores, test_over_train: float) -> tuple[float, float]:
    """Mean of (best - arm) on common splits, with its corrected standard error."""
    apart = (best - arm)[~np.isnan(best - arm)]
    if not len(apart):
        return math.inf, 0.0
    if len(apart) < 2:
        return float(apart.mean()), math.inf
    error = apart.std(ddof=1) * math.sqrt(1 / len(apart) + test_over_train)
    return float(apart.mean()), float(error)


def voters(tests: Sequence[npt.NDArray[np.int64]], n_samples: int) -> tuple[Mask, bool]:
    """Say by which splits the arm for each split may be chosen: those that test other samples.

    Parameters
    ----------
    tests : sequence of ndarray
        Positions of the test samples of each split.
    n_samples : int

    Returns
    -------
    may_vote : ndarray of bool, shape (n_splits, n_splits)
        Row s holds the splits that may choose for split s.
    is_honest : bool
        False where some split shares test samples with every other: then all others choose for it.
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
    rule: Rule = "simplest",
    default: int | None = None,
    among: Sequence[int] | None = None,
    costly: Sequence[int] = (),
) -> Picks:
    """Choose an arm for every split by other splits, so that its score there is no luck.

    Parameters
    ----------
    scores : ndarray of shape (n_arms, n_splits)
    may_vote : ndarray of bool, shape (n_splits, n_splits)
        As :func:`voters` gives.
    test_over_train, rule, default, among, costly
        As for :func:`choose`.

    Returns
    -------
    ndarray of int, shape (n_splits,)
        Arms; only those that were tried on a split are chosen for it. -1 where there is none, or no
        split may vote.
    """
    picks = np.full(scores.shape[1], -1)
    for split, by in enumerate(may_vote):
        votes = scores[:, by]
        tried = ~np.isnan(scores[:, split]) & ~np.isnan(votes).all(axis=1)
        arms = [arm for arm in (range(len(scores)) if among is None else among) if tried[arm]]
        if arms:
            choice = choose(
                votes, test_over_train, rule=rule, default=default, among=arms, costly=costly
            )
            picks[split] = choice.arm
    return picks


def difference(
    scores: Scores, picks: Picks, others: Picks, test_over_train: float
) -> PairedInterval:
    """Compare two ways of choosing, split by split.

    Parameters
    ----------
    scores : ndarray of shape (n_arms, n_splits)
    picks, others : ndarray of int, shape (n_splits,)
        Arms; splits with -1 in either are left out.
    test_over_train : float

    Returns
    -------
    PairedInterval
        Of score by `picks` minus score by `others`.
    """
    columns = np.flatnonzero((picks >= 0) & (others >= 0))
    return corrected_interval(
        scores[picks[columns], columns].tolist(),
        scores[others[columns], columns].tolist(),
        test_over_train=test_over_train,
    )


def can_still_win(
    scores: Scores, ceiling: float, test_over_train: float, *, default: int | None = None
) -> bool:
    """Tell whether a costly arm that closes half of the gap to `ceiling` would be chosen."""
    best = scores[int(np.argmax(mean_scores(scores)))]
    gap = CLOSABLE * (ceiling - best)
    if gap.mean() < MATTERS:
        return False
    better = np.vstack([scores, best + gap])
    new = len(scores)
    choice = choose(better, test_over_train, rule="best", default=default, costly=[new])
    return choice.arm == new


def standing(
    scores: Scores, gan_arms: Sequence[int], test_over_train: float
) -> Literal["ahead", "behind", "open"]:
    """Tell how the best arm with a GAN stands against the best without one.

    "ahead" where the interval of the difference lies above 0, "behind" where it is below 0 by more
    than a standard error, so that even a lucky further split would not make the GAN the choice.
    """
    means = mean_scores(scores)
    is_gan = np.isin(np.arange(len(scores)), gan_arms)
    gan = int(np.argmax(np.where(is_gan, means, -np.inf)))
    rival = int(np.argmax(np.where(is_gan, -np.inf, means)))
    both = ~np.isnan(scores[gan] - scores[rival])
    mean, error = _difference_to(scores[gan], scores[rival], test_over_train)
    interval = corrected_interval(
        scores[gan, both].tolist(), scores[rival, both].tolist(), test_over_train=test_over_train
    )
    if interval.low > 0:
        return "ahead"
    return "behind" if mean + error < 0 else "open"
