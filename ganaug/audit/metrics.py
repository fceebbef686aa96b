"""Measures of how alike, and how varied, two sets of feature vectors are.

The measures take the features of real and of fake samples, float (n, d) and (m, d), and return
plain numbers; `k` says which neighbour sets the radius around a sample, and more than `k` samples
are needed. Distances are computed in blocks, so memory stays within a few tens of megabytes
whatever the number of samples.

Frechet and kernel distance are written out here (and checked against torchmetrics in the tests)
because training needs them without the report's dependencies, and because torchmetrics' kernel
distance draws its subsets from torch's global random state, which this package leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganaug.audit.samples import Array
from ganaug.exceptions import InvalidInputError

_BLOCK_ENTRIES = 4_000_000
"""Entries of one block of distances: 32 MB of float64."""


def frechet_distance(features_real: Array, features_fake: Array) -> float:
    """Return the Frechet distance between Gaussians fitted to two sets of features.

    ``|mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2))``. With Inception
    features this is the FID; here any features may be used. The value depends on the number of
    samples (few samples give larger values), so compare it only with values at the same sizes.

    Returns: 0 for equal means and covariances, unbounded above, in squared feature units.

    References
    ----------
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", NeurIPS 2017. Dowson and Landau, "The Frechet distance between multivariate
    normal distributions", 1982.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(size=(100, 2))
    >>> round(frechet_distance(samples, samples + [3.0, 4.0]), 6)
    25.0
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=2)
    mean_gap = real.mean(axis=0) - fake.mean(axis=0)
    cov_real, cov_fake = _covariance(real), _covariance(fake)
    # The trace of (AB)^(1/2) equals that of the symmetric (A^(1/2) B A^(1/2))^(1/2), whose
    # eigenvalues stay real even for singular covariances.
    root = _symmetric_root(cov_real)
    eigenvalues = np.linalg.eigvalsh(root @ cov_fake @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()
    distance = mean_gap @ mean_gap + np.trace(cov_real) + np.trace(cov_fake) - 2 * cross
    return max(0.0, float(distance))


def kernel_distance(features_real: Array, features_fake: Array) -> float:
    """Return the unbiased squared maximum mean discrepancy with a cubic polynomial kernel.

    The kernel is ``(x @ y / d + 1) ** 3``; with Inception features this is the KID. Unlike the
    Frechet distance its expectation does not depend on the number of samples, which makes it the
    one to read for small classes.

    Returns: around 0 (also slightly negative) for samples of one distribution, unbounded above.

    References
    ----------
    Binkowski et al., "Demystifying MMD GANs", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(size=(400, 2))
    >>> same = kernel_distance(samples[:200], samples[200:])
    >>> abs(same) < kernel_distance(samples, samples + 1) / 10
    True
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=2)
    n, m = len(real), len(fake)
    within_real = (_kernel_sum(real, real) - _kernel_diagonal_sum(real)) / (n * (n - 1))
    within_fake = (_kernel_sum(fake, fake) - _kernel_diagonal_sum(fake)) / (m * (m - 1))
    return within_real + within_fake - 2 * _kernel_sum(real, fake) / (n * m)


class PrecisionRecall(NamedTuple):
    """Shares of fake samples near real ones (precision), and of real near fake ones (recall)."""

    precision: float
    recall: float


def precision_recall(features_real: Array, features_fake: Array, *, k: int = 5) -> PrecisionRecall:
    """Return improved precision (fidelity) and recall (variety).

    A sample counts as near a set when it lies within the distance from some sample of that set to
    its `k`-th nearest neighbour there.

    Returns: both from 0 to 1. Real samples against other real samples give less than 1: see
    `compare_with_floor`.

    References
    ----------
    Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models",
    NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(size=(100, 2))
    >>> precision_recall(samples, np.full((50, 2), 0.1))
    PrecisionRecall(precision=1.0, recall=0.0)
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=k + 1)
    radii_real, radii_fake = _squared_radii(real, k), _squared_radii(fake, k)
    near_fake = np.zeros(len(real), dtype=bool)
    near_real = np.zeros(len(fake), dtype=bool)
    for part, block in _squared_distances(real, fake):
        near_real |= (block <= radii_real[part, None]).any(axis=0)
        near_fake[part] = (block <= radii_fake).any(axis=1)
    return PrecisionRecall(float(near_real.mean()), float(near_fake.mean()))


