"""The audit as Markdown: all figures, no pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ganaug.audit.content import Block, Paragraph, Table
from ganaug.audit.results import Missing
from ganaug.audit.summary import Document, Section
from ganaug.naming import printable


def render_markdown(document: Document) -> str:
    """Return the audit as Markdown text."""
    parts = [
        f"# {_escape(document.title)}",
        *(f"{_escape(name)}: {_escape(fact)}" for name, fact in document.facts.items()),
        *_summary(document),
        "## Classes",
        *_block(document.glance),
        *(part for section in document.sections for part in _section(section)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(document: Document) -> list[str]:
    summary = document.summary
    parts = [f"**{_escape(summary.headline)}**"]
    lists = (("Fine", summary.fine), ("Doubtful", summary.doubtful), ("To do", summary.to_do))
    for heading, sentences in lists:
        if sentences:
            items = "\n".join(f"- {_escape(sentence)}" for sentence in sentences)
            parts.append(f"**{heading}**\n\n{items}")
    return parts


def _section(section: Section) -> list[str]:
    heading, answer = f"## {_escape(section.title)}", section.answer
    if isinstance(answer, Missing):
        return [heading, f"Not measured: {_escape(answer.reason)}."]
    written = [text for block in answer.blocks for text in _block(block)]
    return [heading, *written] if written else []


def _block(block: Block) -> list[str]:
    if isinstance(block, Paragraph):
        return [_escape(block.text)]
    if isinstance(block, Table):
        lines = ([str(cell) for cell in line] for line in block.lines)
        return [_escape(block.caption), _table(block.header, lines)]
    return []


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    written = [map(_escape, header), ["---"] * len(header), *(map(_escape, line) for line in lines)]
    return "\n".join("| " + " | ".join(line) + " |" for line in written)


def _escape(text: str) -> str:
    r"""Keep text from being read as Markdown's or HTML's own signs.

    Examples
    --------
    >>> print(_escape("<b>[a](b) | *c*"))
    &lt;b&gt;\[a\](b) \| \*c\*
    """
    marked = re.sub(r"([\\`*_\[\]|~])", r"\\\1", printable(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
