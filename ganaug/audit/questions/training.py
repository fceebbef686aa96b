"""What the training looked like, and what its monitor says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ganaug.audit.charts import training_chart, variety_chart
from ganaug.audit.content import Drawing, Paragraph
from ganaug.audit.results import Finding, Level, Measure

if TYPE_CHECKING:
    from ganaug.audit.context import Context

__all__ = ["Training"]

Record = Mapping[str, object]


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
        figures = TrainingFigures(model.history, model.alarms, model.notes)
        if not (model.history or model.alarms or model.notes):
            return None
        findings = [Finding(Level.DOUBTFUL, f"Training: {_in_words(a)}.") for a in model.alarms]
        findings += [Finding(Level.DOUBTFUL, note) for note in model.notes]
        sentences = [_in_words(alarm, with_remedy=True) for alarm in model.alarms]
        alarms = [Paragraph(f"{s[0].upper()}{s[1:]}") for s in sentences]
        drawings = [drawing for run in _runs(model.history) for drawing in _draw(run)]
        return Measure(figures, tuple(findings), blocks=(*alarms, *drawings))


def _in_words(alarm: Record, *, with_remedy: bool = False) -> str:
    where = "" if alarm.get("class") is None else f" in class {alarm['class']}"
    text = f"the monitor's alarm '{str(alarm['kind']).replace('_', ' ')}'{where}"
    return f"{text}: {alarm['remedy']}" if with_remedy and alarm.get("remedy") else text


def _runs(history: Sequence[Record]) -> list[list[Record]]:
    """Cut the records where the count of images starts anew: another network."""
    runs: list[list[Record]] = []
    for record in history:
        if not runs or _images(record) <= _images(runs[-1][-1]):
            runs.append([])
        runs[-1].append(record)
    return [run for run in runs if len(run) > 1]


def _images(record: Record) -> float:
    n = record.get("images_seen", 0)
    return float(n) if isinstance(n, int | float) else 0.0


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
