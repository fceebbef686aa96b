"""How many samples there are of each class, and of which classes the synthetic ones look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ganaug.audit.content import Bars, Block, Table, name_classes, percent
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure, Question
from ganaug.audit.samples import MIN_SAMPLES


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
    place = 70

    def measure(self, context: Context) -> Measure:
        """Count the samples."""
        samples = context.samples
        real, synthetic = samples.counts(samples.training), samples.counts(samples.synthetic)
        figures = BalanceFigures(
            samples.by_class(real),
            samples.by_class(samples.counts(samples.holdout)) if samples.holdout else None,
            samples.by_class(synthetic),
            samples.n_leaked,
            samples.by_class(real / real.sum()),
            samples.by_class(synthetic / synthetic.sum()),
            samples.by_class(context.recalls.read_as / synthetic.sum()),
        )
        return Measure(figures, tuple(_findings(figures)), _blocks(figures))


QUESTION: Question = Balance()


def _blocks(figures: BalanceFigures) -> tuple[Block, ...]:
    counts = {"Training": figures.training, "Held out": figures.holdout or {}}
    counts = {kind: n for kind, n in counts.items() if n} | {"Synthetic": figures.synthetic}
    shares = {
        "training samples": figures.training_share,
        "synthetic samples": figures.synthetic_share,
        "synthetic, by their looks": figures.synthetic_read_as,
    }
    names = list(figures.training)
    table = Table.of(
        "Samples per class, and class shares.",
        ("Class", *counts, *(f"Share of {kind}" for kind in shares)),
        (
            [
                name,
                *(int(n[name]) for n in counts.values()),
                *(percent(of[name]) for of in shares.values()),
            ]
            for name in names
        ),
    )
    lines = tuple((name, tuple(float(of[name]) for of in shares.values())) for name in names)
    return Bars("Share of each class", tuple(shares), lines), table


def _findings(figures: BalanceFigures) -> list[Finding]:
    held_out = figures.holdout or {}
    n_real = {name: n + held_out.get(name, 0) for name, n in figures.training.items()}
    small = [name for name, n in n_real.items() if n < MIN_SAMPLES]
    unsampled = [
        n for n, made in figures.synthetic.items() if made < MIN_SAMPLES and n not in small
    ]
    findings = []
    if small:
        named = name_classes(small, of=n_real)
        text = f"Not measured: {named}, for too few real samples."
        advice = f"Collect more real samples of {named} before trusting any."
        findings.append(Finding(Level.UNKNOWN, text, advice))
    if unsampled:
        named = name_classes(unsampled, of=n_real)
        text = f"Not measured: {named}, for too few synthetic samples."
        advice = (
            f"Use duplicates of real samples, not synthetic ones, in {named}, "
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
            "Hold real samples out for this report: without them usefulness is tested on "
            "samples that the generator has seen, and copying cannot be told from smoothness."
        )
        findings.append(Finding(Level.FINE, advice=advice))
    return findings
