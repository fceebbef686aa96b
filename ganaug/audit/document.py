"""The report before it is written: what stands at its top, its summary, its sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganaug.audit.results import Measure

if TYPE_CHECKING:
    from ganaug.audit.content import Block
    from ganaug.audit.results import Level
    from ganaug.audit.summary import Answers, Summary

__all__ = ["Document", "Section", "sections_of"]


@dataclass(frozen=True)
class Section:
    """One question's part of the report; `reason` where it has no figures."""

    name: str
    title: str
    level: Level | None
    blocks: tuple[Block, ...]
    reason: str = ""


@dataclass(frozen=True)
class Document:
    """Everything that `render_markdown` and `render_html` show.

    Attributes
    ----------
    title : str
    facts : mapping of str to str
        What stands at the top: date, data, budget.
    summary : Summary
    levels : mapping of str to mapping of str to Level
        By class, by question and "overall".
    sections : tuple of Section
        In their order.
    """

    title: str
    facts: Mapping[str, str]
    summary: Summary
    levels: Mapping[str, Mapping[str, Level]]
    sections: tuple[Section, ...]


def sections_of(answers: Answers, titles: Mapping[str, str]) -> tuple[Section, ...]:
    """Turn answers into sections, under the titles of their questions."""
    return tuple(
        Section(name, titles[name], answer.level, answer.blocks)
        if isinstance(answer, Measure)
        else Section(name, titles[name], None, (), answer.reason)
        for name, answer in answers.items()
    )
