"""Whether unfiltered synthetic samples are taken for their class by a classifier of real ones."""

from __future__ import annotations

from collections.abc import Mapping

from ganaug.audit.content import Paragraph, Table, figure, name_classes, percent
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure
from ganaug.options import MIN_TRUST

NAME = "trust"
TITLE = "Trust: what are they without the filter?"
PLACE = 25

_MEANING = (
    "Without the filter, so many of the synthetic samples of each class are taken for it by a "
    f"classifier of the real ones. Classes under {MIN_TRUST:.0%} are distrusted: nothing synthetic "
    "is added to them. All figures of other sections are of samples as they are served, that is "
    "with the filter, which flatters what it was made to judge: hence both here."
)


def measure(context: Context) -> Measure | None:
    """Name the classes that are distrusted; None where nothing was measured."""
    trust = context.model.trust
    if not trust:
        return None
    distrusted = tuple(name for name, share in trust.items() if share < MIN_TRUST)
    levels = dict.fromkeys(trust, Level.FINE) | dict.fromkeys(distrusted, Level.POOR)
    return Measure(
        {"shares": trust, "unfiltered": context.unfiltered_comparisons},
        (_finding(distrusted, trust),) if distrusted else (),
        (Paragraph(_MEANING), _table(context)),
        context.told(levels),
    )


def _finding(distrusted: tuple[str, ...], trust: Mapping[str, float]) -> Finding:
    names = name_classes(distrusted, of=trust)
    text = (
        f"Trust, poor in {names}: of the unfiltered samples, too few are taken for their "
        f"class ({percent(min(trust.values()))} at worst)."
    )
    opening = f"Distrusted: {names}."
    if len(distrusted) == len(trust):
        opening = "Do not use: all classes are distrusted."
    return Finding(Level.POOR, text, classes=distrusted, unfit=True, opening=opening)


def _table(context: Context) -> Table:
    """Lay out, by class, figures of unfiltered samples beside those of filtered ones."""
    recalls, unfiltered = context.recalls.figures.per_class, context.unfiltered_comparisons
    header = ["Class", "Taken for their class, unfiltered", "as served"]
    lines = {
        name: [name, percent(share), figure(recalls[name]["recognised"])]
        for name, share in context.model.trust.items()
    }
    for measure in ("precision", "coverage") if unfiltered else ():
        header += [f"{measure.capitalize()}, unfiltered", "as served"]
        for name, line in lines.items():
            line += [figure(of[name][measure]) for of in (unfiltered, context.comparisons)]
    caption = (
        "Unfiltered samples beside those that are served, by class; precision and coverage with "
        "the interval and the floor."
    )
    return Table.of(caption, header, lines.values())
