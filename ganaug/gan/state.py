"""What a training consists of at any moment: networks, optimisers, budget, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import Alarm
from ganaug.gan.networks import build_discriminator, build_generator

STATISTICS = ("discriminator_loss", "generator_loss", "real_logit", "fake_logit")

State = dict[str, Tensor]


class TrainingState:
    """Networks, optimisers and counters of one training; can be written down and taken up again.

    Parameters
    ----------
    config : GANConfig
    seed : int
        Decides the first weights, and every number drawn while training.
    device : torch.device
    """

    def __init__(self, config: GANConfig, seed: int, device: torch.device) -> None:
        self.config = config
        self.device = device
        initial = torch.Generator().manual_seed(seed)
        self.generator = build_generator(config, initial, device)
        self.ema = build_generator(config, initial, device).requires_grad_(False)
        self.discriminator = build_discriminator(config, initial, device)
        self.ema.load_state_dict(self.generator.state_dict())
        if config.is_image:  # faster on GPUs, and by up to a tenth on CPUs
            for network in self.networks().values():
                network.to(memory_format=torch.channels_last)
        self.generator_optimizer = build_optimizer(config, self.generator, device)
        self.discriminator_optimizer = build_optimizer(config, self.discriminator, device)
        self.random = torch.Generator(device).manual_seed(seed)
        self.real_anchor = torch.zeros((), device=device)
        self.fake_anchor = torch.zeros((), device=device)

        self.images_seen = 0
        self.seconds_before = 0.0  # spent before the checkpoint this training resumed from
        self.started = time.perf_counter()
        self.statistics = torch.zeros(len(STATISTICS), device=device)
        self.steps_in_statistics = 0  # since the last evaluation
        self.history: list[dict[str, Any]] = []  # one record per evaluation
        self.diverged = False
        self.best_distance = float("inf")
        self.best_weights: tuple[State, State] | None = None  # averaged generator, discriminator
        self.best_alarms: tuple[Alarm, ...] = ()

    def networks(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        return {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers by name."""
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

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
        """Whether the budget is used up (at least one step is always made) or all is lost."""
        return self.diverged or (self.images_seen > 0 and self.share >= 1.0)

    @property
    def evaluation_due(self) -> bool:
        """Whether the next of the evenly spaced evaluations has been reached."""
        return self.share >= (len(self.history) + 1) / self.config.n_evaluations - 1e-9

    # --- what was seen ---

    def mean_statistics(self) -> dict[str, float]:
        """Mean losses and logits since the last evaluation; NaN before the first step."""
        means = (self.statistics / self.steps_in_statistics).tolist()
        return dict(zip(STATISTICS, means, strict=True))

    def record(self, record: dict[str, Any]) -> None:
        """Write an evaluation down, and start new statistics."""
        self.history.append(record)
        self.statistics.zero_()
        self.steps_in_statistics = 0

    def is_best(self, distance: float, _alarms: tuple[Alarm, ...]) -> bool:
        """Whether these weights are the best so far; the latest are where the distance is NaN."""
        return not distance > self.best_distance

    def keep_weights(self, distance: float, alarms: tuple[Alarm, ...]) -> None:
        """Remember these weights as the best."""
        self.best_distance, self.best_alarms = distance, alarms
        self.best_weights = _to_cpu(self.ema), _to_cpu(self.discriminator)

    # --- written down and taken up ---

    def load_weights(self, generator: State, discriminator: State) -> None:
        """Start from another training's weights."""
        self.generator.load_state_dict(generator)
        self.ema.load_state_dict(generator)
        self.discriminator.load_state_dict(discriminator)

    def state(self) -> tuple[State, dict[str, Any]]:
        """Return everything a resumed training needs: tensors, and plain values."""
        tensors: State = {"random": self.random.get_state(), "statistics": self.statistics}
        tensors |= {"real_anchor": self.real_anchor, "fake_anchor": self.fake_anchor}
        for name, network in self.networks().items():
            tensors |= _prefixed(name, network.state_dict())
        for name, optimizer in self.optimizers().items():
            for index, values in optimizer.state_dict()["state"].items():
                tensors |= _prefixed(f"{name}/{index}", values)
        if self.best_weights is not None:
            tensors |= _prefixed("best_generator", self.best_weights[0])
            tensors |= _prefixed("best_discriminator", self.best_weights[1])
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
        for name, network in self.networks().items():
            network.load_state_dict(_with_prefix(tensors, name))
        for name, optimizer in self.optimizers().items():
            _load_moments(optimizer, _with_prefix(tensors, name))
        best = _with_prefix(tensors, "best_generator"), _with_prefix(tensors, "best_discriminator")
        self.best_weights = best if best[0] else None
        self.images_seen = plain["images_seen"]
        self.seconds_before = plain["seconds"]
        self.steps_in_statistics = plain["steps_in_statistics"]
        self.history = plain["history"]
        self.best_distance = plain["best_distance"]
        self.best_alarms = tuple(Alarm(**alarm) for alarm in plain["best_alarms"])


def build_optimizer(
    config: GANConfig, network: nn.Module, device: torch.device
) -> torch.optim.Adam:
    """Build a network's optimiser."""
    return torch.optim.Adam(
        network.parameters(),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=device.type in ("cpu", "cuda"),
    )


def _load_moments(optimizer: torch.optim.Optimizer, tensors: State) -> None:
    """Give an optimiser its moments back, each laid out in memory as its weight is.

    The fused step reads both in memory order.
    """
    moments: dict[int, State] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        moments.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    for parameter, values in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            values[name] = torch.empty_like(parameter).copy_(values[name])


def _to_cpu(network: nn.Module) -> State:
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in network.state_dict().items()
    }


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> State:
    return {f"{prefix}/{key}": value for key, value in tensors.items()}


def _with_prefix(tensors: State, prefix: str) -> State:
    return {
        key.removeprefix(prefix + "/"): value
        for key, value in tensors.items()
        if key.startswith(prefix + "/")
    }
