"""Samples written for others: whole or recognisably not, apart by kind, every one listed.

A folder or `.npz` is written beside its place, as ``NAME.partial``, and renamed at the end. What a
kill or a full disk leaves keeps that name. A folder holds ``CLASS/KIND-00000.png`` and
``manifest.jsonl``, a line of JSON for each file.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganaug.checks import warn_user
from ganaug.exceptions import GanaugWarning, InvalidInputError
from ganaug.inputs import DataSpec
from ganaug.naming import (
    MANIFEST_NAME,
    PARTIAL_SUFFIX,
    folder_of_class,
    is_output_folder,
    printable,
)
from ganaug.storage import check_writable


@dataclass(frozen=True)
class Origin:
    """Where samples come from; stands in every line of the manifest."""

    seed: int
    model: str
    """SHA-256 of the model's file."""
    trust: Mapping[str, float] = field(default_factory=dict)
    """By class, the share of synthetic samples that a classifier of the real ones takes for it."""

    def record(self, name: str, kind: str, index: int) -> dict[str, object]:
        """Describe a sample: its class, kind and number among those, and what made it."""
        record: dict[str, object] = {
            "class": name,
            "kind": kind,
            "index": int(index),
            "seed": self.seed,
            "model": self.model,
        }
        if kind == "synthetic" and name in self.trust:
            record["trust"] = round(self.trust[name], 3)
        return record


_MODES_OF_PNG = ("1", "L", "LA", "RGB", "RGBA", "I;16")


class Row(NamedTuple):
    """What is told of a sample."""

    name: str
    """Its class."""
    kind: str
    """"real", "synthetic", "augmented", "interpolated" or "duplicate"."""
    number: int
    """Among those of its class and kind."""
    source: str = ""
    """The file that it was read from."""


class Output(Protocol):
    """What takes samples, class by class or all at once."""

    def add(self, X: Any, rows: Sequence[Row]) -> None:
        """Take further samples, in the container of the `DataSpec`, and what is told of each."""


