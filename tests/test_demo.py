"""ganaug/cli/demo.py, and what it runs: ganaug/cli/digits.py"""

from __future__ import annotations

import functools
import json
import math
import re
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold

import ganaug.cache
import ganaug.fitting
from ganaug import GANAugmenter
from ganaug.cli import digits as demo
from ganaug.cli import main
from ganaug.exceptions import MissingDependencyError
from ganaug.gain.intervals import paired_interval
from tests.unfiltered import leave_unfiltered

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")

N_DRAWS = 2
FAST = {"SVC": "svc", "neighbours": "knn"}
COUNTS = demo.COUNTS


@pytest.fixture(autouse=True, scope="module")
def few_images():
    """A third of the images, of which an SVC learns in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "COUNTS", tuple(max(n // 3, 8) for n in COUNTS))
        yield


def run_small(out, watch=None, n_draws=N_DRAWS):
    """A whole demo in small, in this process; `watch` is told of fits, choices and audits."""

    class Report:
        def to_html(self, path):
            path.write_text("report")

    def audit(self, X, y, **options):
        watch.audits.append((X, options["X_holdout"], options["verdict"]))
        return Report()

    def evaluate(estimator, X, y, **options):
        verdict = choose(estimator, X, y, cv=StratifiedKFold(3), **options)
        watch.choices.append((X, verdict))
        return verdict

    def train(data, options, **others):
        watch.trainings.append(data.values)
        return train_model(data, options, **others)

    watch = watch or SimpleNamespace(audits=[], choices=[], trainings=[])
    choose, train_model = demo.evaluate_gain, ganaug.cache.train_model
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")  # of small classes and hardly trained GANs, too
        leave_unfiltered(patch)
        patch.setattr(demo, "cpu_count", lambda: 1)  # in this process, where patches hold
        patch.setattr(demo, "CLASSIFIERS", FAST)
        quick = functools.partial(ganaug.fitting.fit_classifier, max_steps=2)
        patch.setattr(ganaug.fitting, "fit_classifier", quick)
        patch.setattr(GANAugmenter, "audit", audit)
        patch.setattr(demo, "evaluate_gain", evaluate)
        tiny = functools.partial(GANAugmenter, width=4)
        patch.setattr(demo, "GANAugmenter", tiny)
        patch.setattr(ganaug.cache, "train_model", train)
        return demo.run_demo(out, n_draws=n_draws, max_images=64, verbose=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Results, directory, and what was watched."""
    out = tmp_path_factory.mktemp("demo") / "output"
    watch = SimpleNamespace(audits=[], choices=[], trainings=[])
    return run_small(out, watch), out, watch


@pytest.fixture(scope="module")
def parts():
    return demo.split_digits()


def bytes_of(images):
    """Images as a set, whatever the type of their pixels."""
    flat = np.asarray(images).reshape(len(images), -1)
    return {image.astype(np.uint8).tobytes() for image in flat}


# --- what is measured --------------------------------------------------------------------------


