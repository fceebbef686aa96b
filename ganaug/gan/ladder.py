"""What is tried on a training that ended with an alarm: remedies in turn, until one helps."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ganaug.gan.callbacks import Callback, Progress, ProgressReports, Watch
from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import Alarm, Features
from ganaug.gan.networks import Discriminator, build_discriminator
from ganaug.gan.records import Rung, RungName
from ganaug.gan.state import build_optimizer
from ganaug.gan.training import TrainedGAN, Trainer, build_monitor, run, shifted
from ganaug.seeds import derived_seed, stream

LOG = logging.getLogger(__name__)
CURABLE = ("collapsed", "discriminator_won")
"""Kinds of alarms that the ladder is climbed for."""
LEAST_IMAGES = 5_000
"""Of `max_images`; what a shorter training shows is that it has hardly begun."""
LOOKS = 3
"""Evaluations in a rung's share of the budget, after which it must have silenced the alarms."""


@dataclass(frozen=True)
class Remedy:
    """How a rung trains: options of the config, and which discriminators."""

    name: RungName
    options: dict[str, Any]
    keeps_discriminator: bool = True
    n_discriminators: int = 1

    def apply(self, config: GANConfig) -> GANConfig:
        """Give the config with its options changed; where they are so already, smaller steps.

        A discriminator whose rate is no option keeps it, whatever becomes of the generator's.
        """
        changed = replace(config, **self.options)
        if self.options and changed == config:
            return replace(config, learning_rate=config.learning_rate / 4)
        if "discriminator_rate_factor" in self.options or not changed.learning_rate:
            return changed
        factor = config.discriminator_rate_factor * config.learning_rate / changed.learning_rate
        return replace(changed, discriminator_rate_factor=factor)


STEPS = {name: getattr(GANConfig, name) for name in ("learning_rate", "beta1", "beta2")}
SLOW = {**STEPS, "discriminator_rate_factor": GANConfig.discriminator_rate_factor / 4}
LADDER = (
    Remedy("further training", {}),
    Remedy("other step sizes", STEPS),
    Remedy("slower discriminator", SLOW, keeps_discriminator=False),
    Remedy("second discriminator", SLOW, keeps_discriminator=False, n_discriminators=2),
)
"""From what changes least to what changes most."""


def climb(
    trained: TrainedGAN,
    samples: Tensor,
    labels: Tensor,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    features: Features | None = None,
) -> TrainedGAN:
    """Try remedies on a training that ended with an alarm; keep the best weights.

    Each rung has a quarter of ``max_images`` to silence all alarms; the one that does so goes on
    with what is left, so that all take one further ``max_images`` at most. Weights with fewer
    alarms are better, then those of a smaller distance. Nothing is done without a curable alarm,
    or where ``max_images`` is None or under `LEAST_IMAGES`, ``max_seconds`` is used up, or Ctrl-C
    came.

    Parameters
    ----------
    trained : TrainedGAN
    samples, labels, seed, device, on_progress, features
        As in `ganaug.gan.training.train`, of that training. The seed decides all rungs: after an
        interruption the ladder begins anew from the finished training's checkpoint, with the same
        bytes.

    Returns
    -------
    TrainedGAN
        With a record of each rung.
    """
    device, most = torch.device(device), trained.config.max_images
    for number, remedy in enumerate(LADDER):
        left = (
            0
            if most is None or most < LEAST_IMAGES
            else most - sum(rung.images_seen for rung in trained.rungs)
        )
        seconds = _seconds_left(trained)
        if left <= 0 or seconds == 0 or trained.interrupted or not n_curable(trained.alarms):
            break
        LOG.info("After an alarm, tried: %s", remedy.name)
        config = replace(
            remedy.apply(trained.config),
            max_images=left,
            max_seconds=seconds,
            n_evaluations=LOOKS * (len(LADDER) - number),
        )
        attempt = Attempt(
            config, samples, labels, trained, remedy, derived_seed(seed, "rung", number), device
        )
        callbacks: list[Callback] = [Watch(build_monitor(attempt, samples, labels, seed, features))]
        if on_progress is not None:
            callbacks.append(ProgressReports(_shifted(on_progress, trained)))
        trained = _joined(trained, attempt, run(attempt, callbacks))
    return trained


