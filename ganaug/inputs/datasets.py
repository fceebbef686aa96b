"""Datasets of others: their raw items, taken apart into image and label."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from ganaug.checks import did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.containers import Samples, advice_on, is_pandas
from ganaug.inputs.pixels import is_image

LABEL_KEYS = ("label", "labels", "target", "targets", "class", "y")

# With __getitem__ and __len__: torch's Dataset promises no length, and Hugging Face's is none
MapDataset: TypeAlias = Any


def is_dataset(X: Samples) -> bool:
    """Tell whether X is map-style: a torch Dataset, like one (Hugging Face), or a list of items."""
    if isinstance(X, Dataset):
        return True
    if isinstance(X, list | tuple):
        return len(X) > 0 and is_item(X[0])
    looks_so = hasattr(X, "__getitem__") and hasattr(X, "__len__")
    return looks_so and not hasattr(X, "__array__") and not is_pandas(X)


def is_item(thing: object) -> bool:
    """Tell whether this is an (image, label) pair or a dict that holds an image."""
    if isinstance(thing, Mapping):
        return any(map(is_image, thing.values()))
    return isinstance(thing, tuple | list) and len(thing) == 2 and is_image(thing[0])


def check_map_dataset(dataset: MapDataset) -> None:
    """Raise, with advice, unless this has items that can be read in any order."""
    advice = advice_on(dataset)
    if isinstance(dataset, np.ndarray | Tensor) or is_pandas(dataset):
        advice = ": use `augment`, or pass a TensorDataset of images and labels"
    elif not advice and _has_length(dataset) and not isinstance(dataset, str | bytes):
        return
    elif not advice and isinstance(dataset, Dataset):
        advice = ", without __len__: give it one"
    raise InvalidTypeError(
        "`dataset` must be a map-style Dataset, with __getitem__ and __len__. Got a "
        f"{type(dataset).__name__} instead{advice}."
    )


def _has_length(dataset: MapDataset) -> bool:
    try:
        return len(dataset) >= 0 and hasattr(dataset, "__getitem__")
    except (TypeError, NotImplementedError, IndexError):  # the last of an empty TensorDataset
        return False


def without_transforms(dataset: MapDataset) -> MapDataset:
    """Give a Dataset that returns raw images and labels, where that is possible.

    Returns: for a torchvision ``VisionDataset``, a ``Subset`` of one, or a ``ConcatDataset`` of
    several with the same transforms, a shallow copy with the transforms off; the original is not
    changed. Its `target_transform` stays where the raw labels are several values each (CelebA's
    attributes), of which it may choose one. Any other Dataset itself.
    """
    if is_plain_subset(dataset):
        inner = without_transforms(dataset.dataset)
        return dataset if inner is dataset.dataset else Subset(inner, dataset.indices)
    if type(dataset) is ConcatDataset:
        owners = [transform_owner(part) for part in dataset.datasets]
        if not all(map(_is_vision, owners)) or not _have_same_transforms(owners):
            return dataset
        return ConcatDataset([without_transforms(part) for part in dataset.datasets])
    if not _is_vision(dataset):
        return dataset
    raw = copy.copy(dataset)
    raw.transform = raw.target_transform = raw.transforms = None
    if dataset.target_transform is not None and _has_several_labels(raw):
        raw.target_transform = dataset.target_transform
    return raw


def transform_owner(dataset: MapDataset) -> MapDataset:
    """Give the dataset whose transforms the items pass: behind Subsets, the first of a sum."""
    while is_plain_subset(dataset) or type(dataset) is ConcatDataset:
        is_sum = type(dataset) is ConcatDataset
        dataset = dataset.datasets[0] if is_sum else dataset.dataset
    return dataset


def is_plain_subset(dataset: MapDataset) -> bool:
    """Tell a Subset that reads its items as torch's own does."""
    return type(dataset).__getitem__ is Subset.__getitem__


def _is_vision(dataset: MapDataset) -> bool:
    torchvision_datasets = sys.modules.get("torchvision.datasets")
    return torchvision_datasets is not None and isinstance(
        dataset, torchvision_datasets.VisionDataset
    )


