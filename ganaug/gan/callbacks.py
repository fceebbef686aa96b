"""What happens beside the training loop, each in an object of its own.

A callback is told of four moments. The loop in `ganaug.gan.training` knows nothing of what it
does then; to add something, write a subclass of `Callback` and put it into `train`'s list.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ganaug.checks import warn_user
from ganaug.exceptions import CheckpointError, TrainingWarning
from ganaug.gan.checkpoints import read_checkpoint, write_checkpoint
from ganaug.gan.monitor import Alarm, Evaluation, Monitor
from ganaug.gan.scaling import images_from_network
from ganaug.gan.state import TrainingState

LOG = logging.getLogger(__name__)
REPORT_SECONDS = 0.5


class Callback:
    """Does nothing at any moment; subclasses override those that they need."""

    def on_train_begin(self, state: TrainingState) -> None:
        """Called once, before the first step."""

    def on_step_end(self, state: TrainingState) -> None:
        """Called after every step."""

    def on_evaluation(self, state: TrainingState) -> None:
        """Called after a step, ``config.n_evaluations`` times in a training."""

    def on_train_end(self, state: TrainingState) -> None:
        """Called once, also after Ctrl-C."""


class Watch(Callback):
    """Lets the monitor look, keeps the best weights, ends a training that has become NaN.

    Other callbacks find in ``state.history`` what this one wrote: put it first. With
    `alarms_of_start` the weights that the training starts from are kept, with these alarms, until
    there are better ones.
    """

    def __init__(
        self, monitor: Monitor, *, alarms_of_start: tuple[Alarm, ...] | None = None
    ) -> None:
        self.monitor = monitor
        self.alarms_of_start = alarms_of_start

    def on_train_begin(self, state: TrainingState) -> None:
        """Look at the weights to start from."""
        if self.alarms_of_start is not None:  # a look cannot find them all: there is no loss yet
            state.keep_weights(self._look(state).distance, self.alarms_of_start)

    def on_evaluation(self, state: TrainingState) -> None:
        """Write one record, and keep the weights if they are the best so far."""
        record: dict[str, Any] = {"images_seen": state.images_seen, "seconds": state.seconds}
        record |= state.mean_statistics()
        alarms: tuple[Alarm, ...] = (Alarm("diverged"),)
        state.diverged = not all(torch.isfinite(t).all() for t in state.ema.state_dict().values())
        if not state.diverged:
            seen = self._look(state, record["discriminator_loss"])
            record |= {"distance": seen.distance, "variety": list(seen.variety)}
            alarms = seen.alarms
            if state.is_best(seen.distance, alarms):
                state.keep_weights(seen.distance, alarms)
        state.record(record | {"alarms": [asdict(alarm) for alarm in alarms]})
        LOG.info(
            "%s images, distance %.3f, loss D %.2f G %.2f, alarms: %s",
            f"{state.images_seen:,}",
            record.get("distance", math.nan),
            record["discriminator_loss"],
            record["generator_loss"],
            ", ".join(dict.fromkeys(alarm.kind for alarm in alarms)) or "none",
        )

    def _look(self, state: TrainingState, discriminator_loss: float = math.nan) -> Evaluation:
        to_samples = images_from_network if state.config.is_image else torch.Tensor.float
        return self.monitor.evaluate(state.ema, to_samples, discriminator_loss)

    def on_train_end(self, state: TrainingState) -> None:
        """Look at steps that nobody has looked at, or at least once."""
        if state.steps_in_statistics or not (state.history or state.best_weights):
            self.on_evaluation(state)


class Checkpoints(Callback):
    """Resumes from a file when it is there, and writes it at each evaluation.

    `identity` is "data:seed"; a file of other data, seed or parameters is refused.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity
        self.has_failed = False

    def on_train_begin(self, state: TrainingState) -> None:
        """Take up the state in the file."""
        if self.path.exists():
            saved = read_checkpoint(self.path, state.config, self.identity)
            try:
                state.load_state(saved)
            except RuntimeError as error:  # a random state of another device
                raise CheckpointError(
                    f"{self.path} cannot be resumed on {state.device} ({error}). Delete it to "
                    "start anew."
                ) from error

    def on_evaluation(self, state: TrainingState) -> None:
        """Write the state, unless it is lost: the last good one stays.

        A full disk is no reason to end a training: it is told of once, and tried again.
        """
        if state.diverged:
            return
        try:
            write_checkpoint(self.path, state.config, self.identity, *state.state())
        except OSError as error:
            if not self.has_failed:
                warn_user(
                    f"The checkpoint {self.path} could not be written ({error.strerror or error}). "
                    "The training goes on, and cannot be resumed from here: make room, or choose "
                    "another `checkpoint_dir`.",
                    TrainingWarning,
                )
            self.has_failed = True


@dataclass(frozen=True)
class Progress:
    """What a progress display needs; `share` of the budget is from 0 to 1."""

    images_seen: int
    share: float
    seconds: float
    discriminator_loss: float
    generator_loss: float


class ProgressReports(Callback):
    """Calls `on_progress` about twice a second; reading the losses is what costs on a GPU."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self.on_progress = on_progress
        self.last = 0.0

    def on_step_end(self, state: TrainingState) -> None:
        """Report when it is time again."""
        if time.perf_counter() - self.last >= REPORT_SECONDS:
            self.on_train_end(state)

    def on_train_end(self, state: TrainingState) -> None:
        """Report how far the training has come."""
        self.last = time.perf_counter()
        looked = state.history and not state.steps_in_statistics
        means = state.history[-1] if looked else state.mean_statistics()
        self.on_progress(
            Progress(
                state.images_seen,
                state.share,
                state.seconds,
                means["discriminator_loss"],
                means["generator_loss"],
            )
        )
