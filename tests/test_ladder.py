"""ganaug/gan/ladder.py: remedies in turn, each reported, none without an alarm."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ganaug import GANAugmenter
from ganaug.exceptions import TrainingWarning
from ganaug.gan import ladder, training
from ganaug.gan.config import GANConfig, classic_options
from ganaug.gan.ladder import LADDER, climb
from ganaug.gan.monitor import Alarm, Evaluation
from ganaug.gan.training import Trainer, train
from ganaug.sampler import TrainedSampler

COUNTS = (40, 20)


@pytest.fixture(autouse=True)
def trainings_of_any_length(monkeypatch):
    monkeypatch.setattr(ladder, "LEAST_IMAGES", 0)


NAMES = [remedy.name for remedy in LADDER]
ALARM = (Alarm("collapsed", 1, 0.1),)


@pytest.fixture
def digits(all_digits):
    X, y = all_digits
    chosen = np.concatenate([np.flatnonzero(y == code)[:n] for code, n in enumerate(COUNTS)])
    images = (X[chosen] * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    return torch.from_numpy(images), torch.from_numpy(y[chosen])


def config_of(**options):
    sizes = {"width": 4, "latent_dim": 6, "batch_size": 16, "max_images": 192}
    return GANConfig(**{"class_counts": COUNTS, "image_shape": (1, 8, 8), **sizes, **options})


class Scripted:
    """A monitor that sees the evaluations it is told to, and the last one ever after."""

    def __init__(self, *evaluations):
        self.evaluations = list(evaluations)

    def evaluate(self, network, to_samples, discriminator_loss):
        first = self.evaluations[0]
        if len(self.evaluations) > 1:
            self.evaluations.pop(0)
        distance, alarms = first
        return Evaluation(distance, (1.0, 0.1 if alarms else 1.0), alarms)


def script(monkeypatch, *evaluations):
    monitor = Scripted(*evaluations)
    for module in (training, ladder):
        monkeypatch.setattr(module, "build_monitor", lambda *args: monitor)


def climbed(digits, seed=0, **options):
    config = config_of(n_evaluations=1, **options)
    return climb(train(config, *digits, seed=seed), *digits, seed=seed)


def states_equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_nothing_is_done_without_an_alarm(digits, monkeypatch):
    script(monkeypatch, (0.1, ()))
    trained = train(config_of(), *digits, seed=0)
    monkeypatch.setattr(ladder, "Attempt", None)

    assert climb(trained, *digits, seed=0) is trained


@pytest.mark.parametrize("recipe", ["default", "classic"])
def test_rungs_that_do_not_help_take_one_further_budget_and_leave_the_weights(
    recipe, digits, monkeypatch
):
    script(monkeypatch, (0.1, ALARM), (0.2, ALARM))
    options = classic_options() if recipe == "classic" else {}
    trained = train(config_of(n_evaluations=1, **options), *digits, seed=0)
    after = climb(trained, *digits, seed=0)

    assert [rung.name for rung in after.rungs] == NAMES
    assert [rung.images_seen for rung in after.rungs] == [48] * 4
    assert after.images_seen == 2 * 192
    assert not any(rung.kept for rung in after.rungs)
    assert all(rung.alarms_before == rung.alarms == ALARM for rung in after.rungs)
    assert after.alarms == ALARM
    assert after.config == trained.config
    assert states_equal(after.generator_state, trained.generator_state)
    assert states_equal(after.discriminator_state, trained.discriminator_state)
    seen = [record["images_seen"] for record in after.history]
    assert seen == sorted(seen)
    assert [r.get("rung") for r in after.history] == [None, *np.repeat(NAMES, ladder.LOOKS)]


@pytest.mark.parametrize("number", range(4))
def test_the_rung_that_silences_the_alarm_takes_what_is_left(number, digits, monkeypatch):
    script(monkeypatch, *[(0.1, ALARM)] * (1 + ladder.LOOKS * number), (0.3, ()), (0.2, ()))
    after = climbed(digits)

    assert [rung.name for rung in after.rungs] == NAMES[: number + 1]
    assert after.images_seen == 2 * 192
    assert [rung.kept for rung in after.rungs] == [False] * number + [True]
    assert (after.rungs[-1].alarms, after.rungs[-1].distance) == ((), 0.2)
    assert after.alarms == ()
    expected = Trainer(after.config, *digits, seed=0, device=torch.device("cpu")).discriminator
    expected.load_state_dict(after.discriminator_state)  # of one discriminator, not of two


def test_kept_weights_of_a_start_are_not_replaced_by_worse_ones(digits, monkeypatch):
    script(monkeypatch, (0.3, ALARM))
    start = train(config_of(n_evaluations=1), *digits, seed=0)
    script(monkeypatch, (0.3, ALARM), (0.8, ALARM), (0.5, ALARM))  # the start, a training, rungs
    options = {"start_from": start, "keeps_start": True, "seed": 1}
    trained = train(config_of(n_evaluations=1), *digits, **options)
    after = climb(trained, *digits, seed=1)

    assert [rung.kept for rung in after.rungs] == [False] * 4
    assert after.distance == trained.distance == 0.3
    assert states_equal(after.generator_state, start.generator_state)


def test_ctrl_c_before_the_first_step_of_a_rung_leaves_no_rung(digits, monkeypatch):
    script(monkeypatch, (0.1, ALARM))
    trained = train(config_of(n_evaluations=1), *digits, seed=0)

    def interrupted(trainer):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "step", interrupted)
    after = climb(trained, *digits, seed=0, on_progress=lambda progress: None)

    assert (after.interrupted, after.rungs) == (True, ())
    assert (after.alarms, after.history) == (trained.alarms, trained.history)


def test_a_seed_decides_the_rungs(digits, monkeypatch):
    def once(seed):
        script(monkeypatch, (0.1, ALARM), (0.3, ()))
        return climbed(digits, seed)

    first, again, other = once(0), once(0), once(1)

    assert states_equal(first.generator_state, again.generator_state)
    assert first.rungs == again.rungs
    assert not states_equal(first.generator_state, other.generator_state)


def test_an_interrupted_ladder_begins_anew_from_the_finished_training(
    digits, monkeypatch, tmp_path
):
    def start(*seen):
        script(monkeypatch, *seen, (0.3, ()))
        return train(config_of(n_evaluations=1), *digits, seed=0, checkpoint=tmp_path / "state")

    whole = climb(start((0.1, ALARM)), *digits, seed=0)
    step = Trainer.step

    def interrupted(trainer):
        if trainer.images_seen >= 32:
            raise KeyboardInterrupt
        step(trainer)

    again = start()  # finished: nobody looks again
    monkeypatch.setattr(Trainer, "step", interrupted)
    stopped = climb(again, *digits, seed=0)
    monkeypatch.setattr(Trainer, "step", step)
    resumed = climb(start(), *digits, seed=0)

    assert stopped.interrupted
    assert len(stopped.rungs) == 1
    assert not resumed.interrupted
    assert states_equal(resumed.generator_state, whole.generator_state)
    assert resumed.rungs == whole.rungs


@pytest.mark.parametrize(
    "change",
    [
        {"interrupted": True},
        {"alarms": (Alarm("diverged"),)},
        {"config": config_of(max_images=None, max_seconds=60.0)},
        {"config": config_of(max_seconds=1e-9)},
    ],
    ids=["Ctrl-C", "an alarm that it does not cure", "no max_images", "max_seconds used up"],
)
def test_it_is_not_climbed(change, digits, monkeypatch):
    script(monkeypatch, (0.1, ALARM))
    trained = replace(train(config_of(), *digits, seed=0), **change)

    assert climb(trained, *digits, seed=0) is trained


def test_a_rung_that_becomes_nan_is_reported_and_the_weights_stay(digits, monkeypatch):
    script(monkeypatch, (0.1, ALARM))
    trained = train(config_of(n_evaluations=1), *digits, seed=0)
    step = Trainer.step

    def poisoned(trainer):
        next(trainer.generator.parameters()).data.fill_(math.nan)
        step(trainer)

    monkeypatch.setattr(Trainer, "step", poisoned)
    after = climb(trained, *digits, seed=0)

    assert [[alarm.kind for alarm in rung.alarms] for rung in after.rungs] == [["diverged"]] * 4
    assert after.alarms == ALARM
    assert states_equal(after.generator_state, trained.generator_state)


def test_progress_goes_on_at_the_end_of_the_budget(digits, monkeypatch):
    script(monkeypatch, (0.1, ALARM))
    trained = train(config_of(n_evaluations=1), *digits, seed=0)
    reports = []
    climb(trained, *digits, seed=0, on_progress=reports.append)

    assert {report.share for report in reports} == {1.0}
    assert reports[-1].images_seen == 2 * 192


def test_users_are_told_what_was_tried(all_digits, monkeypatch, tmp_path, quick_audit):
    X, y = all_digits
    X, y = X[y < 2], y[y < 2]
    script(monkeypatch, (0.1, ALARM))
    augmenter = GANAugmenter(
        image_shape=(8, 8),
        n_generators=1,
        width=4,
        gan_options={"batch_size": 16},
        max_images=256,
        filter=None,
        random_state=0,
        verbose=0,
    )
    with pytest.warns(TrainingWarning, match=r"Tried.*further training: still collapsed; other"):
        augmenter.fit(X, y)

    assert [rung["name"] for rung in augmenter.ladder_] == NAMES
    assert {alarm["class"] for rung in augmenter.ladder_ for alarm in rung["alarms"]} == {1}
    augmenter.save(tmp_path / "model")
    loaded = GANAugmenter.load(tmp_path / "model")
    assert loaded.ladder_ == augmenter.ladder_
    assert "second discriminator: still collapsed" in (tmp_path / "model/README.md").read_text()
    report = augmenter.audit(X, y, n_samples=30).to_markdown()
    assert "further training: still collapsed" in report


def test_a_remedy_changes_the_steps_but_not_the_rate_of_a_discriminator_that_is_not_its_own():
    slow = config_of(learning_rate=1e-4, beta1=0.5, discriminator_rate_factor=40.0)
    further, steps, slower, _ = (remedy.apply(slow) for remedy in LADDER)

    assert further == slow
    assert (steps.learning_rate, steps.beta1) == (4e-3, 0.0)
    assert steps.learning_rate * steps.discriminator_rate_factor == pytest.approx(4e-3)
    assert slower.discriminator_rate_factor == 0.125
    assert LADDER[1].apply(config_of()) == config_of(learning_rate=1e-3)  # had these steps


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")
def test_a_class_that_stays_collapsed_is_distrusted_however_well_it_is_recognised(
    all_digits, monkeypatch
):
    X, y = all_digits
    script(monkeypatch, (0.1, ALARM))
    monkeypatch.setattr(TrainedSampler, "measure_trust", lambda self: [[0.9, 0.95]])
    options = {"n_generators": 1, "width": 4, "gan_options": {"batch_size": 16}, "max_images": 256}
    augmenter = GANAugmenter(image_shape=(8, 8), random_state=0, verbose=0, **options)

    augmenter.fit(X[y < 2], y[y < 2])

    assert augmenter.trust_ == {0: 0.9, 1: 0.0}
