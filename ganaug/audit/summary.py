"""The report's summary: the worst of all findings, what is fine, what is not, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ganaug.audit.content import Table, badge, join, name_classes
from ganaug.audit.judging import at_level
from ganaug.audit.results import Finding, Level, Measure, Missing, worst

Levels: TypeAlias = Mapping[str, Mapping[str, Level]]
"""By class, by question and "overall"."""


@dataclass(frozen=True)
class Summary:
    """The report's summary: the worst level, one or two sentences, and lists of sentences."""

    level: Level
    headline: str
    fine: tuple[str, ...]
    doubtful: tuple[str, ...]
    to_do: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One question's part of the report."""

    name: str
    title: str
    answer: Measure | Missing


@dataclass(frozen=True)
class Document:
    """The report before it is written as Markdown or HTML."""

    title: str
    facts: Mapping[str, str]
    """Date, data, budget, ...: what stands under the title."""
    summary: Summary
    levels: Levels
    sections: tuple[Section, ...]

    @property
    def glance(self) -> Table:
        """All levels of all classes."""
        asked = list(next(iter(self.levels.values())))
        return Table.of(
            "How each class was judged. Fine: not clearly worse than real samples against other "
            "real samples, or not by much. Of copying, near-copies of a class are judged here; the "
            "tests of it are of all classes together.",
            ("Class", *(question.replace("_", " ").capitalize() for question in asked)),
            ([name, *map(badge, of.values())] for name, of in self.levels.items()),
        )

    @classmethod
    def of(
        cls,
        title: str,
        sections: Sequence[Section],
        class_names: Sequence[str],
        facts: Mapping[str, str],
    ) -> Document:
        """Put a summary before the answers to all questions."""
        levels = _class_levels(sections, class_names)
        return cls(title, facts, _summarise(sections, levels), levels, tuple(sections))


def _class_levels(sections: Sequence[Section], class_names: Sequence[str]) -> Levels:
    """Return each class's levels by question, and the worst of them as "overall"."""
    asked = {
        section.name: section.answer.levels
        for section in sections
        if isinstance(section.answer, Measure) and section.answer.levels is not None
    }
    levels = {}
    for name in class_names:
        by_question = {question: found[name] for question, found in asked.items()}
        levels[name] = {**by_question, "overall": worst(by_question.values())}
    return levels


def _summarise(sections: Sequence[Section], levels: Levels) -> Summary:
    """Put the findings of all questions together."""
    answers = [section.answer for section in sections]
    findings = [f for answer in answers if isinstance(answer, Measure) for f in answer.findings]
    fine = tuple(f.text for f in findings if f.text and f.level is Level.FINE)
    doubtful = tuple(f.text for f in findings if f.text and f.level is not Level.FINE)
    overall = {name: by_question["overall"] for name, by_question in levels.items()}
    least = Level.DOUBTFUL if doubtful else Level.UNKNOWN
    level = worst([least, *overall.values(), *(finding.level for finding in findings)])
    if level is Level.FINE and Level.FINE not in overall.values():
        level = Level.UNKNOWN
    advice = _advise(findings, list(levels))
    advice += [a.advice for a in answers if isinstance(a, Missing) and a.advice]
    openings = [finding.opening for finding in findings if finding.opening]
    openings = openings if "".join(openings).startswith("Do not") else [_OPENINGS[level], *openings]
    headline = _headline(" ".join(openings), overall)
    return Summary(level, headline, fine, doubtful, tuple(dict.fromkeys(advice)))


def _advise(findings: Sequence[Finding], class_names: Sequence[str]) -> list[str]:
    """Say what to do; about classes to be left out nothing more is said."""
    unfit = {name for finding in findings if finding.unfit for name in finding.classes}
    advice = []
    if unfit:
        names = name_classes([name for name in class_names if name in unfit], of=class_names)
        advice.append(
            f"Leave synthetic samples of {names} out; duplicates with classic augmentation serve "
            "better there. Or train longer, on more samples."
        )
    for finding in findings:
        concerned = [name for name in finding.classes if name not in unfit]
        if finding.advice and (concerned or not finding.classes):
            named = name_classes(concerned, of=class_names) if concerned else ""
            advice.append(finding.advice.replace("{classes}", named))
    return advice


_OPENINGS = {
    Level.UNKNOWN: "No defect found.",
    Level.FINE: "No defect found.",
    Level.DOUBTFUL: "Use with care.",
    Level.POOR: "Do not use as it is.",
}
_WORDS = {
    Level.FINE: "measured fine",
    Level.DOUBTFUL: "doubtful",
    Level.POOR: "poor",
    Level.UNKNOWN: "not measured",
}


def _headline(opening: str, overall: Mapping[str, Level]) -> str:
    n = len(overall)
    found = {level: count for level in _WORDS if (count := len(at_level(overall, level)))}
    if list(found) == [Level.UNKNOWN]:
        return "Cannot tell: there are too few samples."
    if len(found) == 1:
        (level,) = found
        return f"{opening} All {n} classes {'' if level is Level.FINE else 'are '}{_WORDS[level]}."
    parts = [f"{count} {_WORDS[level]}" for level, count in found.items()]
    return f"{opening} Of {n} classes, {join(parts)}."
