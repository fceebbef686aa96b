"""ganaug/resampling.py"""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.utils import gen_batches

from ganaug import resampling
from ganaug.augmentation import make_augmentation
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.resampling import ClassPlan, carry_out, enlargement, plan

COUNTS = {"bag": 900, "boot": 100, "coat": 400}
RULES = ["auto", "minority", "not minority", "not majority", "all"]

some_counts = st.lists(st.integers(1, 60), min_size=2, max_size=6).map(
    lambda sizes: dict(enumerate(sizes))
)


def labels_of(counts):
    return np.repeat(list(counts), list(counts.values()))


shares = st.floats(0, 1)


@given(counts=some_counts, rule=st.sampled_from(RULES), share=shares)
def test_totals_are_imbalanced_learns_and_the_share_holds(counts, rule, share):
    y = labels_of(counts)
    X = np.zeros((len(y), 1))
    resampled = RandomOverSampler(sampling_strategy=rule, random_state=0).fit_resample(X, y)[1]

    plans = plan(y, rule, synthetic_share=share)

    assert {label: part.n_total for label, part in plans.items()} == dict(
        zip(*np.unique(resampled, return_counts=True), strict=True)
    )
    for part in plans.values():
        assert part.n_synthetic == math.floor(share * part.n_added)
        assert part.n_duplicates == 0


@given(counts=some_counts, share=shares)
def test_enlarging_makes_all_classes_equally_large_and_larger(counts, share):
    plans = plan(counts, "enlarge", synthetic_share=share)

    assert {part.n_total for part in plans.values()} == {8 * max(counts.values())}
    for part in plans.values():
        assert part.n_synthetic == math.floor(share * part.n_added)


@pytest.mark.parametrize(
    ("counts", "total"),
    [
        ({"bag": 500, "boot": 100}, 4000),
        ({"bag": 4000, "boot": 500}, 5000),
        ({"bag": 30_000, "boot": 500}, 30_000),
        ({"bag": 100, "boot": 0}, 800),
    ],
    ids=["eight times", "10,000 in all", "never fewer than all", "empty classes stay empty"],
)
def test_enlarging_ends_somewhere(counts, total):
    plans = plan(counts, "enlarge", synthetic_share=0)

    assert [part.n_total for part in plans.values()] == [total, total if counts["boot"] else 0]
    assert enlargement(counts) == total / max(counts.values())


@given(counts=some_counts, extra=st.lists(st.integers(0, 1000), min_size=6, max_size=6))
def test_a_dict_gives_totals_that_are_split_into_kinds_like_a_string(counts, extra):
    targets = {label: n + extra[label] for label, n in counts.items()}

    plans = plan(counts, targets, synthetic_share=0.5)

    assert {label: part.n_total for label, part in plans.items()} == targets
    for label, part in plans.items():
        assert part.n_synthetic == extra[label] // 2


@given(counts=some_counts)
def test_labels_and_their_counts_give_one_plan(counts):
    assert plan(counts, synthetic_share=0.5) == plan(labels_of(counts), synthetic_share=0.5)


@pytest.mark.parametrize(
    ("share", "augments", "expected"),
    [
        (0, True, (0, 800, 0)),
        (0, False, (0, 0, 800)),
        (0.25, True, (200, 600, 0)),
        (0.25, False, (200, 0, 600)),
        (1, True, (800, 0, 0)),
    ],
)
def test_what_is_not_synthetic_is_augmented_or_repeated(share, augments, expected):
    boot = plan(COUNTS, synthetic_share=share, augments=augments)["boot"]

    assert (boot.n_synthetic, boot.n_augmented, boot.n_duplicates) == expected


