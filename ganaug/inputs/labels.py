"""Class labels: from the user's container to integer codes and back."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from ganaug.checks import did_you_mean, warn_user
from ganaug.exceptions import InvalidInputError, InvalidTypeError, SmallClassWarning
from ganaug.inputs.containers import (
    Samples,
    concatenate_pandas,
    concatenate_samples,
    is_pandas,
)
from ganaug.inputs.formats import PlainName, plain_names
from ganaug.inputs.pixels import Array, to_numpy
from ganaug.jsonable import plain_scalar

Codes = npt.NDArray[np.int64]

SMALL_CLASS_SIZE = 20
LONGEST_NAME = 1000


@dataclass(frozen=True)
class LabelKind:
    """What the labels given to ``fit`` looked like, so that those of new samples look the same.

    Examples
    --------
    >>> codes, classes, kind = read_labels(["boot", "bag", "bag"])
    >>> kind.decode(codes, classes)
    ['boot', 'bag', 'bag']
    """

    container: Literal["numpy", "torch", "list", "pandas"]
    """What held the labels."""
    dtype: str
    """Their dtype in the container's own words, such as ``"<i8"``, ``"int64"`` or
    ``"category"``."""
    class_dtype: str
    """NumPy's string for the dtype of ``classes``."""
    name: PlainName = None
    """Name of a pandas Series."""
    categories: tuple[PlainName, ...] | None = None
    """All categories of a categorical Series, in their order."""
    category_dtype: str | None = None
    """Their dtype."""
    ordered: bool = False
    """Whether their order means something."""
    class_names: tuple[str, ...] | None = None
    """Names that a Dataset has for the integer labels in ``classes``."""

    def restore_classes(self, labels: Sequence[object]) -> Array:
        """Rebuild ``classes`` from its ``tolist()``, as saved in JSON."""
        return np.asarray(labels, dtype=self.class_dtype)

    def decode(self, codes: Codes, classes: Array) -> Samples:
        """Turn class codes into labels in the user's container and dtype."""
        labels = classes[codes]
        if self.container == "list":
            return labels.tolist()
        if self.container == "torch":
            return torch.from_numpy(labels).to(getattr(torch, self.dtype))
        if self.container == "numpy":
            return labels
        import pandas as pd

        dtype: object = self.dtype
        if self.categories is not None:
            # of one level, whatever the categories are: tuples would make a MultiIndex
            categories = pd.Index(self.categories, dtype=self.category_dtype, tupleize_cols=False)
            dtype = pd.CategoricalDtype(categories, ordered=self.ordered)
        return pd.Series(labels, name=self.name).astype(dtype)

    def concatenate(self, y: Samples, y_new: Samples) -> Samples:
        """Put the labels that :meth:`decode` gave after the user's own, in their container.

        Numbers keep the dtype of the user's own; NumPy's strings become wide enough for both.
        """
        if is_pandas(y):
            return concatenate_pandas(y.iloc[:, 0] if y.ndim == 2 else y, y_new)
        if isinstance(y, torch.Tensor):
            return torch.cat([y.reshape(-1), y_new.to(y)])
        if isinstance(y, list | tuple):
            return [*y, *(_like(y[0], label) for label in y_new)] if len(y) else [*y_new]
        y = np.ravel(y)
        return np.concatenate([y, y_new.astype(y.dtype) if y.dtype.kind in "biuf" else y_new])


def read_labels(y: Samples) -> tuple[Codes, Array, LabelKind]:
    """Read class labels of any kind: as codes, the sorted distinct labels, and what held them."""
    labels = as_labels(y)
    classes, codes = np.unique(labels, return_inverse=True)
    return codes.astype(np.int64), classes, _label_kind(y, labels)


def encode_labels(y: Samples, classes: Array) -> Codes:
    """Turn labels into the codes of known classes, of which not every one need occur.

    Examples
    --------
    >>> encode_labels(["boot", "bag"], np.array(["bag", "boot", "shirt"]))
    array([1, 0])
    """
    code_of = {label: code for code, label in enumerate(classes.tolist())}
    labels = as_labels(y).tolist()
    unknown = [label for label in dict.fromkeys(labels) if label not in code_of]
    if unknown:
        raise InvalidInputError(
            f"y must hold classes seen in fit ({listed(code_of)}). "
            f"Got {listed(unknown)} as well.{did_you_mean(unknown[0], code_of)}"
        )
    return np.array([code_of[label] for label in labels], dtype=np.int64)


