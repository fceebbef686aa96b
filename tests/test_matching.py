"""ganaug/matching.py"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal

from ganaug.matching import PixelStatistics, apply_lookup

images = arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.just(2), st.just(4), st.just(4)))


@given(real=images, added=images)
def test_added_images_keep_the_order_of_values_and_the_range_of_real_ones(real, added):
    lookup = PixelStatistics.fit(real).lookup(added, real)
    matched = apply_lookup(lookup, added)

    assert lookup.shape == (2, 256)
    assert (np.diff(lookup.astype(int), axis=1) >= 0).all()
    for channel in range(2):
        values, limits = matched[:, channel], real[:, channel]
        assert limits.min() <= values.min()
        assert values.max() <= limits.max()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_the_share_of_the_darkest_value_is_matched_class_by_class(share):
    rng = np.random.default_rng(0)
    real = rng.integers(10, 256, (200, 1, 8, 8), dtype=np.uint8)
    codes = np.arange(200) % 2
    real[(rng.random(real.shape) < share) & (codes == 1)[:, None, None, None]] = 0
    real[codes == 0, :, 0, 0] = 0
    added = rng.integers(0, 256, (500, 1, 8, 8), dtype=np.uint8)
    statistics = PixelStatistics.fit(real)

    for code in (0, 1):
        of_class = real[codes == code]
        matched = apply_lookup(statistics.lookup(added, of_class), added)
        wanted = (of_class == 0).mean()
        assert (matched == 0).mean() == pytest.approx(wanted, abs=1 / 256)


def test_few_values_are_a_grid_and_many_are_not():
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    few = np.resize(steps, (4, 1, 8, 8))
    many = np.resize(np.arange(256, dtype=np.uint8), (4, 1, 8, 8))
    added = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)

    on_grid = apply_lookup(PixelStatistics.fit(few).lookup(added, few), added)
    free = apply_lookup(PixelStatistics.fit(many).lookup(added, many), added)

    assert_array_equal(np.unique(on_grid), steps)
    assert len(np.unique(free)) > 200
