"""Measures of how alike, and how varied, two sets of feature vectors are.

The measures take float arrays (n, d) and return plain numbers. Distances between rows are
computed in blocks, so memory stays within a few tens of megabytes whatever the number of rows.

A number alone says little: most of these depend on how many rows went in. `compare_with_floor`
therefore measures real rows against other real rows at the same sizes, beside real against fake.

Frechet and kernel distance are written out here (and checked against torchmetrics in the tests)
because training needs them without the report's dependencies, and because torchmetrics' kernel
distance draws its subsets from torch's global random state, which this package leaves alone.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ganaug.exceptions import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Measure = Callable[[NDArray[Any], NDArray[Any]], Mapping[str, float]]

__all__ = [
    "ClassScores",
    "Comparison",
    "DensityCoverage",
    "PrecisionRecall",
    "compare_repeats",
    "compare_with_floor",
    "density_coverage",
    "fakes_inside",
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
    "realism",
    "recall_scores",
    "wilson_interval",
    "within_class_variety",
]

_BLOCK_ENTRIES = 4_000_000
"""Entries of one block of distances: 32 MB of float64."""


def frechet_distance(features_real: NDArray[Any], features_fake: NDArray[Any]) -> float:
    """Return the Frechet distance between Gaussians fitted to two sets of features.

    ``|mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2))``. With Inception
    features this is the FID; here any features may be used. The value depends on the number of
    rows (few rows give larger values), so compare it only with values at the same sizes.

    Parameters
    ----------
    features_real, features_fake : numpy.ndarray
        Float (n, d) and (m, d), at least two rows each.

    Returns
    -------
    float
        0 for equal means and covariances, unbounded above, in squared feature units.

    References
    ----------
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", NeurIPS 2017. Dowson and Landau, "The Frechet distance between multivariate
    normal distributions", 1982.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(100, 2))
    >>> round(frechet_distance(rows, rows + [3.0, 4.0]), 6)
    25.0
    """
    real, fake = _feature_pair(features_real, features_fake, min_rows=2)
    mean_gap = real.mean(axis=0) - fake.mean(axis=0)
    cov_real, cov_fake = _covariance(real), _covariance(fake)
    # The trace of (AB)^(1/2) equals that of the symmetric (A^(1/2) B A^(1/2))^(1/2), whose
    # eigenvalues stay real even for singular covariances.
    root = _symmetric_root(cov_real)
    eigenvalues = np.linalg.eigvalsh(root @ cov_fake @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()
    distance = mean_gap @ mean_gap + np.trace(cov_real) + np.trace(cov_fake) - 2 * cross
    return max(0.0, float(distance))


def kernel_distance(features_real: NDArray[Any], features_fake: NDArray[Any]) -> float:
    """Return the unbiased squared maximum mean discrepancy with a cubic polynomial kernel.

    The kernel is ``(x @ y / d + 1) ** 3``; with Inception features this is the KID. Unlike the
    Frechet distance its expectation does not depend on the number of rows, which makes it the
    one to read for small classes.

    Parameters
    ----------
    features_real, features_fake : numpy.ndarray
        Float (n, d) and (m, d), at least two rows each.

    Returns
    -------
    float
        Around 0 (also slightly negative) for rows of one distribution, unbounded above.

    References
    ----------
    Binkowski et al., "Demystifying MMD GANs", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(400, 2))
    >>> abs(kernel_distance(rows[:200], rows[200:])) < kernel_distance(rows, rows + 1) / 10
    True
    """
    real, fake = _feature_pair(features_real, features_fake, min_rows=2)
    n, m = len(real), len(fake)
    within_real = (_kernel_sum(real, real) - _kernel_diagonal_sum(real)) / (n * (n - 1))
    within_fake = (_kernel_sum(fake, fake) - _kernel_diagonal_sum(fake)) / (m * (m - 1))
    return within_real + within_fake - 2 * _kernel_sum(real, fake) / (n * m)


class PrecisionRecall(NamedTuple):
    """Shares of fake rows near real ones (precision), and of real rows near fake ones (recall)."""

    precision: float
    recall: float


def precision_recall(
    features_real: NDArray[Any], features_fake: NDArray[Any], *, k: int = 5
) -> PrecisionRecall:
    """Return improved precision (fidelity) and recall (variety).

    A row counts as near a set when it lies within the distance from some row of that set to its
    `k`-th nearest neighbour there.

    Parameters
    ----------
    features_real, features_fake : numpy.ndarray
        Float (n, d) and (m, d), more than `k` rows each.
    k : int, default 5
        Which neighbour sets the radius around a row.

    Returns
    -------
    PrecisionRecall
        Both from 0 to 1. Real rows against other real rows give less than 1: see
        `compare_with_floor`.

    References
    ----------
    Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models",
    NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(100, 2))
    >>> precision_recall(rows, np.full((50, 2), 0.1))
    PrecisionRecall(precision=1.0, recall=0.0)
    """
    real, fake = _feature_pair(features_real, features_fake, min_rows=k + 1)
    radii_real, radii_fake = _squared_radii(real, k), _squared_radii(fake, k)
    near_fake = np.zeros(len(real), dtype=bool)
    near_real = np.zeros(len(fake), dtype=bool)
    for part, block in _squared_distances(real, fake):
        near_real |= (block <= radii_real[part, None]).any(axis=0)
        near_fake[part] = (block <= radii_fake).any(axis=1)
    return PrecisionRecall(float(near_real.mean()), float(near_fake.mean()))


class DensityCoverage(NamedTuple):
    """How crowded with real rows the fakes' places are, and the share of real rows reached."""

    density: float
    coverage: float


