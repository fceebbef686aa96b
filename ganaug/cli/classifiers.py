"""Classifiers by the names that `ganaug evaluate --estimator` takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from sklearn.svm import SVC


def flatten(X: Any) -> Any:
    """Make columns of images of any shape."""
    return np.reshape(X, (len(X), -1))


_MAKERS: dict[str, Callable[[], Any]] = {
    "rf": RandomForestClassifier,
    "svc": SVC,
    "knn": KNeighborsClassifier,
    "logistic": partial(LogisticRegression, max_iter=1000),
    "mlp": partial(MLPClassifier, early_stopping=True),
}


def classifier_of(name: str) -> Any:
    """Make a classifier of images or feature rows; "cnn" stays the name that it is."""
    if name == "cnn":
        return name
    return make_pipeline(FunctionTransformer(flatten), MinMaxScaler(), _MAKERS[name]())
