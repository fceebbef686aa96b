"""Names of classes that data carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset, Subset

from ganaug.exceptions import InvalidInputError
from ganaug.inputs.datasets import MapDataset
from ganaug.inputs.pixels import Array
from ganaug.naming import normalised


def names_in_dataset(dataset: MapDataset, label_key: str | None = None) -> dict[int, str]:
    """Give the names that a Dataset has for its integer labels; none where two classes have one.

    Examples
    --------
    >>> from torch.utils.data import Dataset
    >>> class Shoes(Dataset):
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
    if names := _numbered(declared_classes(dataset)):
        return names
    codes = getattr(dataset, "class_to_idx", None)
    pairs = codes.items() if isinstance(codes, Mapping) else ()
    if not all(isinstance(name, str) and isinstance(code, int) for name, code in pairs):
        return {}
    return {code: name for name, code in pairs}


def declared_classes(dataset: MapDataset) -> list[Any]:
    """Give the ``classes`` of a Dataset, also from an array; none where it has no such sequence."""
    classes: Any = getattr(dataset, "classes", None)
    classes = classes.tolist() if hasattr(classes, "tolist") else classes
    return list(classes) if isinstance(classes, list | tuple) else []


def _numbered(names: object) -> dict[int, str]:
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return dict(enumerate(names))
    return {}


def names_of_classes(classes: Array, names: Mapping[int, str]) -> tuple[str, ...] | None:
    """Give the name of each class in their order, strings themselves; None where one has none."""
    labels = classes.tolist()
    if labels and all(isinstance(label, str) for label in labels):
        return tuple(labels)
    is_named = classes.dtype.kind in "iu" and all(label in names for label in labels)
    return tuple(names[label] for label in labels) if is_named else None


def check_unambiguous(text: str, labels: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse a text that is the name of one class and the label of another."""
    named = dict(zip(map(normalised, names), labels, strict=False))
    numbered = {normalised(str(label)): label for label in labels}
    key = normalised(text)
    if key in named and key in numbered and named[key] != numbered[key]:
        raise InvalidInputError(
            f"A class must be given without doubt. Got {text!r} instead, the name of the class "
            f"with the label {named[key]!r} and the label of another: pass one of these labels as "
            f"it is, {{{named[key]!r}: ...}} or {{{numbered[key]!r}: ...}}, to a method in Python, "
            "or give the classes names that are no labels."
        )


def match_by_name(
    labels: Sequence[Any], names: Mapping[int, str], classes: Array, class_names: Sequence[str]
) -> tuple[Sequence[Any], Array, list[Any]]:
    """Give a Dataset's labels, and the classes seen in fit, as names where both have some.

    The third thing returned is the label by which the Dataset, whose integer labels have `names`,
    calls each class; -1 for a class unknown to it.
    """
    class_names = names_of_classes(classes, {}) or class_names
    if not names or not class_names or not all(isinstance(label, int) for label in labels):
        return labels, classes, classes.tolist()
    label_of = {name: label for label, name in names.items()}
    found = [names.get(label) or str(label) for label in labels]
    return found, np.array(class_names), [label_of.get(name, -1) for name in class_names]
