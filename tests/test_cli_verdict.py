"""`ganaug evaluate`, and what the other commands do with its verdict."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys

import numpy as np
import pytest
from PIL import Image

import ganaug
import ganaug.fitting
from ganaug import GANAugmenter, Verdict
from ganaug.cli import main
from ganaug.naming import MANIFEST_NAME
from tests.stand_ins import verdict_of

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

SMALL = ("--generators", "1", "--width", "4", "--max-images", "128", "-q")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command and give exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ganaug", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Neither the filter's classifier nor the built-in one need be good here."""
    fit_classifier = functools.partial(ganaug.fitting.fit_classifier, max_steps=5)
    monkeypatch.setattr(ganaug.fitting, "fit_classifier", fit_classifier)
    monkeypatch.setattr("ganaug.gain.problem.network_steps", lambda n_samples: 5)


@pytest.fixture
def pictures(all_digits):
    """40 bags and 25 boots (digits 3 and 8), uint8 (n, 8, 8), and their names."""
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 3)[:40], np.flatnonzero(y == 8)[:25]]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), np.where(y[rows] == 3, "bag", "boot")


@pytest.fixture
def archive(pictures, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "pictures.npz", X=X, y=y)
    return tmp_path / "pictures.npz"


@pytest.fixture
def tree(pictures, tmp_path):
    """A directory of images, one subdirectory per class."""
    for index, (picture, name) in enumerate(zip(*pictures, strict=True)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{index:03d}.png")
    return tmp_path / "images"


# --- evaluate ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "estimator"), [("archive", "knn"), ("tree", "cnn")])
def test_evaluate_gives_a_verdict_that_augment_carries_out(data, estimator, run, request, tmp_path):
    data, verdict_file = request.getfixturevalue(data), tmp_path / "verdict.json"
    arguments = ("--folds", "2", "--estimator", estimator, "--out", verdict_file, *SMALL)

    code, out, err = run("evaluate", data, *arguments)

    assert (code, err) == (0, "")
    verdict = Verdict.load(verdict_file)
    assert out == f"{verdict}\n"
    assert set(verdict.per_class) == {"bag", "boot"}
    assert ("KNeighborsClassifier()" in out) == (estimator == "knn")
    scores = {**verdict.scores, "half and half": [0.9, 0.9]}
    dataclasses.replace(verdict, choice="half and half", scores=scores).save(verdict_file)

    arguments = ("--out", tmp_path / "new.npz", "--allow-distrusted", "-q")
    code, out, err = run("augment", data, "--verdict", verdict_file, *arguments)

    assert (code, err) == (0, "")
    with np.load(tmp_path / "new.npz") as arrays:
        assert np.unique(arrays["y"], return_counts=True)[1].tolist() == [320, 320]


def test_evaluate_prints_json_draws_and_keeps_groups_together(run, pictures, tmp_path, monkeypatch):
    X, y = pictures
    seen, measured = {}, ganaug.evaluate_gain

    def evaluate_gain(estimator, X, y, **options):
        seen.update(options)
        return measured(estimator, X, y, **options | {"remedies": ["duplicates", "smote"]})

    monkeypatch.setattr("ganaug.gain.evaluate.evaluate_gain", evaluate_gain)
    groups, plot = np.arange(len(y)) // 2, tmp_path / "new" / "scores.png"
    np.savez(tmp_path / "grouped.npz", X=X, y=y, groups=groups)
    arguments = ("evaluate", tmp_path / "grouped.npz", "--estimator", "svc", "--folds", "4")

    code, out, err = run(*arguments, "--json", "--plot", plot, *SMALL)

    assert code == 0, err
    assert json.loads(out)["choice"] in json.loads(out)["scores"]
    assert np.array_equal(seen["groups"], groups)
    with Image.open(plot) as drawn:
        assert drawn.size[0] > 500
    assert (seen["augmenter"].width, seen["remedies"]) == (4, "samplers")

    assert run(*arguments, "-q")[0] == 0
    assert seen["augmenter"] is None  # so few images need no GAN, unless its options are given


def test_a_dry_run_of_evaluate_tells_the_costs(run, archive, tmp_path):
    arguments = ("evaluate", archive, "--folds", "4", "--dry-run", *SMALL)

    code, out, err = run(*arguments, "--json", "--out", tmp_path / "verdict.json")

    assert code == 0, err
    assert json.loads(out)["seconds"] > 0
    assert not (tmp_path / "verdict.json").exists()


# --- augment -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "kind"),
    [("duplicates", "duplicate"), ("smote", "interpolated"), ("augmented", None)],
)
def test_augment_writes_what_the_verdict_says_and_leaves_real_ones_alone(
    choice, kind, run, tree, pictures, tmp_path
):
    task = dataclasses.replace(verdict_of().task, n_axes=4, image_shape=None)
    verdict_of(choice, task=task).save(tmp_path / "verdict.json")
    out = tmp_path / "new"

    code, text, err = run(
        *("augment", tree, "--verdict", tmp_path / "verdict.json", "--out", out, "--json")
    )

    assert (code, err) == (0, "")
    assert json.loads(text)["written"]["boot"] == {"real": 25, kind or "augmented": 15}
    lines = (out / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(list(out.rglob("*.png"))) == 80
    real = [np.asarray(Image.open(file)) for file in sorted(out.rglob("real-*.png"))]
    assert np.array_equal(real, pictures[0])
    sources = [json.loads(line).get("source") for line in lines]
    assert all(sources[:65])
    assert choice == "smote" or all(sources)


@pytest.mark.parametrize("option", [("--enlarge",), ("--share", "0.5"), ("--width", "8")])
def test_what_the_verdict_says_cannot_be_said_again(option, run, tree, tmp_path):
    verdict_of("augmented").save(tmp_path / "verdict.json")

    code, _, err = run(
        *("augment", tree, "--verdict", tmp_path / "verdict.json", "--out", tmp_path / "new"),
        *option,
    )

    assert code == 2
    assert "the verdict's: leave them out" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"choice": "nothing"}, "add nothing"),
        ({"choice": "class weights"}, "must be set at the classifier"),
        ({"choice": "features"}, "must be set at the classifier"),
        ({"choice": "mine"}, "the sampler 'mine'"),
        ({"choice": "smote"}, "images in arrays of 2 axes. Got images in arrays of 3 axes"),
    ],
)
def test_a_verdict_that_adds_nothing_to_these_data_is_told(run, archive, tmp_path, changes, said):
    verdict_of(**changes).save(tmp_path / "verdict.json")

    code, _, err = run(
        *("augment", archive, "--verdict", tmp_path / "verdict.json", "--out", tmp_path / "new")
    )

    assert code == 1
    assert_one_line(err, said)
    assert not (tmp_path / "new").exists()


