"""ganaug/workers.py, and `--jobs` of the command line"""

from __future__ import annotations

import os
import signal
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

import ganaug.cache
import ganaug.devices
import ganaug.fitting
import ganaug.workers
from ganaug import GANAugmenter
from ganaug.cli import cli
from ganaug.cli.parameters import n_jobs_of
from ganaug.gan.callbacks import Progress
from ganaug.parameters import read_for_training, training_options
from ganaug.workers import Reports, in_workers, on_ctrl_c

TINY = {"image_shape": (8, 8), "width": 4, "n_generators": 2, "filter": None, "random_state": 0}


@pytest.fixture
def usual_sigint():
    """SIGINT as in a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")
@pytest.mark.usefixtures("usual_sigint")
def test_ctrl_c_keeps_the_best_weights_of_trainings_in_workers(imbalanced_digits, monkeypatch):
    together, shares = Reports.together, []

    def ctrl_c_when_all_train(reports):
        found = together(reports)
        shares.append(found.share)
        if len(list(reports.directory.glob("*.json"))) == 2 and not reports.stopped:
            os.kill(os.getpid(), signal.SIGINT)
        return found

    monkeypatch.setattr(Reports, "together", ctrl_c_when_all_train)
    augmenter = GANAugmenter(**TINY, max_images=10_000_000, n_jobs=2)
    with pytest.raises(KeyboardInterrupt):
        augmenter.fit(*imbalanced_digits)

    assert augmenter.model_.interrupted
    assert augmenter.model_.n_generators == 2
    assert 0 < shares[-1] < 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_reports_of_all_tasks_make_one(tmp_path):
    reports = Reports(str(tmp_path), 4)
    assert reports.together().share == 0
    reports.report(0, Progress(100, 0.5, 1.0, 1.0, 3.0))
    reports.report(3, Progress(60, 0.3, 2.0, 2.0, 5.0))
    shown = []
    with reports.shown(shown.append):
        pass
    assert shown[-1].images_seen == 160
    assert shown[-1].share == pytest.approx(0.2)
    assert (shown[-1].discriminator_loss, shown[-1].generator_loss) == (1.5, 4.0)


def test_a_stop_ends_a_task_once_and_lets_it_report_what_it_has(tmp_path):
    reports = Reports(str(tmp_path), 1)
    report = partial(reports.report, 0, Progress(1, 0.5, 1.0, 0.0, 0.0))
    report()
    reports.note_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        report()
    report()
    with pytest.raises(KeyboardInterrupt):
        reports.note_ctrl_c()


def test_a_training_ends_when_its_caller_is_no_more(tmp_path, monkeypatch):
    reports, progress = Reports(str(tmp_path), 1), Progress(64, 0.5, 1.0, 0.1, 0.2)
    reports.report(0, progress)
    reports.report(0, progress)
    monkeypatch.setattr(os, "getppid", lambda: 1 if os.getpid() != 1 else 2)

    with pytest.raises(KeyboardInterrupt):
        reports.report(0, progress)


def test_what_is_done_on_another_machine_counts_as_done(tmp_path):
    reports = Reports(str(tmp_path), 2)
    reports.report(0, Progress(64, 0.5, 1.0, 0.1, 0.2))
    reports.note_done(0, 64)
    reports.note_done(1, 100)

    assert reports.together().share == 0.75
    assert reports.together().images_seen == 164


@pytest.mark.parametrize(("n_jobs", "n_started"), [(1, 2), (2, 2), (8, 3), (-1, 3)])
def test_no_more_workers_are_started_than_there_are_tasks(n_jobs, n_started, monkeypatch):
    started = []

    class Spy:
        def __init__(self, n_jobs, **_):
            started.append(n_jobs)

        def __call__(self, tasks):
            return iter(tasks)

    monkeypatch.setattr(ganaug.workers, "Parallel", Spy)
    monkeypatch.setattr(ganaug.workers, "effective_n_jobs", lambda n: 64 if n == -1 else n)
    list(in_workers([(len, ((),), {})] * 3, 3, n_jobs))

    assert started == [n_started]


def test_reports_that_nobody_can_read_are_left_out(tmp_path):
    Reports(str(tmp_path / "gone"), 1).report(0, Progress(1, 0.5, 1.0, np.nan, np.nan))
    assert not list(tmp_path.iterdir())


def test_other_code_s_way_with_ctrl_c_is_left_alone():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with on_ctrl_c(signal.SIG_DFL):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_all_cores_are_used_unless_a_number_or_a_gpu_is_given(monkeypatch):
    assert [n_jobs_of(jobs, "cpu") for jobs in (None, 1, 3)] == [-1, 1, 3]
    monkeypatch.setattr(ganaug.devices, "resolve_device", ganaug.devices.torch.device)
    assert [n_jobs_of(jobs, "cuda") for jobs in (None, 2)] == [None, 2]


@pytest.mark.parametrize("command", ["fit", "augment"])
@pytest.mark.parametrize(("given", "n_jobs"), [((), -1), (("--jobs", "1"), 1)])
def test_commands_train_on_all_cores_by_default(
    command, given, n_jobs, imbalanced_digits, tmp_path, monkeypatch
):
    used = []

    def fit(augmenter, X, y):
        used.append(augmenter.n_jobs)
        raise KeyboardInterrupt

    monkeypatch.setattr(GANAugmenter, "fit", fit)
    X, y = imbalanced_digits
    np.savez(tmp_path / "d.npz", X=X.reshape(-1, 8, 8), y=y)
    options = ["--share", "0.5"] if command == "augment" else []
    out = ["--out", str(tmp_path / "out")]
    CliRunner().invoke(cli, [command, str(tmp_path / "d.npz"), *out, "-q", *options, *given])
    assert used == [n_jobs]


@pytest.mark.parametrize("command", ["fit", "evaluate", "augment", "sample", "demo"])
def test_no_jobs_at_all_are_refused(command):
    result = CliRunner().invoke(cli, [command, "x", "--jobs", "0"])
    assert result.exit_code == 2
    assert "must be 1 or more, or -1 for all cores. Got 0 instead." in result.output


def test_the_estimate_is_of_trainings_side_by_side(imbalanced_digits, monkeypatch):
    monkeypatch.setattr(ganaug.fitting, "estimate_seconds", lambda *_: 20.0)
    augmenter = GANAugmenter(**TINY | {"n_generators": 3})
    data = read_for_training(augmenter, *imbalanced_digits)
    options = training_options(augmenter, data, "cpu")
    told = [ganaug.cache._describe_cost(data, options, n_jobs) for n_jobs in (None, 2, 3)]
    assert [text.split("estimated ")[1] for text in told] == ["60 s", "40 s", "20 s"]
