"""Whether synthetic samples vary as real samples of their class do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ganaug.audit.content import Drawing, Paragraph, dots_of, figure_table, percent
from ganaug.audit.plane import draw_map
from ganaug.audit.questions import judging
from ganaug.audit.questions.judging import class_findings, judge_ratio, judge_repeats, quote
from ganaug.audit.results import (
    Estimate,
    Figure,
    Figures,
    Finding,
    Level,
    Measure,
    Missing,
    worst_known,
)
from ganaug.audit.scores import wilson_interval

if TYPE_CHECKING:
    from ganaug.audit.context import Context

__all__ = ["Variety"]

_LABELS = {
    "coverage": "Coverage",
    "variety": "Variety",
    "recall": "Recall",
    "near_duplicates": "Near-duplicates",
}
_MEANING = (
    "Coverage is the share of real samples that have a synthetic one in their neighbourhood; "
    "recall is a stricter form of it. Variety is the mean distance between the synthetic samples "
    "of a class over that between its real ones. Near-duplicates are the share of synthetic "
    "samples that nearly repeat another one; {usual} of real samples do."
)
_MAP = (
    "Map of real and synthetic samples (t-SNE of their features; distances between far-apart "
    "groups mean little). Real samples without synthetic ones around them are missed; synthetic "
    "samples apart from all real ones look like none."
)


class Variety:
    """Recall, coverage, spread, and near-duplicates."""

    name = "variety"
    title = "Variety: do they vary as real ones do?"

    def measure(self, context: Context) -> Measure:
        """Measure it per class and overall."""
        screen = context.screen
        usual = screen.real_near_duplicate_share
        usual_or_none = float(usual) if np.isfinite(usual) else None
        kinds = ("coverage", "variety", "recall")
        figures = Figures(
            {
                **{kind: context.overall_comparisons[kind] for kind in kinds},
                "near_duplicates": _share(len(screen.near_duplicates), len(screen.distances)),
            },
            {
                name: {
                    **{kind: context.comparisons[name][kind] for kind in kinds},
                    "near_duplicates": _near_duplicates(context, code),
                }
                for code, name in context.names()
            },
        )
        levels, quotes = {}, {}
        for name, found in figures.per_class.items():
            repeats = found["near_duplicates"]
            share = None if isinstance(repeats, Missing) else repeats.value
            levels[name] = worst_known(
                (
                    judge_ratio(found["coverage"]),
                    judge_ratio(found["variety"]),
                    judge_repeats(share, usual_or_none),
                )
            )
            quotes[name] = [
                *quote(name, "coverage", found["coverage"]),
                *quote(name, "variety", found["variety"]),
                *([] if share is None else [(1 - share, f"{name}: {share:.0%} near-duplicates")]),
            ]
        findings = class_findings(
            "Variety",
            levels,
            quotes,
            fine="synthetic samples vary as real samples do",
            defect="synthetic samples vary less than real samples, or miss part of them",
            advice={
                Level.DOUBTFUL: "Use few synthetic samples of {classes}, or train longer.",
            },
            unfit=True,
        )
        blocks = (
            Paragraph(_MEANING.format(usual=percent(usual_or_none))),
            dots_of("Coverage", (0, 1), figures, "coverage"),
            dots_of("Variety", (0, 1.5), figures, "variety"),
            figure_table("Variety, with the interval and the floor.", _LABELS, figures),
            Drawing(partial(draw_map, context), _MAP),
        )
        return Measure(figures, (*findings, *_repeats(figures, usual_or_none)), levels, blocks)


def _near_duplicates(context: Context, code: int) -> Figure:
    found = context.screen.per_class.get(code)
    if found is None or found.median_reference is None:
        return Missing("too few samples to know what is near")
    return _share(found.n_near_duplicates, found.n_synthetic)


def _share(n: int, of: int) -> Estimate:
    low, high = wilson_interval(np.array([n]), np.array([of]))
    return Estimate(n / of, float(low[0]), float(high[0]), of)


def _repeats(figures: Figures, usual: float | None) -> tuple[Finding, ...]:
    repeats = figures.overall["near_duplicates"]
    if isinstance(repeats, Missing) or repeats.value <= judging.REPEATS:
        return ()
    text = (
        f"Duplicates: {repeats.value:.0%} of the synthetic samples nearly repeat another one; "
        f"{usual or 0:.1%} of real samples do."
    )
    return (Finding(Level.DOUBTFUL, text),)
