"""Class labels: from the user's container to integer codes and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from ganaug.checks import did_you_mean, warn_user
from ganaug.exceptions import InvalidInputError, InvalidTypeError, SmallClassWarning
from ganaug.inputs.containers import Samples, concatenate_pandas, is_pandas
from ganaug.inputs.pixels import Array

__all__ = ["LabelKind", "as_labels", "check_class_sizes", "encode_labels", "read_labels"]

Codes = npt.NDArray[np.int64]

SMALL_CLASS_SIZE = 20


@dataclass(frozen=True)
class LabelKind:
    """What the labels given to ``fit`` looked like, so that those of new samples look the same.

    Parameters
    ----------
    container : {"numpy", "torch", "list", "pandas"}
        What held the labels.
    dtype : str
        Their dtype in the container's own words, such as ``"<i8"``, ``"int64"`` or ``"category"``.
    class_dtype : str
        NumPy's string for the dtype of ``classes``.
    name : str or None
        Name of a pandas Series.

    Examples
    --------
    >>> codes, classes, kind = read_labels(["boot", "bag", "bag"])
    >>> kind.decode(codes, classes)
    ['boot', 'bag', 'bag']
    """

    container: Literal["numpy", "torch", "list", "pandas"]
    dtype: str
    class_dtype: str
    name: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Give the fields as plain values that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> LabelKind:
        """Rebuild what :meth:`to_json` gave."""
        try:
            return cls(**fields)  # type: ignore[arg-type]  # the store has checked them
        except TypeError as error:
            raise InvalidInputError(f"These are not the fields of a LabelKind: {error}") from None

    def restore_classes(self, labels: Sequence[object]) -> Array:
        """Rebuild ``classes`` from its ``tolist()``, as saved in JSON."""
        return np.asarray(labels, dtype=self.class_dtype)

    def decode(self, codes: Codes, classes: Array) -> Samples:
        """Turn class codes into labels in the user's container and dtype.

        Parameters
        ----------
        codes : ndarray of int64, shape (n,)
        classes : ndarray, shape (n_classes,)

        Returns
        -------
        ndarray, Tensor (on the CPU), list or Series
        """
        labels = classes[codes]
        if self.container == "list":
            return labels.tolist()
        if self.container == "torch":
            return torch.from_numpy(labels).to(getattr(torch, self.dtype))
        if self.container == "pandas":
            import pandas as pd

            if self.dtype == "category":
                labels = pd.Categorical.from_codes(codes, categories=classes)
            return pd.Series(labels, name=self.name).astype(self.dtype)
        return labels

    def concatenate(self, y: Samples, y_new: Samples) -> Samples:
        """Put the labels of new samples after the user's own.

        Parameters
        ----------
        y : labels
            The user's labels, in the container given to ``fit``.
        y_new : labels
            What :meth:`decode` gave.

        Returns
        -------
        labels
            In y's container and dtype (wide enough for the longest of both, for NumPy strings). A
            Series' index is continued, as :meth:`ganaug.inputs.DataSpec.concatenate` does.
        """
        if is_pandas(y):
            return concatenate_pandas(y.iloc[:, 0] if y.ndim == 2 else y, y_new)
        if isinstance(y, torch.Tensor):
            return torch.cat([y.reshape(-1), y_new.to(y)])
        if isinstance(y, list | tuple):
            return [*y, *y_new]
        return np.concatenate([np.ravel(y), y_new])


def read_labels(
    y: Samples, *, class_names: Sequence[str] | None = None
) -> tuple[Codes, Array, LabelKind]:
    """Read class labels of any kind.

    Parameters
    ----------
    y : array-like, Tensor or Series, shape (n,) or (n, 1)
        Integers, strings, booleans or whole-numbered floats.
    class_names : sequence of str, optional
        Names of the integer labels 0, 1, ...: labels are read as these names.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        Positions in `classes`.
    classes : ndarray, shape (n_classes,)
        The sorted distinct labels, in the user's dtype.
    kind : LabelKind

    Raises
    ------
    InvalidInputError
        When labels are missing, fractional, multi-label, or outside `class_names`.
    InvalidTypeError
        When labels cannot be sorted, such as strings mixed with numbers.
    """
    labels = as_labels(y)
    if class_names is not None:
        labels = _named(labels, class_names)
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels})
        raise InvalidTypeError(
            f"y must hold labels of one type. Got a mixture of {', '.join(kinds)} instead."
        ) from None
    return codes.astype(np.int64), classes, _label_kind(y, labels, class_names is not None)


def encode_labels(y: Samples, classes: Array) -> Codes:
    """Turn labels into the codes of known classes.

    Parameters
    ----------
    y : array-like, Tensor or Series, shape (n,) or (n, 1)
    classes : ndarray, shape (n_classes,)
        Sorted, as :func:`read_labels` gives them. Not every class need occur in y.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    InvalidInputError
        Names the labels that are not among the classes, and suggests the intended ones.

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
            f"y must hold classes seen in fit ({_listed(code_of)}). "
            f"Got {_listed(unknown)} as well.{did_you_mean(unknown[0], code_of)}"
        )
    return np.array([code_of[label] for label in labels], dtype=np.int64)


