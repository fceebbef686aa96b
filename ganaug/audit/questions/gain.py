"""Whether synthetic samples were measured to help a classifier: a verdict, as plain data."""

from __future__ import annotations

from ganaug.audit.content import Block, Cell, Paragraph, Table, points
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure, Missing

NAME = "gain"
TITLE = "Gain: do they help a classifier?"
PLACE = 10

_ADVICE = (
    "Measure the gain of your own classifier on real samples that neither it nor the generator has "
    "seen: none of the figures here predicts it."
)
_CAPTION = (
    "Change in recall by what the verdict chose, beside nothing, per class, in percentage points "
    "with 95% intervals."
)


def measure(context: Context) -> Measure | Missing:
    """Report the verdict."""
    verdict = context.model.verdict
    if verdict is None:
        return Missing("no verdict was passed in", "no verdict", _ADVICE)
    text = str(verdict.get("text", ""))
    level = Level.FINE if verdict.get("gan") == "chosen" else Level.DOUBTFUL
    blocks: list[Block] = [Paragraph(text)]
    if per_class := verdict.get("per_class"):
        lines = [
            [str(name), *(_points(found.get(key)) for key in ("gain", "low", "high"))]
            for name, found in per_class.items()
        ]
        blocks.append(Table.of(_CAPTION, ("Class", "Change", "Low", "High"), lines))
    finding = Finding(level, f"Downstream gain: {text}")
    return Measure(verdict, (finding,), tuple(blocks), level=level)


def _points(share: object) -> Cell:
    text = points(share) if isinstance(share, float | int) else "–"
    return Cell(text, is_number=True)
