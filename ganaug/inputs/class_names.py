"""Names of classes: finding those that data carry, and finding classes by them."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from ganaug.checks import did_you_mean
from ganaug.exceptions import InvalidInputError
from ganaug.inputs.datasets import MapDataset
from ganaug.inputs.labels import listed
from ganaug.inputs.pixels import Array

T = TypeVar("T")


def names_in_dataset(dataset: MapDataset, label_key: str | None = None) -> dict[int, str]:
    """Give the names that a Dataset has for its integer labels.

    `dataset`: a torchvision dataset or anything else with ``class_to_idx`` or ``classes``, a
    Hugging Face dataset with a ``ClassLabel`` feature, a ``Subset`` of one of these, or a
    ``ConcatDataset`` whose parts agree. `label_key`: column of the labels in a Hugging Face
    dataset. Returns: dict of int to str: empty where there are none, or where two classes have one
    name.

    Examples
    --------
    >>> class Shoes(torch.utils.data.Dataset):
    ...     classes = ["bag", "boot"]
    >>> names_in_dataset(Shoes())
    {0: 'bag', 1: 'boot'}
    """
    if isinstance(dataset, ConcatDataset):
        found = [names_in_dataset(part, label_key) for part in dataset.datasets]
        return found[0] if all(names == found[0] for names in found) else {}
    if isinstance(dataset, Subset):
        return names_in_dataset(dataset.dataset, label_key)
    names = _declared_names(dataset, label_key)
    return names if len(set(names.values())) == len(names) else {}


def _declared_names(dataset: MapDataset, label_key: str | None) -> dict[int, str]:
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping) and label_key in features:
        return _numbered(getattr(features[label_key], "names", None))
    if names := _numbered(getattr(dataset, "classes", None)):
        return names
    codes = getattr(dataset, "class_to_idx", None)
    pairs = codes.items() if isinstance(codes, Mapping) else ()
    if not all(isinstance(name, str) and isinstance(code, int) for name, code in pairs):
        return {}
    return {code: name for name, code in pairs}


def _numbered(names: object) -> dict[int, str]:
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return dict(enumerate(names))
    return {}


def names_of_classes(classes: Array, names: Mapping[int, str]) -> tuple[str, ...] | None:
    """Give the name of each class in their order; None where one has none.

    `classes` (array (n_classes,)): strings are names themselves. `names` (dict of int to str): as
    :func:`names_in_dataset` gives them.
    """
    labels = classes.tolist()
    if labels and all(isinstance(label, str) for label in labels):
        return tuple(labels)
    is_named = classes.dtype.kind in "iu" and all(label in names for label in labels)
    return tuple(names[label] for label in labels) if is_named else None


def find_class(
    label: Hashable,
    classes: Array,
    class_names: Sequence[str] | None = None,
    *,
    parameter: str = "n_samples",
) -> int:
    """Find a class by its label or by its name.

    `label`: a label as in y, also a NumPy scalar or a tensor of one value; or a class's name. Texts
    are compared in Unicode's composed form (NFC), as file systems may have decomposed them.
    `classes` (array (n_classes,)): sorted labels. `class_names`: the name of each. `parameter`:
    what the label was given in, for the message. Returns: its code, a position in `classes`. Raises
    InvalidInputError for an unknown one; suggests the intended one.

    Examples
    --------
    >>> find_class("boot", np.array([0, 1]), ["bag", "boot"])
    1
    """
    code_of: dict[Hashable, int] = {}
    for names in (class_names or (), classes.tolist()):  # a label counts more than a name
        code_of |= {_comparable(name): code for code, name in enumerate(names)}
    wanted = _comparable(label)
    if wanted in code_of:
        return code_of[wanted]
    raise InvalidInputError(
        f"`{parameter}` names the unknown class {label!r}. Known classes: {listed(code_of)}."
        + did_you_mean(wanted, code_of)
    )


def keyed_by_label(
    by_class: Mapping[Hashable, T],
    classes: Array,
    class_names: Sequence[str] | None = None,
    *,
    parameter: str = "sampling_strategy",
) -> dict[Hashable, T]:
    """Give a dict whose keys are labels or names of classes with plain labels as its keys.

    Raises InvalidInputError for an unknown class, and for a class that is there by its label and by
    its name.

    Examples
    --------
    >>> keyed_by_label({"boot": 500, 0: 20}, np.array([0, 1]), ["bag", "boot"])
    {1: 500, 0: 20}
    """
    labels = classes.tolist()
    out: dict[Hashable, T] = {}
    for key, value in by_class.items():
        label = labels[find_class(key, classes, class_names, parameter=parameter)]
        if label in out:
            raise InvalidInputError(f"`{parameter}` names the class {label!r} twice, as {key!r}.")
        out[label] = value
    return out


def _comparable(label: Hashable) -> Hashable:
    if (isinstance(label, torch.Tensor) and label.numel() == 1) or isinstance(label, np.generic):
        label = label.item()
    return unicodedata.normalize("NFC", label) if isinstance(label, str) else label
