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
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from ganaug.checks import did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.containers import Samples, is_pandas, is_stream
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
    """Raise unless this has items that can be read in any order.

    Raises InvalidTypeError: says what came, and what to do with it.
    """
    advice = ""
    if isinstance(dataset, DataLoader):
        advice = ": pass its dataset"
    elif isinstance(dataset, Mapping):
        advice = f" of {list(dataset)}: pass one of its parts, such as the training split"
    elif isinstance(dataset, np.ndarray | Tensor) or is_pandas(dataset):
        advice = ": use `augment`, or pass a TensorDataset of images and labels"
    elif is_stream(dataset):
        advice = (
            ", a stream without length and order: mix synthetic samples into its batches by "
            "ganaug.integrations.torchvision.SyntheticMix"
        )
    elif _has_length(dataset) and not isinstance(dataset, str | bytes | set | frozenset):
        return
    elif isinstance(dataset, Dataset):
        advice = " without __len__: give it one"
    raise InvalidTypeError(
        "`dataset` must be a map-style Dataset, with __getitem__ and __len__. Got a "
        f"{type(dataset).__name__}{advice} instead."
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
    item: object, features: object, image_key: str | None, label_key: str | None, name: str
) -> tuple[str | None, str | None]:
    """Find the keys under which dicts hold image and label, where none are given.

    `features`: of a Hugging Face dataset: its ``Image`` and its ``ClassLabel`` are looked for
    first. `image_key`, `label_key`: as given; None is to be found. `name`: what to call the item in
    messages. Returns: image_key, label_key (str or None): None for items that are no dicts. Raises
    InvalidInputError when none, or several, could be meant.
    """
    if not isinstance(item, Mapping):
        return image_key, label_key
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
    """Give the one label of an item, also from an array, tensor or list of a single value.

    Raises InvalidInputError for several values; says what to do with a one-hot vector.
    """
    try:
        shape = (2,) if isinstance(label, Mapping) else np.shape(label)
    except ValueError:  # lists of different lengths
        shape = (len(label),)
    size = math.prod(shape)
    if shape == ():
        return label
    if size == 1 and isinstance(label, np.ndarray | Tensor):
        return label.reshape(())
    if size == 1 and isinstance(label, list | tuple):
        return single_label(label[0], name)
    advice = "multi-label, one-hot, mask and box targets are not supported."
    if len(shape) == 1 and _is_one_hot_vector(label):
        advice = "return np.argmax(label), since it is one-hot. (Not multi-label.)"
    raise InvalidInputError(
        f"Every item must have one number or string as its label. {name} has "
        f"a {type(label).__name__} instead, one of shape {shape}: {advice}"
    )


def _is_one_hot_vector(label: Any) -> bool:
    if isinstance(label, Mapping):
        return False
    values = np.asarray(label, dtype=object if isinstance(label, list | tuple) else None)
    if values.dtype.kind == "O":
        return list(label).count(0) == len(label) - 1 and 1 in list(label)
    return values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all() and values.sum() == 1)


def read_item(dataset: MapDataset, i: int, name: str) -> Any:
    """Read an item of a Dataset; where that fails, say which it was.

    Raises InvalidInputError, from whatever the Dataset raised.
    """
    try:
        return dataset[i]
    except Exception as error:
        raise InvalidInputError(
            f"Every item must be readable. {name} is not: {type(error).__name__}: {error}"
        ) from error


def split_item(
    item: Any, image_key: str | None, label_key: str | None, name: str
) -> tuple[Any, Any]:
    """Give image and label of a Dataset's item, a pair or a dict.

    `image_key`, `label_key`: of a dict. `name`: what to call the item in messages. Raises
    InvalidInputError for a dict without the keys. Raises InvalidTypeError for anything but a pair
    or a dict.
    """
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


class DatasetItems:
    """Images of a map-style Dataset; their labels are noted in passing."""

    def __init__(
        self, dataset: MapDataset, image_key: str | None = None, label_key: str | None = None
    ) -> None:
        check_map_dataset(dataset)
        self.dataset = dataset
        self.image_key, self.label_key = image_key, label_key  # found with the first item
        self.labels: list[object] = [None] * len(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, i: int) -> object:
        """Read the image of one item."""
        item = read_item(self.dataset, i, self.name(i))
        if self.image_key is None or self.label_key is None:
            features = getattr(self.dataset, "features", None)
            keys = find_keys(item, features, self.image_key, self.label_key, self.name(i))
            self.image_key, self.label_key = keys
        image, label = split_item(item, self.image_key, self.label_key, self.name(i))
        self.labels[i] = single_label(label, self.name(i))
        return image

    def name(self, i: int) -> str:
        """Say which item this is."""
        return f"item {i} of the Dataset"
