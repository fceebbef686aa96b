"""The benchmark of choices."""

import json

import numpy as np
import pytest

import benchmarks.__main__ as runner
from benchmarks import choices

HALVES = {"nothing": [0.5, 0.6], "smote": [0.9, 0.7], "augmented": [0.8, 0.9]}


def record(choice="smote", **changes):
    folds = {"nothing": [0.5, 0.5, 0.6], "smote": [0.8, 0.8, 0.9], "augmented": [0.9, 0.7, 0.9]}
    return {
        "choice": choice,
        "gain": [0.3, 0.2, 0.4],
        "test_over_train": 0.5,
        "cpu_seconds": 1.0,
        "folds": folds,
        "halves": HALVES,
    } | changes


def test_the_best_is_named_on_one_half_and_scored_on_the_other():
    # by the first half SMOTE is best, which loses 0.0 to itself; by the second augmented
    assert choices.regret(record(), "smote") == pytest.approx(100 * (0.0 + (0.8 - 0.9)) / 2)
    assert choices.regret(record(), "nothing") == pytest.approx(100 * ((0.7 - 0.6) + 0.3) / 2)
    assert choices.regret(record(), "class weights") == choices.regret(record(), "nothing")


def test_another_rule_chooses_again_from_the_folds():
    assert choices.by_folds(record(), choices.best) in ("smote", "augmented")
    assert choices.by_folds(record(), choices.simplest) == "smote"


def arms(*means, noise=0.0):
    """Scores of arms around their means, on five folds some of which are harder than others."""
    rng = np.random.default_rng(0)
    level = rng.normal(0, 0.02, 5)
    return np.array([mean + level + rng.normal(0, noise, 5) for mean in means])


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        (arms(0.8, 0.9, 0.9, 0.9), 1),  # the first of equals
        (arms(0.8, 0.8, 0.8, 0.9, noise=0.002), 3),
        (arms(0.9, 0.9, 0.9, noise=0.001), 0),  # a gain of a point would have shown
        (arms(0.80, 0.81, 0.81, noise=0.06), 2),  # the default, since it would not have
    ],
)
def test_the_simplest_within_an_error_of_the_best_is_chosen(scores, chosen):
    assert choices.simplest(scores, 0.25, default=[2], costly=()) == chosen


def test_halves_have_every_class_evenly():
    y = np.repeat([0, 1, 2], [10, 6, 4])
    first, second = choices.halves_of(y)
    assert np.bincount(y[first]).tolist() == np.bincount(y[second]).tolist() == [5, 3, 2]
    assert sorted([*first, *second]) == list(range(20))


def test_gains_are_told_beside_the_truth():
    result = {"n": {"150": []}, "values": {"mnist, 150, 0, SVC": record()}}

    told = choices.describe_gains(result).splitlines()[-1]

    assert told == "| 150 | +25.00 | +30.00 | 1 of 1 | 20.0 | smote 1x | 1 |"


@pytest.mark.parametrize("task", ["digits", "table:digits"])
def test_choices_are_made_and_scored(tmp_path, task, monkeypatch):
    monkeypatch.setattr(choices, "N_FURTHER", 20)
    out = tmp_path / "choices.json"
    command = f"choices --tasks {task} --sizes 130 --draws 1 --classifiers"

    runner.main([*command.split(), "nearest neighbours", "--out", str(out)])

    (found,) = json.loads(out.read_text(encoding="utf-8"))["values"].values()
    assert found["choice"] in found["halves"]
    assert ("mixed" in found["halves"]) == (task == "digits")
    assert all(0.3 < v <= 1 for halves in found["halves"].values() for v in halves)
    assert 0 < found["test_over_train"] < 1
