"""ganaug/gain/intervals.py"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganaug.exceptions import InvalidInputError
from ganaug.gain.intervals import (
    PairedInterval,
    corrected_interval,
    needed_to_tell,
    paired_interval,
)

scores = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda pair: tuple(np.round(pair, 3))),
    min_size=2,
    max_size=12,
)


@given(pairs=scores)
def test_the_interval_is_that_of_a_paired_t_test(pairs):
    treated, baseline = np.array(pairs).T
    differences = treated - baseline

    interval = paired_interval(treated, baseline)

    assert interval.n == len(pairs)
    assert interval.mean == pytest.approx(differences.mean())
    if differences.std() > 1e-9:
        expected = stats.ttest_rel(treated, baseline).confidence_interval(0.95)
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@given(pairs=scores)
def test_swapping_the_arms_mirrors_the_interval(pairs):
    treated, baseline = zip(*pairs, strict=True)

    one, other = paired_interval(treated, baseline), paired_interval(baseline, treated)

    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    trials = [paired_interval(rng.normal(0.3, 1, 5), np.zeros(5)) for _ in range(2000)]

    covered = np.mean([trial.low <= 0.3 <= trial.high for trial in trials])

    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.1, 0.11, 0.12], "better"),
        ([-0.1, -0.11, -0.12], "worse"),
        ([0.1, -0.1, 0.05], "no clear difference"),
        ([0.1], "no clear difference"),
        ([0.0, 0.0, 0.0], "no clear difference"),
    ],
)
def test_the_verdict_follows_the_intervals_place_beside_zero(differences, verdict):
    assert paired_interval(differences, [0.0] * len(differences)).verdict == verdict


def test_a_single_pair_has_no_interval():
    interval = paired_interval([0.5], [0.25])

    assert interval.mean == 0.25
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


@pytest.mark.parametrize(("treated", "baseline"), [([0.1, 0.2, 0.3], [0.1]), ([], [])])
def test_scores_that_are_not_pairs_are_refused(treated, baseline):
    with pytest.raises(InvalidInputError, match="pair"):
        paired_interval(treated, baseline)


# --- what would settle a comparison --------------------------------------------------------------


def test_more_splits_or_samples_would_narrow_a_wide_interval():
    narrow = corrected_interval([0.55, 0.56, 0.57], [0.5] * 3, test_over_train=0.01)
    assert needed_to_tell(narrow, 0.01, 0.005, 100) == {}

    wide = PairedInterval(0.02, -0.03, 0.07, 4)
    needed = needed_to_tell(wide, 0.01, 0.005, 100)
    assert 4 < needed["splits"] <= 100
    assert needed["samples"] == math.ceil(100 * 2.5**2)


def test_more_splits_do_not_help_where_the_overlap_sets_the_floor():
    wide = PairedInterval(0.001, -0.05, 0.052, 10)

    assert set(needed_to_tell(wide, 0.25, 0.005, 100)) == {"samples"}


@pytest.mark.parametrize(
    "known", [None, PairedInterval(0.5, math.nan, math.nan, 1), PairedInterval(0, 0, 0, 5)]
)
def test_where_nothing_is_known_or_open_nothing_is_needed(known):
    assert needed_to_tell(known, 0.25, 0.0 if known and known.low == 0 else 0.005, 100) == {}
