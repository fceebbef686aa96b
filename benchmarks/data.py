"""Real data in the draws that the measurements share.

Rows are ordered by content hash before anything is drawn, so that the same seed draws the same
rows from any copy of a data set, whatever its order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]

DEEPSMOTE_COUNTS = (4000, 2000, 1000, 750, 500, 350, 200, 100, 60, 40)
"""Training rows per class in the protocol of DeepSMOTE (Dablain et al., 2022)."""
HELD_OUT_PER_CLASS = 500


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


def load_torchvision_part(name: str, data_dir: Path, train: bool = True) -> tuple[Array, Labels]:
    """Load a torchvision set's images (n, H, W) and labels, ordered by content hash."""
    from torchvision import datasets

    part = getattr(datasets, name)(data_dir, train=train, download=False)
    X, y = np.asarray(part.data), np.asarray(part.targets, dtype=np.int64)
    order = sorted(range(len(X)), key=lambda row: hashlib.sha256(X[row].tobytes()).digest())
    return X[order], y[order]


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
