"""What the user's data looked like, and the conversion there and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.containers import (
    Samples,
    concatenate_samples,
    refuse_kind,
    refuse_non_finite,
    refuse_unsupported,
)
from ganaug.inputs.formats import DataFormat
from ganaug.inputs.pixels import (
    Array,
    cast_rounded,
    count_non_finite,
    is_off_scale,
    raise_if_non_finite,
    to_pil,
)
from ganaug.inputs.sources import Source, open_source

T = TypeVar("T")

MAX_NUMBER = 1e37
"""Of a table: differences of two numbers are within float32, too."""

MIN_STEPS = 256
"""Of float32 within the range of a column that is not whole steps, as of images."""

_COMPARED_FIELDS = {
    "kind": "kind of data",
    "image_shape": "image shape (C, H, W)",
    "pil_mode": "PIL mode",
    "n_columns": "number of columns",
    "column_names": "column names",
}


@dataclass(frozen=True)
class DataSpec(DataFormat):
    """What the data given to ``fit`` looked like, and the way there and back.

    Made by :func:`read_training_set`. Every field is a plain value, so that a spec can be saved.

    Examples
    --------
    >>> import numpy as np
    >>> from ganaug.inputs import read_training_set
    >>> X = np.random.default_rng(0).random((40, 8, 8))
    >>> spec = read_training_set(X, [0, 1] * 20).spec
    >>> spec.image_shape, spec.dtype, spec.value_range
    ((1, 8, 8), 'float64', (0.0, 1.0))
    >>> spec.decode(np.zeros((3, 1, 8, 8), dtype=np.uint8)).shape
    (3, 8, 8)
    """

    value_range: tuple[float, float] | None = None
    """The user's values of the codes 0 and 255. None for tables."""
    levels: tuple[float, ...] | None = None
    """All values that the user's images have, rising, where these are few: what comes out has
    exactly these, and not neighbours of them by which a classifier could tell it."""

    def encode(self, X: Samples) -> Array:
        """Turn data that looks like the fitted data into what the networks see.

        `X`: in any container that ``fit`` takes. Values outside `value_range` are clipped.
        """
        return self.encode_source(self.open(X))

    def open(self, X: Samples) -> Source:
        """Open data that look like the fitted data."""
        return open_source(X, self.row_shape, self.resize, self.image_key, self.label_key)

    def empty(self, n: int) -> Array:
        """Make room for what the networks see of n samples."""
        if self.kind == "table":
            return np.empty((n, _known(self.n_columns)), dtype=np.float32)
        return np.empty((n, *_known(self.image_shape)), dtype=np.uint8)

    def check(self, X: Samples) -> None:
        """Raise unless X looks like the fitted data: all of a list, which may be mixed."""
        refuse_unsupported(X)
        if isinstance(X, list | tuple):
            self.encode(X)
            return
        if np.ndim(X) == 0:
            refuse_kind(f"a {type(X).__name__} instead")
        self.encode(X[:1])
        refuse_non_finite(X)

    def decode(self, values: Array) -> Samples:
        """Turn values of the networks into a copy in the user's container, dtype, layout, range."""
        if self.kind == "table":
            return self._wrap(cast_rounded(values, numpy_dtype(self.dtype)))
        # codes are never out of bounds: not looking makes it three times as fast as indexing
        images = cast_rounded(self.units(), numpy_dtype(self.dtype)).take(values, mode="clip")
        layout = self.row_layout or self.layout
        if layout == "HW":
            images = images[:, 0]
        elif layout == "HWC":
            images = images.transpose(0, 2, 3, 1)
        images = np.ascontiguousarray(images)
        if self.layout == "rows":
            images = images.reshape(len(images), math.prod(images.shape[1:]))
        return self._wrap(images)

    def concatenate(self, X: Samples, X_new: Samples) -> Samples:
        """Put what :meth:`decode` gave, or some of X's own, behind X, as X holds its samples."""
        if isinstance(X, list | tuple) and self.as_list:
            return [*X, *X_new]
        return concatenate_samples(X, X_new)

    def encode_source(self, source: Source, *, is_set: bool = False) -> Array:
        """Turn an opened source into what the networks see, as :meth:`encode` does.

        With `is_set`, images of another scale than that of ``fit`` are refused, which a few images,
        such as dark ones, do not show.
        """
        self._check_like(source)
        if self.kind == "table":
            return _encode_table(source)
        if source.whole is not None and tuple(_known(self.value_range)) == (0.0, 255.0):
            return source.whole
        values, start, lowest, highest = self.empty(source.n), 0, math.inf, -math.inf
        non_finite = np.zeros(2, dtype=np.int64)
        for chunk in source.chunks():
            non_finite += count_non_finite(chunk)
            lowest, highest = min(lowest, float(chunk.min())), max(highest, float(chunk.max()))
            values[start : start + len(chunk)] = self._quantise(chunk)
            start += len(chunk)
        raise_if_non_finite(non_finite)
        low, high = _known(self.value_range)
        can_be_dark = source.format.dtype in ("bool", "uint8")
        if is_set and is_off_scale((lowest, highest), (low, high), can_be_dark=can_be_dark):
            raise InvalidInputError(
                f"X must have values of the scale seen in fit, {low:g} to {high:g}. Got values "
                f"from {lowest:g} to {highest:g} instead: bring them to that scale, or fit on "
                "images as they are here."
            )
        return values

    def _check_like(self, source: Source) -> None:
        """Refuse data that differs from the fitted data in a way that changes its meaning."""
        for field, what in _COMPARED_FIELDS.items():
            fitted, came = getattr(self, field), getattr(source.format, field)
            if fitted != came and None not in (fitted, came):
                raise InvalidInputError(
                    f"X must have the {what} seen in fit, {fitted!r}. Got {came!r} instead."
                )
        dtypes = self.dtype, source.format.dtype
        fractions = [numpy_dtype(dtype).kind == "f" for dtype in dtypes]
        if self.kind == "image" and fractions[0] != fractions[1]:
            raise InvalidTypeError(
                f"X must have values like those seen in fit ({self.dtype}, from "
                f"{self.value_range}). Got {dtypes[1]} instead: convert X to the same scale."
            )

    def _quantise(self, images: Array) -> Array:
        low, high = _known(self.value_range)
        if images.dtype == np.uint8 and (low, high) == (0, 255):
            return images
        exact = images.astype(np.float64)
        np.nan_to_num(exact, copy=False, nan=low)  # the caller counts and refuses these
        exact.clip(low, high, out=exact)
        exact -= low
        exact *= 255.0 / (high - low)
        return np.rint(exact, out=exact).astype(np.uint8)

    def units(self) -> npt.NDArray[np.float64]:
        """Give the user's value of each of the 256 codes of an image's pixel."""
        units = np.linspace(*_known(self.value_range), 256)
        if self.levels is not None:
            levels = np.asarray(self.levels)
            codes = self._quantise(levels)
            if len(np.unique(codes)) == len(codes):  # else some have no code of their own
                units[codes] = levels
        return units

    def _wrap(self, values: Array) -> Samples:
        if self.container == "pandas":
            return self._to_frame(values)
        if self.container == "pil":
            return [to_pil(image, _known(self.pil_mode)) for image in values]
        whole: Samples = values
        if self.container == "torch":
            whole = torch.from_numpy(values).to(getattr(torch, self.dtype))
        return list(whole) if self.as_list else whole

    def _to_frame(self, rows: Array) -> Samples:
        import pandas as pd

        columns = {}
        for i, name in enumerate(_known(self.column_dtypes)):
            dtype = pd.api.types.pandas_dtype(name)
            numpy_dtype = getattr(dtype, "numpy_dtype", dtype)  # of nullable dtypes
            columns[i] = pd.Series(cast_rounded(rows[:, i], numpy_dtype)).astype(dtype)
        return pd.DataFrame(columns).set_axis(list(_known(self.column_names)), axis=1)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Give NumPy's dtype of this name; torch's bfloat16, which NumPy lacks, goes by float32."""
    return np.dtype("float32" if name == "bfloat16" else name)


def _encode_table(source: Source) -> Array:
    (rows,) = source.chunks()
    raise_if_non_finite(count_non_finite(rows))
    with np.errstate(over="ignore"):
        values = np.array(rows, dtype=np.float32, order="C")
    if values.size and not np.abs(values).max() <= MAX_NUMBER:
        raise InvalidInputError(
            f"X must hold numbers within {MAX_NUMBER:g}, for float32. Got larger ones instead: "
            "rescale the columns."
        )
    _refuse_lost_differences(rows, values, source.format.column_names)
    return values


def _refuse_lost_differences(rows: Array, values: Array, names: tuple[Any, ...] | None) -> None:
    """Refuse columns that float32 makes steps of, such as 1e8 + 0.1, 1e8 + 0.2, ..."""
    if not len(rows):
        return
    low, high = rows.min(axis=0), rows.max(axis=0)
    with np.errstate(over="ignore"):  # of integers near the limits, which differ enough
        spread = high.astype(np.float64) - low.astype(np.float64)
    steps = np.spacing(np.abs(values).max(axis=0)).astype(np.float64)
    for i in np.flatnonzero((low < high) & (spread < MIN_STEPS * steps)).tolist():
        if (values[:, i] != rows[:, i]).any():
            name = i if names is None else names[i]
            raise InvalidInputError(
                f"Column {name!r} of X must differ by more than the networks' float32 can tell, "
                f"{steps[i]:g} at numbers as large. Got {low[i]:.17g} to {high[i]:.17g} instead: "
                "subtract its smallest number."
            )


def _known(value: T | None) -> T:
    """Give a field that this kind of data always has."""
    assert value is not None
    return value
