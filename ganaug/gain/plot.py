"""A verdict as a picture: what each remedy scored, fold by fold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganaug.checks import require_extra
from ganaug.exceptions import InvalidInputError


def check_picture_path(path: str | os.PathLike[str]) -> None:
    """Refuse an ending of which matplotlib makes no picture."""
    known = require_extra("matplotlib.figure", "report").FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix.lstrip(".").lower() not in known:
        raise InvalidInputError(
            f"`path` must end in one of {', '.join(f'.{ending}' for ending in known)}. Got "
            f"{os.fspath(path)!r} instead."
        )


def draw_scores(
    path: str | os.PathLike[str], scores: Mapping[str, Sequence[float]], scoring: str, choice: str
) -> None:
    """Draw a remedy a line, the choice in colour: a dot for each split, and a bar at their mean."""
    check_picture_path(path)
    matplotlib = require_extra("matplotlib", "report")
    figure_class = require_extra("matplotlib.figure", "report").Figure
    with matplotlib.rc_context({"text.parse_math": False}):  # a remedy may be called "$5"
        figure = figure_class(figsize=(7, 1.2 + 0.35 * len(scores)), layout="constrained")
        axes = figure.subplots()
        for row, (name, of_remedy) in enumerate(scores.items()):
            values = np.array(of_remedy)[~np.isnan(of_remedy)]
            colour = "tab:blue" if name == choice else "0.45"
            axes.plot(values, np.full(len(values), row), "o", color=colour, alpha=0.45, ms=5)
            if len(values):
                axes.plot(values.mean(), row, "|", color=colour, ms=20, mew=3)
        axes.set_yticks(range(len(scores)), list(scores))
        axes.invert_yaxis()
        axes.set_xlabel(f"{scoring}, a dot a split, a bar at their mean")
        axes.set_title(f"The choice: {choice}", loc="left")
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right", "left"]].set_visible(False)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