@contextmanager
def open_output(
    path: Path, spec: DataSpec, origin: Origin, *, overwrite: bool = False
) -> Iterator[Output]:
    """Open a folder, or a `.npz` file, for samples; it takes its name when all are there.

    `path`: ends in ``.npz`` for arrays X, y, kind, index, seed and model. Else a folder.
    `overwrite`: replace what ganaug has written there before; nothing else is ever replaced.
    """
    check_output(path, overwrite=overwrite)
    is_archive = _is_archive(path)
    if not is_archive and spec.kind != "image":
        raise InvalidInputError("Feature rows cannot be written as pictures: give a .npz as --out.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(path)
    _remove(partial)
    if is_archive:
        archive = _Archive(origin)
        yield archive
        archive.write(partial)
    else:
        partial.mkdir()
        with (partial / MANIFEST_NAME).open("w", encoding="utf-8") as manifest:
            yield _Folder(partial, manifest, spec, origin)
    _put_in_place(partial, path)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, a place that is taken or cannot be written."""
    partial = partial_of(path)
    if _has_entries(partial) and not (partial / MANIFEST_NAME).is_file():
        raise InvalidInputError(f"{printable(partial)} is in the way: move it away.")
    is_file = path.exists() and not path.is_dir()
    if is_file and not _is_archive(path):
        raise InvalidInputError(f"{printable(path)} is a file, and no folder can be made there.")
    is_folder = _has_entries(path)
    if is_folder and not is_output_folder(path):
        raise InvalidInputError(
            f"{printable(path)} is not empty, and not what ganaug has written: it is never "
            "replaced. Choose another place."
        )
    if (is_file or is_folder) and not overwrite:
        raise InvalidInputError(
            f"{printable(path)} is there already: replace it with --overwrite, or choose another "
            "place."
        )
    if is_folder and (foreign := _foreign_file(path)) is not None:
        raise InvalidInputError(
            f"{printable(path)} is not replaced: {printable(foreign)} is not in its "
            f"{MANIFEST_NAME}. Move away what is not ganaug's."
        )
    check_writable(path.parent)


def partial_of(path: Path) -> Path:
    """Give the name of what is not finished."""
    path = path.absolute()
    return path.with_name(path.name + PARTIAL_SUFFIX)


# --- folders and archives ------------------------------------------------------------------------


@dataclass
class _Folder:
    """Pictures by class, and the list of them."""

    directory: Path
    manifest: IO[str]
    spec: DataSpec
    origin: Origin

    def add(self, X: Any, rows: Sequence[Row]) -> None:
        warn_of_scale(self.spec)
        for picture, row in zip(to_pictures(X, self.spec), rows, strict=True):
            folder = self.directory / folder_of_class(row.name)
            folder.mkdir(exist_ok=True)
            file = folder / f"{row.kind}-{row.number:05d}.png"
            picture.save(file)
            place = {"file": file.relative_to(self.directory).as_posix()}
            record = place | self.origin.record(row.name, row.kind, row.number)
            if row.source:
                record["source"] = row.source
            self.manifest.write(json.dumps(record) + "\n")


@dataclass
class _Archive:
    """Arrays, kept until they are written: a .npz cannot grow."""

    origin: Origin
    parts: list[npt.NDArray[Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def add(self, X: Any, rows: Sequence[Row]) -> None:
        self.parts.append(np.asarray(X))
        self.rows += rows

    def write(self, path: Path) -> None:
        with path.open("wb") as file:  # by its name, NumPy would add a suffix
            np.savez_compressed(
                file,
                allow_pickle=False,
                X=np.concatenate(self.parts),
                y=np.asarray([row.name for row in self.rows]),
                kind=np.asarray([row.kind for row in self.rows]),
                index=np.asarray([row.number for row in self.rows], dtype=np.int64),
                seed=self.origin.seed,
                model=self.origin.model,
            )


def to_pictures(X: Any, spec: DataSpec) -> Iterator[Image.Image]:
    """Turn samples into what PNG holds: on the data's own scale where it can be."""
    if _is_picture(spec):
        is_kept = spec.pil_mode in _MODES_OF_PNG
        yield from (image if is_kept else image.convert("RGB") for image in X)
    elif _is_deep(spec):
        yield from map(Image.fromarray, np.asarray(X))
    else:
        yield from map(_to_picture, spec.encode(X))


def warn_of_scale(spec: DataSpec) -> None:
    """Warn where `to_pictures` cannot keep the data's own scale."""
    is_usual = (spec.dtype, spec.value_range) == ("uint8", (0.0, 255.0))
    if is_usual or _is_picture(spec) or _is_deep(spec):
        return
    low, high = spec.value_range or (0.0, 255.0)
    warn_user(
        f"PNG files hold 0 to 255 in place of the data's {low:g} to {high:g} "
        f"({spec.dtype}). For the data's own values give a .npz as --out.",
        GanaugWarning,
    )


def _is_picture(spec: DataSpec) -> bool:
    """Tell PIL images of modes with a scale that PNG knows."""
    return spec.container == "pil" and spec.pil_mode not in ("I", "F")


def _is_deep(spec: DataSpec) -> bool:
    """Tell arrays that PNG holds in 16 bits."""
    return spec.container != "pil" and spec.dtype == "uint16" and spec.layout == "HW"


def _to_picture(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Turn one image (C, H, W) into L, LA, RGB or RGBA by its number of channels."""
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    return Image.fromarray(pixels)


# --- places --------------------------------------------------------------------------------------


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _has_entries(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _foreign_file(folder: Path) -> str | None:
    """Find a file that the manifest does not list."""
    lines = (folder / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    try:
        listed = {MANIFEST_NAME, *(json.loads(line)["file"] for line in lines)}
    except (ValueError, KeyError, TypeError):
        return MANIFEST_NAME  # which somebody else has written on
    files = (file for file in sorted(folder.rglob("*")) if not file.is_dir() or file.is_symlink())
    names = (file.relative_to(folder).as_posix() for file in files)
    return next((name for name in names if name not in listed), None)


def _put_in_place(partial: Path, path: Path) -> None:
    """Give what is finished its name; what it replaces goes only afterwards."""
    if _is_archive(path) or not path.exists():
        os.replace(partial, path)
        return
    old = path.absolute().with_name(f".{path.name}-{uuid.uuid4().hex}")
    path.rename(old)
    try:
        partial.rename(path)
    except BaseException:
        old.rename(path)
        raise
    for left in path.absolute().parent.glob(f".{glob.escape(path.name)}-{'[0-9a-f]' * 32}"):
        shutil.rmtree(left, ignore_errors=True)  # and what earlier kills have left


def _remove(partial: Path) -> None:
    """Clear what an earlier kill has left; the manifest, which tells whose it is, goes last."""
    with contextlib.suppress(FileNotFoundError):
        if partial.is_dir():
            for entry in partial.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
            shutil.rmtree(partial)
        else:
            partial.unlink()
