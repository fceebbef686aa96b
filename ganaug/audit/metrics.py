"""Measures of how alike, and how varied, two sets of feature vectors are.

They take the features of real and of fake samples, float (n, d) and (m, d), finite, and of more
than `k` samples where `k` says which neighbour sets the radius around a sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_chunked
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from ganaug.audit.samples import Array


def kernel_distance(features_real: Array, features_fake: Array) -> float:
    """Return the unbiased squared maximum mean discrepancy; kernel: ``(x @ y / d + 1) ** 3``.

    Around 0, also slightly negative, for samples of one distribution (Binkowski et al., 2018). Its
    expectation does not depend on the number of samples, as that of the Frechet distance does.
    """
    real, fake = (np.asarray(part, dtype=np.float64) for part in (features_real, features_fake))
    within = []
    for samples in (real, fake):
        kernel, n = polynomial_kernel(samples), len(samples)
        within.append((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
    return float(sum(within) - 2 * polynomial_kernel(real, fake).mean())


def neighbourhoods(
    real: Array, fake: Array, *, k: int = 5
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which fakes lie where real samples lie, and which real samples have a fake near them.

    Near a real sample is what is no further away than its `k`-th nearest real neighbour. The mean
    of the first is precision (Kynkaanniemi et al., 2019), of the second coverage (Naeem et al.,
    2020).
    """
    radii = _radii(real, k)
    is_inside, is_covered = np.zeros(len(fake), dtype=bool), np.zeros(len(real), dtype=bool)
    start = 0
    for block in _distances(real, fake):
        part = slice(start, start + len(block))
        is_near = block <= radii[part, None]
        is_inside |= is_near.any(axis=0)
        is_covered[part] = is_near.any(axis=1)
        start = part.stop
    return is_inside, is_covered


def within_class_variety(real: Array, fake: Array) -> float:
    """Return the mean distance between fake samples of a class over that between its real samples.

    NaN when the real samples are all the same.
    """
    spread = _mean_pairwise_distance(real)
    return _mean_pairwise_distance(fake) / spread if spread > 0 else float("nan")


def realism(real: Array, fake: Array, *, k: int = 5) -> NDArray[np.float64]:
    """Return how realistic each fake sample is: above 1 inside the real samples' neighbourhoods.

    The greatest ratio, over real samples, of that sample's radius (distance to its `k`-th nearest
    real neighbour) to its distance from the fake one (Kynkaanniemi et al., 2019). Real samples with
    radii above the median are left out: outliers would make everything near them look real.
    """
    radii = _radii(real, k)
    typical = radii <= np.median(radii)
    blocks = _distances(fake, real[typical])
    ratios = [(radii[typical] / np.maximum(block, 1e-6)).max(axis=1) for block in blocks]
    return np.concatenate(ratios)


def _mean_pairwise_distance(samples: Array) -> float:
    """Mean Euclidean distance over all pairs of different samples."""
    total = sum(float(block.sum()) for block in _distances(samples, samples))
    return total / (len(samples) * (len(samples) - 1))


def _distances(samples: Array, others: Array) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of lines, a line a sample, of the distances to all others."""
    # Centred, since for features far from the origin no digits would be left.
    centre = others.mean(axis=0, dtype=np.float64)
    other = None if samples is others else others - centre
    blocks: Iterator[NDArray[np.float64]] = pairwise_distances_chunked(samples - centre, other)
    return blocks


def _radii(samples: Array, k: int) -> NDArray[np.float64]:
    """Distance from each sample to its k-th nearest other sample."""
    centred = samples - samples.mean(axis=0, dtype=np.float64)
    found: NDArray[np.float64] = NearestNeighbors(n_neighbors=k).fit(centred).kneighbors()[0]
    return found[:, -1]
