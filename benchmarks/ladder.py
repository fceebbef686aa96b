"""What the ladder of remedies does about planted collapses.

Each draw trains a small GAN on digits 0 to 3 with something that makes it fail, looks at the
outcome, and lets the ladder be climbed from there. Worth is what neighbours learn from synthetic
samples alone, on untouched real images of the affected classes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from tqdm.auto import tqdm

from benchmarks.data import Array
from benchmarks.results import Result, Store, markdown
from ganaug import fitting
from ganaug.fitting import TrainingOptions, train_model
from ganaug.gan.config import classic_options
from ganaug.gan.layers import SpectralNormWeight
from ganaug.gan.monitor import mean_pairwise_distance
from ganaug.gan.networks import ImageGenerator
from ganaug.history import alarms_of, ladder_of
from ganaug.inputs import TrainingSet, read_training_set
from ganaug.model import FittedModel
from ganaug.options import MIN_TRUST
from ganaug.sampler import TrainedSampler

N_DRAWS = 3
CLASSES = range(4)
N_PER_CLASS = 60
N_COPIES = 15
N_SYNTHETIC = 64
"""Of each class, for variety and worth."""


@dataclass(frozen=True)
class Plant:
    """What makes a training fail, and the classes that are looked at (None: all)."""

    options: dict[str, Any] = field(default_factory=dict)
    has_spectral_norm: bool = True
    has_noise: bool = True
    copied: int | None = None


QUICK = {"lecam": 0.0}
"""Images of 8x8 are learnt in few steps without it."""
PLANTS = {
    "discriminator 50 times too fast": Plant(
        {**classic_options(), "learning_rate": 1e-4, "discriminator_rate_factor": 50.0}
    ),
    "no spectral norm, no DiffAugment": Plant(
        {**QUICK, "loss": "bce", "learning_rate": 1e-4, "discriminator_rate_factor": 40.0},
        has_spectral_norm=False,
    ),
    "a class of 15 near-copies": Plant({**QUICK, "discriminator_rate_factor": 4.0}, copied=3),
    "a generator that ignores its noise": Plant(
        {**QUICK, "discriminator_rate_factor": 4.0}, has_noise=False
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how long the GANs are trained."""
    parser.add_argument("--max-images", type=int, default=8_000)
    parser.add_argument("--width", type=int, default=16)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"max_images": options.max_images, "width": options.width}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Plant each collapse in each draw."""
    units = [(name, seed) for name in PLANTS for seed in range(options.draws)]
    values: dict[str, list[Any]] = {name: [] for name in PLANTS}
    for index, (name, seed) in enumerate(tqdm(units)):
        values[name].append(store.once(f"{index}", partial(measure, name, seed, options)))
    return {"n": {"train": [N_PER_CLASS] * len(CLASSES)}, "values": values}


def measure(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train with a planted collapse, without the ladder and with it."""
    plant, started = PLANTS[name], time.process_time()
    data, X_test, y_test = draw(seed, plant.copied)
    budget = {"max_images": options.max_images, "width": options.width}
    training = TrainingOptions(
        {**plant.options, **budget}, "joint", 1, is_filtered=True, seed=seed, device="cpu"
    )
    classes = list(CLASSES) if plant.copied is None else [plant.copied]
    found = {}
    with tempfile.TemporaryDirectory() as folder, planted(plant):
        for moment, ladder in (
            ("before", mock.patch.object(fitting, "climb", _stay)),
            ("after", nullcontext()),
        ):
            with ladder:  # the second training takes up the checkpoint of the first
                model = train_model(data, training, checkpoint_dir=Path(folder))
            found[moment] = describe_samples(model, classes, X_test, y_test)
    rungs = [
        {
            "name": rung["name"],
            "images": rung["images_seen"],
            "alarms": len(rung["alarms"]),
            "distance": rung["distance"],
            "kept": rung["kept"],
        }
        for rung in ladder_of(model)
    ]
    return {**found, "rungs": rungs, "seconds": time.process_time() - started}


