"""Opening whatever users pass as X: as chunks of samples, with the facts about what held them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from sklearn.utils import check_array

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.class_names import names_in_dataset
from ganaug.inputs.containers import Samples, as_array, as_list, is_pandas, refuse_unsupported
from ganaug.inputs.datasets import DatasetItems, MapDataset, is_dataset, without_transforms
from ganaug.inputs.formats import DataFormat, plain_names
from ganaug.inputs.pixels import (
    RESIZE_HINT,
    Array,
    Layout,
    chw_shape,
    dtype_name,
    how_to_open,
    is_image,
    layout_of,
    pil_mode_of,
    pixels_of,
    resized,
    slices_of,
    to_chw,
    to_numpy,
)


@dataclass
class Source:
    """Data as chunks of samples, (m, C, H, W) or (m, d), in the user's values.

    `n`: how many samples. `chunks`: starts a pass over them. `labels`: of a Dataset's items; filled
    by a pass. `whole`: the user's own memory, where it is uint8 (n, C, H, W) as it lies.
    `class_names` (dict of int to str): names that a Dataset has for its integer labels.
    """

    format: DataFormat
    n: int
    chunks: Callable[[], Iterator[Array]]
    labels: list[object] | None = None
    whole: Array | None = None
    class_names: dict[int, str] = dataclasses.field(default_factory=dict)


def open_source(
    X: Samples,
    image_shape: Sequence[int] | None,
    resize: Sequence[int] | None,
    image_key: str | None = None,
    label_key: str | None = None,
) -> Source:
    """Find out what X is.

    `X`, `image_shape`, `resize`, `image_key`, `label_key`: as for
    :func:`ganaug.inputs.read_training_set`. Raises InvalidInputError, InvalidTypeError for what
    cannot be read.
    """
    refuse_unsupported(X)
    shape = None if image_shape is None else tuple(map(int, image_shape))
    size = None if resize is None else (int(resize[0]), int(resize[1]))
    X = as_list(X)
    if isinstance(X, list | tuple) and len(X) and is_image(X[0]):
        return _open_items(_ListItems(X), shape, size)
    if is_dataset(X):
        return _open_dataset(X, shape, size, image_key, label_key)
    if not isinstance(X, torch.Tensor) and not is_pandas(X):
        X = as_array(X)
    if X.ndim > 2:
        _check_agreement(tuple(X.shape[1:]), shape)
        return _open_array(X, size)
    if size is not None:
        raise InvalidInputError(
            "`resize` is for images. X is 2-D: reshape its rows to images first, or leave `resize` "
            "None."
        )
    return _open_rows(X, shape)


def _open_dataset(
    dataset: MapDataset,
    image_shape: tuple[int, ...] | None,
    resize: tuple[int, int] | None,
    image_key: str | None,
    label_key: str | None,
) -> Source:
    items = DatasetItems(without_transforms(dataset), image_key, label_key)
    source = _open_items(items, image_shape, resize)
    keys = items.image_key, items.label_key
    source.format = dataclasses.replace(source.format, image_key=keys[0], label_key=keys[1])
    source.class_names = names_in_dataset(dataset, items.label_key)
    return source


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
            column_names=plain_names(X.columns.tolist(), "Columns of X"),
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


def _check_agreement(shape: tuple[int, ...], image_shape: tuple[int, ...] | None) -> None:
    if image_shape is not None and image_shape != shape:
        raise InvalidInputError(
            f"`image_shape` must be the shape of X's images, {shape}, or None. "
            f"Got {image_shape} instead."
        )


def _checked_rows(X: Samples) -> Array:
    """Give 2-D numbers; scikit-learn says what is wrong with anything else."""
    if is_pandas(X):
        _check_columns(X)
    elif X.ndim == 1 and len(X) and (advice := how_to_open(X[0])):
        raise InvalidTypeError(f"X must hold images, not what stands for them{advice}.")
    if isinstance(X, torch.Tensor):
        dtype_name(X)
        X = to_numpy(X)
    try:
        rows = check_array(X, ensure_all_finite=False, input_name="X", estimator="ganaug")
    except TypeError as error:
        raise InvalidTypeError(str(error)) from None
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    rows = np.asarray(rows)
    dtype_name(rows)
    return rows


def _check_columns(X: Samples) -> None:
    """Refuse columns that are no numbers; say how to get images where they stand for some."""
    import pandas as pd

    frame = X.to_frame() if X.ndim == 1 else X
    for i, (name, dtype) in enumerate(frame.dtypes.items()):
        if not pd.api.types.is_numeric_dtype(dtype):
            first = frame.iloc[0, i] if len(frame) else None
            place = "X" if X.ndim == 1 else f"X[{name!r}]"
            raise InvalidTypeError(
                f"Columns of X must be numbers. Got {dtype} in column {name!r} instead"
                + _advice_for_column(first, place)
            )


def _advice_for_column(first: object, place: str) -> str:
    if is_image(first) and not isinstance(first, Image.Image):
        return f": pass the images themselves, np.stack({place})."
    if isinstance(first, Image.Image):
        return f": pass the images themselves, list({place})."
    if isinstance(first, np.ndarray | list | tuple):
        return f": pass np.stack({place}), with `image_shape` if these are images."
    opened = how_to_open(first)
    if isinstance(first, str):
        return f": encode or drop it. If it holds paths of images{opened}."
    return f"{opened or ': encode or drop it'}."