def _have_same_transforms(datasets: Iterable[MapDataset]) -> bool:
    found = [(dataset.transform, dataset.target_transform) for dataset in datasets]
    return all(pair == found[0] for pair in found) and (
        found[0] != (None, None) or all(dataset.transforms is None for dataset in datasets)
    )


def _has_several_labels(raw: MapDataset) -> bool:
    if len(raw) == 0:
        return False
    image, label = raw[0][:2]
    if isinstance(image, Image.Image):
        image.load()  # which closes its file
    return np.ndim(label) > 0


def find_keys(
    dataset: MapDataset, item: object, image_key: str | None, label_key: str | None, name: str
) -> tuple[str | None, str | None]:
    """Find the keys, where none are given, under which an item that is a dict holds its parts.

    ``Image`` and ``ClassLabel`` of a Hugging Face dataset's features are looked for first. `name`:
    of the item in messages.
    """
    if not isinstance(item, Mapping) or None not in (image_key, label_key):
        return image_key, label_key
    features = getattr(dataset, "features", None)
    types = {}
    if isinstance(features, Mapping):
        types = {key: type(features[key]).__name__ for key in item if key in features}
    if image_key is None:
        images = [key for key in item if types.get(key) == "Image" or is_image(item[key])]
        image_key = _the_one(images, ("image",), "image_key", item, name)
    if label_key is None:
        others = [key for key in item if key != image_key]
        labels = [key for key in others if types.get(key) == "ClassLabel"]
        labels = labels or [key for key in others if key in LABEL_KEYS]
        labels = labels or [key for key in others if np.ndim(item[key]) == 0]
        label_key = _the_one(labels, LABEL_KEYS, "label_key", item, name)
    return image_key, label_key


def _the_one(
    found: list[str],
    preferred: tuple[str, ...],
    parameter: str,
    item: Mapping[str, object],
    name: str,
) -> str:
    for key in preferred if len(found) != 1 else found:
        if key in found:
            return key
    what = "none of them" if not found else f"each of {found}"
    advice = ""
    if parameter == "image_key" and any(isinstance(value, list) for value in item.values()):
        advice = " Images are to be arrays, not lists: dataset.with_format('numpy')."
    raise InvalidInputError(
        f"`{parameter}` must name a key of the items, since {what} could be meant. "
        f"{name} has {list(item)}.{advice}"
    )


def single_label(label: Any, name: str) -> Any:
    """Give the one label of an item, also from an array, tensor or list of a single value."""
    try:
        shape = (2,) if isinstance(label, Mapping) else np.shape(label)
    except ValueError:  # lists of different lengths
        shape = (len(label),)
    if shape == ():
        return label
    if math.prod(shape) == 1 and isinstance(label, np.ndarray | Tensor):
        return label.reshape(())
    if math.prod(shape) == 1 and isinstance(label, list | tuple):
        return single_label(label[0], name)
    advice = "multi-label, one-hot, mask and box targets are not supported."
    if len(shape) == 1 and not isinstance(label, Mapping) and _is_one_hot_vector(label):
        advice = "return np.argmax(label), since it is one-hot. (Not multi-label.)"
    raise InvalidInputError(
        f"Every item must have one number or string as its label. {name} has "
        f"a {type(label).__name__} instead, one of shape {shape}: {advice}"
    )


def _is_one_hot_vector(label: Any) -> bool:
    values = list(label)
    return values.count(0) == len(values) - 1 and values.count(1) == 1


def read_item(dataset: MapDataset, i: int, name: str) -> Any:
    """Read an item of a Dataset; where that fails, say which it was."""
    try:
        return dataset[i]
    except Exception as error:
        raise InvalidInputError(
            f"Every item must be readable. {name} is not: {type(error).__name__}: {error}"
        ) from error


def split_item(
    item: Any, image_key: str | None, label_key: str | None, name: str
) -> tuple[Any, Any]:
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