def test_it_writes_results_plot_model_and_report(finished):
    results, out, _ = finished

    assert sorted(path.name for path in out.iterdir()) == [
        "model",
        "remedies.png",
        "report.html",
        "results.json",
    ]
    text = (out / "results.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(results))
    assert "NaN" not in text
    assert GANAugmenter.load(out / "model").seed_ == 0


def test_every_remedy_and_the_choice_are_scored_in_every_draw(finished):
    results, _, watch = finished
    scores = results["scores"]

    assert [*scores] == [*FAST]
    assert "gan only" not in demo.arms_of(scores)
    assert {*demo.arms_of(scores)} - scores["neighbours"].keys() == {"class weights"}
    for number, (_, verdict) in enumerate(watch.choices):
        draw, name = number // len(FAST), [*FAST][number % len(FAST)]
        assert results["choices"][name][draw] == verdict.choice
        assert scores[name][demo.CHOICE][draw] == scores[name][verdict.choice][draw]
        assert {len(values) for values in scores[name].values()} == {N_DRAWS}


def test_the_score_of_the_choice_is_that_of_the_pipeline_handed_over(finished, parts):
    results, _, watch = finished
    _, _, X_test, y_test = parts
    for draw in range(N_DRAWS):
        X, verdict = watch.choices[draw * len(FAST)]
        _, y = demo.draw_imbalanced(*parts[:2], seed=draw)
        predicted = verdict.make_pipeline().fit(X, y).predict(X_test)

        score = balanced_accuracy_score(y_test, predicted)
        assert score == results["scores"]["SVC"][demo.CHOICE][draw]


def test_no_choice_training_or_audit_sees_an_untouched_image(finished, parts):
    _, _, watch = finished
    untouched = bytes_of(parts[2])

    drawn = [bytes_of(X) for X, _ in watch.choices]
    assert drawn == [bytes_of(demo.draw_imbalanced(*parts[:2], seed)[0]) for seed in (0, 0, 1, 1)]
    for seen in [*drawn, *map(bytes_of_values, watch.trainings)]:
        assert not seen & untouched
    ((X_train, X_holdout, verdict),) = watch.audits
    assert not bytes_of(X_train) & bytes_of(X_holdout)
    assert not (bytes_of(X_train) | bytes_of(X_holdout)) & untouched
    assert len(X_train) + len(X_holdout) == len(parts[0])
    assert verdict["text"].startswith("With the neighbours: Use '")


def bytes_of_values(values):
    """The digits' own values, 0 to 16, of images as networks see them."""
    return bytes_of(np.rint(np.asarray(values) * (16 / 255)))


def test_the_trainings_watched_are_recognised_as_images_of_the_draw(finished, parts):
    drawn = [bytes_of(demo.draw_imbalanced(*parts[:2], seed)[0]) for seed in range(N_DRAWS)]

    for values in finished[2].trainings:
        assert any(bytes_of_values(values) <= images for images in drawn)


def test_the_gans_of_a_draw_are_trained_once_for_all_classifiers(finished):
    _, _, watch = finished

    keys = [np.asarray(values).tobytes() for values in watch.trainings]
    assert len(keys) == len(set(keys))
    n_whole = sum(len(values) == sum(demo.COUNTS) for values in watch.trainings)
    assert n_whole == N_DRAWS
    assert len(keys) > n_whole  # folds


def test_the_same_seeds_give_the_same_numbers_and_nothing_is_printed(finished, tmp_path, capfd):
    results, _, _ = finished

    again = run_small(tmp_path, n_draws=1)

    assert capfd.readouterr() == ("", "")
    assert again["alarms"] == results["alarms"][:1]
    for name in FAST:
        assert again["choices"][name] == results["choices"][name][:1]
        first = {arm: values[:1] for arm, values in results["scores"][name].items()}
        assert again["scores"][name] == first


def test_a_draw_is_of_these_counts_without_repetition_and_differs_by_seed(parts):
    X_pool, y_pool, _, _ = parts

    X, y = demo.draw_imbalanced(X_pool, y_pool, seed=1)

    assert tuple(np.bincount(y)) == demo.COUNTS
    assert len({image.tobytes() for image in X}) == sum(demo.COUNTS)
    again, other = (demo.draw_imbalanced(X_pool, y_pool, seed=seed)[0] for seed in (1, 2))
    assert np.array_equal(X, again)
    assert not np.array_equal(X, other)


def test_the_pool_has_images_enough_for_every_draw(parts):
    assert (np.bincount(parts[1]) >= COUNTS).all()


# --- what is said of it ------------------------------------------------------------------------


def scores_of(**arms):
    """Two classifiers of equal scores."""
    named = {name.replace("_", " "): values for name, values in arms.items()}
    return {"linear model": named, "SVC": named}


def test_the_table_tells_the_task_every_remedy_and_what_was_chosen(finished):
    results, out, _ = finished

    text = demo.describe(results, out)

    assert "made imbalanced: 39 to 8 training images a class; 2 draws." in text
    assert "540 untouched images, %, mean of the draws:" in text
    for arm in demo.arms_of(results["scores"]):
        assert re.search(rf"^{arm} +[\d.]+ ", text, flags=re.MULTILINE)
    assert re.search(r"^class weights +[\d.]+ +- +-$", text, flags=re.MULTILINE)
    assert "-: not for this classifier, hence no mean" in text
    for name, chosen in results["choices"].items():
        assert f"  {name}: {', '.join(chosen)}" in text
    assert demo.conclude(results["scores"]) in text
    assert all(path.name in text for path in out.iterdir())
    assert "pip install" not in text
    assert not re.search(r"\brows?\b", text)


def test_means_are_of_all_classifiers_or_none():
    scores = scores_of(nothing=[0.5, 0.7], the_choice=[0.6, 0.8])
    scores["SVC"] = {"the choice": [0.8, 0.8]}

    assert demo.mean_of(scores, "the choice") == pytest.approx([0.7, 0.8])
    assert all(map(math.isnan, demo.mean_of(scores, "nothing")))
    assert demo.table_of(scores) == [
        ["nothing", "60.0", "-", "-"],
        ["the choice", "70.0", "80.0", "75.0"],
    ]


def test_two_draws_are_told_without_intervals():
    scores = scores_of(
        nothing=[0.90, 0.90],
        augmented=[0.95, 0.97],
        ganaug=[0.94, 0.96],
        the_choice=[0.95, 0.96],
    )

    text = demo.conclude(scores)

    assert (
        "the choice is worth +5.5 points over doing nothing, and -0.5 points over 'augmented'"
        in text
    )
    assert "the best with a GAN ('ganaug') is worth -1.0 points over the best without" in text
    assert "So few draws (2) give no intervals" in text
    assert "interval " not in text
    assert text.endswith("One small data set says little about yours.")


def test_features_count_among_what_needs_a_gan():
    scores = scores_of(
        nothing=[0.90, 0.90],
        enlarged=[0.94, 0.94],
        ganaug=[0.93, 0.93],
        features=[0.96, 0.96],
        the_choice=[0.96, 0.96],
    )

    text = demo.conclude(scores)

    assert "the best with a GAN ('features') is worth +2.0 points over the best without" in text


def test_three_draws_are_told_with_intervals():
    nothing, choice = [0.90, 0.91, 0.92], [0.93, 0.95, 0.94]
    scores = scores_of(nothing=nothing, ganaug=choice, the_choice=choice)

    text = demo.conclude(scores)

    found = paired_interval([93, 95, 94], [90, 91, 92])
    interval = f"95% interval {found.low:+.1f} to {found.high:+.1f}, n = 3"
    assert f"the choice is worth +3.0 points ({interval}) over doing nothing" in text
    assert "few draws" not in text


def test_without_the_extra_there_is_a_hint_in_the_place_of_plot_and_report(
    finished, monkeypatch, tmp_path
):
    results = finished[0]

    def missing(*args):
        raise MissingDependencyError("matplotlib is needed", name="matplotlib")

    monkeypatch.setattr(demo, "require_extra", missing)
    monkeypatch.setattr(demo, "Parallel", lambda **options: lambda tasks: [])
    monkeypatch.setattr(demo, "CLASSIFIERS", {})
    (tmp_path / "remedies.png").write_text("of an earlier run")

    demo.run_demo(tmp_path, verbose=0)

    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert 'pip install "ganaug[report]"' in demo.describe(results, tmp_path)


# --- the first draw's GAN ----------------------------------------------------------------------


def test_classes_of_which_the_filter_lets_nothing_through_are_audited_unfiltered(
    parts, monkeypatch, tmp_path, quick_audit
):
    X_pool, y_pool, _, _ = parts
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
    monkeypatch.setattr(demo, "AUDIT_SAMPLES", 20)

    demo.write_report(augmenter, (X, y), (X_pool, y_pool), report)

    assert augmenter.filter == "auto"
    assert "synthetic samples of class 0, 1, 2, 4, 5, 6, 7, 8, 9, so that" in report.read_text(
        "utf-8"
    )
    answers = np.eye(11)[10]  # none of the classes
    demo.write_report(augmenter, (X, y), (X_pool, y_pool), report)
    assert list(tmp_path.iterdir()) == []  # no report rather than no demo


# --- the command -------------------------------------------------------------------------------


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ganaug", "demo", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def test_the_command_prints_the_table_or_json(finished, monkeypatch, capsys, tmp_path):
    results, _, _ = finished
    asked = []

    def run_demo(out, **options):
        asked.append((out, options))
        return results

    monkeypatch.setattr(demo, "run_demo", run_demo)
    run_command(monkeypatch, "--out", tmp_path)
    others = ("--draws", 4, "--max-images", 99, "--jobs", 1)
    run_command(monkeypatch, "--out", tmp_path, "--json", "-q", *others)

    shown = capsys.readouterr().out
    table = demo.describe(results, tmp_path)
    assert shown.startswith(table)
    assert json.loads(shown.removeprefix(table)) == json.loads(json.dumps(results))
    assert asked == [
        (tmp_path, {"verbose": 1, "n_jobs": -1}),
        (tmp_path, {"verbose": 0, "n_jobs": 1, "n_draws": 4, "max_images": 99}),
    ]


def test_the_help_tells_the_defaults(monkeypatch, capsys):
    run_command(monkeypatch, "--help")

    shown = " ".join(capsys.readouterr().out.split())
    assert f"Repeats with other training images; {demo.N_DRAWS}." in shown
    assert f"Training budget of each GAN; {demo.MAX_IMAGES}." in shown
