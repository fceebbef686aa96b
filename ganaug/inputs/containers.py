"""Samples in whatever holds them: telling containers apart, taking some, putting others in.

Nothing here looks at what the samples show, or knows of a fit but the :class:`DataFormat` it saw.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy.sparse import issparse
from torch.utils.data import DataLoader, Dataset, IterableDataset

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.formats import DataFormat
from ganaug.inputs.pixels import count_non_finite, is_image, pil_mode_of, raise_if_non_finite

# What users hand in as X or y: an array, tensor, list, data frame or Series. Not a union of those,
# because pandas, which need not be installed, is untyped.
Samples: TypeAlias = Any

Positions = npt.NDArray[np.int64]

# Kernels that torch lacks for these are there for the signed integers of the same bytes
_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}

_IN_WORDS = {"numpy": "an array", "torch": "a tensor", "pandas": "a data frame"}


def is_pandas(data: object) -> bool:
    """Tell whether this is a pandas Series or DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.Series | pandas.DataFrame)


def as_list(X: Samples) -> Samples:
    """Give an array of objects, such as PIL images, as a list; all else as it is."""
    is_objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    return X.tolist() if is_objects else X


def refuse_unsupported(X: Samples) -> None:
    """Raise for things that are nearly right, and say what to pass instead of them."""
    advice = None
    if issparse(X):
        advice = "a sparse matrix instead: pass X.toarray()"
    elif isinstance(X, np.ma.MaskedArray):
        advice = "a masked array instead: fill the hidden values first, X.filled(0)"
    elif isinstance(X, torch.Tensor) and (X.layout != torch.strided or X.is_meta):
        advice = "a sparse tensor, or one without values, instead: pass X.to_dense()"
    elif isinstance(X, Image.Image):
        advice = "a single image instead: pass a list of images"
    elif X is None or isinstance(X, str | bytes | type):
        advice = f"{X!r} instead"
    elif what_to_pass := advice_on(X):
        advice = f"a {type(X).__name__} instead{what_to_pass}"
    if advice:
        refuse_kind(advice)
    if is_pandas(X) and X.ndim == 2:
        _refuse_unclear_names(X.columns)


def _refuse_unclear_names(columns: Samples) -> None:
    """Refuse names of columns that scikit-learn, or a look-up by name, does not take."""
    if not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise InvalidInputError(f"Columns of X must have distinct names. Got {twice!r} twice.")
    if len({isinstance(name, str) for name in columns}) > 1:
        raise InvalidTypeError(
            "Columns of X must be named by strings, or none of them. Got both: "
            "X.columns = X.columns.astype(str)."
        )


def refuse_kind(what_came: str) -> NoReturn:
    """Raise for an X of another kind than any that can be read."""
    raise InvalidTypeError(
        "X must be an array, a tensor, a list of images, a data frame or a Dataset. "
        f"Got {what_came}."
    )


def advice_on(X: object) -> str:
    """Say what to pass in place of a collection without positions; empty for all else."""
    if isinstance(X, Mapping):
        return f", of {list(X)}: pass one of its parts, such as the training split"
    if isinstance(X, DataLoader):
        return ": pass its dataset"
    has_length = hasattr(X, "__len__") or hasattr(X, "__array__")
    if isinstance(X, IterableDataset) or (hasattr(X, "__iter__") and not has_length):
        return (
            ", a stream without length and order, of which nothing can be counted: learn a part of "
            "it, list(itertools.islice(stream, 5000)), and mix into its batches by "
            "ganaug.integrations.torchvision.SyntheticMix"
        )
    return ""


def as_array(X: Samples) -> npt.NDArray[Any]:
    """Give nested lists, or an object that NumPy can read, as an array of one dimension or more."""
    try:
        array = np.asarray(X)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InvalidInputError(f"X must have samples of one length. {error}") from None
    if array.ndim == 0:
        refuse_kind(f"a {type(X).__name__} instead")
    return array


def refuse_two_looks(X: Samples, resize: tuple[int, int] | None) -> None:
    """Raise for images to which synthetic ones cannot be added, being of another mode or size.

    `resize`: the size that `fit` brings, or has brought, images to.
    """
    refuse_unsupported(X)
    if not isinstance(X, list | tuple):
        images = X[:1] if getattr(X, "ndim", 2) > 2 else []
    else:
        images = [image for image in X if is_image(image)]
    for i, image in enumerate(images):
        is_pil, read_as = isinstance(image, Image.Image), pil_mode_of(image)
        if is_pil and image.mode != read_as:
            raise InvalidInputError(
                f"X must hold images to which synthetic ones can be added. Those have mode "
                f"{read_as}, X[{i}] has {image.mode}: convert X itself before, "
                f"image.convert({read_as!r})."
            )
        size = image.size[::-1] if is_pil else tuple(image.shape)
        if resize is not None and tuple(resize) not in (size[:2], size[-2:]):
            raise InvalidInputError(
                f"X must hold images to which synthetic ones can be added. Those have the height "
                f"and width {tuple(resize)} of `resize`, X[{i}] has shape {size}: resize X itself "
                "before, instead of passing `resize`."
            )


