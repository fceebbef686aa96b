"""Whether synthetic samples copy training samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ganaug.audit.charts import histogram
from ganaug.audit.content import (
    Cell,
    Drawing,
    Gallery,
    Paragraph,
    Strip,
    Table,
    number,
    p_value,
    percent,
)
from ganaug.audit.copies import NEAR_COPY
from ganaug.audit.questions import judging
from ganaug.audit.results import Finding, Level, Measure, worst
from ganaug.audit.samples import identical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ganaug.audit.content import Block
    from ganaug.audit.context import Context
    from ganaug.audit.copies import ClassCopying, CopyScreen
    from ganaug.audit.copy_tests import CopyTest
    from ganaug.audit.samples import Array, Samples

__all__ = ["Copying", "CopyingFigures", "NearestPair", "judge_copying"]

ALPHA = 0.01
"""Level of the copy tests."""
NEARER = 0.6
"""Chance to be nearer to training samples than real ones are (0.5 expected) that is doubtful."""
MEMORISED = 0.02
"""Excess share of samples nearer to training than to held-out samples that is doubtful."""
N_PAIRS, MAX_PAIRS_PER_CLASS, N_REAL_PAIRS = 12, 4, 6
"""Nearest pairs that are listed: of all classes, of each, and of real samples."""


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


class Copying:
    """Tests of nearness to training samples, near-copies, and exact copies."""

    name = "copying"
    title = "Copying: do they repeat training samples?"

    def measure(self, context: Context) -> Measure:
        """Screen the synthetic samples, and judge the screen."""
        samples, screen = context.samples, context.screen
        same = identical(samples.synthetic.values, samples.training.values)
        figures = CopyingFigures(
            _describe_space(samples),
            screen.distance_test,
            screen.near_copy_test,
            screen.membership_test,
            int(same.sum()),
            float(same.mean()),
            _repeated_share(samples.training.values),
            len(screen.near_copies),
            tuple(_nearest_pairs(samples, screen)),
            {samples.class_names[code]: found for code, found in screen.per_class.items()},
        )
        usual = None if screen.near_copy_test is None else screen.near_copy_test.expected
        levels = {
            name: judging.judge_repeats(_near_copy_share(figures.per_class.get(name)), usual)
            for name in samples.class_names
        }
        return Measure(figures, tuple(_findings(figures)), levels, _blocks(context, figures))


def _describe_space(samples: Samples) -> str:
    if samples.are_images:
        return "sqrt(2 - 2r), r the correlation of the images shrunk to at most 12 x 12"
    return "Euclidean distance of standardised columns"


def _repeated_share(values: Array) -> float:
    counts = Counter(sample.tobytes() for sample in values)
    return sum(n for n in counts.values() if n > 1) / len(values)


def _near_copy_share(found: ClassCopying | None) -> float | None:
    if found is None or found.median_reference is None:
        return None
    return found.n_near_copies / found.n_synthetic


def _nearest_pairs(samples: Samples, screen: CopyScreen) -> list[NearestPair]:
    """List the synthetic samples nearest to a training one, for their class; a few per class."""
    pairs: list[NearestPair] = []
    taken = [0] * samples.n_classes
    for place in np.argsort(screen.relative_distances, kind="stable").tolist():  # NaN comes last
        code, nearest = int(samples.synthetic.labels[place]), int(screen.nearest[place])
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


def judge_copying(figures: CopyingFigures) -> Level:
    """Judge the copy screen over all classes."""
    return worst(level for level, _ in _judgements(figures))


def _rejects(test: CopyTest | None) -> bool:
    return test is not None and test.p_value < ALPHA and test.effect > test.expected


def _judgements(figures: CopyingFigures) -> list[tuple[Level, str]]:
    """List what speaks for copying, or that nothing does."""
    found = []
    if figures.identical_share > figures.real_identical_share:
        text = f"{figures.n_identical} synthetic samples are byte for byte training samples."
        found.append((Level.POOR, text))
    copies, member, nearer = (
        figures.near_copy_test,
        figures.membership_test,
        figures.distance_test,
    )
    if copies is not None and _rejects(copies):
        text = (
            f"{copies.effect:.1%} of the synthetic samples nearly repeat a training sample; "
            f"{copies.expected:.1%} of real samples do (p {_sign(copies.p_value)})."
        )
        found.append((Level.POOR, text))
    if member is not None and _rejects(member):
        level = judging.graded(member.effect - member.expected, MEMORISED, 5 * MEMORISED)
        text = (
            f"{member.effect:.0%} of the synthetic samples lie nearest to a training sample rather "
            f"than a held-out one; {member.expected:.0%} would be expected "
            f"(p {_sign(member.p_value)})."
        )
        found.append((level, text))
    if nearer is not None and _rejects(nearer) and nearer.effect > NEARER:
        found.append((Level.DOUBTFUL, _describe_nearness(nearer, member)))
    if nearer is None and not found:
        found.append((Level.UNKNOWN, "too few samples to say anything."))
    if (
        nearer is not None
        and worst(level for level, _ in found or [(Level.FINE, "")]) is Level.FINE
    ):
        text = (
            "the screen found no sign of it (synthetic samples are no nearer to training samples "
            f"than real samples are: p {_sign(nearer.p_value)}). A screen, not a guarantee."
        )
        return [(Level.FINE, text)]
    return found


def _describe_nearness(nearer: CopyTest, member: CopyTest | None) -> str:
    text = (
        "synthetic samples lie nearer to training samples than real samples do "
        f"(p {_sign(nearer.p_value)})"
    )
    if member is None:
        return (
            f"{text}. Smooth or little varied samples do too; held-out samples would tell which it "
            "is."
        )
    if _rejects(member):
        return f"{text}."
    return f"{text}, but no nearer than to held-out samples: smoothness rather than copying."


def _sign(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def _findings(figures: CopyingFigures) -> list[Finding]:
    findings = [Finding(level, f"Copying: {text}") for level, text in _judgements(figures)]
    if judge_copying(figures) is Level.POOR:
        advice = (
            "Look at the nearest pairs. Do not treat synthetic samples as anonymous, nor pass them "
            "on as if they were new. Train on more samples, or for less time."
        )
        text = "Copying: synthetic samples copy training samples."
        findings.insert(0, Finding(Level.POOR, text, advice))
    return findings


# --- contents ----------------------------------------------------------------------------------

_TESTS = {
    "distance_test": (
        "Nearer to training samples than real samples are",
        "chance that a synthetic sample is nearer to a training sample than a real one is",
    ),
    "near_copy_test": (
        "Near-copies",
        f"share of samples at less than {NEAR_COPY} of the usual distance to a training sample",
    ),
    "membership_test": (
        "Nearer to training than to held-out samples",
        "share of synthetic samples whose nearest real sample is a training sample",
    ),
}


def _blocks(context: Context, figures: CopyingFigures) -> tuple[Block, ...]:
    shares = _relative_distances(context.screen)
    blocks: list[Block] = [
        Paragraph(
            "This is a screen, never a guarantee: mirrored, shifted, or recombined copies can pass "
            f"it. Distance: {figures.compared_by}. {figures.n_identical} synthetic samples are "
            f"identical to a training sample, {figures.n_near_copies} are near-copies of one."
        ),
        _tests_table(figures, context.samples.holdout is not None),
        _class_table(figures),
    ]
    if shares is not None:
        blocks.insert(2, Drawing(lambda: histogram(*shares, {"near-copies": NEAR_COPY})))
    if context.samples.are_images:
        blocks += _pair_galleries(context, figures)
    return tuple(blocks)


def _tests_table(figures: CopyingFigures, has_holdout: bool) -> Table:
    tests = {
        "distance_test": figures.distance_test,
        "near_copy_test": figures.near_copy_test,
        "membership_test": figures.membership_test,
    }
    lines = []
    for key, test in tests.items():
        question, counted = _TESTS[key]
        if test is None:
            why = "too few samples"
            if key == "membership_test" and not has_holdout:
                why = "needs held-out samples"
            lines.append([question, Cell("–", reason=why), "–", "–", counted])
            continue
        found = (percent(test.effect), percent(test.expected), p_value(test.p_value))
        lines.append([question, *(Cell(text, is_number=True) for text in found), counted])
    return Table.of(
        "One-sided tests; a small p-value speaks for copying. The last one needs held-out samples, "
        "and tells copying from mere smoothness.",
        ("Question", "Found", "Expected", "p-value", "What is counted"),
        lines,
    )


def _class_table(figures: CopyingFigures) -> Table:
    lines = []
    for name, found in figures.per_class.items():
        test = found.distance_test
        kind = {"holdout": "held out", "training": "training", None: "too few"}[found.reference]
        numbers = (
            number(found.median_synthetic),
            number(found.median_reference),
            f"{found.n_reference} {kind}",
            "–" if test is None else p_value(test.p_value),
        )
        cells = [Cell(text, is_number=True) for text in numbers]
        lines.append([name, *cells, found.n_near_copies, found.n_near_duplicates])
    return Table.of(
        "Median distance to the nearest training sample, per class, beside that of real samples.",
        ("Class", "Synthetic", "Real", "Compared with", "p-value", "Near-copies",
         "Near-duplicates"),
        lines,
    )  # fmt: skip


def _relative_distances(screen: CopyScreen) -> tuple[Array, Array] | None:
    """Return distances of synthetic and of real samples over their class's median."""
    medians = {
        code: found.median_reference
        for code, found in screen.per_class.items()
        if found.median_reference
    }
    known = np.isin(screen.reference_labels, list(medians))
    scale = np.array([medians[code] for code in screen.reference_labels[known].tolist()])
    synthetic = screen.relative_distances[np.isfinite(screen.relative_distances)]
    if not len(scale) or not len(synthetic):
        return None
    return synthetic, screen.reference_distances[known] / scale


