"""What the user's data looked like, and the conversion there and back."""

from __future__ import annotations

import dataclasses
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
    refuse_two_looks,
    refuse_unsupported,
)
from ganaug.inputs.formats import DataFormat
from ganaug.inputs.pixels import (
    Array,
    cast_rounded,
    count_non_finite,
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
    The fields besides `value_range` are those of :class:`DataFormat`.

    Parameters
    ----------
    value_range : tuple (low, high) or None
        The user's values of the codes 0 and 255. None for tables.
    levels : tuple of float, optional
        All values that the user's images have, rising, where these are few: what comes out has
        exactly these, and not neighbours of them by which a classifier could tell it.

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
    levels: tuple[float, ...] | None = None

    @classmethod
    def of(
        cls,
        format: DataFormat,  # noqa: A002
        value_range: tuple[float, float] | None,
        levels: tuple[float, ...] | None = None,
    ) -> DataSpec:
        """Complete a format by the range of its values."""
        return cls(**vars(format), value_range=value_range, levels=levels)

    def to_json(self) -> dict[str, object]:
        """Give the fields as plain values that JSON can hold."""
        return dataclasses.asdict(self)

    def encode(self, X: Samples) -> Array:
        """Turn data that looks like the fitted data into what the networks see.

        Parameters
        ----------
        X : data
            In any container that ``fit`` takes, with the fitted data's image size or columns.

        Returns
        -------
        ndarray
            uint8 (n, C, H, W), values outside `value_range` clipped, or float32 (n, d) for tables.

        Raises
        ------
        InvalidInputError
            When shape, columns or PIL mode differ from those in ``fit``, or values are NaN or
            infinite.
        InvalidTypeError
            When X is of an unknown kind, or integer where ``fit`` saw fractions or the reverse.
        """
        source = open_source(X, self.row_shape, self.resize, self.image_key, self.label_key)
        return self.encode_source(source)

    def check(self, X: Samples) -> None:
        """Raise unless X looks like the fitted data: all of a list, which may be mixed.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            As :meth:`encode`.
        """
        refuse_unsupported(X)
        if isinstance(X, list | tuple):
            self.encode(X)
            return
        if np.ndim(X) == 0:
            refuse_kind(f"a {type(X).__name__} instead")
        self.encode(X[:1])
        refuse_non_finite(X)

    def decode(self, values: Array) -> Samples:
        """Turn values of the networks into the user's container, dtype, layout and range.

        Parameters
        ----------
        values : ndarray
            uint8 (n, C, H, W), or float32 (n, d) for tables.

        Returns
        -------
        data
            A fresh copy, also where no conversion was needed. Tensors are on the CPU.
        """
        if self.kind == "table":
            return self._wrap_rows(cast_rounded(values, numpy_dtype(self.dtype)))
        images = self._dequantise(values)
        layout = self.row_layout or self.layout
        if layout == "HW":
            images = images[:, 0]
        elif layout == "HWC":
            images = images.transpose(0, 2, 3, 1)
        images = np.ascontiguousarray(images)
        if self.layout == "rows":
            return self._wrap_rows(images.reshape(len(images), math.prod(images.shape[1:])))
        return self._wrap_images(images)

    def concatenate(self, X: Samples, X_new: Samples) -> Samples:
        """Put new samples after the user's own, which stay as they are.

        Parameters
        ----------
        X : data
            The user's samples, in the container given to ``fit``.
        X_new : data
            What :meth:`decode` gave, or some of X's own.

        Returns
        -------
        data
            In X's container and dtype. A data frame's integer index is continued; after any other
            index the new rows are called ``"added_0"``, ``"added_1"``, ...
        """
        if self.kind == "image":
            refuse_two_looks(X, self.resize)
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
        values = np.empty((source.n, *_known(self.image_shape)), dtype=np.uint8)
        non_finite, start = np.zeros(2, dtype=np.int64), 0
        lowest, highest, dtype = math.inf, -math.inf, np.dtype(np.uint8)
        for chunk in source.chunks():
            non_finite += count_non_finite(chunk)
            lowest, highest = min(lowest, float(chunk.min())), max(highest, float(chunk.max()))
            dtype = chunk.dtype
            values[start : start + len(chunk)] = self._quantise(chunk)
            start += len(chunk)
        raise_if_non_finite(non_finite)
        if is_set:
            self.check_scale(lowest, highest, dtype)
        return values

    def check_scale(self, lowest: float, highest: float, dtype: np.dtype[Any]) -> None:
        """Refuse images that are plainly not of the scale seen in fit, such as normalised ones.

        Parameters
        ----------
        lowest, highest : float
            Values of the images.
        dtype : dtype

        Raises
        ------
        InvalidInputError
        """
        low, high = _known(self.value_range)
        slack = (high - low) / 2  # images that fit has not seen may reach somewhat further
        is_outside = lowest < low - slack or highest > high + slack
        is_tiny = dtype.kind != "b" and dtype != np.uint8 and highest - lowest < (high - low) / 50
        if is_outside or is_tiny:
            raise InvalidInputError(
                f"X must have values of the scale seen in fit, {low:g} to {high:g}. Got values "
                f"from {lowest:g} to {highest:g} instead: bring them to that scale, or fit on "
                "images as they are here."
            )

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

    def _dequantise(self, values: Array) -> Array:
        dtype = numpy_dtype(self.dtype)
        # codes are never out of bounds: not looking makes it three times as fast as indexing
        return cast_rounded(self.units(), dtype).take(values, mode="clip")

    def units(self) -> npt.NDArray[np.float64]:
        """Give the user's value of each of the 256 codes of an image's pixel."""
        units = np.linspace(*_known(self.value_range), 256)
        if self.levels is not None:
            levels = np.asarray(self.levels)
            codes = self._quantise(levels)
            if len(np.unique(codes)) == len(codes):  # else some have no code of their own
                units[codes] = levels
        return units

    def _wrap_images(self, images: Array) -> Samples:
        if self.container == "pil":
            return [to_pil(image, _known(self.pil_mode)) for image in images]
        whole = self._to_tensor(images) if self.container == "torch" else images
        return list(whole) if self.as_list else whole

    def _wrap_rows(self, rows: Array) -> Samples:
        if self.container == "torch":
            return self._to_tensor(rows)
        return self._to_frame(rows) if self.container == "pandas" else rows

    def _to_tensor(self, values: Array) -> torch.Tensor:
        return torch.from_numpy(values).to(getattr(torch, self.dtype))

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
