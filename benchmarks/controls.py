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
    """Returns real rows that nobody has used: what a perfect generator would make.

    Parameters
    ----------
    X_pool, y_pool : ndarray
        Rows that are not among those to evaluate with.
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
        """Take rows of each class (again, where it has too few)."""
        rows = [self._take(np.flatnonzero(self.y_pool == c), n) for c, n in n_samples.items()]
        return self.X_pool[np.concatenate(rows)], np.repeat(list(n_samples), [*n_samples.values()])

    def _take(self, members: Array, n: int) -> Array:
        return np.resize(np.random.default_rng(self.random_state).permutation(members), n)


class ShuffledOracle(Oracle):
    """Returns unused real rows of any class, whatever class was asked for."""

    def sample(self, n_samples: dict[Any, int]) -> tuple[Array, Array]:
        """Take rows of all classes alike."""
        rows = self._take(np.arange(len(self.y_pool)), sum(n_samples.values()))
        return self.X_pool[rows], np.repeat(list(n_samples), [*n_samples.values()])


class Duplicator(Oracle):
    """Returns the training rows themselves: the extreme of a collapsed generator."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> Duplicator:
        """Remember the rows."""
        self.X_pool, self.y_pool = X, y
        return self
