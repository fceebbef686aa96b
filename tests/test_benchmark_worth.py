"""benchmarks/worth.py: the textbook loop, the filter, the places, and what is told of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import figures, growing, textbook, worth
from benchmarks.data import TASKS, Images, draw_parts
from benchmarks.machine import seeded
from ganaug.gan.config import GANConfig
from ganaug.gan.networks import build_generator
from ganaug.gan.sampling import Sampler

COUNTS = TASKS["digits"].counts


@pytest.fixture(scope="module")
def parts():
    return draw_parts("digits", "", 0)


def train(parts, n_steps, seed=0):
    with seeded(seed):
        training = textbook.train_textbook(parts.train, 10, 8, 4e-3)
        for _ in range(n_steps):
            generator = next(training)
    return generator


def test_the_textbook_makes_images_and_leaves_torchs_state_alone(parts):
    before = torch.random.get_rng_state()

    generator = train(parts, 3)
    images = textbook.draw_textbook(generator, 4, 5, torch.Generator().manual_seed(1))
    again = textbook.draw_textbook(train(parts, 3), 4, 5, torch.Generator().manual_seed(1))

    assert images.shape == (5, 1, 8, 8)
    assert images.dtype == np.uint8
    assert np.array_equal(images, again)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_textbook_learns_what_the_images_look_like(parts):
    stream = torch.Generator().manual_seed(0)
    real = parts.train.X.mean(axis=(0, 1))

    def distance(n_steps):
        generator = train(parts, n_steps)
        made = [textbook.draw_textbook(generator, code, 30, stream) for code in range(10)]
        return abs(np.concatenate(made).mean(axis=(0, 1)) - real).mean()

    assert distance(300) < 0.6 * distance(3)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_networks_fit_images_of_any_size_divisible_by_four(shape):
    labels = torch.tensor([0, 2])
    images = textbook.Generator(shape, 3, 4)(torch.randn(2, textbook.LATENT_DIM), labels)

    assert images.shape == (2, *shape)
    assert textbook.Discriminator(shape, 3, 4)(images, labels).shape == (2,)


def test_the_average_moves_towards_the_weights():
    averaged, network = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    torch.nn.init.zeros_(averaged.weight)
    torch.nn.init.ones_(network.weight)

    textbook.average(averaged, network, 0.75)

    assert averaged.weight.tolist() == [[0.25, 0.25]]


class Picky:
    """Takes images of a mean of 128 or more for class 1, all others for class 0."""

    def predict_proba(self, images):
        is_bright = images.mean(axis=(1, 2, 3)) >= 128
        return np.stack([~is_bright, is_bright], axis=1).astype(float)


def test_a_source_gives_exact_counts_of_what_the_filter_accepts():
    def candidates(code, n, generator):
        values = torch.randint(0, 256, (n, 1, 1, 1), generator=generator)
        return values.numpy().astype(np.uint8)

    X, y = worth.Source(candidates, Picky(), 0).sample_values({1: 700, 0: 5})

    assert np.bincount(y).tolist() == [5, 700]
    assert (X[y == 1] >= 128).all()
    assert (X[y == 0] < 128).all()


def test_a_source_that_is_always_rejected_still_gives_its_counts():
    def candidates(code, n, generator):
        return np.zeros((n, 1, 1, 1), dtype=np.uint8)

    X, y = worth.Source(candidates, Picky(), 0).sample_values({1: 9})

    assert len(X) == len(y) == 9


def test_further_images_are_of_the_class_asked_for(parts):
    X, y = worth.Further(parts.further).sample_values({3: 4, 9: 2})

    assert y.tolist() == [3, 3, 3, 3, 9, 9]
    real = {image.tobytes() for image in parts.further.X[np.isin(parts.further.y, (3, 9))]}
    assert {image.tobytes() for image in X} <= real


def test_a_grown_gan_begins_with_images_of_half_the_size(parts, monkeypatch):
    seen = []
    step = growing.Trainer.discriminator_step
    monkeypatch.setattr(
        growing.Trainer,
        "discriminator_step",
        lambda self, real, fake, y: (
            seen.append((real.shape, fake.shape)) or step(self, real, fake, y)
        ),
    )
    images = Images(np.kron(parts.train.X, np.ones((1, 1, 2, 2), np.uint8)), parts.train.y)
    config = GANConfig(COUNTS, (1, 16, 16), width=4, max_images=512)

    trained = growing.train_grown(
        config, torch.from_numpy(images.X), torch.from_numpy(images.y), seed=0
    )

    assert seen == [((64, 1, 8, 8),) * 2] * 4 + [((64, 1, 16, 16),) * 2] * 4
    assert Sampler([trained]).sample({3: 2}, seed=0).shape == (2, 1, 16, 16)


def test_what_the_small_networks_have_learnt_is_kept(parts, monkeypatch):
    monkeypatch.setattr(growing, "run", lambda whole, callbacks: whole)
    X, y = torch.from_numpy(np.kron(parts.train.X, np.ones((1, 1, 2, 2), np.uint8))), parts.train.y
    config = GANConfig(COUNTS, (1, 16, 16), width=4, max_images=512)
    first = build_generator(config, torch.Generator().manual_seed(0)).state_dict()

    grown = growing.train_grown(config, X, torch.from_numpy(y), seed=0).generator.state_dict()

    assert not torch.equal(grown["stages.0.weight"], first["stages.0.weight"])
    assert torch.equal(growing.halved(X), torch.from_numpy(parts.train.X))


def draws_of(scores, seconds=(10.0, 20.0)):
    """Draws in which further real images are worth 4 points over augmented ones."""
    points = [{"budget": b, "cpu_seconds": s} for b, s in zip((100, 200), seconds, strict=True)]
    return [
        {
            "augmented": {"score": 0.5 + noise},
            "further real": {"score": 0.54 + 2 * noise},
            "ganaug": {
                "points": [
                    p | {"score": s + noise, "alone": 0.5, "by_training": s, "telltale": 1 - s}
                    for p, s in zip(points, scores, strict=True)
                ]
            },
        }
        for noise in (0.0, 0.001, 0.002)
    ]


def test_curves_have_gains_and_rates_at_every_budget():
    curve = worth.curves_of(draws_of([0.5, 0.52]))["ganaug"]

    assert [point["cpu_seconds"] for point in curve] == [10.0, 20.0]
    assert [point["gain"] for point in curve] == pytest.approx([0.0, 2.0])
    low, rate, high = sorted(curve[1]["rate"])
    assert rate == pytest.approx(2 / 4.1)
    assert low < rate < high


def test_the_seconds_to_a_rate_are_interpolated():
    points = [
        {"cpu_seconds": 10.0, "gain": 0.4},
        {"cpu_seconds": 30.0, "gain": 0.8},
    ]

    assert worth.seconds_to(points, 0.1, 2.0) == "5"
    assert worth.seconds_to(points, 0.3, 2.0) == "20"
    assert worth.seconds_to(points, 0.5, 2.0) == "not reached"
    assert worth.seconds_to(points, 0.3, -0.1) == "undefined"


def test_what_is_told_and_drawn_has_every_way():
    draws = draws_of([0.5, 0.52])
    result = {
        "values": {
            "curves": {"digits": worth.curves_of(draws)},
            "real": {"digits": worth.real_gains(draws)},
        }
    }

    text = worth.describe(result)

    assert (
        "| scikit-learn's digits | ganaug | +0.00 (+0.00 to +0.00), 50.0 in 10 s "
        "| +2.00 (+2.00 to +2.00), 50.0 in 20 s | 16 | "
    ) in text
    assert (
        "| scikit-learn's digits | 200: until the AUC falls by less than a point | +2.00 |"
        in worth.describe_stopping(result)
    )
    assert "+4.10 points" in text
    (axis,) = figures.draw_worth(result).axes
    assert [line.get_label() for line in axis.lines][:1] == ["ganaug"]
