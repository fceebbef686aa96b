"""Opening whatever users pass as X: as chunks of rows, with the facts about what held them."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from PIL import Image
from scipy.sparse import issparse
from sklearn.utils import check_array
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from ganaug.checks import did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.labels import is_pandas
from ganaug.inputs.pixels import (
    RESIZE_HINT,
    Array,
    chw_shape,
    dtype_name,
    is_image,
    layout_of,
    pil_mode_of,
    pixels_of,
    resized,
    row_slices,
    to_chw,
    to_numpy,
)


@dataclass
class Source:
    """Data as chunks of rows, (m, C, H, W) or (m, d), in the user's values."""

    facts: dict[str, Any]  # fields of the DataSpec; of images, all but the value range
    n: int
    chunks: Callable[[], Iterator[Array]]
    labels: list[Any] | None = None  # of a Dataset's items, filled by a pass over the chunks
    whole: Array | None = None  # the user's own memory, where it is uint8 (n, C, H, W) as it lies


def open_source(
    X: Any,
    image_shape: tuple[int, ...] | None,
    resize: tuple[int, int] | None,
    image_key: str,
    label_key: str,
) -> Source:
    """Find out what X is."""
    _refuse_unsupported(X)
    image_shape, resize = _tuple_of_ints(image_shape), _tuple_of_ints(resize)
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = X.tolist()
    if isinstance(X, list | tuple) and len(X) and is_image(X[0]):
        return _open_items(_ListItems(X), image_shape, resize)
    if _is_dataset(X):
        items = _DatasetItems(without_transforms(X), image_key, label_key)
        return _open_items(items, image_shape, resize)
    if not isinstance(X, torch.Tensor) and not is_pandas(X):
        X = _as_array(X)
    if X.ndim > 2:
        _check_agreement(tuple(X.shape[1:]), image_shape)
        return _open_array(X, resize)
    if resize is not None:
        raise InvalidInputError(
            "`resize` is for images. X is 2-D: reshape its rows to images first, or leave `resize` "
            "None."
        )
    return _open_rows(X, image_shape)


def without_transforms(dataset: Any) -> Any:
    """Give a Dataset that returns raw images and labels, where that is possible.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    Dataset
        For a torchvision ``VisionDataset``, or a ``Subset`` of one, a shallow copy with the
        transforms off; the original is not changed. Its `target_transform` stays where the raw
        labels are several values each (CelebA's attributes), of which it may choose one. Any other
        Dataset itself.
    """
    if type(dataset).__getitem__ is Subset.__getitem__:
        inner = without_transforms(dataset.dataset)
        return dataset if inner is dataset.dataset else Subset(inner, dataset.indices)
    torchvision_datasets = sys.modules.get("torchvision.datasets")
    if torchvision_datasets is None or not isinstance(dataset, torchvision_datasets.VisionDataset):
        return dataset
    raw = copy.copy(dataset)
    raw.transform = raw.target_transform = raw.transforms = None
    if dataset.target_transform is not None and _has_several_labels(raw):
        raw.target_transform = dataset.target_transform
    return raw


def _has_several_labels(raw: Any) -> bool:
    if len(raw) == 0:
        return False
    image, label = raw[0][:2]
    if isinstance(image, Image.Image):
        image.load()  # which closes its file
    return np.ndim(label) > 0


def _open_array(images: Any, resize: tuple[int, int] | None) -> Source:
    """Open images in one array or tensor."""
    if len(images) == 0:
        raise InvalidInputError(f"X must hold images. Got shape {tuple(images.shape)} instead.")
    is_tensor = isinstance(images, torch.Tensor)
    shape = tuple(images.shape[1:])
    layout = layout_of(shape, "CHW" if is_tensor else "HWC", "X")
    facts = {
        "kind": "image",
        "container": "torch" if is_tensor else "numpy",
        "dtype": dtype_name(images),
        "layout": layout,
        "image_shape": chw_shape(shape, layout, resize),
        "resize": resize,
    }

    def chunks() -> Iterator[Array]:
        for rows in row_slices(len(images), math.prod(shape) * images.itemsize):
            yield resized(to_chw(to_numpy(images[rows]), layout), resize)

    return Source(facts, len(images), chunks, whole=_as_it_lies(images, layout, resize))


def _as_it_lies(images: Any, layout: Any, resize: tuple[int, int] | None) -> Array | None:
    """View images as (n, C, H, W) if they are uint8 in that order: a large set is not copied."""
    if resize is not None or dtype_name(images) != "uint8":
        return None
    if isinstance(images, torch.Tensor) and images.device.type != "cpu":
        return None
    view = to_chw(to_numpy(images), layout)
    return view if view.flags.c_contiguous and view.flags.writeable else None