def check_class_sizes(codes: Codes, names: Sequence[object]) -> None:
    """Refuse classes that cannot be learnt; `names` are theirs, or their labels."""
    if len(codes) == 0:
        raise InvalidInputError("y must hold labels. Got none, 0 samples, instead.")
    if len(codes) == 1:
        raise InvalidInputError("X must have several samples of each class. Got 1 sample instead.")
    if len(names) < 2:
        raise InvalidInputError(
            f"y must have at least 2 classes. Got one class, {names[0]!r}, instead."
        )
    counts = dict(zip(names, np.bincount(codes).tolist(), strict=True))
    singles = [label for label, n in counts.items() if n == 1]
    if singles:
        raise InvalidInputError(
            f"Every class must have at least 2 samples (20 or more to be worth it). Got a single "
            f"sample of class {listed(singles)}: add some or leave the class out."
        )


def warn_of_small_classes(codes: Codes, names: Sequence[object]) -> None:
    """Warn of classes with fewer than 20 samples, where a generator is to learn them."""
    counts = dict(zip(names, np.bincount(codes).tolist(), strict=True))
    small = {label: n for label, n in counts.items() if n < SMALL_CLASS_SIZE}
    if small:
        shown = ", ".join(f"{label!r} ({n})" for label, n in small.items())
        warn_user(
            f"Too few samples (under {SMALL_CLASS_SIZE}) for a generator to learn a class from: "
            f"{shown}. Expect near-copies of the real ones. Collect more, or over-sample such a "
            "class by duplicates with classic augmentation instead.",
            SmallClassWarning,
        )


# --- as an array ---


def as_labels(y: Samples) -> Array:
    """Give labels of any container, shape (n,) or (n, 1), as a 1-D array of numbers or strings."""
    labels = _array_of(y)
    if labels.ndim == 0:
        raise InvalidTypeError(
            f"y must be a list, an array or a Series of labels. Got a {type(y).__name__} instead."
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InvalidInputError(
            f"y must hold one label per sample, shape (n,). Got shape {labels.shape} instead: "
            + _advice_for_shape(y, labels)
        )
    if labels.dtype.kind == "O":
        _refuse_missing(sum(map(_is_missing, labels.tolist())))
        _check_one_type(labels.tolist())
        labels = np.array([_plain(label) for label in labels], dtype=object)
    elif isinstance(y, list | tuple):
        _check_one_type(y)
    if labels.dtype.kind == "f":
        _check_whole(labels)
    if labels.dtype.kind not in "biufUO":
        raise InvalidTypeError(
            f"y must hold numbers or strings. Got {labels.dtype} instead: pass y.astype(str)."
        )
    if labels.dtype.kind in "UO":
        _check_names(set(labels.tolist()))
    return labels


def _array_of(y: Samples) -> Array:
    if is_pandas(y):
        _refuse_missing(int(np.sum(y.isna().to_numpy())))
    elif y is None:
        raise InvalidInputError("y must hold one label per sample. Got None instead.")
    if isinstance(y, np.ma.MaskedArray):
        raise InvalidTypeError(
            "y must have a label for every sample. Got a masked array instead: leave the masked "
            "samples out, or fill them, y.filled()."
        )
    if isinstance(y, list | tuple):  # str() of an Enum's member is no label of it
        y = [label.value if isinstance(label, enum.Enum) else label for label in y]
        _check_names(label for label in y if isinstance(label, str))
    try:
        return to_numpy(y) if isinstance(y, torch.Tensor) else np.asarray(y)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InvalidInputError(f"y must hold one label per sample. {error}") from None


def _like(first: Samples, label: object) -> object:
    """Give a label as what a list holds: a tensor, an array, a member of an Enum, a number, ..."""
    if isinstance(first, torch.Tensor):
        return torch.full_like(first, label, requires_grad=False)  # type: ignore[arg-type]
    if isinstance(first, np.ndarray):
        return np.full(first.shape, label, None if first.dtype.kind == "U" else first.dtype)
    if isinstance(first, list | tuple):
        return type(first)([_like(first[0], label)])
    return type(first)(label)


def _advice_for_shape(y: Samples, labels: Array) -> str:
    if is_one_hot(labels):
        values = "y.to_numpy()" if is_pandas(y) else "np.asarray(y)"
        values = "y" if hasattr(y, "argmax") and not is_pandas(y) else values
        return f"pass {values}.argmax(axis=1), since it is one-hot and not multi-label."
    return "multi-label and one-hot targets are not supported."


def one_hot_codes(y: Samples) -> Codes | None:
    """Give the position of the 1 in each row of one-hot labels; None for labels of other kinds."""
    labels = _array_of(y)
    return labels.argmax(axis=1).astype(np.int64) if is_one_hot(labels) else None


def one_hot_like(y: Samples, codes: Codes) -> Samples:
    """Put the one-hot rows of further codes behind those of y, in y's container and dtype."""
    new: Samples = np.eye(_array_of(y).shape[1])[codes]
    if isinstance(y, list | tuple):
        kind = type(y[0][0])
        return [*y, *([kind(value) for value in row] for row in new)]
    if is_pandas(y):
        import pandas as pd

        new = pd.DataFrame(new)
    return concatenate_samples(y, new)


def is_one_hot(labels: Array) -> bool:
    """Tell whether every row of (n, n_classes) has a single 1, and 0 elsewhere."""
    is_table = labels.ndim == 2 and len(labels) > 0 and labels.shape[1] > 1
    if not is_table or labels.dtype.kind not in "biuf":
        return False
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all())


