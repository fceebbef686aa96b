"""Class labels: from the user's container to integer codes and back."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from ganaug.checks import did_you_mean, warn_user
from ganaug.exceptions import InvalidInputError, InvalidTypeError, SmallClassWarning

__all__ = ["LabelKind", "as_labels", "check_class_sizes", "encode_labels", "read_labels"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

SMALL_CLASS_ROWS = 20


@dataclass(frozen=True)
class LabelKind:
    """What the labels given to ``fit`` looked like, so that those of new rows look the same.

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

    def to_json(self) -> dict[str, Any]:
        """Give the fields as plain values that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> LabelKind:
        """Rebuild what :meth:`to_json` gave."""
        try:
            return cls(**fields)
        except TypeError as error:
            raise InvalidInputError(f"These are not the fields of a LabelKind: {error}") from None

    def restore_classes(self, labels: Sequence[Any]) -> Array:
        """Rebuild ``classes`` from its ``tolist()``, as saved in JSON."""
        return np.asarray(labels, dtype=self.class_dtype)

    def decode(self, codes: Codes, classes: Array) -> Any:
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

    def concatenate(self, y: Any, y_new: Any) -> Any:
        """Put the labels of new rows after the user's own.

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
    y: Any, *, class_names: Sequence[str] | None = None
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


def encode_labels(y: Any, classes: Array) -> Codes:
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
        When there is one row, one class, or a class with a single row.

    Warns
    -----
    SmallClassWarning
        When classes have fewer than 20 rows.
    """
    if len(codes) == 1:
        raise InvalidInputError("X must have several rows of each class. Got 1 sample instead.")
    if len(classes) < 2:
        raise InvalidInputError(
            f"y must have at least 2 classes. Got one class, {classes.tolist()[0]!r}, instead."
        )
    counts = dict(zip(classes.tolist(), np.bincount(codes).tolist(), strict=True))
    singles = [label for label, n in counts.items() if n == 1]
    if singles:
        raise InvalidInputError(
            f"Every class must have at least 2 rows (20 or more to be worth it). Got a single row "
            f"of class {_listed(singles)}: add rows or leave it out."
        )
    small = {label: n for label, n in counts.items() if n < SMALL_CLASS_ROWS}
    if small:
        listed = ", ".join(f"{label!r} ({n})" for label, n in small.items())
        warn_user(
            f"Too few rows (under {SMALL_CLASS_ROWS}) for a generator to learn a class from: "
            f"{listed}. Expect near-copies of the real rows. Collect more, or over-sample such a "
            "class by duplicates with classic augmentation instead.",
            SmallClassWarning,
        )


def is_pandas(data: Any) -> bool:
    """Tell whether this is a pandas Series or DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.Series | pandas.DataFrame)


def concatenate_pandas(real: Any, new: Any) -> Any:
    """Put new rows after real ones; index, dtypes and column names of the real ones are kept.

    An integer index is continued from its largest value. After any other index the new rows are
    called ``"synthetic_0"``, ``"synthetic_1"``, ...
    """
    import pandas as pd

    if pd.api.types.is_integer_dtype(real.index.dtype):
        start = int(real.index.max()) + 1 if len(real) else 0
        index: Any = range(start, start + len(new))
    else:
        index = [f"synthetic_{i}" for i in range(len(new))]
    if real.ndim == 2:
        new = new.set_axis(real.columns, axis=1).astype(real.dtypes.to_dict())
    else:
        new = new.astype(real.dtype)
    joined = pd.concat([real, new.set_axis(index)])
    return joined if real.ndim == 2 else joined.rename(real.name)


def as_labels(y: Any) -> Array:
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
        raise InvalidInputError(f"y must hold one label per row. {error}") from None
    if isinstance(y, list | tuple) and labels.dtype.kind == "U":
        _refuse_mixture(y)  # of which NumPy has made strings
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InvalidInputError(
            f"y must hold one label per row, shape (n,). Got shape {labels.shape} instead: "
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


def _refuse_mixture(y: Sequence[Any]) -> None:
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
            f"y must have a label for every row. Got {n_missing} missing (NaN or None) instead."
        )


def _named(labels: Array, class_names: Sequence[str]) -> Array:
    if labels.dtype.kind not in "bui" or not np.isin(labels, np.arange(len(class_names))).all():
        raise InvalidInputError(
            f"With `class_names`, y must hold integers from 0 to {len(class_names) - 1}. "
            f"Got {_listed(np.unique(labels).tolist())} instead."
        )
    return np.asarray(class_names)[labels.astype(np.int64)]


def _label_kind(y: Any, labels: Array, renamed: bool) -> LabelKind:
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


def _listed(labels: Any, most: int = 10) -> str:
    shown = [repr(label) for label in labels]
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "")
