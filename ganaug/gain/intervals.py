"""Intervals for paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from ganaug.exceptions import InvalidInputError

Values = Sequence[float] | npt.NDArray[Any]
MAX_SPLITS_ADVISED = 100


@dataclass(frozen=True)
class PairedInterval:
    """Mean of paired differences with its two-sided 95% t-interval; `n` pairs."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """'better', 'worse' or 'no clear difference', by the interval's place beside 0."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no clear difference"

    def __str__(self) -> str:
        """Format mean and interval."""
        if math.isnan(self.low):
            return "unknown" if math.isnan(self.mean) else f"{self.mean:+.4f} (one split)"
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def paired_interval(scores: Values, baseline: Values) -> PairedInterval:
    """Compare scores with a baseline's of the same draws; with one pair, the ends are NaN.

    A t-interval: with few pairs a percentile bootstrap is too narrow.

    Examples
    --------
    >>> interval = paired_interval([0.90, 0.92, 0.91], [0.88, 0.89, 0.90])
    >>> round(interval.mean, 3), interval.verdict
    (0.02, 'no clear difference')
    """
    if not len(scores):
        raise InvalidInputError("`scores` and `baseline` must be pairs, at least one. Got none.")
    return corrected_interval(scores, baseline, test_over_train=0.0)


def corrected_interval(
    scores: Values, baseline: Values, *, test_over_train: float
) -> PairedInterval:
    """Compare scores on the same cross-validation splits, whose training parts overlap.

    The corrected resampled t-test (Nadeau & Bengio, 2003, section 3): the variance of the mean of n
    splits is taken as (1/n + n_test/n_train) times that of a split, which does not vanish however
    often the same samples are split. Of one split the ends are NaN, of none all is.

    Examples
    --------
    >>> interval = corrected_interval([0.90, 0.92, 0.91], [0.85, 0.88, 0.87], test_over_train=0.25)
    >>> round(interval.mean, 3), interval.verdict
    (0.043, 'better')
    """
    if len(scores) != len(baseline):
        raise InvalidInputError(
            f"`scores` and `baseline` must be pairs. Got {len(scores)} and {len(baseline)} values."
        )
    if not len(scores):
        return PairedInterval(math.nan, math.nan, math.nan, 0)
    differences = np.asarray(scores, dtype=float) - np.asarray(baseline, dtype=float)
    n, mean = len(differences), float(differences.mean())
    if n < 2:
        return PairedInterval(mean, math.nan, math.nan, n)
    half = _half_width(differences.std(ddof=1), n, test_over_train)
    return PairedInterval(mean, mean - half, mean + half, n)


def _half_width(deviation: float, n: int, test_over_train: float) -> float:
    """Of the interval of n splits, by their standard deviation."""
    return float(stats.t.ppf(0.975, n - 1) * deviation * math.sqrt(1 / n + test_over_train))


def needed_to_tell(
    gain: PairedInterval | None, test_over_train: float, margin: float, n_samples: int
) -> dict[str, int]:
    """Estimate how many splits, or samples, would make an interval narrow enough.

    Narrow enough is half a width of the gain itself, or of the margin where the gain is smaller.
    More splits cannot narrow a corrected interval beyond a floor, more samples can: the standard
    deviation is taken to fall with the square root of their number.

    Returns: "splits" (only where they suffice) and "samples"; empty where nothing is needed, or
    fewer than two splits tell nothing.
    """
    if gain is None or math.isnan(gain.low):
        return {}
    target, half = max(abs(gain.mean), margin), gain.high - gain.mean
    if half <= target or target == 0:
        return {}
    deviation = half / _half_width(1.0, gain.n, test_over_train)
    more = range(gain.n + 1, MAX_SPLITS_ADVISED + 1)
    enough = [n for n in more if _half_width(deviation, n, test_over_train) < target]
    samples = {"samples": math.ceil(n_samples * (half / target) ** 2)}
    return {"splits": enough[0]} | samples if enough else samples
