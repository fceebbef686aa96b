"""Whether synthetic samples were measured to help a classifier: a verdict, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganaug.audit.content import Cell, Paragraph, Table, points
from ganaug.audit.results import Finding, Level, Measure, Missing

if TYPE_CHECKING:
    from ganaug.audit.content import Block
    from ganaug.audit.context import Context

__all__ = ["Gain"]


class Gain:
    """What a verdict says, where there is one."""

    name = "gain"
    title = "Gain: do they help a classifier?"

    def measure(self, context: Context) -> Measure | Missing:
        """Report the verdict."""
        verdict = context.model.verdict
        if verdict is None:
            return Missing("no verdict was passed in", "no verdict", _ADVICE)
        outcome = verdict.get("outcome")
        text = str(verdict.get("text") or f"outcome: {outcome}")
        level = _LEVELS.get(str(outcome), Level.DOUBTFUL)
        blocks: tuple[Block, ...] = (Paragraph(text), *_table(verdict.get("per_class")))
        return Measure(verdict, (Finding(level, f"Downstream gain: {text}"),), blocks=blocks)


_ADVICE = (
    "Measure the gain of your own classifier on real samples that neither it nor the generator has "
    "seen: none of the figures here predicts it."
)
_LEVELS = {"use": Level.FINE, "equivalent": Level.FINE}


def _table(per_class: object) -> tuple[Table, ...]:
    if not isinstance(per_class, Mapping) or not per_class:
        return ()
    lines = [
        [str(name), *(_points(found.get(key)) for key in ("gain", "low", "high"))]
        for name, found in per_class.items()
    ]
    caption = (
        "Change in recall when synthetic samples are added, per class, in percentage points with "
        "95% intervals."
    )
    return (Table.of(caption, ("Class", "Change", "Low", "High"), lines),)


def _points(value: object) -> Cell:
    return Cell(points(value) if isinstance(value, int | float) else "–", is_number=True)
