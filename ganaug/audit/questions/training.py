"""What the training looked like, and what its monitor says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from ganaug.audit.charts import training_chart, variety_chart
from ganaug.audit.content import Block, Drawing, Paragraph
from ganaug.audit.results import Finding, Level, Measure

if TYPE_CHECKING:
    from ganaug.audit.context import Context

Record: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class TrainingFigures:
    """The training's records, alarms of the weights that were kept, and notes."""

    history: Sequence[Record]
    alarms: Sequence[Record]
    notes: Sequence[str]


class Training:
    """Losses, distances, variety and alarms over the training."""

    name = "training"
    title = "Training: how did it go?"

    def measure(self, context: Context) -> Measure | None:
        """Collect the records; None where there are none."""
        model = context.model
        if not (model.history or model.alarms or model.notes):
            return None
        words = [_in_words(alarm) for alarm in model.alarms]
        findings = [Finding(Level.DOUBTFUL, f"Training: the {text}.") for text in words]
        findings += [Finding(Level.DOUBTFUL, note) for note in model.notes]
        remedies = [alarm.get("remedy") or "no remedy is known." for alarm in model.alarms]
        blocks: list[Block] = [
            *(Paragraph(f"The {a}: {b}") for a, b in zip(words, remedies, strict=True)),
            *(drawing for run in _runs(model.history) for drawing in _draw(run)),
        ]
        figures = TrainingFigures(model.history, model.alarms, model.notes)
        return Measure(figures, tuple(findings), tuple(blocks))


def _in_words(alarm: Record) -> str:
    where = "" if alarm.get("class") is None else f" in class {alarm['class']}"
    return f"monitor's alarm '{str(alarm['kind']).replace('_', ' ')}'{where}"


def _runs(history: Sequence[Record]) -> list[list[Record]]:
    """Cut the records where the count of images starts anew: another network."""
    runs: list[list[Record]] = []
    last = 0.0
    for record in history:
        seen = record.get("images_seen", 0)
        n = float(seen) if isinstance(seen, int | float) else 0.0
        if not runs or n <= last:
            runs.append([])
        runs[-1].append(record)
        last = n
    return [run for run in runs if len(run) > 1]


def _draw(run: Sequence[Record]) -> list[Drawing]:
    names = {name for entry in run for name in entry}
    losses = [name for name in ("generator_loss", "discriminator_loss") if name in names]
    drawings = []
    if losses:
        drawings.append(Drawing(partial(training_chart, run, losses, "Losses")))
    if "distance" in names:
        title = "Distance to real samples"
        drawings.append(Drawing(partial(training_chart, run, ["distance"], title)))
    if any(entry.get("variety") for entry in run):
        drawings.append(Drawing(partial(variety_chart, run)))
    return drawings
