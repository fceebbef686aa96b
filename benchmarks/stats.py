"""Scores of a classifier, paired differences, exchange rates. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.metrics import recall_score

from ganaug.gain.intervals import PairedInterval, paired_interval

Floats = npt.NDArray[np.float64]


def recalls(y_true: Any, y_predicted: Any, n_classes: int) -> list[float]:
    """Recall of each class; their mean is the balanced accuracy."""
    found = recall_score(
        y_true, y_predicted, labels=range(n_classes), average=None, zero_division=0.0
    )
    return [round(float(value), 5) for value in found]


def difference(scores: Sequence[float], baseline: Sequence[float]) -> PairedInterval:
    """Give the mean paired difference with its 95% t-interval, in points."""
    points = [[100 * value for value in values] for values in (scores, baseline)]
    return paired_interval(*points)


def bootstrap_interval(
    hits: Floats, baseline_hits: Floats, labels: Any, n_repeats: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Give a difference in balanced accuracy, in points, over draws *and* test images.

    For small pools, where the test images are as much of a sample as the draws are: draws and,
    within each class, images are drawn with replacement.

    Parameters
    ----------
    hits, baseline_hits : ndarray of shape (n_draws, n_images)
        Share of classifiers that were right.
    labels : ndarray of shape (n_images,)

    Returns
    -------
    mean, low, high : float
    """
    rng = np.random.default_rng(seed)
    differences = 100 * (hits - baseline_hits)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    mean = float(np.mean([differences[:, m].mean() for m in members]))
    repeats = []
    for _ in range(n_repeats):
        draws = rng.integers(len(differences), size=len(differences))
        images = [rng.choice(m, len(m)) for m in members]
        repeats.append(np.mean([differences[np.ix_(draws, m)].mean() for m in images]))
    low, high = np.quantile(repeats, [0.025, 0.975])
    return mean, float(low), float(high)


@dataclass(frozen=True)
class Ratio:
    """Ratio of two means with its two-sided 95% interval; NaN where it is undefined."""

    ratio: float
    low: float
    high: float
    n: int

    @property
    def is_defined(self) -> bool:
        """False where the denominator cannot be told from 0."""
        return not math.isnan(self.ratio)

    def __str__(self) -> str:
        if not self.is_defined:
            return "undefined"
        return f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"


def fieller_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """Give the ratio of the means of paired values with Fieller's interval.

    Parameters
    ----------
    numerators, denominators : sequences of float of one length
        Values of the same draws.

    Returns
    -------
    Ratio
        NaN where the denominators' own 95% t-interval contains 0, or with fewer than two pairs:
        the interval would be unbounded.

    Notes
    -----
    The interval holds the r for which the differences ``numerator - r * denominator`` have a
    t-interval that contains 0.

    Examples
    --------
    >>> fieller_interval([1.0, 1.2, 0.8], [2.0, 2.1, 1.9]).ratio
    0.5
    """
    a, b = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"`numerators` and `denominators` must be pairs. Got {len(a)} and {len(b)} values."
        )
    n = len(a)
    undefined = Ratio(math.nan, math.nan, math.nan, n)
    if n < 2:
        return undefined
    covariance = np.cov(a, b) / n
    t2 = stats.t.ppf(0.975, n - 1) ** 2
    # r is inside where  A r^2 - 2 B r + C <= 0
    A = b.mean() ** 2 - t2 * covariance[1, 1]
    B = a.mean() * b.mean() - t2 * covariance[0, 1]
    C = a.mean() ** 2 - t2 * covariance[0, 0]
    if A <= 0:
        return undefined
    half = math.sqrt(max(B * B - A * C, 0.0)) / A
    return Ratio(float(a.mean() / b.mean()), float(B / A - half), float(B / A + half), n)


def show_interval(interval: PairedInterval) -> str:
    """Format a difference in points."""
    if math.isnan(interval.low):
        return f"{interval.mean:+.2f} (one draw)"
    return f"{interval.mean:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
