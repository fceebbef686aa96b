"""Measures of how alike, and how varied, two sets of feature vectors are.

The measures take the features of real and of fake samples, float (n, d) and (m, d), and return
plain numbers; `k` says which neighbour sets the radius around a sample, and more than `k` samples
are needed. Distances are computed in blocks, so memory stays within a few tens of megabytes
whatever the number of samples; the kernel distance, of a thousand at most, is not.

Frechet and kernel distance are written out here (and checked against torchmetrics in the tests)
because training needs them without the report's dependencies, and because torchmetrics' kernel
distance draws its subsets from torch's global random state, which this package leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ganaug.audit.samples import Array
from ganaug.exceptions import InvalidInputError

_BLOCK_ENTRIES = 4_000_000
"""Entries of one block of distances: 32 MB of float64."""


def frechet_distance(features_real: Array, features_fake: Array) -> float:
    """Return the Frechet distance between Gaussians fitted to two sets of features, 0 at best.

    ``|mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2))`` (Heusel et al., 2017).
    Few samples give larger values, so compare it only with values at the same sizes.
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=2)
    mean_gap = real.mean(axis=0) - fake.mean(axis=0)
    cov_real, cov_fake = (np.atleast_2d(np.cov(samples, rowvar=False)) for samples in (real, fake))
    # The trace of (AB)^(1/2) equals that of the symmetric (A^(1/2) B A^(1/2))^(1/2), whose
    # eigenvalues stay real even for singular covariances.
    values, vectors = np.linalg.eigh(cov_real)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ cov_fake @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()
    distance = mean_gap @ mean_gap + np.trace(cov_real) + np.trace(cov_fake) - 2 * cross
    return max(0.0, float(distance))


def kernel_distance(features_real: Array, features_fake: Array) -> float:
    """Return the unbiased squared maximum mean discrepancy; kernel: ``(x @ y / d + 1) ** 3``.

    Around 0, also slightly negative, for samples of one distribution (Binkowski et al., 2018). Its
    expectation does not depend on the number of samples: the one to read for small classes.
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=2)
    within = [
        (_kernel_sum(samples, samples) - _kernel_diagonal_sum(samples)) / (n * (n - 1))
        for samples, n in ((real, len(real)), (fake, len(fake)))
    ]
    return within[0] + within[1] - 2 * _kernel_sum(real, fake) / (len(real) * len(fake))


def precision_recall(
    features_real: Array, features_fake: Array, *, k: int = 5
) -> tuple[float, float]:
    """Return improved precision (fidelity) and recall (variety): Kynkaanniemi et al., 2019.

    The shares of fake samples near real ones, and of real samples near fake ones. A sample is near
    a set when it lies within the distance from some sample of that set to its `k`-th nearest
    neighbour there.
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=k + 1)
    radii_real, radii_fake = _squared_radii(real, k), _squared_radii(fake, k)
    near_fake = np.zeros(len(real), dtype=bool)
    near_real = np.zeros(len(fake), dtype=bool)
    for part, block in _squared_distances(real, fake):
        near_real |= (block <= radii_real[part, None]).any(axis=0)
        near_fake[part] = (block <= radii_fake).any(axis=1)
    return float(near_real.mean()), float(near_fake.mean())


def density_coverage(
    features_real: Array, features_fake: Array, *, k: int = 5
) -> tuple[float, float]:
    """Return density (fidelity) and coverage (variety): Naeem et al., 2020.

    Density is the mean number of balls, around real samples up to their `k`-th nearest real
    neighbour, that hold a fake sample, divided by `k`: about 1 for samples of one distribution,
    more for fakes that crowd. Coverage is the share of these balls that hold a fake sample.
    """
    n_inside = fakes_inside(features_real, features_fake, k=k)
    return float(n_inside.sum() / (k * len(features_fake))), float((n_inside > 0).mean())


def fakes_inside(features_real: Array, features_fake: Array, *, k: int = 5) -> NDArray[np.int64]:
    """Count, per real sample, the fakes no further away than its `k`-th nearest real neighbour."""
    real, fake = feature_pair(features_real, features_fake, min_samples=k + 1, min_fake=1)
    radii = _squared_radii(real, k)
    counts = np.empty(len(real), dtype=np.int64)
    for part, block in _squared_distances(real, fake):
        counts[part] = (block <= radii[part, None]).sum(axis=1)
    return counts


def within_class_variety(features_real_c: Array, features_fake_c: Array) -> float:
    """Return the mean distance between fake samples of a class over that between its real samples.

    NaN when the real samples are all the same.
    """
    real, fake = feature_pair(features_real_c, features_fake_c, min_samples=2)
    spread = _mean_pairwise_distance(real)
    return _mean_pairwise_distance(fake) / spread if spread > 0 else float("nan")


def realism(features_real: Array, features_fake: Array, *, k: int = 5) -> NDArray[np.float64]:
    """Return how realistic each fake sample is: above 1 inside the real samples' neighbourhoods.

    The greatest ratio, over real samples, of that sample's radius (distance to its `k`-th nearest
    real neighbour) to its distance from the fake one (Kynkaanniemi et al., 2019). Real samples with
    radii above the median are left out: outliers would make everything near them look real.
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=k + 1, min_fake=1)
    radii = _squared_radii(real, k)
    typical = radii <= np.median(radii)
    real, radii = real[typical], radii[typical]
    scores = np.empty(len(fake))
    for part, block in _squared_distances(fake, real):
        scores[part] = (radii / np.maximum(block, 1e-12)).max(axis=1)
    return np.sqrt(scores)


def _mean_pairwise_distance(samples: NDArray[np.float64]) -> float:
    """Mean Euclidean distance over all pairs of different samples."""
    total = sum(float(np.sqrt(block).sum()) for _, block in _squared_distances(samples, samples))
    return total / (len(samples) * (len(samples) - 1))


def _squared_distances(
    samples: NDArray[np.float64], others: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield (which samples, their squared distances to all others), block by block.

    When `others` is `samples`, the distance of a sample to itself is exactly 0.
    """
    centre = others.mean(axis=0)  # keeps cancellation small for features far from the origin
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


def _squared_radii(samples: NDArray[np.float64], k: int) -> NDArray[np.float64]:
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


def feature_pair(
    features_real: Array, features_fake: Array, *, min_samples: int, min_fake: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check both sets and return them as float64."""
    pair = []
    needed = {"real": min_samples, "fake": min_samples if min_fake is None else min_fake}
    for name, features in (("real", features_real), ("fake", features_fake)):
        samples = np.asarray(features, dtype=np.float64)
        if samples.ndim != 2 or len(samples) < needed[name]:
            raise InvalidInputError(
                f"`features_{name}` must be a 2-D array of at least {needed[name]} samples. "
                f"Got shape {samples.shape} instead."
            )
        if not np.isfinite(samples).all():
            raise InvalidInputError(
                f"`features_{name}` must be finite. Got NaN or infinite values instead."
            )
        pair.append(samples)
    real, fake = pair
    if real.shape[1] != fake.shape[1]:
        raise InvalidInputError(
            "`features_real` and `features_fake` must have the same number of columns. "
            f"Got {real.shape[1]} and {fake.shape[1]} instead."
        )
    return real, fake