class Attempt(Trainer):
    """A training from the best weights so far, which it keeps until it has better ones."""

    def __init__(
        self,
        config: GANConfig,
        samples: Tensor,
        labels: Tensor,
        start: TrainedGAN,
        remedy: Remedy,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(config, samples, labels, seed=seed, device=device)
        self.remedy = remedy
        self.generator.load_state_dict(start.generator_state)
        self.ema.load_state_dict(start.generator_state)
        if remedy.keeps_discriminator:
            self.discriminator.load_state_dict(start.discriminator_state)
        if remedy.n_discriminators > 1:
            other = build_discriminator(config, stream(seed, "second discriminator"), device)
            self.discriminator = Jury([self.discriminator, other])
            if config.is_image:
                self.discriminator.to(memory_format=torch.channels_last)
            self.discriminator_optimizer = build_optimizer(config, self.discriminator, device)
        self.best_weights = start.generator_state, start.discriminator_state
        self.best_distance, self.best_alarms = start.distance, start.alarms
        self.has_improved = False

    @property
    def finished(self) -> bool:
        """Also when its share of the budget is used up and alarms are left."""
        return super().finished or (len(self.history) >= LOOKS and n_curable(self.best_alarms) > 0)

    def is_best(self, distance: float, alarms: tuple[Alarm, ...]) -> bool:
        """Prefer fewer alarms, then a smaller distance; the first looks are at a fresh start."""
        if len(self.history) < LOOKS - 1:
            return False
        better_than = n_curable(self.best_alarms), self.best_distance
        return (n_curable(alarms), distance) < better_than

    def keep_weights(self, distance: float, alarms: tuple[Alarm, ...]) -> None:
        """Remember these weights as better than those that it started from."""
        super().keep_weights(distance, alarms)
        self.has_improved = True


class Jury(Discriminator):
    """Discriminators of one architecture and different first values; their logits are averaged."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.scores_pairs_at_once = all(m.scores_pairs_at_once for m in members)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Average the members' logits."""
        return torch.stack([member(samples, labels) for member in self.members]).mean(dim=0)


def _joined(before: TrainedGAN, attempt: Attempt, after: TrainedGAN) -> TrainedGAN:
    """Put a rung behind the training and the rungs before it."""
    if not attempt.history:  # Ctrl-C came before its first step
        return replace(before, interrupted=True)
    looks = [
        (tuple(Alarm(**alarm) for alarm in record["alarms"]), record.get("distance", math.nan))
        for record in attempt.history[LOOKS - 1 :] or attempt.history[-1:]
    ]
    alarms, distance = min(looks, key=lambda look: (len(look[0]), look[1]))
    name = attempt.remedy.name
    rung = Rung(name, after.images_seen, before.alarms, alarms, distance, attempt.has_improved)
    records = [record | {"rung": name} for record in shifted(attempt.history, before)]
    return replace(
        before,
        generator_state=after.generator_state,
        discriminator_state={
            name.removeprefix("members.0."): tensor
            for name, tensor in after.discriminator_state.items()
            if not name.startswith("members.1.")
        },
        history=before.history + records,
        alarms=attempt.best_alarms,
        images_seen=before.images_seen + after.images_seen,
        seconds=before.seconds + after.seconds,
        interrupted=after.interrupted,
        rungs=(*before.rungs, rung),
        distance=attempt.best_distance,
    )


def n_curable(alarms: Sequence[Alarm]) -> int:
    """Count the alarms that the ladder is climbed for."""
    return sum(alarm.kind in CURABLE for alarm in alarms)


def _seconds_left(trained: TrainedGAN) -> float | None:
    """Give what is left of `max_seconds`: the ladder does not prolong it."""
    limit = trained.config.max_seconds
    return None if limit is None else max(0.0, limit - trained.seconds)


def _shifted(
    on_progress: Callable[[Progress], None], before: TrainedGAN
) -> Callable[[Progress], None]:
    """Report a rung's images and seconds as further ones, at the end of the budget."""

    def report(progress: Progress) -> None:
        on_progress(
            replace(
                progress,
                images_seen=before.images_seen + progress.images_seen,
                share=1.0,
                seconds=before.seconds + progress.seconds,
            )
        )

    return report
