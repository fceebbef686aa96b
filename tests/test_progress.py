"""ganaug/progress.py, and what goes to the logger `ganaug`"""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tqdm.std
from sklearn.neighbors import KNeighborsClassifier

import ganaug.progress
from ganaug import GANAugmenter, evaluate_gain
from ganaug.gan.callbacks import Progress

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")


@pytest.fixture
def clock(monkeypatch):
    """A clock for tqdm that one sets."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(tqdm.std, "time", lambda: clock.now)
    return clock


def show_ten_minutes(clock):
    with ganaug.progress.progress_bar("Training") as show:
        for step in range(1, 1201):
            clock.now = step / 2
            show(Progress(step, step / 1200, clock.now, 1.0, 1.0))


def test_a_log_gets_a_line_a_minute(clock, capsys):
    show_ten_minutes(clock)  # pytest's stderr is no terminal

    lines = capsys.readouterr().err.splitlines()
    assert 9 <= len(lines) <= 12
    assert "100%" in lines[-1]


def test_a_notebook_gets_a_bar_though_it_is_no_terminal(monkeypatch):
    stream = type(
        "OutStream", (), {"isatty": lambda self: False, "__module__": "ipykernel.iostream"}
    )
    monkeypatch.setattr(sys, "stderr", stream())

    assert ganaug.progress.bar_options() == {}


@pytest.mark.parametrize(("verbose", "shown"), [(1, True), (0, False)])
def test_a_choice_of_remedy_tells_how_far_it_is(all_digits, capsys, monkeypatch, verbose, shown):
    monkeypatch.setattr(ganaug.progress, "bar_options", lambda: {"mininterval": 0})
    X, y = (of_all[:100] for of_all in all_digits)
    options = {"cv": 2, "remedies": ["duplicates"], "random_state": 0, "verbose": verbose}
    evaluate_gain(KNeighborsClassifier(1), X, (y > 6).astype(int), **options)

    said = capsys.readouterr().err
    assert ("remedies: 100%" in said) is shown
    assert ("'duplicates', fold 2: 0." in said) is shown


def test_what_is_not_tried_is_no_work_left(capsys, monkeypatch):
    monkeypatch.setattr(ganaug.progress, "bar_options", lambda: {"mininterval": 0})
    with ganaug.progress.trials_bar(10, is_shown=True) as show:
        show("smote", 0, 0.5)

    last = capsys.readouterr().err.split("\r")[-1]
    assert "100%" in last
    assert "1/1" in last


@pytest.fixture
def digits(all_digits):
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:40], np.flatnonzero(y == 1)[:25]]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), y[rows]


def test_a_training_is_logged_under_the_name_of_the_package(digits, caplog, capfd):
    caplog.set_level(logging.INFO, logger="ganaug")

    tiny = {"n_generators": 2, "max_images": 128, "width": 4, "filter": None, "verbose": 0}
    GANAugmenter(**tiny, random_state=0).fit(*digits)

    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("Training starts: 2 GANs on cpu, 256 images, estimated")
    assert "Network 2 of 2" in said
    assert any("64 images, distance" in text and "alarms:" in text for text in said)
    assert any(text.startswith("Trained: 256 images") for text in said)
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert {record.name.partition(".")[0] for record in caplog.records} == {"ganaug"}
    assert capfd.readouterr() == ("", "")


def test_what_comes_from_the_cache_is_not_logged_as_trained(digits, caplog, tmp_path):
    tiny = {"n_generators": 1, "max_images": 64, "width": 4, "filter": None, "verbose": 0}
    augmenter = GANAugmenter(**tiny, random_state=0, cache_dir=tmp_path).fit(*digits)
    caplog.set_level(logging.INFO, logger="ganaug")
    augmenter.fit(*digits)

    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("Taken from the cache")
    assert not any(text.startswith("Trained") for text in said)


def test_the_log_is_silent_unless_asked_for():
    code = "import ganaug, logging; logging.getLogger('ganaug').error('x')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (run.stdout, run.stderr) == ("", "")
