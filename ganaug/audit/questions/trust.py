"""Whether unfiltered synthetic samples are taken for their class by a classifier of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganaug.audit.content import Paragraph, Table, name_classes, percent
from ganaug.audit.results import Finding, Level, Measure
from ganaug.options import MIN_TRUST

if TYPE_CHECKING:
    from ganaug.audit.context import Context
    from ganaug.audit.results import Question

_MEANING = (
    "Without the filter, so many of the synthetic samples of each class are taken for it by a "
    f"classifier of the real ones. Classes under {MIN_TRUST:.0%} are distrusted: nothing synthetic "
    "is added to them. All other figures are of samples as they are served."
)


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
        shares = [[name, percent(share)] for name, share in trust.items()]
        table = Table.of("Trust, by class.", ("Class", "Taken for their class"), shares)
        findings: tuple[Finding, ...] = ()
        if distrusted:
            are_all = len(distrusted) == len(trust)
            names = "all classes" if are_all else name_classes(distrusted)
            text = (
                f"Trust, poor in {names}: of the unfiltered samples, too few are taken for their "
                f"class ({percent(min(trust.values()))} at worst)."
            )
            opening = "Do not use: all classes are distrusted."
            opening = opening if are_all else f"Distrusted: {name_classes(distrusted)}."
            findings = (Finding(Level.POOR, text, "", distrusted, unfit=True, opening=opening),)
        return Measure(trust, findings, (Paragraph(_MEANING), table), context.told(levels))


QUESTION: Question = Trust()
