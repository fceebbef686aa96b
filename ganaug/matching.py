"""Low-level statistics of added images, matched to those of the real images of their class.

Whatever is added to rare classes alone must not be told from real images by how its pixels look, or
a classifier learns 'looks processed = rare class'. Real pictures often have pixels of exactly the
darkest or brightest value, and few distinct values; a generator's have values nearby, and an
interpolated picture blends them. Matching these shares was worth more than a point to a forest
(docs/experiments.md); matching whole histograms overdid it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.inputs.training_set import FEW_LEVELS

Array = npt.NDArray[Any]
Lookup = npt.NDArray[np.uint8]
"""(n_channels, 256): the value that each value becomes."""


CHUNK = 2**16
"""Pixels counted at a time: NumPy counts in eight bytes what is held in one."""


@dataclass(frozen=True)
class PixelStatistics:
    """Darkest and brightest value of real images, and the grid of their values.

    `low`, `high` (uint8 (n_channels,)): darkest and brightest value of the real images. `grid`:
    sorted distinct values, where there are few.
    """

    low: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]
    grid: npt.NDArray[np.uint8] | None

    @classmethod
    def fit(cls, values: Array) -> PixelStatistics:
        """Measure real images.

        `values`: uint8 (n, C, H, W).

        Examples
        --------
        >>> import numpy as np
        >>> real = np.zeros((2, 1, 8, 8), dtype=np.uint8)
        >>> real[..., 4:] = 200
        >>> statistics = PixelStatistics.fit(real)
        >>> added = np.linspace(3, 190, 64).round().astype(np.uint8).reshape(1, 1, 8, 8)
        >>> matched = apply_lookup(statistics.lookup(added, real), added)
        >>> np.unique(matched, return_counts=True)
        (array([  0, 200], dtype=uint8), array([32, 32]))
        """
        by_channel = (0, 2, 3)
        levels = np.flatnonzero(_count_values(values).sum(axis=0)).astype(np.uint8)
        return cls(
            values.min(axis=by_channel),
            values.max(axis=by_channel),
            levels if len(levels) <= FEW_LEVELS else None,
        )

    def lookup(self, added: Array, real: Array) -> Lookup:
        """Find what each value of added images must become for their shares to match.

        One lookup serves all images of a class: images differ in how much of them is background.

        `added` (uint8 (n, C, H, W)): added images, as many as there are to measure on. `real`
        (uint8 (m, C, H, W)): the images that they were made from, or all of their class. Returns:
        uint8 (C, 256): rises with the value.
        """
        counts, wanted = _count_values(added), _count_values(real)
        channels = range(added.shape[1])
        return np.stack([self._lookup_channel(counts[c], wanted[c], c) for c in channels])

    def _lookup_channel(
        self, counts: npt.NDArray[np.int64], real: npt.NDArray[np.int64], channel: int
    ) -> npt.NDArray[np.uint8]:
        low, high = int(self.low[channel]), int(self.high[channel])
        # how many of the lowest (highest) values must become the extreme one
        n_low = _nearest(counts, real[low] / real.sum())
        n_high = _nearest(counts[::-1], real[high] / real.sum())
        between = np.clip(np.arange(256), low, high)
        if high - low >= 2:  # what is not extreme stays off it
            between = between.clip(low + 1, high - 1)
        lookup = self._to_grid(between, low, high)
        lookup[256 - n_high :] = high
        lookup[:n_low] = low
        return lookup.astype(np.uint8)

    def _to_grid(self, values: npt.NDArray[np.int64], low: int, high: int) -> npt.NDArray[np.int64]:
        """Round to the nearest value of the grid that is not extreme."""
        if self.grid is None:
            return values
        grid = self.grid.astype(np.int64)
        grid = grid[(grid > low) & (grid < high)]
        if not len(grid):
            return np.where(values - low < high - values, low, high)
        return grid[np.searchsorted((grid[:-1] + grid[1:]) / 2, values)]


def apply_lookup(lookup: Lookup, values: Array) -> Array:
    """Replace the values of images.

    `lookup`: uint8 (C, 256). `values`: uint8 (n, C, H, W). Returns: uint8 (n, C, H, W).
    """
    if len(lookup) == 1:
        matched: Array = lookup[0][values]
        return matched
    channels = [lookup[c][values[:, c]] for c in range(len(lookup))]
    return np.stack(channels, axis=1)


def _nearest(counts: npt.NDArray[np.int64], share: float) -> int:
    """Give how many of the values, from the first on, have a share nearest to the one wanted."""
    shares = np.concatenate([[0.0], counts.cumsum() / counts.sum()])
    return int(np.abs(shares - share).argmin())


def _count_values(values: Array) -> npt.NDArray[np.int64]:
    """Count how often each of the 256 values occurs, by channel: (C, 256)."""
    counts = np.zeros((values.shape[1], 256), dtype=np.int64)
    step = max(1, CHUNK // (values.shape[2] * values.shape[3]))
    for channel in range(values.shape[1]):
        for start in range(0, len(values), step):
            pixels = values[start : start + step, channel].ravel()
            counts[channel] += np.bincount(pixels, minlength=256)
    return counts
