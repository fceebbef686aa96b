"""The training, from data to weights; what happens beside it is in `ganaug.gan.callbacks`."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from ganaug.exceptions import TrainingError
from ganaug.gan.batches import ClassBatches
from ganaug.gan.callbacks import Callback, Checkpoints, Progress, ProgressReports, Watch
from ganaug.gan.config import GANConfig
from ganaug.gan.diffaugment import diffaugment
from ganaug.gan.losses import LOSS_FUNCTIONS, lecam_penalty, update_anchor
from ganaug.gan.monitor import Alarm, Features, Monitor
from ganaug.gan.records import Rung
from ganaug.gan.state import State, TrainingState

ESTIMATE_STEPS = 5


@dataclass
class TrainedGAN:
    """The outcome of a training: weights, and how they came about.

    ``history`` holds one record per evaluation; ``alarms`` those of the weights that were kept;
    ``rungs`` what was tried against alarms (see `ganaug.gan.ladder`).
    """

    config: GANConfig
    generator_state: State
    discriminator_state: State
    history: list[dict[str, Any]] = field(default_factory=list)
    alarms: tuple[Alarm, ...] = ()
    images_seen: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    rungs: tuple[Rung, ...] = ()
    distance: float = math.nan
    """The monitor's, of the weights that were kept; not in files."""


def train(
    config: GANConfig,
    samples: Tensor,
    labels: Tensor,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    features: Features | None = None,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    start_from: TrainedGAN | None = None,
    keeps_start: bool = False,
) -> TrainedGAN:
    """Train a conditional GAN.

    Parameters
    ----------
    config : GANConfig
    samples : Tensor of shape (n, C, H, W), uint8, or (n, n_features), float32, standardised
    labels : Tensor of shape (n,), int64
        Class codes from 0 to n_classes - 1.
    seed : int
        Same seed, data, versions, device and threads, with a `max_images` budget: same weights.
    device : torch.device or str
    on_progress : callable, optional
        Called about twice a second.
    features : callable, optional
        What the monitor compares samples by (see `Monitor`).
    checkpoint : Path, optional
        File that is written at each evaluation, and resumed from when it is there.
    fingerprint : str
        Identifies the data; a checkpoint of other data, or of another seed, is refused.
    start_from : TrainedGAN, optional
        Start from these weights (same config but for budget and optimisation) instead of anew.
    keeps_start : bool
        Keep these weights, and their alarms, where none of the training are better by the
        monitor's distance.

    Returns
    -------
    TrainedGAN
        The best weights by the monitor's distance. Ctrl-C ends the training early and returns the
        best weights so far, with ``interrupted=True``.

    Raises
    ------
    CheckpointError
        When `checkpoint` belongs to other data or parameters, or cannot be read.
    TrainingError
        When training became NaN before there were any weights to keep.
    """
    trainer = Trainer(config, samples, labels, seed=seed, device=torch.device(device))
    if start_from is not None:
        trainer.load_weights(start_from.generator_state, start_from.discriminator_state)
    monitor = build_monitor(trainer, samples, labels, seed, features)
    alarms = start_from.alarms if start_from is not None and keeps_start else None
    callbacks: list[Callback] = [Watch(monitor, alarms_of_start=alarms)]
    if checkpoint is not None:
        callbacks.append(Checkpoints(checkpoint, f"{fingerprint}:{seed}"))
    if on_progress is not None:
        callbacks.append(ProgressReports(on_progress))
    return run(trainer, callbacks)


def joined(before: TrainedGAN, after: TrainedGAN) -> TrainedGAN:
    """Put a further training behind the one that it started from.

    The budget of both is of the kinds that both had; where there is none, in images.
    """
    parts = before, after
    budgets: dict[str, Any] = {
        name: added(getattr(part.config, name) for part in parts)
        for name in ("max_images", "max_seconds")
    }
    if budgets["max_images"] is budgets["max_seconds"] is None:
        budgets["max_images"] = sum(part.config.max_images or part.images_seen for part in parts)
    return replace(
        after,
        config=replace(after.config, **budgets),
        history=before.history + shifted(after.history, before),
        images_seen=before.images_seen + after.images_seen,
        seconds=before.seconds + after.seconds,
        rungs=before.rungs + after.rungs,
    )


def added(budgets: Iterable[float | None]) -> float | None:
    """Add up budgets of one kind; None where one is."""
    known = list(budgets)
    return None if None in known else sum(filter(None, known))


def shifted(history: Sequence[dict[str, Any]], before: TrainedGAN) -> list[dict[str, Any]]:
    """Count a further training's images and seconds from the beginning of the first."""
    shifts = {"images_seen": before.images_seen, "seconds": before.seconds}
    return [
        record | {key: record[key] + shift for key, shift in shifts.items()} for record in history
    ]


def run(trainer: Trainer, callbacks: Sequence[Callback]) -> TrainedGAN:
    """Train until the budget is used up; see `train` for what comes back."""
    interrupted = False
    for callback in callbacks:
        callback.on_train_begin(trainer)
    try:
        while not trainer.finished:
            trainer.step()
            for callback in callbacks:
                callback.on_step_end(trainer)
            if trainer.evaluation_due:
                for callback in callbacks:
                    callback.on_evaluation(trainer)
    except KeyboardInterrupt:
        interrupted = True
    for callback in callbacks:
        callback.on_train_end(trainer)

    if trainer.best_weights is None:
        raise TrainingError(
            f"Training became NaN within {trainer.images_seen:,} images, before there were any "
            "weights to keep. Lower `learning_rate`, or check the data for extreme values."
        )
    alarms = trainer.best_alarms
    if trainer.diverged and all(alarm.kind != "diverged" for alarm in alarms):
        alarms += (Alarm("diverged"),)
    return TrainedGAN(
        trainer.config,
        *trainer.best_weights,
        trainer.history,
        alarms,
        trainer.images_seen,
        trainer.seconds,
        interrupted,
        distance=trainer.best_distance,
    )


