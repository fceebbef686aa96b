"""Over-samplers for what imbalanced-learn's own do not take: tiny classes, images of any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn.base import BaseEstimator, clone

Array = npt.NDArray[Any]


class SmallClassSMOTE(SMOTE):  # type: ignore[misc, unused-ignore]
    """SMOTE with fewer neighbours where a class has fewer samples, down to duplicates of one.

    Whole numbers are rounded; plain SMOTE lets uint8 overflow, which makes noise of images.
    """

    def _fit_resample(self, X: Array, y: Array) -> tuple[Array, Array]:
        labels, counts = np.unique(y, return_counts=True)
        n_real = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        totals = {label: n_real[label] + n for label, n in self.sampling_strategy_.items()}
        singles = {label: 2 for label, n in totals.items() if n_real[label] == 1 and n > 1}
        if singles:
            twice = RandomOverSampler(sampling_strategy=singles, random_state=self.random_state)
            X, y = twice.fit_resample(X, y)
        smallest = min([max(n_real[label], 2) for label in totals], default=2)
        plain = SMOTE(
            sampling_strategy=totals,
            random_state=self.random_state,
            k_neighbors=min(self.k_neighbors, smallest - 1),
        )
        X_out, y_out = plain.fit_resample(_as_float(X), y)
        return _as_dtype(X.dtype, X_out), y_out


class FlatSampler(BaseEstimator):
    """Lets an imbalanced-learn sampler for 2-D X resample images of any shape."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def fit_resample(self, X: Any, y: Any) -> tuple[Array, Any]:
        """Flatten, resample, and give the shape back."""
        X = np.asarray(X)
        self.fitted_ = clone(self.sampler)
        flat, y = self.fitted_.fit_resample(_as_float(X.reshape(len(X), -1)), y)
        return _as_dtype(X.dtype, flat).reshape(-1, *X.shape[1:]), y

    def fit(self, X: Any, y: Any) -> FlatSampler:  # noqa: ARG002 - pipelines ask for it
        """Do nothing."""
        return self


def _as_float(X: Array) -> Array:
    return X.astype(np.float64) if X.dtype.kind in "bui" else X


def _as_dtype(dtype: np.dtype[Any], X: Array) -> Array:
    return np.rint(X).astype(dtype) if dtype.kind in "bui" else X
