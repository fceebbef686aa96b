"""Samples in whatever holds them: telling containers apart, taking some, putting others in.

Nothing here looks at what the samples show, or knows of a fit but the :class:`DataFormat` it saw.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.formats import DataFormat
from ganaug.inputs.pixels import count_non_finite, raise_if_non_finite

__all__ = [
    "Samples",
    "concatenate_pandas",
    "concatenate_samples",
    "extendable_samples",
    "is_pandas",
    "refuse_dataset",
    "refuse_non_finite",
    "replace_samples",
    "take_samples",
]

# What users hand in as X or y: an array, tensor, list, data frame or Series. Not a union of those,
# because pandas, which need not be installed, is untyped.
Samples: TypeAlias = Any

Positions = npt.NDArray[np.int64]

_IN_WORDS = {"numpy": "an array", "torch": "a tensor", "pandas": "a data frame"}


def is_pandas(data: object) -> bool:
    """Tell whether this is a pandas Series or DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.Series | pandas.DataFrame)


def refuse_dataset(X: Samples) -> None:
    """Raise for a Dataset, where samples have to be in memory.

    Raises
    ------
    InvalidTypeError
        Says what to call instead.
    """
    if isinstance(X, Dataset):
        raise InvalidTypeError(
            "X must be samples in memory, such as an array. Got a Dataset instead, which is not "
            "rewritten: use `fit` and `wrap`."
        )


def refuse_non_finite(X: Samples) -> None:
    """Raise for NaN and infinite values, without a converted copy of X.

    Parameters
    ----------
    X : array, tensor, data frame or list
        Lists are not looked into: their images are checked when they are encoded.

    Raises
    ------
    InvalidInputError
        Says how many there are.
    """
    counts = np.zeros(2, dtype=np.int64)
    if isinstance(X, torch.Tensor):
        if X.is_floating_point():
            counts += [int(X.isnan().sum()), int(X.isinf().sum())]
    elif is_pandas(X) or isinstance(X, np.ndarray):
        counts += count_non_finite(np.asarray(X))
    raise_if_non_finite(counts)


def extendable_samples(X: Samples, fitted: DataFormat) -> Samples:
    """Give samples to which others of the fitted format can be added.

    Parameters
    ----------
    X : array, tensor, data frame or list
    fitted : DataFormat
        What the data given to ``fit`` came in.

    Returns
    -------
    array, tensor, data frame or list
        X itself; a list of feature rows as an array.

    Raises
    ------
    InvalidTypeError
        For a Dataset, and for another container than in ``fit``.
    """
    refuse_dataset(X)
    is_list = isinstance(X, list | tuple)
    if is_list and not fitted.as_list:
        return np.asarray(X)
    came = "pandas" if is_pandas(X) else "torch" if isinstance(X, torch.Tensor) else "numpy"
    if is_list or (came in ("numpy", fitted.container) and not fitted.as_list):
        return X
    held = "a list" if fitted.as_list else _IN_WORDS[fitted.container]
    raise InvalidTypeError(
        f"X must be {held}, as in fit. Got a {type(X).__name__} instead: convert it."
    )


def take_samples(X: Samples, positions: Positions) -> Samples:
    """Select samples of an array, tensor, data frame or list.

    Parameters
    ----------
    X : array, tensor, data frame or list
    positions : ndarray of int64, shape (m,)
        Any order, also with repetitions.

    Returns
    -------
    samples
        In X's container; a data frame's rows keep their names.

    Examples
    --------
    >>> take_samples(["a", "b", "c"], np.array([2, 0, 2]))
    ['c', 'a', 'c']
    """
    if is_pandas(X):
        return X.iloc[positions]
    if isinstance(X, list | tuple):
        return [X[position] for position in positions]
    return X[positions] if isinstance(X, torch.Tensor) else np.asarray(X)[positions]


def replace_samples(X: Samples, positions: Positions, X_new: Samples) -> Samples:
    """Return a copy of X with some samples replaced.

    Parameters
    ----------
    X : array, tensor, data frame or list
    positions : ndarray of int64, shape (m,)
    X_new : samples, length m
        In X's container.

    Returns
    -------
    samples
        In X's container and dtype.

    Examples
    --------
    >>> replace_samples(["a", "b", "c"], np.array([2, 0]), ["z", "x"])
    ['x', 'b', 'z']
    """
    if isinstance(X, list | tuple):
        replaced = dict(zip(positions.tolist(), X_new, strict=True))
        return [replaced.get(i, sample) for i, sample in enumerate(X)]
    if is_pandas(X):
        out = X.copy()
        for column in range(X.shape[1]):  # as one array, the new ones would have one dtype
            out.iloc[positions, column] = X_new.iloc[:, column].array
        return out
    if isinstance(X, torch.Tensor):
        tensor = X.clone()
        tensor[positions] = X_new.to(X)
        return tensor
    array = np.array(X)
    array[positions] = X_new
    return array


def concatenate_samples(X: Samples, X_new: Samples) -> Samples:
    """Put samples behind others.

    Parameters
    ----------
    X : array, tensor, data frame or list
    X_new : samples
        In X's container.

    Returns
    -------
    samples
        In X's container and dtype.

    Raises
    ------
    InvalidInputError
        When the new ones have another shape.
    """
    if is_pandas(X):
        return concatenate_pandas(X, X_new)
    X, X_new = (part if isinstance(part, torch.Tensor) else np.asarray(part) for part in (X, X_new))
    if X.shape[1:] != X_new.shape[1:]:
        raise InvalidInputError(
            f"New samples of shape {tuple(X_new.shape[1:])} cannot follow X of shape "
            f"{tuple(X.shape)}: resize X itself before fit, instead of passing `resize`."
        )
    if isinstance(X, torch.Tensor):
        return torch.cat([X, X_new.to(X)])
    return np.concatenate([X, X_new.astype(X.dtype, copy=False)])


def concatenate_pandas(real: Samples, new: Samples) -> Samples:
    """Put new rows after real ones; index, dtypes and column names of the real ones are kept.

    An integer index is continued from its largest value. After any other index the new rows are
    called ``"synthetic_0"``, ``"synthetic_1"``, ...
    """
    import pandas as pd

    if pd.api.types.is_integer_dtype(real.index.dtype):
        start = int(real.index.max()) + 1 if len(real) else 0
        index: object = range(start, start + len(new))
    else:
        index = [f"synthetic_{i}" for i in range(len(new))]
    if real.ndim == 2:
        new = new.set_axis(real.columns, axis=1).astype(real.dtypes.to_dict())
    else:
        new = new.astype(real.dtype)
    joined = pd.concat([real, new.set_axis(index)])
    return joined if real.ndim == 2 else joined.rename(real.name)
