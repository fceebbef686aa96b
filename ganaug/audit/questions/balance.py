"""How many samples there are of each class, and of which classes the synthetic ones look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganaug.audit.content import Bars, Table, name_classes, percent
from ganaug.audit.results import Finding, Level, Measure
from ganaug.audit.samples import MIN_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ganaug.audit.context import Context

__all__ = ["Balance", "BalanceFigures"]


@dataclass(frozen=True)
class BalanceFigures:
    """Samples per class, and class shares."""

    training: Mapping[str, int | float]
    holdout: Mapping[str, int | float] | None
    synthetic: Mapping[str, int | float]
    holdout_left_out: int
    training_share: Mapping[str, int | float]
    synthetic_share: Mapping[str, int | float]
    synthetic_read_as: Mapping[str, int | float]
    """Shares of the classes that a classifier of real samples reads in the synthetic ones."""


class Balance:
    """Counts, shares, and what there is too little of to measure."""

    name = "balance"
    title = "Balance: how many of each class?"

    def measure(self, context: Context) -> Measure:
        """Count the samples."""
        samples = context.samples
        real, synthetic = samples.counts(samples.training), samples.counts(samples.synthetic)
        holdout = None if samples.holdout is None else samples.counts(samples.holdout)
        figures = BalanceFigures(
            samples.by_class(real),
            None if holdout is None else samples.by_class(holdout),
            samples.by_class(synthetic),
            samples.n_leaked,
            samples.by_class(real / real.sum()),
            samples.by_class(synthetic / synthetic.sum()),
            samples.by_class(context.recalls.read_as / synthetic.sum()),
        )
        lines = [
            [
                name,
                *(int(n[name]) for n in (figures.training, figures.holdout or {}) if n),
                int(figures.synthetic[name]),
                percent(figures.training_share[name]),
                percent(figures.synthetic_share[name]),
                percent(figures.synthetic_read_as[name]),
            ]
            for name in samples.class_names
        ]
        header = (
            "Class", "Training", *(["Held out"] if figures.holdout else []), "Synthetic",
            "Training, share", "Synthetic, share", "Synthetic, by their looks",
        )  # fmt: skip
        shares = (figures.training_share, figures.synthetic_share, figures.synthetic_read_as)
        bars = Bars(
            "Share of each class",
            ("training samples", "synthetic samples", "synthetic, by their looks"),
            tuple((n, tuple(float(s[n]) for s in shares)) for n in samples.class_names),
        )
        table = Table.of("Samples per class.", header, lines)
        return Measure(figures, tuple(_findings(figures)), blocks=(bars, table))


def _findings(figures: BalanceFigures) -> list[Finding]:
    held_out = figures.holdout or {}
    n_real = {name: n + held_out.get(name, 0) for name, n in figures.training.items()}
    small = tuple(name for name, n in n_real.items() if n < MIN_SAMPLES)
    unsampled = tuple(
        name for name, n in figures.synthetic.items() if n < MIN_SAMPLES and name not in small
    )
    findings = []
    if small:
        text = f"Not measured: {name_classes(small)}, for too few real samples."
        advice = f"Collect more real samples of {name_classes(small)} before trusting any."
        findings.append(Finding(Level.UNKNOWN, text, advice))
    if unsampled:
        text = f"Not measured: {name_classes(unsampled)}, for too few synthetic samples."
        advice = (
            f"Use duplicates of real samples, not synthetic ones, in {name_classes(unsampled)}, "
            "unless more synthetic samples can be made and measured."
        )
        findings.append(Finding(Level.UNKNOWN, text, advice))
    if figures.holdout_left_out:
        text = (
            f"Held-out samples: {figures.holdout_left_out} of them are training samples too and "
            "were left out."
        )
        findings.append(Finding(Level.DOUBTFUL, text))
    if figures.holdout is None:
        advice = (
            "Audit with held-out samples: without them usefulness is tested on samples that the "
            "generator has seen, and copying cannot be told from smoothness."
        )
        findings.append(Finding(Level.FINE, "", advice))
    return findings