class DensityCoverage(NamedTuple):
    """How crowded with real samples the fakes' places are, and the share of these reached."""

    density: float
    coverage: float


def density_coverage(features_real: Array, features_fake: Array, *, k: int = 5) -> DensityCoverage:
    """Return density (fidelity) and coverage (variety), which outliers disturb less.

    Both draw balls around real samples only, up to their `k`-th nearest real neighbour. Density is
    the mean number of balls that hold a fake sample, divided by `k`; coverage is the share of balls
    that hold at least one fake sample.

    Returns: density from 0, about 1 for samples of one distribution, above 1 for fakes that crowd
    where real samples do. Coverage from 0 to 1.

    References
    ----------
    Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(size=(100, 2))
    >>> density_coverage(samples, samples + 100)
    DensityCoverage(density=0.0, coverage=0.0)
    """
    n_inside = fakes_inside(features_real, features_fake, k=k)
    density = n_inside.sum() / (k * len(features_fake))
    return DensityCoverage(float(density), float((n_inside > 0).mean()))


def fakes_inside(features_real: Array, features_fake: Array, *, k: int = 5) -> NDArray[np.int64]:
    """Count, per real sample, the fakes no further away than its `k`-th nearest real neighbour.

    Returns: int64 (n,); the share above 0 is the coverage.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.arange(8.0)[:, None]
    >>> fakes_inside(samples, np.array([[0.0], [0.0]]), k=2)
    array([2, 2, 0, 0, 0, 0, 0, 0])
    """
    real, fake = feature_pair(features_real, features_fake, min_samples=k + 1, min_fake=1)
    radii = _squared_radii(real, k)
    counts = np.empty(len(real), dtype=np.int64)
    for part, block in _squared_distances(real, fake):
        counts[part] = (block <= radii[part, None]).sum(axis=1)
    return counts


def within_class_variety(features_real_c: Array, features_fake_c: Array) -> float:
    """Return the mean distance between fake samples of a class over that between its real samples.

    Returns: 1 when the fakes are as varied as the real samples, 0 when they are all the same, NaN
    when the real samples are all the same.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(size=(100, 8))
    >>> round(within_class_variety(samples, samples / 2), 6)
    0.5
    """
    real, fake = feature_pair(features_real_c, features_fake_c, min_samples=2)
    spread = _mean_pairwise_distance(real)
    return _mean_pairwise_distance(fake) / spread if spread > 0 else float("nan")


def realism(features_real: Array, features_fake: Array, *, k: int = 5) -> NDArray[np.float64]:
    """Return how realistic each fake sample is: above 1 inside the real samples' neighbourhoods.

    The score is the greatest ratio, over real samples, of that sample's radius (distance to its
    `k`-th nearest real neighbour) to its distance from the fake sample. Real samples with radii
    above the median are left out, since outliers would make everything near them look real.

    Returns: float64 (m,), from 0.

    References
    ----------
    Kynkaanniemi et al., NeurIPS 2019, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.random.default_rng(0).normal(size=(100, 2))
    >>> inside, outside = realism(samples, np.array([[0.0, 0.0], [9.0, 9.0]]))
    >>> bool(inside > 1 > outside)
    True
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
    step = max(1, _BLOCK_ENTRIES // max(1, len(others)))
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
    step = max(1, _BLOCK_ENTRIES // len(others))
    total = 0.0
    for start in range(0, len(samples), step):
        block = samples[start : start + step] @ others.T
        block /= samples.shape[1]
        block += 1
        total += float((block * block * block).sum())  # several times as fast as `block ** 3`
    return total


def _kernel_diagonal_sum(samples: NDArray[np.float64]) -> float:
    return float((((samples**2).sum(axis=1) / samples.shape[1] + 1) ** 3).sum())


def _covariance(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.atleast_2d(np.cov(samples, rowvar=False))


def _symmetric_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root


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
