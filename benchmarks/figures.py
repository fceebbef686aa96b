"""Draw the figures of the documentation from the committed results.

python -m benchmarks.figures

Each says in its metadata which result it was drawn from; a test holds them to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.data import TASKS
from benchmarks.resamplers import CEILING, GANAUG, MIXED
from benchmarks.results import FOLDER, Result, read
from ganaug.cli.digits import draw_remedies

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def main() -> None:
    """Draw every figure whose results are there."""
    for name, draw in FIGURES.items():
        path = FOLDER / f"{name}.json"
        if path.exists():
            # no date and no version: the same results give the same bytes
            metadata: dict[str, Any] = {"Software": None, "Source": digest(path)}
            with mpl.rc_context({"font.size": 8}):
                draw(read(path)).savefig(IMAGES / f"{name}.png", dpi=120, metadata=metadata)


def digest(path: Path) -> str:
    """Name a file by its content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def draw_gains(result: Result) -> Figure:
    """Gain per class over the mix without a GAN, against its number of images, by task."""
    tasks = [t for t, a in result["tasks"].items() if {GANAUG, MIXED} <= set(a["recalls"])]
    figure = Figure(figsize=(2.6 * max(len(tasks), 1), 2.6), layout="constrained")
    axes = figure.subplots(1, max(len(tasks), 1), squeeze=False)[0]
    for task, axis in zip(tasks, axes, strict=False):
        found, counts = result["tasks"][task]["recalls"], result["n"][task]["train"]
        for arm, marker in ((CEILING, "x"), (GANAUG, "o")):
            if arm in found:
                gains = 100 * np.subtract(found[arm], found[MIXED])
                axis.plot(counts, gains, marker, label=arm, markersize=4)
        axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        axis.set(xscale="log", title=TASKS[task].title, xlabel="images of the class")
        ends = [min(counts), max(counts)]
        axis.set_xticks(ends, [str(n) for n in ends])
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("recall, points over\nthe mix without a GAN")
    axes[0].legend(frameon=False)
    return figure


SECONDS_TICKS = (10, 20, 50, 100, 200, 500, 1000)


def draw_worth(result: Result) -> Figure:
    """Worth against processor seconds, by task and way of training."""
    tables = result["values"]["curves"]
    figure = Figure(figsize=(3.6 * len(tables), 2.8), layout="constrained")
    for (task, ways), axis in zip(
        tables.items(), figure.subplots(1, len(tables), squeeze=False)[0], strict=True
    ):
        for way, points in ways.items():
            seconds, gains = zip(*[(p["cpu_seconds"], p["gain"]) for p in points], strict=True)
            axis.plot(seconds, gains, "o-", label=way, markersize=3, linewidth=1)
        axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        axis.set(xscale="log", title=TASKS[task].title, xlabel="CPU seconds of training")
        ticks = [n for n in SECONDS_TICKS if axis.get_xlim()[0] < n < axis.get_xlim()[1]]
        axis.set_xticks(ticks, [str(n) for n in ticks])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_ylabel("points over augmented real images")
        axis.legend(frameon=False)
    return figure


FIGURES: dict[str, Callable[[Result], Figure]] = {
    "demo": draw_remedies,
    "pipelines-gan": draw_gains,
    "worth": draw_worth,
    "worth-fashion-mnist": draw_worth,
}

if __name__ == "__main__":
    main()