def test_options_of_the_gan_are_the_verdicts(run, archive, tmp_path):
    verdict_of("ganaug").save(tmp_path / "verdict.json")

    code, _, err = run(
        *("augment", archive, "--verdict", tmp_path / "verdict.json", "--out", tmp_path / "new"),
        *("--width", "4"),
    )

    assert code == 2
    assert "--width" in err


# --- audit ---------------------------------------------------------------------------------------


@pytest.fixture
def model(pictures, tmp_path):
    parameters = {"n_generators": 1, "width": 4, "max_images": 64, "filter": None, "verbose": 0}
    GANAugmenter(**parameters, random_state=0).fit(*pictures).save(tmp_path / "model")
    return tmp_path / "model"


def test_an_audit_shows_the_gains_of_a_verdict(run, archive, model, tmp_path, monkeypatch):
    shown = {}

    class Report:
        def to_json(self):
            return "{}"

    def audit(self, X, y, *, verdict, **others):
        shown.update(verdict.to_dict())
        return Report()

    monkeypatch.setattr(GANAugmenter, "audit", audit)
    verdict = verdict_of("smote")
    verdict.save(tmp_path / "verdict.json")

    code, _, err = run(
        *("audit", model, "--train", archive, "--verdict", tmp_path / "verdict.json"),
        *("--out", tmp_path / "report.json"),
    )

    assert code == 0, err
    assert shown == verdict.to_dict()


@pytest.mark.parametrize("text", ["no json", "[]", '{"gan": "chosen"}'])
def test_a_file_that_is_no_verdict_is_named(run, archive, model, tmp_path, text):
    (tmp_path / "verdict.json").write_text(text, encoding="utf-8")

    code, _, err = run(
        *("audit", model, "--train", archive, "--verdict", tmp_path / "verdict.json"),
        *("--out", tmp_path / "report.json"),
    )

    assert code == 1
    assert_one_line(err, "verdict.json")


def assert_one_line(err, said):
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    assert said in err
