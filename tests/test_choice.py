"""ganaug/gain/choice.py: the rule, and the honesty of what is said about it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganaug.gain.choice import (
    COARSE,
    Choice,
    can_still_win,
    choose,
    cross_fit,
    difference,
    mean_scores,
    standing,
    voters,
)

QUARTER = 0.25  # of five folds


def arms(*means, noise=0.0, n_splits=5, seed=0):
    """Scores of arms around their means, on splits some of which are harder than others."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 0.02, n_splits)
    return np.array([mean + level + rng.normal(0, noise, n_splits) for mean in means])


def parts_of_folds(n_samples, n_folds, n_repeats=1):
    rng = np.random.default_rng(0)
    draws = [rng.permutation(n_samples) for _ in range(n_repeats)]
    return [part for draw in draws for part in np.array_split(draw, n_folds)]


# --- the rule ------------------------------------------------------------------------------------


def test_a_clear_best_is_chosen_however_complicated():
    assert choose(arms(0.8, 0.8, 0.8, 0.9, noise=0.002), QUARTER) == Choice(3, True)


def test_without_a_default_the_best_is_chosen():
    assert choose(arms(0.8, 0.9, 0.9001), QUARTER).arm == 2


def test_the_default_is_taken_where_a_point_would_not_have_shown():
    choice = choose(arms(0.80, 0.81, 0.81, noise=0.06), QUARTER, default=[2])

    assert choice == Choice(2, False)


def test_an_arm_with_one_score_leaves_the_others_as_they_are():
    scores = arms(0.90, 0.71, noise=0.01)
    once = np.vstack([scores, [0.9, *[np.nan] * 4]])

    assert choose(once, QUARTER, default=[1]) == choose(scores, QUARTER, default=[1])
    assert choose(once, QUARTER, default=[1]).arm == 0


def test_of_one_split_the_default_is_taken():
    assert choose(arms(0.9, 0.7, n_splits=1), QUARTER, default=[1]).arm == 1


def test_a_default_that_is_clearly_worse_is_not_taken():
    scores = np.vstack([arms(0.80, 0.80, noise=0.06), arms(0.5)])

    assert choose(scores, QUARTER, default=[2]).arm != 2


def test_of_one_split_nothing_is_decided():
    scores = np.array([[0.5], [0.9], [0.6]])

    assert choose(scores, QUARTER, default=[2]) == Choice(2, False)
    assert choose(scores, QUARTER).is_decided is False


def test_of_several_defaults_the_better_is_taken_though_it_is_not_clearly_ahead():
    apart = np.array([0.05, -0.04, 0.04, -0.04, 0.02])  # 0.006 in the mean
    scores = np.vstack([arms(0.80), 0.84 + 0 * apart, 0.84 + apart, 0.842 - apart / 2])

    chosen = [choose(scores, QUARTER, default=usual).arm for usual in ([1], [1, 2], [2, 1])]

    assert chosen == [1, 2, 2]
    assert choose(scores, QUARTER, default=[1, 2], costly=[2]).arm == 1
    assert choose(scores, QUARTER, default=[1, 2], among=[0, 1]).arm == 1
    scores[2] -= 0.004  # still ahead, but not by what matters
    assert choose(scores, QUARTER, default=[1, 2]).arm == 1


def test_the_error_is_that_of_paired_differences_and_not_of_scores():
    hard = np.array([0.0, 0.3, -0.3, 0.2, -0.2])  # splits differ by far more than arms

    assert choose(np.array([0.5 + hard, 0.52 + hard]), QUARTER) == Choice(1, True)


def test_overlap_of_training_parts_widens_the_error():
    apart = np.array([0.0, 0.01, 0.02, 0.03, 0.04]) - 0.008  # mean 0.012, sd 0.0158
    scores = np.array([np.full(5, 0.5), 0.5 + apart])

    assert choose(scores, 0.0, default=[0]).arm == 1
    assert choose(scores, 1.0, default=[0]).arm == 0


def test_an_arm_tried_on_easy_splits_only_is_not_flattered():
    nothing = np.array([0.9, 0.9, 0.5, 0.5, 0.5])
    some = np.array([0.85, 0.85, np.nan, np.nan, np.nan])

    means = mean_scores(np.array([nothing, some, np.full(5, np.nan)]))

    assert means[0] == pytest.approx(0.66)
    assert means[1] == pytest.approx(0.61)
    assert means[2] == -np.inf
    assert choose(np.array([nothing, some]), QUARTER).arm == 0


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6),
    st.floats(-1, 1),
)
def test_the_choice_does_not_depend_on_the_level(rows, shift):
    scores = np.round(np.array(rows), 3)

    moved = choose(np.round(scores + round(shift, 2), 6), QUARTER).arm
    means = mean_scores(scores)
    assert means[moved] == pytest.approx(means[choose(scores, QUARTER).arm])


