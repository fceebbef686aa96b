"""Watches a training: has it diverged, has a class collapsed, which weights were best?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from ganaug.gan.networks import Generator

Features = Callable[[Tensor], Tensor]

SAMPLES_PER_CLASS = 64
COLLAPSED_VARIETY = 0.4
"""A class whose fakes lie less than this share as far apart as its real samples has collapsed."""
NEAR_COPIES = 0.2
"""A class whose real samples lie less than this share of the typical distance apart repeats one."""
WINNING_LOSS = 0.05
"""A discriminator loss under this leaves the generator nothing to learn from."""

REMEDIES = {
    "diverged": "training became NaN and was stopped; the last good weights are kept. "
    "Lower `learning_rate`, or check the data for extreme values.",
    "discriminator_won": "the discriminator separates real from synthetic samples completely, so "
    "the generator stopped learning. Add samples, keep `lecam` above 0, or set `diffaugment=True`.",
    "collapsed": "synthetic samples vary far less than the real ones. Do not rely on them: use "
    "duplicates with classic augmentation for this class, or train longer (`max_images`).",
    "near_copies": "the real samples are nearly copies of one, and so are the synthetic ones: more "
    "of them teach a classifier nothing. Add real samples that differ.",
}


@dataclass(frozen=True)
class Alarm:
    """One thing that went wrong: its kind (a key of `REMEDIES`) and the class code, if one."""

    kind: str
    class_code: int | None = None
    value: float = math.nan


@dataclass(frozen=True)
class Evaluation:
    """What the monitor saw at one moment.

    ``distance`` is the mean over classes of the energy distance (Szekely & Rizzo, 2013) between
    real and synthetic features, in units of the class's mean real pairwise distance: 0 is ideal.
    ``variety`` is, per class, the mean pairwise distance of synthetic samples over that of real
    ones: 1 is ideal. A class with a single distinct sample has variety NaN.
    """

    distance: float
    variety: tuple[float, ...]
    alarms: tuple[Alarm, ...] = field(default=())


class Monitor:
    """Compares the same real samples with samples made from the same noise, again and again.

    `samples`, `labels`: real samples in the data's own units, and their class codes. `generator`:
    CPU generator that picks the real samples and draws the noise. `device`: where the generator
    network lives. `features`: samples in the data's own units -> (n, d) features. Default: pixels
    pooled to at most 7 x 7.
    """

    def __init__(
        self,
        samples: Tensor,
        labels: Tensor,
        n_classes: int,
        latent_dim: int,
        generator: torch.Generator,
        device: torch.device,
        features: Features | None = None,
    ) -> None:
        self.features = features or pooled_pixels
        self.device = device
        self.noise = torch.randn((SAMPLES_PER_CLASS, latent_dim), generator=generator)
        self.real: list[Tensor] = []
        for code in range(n_classes):
            members = (labels == code).nonzero().squeeze(1)
            chosen = torch.randperm(len(members), generator=generator)[:SAMPLES_PER_CLASS]
            self.real.append(self.features(samples[members[chosen]]).double())
        self.real_spread = [mean_pairwise_distance(real) for real in self.real]
        self.alarms_of_data = find_near_copies(self.real_spread)

    @torch.no_grad()
    def evaluate(
        self,
        network: Generator,
        to_samples: Callable[[Tensor], Tensor],
        discriminator_loss: float = math.nan,
    ) -> Evaluation:
        """Look at the network's samples; `to_samples` maps its output to the data's own units."""
        training = network.training
        network.eval()
        distances, variety = [], []
        for code, (real, spread) in enumerate(zip(self.real, self.real_spread, strict=True)):
            labels = torch.full((SAMPLES_PER_CLASS,), code, device=self.device)
            fake_samples = to_samples(network(self.noise.to(self.device), labels)).cpu()
            fake = self.features(fake_samples).double()
            scale = spread if spread > 0 else math.nan
            fake_spread = mean_pairwise_distance(fake)
            distances.append(energy_distance(real, fake, spread, fake_spread) / scale)
            variety.append(fake_spread / scale)
        network.train(training)
        known = [value for value in distances if not math.isnan(value)]
        distance = sum(known) / len(known) if known else math.nan
        alarms = find_alarms(variety, discriminator_loss) + self.alarms_of_data
        return Evaluation(distance, tuple(variety), alarms)


def find_alarms(variety: list[float], discriminator_loss: float) -> tuple[Alarm, ...]:
    """Turn measurements into alarms (comparisons with NaN are False: no alarm)."""
    alarms = [
        Alarm("collapsed", code, value)
        for code, value in enumerate(variety)
        if value < COLLAPSED_VARIETY
    ]
    if discriminator_loss < WINNING_LOSS:
        alarms.append(Alarm("discriminator_won", value=discriminator_loss))
    return tuple(alarms)


def find_near_copies(spreads: list[float]) -> tuple[Alarm, ...]:
    """Raise an alarm for classes of which one real sample is like the other."""
    typical = statistics.median_high([s for s in spreads if not math.isnan(s)] or [0.0])
    return tuple(
        Alarm("near_copies", code, spread / typical)
        for code, spread in enumerate(spreads)
        if spread < NEAR_COPIES * typical
    )


def pooled_pixels(samples: Tensor) -> Tensor:
    """Samples as they are, images pooled to at most 7 x 7 pixels, flattened."""
    if samples.ndim == 2:
        return samples.float()
    size = (min(7, samples.shape[2]), min(7, samples.shape[3]))
    return F.adaptive_avg_pool2d(samples.float(), size).flatten(1)


def mean_pairwise_distance(x: Tensor) -> float:
    """Mean Euclidean distance between different samples of x (n, d); NaN for a single sample."""
    return float(torch.pdist(x).mean()) if len(x) > 1 else math.nan


def energy_distance(x: Tensor, y: Tensor, x_spread: float, y_spread: float) -> float:
    """Energy distance 2 E|x - y| - E|x - x'| - E|y - y'| (Szekely & Rizzo, 2013, eq. 1.2)."""
    return 2.0 * float(torch.cdist(x, y).mean()) - x_spread - y_spread
