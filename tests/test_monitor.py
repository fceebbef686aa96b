"""ganaug/gan/monitor.py: a planted collapse must be seen, and a healthy generator left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ganaug import GANAugmenter
from ganaug.exceptions import TrainingWarning
from ganaug.gan import training
from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import (
    REMEDIES,
    Alarm,
    Monitor,
    energy_distance,
    find_alarms,
    find_near_copies,
    mean_pairwise_distance,
    pooled_pixels,
)
from ganaug.gan.networks import Generator, ImageGenerator
from ganaug.gan.scaling import images_from_network, images_to_network
from ganaug.gan.training import Trainer, build_monitor, train

CPU = torch.device("cpu")
LATENT_DIM = 4


@pytest.fixture
def digits(all_digits):
    """Digits 0 and 1, 150 of each, as uint8 images and codes."""
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == code)[:150] for code in (0, 1)])
    images = (X[rows] * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    return torch.from_numpy(images), torch.from_numpy(y[rows])


class Recall(Generator):
    """Stands in for a trained generator: gives real rows, chosen by the noise."""

    def __init__(self, rows, labels, collapsed_class=None):
        super().__init__()
        self.rows = [images_to_network(rows[labels == code]) for code in (0, 1)]
        self.collapsed_class = collapsed_class

    def forward(self, z, labels):
        uniform = torch.special.ndtr(z[:, 0])
        out = []
        for u, label in zip(uniform, labels.tolist(), strict=True):
            rows = self.rows[label]
            index = 0 if label == self.collapsed_class else int(u * len(rows))
            out.append(rows[min(index, len(rows) - 1)])
        return torch.stack(out)


def monitor_of(digits, seed=0, **options):
    random = torch.Generator().manual_seed(seed)
    return Monitor(*digits, 2, LATENT_DIM, random, CPU, **options)


def test_a_generator_as_varied_as_the_data_raises_no_alarm(digits):
    evaluation = monitor_of(digits).evaluate(Recall(*digits), images_from_network)

    assert evaluation.alarms == ()
    assert evaluation.variety == pytest.approx((1.0, 1.0), abs=0.15)
    assert abs(evaluation.distance) < 0.05


def test_a_collapsed_class_raises_the_alarm_and_no_other_class_does(digits):
    evaluation = monitor_of(digits).evaluate(
        Recall(*digits, collapsed_class=1), images_from_network
    )

    assert evaluation.alarms == (Alarm("collapsed", 1, 0.0),)
    assert evaluation.variety[1] == 0.0
    healthy = monitor_of(digits).evaluate(Recall(*digits), images_from_network)
    assert evaluation.distance > healthy.distance + 0.2


def test_rows_of_the_wrong_class_are_far_away(digits):
    rows, labels = digits
    swapped = Recall(rows, 1 - labels)

    assert monitor_of(digits).evaluate(swapped, images_from_network).distance > 0.3


def test_each_look_uses_the_same_noise_and_rows(digits):
    first, other = monitor_of(digits), monitor_of(digits, seed=1)
    network = Recall(*digits)

    looks = [m.evaluate(network, images_from_network) for m in (first, first, other)]

    assert looks[0] == looks[1]
    assert looks[0] != looks[2]


def test_looking_changes_neither_mode_nor_statistics_nor_random_state(digits):
    config = GANConfig(class_counts=(150, 150), image_shape=(1, 8, 8), width=4)
    trainer = Trainer(config, *digits, seed=0, device=CPU)
    trainer.step()
    monitor = build_monitor(trainer, *digits, 0, None)
    before = {k: v.clone() for k, v in trainer.ema.state_dict().items()}
    states = trainer.random.get_state(), torch.get_rng_state()

    monitor.evaluate(trainer.ema, images_from_network)

    assert trainer.ema.training
    assert all(torch.equal(v, before[k]) for k, v in trainer.ema.state_dict().items())
    assert torch.equal(trainer.random.get_state(), states[0])
    assert torch.equal(torch.get_rng_state(), states[1])


def test_rows_are_compared_by_the_features_it_is_given(digits):
    seen = []

    def features(rows):
        seen.append((rows.dtype, tuple(rows.shape[1:])))
        return rows.float().flatten(1)[:, :3]

    monitor_of(digits, features=features).evaluate(Recall(*digits), images_from_network)

    assert set(seen) == {(torch.uint8, (1, 8, 8))}


def test_a_class_of_equal_rows_has_no_variety_to_compare_with(digits):
    rows, labels = digits[0].clone(), digits[1]
    rows[labels == 0] = rows[0].clone()
    monitor = monitor_of((rows, labels))

    evaluation = monitor.evaluate(Recall(rows, labels), images_from_network)

    assert math.isnan(evaluation.variety[0])
    assert evaluation.alarms == (Alarm("near_copies", 0, 0.0),)
    assert math.isfinite(evaluation.distance)


def test_a_class_of_near_copies_raises_the_alarm_whatever_the_generator_does(digits):
    rows, labels = digits[0].clone(), digits[1]
    rows[labels == 0] = rows[0].clone()
    rows[labels == 0, 0, 0, 0] = torch.arange(150, dtype=torch.uint8) % 2
    network = Recall(rows, labels)

    for _ in range(2):
        evaluation = monitor_of((rows, labels)).evaluate(network, images_from_network)
        assert [(a.kind, a.class_code) for a in evaluation.alarms] == [("near_copies", 0)]
    assert find_near_copies([1.0, 0.5, math.nan]) == find_near_copies([]) == ()


@pytest.mark.parametrize(
    ("variety", "loss", "kinds"),
    [
        ([1.0, 0.9], 1.0, []),
        ([0.1, 0.9], 1.0, ["collapsed"]),
        ([0.1, 0.0], 1.0, ["collapsed", "collapsed"]),
        ([1.0, 1.0], 0.0, ["discriminator_won"]),
        ([math.nan, 1.0], math.nan, []),
    ],
)
def test_alarms_follow_from_the_measurements(variety, loss, kinds):
    alarms = find_alarms(variety, loss)

    assert [alarm.kind for alarm in alarms] == kinds
    assert all(alarm.kind in REMEDIES for alarm in alarms)


def test_mean_pairwise_distance_is_over_different_rows():
    assert mean_pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])) == (
        pytest.approx(10 / 3)
    )
    assert math.isnan(mean_pairwise_distance(torch.zeros(1, 2)))


def test_energy_distance_is_zero_for_one_distribution_and_grows_with_a_shift():
    x, y = torch.randn((2, 2000, 3), generator=torch.Generator().manual_seed(0)).double()

    def distance(shift):
        spreads = mean_pairwise_distance(x), mean_pairwise_distance(y)
        return energy_distance(x, y + shift, *spreads)

    assert distance(0.0) == pytest.approx(0.0, abs=0.02)
    assert distance(0.0) < distance(0.5) < distance(1.0)


@pytest.mark.parametrize(
    ("shape", "pooled"), [((2, 3, 28, 28), 147), ((2, 1, 8, 40), 49), ((2, 5), 5)]
)
def test_pixels_are_pooled_and_feature_rows_kept(shape, pooled):
    assert pooled_pixels(torch.zeros(shape, dtype=torch.uint8)).shape == (2, pooled)


# --- in a training -----------------------------------------------------------------------------


@pytest.fixture
def planted_collapse(monkeypatch):
    """Make image generators ignore the noise: one picture per class."""
    forward = ImageGenerator.forward

    def collapsed(self, z, labels):
        return forward(self, torch.zeros_like(z), labels)

    monkeypatch.setattr(ImageGenerator, "forward", collapsed)


def test_a_planted_collapse_is_in_history_and_among_the_alarms(digits, planted_collapse):
    config = GANConfig(
        class_counts=(150, 150), image_shape=(1, 8, 8), width=4, batch_size=32, max_images=128
    )

    trained = train(config, *digits, seed=0)

    assert {(alarm.kind, alarm.class_code) for alarm in trained.alarms} == {
        ("collapsed", 0),
        ("collapsed", 1),
    }
    for record in trained.history:
        assert [alarm["kind"] for alarm in record["alarms"]] == ["collapsed", "collapsed"]
        assert max(record["variety"]) < 0.01


@pytest.mark.parametrize("conditioning", ["joint", "per_class"])
def test_a_planted_collapse_ends_in_a_warning_that_names_the_classes(
    conditioning, all_digits, planted_collapse
):
    X, y = all_digits
    names = np.array(["nought", "one"])[y[y < 2]]
    augmenter = GANAugmenter(
        image_shape=(8, 8),
        n_generators=1,
        width=4,
        max_images=256,
        conditioning=conditioning,
        filter=None,
        random_state=0,
        verbose=0,
    )

    with pytest.warns(TrainingWarning, match="collapsed in class nought, one: .*duplicates"):
        augmenter.fit(X[y < 2], names)

    assert [(alarm["kind"], alarm["class"]) for alarm in augmenter.alarms_] == [
        ("collapsed", "nought"),
        ("collapsed", "one"),
    ]
    assert all(alarm["value"] < 0.01 and alarm["remedy"] for alarm in augmenter.alarms_)
    assert set(augmenter.history_[0]["variety"]) <= {"nought", "one"}


def test_a_healthy_training_gives_no_warning(all_digits, monkeypatch):
    # A generator that gives real rows is as healthy as can be: the error filter would make any
    # warning a failure.
    X, y = all_digits
    X, y = X[y < 2], y[y < 2]
    images = torch.from_numpy((X * 255 / 16).round().astype(np.uint8).reshape(-1, 1, 8, 8))
    recall = Recall(images, torch.from_numpy(y))
    forward = ImageGenerator.forward

    def healthy(self, z, labels):
        return 0.0 * forward(self, z, labels) + recall(z, labels)

    monkeypatch.setattr(ImageGenerator, "forward", healthy)
    augmenter = GANAugmenter(
        image_shape=(8, 8),
        n_generators=1,
        width=4,
        max_images=256,
        random_state=0,
        verbose=0,
        filter=None,
    ).fit(X, y)

    assert augmenter.alarms_ == []
    assert augmenter.history_[-1]["alarms"] == []


def test_a_discriminator_that_has_won_raises_the_alarm(digits, monkeypatch):
    monkeypatch.setitem(
        training.LOSS_FUNCTIONS, "hinge", (lambda r, f: 0.0 * (r + f).mean(), lambda f: -f.mean())
    )
    config = GANConfig(
        class_counts=(150, 150), image_shape=(1, 8, 8), width=4, batch_size=32, max_images=64
    )

    trained = train(config, *digits, seed=0)

    assert "discriminator_won" in {alarm.kind for alarm in trained.alarms}
