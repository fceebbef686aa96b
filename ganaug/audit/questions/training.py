"""What the training looked like, and what its monitor says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ganaug.audit.content import Block, Paragraph, Plot, Series
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure

NAME = "training"
TITLE = "Training: how did it go?"
PLACE = 90

Record: TypeAlias = Mapping[str, Any]


def measure(context: Context) -> Measure | None:
    """Draw what was recorded, and tell alarms and notes; None where there is nothing."""
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
    def numbers(*names: str) -> dict[str, list[float]]:
        return {_words(name): [record.get(name, math.nan) for record in run] for name in names}

    plots = [_plot("Losses", run, numbers("generator_loss", "discriminator_loss"))]
    if any("distance" in record for record in run):
        plots.append(_plot("Distance to real samples", run, numbers("distance")))
    if varied := [record for record in run if record.get("variety")]:
        last = varied[-1]["variety"]
        least = min(last, key=lambda name: (math.isnan(last[name]), last[name]))
        lines = {
            f"synthetic samples of {least}, the least varied class": [
                record["variety"].get(least, math.nan) for record in varied
            ],
            "real samples": [1.0] * len(varied),
        }
        plots.append(_plot("Variety within a class", varied, lines))
    return plots


def _plot(title: str, run: Sequence[Record], lines: Mapping[str, list[float]]) -> Plot:
    """Draw lines over images seen, with the alarms marked."""
    x = [record["images_seen"] / 1000 for record in run]
    alarms = tuple(
        (place, f"alarm: {_words(alarm['kind'])}")
        for place, record in zip(x, run, strict=True)
        for alarm in record["alarms"]
    )
    ends = " ".join(f"{name}: from {y[0]:.3g} to {y[-1]:.3g}." for name, y in lines.items())
    alt = f"{title} over the training. {ends} {len(alarms) or 'No'} alarms."
    kinds: tuple[Literal["synthetic", "real"], ...] = ("synthetic", "real")
    series = tuple(
        Series(name, kind, "line", x, y)
        for (name, y), kind in zip(lines.items(), kinds, strict=False)
    )
    return Plot(title, alt, series, "real images seen, thousands", alarms)