def _check_one_type(labels: Iterable[object]) -> None:
    """Refuse strings among numbers and booleans among others, of which NumPy makes one type."""
    found = {type(plain_scalar(label)) for label in labels}
    kinds = {str if issubclass(t, str) else bool if issubclass(t, bool) else t for t in found}
    kinds = {float if t in (int, float) else t for t in kinds if t is not type(None)}
    if len(kinds) > 1 and kinds <= {str, bool, float}:
        names = sorted({t.__name__ for t in found}, key=lambda name: (name != "str", name))
        raise InvalidTypeError(
            f"y must hold labels of one type. Got a mixture of {' and '.join(names)} instead."
        )


def _plain(label: object) -> str | int | float:
    """Give a label from an object array as Python's number or string, which JSON can hold."""
    label = plain_scalar(label)
    if isinstance(label, str | int | float):
        return label
    raise InvalidTypeError(f"y must hold numbers or strings. Got a {type(label).__name__} instead.")


def _check_whole(labels: Array) -> None:
    _refuse_missing(int(np.count_nonzero(np.isnan(labels))))
    if not np.isfinite(labels).all() or not np.array_equal(labels, np.rint(labels)):
        raise InvalidInputError(
            "y must hold class labels. Got fractional or infinite numbers instead "
            "(Unknown label type: continuous)."
        )


def _check_names(labels: Iterable[object]) -> None:
    """Refuse names that NumPy, JSON or a file system would alter."""
    for label in labels:
        if not isinstance(label, str):
            continue
        if len(label) > LONGEST_NAME:
            raise InvalidInputError(
                f"y must have names of at most {LONGEST_NAME} characters. Got one of {len(label)}, "
                f"{label[:20]!r}..., instead."
            )
        if "\0" in label or any("\ud800" <= character <= "\udfff" for character in label):
            raise InvalidInputError(
                f"y must have names of valid text. Got {label!r} instead: rename the class."
            )


def _is_missing(label: object) -> bool:
    if label is None or hasattr(label, "__len__"):
        return label is None
    return repr(label) == "<NA>" or bool(label != label)  # pandas' NA is no truth value


def _refuse_missing(n_missing: int) -> None:
    if n_missing:
        raise InvalidInputError(
            f"y must have a label for every sample. Got {n_missing} missing (NaN or None) instead."
        )


# --- what they looked like ---


def _label_kind(y: Samples, labels: Array) -> LabelKind:
    class_dtype = labels.dtype.str
    if isinstance(y, torch.Tensor):
        return LabelKind("torch", str(y.dtype).removeprefix("torch."), class_dtype)
    if is_pandas(y):
        return _kind_of_series(y.iloc[:, 0] if y.ndim == 2 else y, class_dtype)
    container: Literal["list", "numpy"] = "list" if isinstance(y, list | tuple) else "numpy"
    return LabelKind(container, class_dtype, class_dtype)


def _kind_of_series(series: Samples, class_dtype: str) -> LabelKind:
    (name,) = plain_names([series.name], "A Series of labels")
    kind = LabelKind("pandas", _dtype_in_words(series.dtype), class_dtype, name)
    if not hasattr(series, "cat"):
        return kind
    categories = series.cat.categories
    return dataclasses.replace(
        kind,
        dtype="category",
        categories=plain_names(categories.tolist(), "Categories of y"),
        category_dtype=_dtype_in_words(categories.dtype),
        ordered=bool(series.cat.ordered),
    )


def _dtype_in_words(dtype: Samples) -> str:
    """Give a text that pandas makes the same dtype of: str() forgets where strings are stored."""
    import pandas as pd

    if isinstance(dtype, pd.StringDtype) and dtype.na_value is pd.NA:
        return f"string[{dtype.storage}]"
    if isinstance(dtype, pd.ArrowDtype) and hasattr(dtype.pyarrow_dtype, "value_type"):
        return str(pd.ArrowDtype(dtype.pyarrow_dtype.value_type))  # a dictionary's has no text
    return str(dtype)


def listed(labels: Iterable[object], most: int = 10) -> str:
    """Show labels in a message, the first few of many."""
    shown = [repr(label) for label in labels]
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "")
