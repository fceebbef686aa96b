"""Datasets of others: their raw items, taken apart into image and label."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from torch.utils.data import Dataset, Subset

from ganaug.checks import did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError

__all__ = ["DatasetItems", "MapDataset", "is_dataset", "split_item", "without_transforms"]

# With __getitem__ and __len__: torch's Dataset promises no length, and Hugging Face's is none
MapDataset: TypeAlias = Any


def is_dataset(X: object) -> bool:
    """Tell whether X is map-style: a torch Dataset, or like one (Hugging Face)."""
    if isinstance(X, Dataset):
        return True
    looks_so = hasattr(X, "__getitem__") and hasattr(X, "__len__")
    return looks_so and not isinstance(X, list | tuple) and not hasattr(X, "__array__")


def without_transforms(dataset: MapDataset) -> MapDataset:
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


def _has_several_labels(raw: MapDataset) -> bool:
    if len(raw) == 0:
        return False
    image, label = raw[0][:2]
    if isinstance(image, Image.Image):
        image.load()  # which closes its file
    return np.ndim(label) > 0


def split_item(item: Any, image_key: str, label_key: str, name: str) -> tuple[Any, Any]:
    """Give image and label of a Dataset's item, a pair or a dict.

    Parameters
    ----------
    item : tuple, list or dict
    image_key, label_key : str
        Of a dict.
    name : str
        What to call the item in messages.

    Raises
    ------
    InvalidInputError
        For a dict without the keys.
    InvalidTypeError
        For anything but a pair or a dict.
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

    def __init__(self, dataset: MapDataset, image_key: str, label_key: str) -> None:
        self.dataset = dataset
        self.image_key = image_key
        self.label_key = label_key
        self.labels: list[object] = [None] * len(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, i: int) -> object:
        """Read the image of one item."""
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
        """Say which item this is."""
        return f"item {i} of the Dataset"
