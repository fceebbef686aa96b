"""The training loop: one readable pass from data to weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganaug.exceptions import TrainingError
from ganaug.gan.batches import ClassBatches
from ganaug.gan.checkpoints import read_checkpoint, write_checkpoint
from ganaug.gan.config import GANConfig
from ganaug.gan.diffaugment import diffaugment
from ganaug.gan.losses import LOSS_FUNCTIONS, lecam_penalty, update_anchor
from ganaug.gan.monitor import Alarm, Features, Monitor
from ganaug.gan.networks import build_discriminator, build_generator
from ganaug.gan.scaling import images_from_network

REPORT_SECONDS = 0.5
ESTIMATE_STEPS = 5
STATISTICS = ("discriminator_loss", "generator_loss", "real_logit", "fake_logit")

State = dict[str, Tensor]


@dataclass(frozen=True)
class Progress:
    """What a progress display needs; `share` of the budget is from 0 to 1."""

    images_seen: int
    share: float
    seconds: float
    discriminator_loss: float
    generator_loss: float


@dataclass
class TrainedGAN:
    """The outcome of a training: weights, and how they came about.

    ``history`` holds one record per evaluation; ``alarms`` those of the weights that were kept.
    """

    config: GANConfig
    generator_state: State
    discriminator_state: State
    history: list[dict[str, Any]] = field(default_factory=list)
    alarms: tuple[Alarm, ...] = ()
    images_seen: int = 0
    seconds: float = 0.0
    interrupted: bool = False


def train(
    config: GANConfig,
    rows: Tensor,
    labels: Tensor,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    features: Features | None = None,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    start_from: TrainedGAN | None = None,
) -> TrainedGAN:
    """Train a conditional GAN.

    Parameters
    ----------
    config : GANConfig
    rows : Tensor of shape (n, C, H, W), uint8, or (n, n_features), float32, standardised
    labels : Tensor of shape (n,), int64
        Class codes from 0 to n_classes - 1.
    seed : int
        Same seed, data, versions, device and threads, with a `max_images` budget: same weights.
    device : torch.device or str
    on_progress : callable, optional
        Called about twice a second.
    features : callable, optional
        What the monitor compares rows by (see `Monitor`).
    checkpoint : Path, optional
        File that is written at each evaluation, and resumed from when it is there.
    fingerprint : str
        Identifies the data; a checkpoint of other data, or of another seed, is refused.
    start_from : TrainedGAN, optional
        Start from these weights (same config but for budget and optimisation) instead of anew.

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
    trainer = Trainer(config, rows, labels, seed=seed, device=torch.device(device))
    monitor = trainer.build_monitor(rows, labels, seed, features)
    if start_from is not None:
        trainer.load_weights(start_from)
    identity = f"{fingerprint}:{seed}"
    if checkpoint is not None and checkpoint.exists():
        trainer.load_state(read_checkpoint(checkpoint, config, identity))
    reporter = _Reporter(trainer, on_progress)
    interrupted = False
    try:
        while not trainer.finished:
            trainer.step()
            reporter.maybe_report()
            if trainer.evaluation_due:
                if not trainer.evaluate(monitor):
                    break
                if checkpoint is not None:
                    write_checkpoint(checkpoint, config, identity, *trainer.state())
    except KeyboardInterrupt:
        interrupted = True
    if trainer.steps_in_statistics or not trainer.history:  # steps that nobody has looked at
        trainer.evaluate(monitor)
    if trainer.best_state is None:
        raise TrainingError(
            f"Training became NaN within {trainer.images_seen:,} images, before there were any "
            "weights to keep. Lower `learning_rate`, or check the data for extreme values."
        )
    reporter.report()
    return trainer.result(interrupted)


