"""ganaug/resampling.py"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.resampling import ClassPlan, plan_resampling

COUNTS = {"bag": 900, "boot": 100, "coat": 400}
RULES = ["auto", "minority", "not minority", "not majority", "all"]

some_counts = st.lists(st.integers(1, 60), min_size=2, max_size=6).map(
    lambda sizes: dict(enumerate(sizes))
)


def rows_of(counts):
    return np.repeat(list(counts), list(counts.values()))


@given(counts=some_counts, rule=st.sampled_from(RULES), max_ratio=st.floats(0, 20))
def test_totals_are_imbalanced_learns_and_the_cap_holds(counts, rule, max_ratio):
    y = rows_of(counts)
    X = np.zeros((len(y), 1))
    resampled = RandomOverSampler(sampling_strategy=rule, random_state=0).fit_resample(X, y)[1]

    plan = plan_resampling(y, rule, max_ratio=max_ratio)

    assert {label: part.n_total for label, part in plan.items()} == dict(
        zip(*np.unique(resampled, return_counts=True), strict=True)
    )
    for part in plan.values():
        assert 0 <= part.n_synthetic <= max_ratio * part.n_real
        # duplicates only fill what the cap left
        assert part.n_duplicates == 0 or part.n_synthetic == math.floor(max_ratio * part.n_real)


@given(counts=some_counts, extra=st.lists(st.integers(0, 1000), min_size=6, max_size=6))
def test_a_dict_is_followed_exactly_and_uncapped(counts, extra):
    targets = {label: n + extra[label] for label, n in counts.items()}

    plan = plan_resampling(counts, targets, max_ratio=0.5)

    assert {label: part.n_real + part.n_synthetic for label, part in plan.items()} == targets
    assert all(part.n_duplicates == 0 for part in plan.values())


@given(counts=some_counts)
def test_labels_and_their_counts_give_one_plan(counts):
    assert plan_resampling(counts) == plan_resampling(rows_of(counts))


def test_the_cap_leaves_the_remainder_to_duplicates():
    plan = plan_resampling(COUNTS, "auto", max_ratio=5)

    assert plan == {
        "bag": ClassPlan("bag", 900, 0, 0),
        "boot": ClassPlan("boot", 100, 500, 300),
        "coat": ClassPlan("coat", 400, 500, 0),
    }


@pytest.mark.parametrize(
    ("max_ratio", "n_synthetic", "n_duplicates"), [(0, 0, 800), (math.inf, 800, 0), (0.5, 50, 750)]
)
def test_the_cap_can_be_closed_or_opened(max_ratio, n_synthetic, n_duplicates):
    boot = plan_resampling(COUNTS, max_ratio=max_ratio)["boot"]

    assert (boot.n_synthetic, boot.n_duplicates) == (n_synthetic, n_duplicates)


def test_a_float_is_the_ratio_of_two_classes():
    plan = plan_resampling({"a": 100, "b": 10}, 0.5, max_ratio=2)

    assert plan["b"] == ClassPlan("b", 10, 20, 20)


def test_a_callable_gets_the_labels_and_is_followed_exactly():
    def double(y):
        labels, n = np.unique(y, return_counts=True)
        return dict(zip(labels, 2 * n, strict=True))

    plan = plan_resampling(rows_of(COUNTS), double, max_ratio=0)

    assert {label: part.n_synthetic for label, part in plan.items()} == COUNTS


def test_classes_without_rows_are_passed_over_unless_named():
    counts = {"bag": 9, "boot": 3, "coat": 0}

    assert plan_resampling(counts)["coat"] == ClassPlan("coat", 0, 0, 0)
    assert plan_resampling(counts, {"coat": 7})["coat"] == ClassPlan("coat", 0, 7, 0)


@pytest.mark.parametrize("wrap", [list, np.array, pd.Series, torch.tensor])
def test_labels_come_in_any_container(wrap):
    plan = plan_resampling(wrap([0, 0, 0, 1]), max_ratio=1)

    assert plan == {0: ClassPlan(0, 3, 0, 0), 1: ClassPlan(1, 1, 1, 1)}
    assert {type(label) for label in plan} == {int}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("not majorty", "Did you mean 'not majority'"),
        ("majority", "must be one of 'auto'"),
        (0.5, "multi-class"),
        ({"bagg": 1000}, "'bagg' instead. Did you mean 'bag'"),
        ({"bag": 899}, "899 for class 'bag' of 900 rows"),
        ({"bag": -1}, "whole number >= 0"),
        ({"bag": 1000.5}, "whole number >= 0"),
    ],
)
def test_a_strategy_that_cannot_be_followed_is_refused(strategy, message):
    with pytest.raises(InvalidInputError, match=message):
        plan_resampling(COUNTS, strategy)


@pytest.mark.parametrize("strategy", [None, ["bag"], True, lambda y: ["bag"]])
def test_a_strategy_of_another_type_is_refused(strategy):
    with pytest.raises(InvalidTypeError, match="sampling_strategy"):
        plan_resampling(COUNTS, strategy)


@pytest.mark.parametrize("max_ratio", [-1, math.nan, "5", None, True])
def test_a_cap_below_zero_or_no_number_is_refused(max_ratio):
    with pytest.raises(InvalidInputError, match="`max_ratio` must be a number >= 0"):
        plan_resampling(COUNTS, max_ratio=max_ratio)


@given(
    n_rare=st.integers(1, 40),
    n_frequent=st.integers(41, 200),
    max_share=st.floats(0, 1),
)
def test_the_share_of_synthetic_rows_is_capped_and_counts_stay_exact(n_rare, n_frequent, max_share):
    counts = {"rare": n_rare, "frequent": n_frequent}
    plan = plan_resampling(counts, "auto", max_ratio=1000, max_share=max_share)["rare"]
    assert plan.n_total == n_frequent
    assert plan.n_synthetic <= max_share * n_frequent
    assert plan.n_synthetic == min(n_frequent - n_rare, int(max_share * n_frequent))


def test_exact_targets_know_no_cap_on_the_share():
    plan = plan_resampling({"a": 10, "b": 30}, {"a": 30}, max_ratio=0, max_share=0)
    assert plan["a"].n_synthetic == 20