class Trainer(TrainingState):
    """A training's state, its data, and the step that leads from one to the next."""

    def __init__(
        self,
        config: GANConfig,
        samples: Tensor,
        labels: Tensor,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(config, seed, device)
        self.batches = ClassBatches(config, samples, labels, device, self.random)
        self.discriminator_loss, self.generator_loss = LOSS_FUNCTIONS[config.loss]
        averaged, current = self.ema.state_dict(), self.generator.state_dict()
        floats = [name for name, tensor in averaged.items() if tensor.is_floating_point()]
        self.averaged_pairs = [averaged[n] for n in floats], [current[n] for n in floats]

    def step(self) -> None:
        """Show one batch of real samples to the discriminator and update both networks.

        The same fakes serve both players, which saves a pass through the generator.
        """
        self._set_learning_rate()
        n = self.config.batch_size
        labels = self.batches.draw_labels(n)
        real = self.batches.draw_samples(labels)
        with self._autocast():
            z = self.generator.draw_latents(n, self.random, self.device)
            fake = self.generator(z, labels)
            discriminator_parts = self.discriminator_step(real, fake.detach(), labels)
            generator_loss = self.generator_step(fake, labels)
        self._update_ema()
        self.images_seen += n
        self.statistics += torch.stack(
            [discriminator_parts[0], generator_loss, *discriminator_parts[1:]]
        )
        self.steps_in_statistics += 1

    def discriminator_step(
        self, real: Tensor, fake: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Update the discriminator; return its loss and mean logits, detached."""
        self.discriminator.requires_grad_(True)
        real, fake = self._augment(real), self._augment(fake)
        if self.discriminator.scores_pairs_at_once:
            both = self.discriminator(torch.cat([real, fake]), torch.cat([labels, labels]))
            real_logits, fake_logits = both.chunk(2)
        else:
            real_logits = self.discriminator(real, labels)
            fake_logits = self.discriminator(fake, labels)
        loss = self.discriminator_loss(real_logits, fake_logits)
        objective = loss
        if self.config.lecam > 0:
            update_anchor(self.real_anchor, real_logits)
            update_anchor(self.fake_anchor, fake_logits)
            objective = loss + self.config.lecam * lecam_penalty(
                real_logits, fake_logits, self.real_anchor, self.fake_anchor
            )
        _descend(self.discriminator_optimizer, objective)
        return loss.detach(), real_logits.detach().mean(), fake_logits.detach().mean()

    def generator_step(self, fake: Tensor, labels: Tensor) -> Tensor:
        """Update the generator through the discriminator's judgement of its fakes."""
        self.discriminator.requires_grad_(False)
        loss = self.generator_loss(self.discriminator(self._augment(fake), labels))
        _descend(self.generator_optimizer, loss)
        return loss.detach()

    def _augment(self, samples: Tensor) -> Tensor:
        if not (self.config.is_image and self.config.diffaugment):
            return samples
        return diffaugment(samples, self.random)

    def _autocast(self) -> AbstractContextManager[Any]:
        """bf16 on CUDA. On a CPU without matrix units it was measured to be slower."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    def _set_learning_rate(self) -> None:
        rate = self.config.learning_rate
        if self.config.recipe != "classic":
            rate *= min(1.0, 1.9 - 1.8 * self.share)
        self.generator_optimizer.param_groups[0]["lr"] = rate
        self.discriminator_optimizer.param_groups[0]["lr"] = (
            rate * self.config.discriminator_rate_factor
        )

    @torch.no_grad()
    def _update_ema(self) -> None:
        """Move the averaged generator towards the current one, with a half-life in images."""
        halflife = min(self.config.ema_halflife_images, self.images_seen / 20)
        decay = 0.5 ** (self.config.batch_size / halflife) if halflife > 0 else 0.0
        torch._foreach_lerp_(*self.averaged_pairs, 1.0 - decay)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def build_monitor(
    trainer: Trainer, samples: Tensor, labels: Tensor, seed: int, features: Features | None
) -> Monitor:
    """Build the monitor of a training, with a random stream of its own."""
    return Monitor(
        samples,
        labels,
        trainer.config.n_classes,
        trainer.ema.latent_dim,
        torch.Generator().manual_seed(seed + 1),
        trainer.device,
        features,
    )


def estimate_seconds(
    config: GANConfig,
    samples: Tensor | npt.NDArray[Any],
    labels: Tensor | npt.NDArray[Any],
    device: torch.device | str = "cpu",
) -> float:
    """Estimate the seconds that a training will take, from a few steps of throw-away networks.

    Parameters
    ----------
    config : GANConfig
    samples, labels : Tensor or array
        As in `train`.
    device : torch.device or str

    Returns
    -------
    float
        At most ``config.max_seconds``.
    """
    limit = float("inf") if config.max_seconds is None else config.max_seconds
    if config.max_images is None:
        return limit
    samples, labels = torch.as_tensor(samples), torch.as_tensor(labels)
    trainer = Trainer(config, samples, labels, seed=0, device=torch.device(device))
    seconds = []
    for _ in range(1 + ESTIMATE_STEPS):
        started = time.perf_counter()
        trainer.step()
        trainer.mean_statistics()  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    # the first step is slower: memory is allocated, kernels are chosen
    per_image = statistics.median(seconds[1:]) / config.batch_size
    return min(limit, per_image * config.max_images)