def refuse_dataset(X: Samples) -> None:
    """Raise for a Dataset, where samples have to be in memory."""
    if isinstance(X, Dataset):
        raise InvalidTypeError(
            "X must be samples in memory, such as an array. Got a Dataset instead, which is not "
            "rewritten: use `fit` and `wrap`."
        )


def refuse_non_finite(X: Samples) -> None:
    """Raise for NaN and infinite values, without a converted copy of X."""
    if isinstance(X, torch.Tensor):
        raise_if_non_finite([int(X.isnan().sum()), int(X.isinf().sum())])
    else:
        raise_if_non_finite(count_non_finite(np.asarray(X)))


def extendable_samples(X: Samples, fitted: DataFormat) -> Samples:
    """Give samples to which others of the fitted format can be added: X, or X as an array."""
    X = as_list(X)
    refuse_dataset(X)
    refuse_unsupported(X)
    is_list = isinstance(X, list | tuple)
    is_known = is_pandas(X) or isinstance(X, torch.Tensor | np.ndarray)
    if (is_list and not fitted.as_list) or not (is_list or is_known):
        return as_array(X)
    came = "pandas" if is_pandas(X) else "torch" if isinstance(X, torch.Tensor) else "numpy"
    if is_list or (came in ("numpy", fitted.container) and not fitted.as_list):
        return X
    held = "a list" if fitted.as_list else _IN_WORDS[fitted.container]
    raise InvalidTypeError(
        f"X must be {held}, as in fit. Got a {type(X).__name__} instead: convert it."
    )


def take_samples(X: Samples, positions: Positions) -> Samples:
    """Select samples, in any order and also repeatedly, of an array, tensor, data frame or list.

    Examples
    --------
    >>> take_samples(["a", "b", "c"], np.array([2, 0, 2]))
    ['c', 'a', 'c']
    """
    if is_pandas(X):
        return X.iloc[positions]
    if isinstance(X, list | tuple):
        return [X[position] for position in positions]
    if isinstance(X, torch.Tensor):
        return _signed(X)[positions].view(X.dtype)
    return np.asarray(X)[positions]


def replace_samples(X: Samples, positions: Positions, X_new: Samples) -> Samples:
    """Return a copy of X, of its container and dtype, with some samples replaced.

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
        _signed(tensor)[positions] = _signed(X_new.to(X))
        return tensor
    array = np.array(X)
    array[positions] = X_new
    return array


def concatenate_samples(X: Samples, X_new: Samples) -> Samples:
    """Put samples behind others, in their container and dtype."""
    if is_pandas(X):
        return concatenate_pandas(X, X_new)
    X = X if isinstance(X, torch.Tensor) else np.asarray(X)
    if isinstance(X, np.ndarray):  # also after a fit on tensors or frames
        X_new = np.asarray(X_new)
    if X.shape[1:] != X_new.shape[1:]:
        raise InvalidInputError(
            f"New samples of shape {tuple(X_new.shape[1:])} cannot follow X of shape "
            f"{tuple(X.shape)}: bring X to the size and axes that fit saw, or resize X itself "
            "before fit, instead of passing `resize`."
        )
    if isinstance(X, torch.Tensor):
        return torch.cat([X, torch.as_tensor(X_new).to(X)])
    return np.concatenate([X, X_new.astype(X.dtype, copy=False)])


def concatenate_pandas(real: Samples, new: Samples) -> Samples:
    """Put new rows after real ones; index, dtypes and column names of the real ones are kept."""
    import pandas as pd

    if real.ndim == 2:
        new = new.set_axis(real.columns, axis=1).astype(real.dtypes.to_dict())
    else:
        new = new.astype(real.dtype)
    joined = pd.concat([real, new.set_axis(_further_names(real.index, len(new)))])
    joined.index.names = real.index.names
    return joined if real.ndim == 2 else joined.rename(real.name)


def _further_names(index: Samples, n: int) -> Samples:
    """Name n rows more: the next integers, or ``"added_0"`` and so on, also in a second call."""
    import pandas as pd

    if pd.api.types.is_integer_dtype(index.dtype):
        start = int(index.max()) + 1 if len(index) else 0
        return range(start, start + n)
    taken = [re.fullmatch(r"added_(\d+)", str(name)) for name in index.get_level_values(0)]
    start = 1 + max((int(match[1]) for match in taken if match), default=-1)
    names = [f"added_{i}" for i in range(start, start + n)]
    if index.nlevels == 1:
        return pd.Index(names, dtype=object)
    return pd.MultiIndex.from_tuples([(name, *[""] * (index.nlevels - 1)) for name in names])


def _signed(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(_SIGNED[tensor.dtype]) if tensor.dtype in _SIGNED else tensor
