"""Distances in which copies are looked for, and nearest neighbours by them.

Images are compared by what they show: shrunk to at most 12 x 12, centred and scaled to unit
length, so that the distance between two is ``sqrt(2 - 2 r)`` with r their correlation. Brightness,
contrast and noise hardly change it. Tables are compared by their standardised columns.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional

from ganaug.audit.samples import Array

_LONGER_SIDE = 12


def comparison_space(values: Array, reference: Array) -> NDArray[np.float32]:
    """Return samples in the space in which copies are looked for, float32 (n, D).

    Images have length 1 (or 0, where a picture is of one colour). The column means and deviations
    of `reference` standardise a table.
    """
    if values.ndim == 2:
        spread = reference.std(axis=0)
        table = (values - reference.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return np.asarray(table, dtype=np.float32)
    parts = [_image_space(values[start : start + 4096]) for start in range(0, len(values), 4096)]
    return np.concatenate(parts)


def _image_space(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = images.shape[2:]
    scale = min(1.0, _LONGER_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = functional.adaptive_avg_pool2d(torch.tensor(images).float(), size).flatten(1)
    small -= small.mean(dim=1, keepdim=True)
    space: NDArray[np.float32] = functional.normalize(small, eps=1e-3).numpy()
    return space


def nearest_samples(
    queries: NDArray[np.float32], pool: NDArray[np.float32], *, own: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each query's distance to its nearest sample of the pool, and which sample that is.

    `own` is each query's own place in the pool, which is left out; where it is the only one, the
    distance is infinite.
    """
    if not len(queries) or (own is not None and len(pool) < 2):
        return np.full(len(queries), np.inf, np.float32), np.zeros(len(queries), np.int64)
    neighbours = NearestNeighbors(n_neighbors=1 if own is None else 2).fit(pool)
    found = neighbours.kneighbors(queries, return_distance=False)
    nearest: NDArray[np.int64] = found[:, 0]
    if own is not None:
        nearest = np.where(nearest == own, found[:, 1], nearest)
    # Taken anew from the samples themselves, in which small distances are exact.
    distances: NDArray[np.float32] = np.sqrt(((queries - pool[nearest]) ** 2).sum(axis=1))
    return distances, nearest