def check_class_sizes(codes: Codes, classes: Array) -> None:
    """Refuse classes that cannot be learnt, and warn of those that hardly can.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
    classes : ndarray, shape (n_classes,)

    Raises
    ------
    InvalidInputError
        When there is one sample, one class, or a class with a single sample.

    Warns
    -----
    SmallClassWarning
        When classes have fewer than 20 samples.
    """
    if len(codes) == 1:
        raise InvalidInputError("X must have several samples of each class. Got 1 sample instead.")
    if len(classes) < 2:
        raise InvalidInputError(
            f"y must have at least 2 classes. Got one class, {classes.tolist()[0]!r}, instead."
        )
    counts = dict(zip(classes.tolist(), np.bincount(codes).tolist(), strict=True))
    singles = [label for label, n in counts.items() if n == 1]
    if singles:
        raise InvalidInputError(
            f"Every class must have at least 2 samples (20 or more to be worth it). Got a single "
            f"sample of class {_listed(singles)}: add some or leave the class out."
        )
    small = {label: n for label, n in counts.items() if n < SMALL_CLASS_SIZE}
    if small:
        listed = ", ".join(f"{label!r} ({n})" for label, n in small.items())
        warn_user(
            f"Too few samples (under {SMALL_CLASS_SIZE}) for a generator to learn a class from: "
            f"{listed}. Expect near-copies of the real ones. Collect more, or over-sample such a "
            "class by duplicates with classic augmentation instead.",
            SmallClassWarning,
        )


def as_labels(y: Samples) -> Array:
    """Give labels of any container as a 1-D NumPy array, without missing values.

    Parameters
    ----------
    y : array-like, Tensor or Series, shape (n,) or (n, 1)

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    InvalidInputError
        When labels are missing, fractional or multi-label.
    InvalidTypeError
        When labels are neither numbers nor strings, or a mixture of both.
    """
    if is_pandas(y):
        _refuse_missing(int(np.sum(y.isna().to_numpy())))
    try:
        labels = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    except ValueError as error:
        raise InvalidInputError(f"y must hold one label per sample. {error}") from None
    if isinstance(y, list | tuple) and labels.dtype.kind == "U":
        _refuse_mixture(y)  # of which NumPy has made strings
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InvalidInputError(
            f"y must hold one label per sample, shape (n,). Got shape {labels.shape} instead: "
            "multi-label and one-hot targets are not supported."
        )
    if labels.dtype.kind == "O":
        _refuse_missing(sum(label is None or label != label for label in labels))
        labels = _plain_labels(labels)
    if labels.dtype.kind == "f":
        _refuse_missing(int(np.count_nonzero(np.isnan(labels))))
        if not np.array_equal(labels, np.rint(labels)):
            raise InvalidInputError(
                "y must hold class labels. Got fractional numbers instead "
                "(Unknown label type: continuous)."
            )
    if labels.dtype.kind not in "biufUO":
        raise InvalidTypeError(f"y must hold numbers or strings. Got {labels.dtype} instead.")
    return labels


def _refuse_mixture(y: Sequence[object]) -> None:
    kinds = sorted({type(label).__name__ for label in y if not isinstance(label, str)})
    if kinds:
        raise InvalidTypeError(
            f"y must hold labels of one type. Got a mixture of str and {', '.join(kinds)} instead."
        )


def _plain_labels(labels: Array) -> Array:
    """Give labels in an object array as Python's numbers and strings, which JSON can hold."""
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    other = [label for label in plain if not isinstance(label, str | int | float)]
    if other:
        raise InvalidTypeError(
            f"y must hold numbers or strings. Got a {type(other[0]).__name__} instead."
        )
    return np.array(plain, dtype=object)


def _refuse_missing(n_missing: int) -> None:
    if n_missing:
        raise InvalidInputError(
            f"y must have a label for every sample. Got {n_missing} missing (NaN or None) instead."
        )


def _named(labels: Array, class_names: Sequence[str]) -> Array:
    if labels.dtype.kind not in "bui" or not np.isin(labels, np.arange(len(class_names))).all():
        raise InvalidInputError(
            f"With `class_names`, y must hold integers from 0 to {len(class_names) - 1}. "
            f"Got {_listed(np.unique(labels).tolist())} instead."
        )
    return np.asarray(class_names)[labels.astype(np.int64)]


def _label_kind(y: Samples, labels: Array, renamed: bool) -> LabelKind:
    class_dtype = labels.dtype.str
    if renamed or isinstance(y, np.ndarray):
        return LabelKind("numpy", class_dtype, class_dtype)
    if isinstance(y, torch.Tensor):
        return LabelKind("torch", str(y.dtype).removeprefix("torch."), class_dtype)
    if is_pandas(y):
        series = y.iloc[:, 0] if y.ndim == 2 else y
        name = None if series.name is None else str(series.name)
        return LabelKind("pandas", str(series.dtype), class_dtype, name)
    container: Literal["list", "numpy"] = "list" if isinstance(y, list | tuple) else "numpy"
    return LabelKind(container, class_dtype, class_dtype)


def _listed(labels: Iterable[object], most: int = 10) -> str:
    shown = [repr(label) for label in labels]
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "")
