"""Labelled arrays in .npz files, found by their usual names; nothing pickled is read."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ganaug.checks import warn_user
from ganaug.exceptions import GanaugWarning, InvalidInputError
from ganaug.inputs.pictures import is_regular
from ganaug.inputs.pixels import Array
from ganaug.naming import printable

TRAINING_NAMES = (
    ("X", "y"),
    ("x", "y"),
    ("x_train", "y_train"),
    ("X_train", "y_train"),
    ("train_images", "train_labels"),
    ("images", "labels"),
    ("data", "target"),
)
TEST_NAMES = (
    ("x_test", "y_test"),
    ("X_test", "y_test"),
    ("test_images", "test_labels"),
    *TRAINING_NAMES,
)
GROUPS, KINDS = "groups", "kind"


def read_npz(path: Path, *, train: bool = True) -> tuple[Array, Array, Array | None]:
    """Read images or feature rows, their labels, and groups where there are any.

    `train`: whether to prefer the training part of a file that has a test part too.
    """
    if not is_regular(path):
        raise InvalidInputError(f"{printable(path)} does not exist, or is no ordinary file.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            names = {name.removesuffix(".npy") for name in members if name.endswith(".npy")}
            X_name, y_name = _names_of_samples(names, train, path)
            wanted = {X_name, y_name} | (names & {GROUPS, KINDS})
            arrays = {name: _read_array(archive, name) for name in wanted}
    except InvalidInputError:
        raise
    except Exception as error:  # parsers of headers and archives raise whatever they stumble over
        advice = ""
        if "pickle" in str(error):
            advice = (
                ". Python objects are pickled and never read: save text as an array of dtype str, "
                "numbers with a numeric dtype"
            )
        raise InvalidInputError(
            f"{printable(path)} must be a .npz file with arrays X and y, and is damaged, a single "
            f"array (.npy) or something else: {printable(error)}{advice}."
        ) from error
    X, y, groups = arrays[X_name], arrays[y_name], arrays.get(GROUPS)
    if groups is not None and len(groups) != len(y):
        raise InvalidInputError(
            f"`groups` in {printable(path)} must have one value per sample, {len(y)}. Got "
            f"{len(groups)} instead."
        )
    others = sorted(names - {X_name, y_name, GROUPS})
    if {KINDS, "seed", "model"} <= names:  # as `ganaug augment` and `sample` write
        warn_of_made(path, int(np.sum(arrays[KINDS] != "real")))
    elif others and X_name not in TRAINING_NAMES[0]:
        listed = printable(", ".join(others))
        warn_user(
            f"{printable(path)}: {X_name} and {y_name} are read, not {listed}.", GanaugWarning
        )
    return X, y, groups


def _names_of_samples(names: set[str], train: bool, path: Path) -> tuple[str, str]:
    for pair in TRAINING_NAMES if train else TEST_NAMES:
        if names.issuperset(pair):
            return pair
    found = ", ".join(map(printable, sorted(names))) or "no array"
    raise InvalidInputError(
        f"{printable(path)} must hold arrays X and y (or x_train and y_train, train_images and "
        f"train_labels). Got {found} instead."
    )


def _read_array(archive: zipfile.ZipFile, name: str) -> Array:
    n_bytes, memory = archive.getinfo(f"{name}.npy").file_size, _memory_bytes()
    if n_bytes > memory:  # a small file can hold them, and the machine would stand still
        raise ValueError(
            f"`{name}` takes {n_bytes / 2**30:.1f} GiB, more than this machine's memory of "
            f"{memory / 2**30:.1f} GiB: use fewer samples"
        )
    with archive.open(f"{name}.npy") as file:
        array = np.asarray(npy.read_array(file, allow_pickle=False))
        if file.read(1):
            raise ValueError(f"`{name}` has more bytes than its header tells of")
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have one entry per sample, and has one value")
    return array


def _memory_bytes() -> float:
    """Give this machine's memory; infinite where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf


def warn_of_made(path: Path, n: int) -> None:
    """Tell of samples in an earlier output of ganaug that are no real ones."""
    if n:
        warn_user(
            f"{printable(path)} was written by ganaug: {n} of its samples, which are not of the "
            "kind 'real', are taken for real ones. Scores and reports of them mislead: give the "
            "data that they were made from.",
            GanaugWarning,
        )
