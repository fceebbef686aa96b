"""Measures of how alike, and how varied, two sets of feature vectors are.

They take the features of real and of fake samples, float (n, d) and (m, d), finite, and of more
than `k` samples where `k` says which neighbour sets the radius around a sample. Distances are
computed in blocks, so memory stays within a few tens of megabytes whatever the number of samples;
the kernel distance, of a thousand at most, is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ganaug.audit.samples import Array

_BLOCK_ENTRIES = 4_000_000
"""Entries of one block of distances: 32 MB of float64."""


def kernel_distance(features_real: Array, features_fake: Array) -> float:
    """Return the unbiased squared maximum mean discrepancy; kernel: ``(x @ y / d + 1) ** 3``.

    Around 0, also slightly negative, for samples of one distribution (Binkowski et al., 2018). Its
    expectation does not depend on the number of samples, as that of the Frechet distance does.
    """
    real, fake = (np.asarray(part, dtype=np.float64) for part in (features_real, features_fake))
    within = [
        (_kernel_sum(samples, samples) - _kernel_diagonal_sum(samples)) / (n * (n - 1))
        for samples, n in ((real, len(real)), (fake, len(fake)))
    ]
    return within[0] + within[1] - 2 * _kernel_sum(real, fake) / (len(real) * len(fake))


def neighbourhoods(
    real: Array, fake: Array, *, k: int = 5
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which fakes lie where real samples lie, and which real samples have a fake near them.

    Near a real sample is what is no further away than its `k`-th nearest real neighbour. The mean
    of the first is precision (Kynkaanniemi et al., 2019), of the second coverage (Naeem et al.,
    2020).
    """
    radii = _squared_radii(real, k)
    is_inside, is_covered = np.zeros(len(fake), dtype=bool), np.zeros(len(real), dtype=bool)
    for part, block in _squared_distances(real, fake):
        is_near = block <= radii[part, None]
        is_inside |= is_near.any(axis=0)
        is_covered[part] = is_near.any(axis=1)
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
    radii = _squared_radii(real, k)
    typical = radii <= np.median(radii)
    real, radii = real[typical], radii[typical]
    scores = np.empty(len(fake))
    for part, block in _squared_distances(fake, real):
        scores[part] = (radii / np.maximum(block, 1e-12)).max(axis=1)
    return np.sqrt(scores)


def _mean_pairwise_distance(samples: Array) -> float:
    """Mean Euclidean distance over all pairs of different samples."""
    total = sum(float(np.sqrt(block).sum()) for _, block in _squared_distances(samples, samples))
    return total / (len(samples) * (len(samples) - 1))


def _squared_distances(
    samples: Array, others: Array
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield (which samples, their squared distances to all others), block by block.

    When `others` is `samples`, the distance of a sample to itself is exactly 0.
    """
    # Centred, since for features far from the origin no digits would be left.
    centre = others.mean(axis=0, dtype=np.float64)
    same = samples is others
    samples, others = samples - centre, others - centre
    norms, other_norms = (samples**2).sum(axis=1), (others**2).sum(axis=1)
    step = max(1, _BLOCK_ENTRIES // len(others))
    for start in range(0, len(samples), step):
        part = slice(start, min(start + step, len(samples)))
        block = samples[part] @ others.T
        block *= -2
        block += norms[part, None]
        block += other_norms
        np.maximum(block, 0.0, out=block)
        if same:
            block[np.arange(len(block)), np.arange(part.start, part.stop)] = 0.0
        yield part, block


def _squared_radii(samples: Array, k: int) -> NDArray[np.float64]:
    """Squared distance from each sample to its k-th nearest other sample."""
    radii = np.empty(len(samples))
    for part, block in _squared_distances(samples, samples):
        radii[part] = np.partition(block, k, axis=1)[:, k]  # place 0 is the sample itself
    return radii


def _kernel_sum(samples: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Sum of the cubic kernel over all pairs."""
    values = samples @ others.T / samples.shape[1] + 1
    return float((values * values * values).sum())  # several times as fast as `values ** 3`


def _kernel_diagonal_sum(samples: NDArray[np.float64]) -> float:
    return float((((samples**2).sum(axis=1) / samples.shape[1] + 1) ** 3).sum())