class Trainer:
    """Networks, optimisers and counters of one training."""

    def __init__(
        self, config: GANConfig, rows: Tensor, labels: Tensor, *, seed: int, device: torch.device
    ) -> None:
        self.config = config
        self.device = device
        initial = torch.Generator().manual_seed(seed)
        self.generator = build_generator(config, initial, device)
        self.ema = build_generator(config, initial, device).requires_grad_(False)
        self.discriminator = build_discriminator(config, initial, device)
        self.ema.load_state_dict(self.generator.state_dict())
        if config.is_image:  # faster on GPUs, and by up to a tenth on CPUs
            for network in (self.generator, self.ema, self.discriminator):
                network.to(memory_format=torch.channels_last)

        averaged, current = self.ema.state_dict(), self.generator.state_dict()
        floats = [name for name, tensor in averaged.items() if tensor.is_floating_point()]
        self.averaged_pairs = [averaged[n] for n in floats], [current[n] for n in floats]

        self.random = torch.Generator(device).manual_seed(seed)
        self.batches = ClassBatches(config, rows, labels, device, self.random)
        self.generator_optimizer = self._build_optimizer(self.generator)
        self.discriminator_optimizer = self._build_optimizer(self.discriminator)
        self.discriminator_loss, self.generator_loss = LOSS_FUNCTIONS[config.loss]
        self.real_anchor = torch.zeros((), device=device)
        self.fake_anchor = torch.zeros((), device=device)

        self.images_seen = 0
        self.seconds_before = 0.0  # spent before the checkpoint this training resumed from
        self.started = time.perf_counter()
        self.statistics = torch.zeros(len(STATISTICS), device=device)
        self.steps_in_statistics = 0
        self.history: list[dict[str, Any]] = []
        self.best_distance = float("inf")
        self.best_state: tuple[State, State] | None = None
        self.best_alarms: tuple[Alarm, ...] = ()

    # --- one step ---

    def step(self) -> None:
        """Show one batch of real images to the discriminator and update both networks.

        The same fakes serve both players, which saves a pass through the generator.
        """
        self._set_learning_rate()
        n = self.config.batch_size
        labels = self.batches.draw_labels(n)
        real = self.batches.draw_rows(labels)
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
        self._descend(self.discriminator_optimizer, objective)
        return loss.detach(), real_logits.detach().mean(), fake_logits.detach().mean()

    def generator_step(self, fake: Tensor, labels: Tensor) -> Tensor:
        """Update the generator through the discriminator's judgement of its fakes."""
        self.discriminator.requires_grad_(False)
        loss = self.generator_loss(self.discriminator(self._augment(fake), labels))
        self._descend(self.generator_optimizer, loss)
        return loss.detach()

    def _augment(self, rows: Tensor) -> Tensor:
        if not self.config.is_image:
            return rows
        return diffaugment(rows, self.config.diffaugment, self.random)

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def _autocast(self) -> AbstractContextManager[Any]:
        """bf16 on CUDA. On a CPU without matrix units it was measured to be slower."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    def _build_optimizer(self, network: nn.Module) -> torch.optim.Adam:
        return torch.optim.Adam(
            network.parameters(),
            lr=self.config.learning_rate,
            betas=(self.config.beta1, self.config.beta2),
            fused=self.device.type in ("cpu", "cuda"),
        )

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

    # --- budget ---

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before a resumed checkpoint included."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def share(self) -> float:
        """Share of the budget used up, from 0 to 1."""
        shares = [0.0]
        if self.config.max_images is not None:
            shares.append(self.images_seen / max(1, self.config.max_images))
        if self.config.max_seconds is not None:
            shares.append(self.seconds / max(1e-9, self.config.max_seconds))
        return min(1.0, max(shares))

    @property
    def finished(self) -> bool:
        """Whether the budget is used up (at least one step is always made)."""
        return self.images_seen > 0 and self.share >= 1.0

    @property
    def evaluation_due(self) -> bool:
        """Whether the next of the evenly spaced evaluations has been reached."""
        return self.share >= (len(self.history) + 1) / self.config.n_evaluations - 1e-9

    # --- watching ---

    def build_monitor(
        self, rows: Tensor, labels: Tensor, seed: int, features: Features | None
    ) -> Monitor:
        """Build the monitor, with a random stream of its own."""
        return Monitor(
            rows,
            labels,
            self.config.n_classes,
            self.ema.latent_dim,
            torch.Generator().manual_seed(seed + 1),
            self.device,
            features,
        )

    def mean_statistics(self) -> dict[str, float]:
        """Mean losses and logits since the last evaluation."""
        means = (self.statistics / max(1, self.steps_in_statistics)).tolist()
        return dict(zip(STATISTICS, means, strict=True))

    def evaluate(self, monitor: Monitor) -> bool:
        """Let the monitor look, keep the weights if they are the best; False if diverged."""
        record: dict[str, Any] = {"images_seen": self.images_seen, "seconds": self.seconds}
        record |= self.mean_statistics()
        diverged = not all(torch.isfinite(t).all() for t in self.ema.state_dict().values())
        if diverged:
            alarms: tuple[Alarm, ...] = (Alarm("diverged"),)
        else:
            to_rows = images_from_network if self.config.is_image else torch.Tensor.float
            evaluation = monitor.evaluate(self.ema, to_rows, record["discriminator_loss"])
            record |= {"distance": evaluation.distance, "variety": list(evaluation.variety)}
            alarms = evaluation.alarms
            if not evaluation.distance > self.best_distance:  # where it is NaN, the latest
                self.best_distance = evaluation.distance
                self.best_state = (_to_cpu(self.ema), _to_cpu(self.discriminator))
                self.best_alarms = alarms
        self.history.append(record | {"alarms": [asdict(alarm) for alarm in alarms]})
        self.statistics.zero_()
        self.steps_in_statistics = 0
        return not diverged

    def result(self, interrupted: bool) -> TrainedGAN:
        """Return the best weights with their history."""
        assert self.best_state is not None
        generator_state, discriminator_state = self.best_state
        diverged = any(a["kind"] == "diverged" for r in self.history for a in r["alarms"])
        return TrainedGAN(
            self.config,
            generator_state,
            discriminator_state,
            self.history,
            self.best_alarms + ((Alarm("diverged"),) if diverged else ()),
            self.images_seen,
            self.seconds,
            interrupted,
        )

    # --- checkpoints ---

    def load_weights(self, trained: TrainedGAN) -> None:
        """Start from another training's weights."""
        self.generator.load_state_dict(trained.generator_state)
        self.ema.load_state_dict(trained.generator_state)
        self.discriminator.load_state_dict(trained.discriminator_state)

    def state(self) -> tuple[State, dict[str, Any]]:
        """Return everything a resumed training needs: tensors, and plain values."""
        tensors: State = {"random": self.random.get_state(), "statistics": self.statistics}
        tensors |= {"real_anchor": self.real_anchor, "fake_anchor": self.fake_anchor}
        for prefix, network in self._networks().items():
            tensors |= {f"{prefix}/{key}": value for key, value in network.state_dict().items()}
        for prefix, optimizer in self._optimizers().items():
            for index, values in optimizer.state_dict()["state"].items():
                tensors |= {f"{prefix}/{index}/{key}": value for key, value in values.items()}
        if self.best_state is not None:
            for prefix, state in zip(
                ("best_generator", "best_discriminator"), self.best_state, strict=True
            ):
                tensors |= {f"{prefix}/{key}": value for key, value in state.items()}
        plain = {
            "images_seen": self.images_seen,
            "seconds": self.seconds,
            "steps_in_statistics": self.steps_in_statistics,
            "history": self.history,
            "best_distance": self.best_distance,
            "best_alarms": [asdict(alarm) for alarm in self.best_alarms],
        }
        return tensors, plain

    def load_state(self, state: tuple[State, dict[str, Any]]) -> None:
        """Take up what `state` returned."""
        tensors, plain = state
        self.random.set_state(tensors["random"])
        for name in ("statistics", "real_anchor", "fake_anchor"):
            getattr(self, name).copy_(tensors[name])
        for prefix, network in self._networks().items():
            network.load_state_dict(_with_prefix(tensors, prefix))
        for prefix, optimizer in self._optimizers().items():
            optimizer.load_state_dict(
                {
                    "state": _optimizer_state(_with_prefix(tensors, prefix)),
                    "param_groups": optimizer.state_dict()["param_groups"],
                }
            )
        self._restore_memory_format()
        best = _with_prefix(tensors, "best_generator"), _with_prefix(tensors, "best_discriminator")
        self.best_state = best if best[0] else None
        self.images_seen = plain["images_seen"]
        self.seconds_before = plain["seconds"]
        self.steps_in_statistics = plain["steps_in_statistics"]
        self.history = plain["history"]
        self.best_distance = plain["best_distance"]
        self.best_alarms = tuple(Alarm(**alarm) for alarm in plain["best_alarms"])

    def _restore_memory_format(self) -> None:
        """Lay Adam's moments out as their weights: the fused step reads both in memory order."""
        for optimizer in self._optimizers().values():
            for parameter, values in optimizer.state.items():
                for name in ("exp_avg", "exp_avg_sq"):
                    values[name] = torch.empty_like(parameter).copy_(values[name])

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


