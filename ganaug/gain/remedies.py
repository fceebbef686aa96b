"""What one does about rare classes without a GAN, and how a classifier is scored with it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import recall_score

from ganaug.classifier import fit_classifier, random_affine
from ganaug.exceptions import InvalidInputError
from ganaug.inputs import DataSpec

__all__ = ["Problem", "Remedy", "Score", "SmallNetworkClassifier", "Split", "remedies_for"]

Array = npt.NDArray[Any]

SMOTE_NEIGHBOURS = 5
BALANCED_UP_TO = 1.5
"""Classes whose sizes differ by less than this factor count as equally frequent."""


@dataclass(frozen=True)
class Split:
    """One split of the rows: its number, which half of the splits it is in, and row positions."""

    number: int
    half: int
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Remedy:
    """One of the usual remedies: `resampling` is None, "duplicates" or "smote"."""

    name: str
    resampling: str | None = None
    classic: bool = False


NOTHING = Remedy("nothing")
OVER_SAMPLING = Remedy("over-sampling", "duplicates")
CLASSIC = Remedy("over-sampling + classic augmentation", "duplicates", classic=True)
INTERPOLATION = Remedy("SMOTE", "smote")


@dataclass(frozen=True)
class Score:
    """Of one classifier on one test part."""

    value: float
    recalls: npt.NDArray[np.float64]
    seconds: float


@dataclass(frozen=True)
class Problem:
    """The data as the estimator takes them, and how it is scored.

    `X` holds the rows, `y` their labels, `classes` the sorted labels, and `spec` describes the
    rows. Without an `estimator` a `SmallNetworkClassifier` is used.
    """

    X: Any
    y: Array
    classes: Array
    spec: DataSpec
    estimator: Any
    scorer: Any

    def rows(self, positions: Array) -> Any:
        """Select rows of X."""
        return self.take(self.X, positions)

    def training_part(self, split: Split) -> tuple[Any, Array]:
        """Select the training rows of a split, and their labels."""
        return self.rows(split.train), self.y[split.train]

    @staticmethod
    def take(X: Any, positions: Array) -> Any:
        """Select rows of an array or a data frame."""
        return X.iloc[positions] if hasattr(X, "iloc") else X[positions]

    def score(self, remedy: Remedy, X: Any, y: Array, split: Split, seed: int) -> Score:
        """Apply a remedy to training rows (synthetic ones included), train, and score."""
        started = time.perf_counter()
        n_before = len(y)
        X, y = resample(remedy, X, y, seed)
        if self.estimator is None:
            estimator: Any = SmallNetworkClassifier(
                classic=remedy.classic, n_steps=network_steps(len(split.train)), random_state=seed
            )
        else:
            estimator = with_seed(clone(self.estimator), seed)
            if remedy.classic:
                X = self._augment_after(X, n_before, seed)
        X_test, y_test = self.rows(split.test), self.y[split.test]
        try:
            estimator.fit(X, y)
            value = float(self.scorer(estimator, X_test, y_test))
            recalls = recall_score(
                y_test,
                estimator.predict(X_test),
                labels=self.classes,
                average=None,
                zero_division=0,
            )
        except Exception as error:  # whatever a foreign estimator raises
            raise InvalidInputError(
                f"`estimator` must learn and score the rows. Got {type(error).__name__} from "
                f"{type(estimator).__name__} on X of shape {np.shape(X)} instead: {error}"
            ) from error
        if not math.isfinite(value):
            raise InvalidInputError(
                f"`scoring` must give a finite number. Got {value} on {len(y_test)} test rows "
                "instead: pass another scorer, or fewer folds."
            )
        return Score(value, np.asarray(recalls), time.perf_counter() - started)

    def _augment_after(self, X: Any, n_before: int, seed: int) -> Any:
        """Turn, scale and shift the duplicates, which stand behind the first `n_before` rows."""
        if len(X) == n_before:
            return X
        values = self.spec.encode(self.take(X, np.arange(n_before, len(X))))
        generator = torch.Generator().manual_seed(seed)
        moved = random_affine(torch.from_numpy(values), generator).round().clamp(0, 255)
        rows = self.spec.decode(moved.to(torch.uint8).numpy())
        return self.spec.concatenate(self.take(X, np.arange(n_before)), rows)


def remedies_for(problem: Problem) -> tuple[Remedy, ...]:
    """List the remedies that apply to images, or to tables."""
    last = CLASSIC if problem.spec.kind == "image" else INTERPOLATION
    return (NOTHING, OVER_SAMPLING, last)


def are_balanced(counts: Array) -> bool:
    """Tell whether classes are about equally frequent."""
    return bool(counts.max() < BALANCED_UP_TO * counts.min())


def resample(remedy: Remedy, X: Any, y: Array, seed: int) -> tuple[Any, Array]:
    """Bring all classes to the size of the largest; rows are added behind those that are there.

    Balanced classes leave nothing to equalise. There classic augmentation doubles the rows, or an
    estimator that does not augment by itself would see none of it.
    """
    if remedy.resampling == "smote":
        counts = np.unique(y, return_counts=True)[1]
        neighbours = min(SMOTE_NEIGHBOURS, int(counts.min()) - 1)
        sampler = SMOTE(random_state=seed, k_neighbors=neighbours)
        resampled: tuple[Any, Array] = sampler.fit_resample(X, y)
        return resampled
    if remedy.resampling == "duplicates":
        classes, counts = np.unique(y, return_counts=True)
        factor = 2 if remedy.classic and are_balanced(counts) else 1
        targets = dict.fromkeys(classes.tolist(), factor * int(counts.max()))
        sampler = RandomOverSampler(sampling_strategy=targets, random_state=seed)
        positions, y = sampler.fit_resample(np.arange(len(y))[:, None], y)
        return Problem.take(X, positions[:, 0]), y
    return X, y


def network_steps(n_rows: int) -> int:
    """Steps of the built-in network: about 40 passes, the same with and without added rows."""
    return int(np.clip(40 * n_rows / 128, 200, 1000))


class SmallNetworkClassifier(ClassifierMixin, BaseEstimator):
    """The built-in classifier: a small network on what the GAN sees (uint8 images, float32 rows).

    Parameters
    ----------
    classic : bool
        Turn, scale and shift the images while training.
    n_steps : int
    random_state : int
    """

    def __init__(self, *, classic: bool = False, n_steps: int = 400, random_state: int = 0) -> None:
        self.classic = classic
        self.n_steps = n_steps
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> SmallNetworkClassifier:
        """Train on rows drawn equally often."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.network_ = fit_classifier(
            X,
            codes.astype(np.int64),
            len(self.classes_),
            seed=self.random_state,
            max_steps=self.n_steps,
            balanced=False,
            augmentation=random_affine if self.classic else None,
        )
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return class probabilities, in the order of `classes_`."""
        return self.network_.predict_proba(X)

    def predict(self, X: Array) -> Array:
        """Return labels."""
        labels: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


def with_seed(estimator: Any, seed: int) -> Any:
    """Seed every `random_state` that is None, those of nested estimators included."""
    unset = {
        name: seed
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**unset)
