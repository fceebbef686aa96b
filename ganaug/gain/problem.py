"""What is to be evaluated: data as the estimator takes them, estimator, scorer and splits."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone, is_regressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from torch.utils.data import Dataset

from ganaug.checks import check_groups
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.gain.network import SmallNetworkClassifier, network_steps
from ganaug.inputs import read_training_set
from ganaug.seeds import derived_seed

Array = npt.NDArray[Any]
Positions = npt.NDArray[np.int64]

FEW_SAMPLES = 300
FEW_OF_A_CLASS = 5
SPLITS_OF_FEW = 15  # where there are few samples, they are split again and again
READING = ("image_shape", "value_range", "resize", "image_key", "label_key")


@dataclass(frozen=True)
class Split:
    """Positions of the training and the test samples."""

    train: Positions
    test: Positions


@dataclass(frozen=True)
class Problem:
    """The data as the estimator takes them, and how it is scored."""

    X: Any
    y: Array
    classes: Array  # sorted labels
    class_names: tuple[str, ...]
    is_image: bool
    image_shape: tuple[int, ...] | None  # of the images that the columns of 2-D X hold
    estimator: Any  # unfitted; every `random_state` is set
    scorer: Any
    values_of_dataset: bool  # X was gathered or resized, as uint8 (n, C, H, W)

    def part(self, positions: Positions) -> tuple[Any, Array]:
        """Select samples and their labels."""
        X = self.X.iloc[positions] if hasattr(self.X, "iloc") else self.X[positions]
        return X, self.y[positions]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Samples by class, in the order of `classes`."""
        return np.unique(self.y, return_counts=True)[1]


def pose(
    estimator: Any, X: Any, y: Any, image_shape: Any, augmenter: Any, scoring: Any, seed: int
) -> Problem:
    """Read the data, bring them into the form that the estimator takes, and seed the estimator."""
    _check_estimator(estimator)
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise InvalidTypeError(
            f"`scoring` must be one scorer, by name or callable. Got {scoring!r} instead."
        )
    reading = {name: getattr(augmenter, name) for name in READING if hasattr(augmenter, name)}
    if image_shape is not None:
        reading["image_shape"] = image_shape
    data = read_training_set(X, y, **reading)
    is_resized = data.spec.resize is not None
    gathered = isinstance(X, Dataset) or data.spec.as_list or (is_resized and estimator == "cnn")
    _check_container(estimator, X, gathered, is_resized)
    shape = None if gathered or data.spec.kind == "table" else reading.get("image_shape")
    if isinstance(estimator, str):
        steps = network_steps(len(data.labels))
        estimator = SmallNetworkClassifier(image_shape=shape, n_steps=steps, random_state=seed)
    classes = data.classes  # scikit-learn takes no numbers in arrays of objects
    classes = np.array(classes.tolist()) if classes.dtype == object else classes
    return Problem(
        X=data.values if gathered else _as_array(X),
        y=classes[data.labels],
        classes=classes,
        class_names=data.class_names or tuple(map(str, data.classes.tolist())),
        is_image=data.spec.kind == "image",
        image_shape=None if shape is None else tuple(shape),
        estimator=with_seed(clone(estimator), seed),
        scorer=_scorer(estimator, scoring),
        values_of_dataset=gathered,
    )


def _scorer(estimator: Any, scoring: Any) -> Any:
    try:
        return check_scoring(estimator, scoring=scoring)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            "`scoring` must be a scorer's name, a callable or None. Got "
            f"{scoring!r} instead: {error}"
        ) from None


def _check_estimator(estimator: Any) -> None:
    if isinstance(estimator, type):
        raise InvalidTypeError(
            f"`estimator` must be an instance. Got the class {estimator.__name__} instead: pass "
            f"{estimator.__name__}()."
        )
    if isinstance(estimator, str):
        if estimator != "cnn":
            raise InvalidInputError(
                f"`estimator` must be a scikit-learn classifier or 'cnn'. Got {estimator!r} "
                "instead."
            )
        return
    lacks = [name for name in ("fit", "predict", "get_params") if not hasattr(estimator, name)]
    if lacks or is_regressor(estimator):
        kind = f" without `{lacks[0]}`" if lacks else ", a regressor,"
        raise InvalidTypeError(
            "`estimator` must be a scikit-learn classifier or 'cnn'. Got "
            f"{type(estimator).__name__}{kind} instead."
        )


def _check_container(estimator: Any, X: Any, gathered: bool, is_resized: bool) -> None:
    if gathered and not isinstance(estimator, str):
        raise InvalidTypeError(
            f"X must be an array or a data frame for an estimator of your own. Got "
            f"{type(X).__name__} instead: pass arrays, or the estimator 'cnn'."
        )
    if is_resized and not gathered:
        raise InvalidInputError(
            "`augmenter` must have resize=None for an estimator of your own, which would see two "
            "sizes. Got another `resize` instead: resize X itself."
        )


def _as_array(X: Any) -> Any:
    if hasattr(X, "iloc"):
        return X
    return X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else np.asarray(X)


def with_seed(estimator: Any, seed: int) -> Any:
    """Set every `random_state` that is None, those of nested estimators included."""
    unset = {
        name: seed
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**unset)


