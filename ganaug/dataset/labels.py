"""The labels of a Dataset, with as few of its items read as possible."""

from __future__ import annotations

import enum
import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import ConcatDataset, TensorDataset

from ganaug.exceptions import InvalidInputError
from ganaug.inputs import encode_labels, without_transforms
from ganaug.inputs.class_names import match_by_name, names_in_dataset
from ganaug.inputs.datasets import (
    MapDataset,
    check_map_dataset,
    find_keys,
    is_plain_subset,
    read_item,
    single_label,
    split_item,
)

N_PROBES = 16
LABEL_ATTRIBUTES = ("targets", "labels", "_labels")


@dataclass(frozen=True)
class DatasetLabels:
    """Labels of a Dataset's items, as codes of the classes seen in ``fit``."""

    codes: npt.NDArray[np.int64]
    """Of each item."""
    by_code: list[Any]
    """The label by which the items call each class; -1 for a class unknown to the dataset."""


def read_dataset_labels(
    dataset: MapDataset,
    classes: npt.NDArray[Any],
    *,
    image_key: str | None = None,
    label_key: str | None = None,
    class_names: Sequence[str] | None = None,
) -> DatasetLabels:
    """Find the label, before any transform, of every item of a Dataset.

    Labels that the dataset declares are used where its items agree with them (one of each label
    and 16 spread over the dataset are looked at):
    ``targets``, ``labels``, the second tensor of a ``TensorDataset``, the column `label_key` of a
    Hugging Face dataset; of a ``Subset`` or a ``ConcatDataset``, those of what it is made of. Else
    every item is read once.

    `classes`, `class_names`: seen in ``fit``. Where the dataset has names for its integer labels
    (as ``ImageFolder`` has), the names tell which is which.

    Examples
    --------
    >>> images = torch.zeros(3, 1, 8, 8)
    >>> dataset = TensorDataset(images, torch.tensor([7, 3, 7]))
    >>> read_dataset_labels(dataset, np.array([3, 7])).codes
    array([1, 0, 1])
    """
    check_map_dataset(dataset)
    if len(dataset) == 0:
        raise InvalidInputError("`dataset` must have items. Got one of length 0 instead.")
    raw = without_transforms(dataset)
    keys = image_key, label_key
    if None in keys:
        with _images_left_unread():
            name = "item 0 of the dataset"
            keys = find_keys(raw, read_item(raw, 0, name), *keys, name)
    labels: Sequence[Any] = _raw_labels(raw, *keys)
    names = names_in_dataset(dataset, keys[1])
    labels, classes, by_code = match_by_name(labels, names, classes, class_names or ())
    try:
        return DatasetLabels(encode_labels(labels, classes), by_code)
    except InvalidInputError as error:
        raise InvalidInputError(f"The wrapped dataset has other labels than fit: {error}") from None


def innermost(dataset: MapDataset) -> MapDataset:
    """Give what a Subset, or a Subset of a Subset, is taken from."""
    while is_plain_subset(dataset):
        dataset = dataset.dataset
    return dataset


def probe_positions(n: int) -> list[int]:
    """Give a few positions spread over n items, the first and the last among them."""
    return sorted(set(np.linspace(0, n - 1, N_PROBES).astype(int).tolist()))


def _images_left_unread() -> warnings.catch_warnings[None]:
    """Hush warnings of images that were opened and, since only the label counts, not decoded."""
    return warnings.catch_warnings(action="ignore", category=ResourceWarning)


def _raw_labels(raw: MapDataset, image_key: str | None, label_key: str | None) -> list[Any]:
    def read(position: int) -> Any:
        name = f"item {position} of the dataset"
        with _images_left_unread():
            label = split_item(read_item(raw, position, name), image_key, label_key, name)[1]
        return _plain_label(single_label(label, name))

    declared = _declared_labels(raw, label_key)
    if declared is not None and len(declared) == len(raw):
        one_of_each = {label: position for position, label in enumerate(declared)}
        probes = {*probe_positions(len(raw)), *one_of_each.values()}
        if all(read(position) == declared[position] for position in sorted(probes)):
            return declared
    return [read(position) for position in range(len(raw))]


def _declared_labels(dataset: MapDataset, label_key: str | None) -> list[Any] | None:
    """Give the labels that a dataset holds beside its items, if it does."""
    if is_plain_subset(dataset):
        inner = _declared_labels(dataset.dataset, label_key)
        return None if inner is None else [inner[i] for i in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [_declared_labels(part, label_key) for part in dataset.datasets]
        known = [labels for labels in parts if labels is not None]
        return list(itertools.chain(*known)) if len(known) == len(parts) else None
    if isinstance(dataset, TensorDataset):
        return _plain_list(dataset.tensors[1]) if len(dataset.tensors) == 2 else None
    columns = getattr(dataset, "column_names", None)
    if columns is not None and label_key in columns:  # Hugging Face
        return _plain_list(dataset.with_format(None)[label_key][:])
    found = (getattr(dataset, name, None) for name in LABEL_ATTRIBUTES)
    return next((_plain_list(labels) for labels in found if labels is not None), None)


def _plain_list(labels: Any) -> list[Any] | None:
    """Give labels as Python values, or None where they are not one label per item."""
    if isinstance(labels, torch.Tensor | np.ndarray):
        is_column = labels.ndim == 2 and labels.shape[1] == 1  # as MedMNIST's
        labels = labels.reshape(-1).tolist() if labels.ndim == 1 or is_column else None
    if not isinstance(labels, Sequence) or not all(map(_is_single, labels)):
        return None
    return [_plain_label(label) for label in labels]


def _is_single(label: Any) -> bool:
    if isinstance(label, torch.Tensor | np.ndarray):
        return math.prod(label.shape) == 1
    return np.isscalar(label) or isinstance(label, enum.Enum)


def _plain_label(label: Any) -> Any:
    """Give one label as a Python value."""
    return label.item() if isinstance(label, torch.Tensor | np.ndarray | np.generic) else label
