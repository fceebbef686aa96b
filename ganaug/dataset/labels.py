"""The labels of a Dataset, with as few of its items read as possible."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from ganaug.exceptions import InvalidInputError
from ganaug.inputs import encode_labels, without_transforms
from ganaug.inputs.datasets import MapDataset, split_item

__all__ = ["DatasetLabels", "innermost", "probe_positions", "read_dataset_labels"]

N_PROBES = 16
LABEL_ATTRIBUTES = ("targets", "labels", "_labels")


@dataclass(frozen=True)
class DatasetLabels:
    """Labels of a Dataset's items, as codes of the classes seen in ``fit``.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Class code of each item.
    by_code : list
        The label by which the dataset's items call each class; -1 for a class unknown to it.
    """

    codes: npt.NDArray[np.int64]
    by_code: list[Any]


def read_dataset_labels(
    dataset: MapDataset,
    classes: npt.NDArray[Any],
    *,
    image_key: str = "image",
    label_key: str = "label",
) -> DatasetLabels:
    """Find the label of every item of a Dataset.

    Labels that the dataset declares are used where its items agree with them (one of each label
    and 16 spread over the dataset are looked at):
    ``targets``, ``labels``, the second tensor of a ``TensorDataset``, the column `label_key` of a
    Hugging Face dataset; of a ``Subset`` or a ``ConcatDataset``, those of what it is made of. Else
    every item is read once.

    Parameters
    ----------
    dataset : map-style Dataset
        A torchvision dataset's labels are those before its transforms.
    classes : ndarray, shape (n_classes,)
        Sorted classes seen in ``fit``.
    image_key, label_key : str
        Where items that are dicts keep image and label.

    Returns
    -------
    DatasetLabels
        Where `classes` are names and the dataset has integer labels and names for them in its own
        ``classes`` (as ``ImageFolder`` has), the names tell which is which.

    Raises
    ------
    InvalidInputError
        When the dataset is empty, or has labels not seen in ``fit``: says which.

    Examples
    --------
    >>> images = torch.zeros(3, 1, 8, 8)
    >>> dataset = TensorDataset(images, torch.tensor([7, 3, 7]))
    >>> read_dataset_labels(dataset, np.array([3, 7])).codes
    array([1, 0, 1])
    """
    if len(dataset) == 0:
        raise InvalidInputError("`dataset` must have items. Got one of length 0 instead.")
    labels = _raw_labels(without_transforms(dataset), image_key, label_key)
    by_code = classes.tolist()
    names = _names_of_labels(dataset)
    if names and classes.dtype.kind == "U" and isinstance(labels[0], int):
        labels = [names.get(label, label) for label in labels]
        label_of = {name: label for label, name in names.items()}
        by_code = [label_of.get(name, -1) for name in by_code]
    try:
        return DatasetLabels(encode_labels(labels, classes), by_code)
    except InvalidInputError as error:
        raise InvalidInputError(f"The wrapped dataset has other labels than fit: {error}") from None


def innermost(dataset: MapDataset) -> MapDataset:
    """Give what a Subset, or a Subset of a Subset, is taken from."""
    while _is_plain_subset(dataset):
        dataset = dataset.dataset
    return dataset


def probe_positions(n: int) -> list[int]:
    """Give a few positions spread over n items, the first and the last among them."""
    return sorted(set(np.linspace(0, n - 1, N_PROBES).astype(int).tolist()))


def _is_plain_subset(dataset: MapDataset) -> bool:
    return type(dataset).__getitem__ is Subset.__getitem__


def _names_of_labels(dataset: MapDataset) -> dict[int, str]:
    """Give the names that a dataset has for its integer labels, if it has."""
    names = getattr(innermost(dataset), "classes", None)
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return dict(enumerate(names))
    return {}


def _raw_labels(raw: MapDataset, image_key: str, label_key: str) -> list[Any]:
    def read(position: int) -> Any:
        name = f"item {position} of the dataset"
        with warnings.catch_warnings():
            # of images that were opened and, since only the label is needed, not decoded
            warnings.simplefilter("ignore", ResourceWarning)
            label = split_item(raw[position], image_key, label_key, name)[1]
        return _plain(label, name)

    declared = _declared_labels(raw, label_key)
    if declared is not None and len(declared) == len(raw):
        one_of_each = {label: position for position, label in enumerate(declared)}
        probes = {*probe_positions(len(raw)), *one_of_each.values()}
        if all(read(position) == declared[position] for position in sorted(probes)):
            return declared
    return [read(position) for position in range(len(raw))]


def _declared_labels(dataset: MapDataset, label_key: str) -> list[Any] | None:
    """Give the labels that a dataset holds beside its items, if it does."""
    if _is_plain_subset(dataset):
        inner = _declared_labels(dataset.dataset, label_key)
        return None if inner is None else [inner[i] for i in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [_declared_labels(part, label_key) for part in dataset.datasets]
        known = [labels for labels in parts if labels is not None]
        return list(itertools.chain(*known)) if len(known) == len(parts) else None
    if isinstance(dataset, TensorDataset):
        return _plain_list(dataset.tensors[1]) if len(dataset.tensors) == 2 else None
    if label_key in (getattr(dataset, "column_names", None) or ()):  # Hugging Face
        return _plain_list(dataset.with_format(None)[label_key][:])
    found = (getattr(dataset, name, None) for name in LABEL_ATTRIBUTES)
    return next((_plain_list(labels) for labels in found if labels is not None), None)


def _plain_list(labels: Any) -> list[Any] | None:
    """Give labels as Python values, or None where they are not one label per item."""
    if isinstance(labels, torch.Tensor | np.ndarray):
        return labels.tolist() if labels.ndim == 1 else None
    if not isinstance(labels, Sequence):
        return None
    return [x.item() if isinstance(x, torch.Tensor | np.generic) else x for x in labels]


def _plain(label: Any, name: str) -> Any:
    """Give one label as a Python value."""
    if not isinstance(label, torch.Tensor | np.ndarray | np.generic):
        return label
    if label.ndim > 0:
        raise InvalidInputError(
            f"Every item must have one label. {name} has one of shape {tuple(label.shape)} "
            "instead: multi-label and one-hot targets are not supported."
        )
    return label.item()
