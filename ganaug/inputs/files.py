"""Labelled images from files: folders by class, a table of file names, a .npz.

What is read, and what is not:

- **A folder** has one subfolder per class, which may have subfolders itself. Read are the formats
  of `ganaug.inputs.pictures.FORMATS`; hidden files are passed over, all others are counted in a
  warning. Links are followed, as torchvision's ImageFolder does, each folder once; where they lead
  out of the folder, a warning says so. A folder of `train`, `val` and `test` parts is refused.
  Subfolders that ganaug itself has written are left out.
- **A .csv file** has columns of file names and labels, and maybe of groups. Its files lie in its
  own folder: a name that leads out of it, also by a link, is refused.
- **A .npz file**: see `ganaug.inputs.npz`.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganaug.checks import did_you_mean, warn_user
from ganaug.exceptions import GanaugWarning, InvalidInputError
from ganaug.inputs.class_names import check_unambiguous
from ganaug.inputs.containers import take_samples
from ganaug.inputs.npz import read_npz, warn_of_made
from ganaug.inputs.pictures import SUFFIXES, is_regular, read_pictures
from ganaug.inputs.pixels import Array
from ganaug.naming import (
    MANIFEST_NAME,
    PARTIAL_SUFFIX,
    class_of_folder,
    is_output_folder,
    normalised,
    printable,
)

_PART_NAMES = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev")
)
_COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "filepath", "image"),
    "label": ("label", "class", "class_name", "category", "target", "y"),
    "group": ("group", "groups"),
}


@dataclass(frozen=True)
class LabelledData:
    """What was read: as `GANAugmenter.fit` takes it."""

    X: Any
    """A list of PIL images, or an array."""
    y: Any
    """A list of str, or an array."""
    files: tuple[Path, ...] = ()
    """Of each image; empty for arrays."""
    groups: Array | None = None
    """Site, patient, ... of each sample."""

    def in_labels(self, classes: Array, names: Sequence[str]) -> LabelledData:
        """Give the labels of a model in place of the names, as of folders, of its classes."""
        label_of = dict(zip(map(normalised, names), classes.tolist(), strict=True))
        if not isinstance(self.y, list) or not label_of.keys() >= {*self.y}:
            return self
        return replace(self, y=[label_of[name] for name in self.y])


def read_data(
    data: str,
    *,
    train: bool = True,
    resize: tuple[int, int] | None = None,
    limits: Mapping[str, int] | None = None,
    seed: int = 0,
    progress: Callable[[range], Iterable[int]] | None = None,
) -> LabelledData:
    """Read labelled samples from wherever `data` says.

    - `data`: a folder of images, a .csv or a .npz file.
    - `train`: which part of a .npz that has a test part, too.
    - `resize`: scale image files as they are read; arrays are left to `GANAugmenter`.
    - `limits`: use at most so many samples of these classes, drawn by `seed`.
    - `progress`: wraps the range of image files, as a progress bar does; twice.
    """
    path = Path(os.path.expanduser(data))
    suffix = path.suffix.lower()
    if suffix == ".npz":
        X, y, groups = read_npz(path, train=train)
        return _limited(LabelledData(X, y, groups=groups), limits, seed)
    if suffix == ".csv" or (data and _is_folder(path)):
        listing = _list_table(path) if suffix == ".csv" else _list_folder(path)
        chosen = _limited(listing, limits, seed)
        images = read_pictures(chosen.X, resize, progress)
        return replace(chosen, X=images, files=tuple(chosen.X))
    what = "is none of these" if data and os.path.exists(path) else "does not exist"
    raise InvalidInputError(
        "DATA must be a directory of images by class, a .csv of files and labels, or a .npz file "
        f"with X and y. Got {data!r} instead, which {what}."
    )


# --- folders -------------------------------------------------------------------------------------


def _list_folder(directory: Path) -> LabelledData:
    """List the images of a folder by class, sorted by name; warn of all that is left out."""
    _refuse_parts(directory)
    is_ours = is_output_folder(directory)
    root = directory.resolve()
    found, labels, left_out, empty = list[Path](), list[str](), Counter[str](), list[str]()
    for entry in _entries(directory):
        if _is_folder(entry) and (note := _why_ours(entry)):
            _warn(f"{printable(entry)} is left out: {note}.")
        elif _is_folder(entry):
            name = normalised(class_of_folder(entry.name) if is_ours else entry.name)
            files = list(_pictures_in(entry, left_out))
            found += files
            labels += [name] * len(files)
            if not files:
                empty.append(printable(entry.name))
        elif entry.name != MANIFEST_NAME:
            left_out[_kind(entry, "outside the classes' folders")] += 1
    if not found:
        rest = f", but {_listed(left_out)}" if left_out else ""
        raise InvalidInputError(
            f"{printable(directory)} must hold one subdirectory of images per class. Found no "
            f"image there{rest}."
        )
    if left_out:
        _warn(
            f"Files of {printable(directory)} that are left out ({left_out.total()}): "
            f"{_listed(left_out)}. Read are {', '.join(sorted(SUFFIXES))}: convert other pictures "
            "to PNG."
        )
    if empty:
        _warn(f"No class, for want of an image that can be read: {', '.join(empty)}.")
    if is_ours:
        warn_of_made(directory, sum(not file.name.startswith("real-") for file in found))
    if outside := sum(not file.resolve().is_relative_to(root) for file in found):
        _warn(f"{outside} images are read by links that lead out of {printable(directory)}.")
    return LabelledData(found, labels)


def _refuse_parts(directory: Path) -> None:
    folders = [entry for entry in _entries(directory) if _is_folder(entry)]
    named = [folder for folder in folders if folder.name.lower() in _PART_NAMES]
    parts = [folder for folder in named if any(map(_is_folder, _entries(folder)))]
    if len(parts) > 1 or (parts and named == folders):
        listed = " or ".join(printable(part) for part in parts)
        raise InvalidInputError(
            f"{printable(directory)} must hold one subdirectory of images per class. It holds "
            f"parts with classes of their own instead: give {listed}."
        )


def _why_ours(folder: Path) -> str | None:
    """Say which of ganaug's own outputs a folder is, if it is one."""
    if folder.name.endswith(PARTIAL_SUFFIX):
        return "ganaug has not finished it"
    if is_output_folder(folder):
        return f"ganaug has written it (it holds a {MANIFEST_NAME})"
    return None


