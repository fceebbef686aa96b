"""A measure of fake samples beside the same measure of real samples: its floor.

A number alone says little: most measures depend on how many samples went in. Real samples are
therefore measured against other real samples at the same sizes, beside real against fake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ganaug.audit.results import Comparison
from ganaug.audit.samples import Array

Measurement: TypeAlias = Callable[[Array, Array], Mapping[str, float]]


def compare_with_floor(
    real: Array,
    fake: Array,
    measure: Measurement,
    *,
    rng: np.random.Generator,
    n_repeats: int = 20,
    max_samples: int = 500,
) -> dict[str, Comparison]:
    """Measure fake samples against real ones, beside real samples against other real samples.

    Each repeat cuts the real samples at random into two halves, takes as many fake samples, and
    measures (one half, other half) and (one half, fakes). Sizes are the same on all sides because
    most measures depend on them. The spread over half-samples estimates the sampling error of
    measures on all samples (Shao and Tu, "The jackknife and bootstrap", 1995); a bootstrap would
    not do here, since it repeats samples, and a repeated sample is its own nearest neighbour.
    """
    n_samples = min(len(real) // 2, max(2, len(fake) // 2), max_samples)
    repeats = []
    for _ in range(n_repeats):
        order = rng.permutation(len(real))
        half, other_half = real[order[:n_samples]], real[order[n_samples : 2 * n_samples]]
        fakes = fake[rng.permutation(len(fake))[:n_samples]]
        repeats.append((measure(half, fakes), measure(half, other_half)))
    return {
        name: compare_repeats(
            [fake_values[name] for fake_values, _ in repeats],
            [real_values[name] for _, real_values in repeats],
            n_samples,
        )
        for name in repeats[0][0]
    }


def compare_repeats(
    values: Sequence[float] | Array, floors: Sequence[float] | Array, n_samples: int
) -> Comparison:
    """Summarise repeats of a measure of fakes, and of real samples at the same halves."""
    fake, real = np.asarray(values), np.asarray(floors)
    bounds = [np.quantile(array, [0.025, 0.975]) for array in (fake, real, fake - real)]
    (low, high), (floor_low, floor_high), (gap_low, gap_high) = (map(float, b) for b in bounds)
    return Comparison(
        float(fake.mean()), low, high, float(real.mean()), floor_low, floor_high,
        gap_low, gap_high, n_samples,
    )  # fmt: skip