def density_coverage(
    features_real: NDArray[Any], features_fake: NDArray[Any], *, k: int = 5
) -> DensityCoverage:
    """Return density (fidelity) and coverage (variety), which outliers disturb less.

    Both draw balls around real rows only, up to their `k`-th nearest real neighbour. Density is
    the mean number of balls that hold a fake row, divided by `k`; coverage is the share of balls
    that hold at least one fake row.

    Parameters
    ----------
    features_real, features_fake : numpy.ndarray
        Float (n, d) and (m, d), more than `k` real rows and at least one fake row.
    k : int, default 5
        Which neighbour sets the radius around a real row.

    Returns
    -------
    DensityCoverage
        Density from 0, about 1 for rows of one distribution, above 1 for fakes that crowd where
        real rows do. Coverage from 0 to 1.

    References
    ----------
    Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(100, 2))
    >>> density_coverage(rows, rows + 100)
    DensityCoverage(density=0.0, coverage=0.0)
    """
    n_inside = fakes_inside(features_real, features_fake, k=k)
    density = n_inside.sum() / (k * len(features_fake))
    return DensityCoverage(float(density), float((n_inside > 0).mean()))


def fakes_inside(
    features_real: NDArray[Any], features_fake: NDArray[Any], *, k: int = 5
) -> NDArray[np.int64]:
    """Count, per real row, the fake rows no further away than its `k`-th nearest real neighbour.

    Parameters
    ----------
    features_real, features_fake, k
        As for `density_coverage`.

    Returns
    -------
    numpy.ndarray
        int64 (n,); the share above 0 is the coverage.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.arange(8.0)[:, None]
    >>> fakes_inside(rows, np.array([[0.0], [0.0]]), k=2)
    array([2, 2, 0, 0, 0, 0, 0, 0])
    """
    real, fake = _feature_pair(features_real, features_fake, min_rows=k + 1, min_fake_rows=1)
    radii = _squared_radii(real, k)
    counts = np.empty(len(real), dtype=np.int64)
    for part, block in _squared_distances(real, fake):
        counts[part] = (block <= radii[part, None]).sum(axis=1)
    return counts


