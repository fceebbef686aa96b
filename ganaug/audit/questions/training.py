"""What the training looked like, and what its monitor says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ganaug.audit.content import Block, Paragraph, Plot, Series
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure

NAME = "training"
TITLE = "Training: how did it go?"
PLACE = 90

Record: TypeAlias = Mapping[str, Any]

_X_LABEL = "real images seen, thousands"


def measure(context: Context) -> Measure | None:
    """Draw losses, distances and variety, and tell alarms and notes; None where there are none."""
    model = context.model
    if not (model.history or model.alarms or model.notes):
        return None
    findings, blocks = [], list[Block]()
    for alarm in model.alarms:
        where = "" if alarm["class"] is None else f" in class {alarm['class']}"
        told = f"monitor's alarm '{_words(alarm['kind'])}'{where}"
        findings.append(Finding(Level.DOUBTFUL, f"Training: the {told}."))
        blocks.append(Paragraph(f"The {told}: {alarm['remedy'].partition('. ')[0]}."))
    findings += [Finding(Level.DOUBTFUL, note) for note in model.notes]
    for run in _runs(model.history):
        blocks += _plots(run)
    figures = {"history": model.history, "alarms": model.alarms, "notes": model.notes}
    return Measure(figures, tuple(findings), tuple(blocks))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _runs(history: Sequence[Record]) -> list[list[Record]]:
    """Cut the records where the count of images starts anew: another network."""
    runs: list[list[Record]] = []
    for record in history:
        if not runs or record["images_seen"] <= runs[-1][-1]["images_seen"]:
            runs.append([])
        runs[-1].append(record)
    return [run for run in runs if len(run) > 1]


def _plots(run: Sequence[Record]) -> list[Plot]:
    plots = [_plot(run, ("generator_loss", "discriminator_loss"), "Losses")]
    if any("distance" in record for record in run):
        plots.append(_plot(run, ("distance",), "Distance to real samples"))
    if with_variety := [record for record in run if record.get("variety")]:
        plots.append(_variety_plot(with_variety))
    return plots


def _thousands_seen(run: Sequence[Record]) -> list[float]:
    return [record["images_seen"] / 1000 for record in run]


def _plot(run: Sequence[Record], names: Sequence[str], title: str) -> Plot:
    """Draw numbers of the records over images seen, with the alarms marked."""
    x = _thousands_seen(run)
    lines = {_words(name): [record.get(name, math.nan) for record in run] for name in names}
    alarms = tuple(
        (place, f"alarm: {_words(alarm['kind'])}")
        for place, record in zip(x, run, strict=True)
        for alarm in record["alarms"]
    )
    ends = " ".join(f"{name}: from {y[0]:.3g} to {y[-1]:.3g}." for name, y in lines.items())
    alt = f"{title} over the training. {ends} {len(alarms) or 'No'} alarms."
    series = tuple(
        Series(name, "real" if name.startswith("discriminator") else "synthetic", "line", x, y)
        for name, y in lines.items()
    )
    return Plot(title, alt, series, _X_LABEL, alarms)


def _variety_plot(run: Sequence[Record]) -> Plot:
    """Draw each class's variety over the training; the two least varied classes are named."""
    x = _thousands_seen(run)
    lines = {
        name: [record["variety"].get(name, math.nan) for record in run]
        for name in run[-1]["variety"]
    }
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
