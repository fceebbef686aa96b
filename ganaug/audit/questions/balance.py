"""How many samples there are of each class, and of which classes the synthetic ones look."""

from __future__ import annotations

from collections.abc import Mapping

from ganaug.audit.content import Table, name_classes, percent
from ganaug.audit.context import Context
from ganaug.audit.results import Finding, Level, Measure
from ganaug.audit.samples import MIN_SAMPLES

NAME = "balance"
TITLE = "Balance: how many of each class?"
PLACE = 70


def measure(context: Context) -> Measure:
    """Count the samples of each class, and say of which there are too few to measure."""
    samples = context.samples
    parts = {
        "Training": samples.training,
        "Held out": samples.holdout,
        "Synthetic": samples.synthetic,
    }
    counted = {kind: samples.counts(part) for kind, part in parts.items() if part is not None}
    n_synthetic = len(samples.synthetic.labels)
    shared = {
        "training samples": counted["Training"] / len(samples.training.labels),
        "synthetic samples": counted["Synthetic"] / n_synthetic,
        "synthetic, by their looks": context.recalls.read_as / n_synthetic,
    }
    names = samples.class_names
    counts, shares = (
        {kind: dict(zip(names, of.tolist(), strict=True)) for kind, of in part.items()}
        for part in (counted, shared)
    )
    figures = {
        "training": counts["Training"],
        "holdout": counts.get("Held out"),
        "synthetic": counts["Synthetic"],
        "holdout_left_out": samples.n_leaked,
        "training_share": shares["training samples"],
        "synthetic_share": shares["synthetic samples"],
        "synthetic_read_as": shares["synthetic, by their looks"],
    }
    lines = []
    for name in names:
        written = [percent(of[name]) for of in shares.values()]
        lines.append([name, *(of[name] for of in counts.values()), *written])
    header = ("Class", *counts, *(f"Share of {kind}" for kind in shares))
    table = Table.of("Samples per class, and class shares.", header, lines)
    return Measure(figures, tuple(_findings(counts, samples.n_leaked)), (table,))


def _findings(counts: Mapping[str, Mapping[str, int | float]], n_leaked: int) -> list[Finding]:
    findings = []
    synthetic, held_out = counts["Synthetic"], counts.get("Held out", {})
    n_real = {name: n + held_out.get(name, 0) for name, n in counts["Training"].items()}
    small = [name for name, n in n_real.items() if n < MIN_SAMPLES]
    unsampled = [name for name, n in synthetic.items() if n < MIN_SAMPLES and name not in small]
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
    if n_leaked:
        text = f"Held-out samples: {n_leaked} of them are training samples too and were left out."
        findings.append(Finding(Level.DOUBTFUL, text))
    if "Held out" not in counts:
        advice = (
            "Hold real samples out for this report: without them usefulness is tested on "
            "samples that the generator has seen, and copying cannot be told from smoothness."
        )
        findings.append(Finding(Level.FINE, advice=advice))
    return findings
