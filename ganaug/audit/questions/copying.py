"""Whether synthetic samples copy training samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeGuard

import numpy as np

from ganaug.audit.content import (
    Block,
    Cell,
    Gallery,
    Paragraph,
    Plot,
    Series,
    Strip,
    Table,
    number,
    p_value,
    percent,
)
from ganaug.audit.context import Context
from ganaug.audit.copies import NEAR_COPY, ClassCopying, CopyScreen, CopyTest
from ganaug.audit.judging import graded, judge_repeats
from ganaug.audit.results import Finding, Level, Measure, worst
from ganaug.audit.samples import Array, Samples, identical

NAME = "copying"
TITLE = "Copying: do they repeat training samples?"
PLACE = 60

ALPHA = 0.01
"""Level of the copy tests."""
NEARER = 0.6
"""Chance to be nearer to training samples than real ones are (0.5 expected) that is doubtful."""
MEMORISED = 0.02
"""Excess share of samples nearer to training than to held-out samples that is doubtful."""
N_PAIRS, MAX_PAIRS_PER_CLASS = 12, 4
"""Nearest pairs that are listed: of all classes, and of each."""


@dataclass(frozen=True)
class NearestPair:
    """A synthetic sample and the training sample nearest to it."""

    synthetic: int
    training: int
    class_name: str
    training_class: str
    distance: float
    relative_distance: float | None
    """1 is the usual distance of real samples of the class; None where that is unknown."""


@dataclass(frozen=True)
class CopyingFigures:
    """Outcome of the copy screen."""

    compared_by: str
    distance_test: CopyTest | None
    near_copy_test: CopyTest | None
    membership_test: CopyTest | None
    n_identical: int = 0
    identical_share: float = 0.0
    real_identical_share: float = 0.0
    """Share of training samples that occur more than once, as they do in coarse tables."""
    n_near_copies: int = 0
    nearest_pairs: tuple[NearestPair, ...] = ()
    per_class: Mapping[str, ClassCopying] = field(default_factory=dict)


def measure(context: Context) -> Measure:
    """Screen the synthetic samples for copies, and judge the screen."""
    samples, screen = context.samples, context.screen
    same = identical(samples.synthetic.values, samples.training.values)
    figures = CopyingFigures(
        "sqrt(2 - 2r), r the correlation of the images shrunk to at most 12 x 12"
        if samples.are_images
        else "Euclidean distance of standardised columns",
        screen.distance_test,
        screen.near_copy_test,
        screen.membership_test,
        int(same.sum()),
        float(same.mean()),
        _repeated_share(samples.training.values),
        sum(found.n_near_copies for found in screen.per_class.values()),
        tuple(_nearest_pairs(samples, screen)),
        {samples.class_names[code]: found for code, found in screen.per_class.items()},
    )
    usual = None if screen.near_copy_test is None else screen.near_copy_test.expected
    levels = {
        name: judge_repeats(screen.share(code, "n_near_copies"), usual)
        for code, name in context.names()
    }
    blocks = tuple(_blocks(context, figures))
    level = judge_copying(figures)
    return Measure(figures, _findings(figures), blocks, context.told(levels), level)


def _repeated_share(values: Array) -> float:
    counts = Counter(sample.tobytes() for sample in values)
    return sum(n for n in counts.values() if n > 1) / len(values)


def _nearest_pairs(samples: Samples, screen: CopyScreen) -> list[NearestPair]:
    """List the synthetic samples nearest to a training one, for their class; a few per class."""
    pairs: list[NearestPair] = []
    taken: Counter[int] = Counter()
    for place in np.argsort(screen.relative_distances, kind="stable").tolist():  # NaN comes last
        code, nearest = samples.synthetic.labels[place], int(screen.nearest[place])
        if len(pairs) == N_PAIRS or taken[code] == MAX_PAIRS_PER_CLASS:
            continue
        taken[code] += 1
        relative = float(screen.relative_distances[place])
        pairs.append(
            NearestPair(
                place,
                nearest,
                samples.class_names[code],
                samples.class_names[samples.training.labels[nearest]],
                float(screen.distances[place]),
                relative if np.isfinite(relative) else None,
            )
        )
    return pairs


# --- judgement ---------------------------------------------------------------------------------

Evidence: TypeAlias = list[tuple[Level, str]]


def judge_copying(figures: CopyingFigures) -> Level:
    """Judge the copy screen over all classes."""
    least = Level.UNKNOWN if figures.distance_test is None else Level.FINE
    return worst([least, *(level for level, _ in _evidence(figures))])


def _rejects(test: CopyTest | None) -> TypeGuard[CopyTest]:
    return test is not None and test.p_value < ALPHA and test.effect > test.expected


def _evidence(figures: CopyingFigures) -> Evidence:
    """List what speaks for copying, and how much."""
    found: Evidence = []
    nearer, copies = figures.distance_test, figures.near_copy_test
    member = figures.membership_test
    if figures.identical_share > figures.real_identical_share:
        text = f"{figures.n_identical} synthetic samples are byte for byte training samples."
        found.append((Level.POOR, text))
    if _rejects(copies):
        text = (
            f"{copies.effect:.1%} of the synthetic samples nearly repeat a training sample; "
            f"{copies.expected:.1%} of real samples do (p {_sign(copies)})."
        )
        found.append((Level.POOR, text))
    if _rejects(member):
        level = graded(member.effect - member.expected, MEMORISED, 5 * MEMORISED)
        text = (
            f"{member.effect:.0%} of the synthetic samples lie nearest to a training sample rather "
            f"than a held-out one; {member.expected:.0%} would be expected (p {_sign(member)})."
        )
        found.append((level, text))
    if _rejects(nearer) and nearer.effect > NEARER:
        found.append((Level.DOUBTFUL, _describe_nearness(nearer, member)))
    return found


def _describe_nearness(nearer: CopyTest, member: CopyTest | None) -> str:
    text = (
        f"synthetic samples lie nearer to training samples than real samples do (p {_sign(nearer)})"
    )
    if member is None:
        return (
            f"{text}. Smooth or little varied samples do too; held-out samples would tell which it "
            "is."
        )
    if _rejects(member):
        return f"{text}."
    return f"{text}, but no nearer than to held-out samples: smoothness rather than copying."


def _sign(test: CopyTest) -> str:
    text = p_value(test.p_value)
    return text if text.startswith("<") else f"= {text}"


def _findings(figures: CopyingFigures) -> tuple[Finding, ...]:
    level, nearer = judge_copying(figures), figures.distance_test
    if level is Level.FINE and nearer is not None:
        text = (
            "Copying: the screen found no sign of it (synthetic samples are no nearer to training "
            f"samples than real samples are: p {_sign(nearer)}). A screen, not a guarantee."
        )
        return (Finding(level, text),)
    evidence = _evidence(figures)
    if not evidence:
        return (Finding(Level.UNKNOWN, "Copying: too few samples to say anything."),)
    findings = [Finding(worst([lv, Level.DOUBTFUL]), f"Copying: {text}") for lv, text in evidence]
    if level is Level.POOR:
        advice = (
            "Look at the nearest pairs. Do not treat synthetic samples as anonymous. Train on more "
            "samples, for less time, or with augmentation for the discriminator (DiffAugment)."
        )
        opening = (
            "Synthetic samples copy training samples: do not pass them on as if they were new."
        )
        findings.append(Finding(level, advice=advice, opening=opening))
    return tuple(findings)


# --- contents ----------------------------------------------------------------------------------

_TESTS = {
    "distance_test": "Chance that a synthetic sample is nearer to a training sample than a real "
    "sample of its class is",
    "near_copy_test": f"Share of near-copies, at less than {NEAR_COPY} of the usual distance to a "
    "training sample",
    "membership_test": "Share of synthetic samples whose nearest real sample is a training sample, "
    "not a held-out one",
}


def _blocks(context: Context, figures: CopyingFigures) -> list[Block]:
    screen = context.screen
    blocks: list[Block] = [
        Paragraph(
            "This is a screen, never a guarantee: mirrored, shifted, or recombined copies can pass "
            f"it. Distance: {figures.compared_by}. {figures.n_identical} synthetic samples are "
            f"identical to a training sample, {figures.n_near_copies} are near-copies of one."
        ),
        _tests_table(figures, context.samples.holdout is not None),
    ]
    synthetic, real = (
        distances[np.isfinite(distances)]
        for distances in (screen.relative_distances, screen.reference_distances)
    )
    if len(synthetic) and len(real):
        blocks.append(_histogram(synthetic, real))
    blocks.append(_class_table(figures))
    if context.samples.are_images and (gallery := _pairs(context.samples, figures)).strips:
        blocks.append(gallery)
    return blocks


def _histogram(synthetic: Array, real: Array) -> Plot:
    top = float(np.quantile(np.concatenate([synthetic, real]), 0.995))
    bins = np.linspace(0, max(top, 1.0), 41)

    def steps(distances: Array) -> tuple[list[float], list[float]]:
        shares = 100 * np.histogram(distances, bins)[0] / len(distances)
        return np.repeat(bins, 2).tolist(), [0.0, *np.repeat(shares, 2).tolist(), 0.0]

    return Plot(
        "Distance to the nearest training sample, % of samples",
        "Histogram of distances to the nearest training sample, in multiples of the class's median "
        f"for real samples. Median of synthetic samples: {np.median(synthetic):.2f}, of real "
        f"samples: {np.median(real):.2f}.",
        (
            Series("real samples", "real", "area", *steps(real)),
            Series("synthetic samples", "synthetic", "line", *steps(synthetic)),
        ),
        "distance (1: median of real samples of the class)",
        ((NEAR_COPY, "near-copies"),),
    )


def _tests_table(figures: CopyingFigures, has_holdout: bool) -> Table:
    lines = []
    for name, counted in _TESTS.items():
        test: CopyTest | None = getattr(figures, name)
        if test is None:
            needs_holdout = name == "membership_test" and not has_holdout
            reason = "needs held-out samples" if needs_holdout else "too few samples"
            cells = [Cell(text) for text in (reason, "–", "–")]
        else:
            written = percent(test.effect), percent(test.expected), p_value(test.p_value)
            cells = [Cell(text, is_number=True) for text in written]
        lines.append([counted, *cells])
    return Table.of(
        "One-sided tests; a small p-value speaks for copying. The last one needs held-out samples, "
        "and tells copying from mere smoothness.",
        ("What is counted", "Found", "Expected", "p-value"),
        lines,
    )


def _class_table(figures: CopyingFigures) -> Table:
    kinds = {"holdout": "held out", "training": "training", None: "samples: too few"}
    lines = []
    for name, found in figures.per_class.items():
        written = (
            number(found.median_synthetic),
            number(found.median_reference),
            f"{found.n_reference} {kinds[found.reference]}",
        )
        cells = [Cell(text, is_number=True) for text in written]
        lines.append([name, *cells, found.n_near_copies, found.n_near_duplicates])
    header = ("Class", "Synthetic", "Real", "Compared with", "Near-copies", "Near-duplicates")
    return Table.of(
        "Median distance to the nearest training sample, per class, beside that of real samples.",
        header,
        lines,
    )


_NEAREST = (
    "Left a synthetic image, right the training image nearest to it; the nearest first. 1 is the "
    "usual distance of real images of the class."
)


def _pairs(samples: Samples, figures: CopyingFigures) -> Gallery:
    made, training = samples.synthetic.values, samples.training.values
    strips = [
        Strip(
            f"{pair.class_name}, {'identical' if distance < 5e-7 else number(distance)}",
            "",
            f"Synthetic image {pair.synthetic}, and training image {pair.training}, nearest to it",
            np.stack([made[pair.synthetic], training[pair.training]]),
            columns=2,
        )
        for pair in figures.nearest_pairs
        if (distance := pair.relative_distance) is not None
    ]
    return Gallery("Nearest pairs", tuple(strips), _NEAREST, are_pairs=True)
