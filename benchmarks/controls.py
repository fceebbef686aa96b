"""Planted 'generators' whose right verdict is known: what `evaluate_gain` is tested with.

Each has the two methods that `evaluate_gain` needs of an augmenter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

Array = npt.NDArray[Any]


class Oracle(BaseEstimator):
    """Returns real images that nobody has used: what a perfect generator would make.

    Parameters
    ----------
    X_pool, y_pool : ndarray
        Images that are not among those to evaluate with.
    random_state : int
    """

    def __init__(self, X_pool: Array, y_pool: Array, random_state: int = 0) -> None:
        self.X_pool = X_pool
        self.y_pool = y_pool
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> Oracle:  # noqa: ARG002 - a generator's interface
        """Learn nothing."""
        return self

    def sample(self, n_samples: dict[Any, int]) -> tuple[Array, Array]:
        """Take images of each class (again, where it has too few)."""
        rows = [self._take(np.flatnonzero(self.y_pool == c), n) for c, n in n_samples.items()]
        return self.X_pool[np.concatenate(rows)], np.repeat(list(n_samples), [*n_samples.values()])

    def _take(self, members: Array, n: int, stream: int = 0) -> Array:
        rng = np.random.default_rng([self.random_state, stream])
        return np.resize(rng.permutation(members), n)


class ShuffledOracle(Oracle):
    """Returns unused real images of any class, whatever class was asked for."""

    def sample(self, n_samples: dict[Any, int]) -> tuple[Array, Array]:
        """Take images of all classes alike."""
        parts = [self._take(np.arange(len(self.y_pool)), n, c) for c, n in n_samples.items()]
        rows = np.concatenate(parts)
        return self.X_pool[rows], np.repeat(list(n_samples), [*n_samples.values()])


class SwappedOracle(Oracle):
    """Returns unused real images of the next class: a generator that has mixed its labels up."""

    def sample(self, n_samples: dict[Any, int]) -> tuple[Array, Array]:
        """Take images of the next class."""
        classes = np.unique(self.y_pool).tolist()
        after = dict(zip(classes, classes[1:] + classes[:1], strict=True))
        X, _ = super().sample({after[label]: n for label, n in n_samples.items()})
        return X, np.repeat(list(n_samples), [*n_samples.values()])


class Duplicator(Oracle):
    """Returns the training images themselves: the extreme of a collapsed generator."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> Duplicator:
        """Remember the images."""
        self.X_pool, self.y_pool = X, y
        return self
