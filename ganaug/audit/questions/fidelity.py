"""Whether synthetic samples look like real samples of their class."""

from __future__ import annotations

from ganaug.audit.content import Block, Paragraph, figure_table
from ganaug.audit.context import Context
from ganaug.audit.judging import class_findings, judge_ratio, judge_recall, quote
from ganaug.audit.results import Figures, Level, Measure, worst

NAME = "fidelity"
TITLE = "Fidelity: do they look real?"
PLACE = 30

_LABELS = {
    "precision": "Precision",
    "recognised": "Recognised",
    "kernel_distance": "Kernel distance",
}
_MEANING = (
    "Every figure stands beside its floor: the same measure of real samples against other real "
    "samples, at the same number; intervals are the middle 95% of repeats on random halves. "
    "Precision is the share of synthetic samples that lie where real ones lie; recognised, the "
    "share that a classifier of real samples takes for their class. The kernel distance is that of "
    "the distributions, 0 is none; it is fair to small classes, and not judged."
)


def measure(context: Context) -> Measure:
    """Measure precision and distance of the features, and what a classifier reads."""
    overall, per_class = context.compared(("precision", "kernel_distance"))
    recalls = context.recalls.figures.per_class
    levels, quotes = {}, {}
    for name, found in per_class.items():
        precision, on_real = found["precision"], recalls[name]["trained_on_real"]
        recognised = found["recognised"] = recalls[name]["recognised"]
        levels[name] = worst((judge_ratio(precision), judge_recall(recognised, on_real)))
        quotes[name] = [
            *quote(name, "precision", precision),
            *quote(name, "share recognised", recognised, on_real),
        ]
    levels = context.told(levels)
    findings = class_findings(
        "Fidelity",
        levels,
        quotes,
        fine="synthetic samples look like real samples of their class",
        defects=dict.fromkeys(
            levels, "many synthetic samples do not look like real samples of their class"
        ),
        advice={
            Level.DOUBTFUL: "Look at the least realistic samples of {classes}; train longer, or "
            "filter the samples."
        },
        unfit=True,
    )
    figures = Figures(overall, per_class)
    blocks: tuple[Block, ...] = (
        Paragraph(_MEANING),
        figure_table("Fidelity, with the interval and the floor.", _LABELS, figures, levels),
    )
    return Measure(figures, findings, blocks, levels)