# --- cross-fitting -------------------------------------------------------------------------------


def test_splits_that_test_the_same_samples_do_not_vote_for_one_another():
    tests = parts_of_folds(40, 4, n_repeats=2)

    may_vote, is_honest = voters(tests, 40)

    assert is_honest
    for i, one in enumerate(tests):
        for j, other in enumerate(tests):
            assert may_vote[i, j] == (not set(one) & set(other))
    assert may_vote[:4, :4].sum() == 12


def test_overlapping_test_parts_are_told():
    may_vote, is_honest = voters([np.arange(5), np.arange(3, 8), np.arange(4, 9)], 10)

    assert not is_honest
    assert not may_vote.diagonal().any()
    assert may_vote.sum() == 6


def test_the_gain_of_choosing_among_equals_is_not_flattered():
    """The luckiest of many equal arms looks better than nothing; choosing it is worth nothing."""
    rng = np.random.default_rng(0)
    flattered, honest = [], []
    for _ in range(200):
        scores = rng.normal(0.8, 0.02, (8, 5))
        may_vote, _ = voters(parts_of_folds(50, 5), 50)
        picks = cross_fit(scores, may_vote, QUARTER)
        best = np.full(5, choose(scores, QUARTER).arm)
        nothing = np.zeros(5, dtype=int)
        flattered.append(difference(scores, best, nothing, QUARTER).mean)
        honest.append(difference(scores, picks, nothing, QUARTER).mean)

    assert np.mean(flattered) > 0.005
    assert abs(np.mean(honest)) < 0.002


def test_an_arm_is_not_chosen_for_a_split_on_which_it_was_not_tried():
    scores = arms(0.8, 0.9, noise=0.001)
    scores[1, 3:] = np.nan
    may_vote = ~np.eye(5, dtype=bool)

    assert cross_fit(scores, may_vote, QUARTER).tolist() == [1, 1, 1, 0, 0]


def test_where_no_split_may_vote_none_is_chosen():
    picks = cross_fit(arms(0.8, 0.9, n_splits=1), np.zeros((1, 1), dtype=bool), QUARTER)

    assert picks.tolist() == [-1]
    assert np.isnan(difference(arms(0.8, 0.9, n_splits=1), picks, picks, QUARTER).mean)


# --- whether a GAN is worth its training ---------------------------------------------------------


def test_a_gan_cannot_win_where_there_is_no_room_above():
    assert not can_still_win(np.full((2, 5), 0.992), QUARTER)
    assert not can_still_win(arms(0.9, 0.9, noise=0.2), QUARTER, default=[1])  # nothing shows
    assert can_still_win(arms(0.80, 0.85, noise=0.02), QUARTER)


@pytest.mark.parametrize(("gan", "expected"), [(0.95, "ahead"), (0.85, "behind"), (0.9, "open")])
def test_the_standing_of_the_gan(gan, expected):
    scores = arms(0.8, 0.9, 0.7, gan, noise=0.004)
    scores[2:, 3:] = np.nan

    assert standing(scores, [2, 3], QUARTER) == expected


def test_one_split_leaves_the_standing_open():
    scores = arms(0.8, 0.5)
    scores[1, 1:] = np.nan

    assert standing(scores, [1], QUARTER) == "open"


def test_what_is_coarse_is_a_point():
    assert COARSE == 0.01


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([[0.7] * 4, [0.80, 0.82, 0.81, 0.83], [0.81, 0.81, 0.84, 0.82]], 1),  # a tie
        ([[0.7] * 4, [0.80, 0.82, 0.81, 0.83], [0.90, 0.91, 0.92, 0.93]], 2),  # clearly ahead
        ([[0.9] * 4, [0.88, 0.89, 0.92, 0.90], [0.80, 0.81, 0.82, 0.83]], 0),  # nothing is best
    ],
    ids=["tie", "ahead", "nothing"],
)
def test_the_best_is_the_default_unless_another_is_clearly_ahead_or_nothing_is(scores, chosen):
    assert choose(np.array(scores), 0.25, default=[1]).arm == chosen
    without = choose(np.array(scores), 0.25).arm
    assert without == int(np.argmax(np.mean(scores, axis=1)))
