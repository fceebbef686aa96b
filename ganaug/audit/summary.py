"""The report's summary: the worst of all findings, what is fine, what is not, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganaug.audit.content import join, name_classes
from ganaug.audit.questions.judging import at_level
from ganaug.audit.results import Finding, Level, Measure, Missing, worst

__all__ = ["Answers", "Summary", "class_levels", "summarise"]

Answers = Mapping[str, Measure | Missing]
"""By name of the question, in the order of the report."""


@dataclass(frozen=True)
class Summary:
    """The report's summary.

    Attributes
    ----------
    level : Level
        The worst of all findings.
    headline : str
        One or two sentences.
    fine, doubtful, to_do : tuple of str
        Sentences.
    """

    level: Level
    headline: str
    fine: tuple[str, ...]
    doubtful: tuple[str, ...]
    to_do: tuple[str, ...]


def class_levels(answers: Answers, class_names: Sequence[str]) -> dict[str, dict[str, Level]]:
    """Return each class's levels by question, and the worst of them as "overall"."""
    asked = {
        question: answer.levels
        for question, answer in answers.items()
        if isinstance(answer, Measure) and answer.levels is not None
    }
    by_class = {
        name: {question: levels[name] for question, levels in asked.items()} for name in class_names
    }
    return {
        name: {**levels, "overall": worst(levels.values())} for name, levels in by_class.items()
    }


def summarise(answers: Answers, class_names: Sequence[str]) -> Summary:
    """Put the findings of all questions together."""
    findings = [
        finding
        for answer in answers.values()
        if isinstance(answer, Measure)
        for finding in answer.findings
    ]
    overall = {
        name: levels["overall"] for name, levels in class_levels(answers, class_names).items()
    }
    level = worst([*overall.values(), *(finding.level for finding in findings)])
    advice = [*_advise(findings, class_names)]
    advice += [a.advice for a in answers.values() if isinstance(a, Missing) and a.advice]
    return Summary(
        level,
        _headline(level, overall),
        tuple(f.text for f in findings if f.level is Level.FINE and f.text),
        tuple(f.text for f in findings if f.level is not Level.FINE),
        tuple(dict.fromkeys(advice)),
    )


def _advise(findings: Sequence[Finding], class_names: Sequence[str]) -> list[str]:
    """Say what to do; about classes to be left out nothing more is said."""
    unfit = {name for finding in findings if finding.unfit for name in finding.classes}
    advice = []
    if unfit:
        names = name_classes([name for name in class_names if name in unfit])
        advice.append(
            f"Leave synthetic samples of {names} out; duplicates with classic augmentation serve "
            "better there. Or train longer, on more samples."
        )
    for finding in findings:
        concerned = [name for name in finding.classes if name not in unfit]
        if finding.advice and (concerned or not finding.classes):
            named = name_classes(concerned) if concerned else ""
            advice.append(finding.advice.replace("{classes}", named))
    return advice


_OPENINGS = {
    Level.FINE: "No defect found.",
    Level.UNKNOWN: "Cannot tell: there are too few samples.",
    Level.DOUBTFUL: "Use with care.",
    Level.POOR: "Do not use as it is.",
}
_WORDS = {
    Level.POOR: ("are poor", "poor"),
    Level.DOUBTFUL: ("are doubtful", "doubtful"),
    Level.FINE: ("measured fine", "measured fine"),
    Level.UNKNOWN: ("cannot be told", "cannot be told"),
}


def _headline(level: Level, overall: Mapping[str, Level]) -> str:
    n = len(overall)
    by_level = {level: at_level(overall, level) for level in _WORDS}
    for found, names in by_level.items():
        if len(names) == n:
            return f"{_OPENINGS[level]} All {n} classes {_WORDS[found][0]}."
    parts = [f"{len(names)} {_WORDS[found][1]}" for found, names in by_level.items() if names]
    return f"{_OPENINGS[level]} Of {n} classes, {join(parts)}."