def _stay(trained: Any, *_: Any, **__: Any) -> Any:
    return trained


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """Take away the spectral norm, or the generator's noise, where the plant says so."""
    forward = ImageGenerator.forward

    def without_noise(network: ImageGenerator, z: Tensor, labels: Tensor) -> Tensor:
        return forward(network, torch.zeros_like(z), labels)

    with ExitStack() as patches:
        if not plant.has_spectral_norm:
            patches.enter_context(
                mock.patch.object(SpectralNormWeight, "normalised", lambda layer: layer.weight)
            )
        if not plant.has_noise:
            patches.enter_context(mock.patch.object(ImageGenerator, "forward", without_noise))
        yield


def describe_samples(
    model: FittedModel, classes: Sequence[int], X_test: Array, y_test: Array
) -> dict[str, Any]:
    """Give the alarms, and means over classes of trust, variety and worth."""
    sampler = TrainedSampler(model, "cpu", is_filtered=False)
    values, codes = sampler.sample_values(dict.fromkeys(CLASSES, N_SYNTHETIC))
    rows = values.reshape(len(values), -1) / 255.0
    neighbours = KNeighborsClassifier(5).fit(rows, codes)
    hits = neighbours.predict(X_test) == y_test
    variety = {c: spread(rows[codes == c]) / spread(X_test[y_test == c]) for c in classes}
    trust = [model.trust[c] for c in classes] if model.trust else []
    return {
        "alarms": [alarm["kind"] for alarm in alarms_of(model)],
        "trust": np.mean(trust),
        "distrusted": sum(share < MIN_TRUST for share in trust),
        "variety": np.mean(list(variety.values())),
        "worth": np.mean([hits[y_test == c].mean() for c in classes]),
    }


def spread(rows: Array) -> float:
    """Mean distance between images."""
    return mean_pairwise_distance(torch.from_numpy(rows))


def draw(seed: int, copied: int | None) -> tuple[TrainingSet, Array, Array]:
    """Draw training images, of one class near-copies perhaps; all others are for the tests."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    shuffled = [rng.permutation(np.flatnonzero(y == code)) for code in CLASSES]
    train = [X[rows[:N_PER_CLASS]] for rows in shuffled]
    if copied is not None:
        noise = rng.normal(0, 0.25, (N_COPIES, X.shape[1])).round()
        train[copied] = np.clip(train[copied][:1] + noise, 0, 16)
    labels = np.repeat(list(CLASSES), [len(rows) for rows in train])
    data = read_training_set(
        np.concatenate(train), labels, image_shape=(8, 8), value_range=(0.0, 16.0)
    )
    others = np.concatenate([rows[N_PER_CLASS:] for rows in shuffled])
    return data, X[others] / 16.0, y[others]


def describe(result: Result) -> str:
    """Give a line for each draw: the outcome before and after, and the rung that ended it."""
    lines = []
    for name, draws in result["values"].items():
        for draw_ in draws:
            before, after, rungs = draw_["before"], draw_["after"], draw_["rungs"]
            pairs = [
                f"{before[key]:.2f} -> {after[key]:.2f}" for key in ("trust", "variety", "worth")
            ]
            lines.append(
                [
                    name,
                    _in_words(before["alarms"]),
                    _end(after, rungs),
                    *pairs,
                    str(after["distrusted"]),
                ]
            )
    columns = ["planted", "alarms", "ended by", "trust", "variety", "worth", "distrusted"]
    return markdown(columns, lines)


def _in_words(alarms: Sequence[str]) -> str:
    counts = {kind: alarms.count(kind) for kind in dict.fromkeys(alarms)}
    return ", ".join(f"{n} x {kind.replace('_', ' ')}" for kind, n in counts.items()) or "none"


def _end(after: Mapping[str, Any], rungs: Sequence[Mapping[str, Any]]) -> str:
    if not rungs:
        return "not climbed"
    if rungs[-1]["alarms"] == 0:
        return f"rung {len(rungs)}, {rungs[-1]['name']}"
    return f"none of {len(rungs)}; left: {_in_words(after['alarms'])}"
