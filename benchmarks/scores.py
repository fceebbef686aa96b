"""Scores of a classifier, and the exchange rate between synthetic and real rows. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import confusion_matrix

from benchmarks.data import Labels

SCORES = {
    "acsa": "ACSA (mean per-class recall = balanced accuracy)",
    "gmean_of_recalls": "geometric mean of the recalls",
    "mean_gmean": "mean over classes of sqrt(sensitivity x specificity)",
    "macro_f1": "macro F1",
}


def score(y_true: Labels, y_predicted: Labels, n_classes: int) -> dict[str, float | list[float]]:
    """Score predictions: the entries of `SCORES`, and the recall of each class."""
    confusion = confusion_matrix(y_true, y_predicted, labels=range(n_classes)).astype(float)
    hits, actual, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits / actual
    specificity = 1 - (predicted - hits) / (confusion.sum() - actual)
    f1 = 2 * hits / np.maximum(actual + predicted, 1)
    return {
        "acsa": _rounded(recall.mean()),
        "gmean_of_recalls": _rounded(stats.gmean(recall) if recall.all() else 0.0),
        "mean_gmean": _rounded(np.sqrt(recall * specificity).mean()),
        "macro_f1": _rounded(f1.mean()),
        "recall": [_rounded(value) for value in recall],
    }


def _rounded(value: float) -> float:
    return round(float(value), 6)


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


def fieller_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """Give the ratio of the means of paired values with Fieller's interval.

    Parameters
    ----------
    numerators, denominators : sequences of float of one length
        Values of the same seeds.

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
