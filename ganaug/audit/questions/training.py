"""What the training looked like, and what its monitor says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ganaug.audit.content import Block, Paragraph, Plot, Series
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure, Question

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
    place = 90

    def measure(self, context: Context) -> Measure | None:
        """Collect the records; None where there are none."""
        model = context.model
        if not (model.history or model.alarms or model.notes):
            return None
        words = [_in_words(alarm) for alarm in model.alarms]
        findings = [Finding(Level.DOUBTFUL, f"Training: the {text}.") for text in words]
        findings += [Finding(Level.DOUBTFUL, note) for note in model.notes]
        meanings = [str(alarm.get("remedy") or "").partition(". ")[0] for alarm in model.alarms]
        blocks: list[Block] = [
            *(
                Paragraph(f"The {': '.join(filter(None, pair))}.")
                for pair in zip(words, meanings, strict=True)
            ),
            *(drawing for run in _runs(model.history) for drawing in _draw(run)),
        ]
        figures = TrainingFigures(model.history, model.alarms, model.notes)
        return Measure(figures, tuple(findings), tuple(blocks))


QUESTION: Question = Training()


def _in_words(alarm: Record) -> str:
    where = "" if alarm.get("class") is None else f" in class {alarm['class']}"
    return f"monitor's alarm '{str(alarm['kind']).replace('_', ' ')}'{where}"


def _runs(history: Sequence[Record]) -> list[list[Record]]:
    """Cut the records where the count of images starts anew: another network."""
    runs: list[list[Record]] = []
    for record in history:
        if not runs or not _seen(record) > _seen(runs[-1][-1]):
            runs.append([])
        runs[-1].append(record)
    return [run for run in runs if len(run) > 1]


def _seen(record: Record) -> float:
    return _number(record.get("images_seen", 0)) / 1000


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


_X_LABEL = "real images seen, thousands"


def _draw(run: Sequence[Record]) -> list[Plot]:
    names = {name for entry in run for name in entry}
    losses = [name for name in ("generator_loss", "discriminator_loss") if name in names]
    plots = []
    if losses:
        plots.append(_plot(run, losses, "Losses"))
    if "distance" in names:
        plots.append(_plot(run, ["distance"], "Distance to real samples"))
    varieties = [(record, record.get("variety")) for record in run]
    known = [(record, of) for record, of in varieties if isinstance(of, Mapping) and of]
    if known:
        plots.append(_variety_plot(known))
    return plots


def _plot(run: Sequence[Record], names: Sequence[str], title: str) -> Plot:
    """Draw numbers of the records over images seen, with the alarms marked."""
    x = [_seen(record) for record in run]
    lines = {name.replace("_", " "): [_number(r.get(name)) for r in run] for name in names}
    alarms = tuple(
        (place, f"alarm: {str(alarm['kind']).replace('_', ' ')}")
        for place, record in zip(x, run, strict=True)
        for alarm in _records(record.get("alarms"))
    )
    alt = " ".join(f"{name}: from {y[0]:.3g} to {y[-1]:.3g}." for name, y in lines.items())
    alt = f"{title} over the training. {alt} {len(alarms) or 'No'} alarms."
    first, *others = lines.items()
    series = [Series(first[0], "synthetic", "line", x, first[1])]
    series += [Series(name, "real", "line", x, y) for name, y in others]
    return Plot(title, alt, tuple(series), _X_LABEL, alarms)


def _records(value: object) -> list[Record]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _variety_plot(records: Sequence[tuple[Record, Mapping[str, object]]]) -> Plot:
    """Draw each class's variety over the training; the two least varied classes are named."""
    x, last = [_seen(record) for record, _ in records], records[-1][1]
    lines = {name: [_number(variety.get(name)) for _, variety in records] for name in last}
    ends = sorted((y[-1], name) for name, y in lines.items() if y[-1] >= 0)[:2]
    if len(ends) == 2:  # one above the other
        ends[1] = (max(ends[1][0], ends[0][0] + 0.1), ends[1][1])
    alt = ", ".join(f"{name} {y[-1]:.2f}" for name, y in lines.items())
    series = [Series("real samples", "real", "line", [x[0], x[-1]], [1.0, 1.0])]
    for y in lines.values():
        label = "synthetic samples, a line per class" if len(series) == 1 else ""
        series.append(Series(label, "synthetic", "line", x, y))
    return Plot(
        "Variety per class (1: as real samples)",
        f"Variety per class over the training, 1 as varied as real samples. At the end: {alt}.",
        tuple(series),
        _X_LABEL,
        names=tuple((x[-1], y, name) for y, name in ends),
    )