def _pictures_in(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    """Give the images in a folder and below, sorted by path; count everything else."""
    files: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for place, names, entries in os.walk(folder, followlinks=True):
        status = Path(place).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:  # a link has led round in a circle
            names.clear()
            continue
        seen.add(identity)
        names[:] = sorted(name for name in names if not name.startswith("."))
        files += [Path(place, name) for name in entries if not name.startswith(".")]
    for file in sorted(files):
        if file.suffix.lower() in SUFFIXES and is_regular(file):
            yield file
        else:
            left_out[_kind(file, "no ordinary files")] += 1


def _kind(file: Path, otherwise: str) -> str:
    if file.suffix.lower() in SUFFIXES:
        return otherwise
    return printable(file.suffix.lower()) or "without a suffix"


def _listed(left_out: Counter[str]) -> str:
    kinds = [f"{n} {kind}" for kind, n in left_out.most_common()]
    return ", ".join(kinds[:6]) + (", ..." if len(kinds) > 6 else "")


def _entries(directory: Path) -> list[Path]:
    return sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name with NUL, or too long
        return False


def _warn(message: str) -> None:
    warn_user(message, GanaugWarning)


# --- tables of files ------------------------------------------------------------------------------


def _list_table(path: Path) -> LabelledData:
    header, *rows = _table_rows(path)
    places = _places(header, path)
    root, label_of, labels = path.parent.resolve(), dict[Path, str](), list[str]()
    files, groups = list[Path](), list[str]()
    for number, row in enumerate(rows, start=2):
        where = f"line {number} of {printable(path)}"
        if len(row) <= max(places.values()):
            n_columns = max(places.values()) + 1
            raise InvalidInputError(f"{where} must have {n_columns} columns. Got {row!r}.")
        name, label = row[places["file"]], normalised(row[places["label"]].strip())
        file = _inside(root, name, where)
        if not label or label_of.setdefault(file, label) != label:
            raise InvalidInputError(
                f"{where}: {name!r} must have one label. Got {label!r} instead."
            )
        files.append(file)
        labels.append(label)
        groups += [row[places["group"]]] if "group" in places else []
    if not files:
        raise InvalidInputError(f"{printable(path)} must name files and labels. Found no line.")
    return LabelledData(files, labels, groups=np.asarray(groups) if groups else None)


def _table_rows(path: Path) -> list[list[str]]:
    if not is_regular(path):
        raise InvalidInputError(f"{printable(path)} does not exist, or is no ordinary file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            rows = [row for row in csv.reader(file, delimiter=delimiter, strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(
            f"{printable(path)} must be a .csv file in UTF-8: {printable(error)}."
        ) from error
    if not rows:
        raise InvalidInputError(f"{printable(path)} must name files and labels. It is empty.")
    return rows


def _places(header: Sequence[str], path: Path) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    found = {
        what: next((names.index(name) for name in usual if name in names), None)
        for what, usual in _COLUMNS.items()
    }
    for what in ("file", "label"):
        if found[what] is None:
            raise InvalidInputError(
                f"The first line of {printable(path)} must name a column {what!r} (or "
                f"{', '.join(_COLUMNS[what][1:])}). Got {header!r} instead."
            )
    return {what: place for what, place in found.items() if place is not None}


def _inside(root: Path, name: str, where: str) -> Path:
    """Give the file of this name, unless it leads out of the folder."""
    try:
        file = (root / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInputError(f"{where}: {name!r} is no file name ({error}).") from error
    if not file.is_relative_to(root):
        raise InvalidInputError(
            f"{where}: {name!r} must lie in the folder of the .csv. It leads out of it."
        )
    return file


# --- classes -------------------------------------------------------------------------------------


def labels_of_names(
    counts: Mapping[str, int], classes: Any, names: Sequence[str] | None = None
) -> dict[Any, int]:
    """Turn class names, as they are typed, into the labels they stand for.

    `classes`: the labels. `names`: of the same classes, which go before the labels' text.
    """
    labels, names = np.asarray(classes).tolist(), names or ()
    label_of = {normalised(str(label)): label for label in labels}
    label_of |= dict(zip(map(normalised, names), labels, strict=False))
    for text in counts:
        check_unambiguous(text, labels, names)
        if normalised(text) not in label_of:
            raise InvalidInputError(
                f"{text!r} is not one of the classes {', '.join(map(printable, label_of))}."
                f"{did_you_mean(text, label_of)}"
            )
    return {label_of[normalised(text)]: n for text, n in counts.items()}


def _limited(data: LabelledData, limits: Mapping[str, int] | None, seed: int) -> LabelledData:
    """Keep at most so many samples of each of these classes, drawn by a seed, class by class."""
    if not limits:
        return data
    X, y, groups = data.X, data.y, data.groups
    if len(X) != len(y):
        raise InvalidInputError(
            f"X and y must have the same length. Got {len(X)} and {len(y)} instead."
        )
    labels = np.asarray(y).reshape(-1)
    classes = np.unique(labels)
    most, rng = labels_of_names(limits, classes), np.random.default_rng(seed)
    kept = [
        np.sort(rng.permutation(np.flatnonzero(labels == label))[: most.get(label)])
        for label in classes.tolist()
    ]
    chosen = np.concatenate(kept)
    groups = None if groups is None else groups[chosen]
    return LabelledData(take_samples(X, chosen), take_samples(y, chosen), groups=groups)
