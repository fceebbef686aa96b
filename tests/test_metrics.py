"""Measures against references: torchmetrics, brute force, closed forms."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist
from scipy.stats import binomtest

from benchmarks.quality import frechet_distance
from ganaug.audit import metrics
from ganaug.audit.comparison import compare_with_floor
from ganaug.audit.metrics import (
    kernel_distance,
    neighbourhoods,
    realism,
    within_class_variety,
)
from ganaug.audit.scores import recall_scores, share_of


def gaussian(n, d, *, seed, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Several blocks even for a handful of rows, the last one incomplete."""
    in_blocks = partial(metrics.pairwise_distances_chunked, working_memory=0.01)  # MiB
    monkeypatch.setattr(metrics, "pairwise_distances_chunked", in_blocks)


class Identity(torch.nn.Module):
    """torchmetrics' feature extractor: the rows are the features."""

    num_features = 6

    def forward(self, rows):
        return rows.reshape(len(rows), -1)


def test_frechet_distance_of_gaussians_with_known_moments_is_the_closed_form():
    # Whitened rows have exactly these moments, so the formula holds without sampling error.
    rows = gaussian(500, 3, seed=0)
    rows -= rows.mean(axis=0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    scales, shift = np.array([0.5, 1.0, 3.0]), np.array([1.0, -2.0, 0.0])
    expected = (shift**2).sum() + ((scales - 1) ** 2).sum()
    assert frechet_distance(rows, rows * scales + shift) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_agrees_with_torchmetrics():
    fid = pytest.importorskip("torchmetrics.image.fid")
    real, fake = gaussian(80, 6, seed=0), gaussian(70, 6, seed=1, scale=1.5, shift=0.3)
    reference = fid.FrechetInceptionDistance(feature=Identity(), input_img_size=(1, 2, 3))
    reference.set_dtype(torch.float64)
    reference.update(torch.tensor(real).view(-1, 1, 2, 3), real=True)
    reference.update(torch.tensor(fake).view(-1, 1, 2, 3), real=False)
    assert frechet_distance(real, fake) == pytest.approx(float(reference.compute()), rel=1e-4)


def test_kernel_distance_agrees_with_torchmetrics(tiny_blocks):
    kid = pytest.importorskip("torchmetrics.image.kid")
    real, fake = gaussian(60, 6, seed=0), gaussian(60, 6, seed=1, scale=1.5, shift=0.3)
    reference = kid.poly_mmd(torch.tensor(real), torch.tensor(fake))
    assert kernel_distance(real, fake) == pytest.approx(float(reference), rel=1e-9)


def test_kernel_distance_is_unbiased_where_the_frechet_distance_is_not():
    pairs = [gaussian(60, 4, seed=seed).reshape(2, 30, 4) for seed in range(200)]
    kernel = np.array([kernel_distance(*pair) for pair in pairs])
    assert abs(kernel.mean()) < 3 * kernel.std() / np.sqrt(len(kernel))
    assert min(frechet_distance(*pair) for pair in pairs) > 0


def test_frechet_distance_takes_fewer_rows_than_columns():
    rows = gaussian(5, 20, seed=0)
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbourhood_measures_agree_with_brute_force(k, tiny_blocks):
    real, fake = gaussian(90, 3, seed=0), gaussian(70, 3, seed=1, shift=0.7)
    radii_real = np.sort(cdist(real, real), axis=1)[:, k]
    is_near = cdist(real, fake) <= radii_real[:, None]
    is_inside, is_covered = neighbourhoods(real, fake, k=k)
    np.testing.assert_array_equal(is_inside, is_near.any(axis=0))
    np.testing.assert_array_equal(is_covered, is_near.any(axis=1))


def test_realism_agrees_with_brute_force(tiny_blocks):
    real, fake = gaussian(60, 3, seed=0), gaussian(40, 3, seed=1)
    radii = np.sort(cdist(real, real), axis=1)[:, 5]
    kept = radii <= np.median(radii)
    expected = (radii[kept] / cdist(fake, real[kept])).max(axis=1)
    np.testing.assert_allclose(realism(real, fake), expected)


def test_variety_agrees_with_brute_force(tiny_blocks):
    real, fake = gaussian(40, 5, seed=0), gaussian(30, 5, seed=1, scale=0.4)
    assert within_class_variety(real, fake) == pytest.approx(
        pdist(fake).mean() / pdist(real).mean()
    )


def test_identical_fakes_have_no_variety_even_far_from_the_origin():
    # Squared distances by inner products lose all digits here unless rows are centred first.
    real = gaussian(50, 8, seed=0) + 1e4
    assert within_class_variety(real, np.repeat(real[:1], 30, axis=0)) < 1e-5


def test_identical_real_rows_leave_variety_undefined():
    assert np.isnan(within_class_variety(np.ones((4, 2)), gaussian(4, 2, seed=0)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(7, 40), m=st.integers(7, 40))
def test_measures_ignore_the_order_of_rows_and_keep_their_range(seed, n, m):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(n, 3)), rng.normal(1.0, 2.0, size=(m, 3))

    def all_measures(real, fake):
        return np.array(
            [
                frechet_distance(real, fake),
                kernel_distance(real, fake),
                within_class_variety(real, fake),
                *(part.mean() for part in neighbourhoods(real, fake)),
            ]
        )

    values = all_measures(real, fake)
    shuffled = all_measures(rng.permutation(real), rng.permutation(fake))
    np.testing.assert_allclose(values, shuffled, atol=1e-8)
    assert (values[[0, 2, 3, 4]] >= 0).all()
    assert (values[3:] <= 1).all()


# -- beside the floor ---------------------------------------------------------------------------


def coverage(real, fake):
    return {"coverage": neighbourhoods(real, fake)[1].mean()}


def test_rows_of_the_same_distribution_measure_like_the_floor():
    rows = gaussian(800, 4, seed=0)
    result = compare_with_floor(rows[:400], rows[400:], coverage, rng=np.random.default_rng(0))
    assert result["coverage"].gap_low < 0 < result["coverage"].gap_high
    assert result["coverage"].n_samples == 200


def test_collapsed_rows_measure_below_the_floor():
    fake = gaussian(400, 4, seed=1, scale=0.05)
    result = compare_with_floor(
        gaussian(400, 4, seed=0), fake, coverage, rng=np.random.default_rng(0)
    )["coverage"]
    assert result.high < result.floor_low
    assert result.gap_high < 0


def test_the_interval_covers_what_new_samples_would_give():
    # The spread over half-samples is held against the spread over truly new samples.
    def variety(real, fake):
        return {"variety": within_class_variety(real, fake)}

    fresh = [
        within_class_variety(gaussian(100, 2, seed=2 * s), gaussian(100, 2, seed=2 * s + 1))
        for s in range(200)
    ]
    widths = [
        compare_with_floor(
            gaussian(100, 2, seed=s),
            gaussian(100, 2, seed=1000 + s),
            variety,
            rng=np.random.default_rng(s),
        )["variety"]
        for s in range(20)
    ]
    true_width = np.subtract(*np.quantile(fresh, [0.975, 0.025]))
    mean_width = np.mean([result.high - result.low for result in widths])
    assert 0.6 < mean_width / true_width < 1.6


def test_no_more_rows_are_used_than_there_are_or_are_allowed():
    real, fake = gaussian(100, 2, seed=0), gaussian(30, 2, seed=1)
    rng = np.random.default_rng(0)
    assert compare_with_floor(real, fake, coverage, rng=rng)["coverage"].n_samples == 15
    limited = compare_with_floor(real, fake, coverage, rng=rng, max_samples=10)
    assert limited["coverage"].n_samples == 10


# -- scores of classifiers ----------------------------------------------------------------------


def test_recall_scores_count_per_class_and_leave_absent_classes_out():
    labels = np.array([0, 0, 0, 0, 2, 2])
    scores = recall_scores(np.array([0, 0, 0, 1, 2, 0]), labels, 3)
    assert (scores.of(0, 1).value, scores.of(2, 1).value) == (0.75, 0.5)
    assert "0 samples to test on" in scores.of(1, 1).reason
    mean = scores.mean()
    assert mean.value == pytest.approx(0.625)
    assert 0 <= mean.low < 0.625 < mean.high <= 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (3, 7), (7, 7), (450, 1000)])
def test_the_interval_of_a_share_agrees_with_scipy(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    share = share_of(successes, trials)
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_the_interval_of_the_mean_recall_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth, labels = np.array([0.95, 0.7]), np.repeat([0, 1], [40, 25])
    hits = 0
    for _ in range(400):
        right = rng.random(len(labels)) < truth[labels]
        mean = recall_scores(np.where(right, labels, 1 - labels), labels, 2).mean()
        hits += mean.low <= truth.mean() <= mean.high
    assert 0.90 < hits / 400 < 0.99
