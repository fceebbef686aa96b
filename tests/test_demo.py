"""ganaug/cli/demo.py, and what it runs: ganaug/cli/digits.py"""

from __future__ import annotations

import functools
import json
import re
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import ganaug.fitting
from ganaug import GANAugmenter
from ganaug.cli import digits as demo
from ganaug.cli import main
from ganaug.exceptions import TrainingWarning
from ganaug.gain.intervals import paired_interval
from ganaug.resampling import default_share, plan

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

N_SEEDS = 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole demo in small: results, directory, and what each audit was given."""
    out = tmp_path_factory.mktemp("demo") / "output"
    audits = []

    class Report:
        def to_html(self, path):
            path.write_text("report")

    def audit(self, X, y, **options):
        audits.append((X, options["X_holdout"]))
        return Report()

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        patch.setattr(demo, "cpu_count", lambda: 1)  # in this process, where patches hold
        patch.setattr(demo, "CLASSIFIER_STEPS", 10)
        quick = functools.partial(ganaug.fitting.fit_classifier, max_steps=10)
        patch.setattr(ganaug.fitting, "fit_classifier", quick)
        patch.setattr(GANAugmenter, "audit", audit)
        results = demo.run_demo(out, n_seeds=N_SEEDS, max_images=64, verbose=0)
    return results, out, audits


@pytest.fixture(scope="module")
def parts():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=demo.TEST_SHARE, stratify=y, random_state=0)


def test_it_writes_results_samples_model_and_report(finished):
    results, out, _ = finished

    assert sorted(path.name for path in out.iterdir()) == [
        "model",
        "report.html",
        "results.json",
        "samples.png",
    ]
    text = (out / "results.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(results))
    assert "NaN" not in text
    assert GANAugmenter.load(out / "model").seed_ == 0
    with Image.open(out / "samples.png") as grid:
        assert grid.width >= 2 * demo.GRID_COLUMNS * 8  # real beside synthetic
        assert grid.height >= 10 * 8  # by class
        assert len(np.unique(grid)) > 2


def test_every_arm_is_scored_in_every_run(finished):
    results, _, _ = finished

    assert results["n_seeds"] == len(results["runs"]) == N_SEEDS
    for arm in demo.ARMS:
        assert len(results["balanced_accuracy"][arm]) == N_SEEDS
        assert np.shape(results["recall_by_class"][arm]) == (10,)
        for run, score in zip(results["runs"], results["balanced_accuracy"][arm], strict=True):
            assert score == pytest.approx(100 * np.mean(run["recall"][arm]))


def test_differences_are_paired_by_run(finished):
    results, _, _ = finished
    scores = results["balanced_accuracy"]

    for arm in demo.ARMS:
        expected = paired_interval(scores[arm], scores[demo.BASELINE])
        assert results["difference_to_baseline"][arm] == vars(expected)


def test_runs_differ_in_their_rows_and_say_how_many_are_synthetic(finished):
    results, _, _ = finished
    runs = results["runs"]

    assert [run["seed"] for run in runs] == [0, 1, 2]
    assert len({str(run["recall"]) for run in runs}) == N_SEEDS
    share = default_share(sum(demo.COUNTS))
    plans = plan(dict(enumerate(demo.COUNTS)), "auto", synthetic_share=share)
    for run in runs:  # a class whose rows the classifier disputes gets none
        for n, planned in zip(run["n_synthetic"], plans.values(), strict=True):
            assert n in (0, planned.n_synthetic)


def test_the_audit_is_of_the_first_run_and_its_holdout_was_not_drawn(finished, parts):
    _, _, audits = finished
    X_pool, X_test, _, _ = parts

    ((X_train, X_holdout),) = audits
    rows = {name: {row.tobytes() for row in X} for name, X in (("t", X_train), ("h", X_holdout))}
    assert len(X_train) == sum(demo.COUNTS)
    assert len(X_train) + len(X_holdout) == len(X_pool)
    assert not rows["t"] & rows["h"]
    assert not rows["t"] & {row.tobytes() for row in X_test}


def test_a_draw_is_of_these_counts_without_repetition_and_differs_by_seed(parts):
    X_pool, _, y_pool, _ = parts

    X, y = demo.draw_imbalanced(X_pool, y_pool, seed=1)

    assert tuple(np.bincount(y)) == demo.COUNTS
    assert len({row.tobytes() for row in X}) == sum(demo.COUNTS)
    again, other = (demo.draw_imbalanced(X_pool, y_pool, seed=seed)[0] for seed in (1, 2))
    assert np.array_equal(X, again)
    assert not np.array_equal(X, other)


def test_the_pool_has_rows_enough_for_every_draw(parts):
    assert (np.bincount(parts[2]) >= demo.COUNTS).all()


def test_the_table_tells_the_task_the_counts_and_every_arm(finished):
    results, out, _ = finished

    text = demo.describe(results, out)

    assert "made imbalanced" in text
    assert "540 untouched test rows" in text
    assert all(f"{n}" in text for n in demo.COUNTS)
    assert all(arm in text for arm in demo.ARMS)
    assert text.count("[") == len(demo.ARMS) - 1  # an interval for all but the baseline
    assert demo.conclude(results) in text
    assert str(out) in text


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([90.0, 91.0, 92.0], r"made no clear difference"),
        ([92.0, 93.1, 94.0], r"helped: \+2\.03 points"),
        ([88.0, 89.1, 90.0], r"did harm: -1\.97 points.*Do not use them"),
    ],
)
def test_the_sentence_says_what_the_numbers_allow(scores, said, finished):
    results = dict(finished[0])
    results["difference_to_baseline"] = {
        **results["difference_to_baseline"],
        demo.ARMS[-1]: vars(paired_interval(scores, [90.0, 91.0, 92.0])),
    }

    assert re.search(said, demo.conclude(results))

    assert demo.conclude(results).endswith("One small data set says little about yours.")


@pytest.mark.parametrize(("without", "is_needed"), [(96.0, False), (91.0, True)])
def test_a_gain_over_the_baseline_is_weighed_against_the_other_arms(without, is_needed, finished):
    with_rows, baseline = [92.0, 93.1, 94.0], [90.0, 91.0, 92.0]
    scores = dict(zip(demo.ARMS, ([80.0], [without], baseline, with_rows), strict=True))
    gain = {demo.ARMS[-1]: vars(paired_interval(with_rows, baseline))}
    results = dict(finished[0]) | {"balanced_accuracy": scores, "difference_to_baseline": gain}

    sentence = demo.conclude(results)

    assert "helped" in sentence
    assert ("But '" in sentence) is not is_needed
    if not is_needed:
        assert "'over-sampling', which has none of them" in sentence
        assert "96.0%; the baseline with them 93.0%" in sentence


def test_a_class_of_which_the_filter_lets_nothing_through_is_drawn_unfiltered(
    parts, monkeypatch, tmp_path
):
    X_pool, _, y_pool, _ = parts
    X, y = demo.draw_imbalanced(X_pool, y_pool, seed=0)
    quick = functools.partial(ganaug.fitting.fit_classifier, max_steps=2)
    monkeypatch.setattr(ganaug.fitting, "fit_classifier", quick)
    augmenter = GANAugmenter(
        image_shape=(8, 8), n_generators=1, width=4, max_images=64, random_state=0, verbose=0
    ).fit(X, y)
    classifier = augmenter.model_.classifier
    answers = np.eye(10)[3]
    monkeypatch.setattr(
        classifier, "predict_proba", lambda values: np.tile(answers, (len(values), 1))
    )
    report = tmp_path / "report.html"

    demo.draw_grid(augmenter, X, y)
    demo.write_report(augmenter, (X, y), (X_pool, y_pool), report)

    assert augmenter.filter == "auto"
    assert "synthetic samples of class 0, 1, 2, 4, 5, 6, 7, 8, 9, so that" in report.read_text(
        "utf-8"
    )
    answers = np.eye(11)[10]  # none of the classes
    demo.write_report(augmenter, (X, y), (X_pool, y_pool), report)
    assert list(tmp_path.iterdir()) == []  # no report rather than no demo


def test_the_command_prints_the_table_or_json(finished, monkeypatch, capsys, tmp_path):
    results, _, _ = finished
    asked = []

    def run_demo(out, **options):
        asked.append((out, options))
        return results

    monkeypatch.setattr(demo, "run_demo", run_demo)
    for arguments in ([], ["--json", "--seeds", "4", "--max-images", "99", "-q"]):
        monkeypatch.setattr(sys, "argv", ["ganaug", "demo", "--out", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code

    shown = capsys.readouterr().out
    table = demo.describe(results, tmp_path)
    assert shown.startswith(table)
    assert json.loads(shown.removeprefix(table)) == json.loads(json.dumps(results))
    assert [out for out, _ in asked] == [tmp_path, tmp_path]
    assert asked[0][1]["verbose"] == 1
    assert asked[1][1] == {"n_seeds": 4, "verbose": 0, "max_images": 99}
