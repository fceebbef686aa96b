"""Labelled arrays in .npz files: found by their usual names, checked before they are allocated."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

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
GROUPS = "groups"


def read_npz(path: Path, *, train: bool = True) -> tuple[Array, Array, Array | None]:
    """Read images or feature rows, their labels, and groups where there are any.

    `train`: whether to prefer the training part of a file that has a test part too.
    """
    if not is_regular(path):
        raise InvalidInputError(f"{printable(path)} does not exist, or is no ordinary file.")
    try:
        with path.open("rb") as file:
            _refuse_npy(file, path)
            with zipfile.ZipFile(file) as archive:
                return _read_members(archive, path, TRAINING_NAMES if train else TEST_NAMES)
    except InvalidInputError:
        raise
    except Exception as error:  # parsers of headers and archives raise whatever they stumble over
        raise InvalidInputError(
            f"{printable(path)} must be a .npz file with arrays X and y, and is damaged or "
            f"something else: {printable(error)}"
        ) from error


def _refuse_npy(file: IO[bytes], path: Path) -> None:
    start = file.read(6)
    file.seek(0)
    if start == b"\x93NUMPY":
        raise InvalidInputError(
            f"{printable(path)} holds a single array (.npy), and must hold arrays X and y: save "
            "them with np.savez(path, X=X, y=y)."
        )


def _read_members(
    archive: zipfile.ZipFile, path: Path, pairs: Sequence[tuple[str, str]]
) -> tuple[Array, Array, Array | None]:
    names = {name.removesuffix(".npy") for name in archive.namelist()}
    for X_name, y_name in pairs:
        if {X_name, y_name} <= names:
            X, y = (_read_array(archive, name, path) for name in (X_name, y_name))
            groups = _read_array(archive, GROUPS, path) if GROUPS in names else None
            if {"kind", "seed", "model"} <= names:  # as `ganaug augment` and `sample` write
                warn_of_made(path, int(np.sum(_read_array(archive, "kind", path) != "real")))
            others = sorted(names - {X_name, y_name, GROUPS})
            if others and X_name not in TRAINING_NAMES[0]:
                warn_user(
                    f"{printable(path)}: {X_name} and {y_name} are read, not "
                    f"{printable(', '.join(others))}.",
                    GanaugWarning,
                )
            if groups is not None and len(groups) != len(y):
                raise InvalidInputError(
                    f"`groups` in {printable(path)} must have one value per sample, {len(y)}. Got "
                    f"{len(groups)} instead."
                )
            return X, y, groups
    found = ", ".join(map(printable, sorted(names))) or "no array"
    raise InvalidInputError(
        f"{printable(path)} must hold arrays X and y (or x_train and y_train, train_images and "
        f"train_labels). Got {found} instead."
    )


def warn_of_made(path: Path, n: int) -> None:
    """Tell of samples in an earlier output of ganaug that are no real ones."""
    if n:
        warn_user(
            f"{printable(path)} was written by ganaug: {n} of its samples, which are not of the "
            "kind 'real', are taken for real ones. Scores and reports of them mislead: give the "
            "data that they were made from.",
            GanaugWarning,
        )


def _read_array(archive: zipfile.ZipFile, name: str, path: Path) -> Array:
    member = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    info = archive.getinfo(member)
    if info.flag_bits & 1:
        raise InvalidInputError(f"{printable(path)} is encrypted: decrypt it first.")
    with archive.open(info) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
        _check_header(shape, dtype, info.file_size - file.tell(), f"`{name}` in {printable(path)}")
    with archive.open(info) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _check_header(shape: tuple[int, ...], dtype: np.dtype[Any], n_bytes: int, what: str) -> None:
    """Refuse before it is allocated what is not plain, not there, or more than fits."""
    if dtype.hasobject:
        raise InvalidInputError(
            f"{what} holds Python objects, which are pickled and never read: save text as an array "
            "of dtype str, numbers with a numeric dtype."
        )
    if not shape:
        raise InvalidInputError(f"{what} must have one entry per sample. Got one value instead.")
    if min(shape) < 0 or math.prod(shape) * dtype.itemsize != n_bytes:
        raise InvalidInputError(
            f"{what} is damaged: its header tells of shape {shape}, {dtype}, and {n_bytes} bytes "
            "follow."
        )
    memory = _memory()
    if memory is not None and n_bytes > memory:
        raise InvalidInputError(
            f"{what} takes {n_bytes / 2**30:.1f} GiB, more than this machine's memory of "
            f"{memory / 2**30:.1f} GiB: use fewer samples."
        )


def _memory() -> int | None:
    """Give the bytes of this machine's memory; None where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
