"""Real data in the draws that the measurements share.

Rows are ordered by content hash before anything is drawn, so that the same seed draws the same
rows from any copy of a data set, whatever its order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]

DEEPSMOTE_COUNTS = (4000, 2000, 1000, 750, 500, 350, 200, 100, 60, 40)
"""Training rows per class in the protocol of DeepSMOTE (Dablain et al., 2022)."""
DEEPSMOTE_COUNTS_CIFAR10 = (4500, 2000, 1000, 800, 600, 500, 400, 250, 150, 80)
HELD_OUT_PER_CLASS = 500


class Rows(NamedTuple):
    """Images and their labels."""

    X: Array
    y: Labels


@dataclass(frozen=True)
class Draw:
    """One draw from an official training set; the three parts share no row."""

    X: Array
    y: Labels
    X_held_out: Array
    y_held_out: Labels
    X_further: Array
    """As many further rows as are held out: what a real-against-real floor needs."""
    y_further: Labels


@dataclass(frozen=True)
class Parts:
    """The parts of an official training set that the downstream benchmark uses; none overlap."""

    train: Rows
    development: Rows
    """Balanced; on which things are chosen."""
    further: Rows
    """All that is left: real rows for the ceiling."""


def load_torchvision_part(name: str, data_dir: Path, train: bool = True) -> tuple[Array, Labels]:
    """Load a torchvision set's images (n, H, W) and labels, ordered by content hash."""
    from torchvision import datasets

    part = getattr(datasets, name)(data_dir, train=train, download=False)
    X, y = np.asarray(part.data), np.asarray(part.targets, dtype=np.int64)
    order = sorted(range(len(X)), key=content_hashes(X).__getitem__)
    return X[order], y[order]


def load_image_folder(folder: Path) -> tuple[Array, Labels]:
    """Load images (n, H, W, 3) of one size from ``folder/<class>/``, ordered by content hash."""
    classes = sorted(path for path in folder.glob("*") if path.is_dir())
    if not classes:
        raise FileNotFoundError(
            f"{folder} must hold one folder of images per class. Found none: check --data-dir."
        )
    files = [(path, code) for code, c in enumerate(classes) for path in sorted(c.iterdir())]
    X = np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in files])
    y = np.array([code for _, code in files], dtype=np.int64)
    order = sorted(range(len(X)), key=content_hashes(X).__getitem__)
    return X[order], y[order]


def content_hashes(X: Array) -> list[bytes]:
    """Hash each row's content."""
    return [hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest() for row in X]


def distinct(rows: Rows) -> Rows:
    """Order by content hash and keep one of each set of equal images, with the lowest label."""
    hashes = content_hashes(rows.X)
    order = sorted(range(len(hashes)), key=lambda i: (hashes[i], rows.y[i]))
    pairs = zip(order, [None, *order], strict=False)
    kept = [i for i, before in pairs if before is None or hashes[i] != hashes[before]]
    return Rows(rows.X[kept], rows.y[kept])


def without(rows: Rows, others: Rows) -> Rows:
    """Leave out the rows whose image is among the others'."""
    known = set(content_hashes(others.X))
    kept = [i for i, key in enumerate(content_hashes(rows.X)) if key not in known]
    return Rows(rows.X[kept], rows.y[kept])


def draw(X: Array, y: Labels, counts: tuple[int, ...], seed: int) -> Draw:
    """Draw counts[c] training rows of each class c, and two held-out parts of equal classes."""
    rng = np.random.default_rng(seed)
    parts: list[list[Array]] = [[], [], []]
    for code, n in enumerate(counts):
        rows = rng.permutation(np.flatnonzero(y == code))
        ends = np.cumsum([n, HELD_OUT_PER_CLASS, HELD_OUT_PER_CLASS])
        if len(rows) < ends[-1]:
            raise ValueError(f"Class {code} has {len(rows)} rows, {ends[-1]} are needed.")
        for part, chosen in zip(parts, np.split(rows[: ends[-1]], ends[:-1]), strict=True):
            part.append(chosen)
    indices = [np.concatenate(part) for part in parts]
    return Draw(*(array[index] for index in indices for array in (X, y)))


def split_parts(
    rows: Rows, counts: tuple[int, ...], development_per_class: int, seed: int
) -> Parts:
    """Draw counts[c] training rows of each class c, a development set, and keep the rest.

    Where a class has too few rows for both, the training rows are fewer.
    """
    rng = np.random.default_rng(seed)
    parts: list[list[Array]] = [[], [], []]
    for code, n in enumerate(counts):
        members = rng.permutation(np.flatnonzero(rows.y == code))
        n_train = min(n, len(members) - development_per_class)
        if n_train < 1:
            raise ValueError(
                f"Class {code} must have more than the {development_per_class} rows of the "
                f"development set. Got {len(members)}."
            )
        ends = (n_train, n_train + development_per_class)
        for part, chosen in zip(parts, np.split(members, ends), strict=True):
            part.append(chosen)
    indices = [np.concatenate(part) for part in parts]
    return Parts(*(Rows(rows.X[index], rows.y[index]) for index in indices))