# --- splits ------------------------------------------------------------------------------------


def make_splits(problem: Problem, cv: Any, groups: Any, seed: int) -> tuple[list[Split], list[str]]:
    """Split the samples, every class into every part; note what is otherwise than asked for.

    Where there are few samples, or few of a class, further splits follow the first ones.
    """
    if groups is not None:
        groups = check_groups(groups, len(problem.y))
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        splits, notes = _folds(problem, int(cv), groups, seed)
    else:
        splits, notes = _foreign_splits(problem, _seeded(cv, seed), groups), []
    if len(splits) < 2:
        raise InvalidInputError(f"`cv` must give at least 2 splits. Got {len(splits)} instead.")
    for number, split in enumerate(splits):
        _check_split(number, split, problem, groups)
    return splits, notes


def _seeded(cv: Any, seed: int) -> Any:
    """Give a splitter that draws, and has no seed, one of ours."""
    if getattr(cv, "random_state", 0) is not None:
        return cv
    cv = copy.copy(cv)
    cv.random_state = derived_seed(seed, "splitter") % 2**32
    return cv


def _foreign_splits(problem: Problem, cv: Any, groups: Any) -> list[Split]:
    """Split as a splitter of the user's does, into positions or masks."""
    positions = np.arange(len(problem.y))
    try:
        pairs = check_cv(cv, problem.y, classifier=True).split(problem.X, problem.y, groups)
        return [Split(*(positions[np.asarray(part)] for part in pair)) for pair in pairs]
    except (TypeError, ValueError, IndexError) as error:
        raise InvalidInputError(
            f"`cv` must be a number of folds, a splitter, or (train, test) pairs that fit the "
            f"samples. Got {cv!r} instead: {error}"
        ) from error


def _folds(problem: Problem, n_asked: int, groups: Any, seed: int) -> tuple[list[Split], list[str]]:
    """Draw stratified folds, of groups if there are any: as many as the rarest class allows."""
    if n_asked < 2:
        raise InvalidInputError(f"`cv` must be an int >= 2, or a splitter. Got {n_asked} instead.")
    y, notes = problem.y, []
    least, unit, counts = 3, "samples", problem.counts  # a GAN learns from two and more
    if groups is not None:
        least, unit = 2, "groups"
        counts = np.array([len(np.unique(groups[y == label])) for label in problem.classes])
    most = int(counts.min())
    if most < least:
        label = problem.classes.tolist()[counts.argmin()]
        raise InvalidInputError(
            f"Class {label!r} has {most} {unit}; at least {least} are needed, to learn from and to "
            "test with: collect more, or leave the class out."
        )
    n_folds = min(n_asked, most)
    if n_folds < n_asked:
        notes.append(f"{n_folds} folds, not {n_asked}: a class has no more than {most} {unit}")
    is_small = len(y) < FEW_SAMPLES or int(problem.counts.min()) < FEW_OF_A_CLASS
    n_repeats = math.ceil(SPLITS_OF_FEW / n_folds) if is_small else 1
    splits = _repeated(problem, n_folds, n_repeats, groups, seed)
    if len(splits) > n_folds:
        notes.append(f"few samples: {n_folds} folds, drawn {n_repeats} times")
    return splits, notes


def _repeated(
    problem: Problem, n_folds: int, n_repeats: int, groups: Any, seed: int
) -> list[Split]:
    """Draw folds again and again; no test part twice, which would tell nothing new."""
    y, splits = problem.y, []
    seen: set[bytes] = set()
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    for repeat in range(n_repeats):
        drawn = derived_seed(seed, "folds", repeat) % 2**32
        folds = kind(n_folds, shuffle=True, random_state=drawn).split(y, y, groups)
        for train, test in folds:
            is_usable = repeat == 0 or len(np.unique(y[test])) == len(problem.classes)
            if is_usable and test.tobytes() not in seen:
                seen.add(test.tobytes())
                splits.append(Split(train, test))
    return splits


def _check_split(number: int, split: Split, problem: Problem, groups: Any) -> None:
    if len(np.intersect1d(split.train, split.test)):
        raise InvalidInputError(
            "`cv` must keep training and test samples apart. Got samples that are both in split "
            f"{number} instead."
        )
    if groups is not None:
        shared = np.intersect1d(groups[split.train], groups[split.test]).tolist()
        if shared:
            raise InvalidInputError(
                f"`cv` must keep samples of a group on one side of a split. Got group "
                f"{shared[0]!r} on both sides of split {number} instead: pass a number of folds, "
                "or a splitter for groups such as StratifiedGroupKFold."
            )
    for part, least, labels in (
        ("training", 2, problem.y[split.train]),
        ("test", 1, problem.y[split.test]),
    ):
        for label in problem.classes.tolist():
            n = np.count_nonzero(labels == label)
            if n < least:
                raise InvalidInputError(
                    f"`cv` (with `groups`, if any) must leave {least} or more {part} samples of "
                    f"every class in every split. Got {n} of class {label!r} in split {number} "
                    "instead: pass fewer folds, or leave the class out."
                )
