"""benchmarks/stats.py: scores, intervals and exchange rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from benchmarks.stats import bootstrap_interval, difference, fieller_interval, recalls


def test_the_mean_of_the_recalls_is_the_balanced_accuracy():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    guess = np.where(rng.random(200) < 0.6, truth, rng.integers(0, 3, 200))

    found = recalls(truth, guess, 3)

    assert np.mean(found) == pytest.approx(balanced_accuracy_score(truth, guess), abs=1e-4)


def test_a_class_that_is_never_found_has_no_recall():
    assert recalls(np.array([0, 1]), np.array([0, 0]), 2) == [1.0, 0.0]


def test_differences_are_paired_and_in_points():
    found = difference([0.88, 0.76], [0.90, 0.80])

    assert (found.mean, found.low, found.high) == pytest.approx((-3.0, -15.71, 9.71), abs=0.01)


def test_fieller_interval_ends_where_the_t_test_just_rejects():
    rng = np.random.default_rng(1)
    a, b = rng.normal(1.0, 0.3, 8), rng.normal(4.0, 0.5, 8)

    found = fieller_interval(a, b)

    assert found.low < found.ratio < found.high
    assert found.ratio == pytest.approx(a.mean() / b.mean())
    for end in (found.low, found.high):
        assert stats.ttest_1samp(a - end * b, 0).pvalue == pytest.approx(0.05, abs=1e-9)


def test_with_a_constant_denominator_fieller_gives_the_t_interval():
    a = [1.0, 2.0, 3.0, 2.5]
    low, high = stats.t.interval(0.95, 3, np.mean(a), stats.sem(a))

    found = fieller_interval(a, [2.0] * 4)

    assert (found.low, found.high) == pytest.approx((low / 2, high / 2))


def test_fieller_agrees_with_the_bootstrap_where_there_is_much_data():
    rng = np.random.default_rng(2)
    a, b = rng.normal(1.0, 1.0, 400), rng.normal(3.0, 1.0, 400)
    index = rng.integers(0, 400, (4000, 400))
    low, high = np.quantile(a[index].mean(1) / b[index].mean(1), [0.025, 0.975])

    found = fieller_interval(a, b)

    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize("real", [[0.1, -0.1, 0.2, -0.1], [1.0, -3.0, 2.0, 4.0]])
def test_the_rate_is_undefined_where_the_real_gain_may_be_nothing(real):
    found = fieller_interval([1.0, 1.1, 0.9, 1.0], real)

    assert not found.is_defined
    assert math.isnan(found.low)
    assert str(found) == "undefined"


def test_the_rate_needs_two_pairs():
    assert not fieller_interval([1.0], [2.0]).is_defined
    with pytest.raises(ValueError, match="must be pairs. Got 1 and 2"):
        fieller_interval([1.0], [1.0, 2.0])


def test_the_bootstrap_counts_test_images_and_not_only_draws():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 20)
    right = (rng.random(40) < 0.9).astype(float)
    hits, baseline = np.tile(right, (5, 1)), np.ones((5, 40))  # draws that all agree

    mean, low, high = bootstrap_interval(hits, baseline, labels, n_repeats=500)

    assert mean == pytest.approx(100 * (right.mean() - 1))
    assert low < mean < high


def test_the_bootstrap_of_equal_hits_is_nothing():
    hits = np.ones((3, 8))

    assert bootstrap_interval(hits, hits, np.repeat([0, 1], 4), n_repeats=20) == (0, 0, 0)
