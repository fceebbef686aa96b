"""The copy screen: planted copies and duplicates are found, fresh real rows are not suspected."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.datasets import load_digits

from ganaug.audit.copies import (
    NEAR_COPY,
    membership_test,
    screen_copies,
    stratified_rank_test,
)
from ganaug.audit.neighbours import comparison_space, nearest_samples
from ganaug.audit.samples import Labelled


@pytest.fixture(scope="module")
def parts():
    """Digits in three parts: training, held out, and fresh ones that play an ideal generator."""
    rows, labels = load_digits(return_X_y=True)
    images = (rows * (255 / 16)).round().astype(np.uint8).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(labels))
    return {
        name: (images[part], labels[part].astype(np.int64))
        for name, part in zip(
            ("training", "holdout", "synthetic"), np.array_split(order, 3), strict=True
        )
    }


def screen(parts, *, with_holdout=True, **changes):
    parts = {**parts, **changes}
    training, holdout, synthetic = (
        Labelled(comparison_space(parts[name][0], parts["training"][0]), parts[name][1])
        for name in ("training", "holdout", "synthetic")
    )
    rng = np.random.default_rng(0)
    return screen_copies(synthetic, training, holdout if with_holdout else None, rng=rng)


def plant(parts, n, *, noise=0.0):
    """Put copies of `n` training rows, a little noisy, among the synthetic rows."""
    images, labels = (array.copy() for array in parts["synthetic"])
    rng = np.random.default_rng(1)
    source = rng.choice(len(parts["training"][0]), n, replace=False)
    noisy = parts["training"][0][source] + rng.normal(0, noise, (n, 1, 8, 8))
    images[:n] = noisy.clip(0, 255).astype(np.uint8)
    labels[:n] = parts["training"][1][source]
    return (images, labels), source


@pytest.mark.parametrize("with_holdout", [True, False])
def test_fresh_real_rows_are_not_suspected(parts, with_holdout):
    result = screen(parts, with_holdout=with_holdout)
    assert result.distance_test.p_value > 0.01
    assert 0.45 < result.distance_test.effect < 0.55
    assert result.near_copy_test.p_value > 0.01
    for found in result.per_class.values():
        assert found.n_near_copies == found.n_near_duplicates == 0
    if with_holdout:
        assert result.membership_test.p_value > 0.01


@pytest.mark.parametrize("with_holdout", [True, False])
@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_planted_copies_are_found(parts, with_holdout, noise):
    synthetic, source = plant(parts, 30, noise=noise)
    result = screen(parts, with_holdout=with_holdout, synthetic=synthetic)
    assert result.near_copy_test.p_value < 1e-3
    found = np.flatnonzero(result.relative_distances[:30] < NEAR_COPY)
    assert len(found) >= 25
    np.testing.assert_array_equal(result.nearest[found], source[found])
    # Copies are nearer than anything else.
    assert (np.argsort(result.relative_distances)[:20] < 30).all()


def test_a_generator_that_only_copies_fails_all_three_tests(parts):
    images, labels = parts["training"]
    noise = np.random.default_rng(1).normal(0, 8, images.shape)
    copies = (images + noise).clip(0, 255).astype(np.uint8), labels
    result = screen(parts, synthetic=copies)
    for test in (result.distance_test, result.near_copy_test, result.membership_test):
        assert test.p_value < 0.01
        assert test.effect > test.expected


def test_smooth_rows_are_nearer_to_training_and_held_out_rows_alike(parts):
    # Class means copy nobody; the membership test tells them from copies.
    images, labels = parts["synthetic"]
    means = {code: images[labels == code].mean(axis=0) for code in range(10)}
    smooth = np.stack(
        [0.5 * image + 0.5 * means[code] for image, code in zip(images, labels, strict=True)]
    )
    result = screen(parts, synthetic=(smooth.astype(np.uint8), labels))
    assert result.distance_test.p_value < 1e-6
    assert result.membership_test.p_value > 0.05


def test_planted_duplicates_are_found(parts):
    images, labels = (array.copy() for array in parts["synthetic"])
    same_class = np.flatnonzero(labels == labels[0])[:12]
    images[same_class] = images[0]
    result = screen(parts, synthetic=(images, labels))
    assert result.per_class[int(labels[0])].n_near_duplicates >= 12
    assert result.usual_near_duplicates < 0.01


def test_copies_are_found_under_another_brightness_and_contrast(parts):
    synthetic, _ = plant(parts, 30)
    faded = (synthetic[0] * 0.5 + 60).astype(np.uint8)
    assert screen(parts, synthetic=(faded, synthetic[1])).near_copy_test.p_value < 1e-3


def test_copies_from_another_class_are_found(parts):
    synthetic, source = plant(parts, 30)
    labels = synthetic[1].copy()
    labels[:30] = (labels[:30] + 1) % 10
    result = screen(parts, synthetic=(synthetic[0], labels))
    assert result.near_copy_test.p_value < 1e-3
    np.testing.assert_array_equal(result.nearest[:30], source)


def test_small_held_out_classes_are_judged_by_training_rows(parts):
    images, labels = parts["holdout"]
    keep = (labels != 3) | (np.cumsum(labels == 3) <= 19)
    result = screen(parts, holdout=(images[keep], labels[keep]))
    assert result.per_class[3].reference == "training"
    assert result.per_class[4].reference == "holdout"


def test_a_class_too_small_to_judge_says_so(parts):
    images, labels = parts["training"]
    keep = (labels != 3) | (np.cumsum(labels == 3) <= 5)
    result = screen(parts, training=(images[keep], labels[keep]), with_holdout=False)
    small = result.per_class[3]
    assert small.reference is None
    assert small.median_reference is None
    assert np.isnan(result.relative_distances[parts["synthetic"][1] == 3]).all()
    assert small.n_near_copies == 0


def test_one_synthetic_row_is_enough(parts):
    images, labels = parts["synthetic"]
    result = screen(parts, synthetic=(images[:1], labels[:1]))
    assert result.per_class[int(labels[0])].n_near_duplicates == 0


def test_real_sets_full_of_duplicates_divide_by_nothing(parts):
    images, labels = parts["training"]
    twice = np.repeat(images, 2, axis=0), np.repeat(labels, 2)
    result = screen(parts, training=twice, with_holdout=False)
    assert np.isnan(result.relative_distances).all()
    assert result.near_copy_test is None


def test_the_screen_is_seeded(parts):
    first, second = screen(parts), screen(parts)
    assert first.membership_test == second.membership_test
    np.testing.assert_array_equal(first.reference_distances, second.reference_distances)


# -- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [None, np.arange(37)], ids=["others", "own left out"])
def test_nearest_samples_agree_with_brute_force(own):
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(50, 5)).astype(np.float32)
    pool[:6] = pool[[6, 6, 6, 9, 9, 10]]  # some of them several times
    distances, indices = nearest_samples(pool[:37], pool, own=own)
    expected = cdist(pool[:37], pool)
    if own is not None:
        expected[own, own] = np.inf
        assert (indices != own).all()
    np.testing.assert_allclose(distances, expected.min(axis=1), atol=1e-5)


def test_a_copy_is_at_distance_nought_far_from_the_origin():
    # By inner products in float32 the distance would come out as noise.
    pool = np.random.default_rng(0).normal(1000, 1, (50, 8)).astype(np.float32)
    distances, indices = nearest_samples(pool, pool)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(indices, np.arange(50))


def test_the_rank_test_with_one_stratum_is_the_mann_whitney_test():
    rng = np.random.default_rng(0)
    nearer, reference = rng.integers(0, 30, 80), rng.integers(5, 35, 60)  # with ties
    result = stratified_rank_test(
        Labelled(nearer, np.zeros(80, int)), Labelled(reference, np.zeros(60, int))
    )
    expected = mannwhitneyu(
        nearer, reference, alternative="less", method="asymptotic", use_continuity=False
    )
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.effect == pytest.approx(1 - expected.statistic / (80 * 60))


def test_strata_with_different_levels_do_not_feign_a_difference():
    # Simpson's paradox: more rows in the stratum of short distances, no difference within either.
    rng = np.random.default_rng(0)
    near, far = rng.normal(1, 0.1, 330), rng.normal(5, 0.1, 330)
    distances, strata = np.r_[near[:300], far[:30]], np.repeat([0, 1], [300, 30])
    reference, reference_strata = np.r_[near[300:], far[30:]], np.repeat([0, 1], [30, 300])
    test = stratified_rank_test(Labelled(distances, strata), Labelled(reference, reference_strata))
    assert test.p_value > 0.05


def test_strata_without_a_counterpart_leave_nothing_to_test():
    zeros, ones = np.zeros(3, int), np.ones(3, int)
    assert stratified_rank_test(Labelled(ones, zeros), Labelled(ones, ones)) is None


def test_the_membership_test_keeps_its_level():
    p_values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows, labels = rng.normal(size=(300, 3)).astype(np.float32), rng.integers(0, 2, 300)
        places = slice(0, 100), slice(100, 250), slice(250, 300)
        drawn = [Labelled(rows[place], labels[place]) for place in places]
        p_values.append(membership_test(*drawn, rng=rng).p_value)
    assert np.mean(np.array(p_values) < 0.1) < 0.25
    assert 0.3 < np.mean(p_values) < 0.7


def test_tables_are_compared_by_standardised_columns():
    reference = np.array([[0, 0, 5], [2, 2000, 5]], dtype=np.float32)
    space = comparison_space(np.array([[1, 1000, 5], [3, 0, 5]], np.float32), reference)
    np.testing.assert_allclose(space, [[0, 0, 0], [2, -1, 0]])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (4, 128, 30)])
def test_images_become_short_unit_vectors(shape):
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    space = comparison_space(images, images)
    assert space.shape[1] <= shape[0] * 12 * 12
    np.testing.assert_allclose(np.linalg.norm(space, axis=1), 1, rtol=1e-5)


def test_pictures_of_one_colour_do_not_divide_by_nothing():
    images = np.full((2, 1, 8, 8), 200, np.uint8)
    space = comparison_space(images, images)
    np.testing.assert_array_equal(space, 0)