class _Reporter:
    """Calls `on_progress` about twice a second; reading the losses is what costs on a GPU."""

    def __init__(self, trainer: Trainer, on_progress: Callable[[Progress], None] | None) -> None:
        self.trainer = trainer
        self.on_progress = on_progress
        self.last = 0.0

    def maybe_report(self) -> None:
        if self.on_progress is not None and time.perf_counter() - self.last >= REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        if self.on_progress is None:
            return
        self.last = time.perf_counter()
        trainer = self.trainer
        stepped = trainer.steps_in_statistics > 0
        means = trainer.mean_statistics() if stepped else trainer.history[-1]
        self.on_progress(
            Progress(
                trainer.images_seen,
                trainer.share,
                trainer.seconds,
                means["discriminator_loss"],
                means["generator_loss"],
            )
        )


def _to_cpu(network: nn.Module) -> State:
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in network.state_dict().items()
    }


def _with_prefix(tensors: State, prefix: str) -> State:
    return {
        key.removeprefix(prefix + "/"): value
        for key, value in tensors.items()
        if key.startswith(prefix + "/")
    }


def _optimizer_state(tensors: State) -> dict[int, State]:
    state: dict[int, State] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    return state


def estimate_seconds(
    config: GANConfig, rows: Any, labels: Any, device: torch.device | str = "cpu"
) -> float:
    """Estimate the seconds that a training will take, from a few steps of throw-away networks.

    Parameters
    ----------
    config : GANConfig
    rows, labels : array or Tensor
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
    device = torch.device(device)
    rows, labels = torch.as_tensor(rows), torch.as_tensor(labels)
    trainer = Trainer(config, rows, labels, seed=0, device=device)
    seconds = []
    for _ in range(1 + ESTIMATE_STEPS):
        started = time.perf_counter()
        trainer.step()
        trainer.mean_statistics()  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    # the first step is slower: memory is allocated, kernels are chosen
    per_image = statistics.median(seconds[1:]) / config.batch_size
    return min(limit, per_image * config.max_images)
