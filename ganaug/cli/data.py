"""DATA as the commands take it: read, and limited per class."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganaug.checks import did_you_mean, require_extra
from ganaug.exceptions import InvalidInputError

TORCHVISION_SETS = ("MNIST", "FashionMNIST", "KMNIST", "QMNIST", "CIFAR10", "SVHN")


def load_limited(
    data: str, data_dir: Path | None, download: bool, max_per_class: Mapping[str, int], seed: int
) -> tuple[Any, Any]:
    """Load DATA, with at most so many rows of the classes that `--max-per-class` names."""
    X, y = load_data(data, data_dir, download)
    if max_per_class:
        X, y = limit_classes(X, y, max_per_class, seed)
    return X, y


def load_groups(data: str, max_per_class: Mapping[str, int], seed: int) -> Any:
    """Load the array `groups` of a .npz file that has one: of the rows that are used."""
    path = Path(data)
    if path.suffix != ".npz":
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            groups, y = arrays.get("groups", None), arrays["y"]
    except ValueError as error:
        raise InvalidInputError(f"`groups` in {path} must be numbers or text: {error}") from error
    if groups is None or not max_per_class:
        return groups
    if len(groups) != len(y):
        raise InvalidInputError(
            f"`groups` in {path} must have one value per row, {len(y)}. Got {len(groups)} instead."
        )
    return limit_classes(groups, y, max_per_class, seed)[0]


def load_data(
    data: str, data_dir: Path | None, download: bool = False, train: bool = True
) -> tuple[Any, Any]:
    """Load an image directory, a .npz file, or a torchvision set by name."""
    path = Path(data)
    # a set's name first: torchvision keeps it in a directory of that name
    if data in TORCHVISION_SETS and (data_dir is not None or not path.is_dir()):
        return load_torchvision(data, data_dir, download, train)
    if path.suffix == ".npz":
        return load_npz(path)
    if path.is_dir():
        return load_image_directory(path)
    raise InvalidInputError(
        f"DATA must be a directory of images by class, a .npz file with X and y, or one of "
        f"{', '.join(TORCHVISION_SETS)}. Got {data!r} instead, which is none of these."
        f"{did_you_mean(data, TORCHVISION_SETS)}"
    )


def load_npz(path: Path) -> tuple[Any, Any]:
    """Load arrays X and y (never pickled objects)."""
    if not path.is_file():
        raise InvalidInputError(f"{path} does not exist.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInputError(
            f"{path} must be a .npz file with arrays X and y: {error}"
        ) from error


def load_image_directory(directory: Path) -> tuple[list[Image.Image], list[str]]:
    """Load a tree of images with one subdirectory per class, sorted by name.

    Hidden files and directories are passed over.
    """
    images, labels = [], []
    for folder in sorted(entry for entry in directory.iterdir() if entry.is_dir()):
        for file in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(directory).parts)
            if not hidden and file.suffix.lower() in Image.registered_extensions():
                images.append(load_image(file))
                labels.append(folder.name)
    if not images:
        raise InvalidInputError(
            f"{directory} must hold one subdirectory of images per class. Found no image there."
        )
    return images, labels


def load_image(file: Path) -> Image.Image:
    """Load one image; name the file that is none."""
    try:
        with Image.open(file) as image:
            return image.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInputError(f"{file} is not a readable image: {error}") from error


def load_torchvision(
    name: str, data_dir: Path | None, download: bool, train: bool = True
) -> tuple[Any, None]:
    """Load the training (or test) part of a torchvision set."""
    if data_dir is None:
        raise InvalidInputError(
            f"{name} is a torchvision data set: say where it is with --data-dir."
        )
    kind = getattr(require_extra("torchvision.datasets", "torchvision"), name)
    part = {"split": "train" if train else "test"} if name == "SVHN" else {"train": train}
    try:
        return kind(data_dir, download=download, **part), None
    except RuntimeError as error:
        raise InvalidInputError(f"{name} in {data_dir}: {error} (or pass --download).") from error


def limit_classes(X: Any, y: Any, limits: Mapping[str, int], seed: int) -> tuple[Any, Any]:
    """Keep at most so many rows of the named classes, drawn by `seed`."""
    if y is None:
        names = getattr(X, "classes", None)
        X, y = X.data, np.asarray(X.targets if hasattr(X, "targets") else X.labels)
    else:
        names = None
    labels = np.asarray(y)
    classes = np.unique(labels)
    wanted = labels_of_names(limits, classes, names)
    rng = np.random.default_rng(seed)
    keep = [
        np.sort(rng.permutation(np.flatnonzero(labels == label))[: wanted.get(label, len(labels))])
        for label in classes.tolist()
    ]
    rows = np.concatenate(keep)
    if isinstance(X, list):
        return [X[row] for row in rows], labels[rows]
    return np.asarray(X)[rows], labels[rows]


def labels_of_names(
    counts: Mapping[str, int], classes: Any, names: Sequence[str] | None = None
) -> dict[Any, int]:
    """Turn the texts of the command line into the labels they stand for."""
    labels = np.asarray(classes).tolist()
    label_of = {str(label): label for label in labels}
    if names is not None:
        label_of = dict(zip(map(str, names), labels, strict=False)) | label_of
    for text in counts:
        if text not in label_of:
            raise InvalidInputError(
                f"{text!r} is not one of the classes {', '.join(label_of)}."
                f"{did_you_mean(text, label_of)}"
            )
    return {label_of[text]: n for text, n in counts.items()}
