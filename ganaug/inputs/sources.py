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
from ganaug.inputs.datasets import (
    MapDataset,
    check_map_dataset,
    find_keys,
    is_dataset,
    read_item,
    single_label,
    split_item,
    without_transforms,
)
from ganaug.inputs.formats import DataFormat, plain_names
from ganaug.inputs.pixels import (
    RESIZE_HINT,
    Array,
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
    """Find out what X is; the parameters are as for :func:`ganaug.inputs.read_training_set`."""
    refuse_unsupported(X)
    shape = None if image_shape is None else tuple(map(int, image_shape))
    size = None if resize is None else (int(resize[0]), int(resize[1]))
    X = as_list(X)
    if isinstance(X, list | tuple) and len(X) and is_image(X[0]):
        source = _open_items(len(X), X.__getitem__, "X[{}]", shape, size)
        return dataclasses.replace(source, format=dataclasses.replace(source.format, as_list=True))
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
    check_map_dataset(dataset)
    if len(dataset) == 0:
        raise InvalidInputError("X must hold images. Got a Dataset of length 0 instead.")
    raw = without_transforms(dataset)
    labels: list[object] = [None] * len(raw)
    name, keys = "item {} of the Dataset", (image_key, label_key)

    def read(i: int) -> object:
        nonlocal keys  # found with the first item
        what = name.format(i)
        item = read_item(raw, i, what)
        keys = find_keys(raw, item, *keys, what)
        image, label = split_item(item, *keys, what)
        labels[i] = single_label(label, what)
        return image

    source = _open_items(len(raw), read, name, image_shape, resize)
    format_ = dataclasses.replace(source.format, image_key=keys[0], label_key=keys[1])
    names = names_in_dataset(dataset, keys[1])
    return dataclasses.replace(source, format=format_, labels=labels, class_names=names)


def _open_array(images: Array | torch.Tensor, resize: tuple[int, int] | None) -> Source:
    if len(images) == 0:
        raise InvalidInputError(f"X must hold images. Got shape {tuple(images.shape)} instead.")
    first = images[0]
    format_ = _format_of_images(first, pixels_of(first, "X"), "X", resize)

    def chunks() -> Iterator[Array]:
        for part in slices_of(len(images), first.nbytes):
            yield resized(to_chw(to_numpy(images[part]), format_.layout), resize)

    whole = None
    if format_.dtype == "uint8" and resize is None and str(images.device) == "cpu":
        view = to_chw(to_numpy(images), format_.layout)
        if view.flags.c_contiguous and view.flags.writeable:
            whole = view  # a large set is not copied
    return Source(format_, len(images), chunks, whole=whole)


def _format_of_images(
    image: object, pixels: Array, name: str, resize: tuple[int, int] | None
) -> DataFormat:
    is_pil, is_tensor = isinstance(image, Image.Image), isinstance(image, torch.Tensor)
    layout = layout_of(pixels.shape, "CHW" if is_tensor else "HWC", name)
    return DataFormat(
        kind="image",
        container="pil" if is_pil else "torch" if is_tensor else "numpy",
        dtype=dtype_name(image if isinstance(image, torch.Tensor) else pixels),
        layout=layout,
        image_shape=chw_shape(pixels.shape, layout, resize),
        as_list=is_pil,
        pil_mode=pil_mode_of(image),
        resize=resize,
    )


def _open_rows(X: Samples, image_shape: tuple[int, ...] | None) -> Source:
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


def _open_items(
    n: int,
    read: Callable[[int], object],
    name: str,
    image_shape: tuple[int, ...] | None,
    resize: tuple[int, int] | None,
) -> Source:
    """Open images that come one at a time; `name` has a place for the number of one."""
    first = read(0)
    pixels = pixels_of(first, name.format(0))
    _check_agreement(pixels.shape, image_shape)
    format_ = _format_of_images(first, pixels, name.format(0), resize)
    chw, wanted = format_.image_shape, _kind_of_image(first, pixels)
    assert chw is not None

    def one(i: int) -> Array:
        image = read(i)
        pixels = pixels_of(image, name.format(i))
        found = _kind_of_image(image, pixels)
        if found != wanted:
            raise InvalidInputError(
                "All images must be of one kind. (PIL mode, dtype, dimensions) of the first are "
                f"{wanted}, of {name.format(i)} {found}: convert them to one."
            )
        planes: Array = resized(to_chw(pixels[None], format_.layout), resize)[0]
        if planes.shape != chw:
            raise InvalidInputError(
                f"All images must have one size. The first is (C, H, W) = {chw}, "
                f"{name.format(i)} is {planes.shape}. {RESIZE_HINT}"
            )
        return planes

    def chunks() -> Iterator[Array]:
        for part in slices_of(n, math.prod(chw) * pixels.itemsize):
            yield np.stack([one(i) for i in range(part.start, part.stop)])

    return Source(format_, n, chunks)


def _kind_of_image(image: object, pixels: Array) -> tuple[str | None, str, int]:
    return pil_mode_of(image), str(pixels.dtype), pixels.ndim


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
        dtype_name(X)  # refuses what NumPy lacks
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
    if isinstance(first, Image.Image):
        return f": pass the images themselves, list({place})."
    if is_image(first):
        return f": pass the images themselves, np.stack({place})."
    if isinstance(first, np.ndarray | list | tuple):
        return f": pass np.stack({place}), with `image_shape` if these are images."
    opened = how_to_open(first)
    if isinstance(first, str):
        return f": encode or drop it. If it holds paths of images{opened}."
    return f"{opened or ': encode or drop it'}."