def _open_rows(X: Any, image_shape: tuple[int, ...] | None) -> Source:
    """Open 2-D data: flattened images, or a table."""
    rows = _checked_rows(X)
    facts: dict[str, Any] = {"container": "numpy", "dtype": rows.dtype.name}
    if isinstance(X, torch.Tensor):
        facts.update(container="torch", dtype=dtype_name(X))
    elif is_pandas(X):
        facts.update(
            container="pandas",
            column_names=tuple(X.columns.tolist()),
            column_dtypes=tuple(str(dtype) for dtype in X.dtypes),
        )
    facts.update(layout="rows", n_columns=rows.shape[1])
    if image_shape is None:
        return Source({"kind": "table", **facts}, len(rows), lambda: iter([rows]))
    if math.prod(image_shape) != rows.shape[1]:
        raise InvalidInputError(
            f"`image_shape` must multiply to the row length. Got {tuple(image_shape)} "
            f"({math.prod(image_shape)} values) for rows of {rows.shape[1]} values instead."
        )
    images = _open_array(rows.reshape(len(rows), *image_shape), None)
    facts.update(row_shape=image_shape, row_layout=images.facts["layout"])
    images.facts.update(facts)
    return images


class _ListItems:
    """Images in a list."""

    def __init__(self, images: Sequence[Any]) -> None:
        self.images = images
        self.labels: list[Any] | None = None
        self.facts: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.images)

    def image(self, i: int) -> Any:
        return self.images[i]

    def name(self, i: int) -> str:
        return f"X[{i}]"


def split_item(item: Any, image_key: str, label_key: str, name: str) -> tuple[Any, Any]:
    """Give image and label of a Dataset's item, a pair or a dict."""
    if isinstance(item, Mapping):
        for key, parameter in ((image_key, "image_key"), (label_key, "label_key")):
            if key not in item:
                raise InvalidInputError(
                    f"`{parameter}` must name a key of the items. Got {key!r}, but {name} has "
                    f"{list(item)}.{did_you_mean(key, item)}"
                )
        return item[image_key], item[label_key]
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1]
    size = f" of length {len(item)}" if isinstance(item, tuple | list) else ""
    raise InvalidTypeError(
        f"Items must be (image, label) or dicts. Got a {type(item).__name__}{size} as {name} "
        "instead."
    )


class _DatasetItems:
    """Images of a map-style Dataset; their labels are noted in passing."""

    def __init__(self, dataset: Any, image_key: str, label_key: str) -> None:
        self.dataset = dataset
        self.image_key = image_key
        self.label_key = label_key
        self.labels: list[Any] = [None] * len(dataset)
        self.facts = {"image_key": image_key, "label_key": label_key}

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, i: int) -> Any:
        image, label = split_item(self.dataset[i], self.image_key, self.label_key, self.name(i))
        if np.ndim(label) > 0 or isinstance(label, Mapping):
            raise InvalidInputError(
                f"Every item must have one number or string as its label. {self.name(i)} has a "
                f"{type(label).__name__} instead: multi-label, one-hot, mask and box targets are "
                "not supported."
            )
        self.labels[i] = label
        return image

    def name(self, i: int) -> str:
        return f"item {i} of the Dataset"


def _open_items(
    items: _ListItems | _DatasetItems,
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
    facts = {
        "kind": "image",
        "container": "pil" if is_pil else "torch" if is_tensor else "numpy",
        "dtype": dtype_name(first if is_tensor else pixels),
        "layout": layout,
        "image_shape": chw,
        "as_list": is_pil or isinstance(items, _ListItems),
        "pil_mode": pil_mode_of(first),
        "resize": resize,
        **items.facts,
    }

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
        for rows in row_slices(len(items), math.prod(chw) * pixels.itemsize):
            yield np.stack([one(i) for i in range(rows.start, rows.stop)])

    return Source(facts, len(items), chunks, items.labels)


def _check_like_first(image: Any, pixels: Array, first: Any, expected: Array, name: str) -> None:
    """Refuse an image of another mode, dtype or number of dimensions than the first."""
    found = (pil_mode_of(image), str(pixels.dtype), pixels.ndim)
    wanted = (pil_mode_of(first), str(expected.dtype), expected.ndim)
    if found != wanted:
        raise InvalidInputError(
            "All images must be of one kind. (PIL mode, dtype, dimensions) of the first are "
            f"{wanted}, of {name} {found}: convert them to one."
        )


def _refuse_unsupported(X: Any) -> None:
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
    if image_shape is not None and tuple(image_shape) != shape:
        raise InvalidInputError(
            f"`image_shape` must be the shape of X's images, {shape}, or None. "
            f"Got {tuple(image_shape)} instead."
        )


def _tuple_of_ints(sizes: Any) -> Any:
    return None if sizes is None else tuple(int(size) for size in sizes)


def _is_dataset(X: Any) -> bool:
    """Tell whether X is map-style: a torch Dataset, or like one (Hugging Face)."""
    if isinstance(X, Dataset):
        return True
    looks_so = hasattr(X, "__getitem__") and hasattr(X, "__len__")
    return looks_so and not isinstance(X, list | tuple) and not hasattr(X, "__array__")


def _as_array(X: Any) -> Array:
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise InvalidInputError(f"X must have rows of one length. {error}") from None
    if array.ndim == 0:
        _refuse(f"a {type(X).__name__} instead")
    return array


def _checked_rows(X: Any) -> Array:
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


def _check_columns(frame: Any) -> None:
    import pandas as pd

    for name, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise InvalidTypeError(
                f"Columns of X must be numbers. Got {dtype} in column {name!r} instead: encode or "
                "drop it."
            )