@pytest.mark.parametrize("strategy", ["auto", {"boot": 900}, lambda y: {"boot": 900}])
def test_a_distrusted_class_gets_the_same_total_without_synthetic_samples(strategy):
    trust = {"bag": 1.0, "boot": 0.79, "coat": 0.8}

    plans = plan(COUNTS, strategy, synthetic_share=0.5, trust=trust)

    assert plans["boot"].n_synthetic == 0
    assert plans["boot"].n_total == 900
    assert "79%" in plans["boot"].note
    assert all(not plans[label].note for label in ("bag", "coat"))


def test_a_float_is_the_ratio_of_two_classes():
    plans = plan({"a": 100, "b": 10}, 0.5, synthetic_share=0.5)

    assert plans["b"] == ClassPlan("b", 10, 20, 20)


def test_a_callable_gets_the_labels_and_is_followed_exactly():
    def double(y):
        labels, n = np.unique(y, return_counts=True)
        return dict(zip(labels, 2 * n, strict=True))

    plans = plan(labels_of(COUNTS), double, synthetic_share=1)

    assert {label: part.n_synthetic for label, part in plans.items()} == COUNTS


def test_classes_without_samples_are_passed_over_unless_named():
    counts = {"bag": 9, "boot": 3, "coat": 0}

    assert plan(counts, synthetic_share=1)["coat"] == ClassPlan("coat", 0, 0, 0)
    assert plan(counts, {"coat": 7}, synthetic_share=1)["coat"] == ClassPlan("coat", 0, 7, 0)


@pytest.mark.parametrize("wrap", [list, np.array, pd.Series, torch.tensor])
def test_labels_come_in_any_container(wrap):
    plans = plan(wrap([0, 0, 0, 1]), synthetic_share=0.5)

    assert plans == {0: ClassPlan(0, 3, 0, 0), 1: ClassPlan(1, 1, 1, 1)}
    assert {type(label) for label in plans} == {int}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("not majorty", "Did you mean 'not majority'"),
        ("majority", "must be one of 'auto'"),
        (0.5, "multi-class"),
        ({"bagg": 1000}, "'bagg' instead. Did you mean 'bag'"),
        ({"bag": 899}, "899 for class 'bag' of 900 samples"),
        ({"bag": -1}, "whole number >= 0"),
        ({"bag": 1000.5}, "whole number >= 0"),
    ],
)
def test_a_strategy_that_cannot_be_followed_is_refused(strategy, message):
    with pytest.raises(InvalidInputError, match=message):
        plan(COUNTS, strategy, synthetic_share=0.5)


@pytest.mark.parametrize("strategy", [None, ["bag"], True, lambda y: ["bag"]])
def test_a_strategy_of_another_type_is_refused(strategy):
    with pytest.raises(InvalidTypeError, match="sampling_strategy"):
        plan(COUNTS, strategy, synthetic_share=0.5)


