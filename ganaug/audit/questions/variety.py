"""Whether synthetic samples vary as real samples of their class do."""

from __future__ import annotations

from ganaug.audit.content import Block, Paragraph, figure_table, join, percent
from ganaug.audit.context import Context
from ganaug.audit.judging import REPEATS, class_findings, judge_ratio, judge_repeats, quote
from ganaug.audit.results import Figures, Finding, Level, Measure, Missing, worst
from ganaug.audit.scores import share_of

NAME = "variety"
TITLE = "Variety: do they vary as real ones do?"
PLACE = 40

_LABELS = {
    "coverage": "Coverage",
    "variety": "Variety",
    "near_duplicates": "Near-duplicates",
}
_MEANING = (
    "Coverage is the share of real samples that have a synthetic one in their neighbourhood. "
    "Variety is the mean distance between the synthetic samples of a class over that between its "
    "real ones. Near-duplicates are the share of synthetic samples that nearly repeat another one; "
    "{usual} of real samples do."
)
_DEFECTS = (
    "miss part of what real samples show",
    "vary less than real samples",
    "nearly repeat one another",
)


def measure(context: Context) -> Measure:
    """Measure recall, coverage, spread and near-duplicates, per class and overall."""
    screen = context.screen
    overall, per_class = context.compared(("coverage", "variety"))
    usual = screen.usual_near_duplicates
    n_near = sum(found.n_near_duplicates for found in screen.per_class.values())
    all_repeats = share_of(n_near, len(screen.relative_distances))
    overall["near_duplicates"] = all_repeats
    levels, quotes, defects = {}, {}, {}
    for code, name in context.names():
        found = per_class[name]
        coverage, variety = found["coverage"], found["variety"]
        repeats = found["near_duplicates"] = screen.share(code, "n_near_duplicates")
        judged = (judge_ratio(coverage), judge_ratio(variety), judge_repeats(repeats, usual))
        levels[name] = worst(judged)
        share = 0.0 if isinstance(repeats, Missing) else repeats.value
        quoted = [
            quote(name, "coverage", coverage),
            quote(name, "variety", variety),
            [(1 - share, f"{name}: {share:.0%} near-duplicates")],
        ]
        at = [i for i, level in enumerate(judged) if level is levels[name]]
        defects[name] = "synthetic samples " + join([_DEFECTS[i] for i in at])
        quotes[name] = [one for i in at for one in quoted[i]]
    levels = context.told(levels)
    findings = class_findings(
        "Variety",
        levels,
        quotes,
        fine="synthetic samples vary as real samples do",
        defects=defects,
        advice={Level.DOUBTFUL: "Use few synthetic samples of {classes}, or train longer."},
        unfit=True,
    )
    figures = Figures(overall, per_class)
    blocks: tuple[Block, ...] = (
        Paragraph(_MEANING.format(usual=percent(usual))),
        figure_table("Variety, with the interval and the floor.", _LABELS, figures, levels),
    )
    findings += _repeats(all_repeats.value, usual or 0.0)
    measured = {"overall": overall, "per_class": per_class, "usual_near_duplicates": usual}
    return Measure(measured, findings, blocks, levels)


def _repeats(share: float, usual: float) -> tuple[Finding, ...]:
    if share <= REPEATS:
        return ()
    text = (
        f"Duplicates: {share:.0%} of the synthetic samples nearly repeat another one; "
        f"{usual:.1%} of real samples do."
    )
    return (Finding(Level.DOUBTFUL, text),)