def within_class_variety(features_real_c: NDArray[Any], features_fake_c: NDArray[Any]) -> float:
    """Return the mean distance between fake rows of a class over that between its real rows.

    Parameters
    ----------
    features_real_c, features_fake_c : numpy.ndarray
        Float (n, d) and (m, d): the rows of one class, at least two each.

    Returns
    -------
    float
        1 when the fakes are as varied as the real rows, 0 when they are all the same, NaN when
        the real rows are all the same.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(100, 8))
    >>> round(within_class_variety(rows, rows / 2), 6)
    0.5
    """
    real, fake = _feature_pair(features_real_c, features_fake_c, min_rows=2)
    spread = _mean_pairwise_distance(real)
    return _mean_pairwise_distance(fake) / spread if spread > 0 else float("nan")


def realism(
    features_real: NDArray[Any], features_fake: NDArray[Any], *, k: int = 5
) -> NDArray[np.float64]:
    """Return how realistic each fake row is: above 1 inside the real rows' neighbourhoods.

    The score is the greatest ratio, over real rows, of that row's radius (distance to its `k`-th
    nearest real neighbour) to its distance from the fake row. Real rows with radii above the
    median are left out, since outliers would make everything near them look real.

    Parameters
    ----------
    features_real, features_fake : numpy.ndarray
        Float (n, d) and (m, d), more than `k` real rows and at least one fake row.
    k : int, default 5
        Which neighbour sets the radius around a real row.

    Returns
    -------
    numpy.ndarray
        float64 (m,), from 0.

    References
    ----------
    Kynkaanniemi et al., NeurIPS 2019, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(100, 2))
    >>> inside, outside = realism(rows, np.array([[0.0, 0.0], [9.0, 9.0]]))
    >>> bool(inside > 1 > outside)
    True
    """
    real, fake = _feature_pair(features_real, features_fake, min_rows=k + 1, min_fake_rows=1)
    radii = _squared_radii(real, k)
    typical = radii <= np.median(radii)
    real, radii = real[typical], radii[typical]
    scores = np.empty(len(fake))
    for part, block in _squared_distances(fake, real):
        scores[part] = (radii / np.maximum(block, 1e-12)).max(axis=1)
    return np.sqrt(scores)


@dataclass(frozen=True)
class Comparison:
    """One measure of fake rows beside the same measure of real rows.

    Attributes
    ----------
    value, low, high : float
        Real against fake: mean over the repeats, and the middle 95% of them.
    floor, floor_low, floor_high : float
        Real against other real rows, in the same way.
    gap_low, gap_high : float
        Middle 95% of the difference (value minus floor) over the repeats, which share their rows.
    n_rows : int
        Rows on each side in every repeat.
    """

    value: float
    low: float
    high: float
    floor: float
    floor_low: float
    floor_high: float
    gap_low: float
    gap_high: float
    n_rows: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