# --- carrying out ---


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    values = np.rint(X * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    rare = np.flatnonzero(y == 3)[10:]
    return np.delete(values, rare, axis=0), np.delete(y, rare)


class OnesSampler:
    """A sampler whose images are all of value 1."""

    def sample_values(self, counts):
        codes = np.repeat(list(counts), list(counts.values()))
        return np.ones((len(codes), 1, 8, 8), dtype=np.uint8), codes


@pytest.mark.parametrize("name", ["affine", "mirror", "quarter_turn"])
def test_counts_kinds_and_sources_are_as_planned(digits, name):
    values, codes = digits
    plans = plan(codes, {3: 30, 5: 200}, synthetic_share=0.5)
    added = carry_out(
        plans, values, codes, sampler=OnesSampler(), augmentation=make_augmentation(name), seed=0
    )
    assert Counter(zip(added.kinds.tolist(), added.codes.tolist(), strict=True)) == {
        ("synthetic", 3): 10,
        ("augmented", 3): 10,
        ("synthetic", 5): 9,
        ("augmented", 5): 9,
    }
    assert added.n_made == 38
    assert not len(added.repeated)
    assert_array_equal(added.values[added.kinds == "synthetic"], 1)
    augmented = added.kinds == "augmented"
    assert_array_equal(codes[added.sources[augmented]], added.codes[augmented])
    assert_array_equal(added.sources[~augmented], -1)


def test_the_same_seed_gives_the_same_and_another_seed_others(digits):
    values, codes = digits
    plans = plan(codes, {3: 60}, synthetic_share=0)

    def made(seed):
        affine = make_augmentation("affine")
        return carry_out(plans, values, codes, sampler=None, augmentation=affine, seed=seed).values

    assert_array_equal(made(0), made(0))
    assert not np.array_equal(made(0), made(1))


@pytest.mark.parametrize("interpolated_share", [0, 1])
def test_varied_images_have_their_classs_shares_of_black_and_white(digits, interpolated_share):
    values, codes = digits
    plans = plan(codes, {3: 500}, synthetic_share=0, interpolated_share=interpolated_share)
    added = carry_out(
        plans, values, codes, sampler=None, augmentation=make_augmentation(None), seed=0
    )
    for extreme in (0, 255):
        real, made = (values[codes == 3] == extreme).mean(), (added.values == extreme).mean()
        assert made == pytest.approx(real, abs=0.02)
    assert set(np.unique(added.values)) <= set(np.unique(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_interpolated_samples_lie_between_their_source_and_one_of_its_neighbours(dtype):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 200, (12, 30)).astype(dtype)
    values = values if dtype == np.float32 else values.reshape(12, 1, 5, 6)
    codes = np.repeat([0, 1], [9, 3])
    plans = plan(codes, {1: 33}, synthetic_share=0, interpolated_share=1)
    added = carry_out(plans, values, codes, sampler=None, augmentation=None, seed=0)
    assert added.kinds.tolist() == ["interpolated"] * 30
    assert Counter(added.sources.tolist()) == {9: 10, 10: 10, 11: 10}
    if dtype == np.uint8:  # what is matched to real images' values lies elsewhere
        return
    for made, source in zip(added.values, added.sources, strict=True):
        others = [values[i] for i in (9, 10, 11) if i != source]
        steps = [(made - values[source]) / (other - values[source] + 1e-9) for other in others]
        assert min(np.ptp(step[np.abs(step) < 2]) for step in steps) < 1e-3


def interpolated(n, values):
    """Interpolated samples of a class of 10."""
    plans = plan(np.zeros(10, int), {0: 10 + n}, synthetic_share=0, interpolated_share=1)
    options = {"sampler": None, "augmentation": None, "seed": 0}
    return carry_out(plans, values, np.zeros(10, dtype=np.int64), **options).values


@pytest.mark.parametrize("side", [64, 128])
def test_interpolation_needs_little_memory_beside_its_result(side):
    values = np.random.default_rng(0).integers(0, 256, (10, 3, side, side), dtype=np.uint8)

    tracemalloc.start()
    made = interpolated(300, values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 6 * made.nbytes  # as floats, all of them would take four times that, three times


@pytest.mark.parametrize("per_slice", [1, 7])
@pytest.mark.parametrize("shape", [(10, 3, 8, 8), (10, 5)])
def test_samples_are_the_same_in_whatever_slices_they_are_interpolated(
    shape, per_slice, monkeypatch
):
    values = np.random.default_rng(0).integers(0, 256, shape)
    values = values.astype(np.uint8 if len(shape) == 4 else np.float32)
    at_once = interpolated(50, values)

    monkeypatch.setattr(resampling, "slices_of", lambda n, _: gen_batches(n, per_slice))

    assert_array_equal(interpolated(50, values), at_once)


def test_a_single_feature_row_is_repeated():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    codes = np.array([0, 0, 0, 1])
    plans = plan(codes, "auto", synthetic_share=0, interpolated_share=1)
    added = carry_out(plans, values, codes, sampler=None, augmentation=None, seed=0)
    assert_array_equal(added.repeated, [3, 3])
    assert added.kinds.tolist() == ["duplicate", "duplicate"]
    assert_array_equal(added.sources, [3, 3])
