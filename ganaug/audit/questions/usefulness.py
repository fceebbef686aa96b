"""Whether a classifier trained on synthetic samples alone recognises real ones.

The classification accuracy score, beside that of real samples: Ravuri and Vinyals,
"Classification accuracy score for conditional generative models", NeurIPS 2019.
"""

from __future__ import annotations

from ganaug.audit.content import Paragraph, figure_table
from ganaug.audit.context import Context, Recalls
from ganaug.audit.judging import class_findings, judge_recall, quote
from ganaug.audit.results import Level, Measure

NAME = "usefulness"
TITLE = "Usefulness: can they stand in for real ones?"
PLACE = 50

_LABELS = {
    "trained_on_synthetic": "Trained on synthetic",
    "trained_on_real": "Trained on real",
    "recognised": "Synthetic samples recognised",
}
_DEFECT = (
    "a classifier trained on synthetic samples alone recognises real samples clearly less often "
    "than one trained on real samples"
)
_CAPTION = (
    "Recall with 95% intervals, and the share of synthetic samples that a classifier of real "
    "samples takes for their class."
)


def measure(context: Context) -> Measure:
    """Train on synthetic, and on real samples, and test both on real ones."""
    found = context.recalls
    pairs = {
        name: (by_key["trained_on_synthetic"], by_key["trained_on_real"])
        for name, by_key in found.figures.per_class.items()
    }
    levels = context.told({name: judge_recall(*pair) for name, pair in pairs.items()})
    findings = class_findings(
        "Usefulness",
        levels,
        {name: quote(name, "recall", *pair) for name, pair in pairs.items()},
        fine="a classifier trained on synthetic samples alone recognises real samples nearly as "
        "well as one trained on real samples",
        defects=dict.fromkeys(levels, _DEFECT),
        advice={
            Level.POOR: "Never train on synthetic samples of {classes} alone.",
            Level.DOUBTFUL: "Keep real samples in the majority in {classes}.",
        },
    )
    figures = {
        "overall": found.figures.overall,
        "per_class": found.figures.per_class,
        "test_samples": "held-out samples" if found.held_out else "half of the training samples",
        "n_test": found.n_test,
    }
    blocks = (
        Paragraph(_introduce(found)),
        figure_table(_CAPTION, _LABELS, found.figures, levels),
    )
    return Measure(figures, findings, blocks, levels)


def _introduce(found: Recalls) -> str:
    tested = (
        "held out."
        if found.held_out
        else "half of the training samples. The generator has seen these, so its score is "
        "flattered; the classifier of real samples was trained on the other half."
    )
    return (
        "The share of real test samples that a classifier trained on synthetic samples alone "
        "finds, beside that of one trained on real samples; over all classes the mean of theirs, "
        f"the classification accuracy score. Tested on {found.n_test:,} real samples, {tested} It "
        "tells whether synthetic samples can stand in for real ones, not whether adding them helps."
    )