def compare_with_floor(
    features_real: NDArray[Any],
    features_fake: NDArray[Any],
    measure: Measure,
    *,
    rng: np.random.Generator,
    n_repeats: int = 20,
    max_rows: int = 500,
) -> dict[str, Comparison]:
    """Measure fake rows against real ones, beside real rows against other real rows.

    Each repeat cuts the real rows at random into two halves, takes as many fake rows, and
    measures (one half, other half) and (one half, fakes). Sizes are the same on all sides because
    most measures depend on them. The spread over half-samples estimates the sampling error of
    measures on all rows; a bootstrap would not do here, since it repeats rows, and a repeated row
    is its own nearest neighbour.

    Parameters
    ----------
    features_real, features_fake : numpy.ndarray
        Float (n, d) and (m, d), at least four rows each.
    measure : callable
        Called with two arrays of one size; returns named numbers.
    rng : numpy.random.Generator
        Draws the halves.
    n_repeats : int, default 20
        How many times.
    max_rows : int, default 500
        Most rows per side.

    Returns
    -------
    dict of str to Comparison
        One per name that `measure` returns.

    References
    ----------
    Shao and Tu, "The jackknife and bootstrap", 1995, on half-sampling.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(400, 2))
    >>> shifted = compare_with_floor(
    ...     rows[:200], rows[200:] + 1, lambda a, b: {"frechet": frechet_distance(a, b)}, rng=rng
    ... )["frechet"]
    >>> shifted.value > shifted.floor_high
    True
    """
    real, fake = _feature_pair(features_real, features_fake, min_rows=4)
    n_rows = min(len(real) // 2, max(2, len(fake) // 2), max_rows)
    repeats = []
    for _ in range(n_repeats):
        order = rng.permutation(len(real))
        half, other_half = real[order[:n_rows]], real[order[n_rows : 2 * n_rows]]
        fakes = fake[rng.permutation(len(fake))[:n_rows]]
        repeats.append((measure(half, fakes), measure(half, other_half)))
    return {
        name: compare_repeats(
            [fake_values[name] for fake_values, _ in repeats],
            [real_values[name] for _, real_values in repeats],
            n_rows,
        )
        for name in repeats[0][0]
    }


def compare_repeats(
    values: Sequence[float] | NDArray[Any], floors: Sequence[float] | NDArray[Any], n_rows: int
) -> Comparison:
    """Summarise repeats of a measure of fakes, and of real rows at the same halves."""
    fake, real = np.asarray(values), np.asarray(floors)
    bounds = [np.quantile(array, [0.025, 0.975]) for array in (fake, real, fake - real)]
    (low, high), (floor_low, floor_high), (gap_low, gap_high) = (map(float, b) for b in bounds)
    return Comparison(
        float(fake.mean()), low, high, float(real.mean()), floor_low, floor_high,
        gap_low, gap_high, n_rows,
    )  # fmt: skip


@dataclass(frozen=True)
class ClassScores:
    """Recall per class of one classifier on one test set.

    Attributes
    ----------
    recall : numpy.ndarray
        float64 (K,); NaN for classes without test rows.
    low, high : numpy.ndarray
        float64 (K,): 95% Wilson intervals over test rows.
    n_test : numpy.ndarray
        int64 (K,): test rows per class.
    """

    recall: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_test: NDArray[np.int64]

    @property
    def acsa(self) -> float:
        """Mean of the class recalls (over classes that have test rows)."""
        return float(np.nanmean(self.recall))

    @property
    def acsa_interval(self) -> tuple[float, float]:
        """95% normal interval of `acsa` over test rows, for the classifier as it is."""
        recall, n_test = self.recall[self.n_test > 0], self.n_test[self.n_test > 0]
        # Half a success and failure added, so that a perfect recall is not taken as certain.
        smoothed = (recall * n_test + 0.5) / (n_test + 1)
        error = 1.96 * math.sqrt(float((smoothed * (1 - smoothed) / n_test).sum())) / len(recall)
        return max(0.0, self.acsa - error), min(1.0, self.acsa + error)


def recall_scores(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int
) -> ClassScores:
    """Count, per class, how many test rows were recognised.

    Parameters
    ----------
    predicted, labels : numpy.ndarray
        int64 (n,): predicted and true class codes.
    n_classes : int
        Number of classes.

    Returns
    -------
    ClassScores

    Examples
    --------
    >>> import numpy as np
    >>> recall_scores(np.array([0, 0, 1, 0]), np.array([0, 0, 1, 1]), 2).recall
    array([1. , 0.5])
    """
    n_test = np.bincount(labels, minlength=n_classes)
    n_right = np.bincount(labels[predicted == labels], minlength=n_classes)
    recall = np.where(n_test > 0, n_right / np.maximum(n_test, 1), np.nan)
    low, high = wilson_interval(n_right, n_test)
    return ClassScores(recall, low, high, n_test)


def wilson_interval(
    n_successes: NDArray[np.int64], n_trials: NDArray[np.int64], *, z: float = 1.96
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's score interval for proportions; 0 to 1 where there were no trials.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = wilson_interval(np.array([10]), np.array([10]))
    >>> round(float(low[0]), 3), float(high[0])
    (0.722, 1.0)
    """
    n = np.maximum(n_trials, 1)
    share = n_successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    known = n_trials > 0
    # The interval holds the share itself; at 0 and 1 rounding could leave it just outside.
    low = np.where(known, np.clip(centre - reach, 0, share), 0.0)
    return low, np.where(known, np.clip(centre + reach, share, 1), 1.0)


def _mean_pairwise_distance(rows: NDArray[np.float64]) -> float:
    """Mean Euclidean distance over all pairs of different rows."""
    total = sum(float(np.sqrt(block).sum()) for _, block in _squared_distances(rows, rows))
    return total / (len(rows) * (len(rows) - 1))


def _squared_distances(
    rows: NDArray[np.float64], others: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield (which rows, their squared distances to all others), block by block.

    When `others` is `rows`, the distance of a row to itself is exactly 0.
    """
    centre = others.mean(axis=0)  # keeps cancellation small for features far from the origin
    same = rows is others
    rows, others = rows - centre, others - centre
    norms, other_norms = (rows**2).sum(axis=1), (others**2).sum(axis=1)
    step = max(1, _BLOCK_ENTRIES // max(1, len(others)))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = rows[part] @ others.T
        block *= -2
        block += norms[part, None]
        block += other_norms
        np.maximum(block, 0.0, out=block)
        if same:
            block[np.arange(len(block)), np.arange(part.start, part.stop)] = 0.0
        yield part, block


def _squared_radii(rows: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Squared distance from each row to its k-th nearest other row."""
    radii = np.empty(len(rows))
    for part, block in _squared_distances(rows, rows):
        radii[part] = np.partition(block, k, axis=1)[:, k]  # place 0 is the row itself
    return radii


def _kernel_sum(rows: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Sum of the cubic kernel over all pairs."""
    step = max(1, _BLOCK_ENTRIES // len(others))
    total = 0.0
    for start in range(0, len(rows), step):
        block = rows[start : start + step] @ others.T
        block /= rows.shape[1]
        block += 1
        total += float((block * block * block).sum())  # several times as fast as `block ** 3`
    return total


def _kernel_diagonal_sum(rows: NDArray[np.float64]) -> float:
    return float((((rows**2).sum(axis=1) / rows.shape[1] + 1) ** 3).sum())


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.atleast_2d(np.cov(rows, rowvar=False))


def _symmetric_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root


def _feature_pair(
    features_real: NDArray[Any],
    features_fake: NDArray[Any],
    *,
    min_rows: int,
    min_fake_rows: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check both sets and return them as float64."""
    pair = []
    needed = (min_rows, min_rows if min_fake_rows is None else min_fake_rows)
    for name, features, n_needed in zip(
        ("real", "fake"), (features_real, features_fake), needed, strict=True
    ):
        rows = np.asarray(features, dtype=np.float64)
        if rows.ndim != 2 or len(rows) < n_needed:
            raise InvalidInputError(
                f"`features_{name}` must be a 2-D array of at least {n_needed} rows. "
                f"Got shape {rows.shape} instead."
            )
        if not np.isfinite(rows).all():
            raise InvalidInputError(
                f"`features_{name}` must be finite. Got NaN or infinite values instead."
            )
        pair.append(rows)
    if pair[0].shape[1] != pair[1].shape[1]:
        raise InvalidInputError(
            "`features_real` and `features_fake` must have the same number of columns. "
            f"Got {pair[0].shape[1]} and {pair[1].shape[1]} instead."
        )
    return pair[0], pair[1]
