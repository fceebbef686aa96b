"""Whether unfiltered synthetic samples are taken for their class by a classifier of real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganaug.audit.content import Paragraph, Table, figure, name_classes, percent
from ganaug.audit.context import Comparisons, Context
from ganaug.audit.results import Finding, Level, Measure
from ganaug.options import MIN_TRUST

if TYPE_CHECKING:
    from ganaug.audit.results import Question

_MEANING = (
    "Without the filter, so many of the synthetic samples of each class are taken for it by a "
    f"classifier of the real ones. Classes under {MIN_TRUST:.0%} are distrusted: nothing synthetic "
    "is added to them. All figures of other sections are of samples as they are served, that is "
    "with the filter, which flatters what it was made to judge: hence both here."
)


@dataclass(frozen=True)
class TrustFigures:
    """Trust by class, and comparisons by class of samples before the filter, if there is one."""

    shares: Mapping[str, float]
    unfiltered: Mapping[str, Comparisons]


class Trust:
    """The share of unfiltered samples that a classifier agrees with, measured in training."""

    name = "trust"
    title = "Trust: what are they without the filter?"
    place = 25

    def measure(self, context: Context) -> Measure | None:
        """Name the classes that are distrusted; None where nothing was measured."""
        trust = context.model.trust
        if not trust:
            return None
        distrusted = tuple(name for name, share in trust.items() if share < MIN_TRUST)
        levels = dict.fromkeys(trust, Level.FINE) | dict.fromkeys(distrusted, Level.POOR)
        found = TrustFigures(trust, context.unfiltered_comparisons)
        findings: tuple[Finding, ...] = ()
        if distrusted:
            are_all = len(distrusted) == len(trust)
            names = name_classes(distrusted, of=trust)
            text = (
                f"Trust, poor in {names}: of the unfiltered samples, too few are taken for their "
                f"class ({percent(min(trust.values()))} at worst)."
            )
            opening = "Do not use: all classes are distrusted."
            opening = opening if are_all else f"Distrusted: {names}."
            findings = (Finding(Level.POOR, text, "", distrusted, unfit=True, opening=opening),)
        blocks = Paragraph(_MEANING), _table(context, found)
        return Measure(found, findings, blocks, context.told(levels))


QUESTION: Question = Trust()


def _table(context: Context, found: TrustFigures) -> Table:
    """Lay out, by class, figures of unfiltered samples beside those of filtered ones."""
    served, recalls = context.comparisons, context.recalls.figures.per_class
    header = ["Class", "Taken for their class, unfiltered", "as served"]
    measures = ("precision", "coverage") if found.unfiltered else ()
    for measure in measures:
        header += [f"{measure.capitalize()}, unfiltered", "as served"]
    lines = []
    for name, share in found.shares.items():
        line = [name, percent(share), figure(recalls[name]["recognised"])]
        for measure in measures:
            line += [figure(found.unfiltered[name][measure]), figure(served[name][measure])]
        lines.append(line)
    caption = "Unfiltered samples beside those that are served, by class; precision and coverage "
    return Table.of(caption + "with the interval and the floor.", header, lines)
