"""Recall per class of one classifier on one test set, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganaug.audit.results import Estimate, Missing


@dataclass(frozen=True)
class ClassScores:
    """Recall per class of one classifier on one test set, with 95% Wilson intervals."""

    recall: NDArray[np.float64]
    """NaN for classes without test samples."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_test: NDArray[np.int64]
    """Test samples per class."""

    @property
    def acsa(self) -> float:
        """Mean of the class recalls (over classes that have test samples)."""
        return float(np.nanmean(self.recall))

    @property
    def acsa_interval(self) -> tuple[float, float]:
        """95% normal interval of `acsa` over test samples, for the classifier as it is."""
        recall, n_test = self.recall[self.n_test > 0], self.n_test[self.n_test > 0]
        # Half a success and failure added, so that a perfect recall is not taken as certain.
        smoothed = (recall * n_test + 0.5) / (n_test + 1)
        error = 1.96 * math.sqrt(float((smoothed * (1 - smoothed) / n_test).sum())) / len(recall)
        return max(0.0, self.acsa - error), min(1.0, self.acsa + error)

    def mean(self) -> Estimate | Missing:
        """Return `acsa` as a figure."""
        if not self.n_test.any():
            return Missing("no samples to test on")
        return Estimate(self.acsa, *self.acsa_interval, int(self.n_test.sum()))

    def of(self, code: int, min_samples: int) -> Estimate | Missing:
        """Return the recall of one class as a figure."""
        n = int(self.n_test[code])
        if n < min_samples:
            return Missing(f"{n} samples to test on; at least {min_samples} are needed")
        value, low, high = (float(a[code]) for a in (self.recall, self.low, self.high))
        return Estimate(value, low, high, n)


def recall_scores(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int
) -> ClassScores:
    """Count, per class, how many test samples were recognised."""
    n_test = np.bincount(labels, minlength=n_classes)
    n_right = np.bincount(labels[predicted == labels], minlength=n_classes)
    recall = np.where(n_test > 0, n_right / np.maximum(n_test, 1), np.nan)
    low, high = wilson_interval(n_right, n_test)
    return ClassScores(recall, low, high, n_test)


def wilson_interval(
    n_successes: NDArray[np.int64], n_trials: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's 95% score interval for proportions; 0 to 1 where there were no trials."""
    z = 1.96
    n = np.maximum(n_trials, 1)
    share = n_successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    known = n_trials > 0
    # The interval holds the share itself; at 0 and 1 rounding could leave it just outside.
    low = np.where(known, np.clip(centre - reach, 0, share), 0.0)
    return low, np.where(known, np.clip(centre + reach, share, 1), 1.0)


def share_of(n: int, of: int) -> Estimate:
    """Return a share as a figure."""
    low, high = wilson_interval(np.array([n]), np.array([of]))
    return Estimate(n / of, float(low[0]), float(high[0]), of)
