"""When a figure counts against a class, and how that is said.

Only when it is clearly worse than its floor (the interval of the difference excludes 0) *and* the
difference is large enough to matter. The limits are conventions, not laws; the report shows every
figure beside its floor so that readers can differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ganaug.audit.content import name_classes
from ganaug.audit.results import Comparison, Figure, Finding, Level, Missing

DOUBTFUL_SHARE, POOR_SHARE = 0.8, 0.4
"""Shares of the floor below which precision, coverage, variety are doubtful, or poor."""
DOUBTFUL_LOSS, POOR_LOSS = 0.1, 0.3
"""Losses of recall, against training on real samples, above which it is doubtful, or poor."""
REPEATS = 0.02
"""Share of near-copies or near-duplicates, beyond what is usual among real samples, that is
doubtful; ten times that is poor."""


def judge_ratio(comparison: Figure) -> Level:
    """Judge a measure of which more is better by its share of the floor."""
    if not isinstance(comparison, Comparison) or not comparison.floor:
        return Level.UNKNOWN
    if comparison.gap_high >= 0:
        return Level.FINE
    return graded(-comparison.value / comparison.floor, -DOUBTFUL_SHARE, -POOR_SHARE)


def judge_recall(scores: Figure, floor: Figure) -> Level:
    """Judge a recall by what it loses against the recall of training on real samples."""
    if isinstance(scores, Missing) or isinstance(floor, Missing):
        return Level.UNKNOWN
    if scores.high >= floor.low:
        return Level.FINE
    return graded(floor.value - scores.value, DOUBTFUL_LOSS, POOR_LOSS)


def judge_repeats(share: Figure, usual: float | None) -> Level:
    """Judge a share of near-copies or near-duplicates by what is usual among real samples."""
    if isinstance(share, Missing) or usual is None:
        return Level.UNKNOWN
    return graded(share.value - usual, REPEATS, 10 * REPEATS)


def graded(value: float, doubtful: float, poor: float) -> Level:
    """Return the level of a value of which less is better."""
    if value > poor:
        return Level.POOR
    return Level.DOUBTFUL if value > doubtful else Level.FINE


def at_level(levels: Mapping[str, Level], level: Level) -> tuple[str, ...]:
    """Return the classes that were judged so, in their order."""
    return tuple(name for name, found in levels.items() if found is level)


Quote: TypeAlias = tuple[float, str]
"""A figure as (share of what real samples reach, words)."""


def quote(name: str, what: str, found: Figure, floor: Figure | None = None) -> list[Quote]:
    """Quote a class's figure beside its floor, where there are both."""
    if isinstance(found, Missing) or isinstance(floor, Missing):
        return []
    real = found.floor if isinstance(found, Comparison) else floor.value if floor else 0.0
    words = f"{name}: {what} {found.value:.2f}, real samples {real:.2f}"
    return [(found.value / max(real, 1e-9), words)]


def class_findings(
    topic: str,
    levels: Mapping[str, Level],
    quotes: Mapping[str, list[Quote]],
    *,
    fine: str,
    defects: Mapping[str, str],
    advice: Mapping[Level, str],
    unfit: bool = False,
) -> tuple[Finding, ...]:
    """Say in which classes all is well, and in which it is not, with the worst figure.

    `topic`: what the sentences open with. `levels`, `quotes`: levels and figures, by class. `fine`:
    what it means to be fine. `defects`: what is wrong in each class; those with the same share a
    sentence. `advice`: what to do, by level, with ``{classes}``. `unfit`: whether poor classes
    should get no synthetic samples.
    """
    findings = []
    n_fine = len(at_level(levels, Level.FINE))
    n_measured = len(levels) - len(at_level(levels, Level.UNKNOWN))
    if n_fine:
        all_fine = n_fine == n_measured
        where = "every class measured" if all_fine else f"{n_fine} of {n_measured} classes"
        findings.append(Finding(Level.FINE, f"{topic}: in {where}, {fine}."))
    for level in (Level.POOR, Level.DOUBTFUL):
        at = at_level(levels, level)
        for defect in dict.fromkeys(defects[name] for name in at):
            names = tuple(name for name in at if defects[name] == defect)
            evidence = min(quote for name in names for quote in quotes[name])[1]
            where = name_classes(names, of=levels)
            text = f"{topic}, {level} in {where}: {defect} ({evidence})."
            is_unfit = unfit and level is Level.POOR
            findings.append(Finding(level, text, advice.get(level, ""), names, is_unfit))
    return tuple(findings)
