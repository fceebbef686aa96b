"""Benchmarks with ganaug's own over-sampler, and the plan and the executor behind it."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import numpy as np
import pytest

from benchmarks import __main__ as runner
from benchmarks import pipelines, resamplers, worth
from benchmarks.data import TASKS, draw_parts
from benchmarks.results import read
from ganaug import GANAugmenter, GANOverSampler

COUNTS = np.array(TASKS["digits"].counts)
pytestmark = [
    pytest.mark.skipif(
        "synthetic_share" not in GANOverSampler().get_params(deep=False),
        reason="needs the over-sampler's new parameters",
    ),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning"),
]


class Tiny(GANAugmenter):
    """A GAN that has learnt next to nothing, and that nothing is done about."""

    def fit(self, X, y=None):
        self.set_params(max_images=256, width=4, filter=None)
        return super().fit(X, y)


@pytest.fixture
def parts():
    return draw_parts("digits", "", 0)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(resamplers, "GANAugmenter", Tiny)


@pytest.fixture
def quick_places(monkeypatch):
    """The filter of the textbook's samples need not be good."""
    few_steps = partial(worth.fit_classifier, max_steps=20)
    monkeypatch.setattr(worth, "fit_classifier", few_steps)


@pytest.mark.parametrize(
    ("arm", "kind", "share"),
    [
        (resamplers.MATCHED, "synthetic", 0.0),
        (resamplers.MIXED, "synthetic", 0.0),
        (resamplers.GANAUG, "synthetic", None),
        ("ganaug@0.5", "synthetic", 0.5),
        ("per class@1", "synthetic", 1.0),
        (resamplers.CEILING, "further", None),
    ],
)
def test_arms_hold_as_many_of_each_kind_as_is_asked_for(tmp_path, tiny, parts, arm, kind, share):
    draw = resamplers.Draw("digits", 0, parts, 50, tmp_path)

    X, y, kinds = resamplers.make(arm, draw)

    assert np.bincount(y).tolist() == np.maximum(COUNTS, 50).tolist()
    assert np.array_equal(X[: len(draw.y)], draw.X)
    assert (kinds[: len(draw.y)] == "real").all()
    found = Counter(kinds[len(draw.y) :].tolist())
    varied = found.keys() - {kind}
    assert varied <= {"augmented", "interpolated", "varied"}
    if share is not None:
        assert found[kind] == sum(int(share * max(50 - n, 0)) for n in COUNTS)
    else:
        assert 0 < found[kind] < found.total()


def test_half_of_what_is_added_comes_from_gans_within_limits(tmp_path, tiny, parts, monkeypatch):
    trust = property(lambda _: dict.fromkeys(range(10), 0.85), lambda *_: None)
    monkeypatch.setattr(Tiny, "trust_", trust, raising=False)
    monkeypatch.setattr(GANAugmenter, "trust_", trust, raising=False)  # as which it is loaded
    draw = resamplers.Draw("digits", 0, parts, 50, tmp_path)
    missing = np.maximum(50 - np.array(COUNTS), 0)

    def synthetic(arm):
        made = resamplers.make(arm, draw)
        assert np.bincount(made.y).tolist() == np.maximum(COUNTS, 50).tolist()
        return np.bincount(made.y[made.kinds == "synthetic"], minlength=10).tolist()

    assert synthetic("half, trust of 0.8") == (missing // 2).tolist()
    assert synthetic("half, trust of 0.9") == [0] * 10
    assert synthetic("half, 1 a real image") == np.minimum(missing // 2, COUNTS).tolist()


def test_pipelines_run_with_the_over_sampler(tmp_path, tiny):
    out, arms = tmp_path / "r.json", ["nothing", "SMOTE", *resamplers.ARMS[-4:]]
    command = "pipelines --tasks digits --draws 2 --classifiers forest --part test --arms"

    runner.main([*command.split(), *arms, "--out", str(out), "--cache-dir", str(tmp_path / "gans")])

    found = read(out)
    assert found["tasks"]["digits"]["failed"] == {}
    assert all(v > 0.3 for s in found["scores"].values() for arm in s.values() for v in arm)
    assert "over test images too" in pipelines.describe_gains(found)


def test_worth_measures_both_ways_of_training_in_the_same_places(
    tmp_path, quick_places, monkeypatch
):
    small = partial(GANAugmenter, n_generators=1, width=8)
    monkeypatch.setattr(worth, "GANAugmenter", small)
    monkeypatch.setattr(worth, "N_ALONE", 30)
    out = tmp_path / "worth.json"
    options = "worth --tasks digits --draws 2 --budgets 128 512 --width 4 --fill 30"
    options += f" --step-sizes 0.004 --out {out}"

    runner.main([*options.split(), "--gan", "narrow", '{"width": 4, "n_generators": 1}'])

    curves = json.loads(out.read_text(encoding="utf-8"))["values"]["curves"]["digits"]
    assert [*curves] == ["ganaug", "narrow", "textbook, 0.004"]
    for points in curves.values():
        assert [point["budget"] for point in points] == [128, 512]
        assert 0 < points[0]["cpu_seconds"] < points[1]["cpu_seconds"]
        assert all(0 < value < 100 for point in points for value in point["alone"])
        assert all(40 < value <= 100 for point in points for value in point["telltale"])


def test_a_source_stands_in_half_of_the_places(parts, quick_places):
    places = worth.Places(parts, 30, 0)
    found = []
    for source in (None, worth.Further(parts.further)):
        training = places.fill_with(source)
        counts = np.bincount(training.y)
        assert counts.tolist() == [60, 50, 40, 30, 30, 30, 30, 30, 30, 30]
        found.append(Counter(training.kinds.tolist()))
    without, with_source = found
    assert "synthetic" not in without
    assert with_source["synthetic"] == sum(n // 2 for n in places.missing.values())
