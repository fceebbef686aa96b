"""Whether a classifier trained on synthetic samples alone recognises real ones."""

from __future__ import annotations

from dataclasses import dataclass

from ganaug.audit.content import Dots, Paragraph, figure_table, percent
from ganaug.audit.context import Context, Recalls
from ganaug.audit.judging import class_findings, judge_recall, quote
from ganaug.audit.results import Estimate, Figure, Figures, Level, Measure, Missing, Question

_LABELS = {
    "trained_on_synthetic": "Trained on synthetic",
    "trained_on_real": "Trained on real",
    "recognised": "Synthetic samples recognised",
}


@dataclass(frozen=True)
class UsefulnessFigures(Figures):
    """Mean recalls and those of each class, and what they were tested on."""

    test_samples: str
    n_test: int


class Usefulness:
    """The classification accuracy score, beside that of real samples.

    References
    ----------
    Ravuri and Vinyals, "Classification accuracy score for conditional generative models",
    NeurIPS 2019.
    """

    name = "usefulness"
    title = "Usefulness: can they stand in for real ones?"
    place = 50

    def measure(self, context: Context) -> Measure:
        """Train on synthetic, and on real samples, and test both on real ones."""
        found = context.recalls
        overall, per_class = found.figures.overall, found.figures.per_class
        where = "held-out samples" if found.held_out else "half of the training samples"
        pairs = {
            name: (by_key["trained_on_synthetic"], by_key["trained_on_real"])
            for name, by_key in per_class.items()
        }
        levels = context.told({name: judge_recall(*pair) for name, pair in pairs.items()})
        findings = class_findings(
            "Usefulness",
            levels,
            {name: quote(name, "recall", *pair) for name, pair in pairs.items()},
            fine="a classifier trained on synthetic samples alone recognises real samples nearly "
            "as well as one trained on real samples",
            defects=dict.fromkeys(
                levels,
                "a classifier trained on synthetic samples alone recognises real samples clearly "
                "less often than one trained on real samples",
            ),
            advice={
                Level.POOR: "Never train on synthetic samples of {classes} alone.",
                Level.DOUBTFUL: "Keep real samples in the majority in {classes}.",
            },
        )
        dots = tuple(
            (name, (a, b) if isinstance(a, Estimate) and isinstance(b, Estimate) else None)
            for name, (a, b) in pairs.items()
        )
        caption = (
            "Recall with 95% intervals, and the share of synthetic samples that a classifier of "
            "real samples takes for their class."
        )
        blocks = (
            Paragraph(_introduce(found)),
            Dots("Recall of a classifier trained on it", dots),
            figure_table(caption, _LABELS, found.figures),
        )
        figures = UsefulnessFigures(overall, per_class, where, found.n_test)
        return Measure(figures, findings, blocks, levels)


QUESTION: Question = Usefulness()


def _introduce(found: Recalls) -> str:
    def words(figure: Figure) -> str:
        if isinstance(figure, Missing):
            return figure.reason
        return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"

    overall = found.figures.overall
    tested = (
        "held out."
        if found.held_out
        else "half of the training samples. The generator has seen these, so its score is "
        "flattered; the classifier of real samples was trained on the other half."
    )
    return (
        "Share of real test samples, mean over classes, that a classifier trained on synthetic "
        f"samples alone finds: {words(overall['trained_on_synthetic'])}; trained on real samples: "
        f"{words(overall['trained_on_real'])}. Tested on {found.n_test:,} real samples, {tested} "
        "The first figure is the classification accuracy score. It tells whether synthetic samples "
        "can stand in for real ones, not whether adding them helps."
    )