def _pair_galleries(context: Context, figures: CopyingFigures) -> list[Block]:
    samples = context.samples
    strips = [
        _pair_strip(
            samples.synthetic.values[pair.synthetic],
            samples.training.values[pair.training],
            f"Synthetic sample {pair.synthetic}",
            pair.training,
            (pair.class_name, pair.relative_distance),
        )
        for pair in figures.nearest_pairs
        if pair.relative_distance is not None
    ]
    note = (
        "Left a synthetic sample, right the training sample nearest to it; the nearest first. 1 is "
        "the usual distance of real samples of the class."
    )
    real_note = (
        "Left a real sample, right the training sample nearest to it. Real samples come this near "
        "to one another by themselves."
    )
    galleries = (
        Gallery("Nearest pairs", tuple(strips), note, are_pairs=True),
        Gallery("For comparison: real samples", _real_strips(context), real_note, are_pairs=True),
    )
    return [gallery for gallery in galleries if gallery.strips]


def _pair_strip(
    first: Array, second: Array, what: str, training: int, label: tuple[str, float]
) -> Strip:
    name, distance = label
    return Strip(
        f"{name}, {'identical' if distance < 5e-7 else number(distance)}",
        "",
        f"{what}, and training sample {training}, nearest to it",
        np.stack([first, second]),
        columns=2,
    )


def _real_strips(context: Context) -> tuple[Strip, ...]:
    samples, screen = context.samples, context.screen
    relative = np.full(len(screen.reference_labels), np.inf)
    for code, found in screen.per_class.items():
        if found.median_reference:
            members = screen.reference_labels == code
            relative[members] = screen.reference_distances[members] / found.median_reference
    strips: dict[frozenset[tuple[bool, int]], Strip] = {}
    for place in np.argsort(relative, kind="stable").tolist():
        if len(strips) == N_REAL_PAIRS or not np.isfinite(relative[place]):
            break
        code = int(screen.reference_labels[place])
        held_out = screen.per_class[code].reference == "holdout"
        source = samples.holdout if held_out and samples.holdout else samples.training
        own, nearest = int(screen.reference_places[place]), int(screen.reference_nearest[place])
        strip = _pair_strip(
            source.values[own],
            samples.training.values[nearest],
            f"{'Held-out' if held_out else 'Training'} sample {own}",
            nearest,
            (samples.class_names[code], float(relative[place])),
        )
        # Two training samples are often nearest to each other: they are shown once.
        strips.setdefault(frozenset([(held_out, own), (False, nearest)]), strip)
    return tuple(strips.values())
