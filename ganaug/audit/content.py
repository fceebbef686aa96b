"""What a section of the report holds, before it is written as Markdown or HTML.

Questions build these; `markdown` and `page` show them. Pictures and charts are for the page only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganaug.audit.results import Comparison, Figure, Figures, Level, Missing


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    interval: str = ""
    floor: str = ""
    """The same figure of real samples."""
    reason: str = ""
    """Why there is no figure."""
    level: Level | None = None
    """Shown as a badge."""
    is_number: bool = False
    """Set to the right."""

    def __str__(self) -> str:
        text = f"{self.text} ({self.interval})" if self.interval else self.text
        return f"{text}; {self.floor}" if self.floor else text


@dataclass(frozen=True)
class Table:
    """Columns by name, and lines whose first cell names them."""

    caption: str
    header: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, caption: str, header: Sequence[str], lines: Iterable[Sequence[object]]) -> Table:
        """Build a table; plain text becomes a cell, and so do counts."""
        return cls(caption, tuple(header), tuple(tuple(map(_cell, line)) for line in lines))


@dataclass(frozen=True)
class Paragraph:
    """A sentence or two."""

    text: str


@dataclass(frozen=True)
class Series:
    """Points of a plot."""

    label: str
    kind: Literal["synthetic", "real"]
    style: Literal["line", "area"]
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """A chart with two axes."""

    title: str
    alt: str
    """What it shows, for those who cannot see it."""
    series: tuple[Series, ...]
    x_label: str = ""
    marks: tuple[tuple[float, str], ...] = ()
    """Vertical lines, and what they stand for."""


@dataclass(frozen=True)
class Strip:
    """Images uint8 (n, C, H, W) side by side, `columns` in a line."""

    label: str
    note: str
    alt: str
    images: NDArray[np.uint8]
    columns: int


@dataclass(frozen=True)
class Gallery:
    """Strips of pictures under a heading."""

    heading: str
    strips: tuple[Strip, ...]
    note: str = ""
    are_pairs: bool = False


Block: TypeAlias = Paragraph | Table | Plot | Gallery


def _cell(content: object) -> Cell:
    if isinstance(content, Cell):
        return content
    if isinstance(content, int):
        return Cell(f"{content:,}", is_number=True)
    return Cell(str(content))


# --- cells -------------------------------------------------------------------------------------


def badge(level: Level, text: str = "") -> Cell:
    """Show a level by its colour, in words of its own or others."""
    return Cell(text or level.value, level=level)


def figure(found: Figure | None) -> Cell:
    """Show a measure with its interval and that of real samples, or why there is none."""
    if found is None:
        return Cell("–")
    if isinstance(found, Missing):
        return Cell(found.brief, reason=found.reason)
    floor = ""
    if isinstance(found, Comparison):
        floor = f"real {number(found.floor)} ({_interval(found.floor_low, found.floor_high)})"
    return Cell(number(found.value), _interval(found.low, found.high), floor)


def figure_table(
    caption: str, labels: Mapping[str, str], figures: Figures, levels: Mapping[str, Level]
) -> Table:
    """Lay figures out by class, and how each was judged; `labels` are their columns, by name."""
    lines = []
    for name, found in {"All classes": figures.overall, **figures.per_class}.items():
        judged = badge(levels[name]) if name in levels else Cell("–")
        lines.append([name, *(figure(found.get(key)) for key in labels), judged])
    return Table.of(caption, ("Class", *labels.values(), "Judged"), lines)


# --- numbers and names -------------------------------------------------------------------------


def number(value: float | None) -> str:
    """Write a number to about three digits.

    Examples
    --------
    >>> number(0.01234), number(1.5), number(123.4), number(None)
    ('0.01', '1.50', '123', '–')
    """
    if value is None:
        return "–"
    text = f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.{1 if abs(value) >= 10 else 2}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _interval(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def points(share: float) -> str:
    """Write a difference of shares in percentage points."""
    return f"{100 * share:+.1f}".replace("-", "−")


def percent(share: float | None) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.123), percent(0.0004), percent(0.0), percent(1)
    ('12%', '0.04%', '0%', '100%')
    """
    if share is None:
        return "–"
    value = 100 * share
    digits = 0 if value >= 10 or value == 0 else 1 if value >= 0.1 else 2
    return f"{value:.{digits}f}%"


def p_value(value: float) -> str:
    """Write a p-value."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def join(parts: Sequence[str]) -> str:
    """Join with commas and 'and'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def name_classes(names: Sequence[str], noun: str = "class", *, of: Collection[str] = ()) -> str:
    """Name classes, or groups, in a sentence: each in full, or those that are left of all.

    Examples
    --------
    >>> name_classes(["bag"]), name_classes(["bag", "boot"])
    ('class bag', 'classes bag and boot')
    >>> name_classes(["a", "b", "c"], of="abcd"), name_classes(["a", "b"], of="ab")
    ('all classes but d', 'all classes')
    """
    plural = "classes" if noun == "class" else f"{noun}s"
    left = [name for name in of if name not in names]
    if 2 * len(left) < len(names) and len(of) > 1:
        return f"all {plural} but {join(left)}" if left else f"all {plural}"
    return f"{noun if len(names) == 1 else plural} {join(names)}"
