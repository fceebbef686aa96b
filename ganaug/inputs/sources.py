"""Opening whatever users pass as X: as chunks of samples, with the facts about what held them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch
from PIL import Image
from scipy.sparse import issparse
from sklearn.utils import check_array
from torch.utils.data import DataLoader, IterableDataset

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.containers import Samples, is_pandas
from ganaug.inputs.datasets import DatasetItems, is_dataset, without_transforms
from ganaug.inputs.formats import DataFormat
from ganaug.inputs.pixels import (
    RESIZE_HINT,
    Array,
    Layout,
    chw_shape,
    dtype_name,
    is_image,
    layout_of,
    pil_mode_of,
    pixels_of,
    resized,
    slices_of,
    to_chw,
    to_numpy,
)

__all__ = ["Source", "open_source"]


@dataclass
class Source:
    """Data as chunks of samples, (m, C, H, W) or (m, d), in the user's values.

    Parameters
    ----------
    format : DataFormat
    n : int
        How many samples.
    chunks : callable
        Starts a pass over them.
    labels : list, optional
        Of a Dataset's items; filled by a pass.
    whole : ndarray, optional
        The user's own memory, where it is uint8 (n, C, H, W) as it lies.
    """

    format: DataFormat
    n: int
    chunks: Callable[[], Iterator[Array]]
    labels: list[object] | None = None
    whole: Array | None = None


def open_source(
    X: Samples,
    image_shape: Sequence[int] | None,
    resize: Sequence[int] | None,
    image_key: str,
    label_key: str,
) -> Source:
    """Find out what X is.

    Parameters
    ----------
    X, image_shape, resize, image_key, label_key
        As for :func:`ganaug.inputs.read_training_set`.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        For what cannot be read.
    """
    _refuse_unsupported(X)
    shape = None if image_shape is None else tuple(map(int, image_shape))
    size = None if resize is None else (int(resize[0]), int(resize[1]))
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = X.tolist()
    if isinstance(X, list | tuple) and len(X) and is_image(X[0]):
        return _open_items(_ListItems(X), shape, size)
    if is_dataset(X):
        source = _open_items(DatasetItems(without_transforms(X), image_key, label_key), shape, size)
        source.format = dataclasses.replace(source.format, image_key=image_key, label_key=label_key)
        return source
    if not isinstance(X, torch.Tensor) and not is_pandas(X):
        X = _as_array(X)
    if X.ndim > 2:
        _check_agreement(tuple(X.shape[1:]), shape)
        return _open_array(X, size)
    if size is not None:
        raise InvalidInputError(
            "`resize` is for images. X is 2-D: reshape its rows to images first, or leave `resize` "
            "None."
        )
    return _open_rows(X, shape)


def _open_array(images: Array | torch.Tensor, resize: tuple[int, int] | None) -> Source:
    """Open images in one array or tensor."""
    if len(images) == 0:
        raise InvalidInputError(f"X must hold images. Got shape {tuple(images.shape)} instead.")
    is_tensor = isinstance(images, torch.Tensor)
    shape = tuple(images.shape[1:])
    layout = layout_of(shape, "CHW" if is_tensor else "HWC", "X")
    format_ = DataFormat(
        kind="image",
        container="torch" if is_tensor else "numpy",
        dtype=dtype_name(images),
        layout=layout,
        image_shape=chw_shape(shape, layout, resize),
        resize=resize,
    )

    def chunks() -> Iterator[Array]:
        for part in slices_of(len(images), math.prod(shape) * images.itemsize):
            yield resized(to_chw(to_numpy(images[part]), layout), resize)

    return Source(format_, len(images), chunks, whole=_as_it_lies(images, layout, resize))


def _as_it_lies(
    images: Array | torch.Tensor, layout: Layout, resize: tuple[int, int] | None
) -> Array | None:
    """View images as (n, C, H, W) if they are uint8 in that order: a large set is not copied."""
    if resize is not None or dtype_name(images) != "uint8":
        return None
    if isinstance(images, torch.Tensor) and images.device.type != "cpu":
        return None
    view = to_chw(to_numpy(images), layout)
    return view if view.flags.c_contiguous and view.flags.writeable else None


def _open_rows(X: Samples, image_shape: tuple[int, ...] | None) -> Source:
    """Open 2-D data: flattened images, or a table."""
    rows = _checked_rows(X)
    table = _format_of_rows(X, rows)
    if image_shape is None:
        return Source(table, len(rows), lambda: iter([rows]))
    if math.prod(image_shape) != rows.shape[1]:
        raise InvalidInputError(
            f"`image_shape` must multiply to the row length. Got {tuple(image_shape)} "
            f"({math.prod(image_shape)} values) for rows of {rows.shape[1]} values instead."
        )
    images = _open_array(rows.reshape(len(rows), *image_shape), None)
    layout = images.format.layout
    assert layout != "rows"
    images.format = dataclasses.replace(
        table,
        kind="image",
        image_shape=images.format.image_shape,
        row_shape=image_shape,
        row_layout=layout,
    )
    return images


def _format_of_rows(X: Samples, rows: Array) -> DataFormat:
    table = DataFormat("table", "numpy", rows.dtype.name, "rows", n_columns=rows.shape[1])
    if isinstance(X, torch.Tensor):
        return dataclasses.replace(table, container="torch", dtype=dtype_name(X))
    if is_pandas(X):
        return dataclasses.replace(
            table,
            container="pandas",
            column_names=tuple(X.columns.tolist()),
            column_dtypes=tuple(str(dtype) for dtype in X.dtypes),
        )
    return table


class _ListItems:
    """Images in a list."""

    labels = None

    def __init__(self, images: Sequence[object]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def image(self, i: int) -> object:
        return self.images[i]

    def name(self, i: int) -> str:
        return f"X[{i}]"


def _open_items(
    items: _ListItems | DatasetItems,
    image_shape: tuple[int, ...] | None,
    resize: tuple[int, int] | None,
) -> Source:
    """Open images that come one at a time."""
    if len(items) == 0:
        raise InvalidInputError("X must hold images. Got a Dataset of length 0 instead.")
    first = items.image(0)
    pixels = pixels_of(first, items.name(0))
    _check_agreement(pixels.shape, image_shape)
    is_pil, is_tensor = isinstance(first, Image.Image), isinstance(first, torch.Tensor)
    layout = layout_of(pixels.shape, "CHW" if is_tensor else "HWC", items.name(0))
    chw = chw_shape(pixels.shape, layout, resize)
    format_ = DataFormat(
        kind="image",
        container="pil" if is_pil else "torch" if is_tensor else "numpy",
        dtype=dtype_name(first if isinstance(first, torch.Tensor) else pixels),
        layout=layout,
        image_shape=chw,
        as_list=is_pil or isinstance(items, _ListItems),
        pil_mode=pil_mode_of(first),
        resize=resize,
    )

    def one(i: int) -> Array:
        image = items.image(i)
        found = pixels_of(image, items.name(i))
        _check_like_first(image, found, first, pixels, items.name(i))
        planes: Array = resized(to_chw(found[None], layout), resize)[0]
        if planes.shape != chw:
            raise InvalidInputError(
                f"All images must have one size. The first is (C, H, W) = {chw}, "
                f"{items.name(i)} is {planes.shape}. {RESIZE_HINT}"
            )
        return planes

    def chunks() -> Iterator[Array]:
        for part in slices_of(len(items), math.prod(chw) * pixels.itemsize):
            yield np.stack([one(i) for i in range(part.start, part.stop)])

    return Source(format_, len(items), chunks, items.labels)


def _check_like_first(
    image: object, pixels: Array, first: object, expected: Array, name: str
) -> None:
    """Refuse an image of another mode, dtype or number of dimensions than the first."""
    found = (pil_mode_of(image), str(pixels.dtype), pixels.ndim)
    wanted = (pil_mode_of(first), str(expected.dtype), expected.ndim)
    if found != wanted:
        raise InvalidInputError(
            "All images must be of one kind. (PIL mode, dtype, dimensions) of the first are "
            f"{wanted}, of {name} {found}: convert them to one."
        )


def _refuse_unsupported(X: Samples) -> None:
    """Say what to pass instead of things that are nearly right."""
    advice = None
    if issparse(X):
        advice = "a sparse matrix instead: pass X.toarray()"
    elif isinstance(X, Mapping):
        advice = f"a dict of {list(X)} instead: pass one of its parts, such as the training split"
    elif isinstance(X, IterableDataset):
        advice = "an IterableDataset instead: pass a map-style one, with __getitem__ and __len__"
    elif isinstance(X, DataLoader):
        advice = "a DataLoader instead: pass its dataset"
    elif isinstance(X, Image.Image):
        advice = "a single image instead: pass a list of images"
    elif X is None or isinstance(X, str | bytes):
        advice = f"{X!r} instead"
    if advice:
        _refuse(advice)


def _refuse(what_came: str) -> NoReturn:
    raise InvalidTypeError(
        "X must be an array, a tensor, a list of images, a data frame or a Dataset. "
        f"Got {what_came}."
    )


def _check_agreement(shape: tuple[int, ...], image_shape: tuple[int, ...] | None) -> None:
    if image_shape is not None and image_shape != shape:
        raise InvalidInputError(
            f"`image_shape` must be the shape of X's images, {shape}, or None. "
            f"Got {image_shape} instead."
        )


def _as_array(X: Samples) -> Array:
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise InvalidInputError(f"X must have samples of one length. {error}") from None
    if array.ndim == 0:
        _refuse(f"a {type(X).__name__} instead")
    return array


def _checked_rows(X: Samples) -> Array:
    """Give 2-D numbers; scikit-learn says what is wrong with anything else."""
    if is_pandas(X) and X.ndim == 2:
        _check_columns(X)
    if isinstance(X, torch.Tensor):
        X = to_numpy(X)
    try:
        rows = check_array(X, ensure_all_finite=False, input_name="X", estimator="ganaug")
    except TypeError as error:
        raise InvalidTypeError(str(error)) from None
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    return np.asarray(rows)


def _check_columns(frame: Samples) -> None:
    import pandas as pd

    for name, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise InvalidTypeError(
                f"Columns of X must be numbers. Got {dtype} in column {name!r} instead: encode or "
                "drop it."
            )
