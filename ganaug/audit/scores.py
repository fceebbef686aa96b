"""Recall per class of one classifier on one test set, and shares, with 95% intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ganaug.audit.results import Estimate, Missing


@dataclass(frozen=True)
class ClassScores:
    """Test samples per class, and how many of them one classifier recognised."""

    n_right: NDArray[np.int64]
    n_test: NDArray[np.int64]

    def mean(self) -> Estimate | Missing:
        """Return the mean recall of the classes tested, with a normal interval over samples."""
        tested = self.n_test > 0
        if not tested.any():
            return Missing("no samples to test on")
        n_right, n = self.n_right[tested], self.n_test[tested]
        mean = float((n_right / n).mean())
        # Half a success and failure added, so that a perfect recall is not taken as certain.
        smoothed = (n_right + 0.5) / (n + 1)
        error = 1.96 * math.sqrt(float((smoothed * (1 - smoothed) / n).sum())) / len(n)
        return Estimate(mean, max(0.0, mean - error), min(1.0, mean + error), int(n.sum()))

    def of(self, code: int, min_samples: int) -> Estimate | Missing:
        """Return the recall of one class."""
        n = int(self.n_test[code])
        if n < min_samples:
            return Missing(f"{n} samples to test on; at least {min_samples} are needed")
        return share_of(int(self.n_right[code]), n)


def recall_scores(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int
) -> ClassScores:
    """Count, per class, how many test samples were recognised."""
    n_right = np.bincount(labels[predicted == labels], minlength=n_classes)
    return ClassScores(n_right, np.bincount(labels, minlength=n_classes))


def share_of(n: int, of: int) -> Estimate:
    """Return a share with Wilson's score interval."""
    low, high = binomtest(n, of).proportion_ci(method="wilson")
    share = n / of
    # The interval holds the share itself; at 0 and 1 rounding could leave it just outside.
    return Estimate(share, min(share, float(low)), max(share, float(high)), of)
