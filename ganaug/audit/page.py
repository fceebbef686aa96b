"""The audit as one HTML page: fills the template with the document's blocks."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from ganaug._version import __version__
from ganaug.audit.charts import picture_strip
from ganaug.audit.content import Bars
from ganaug.checks import require_extra
from ganaug.naming import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganaug.audit.content import Block, Dots, Drawing, Strip
    from ganaug.audit.results import Estimate
    from ganaug.audit.summary import Document

MAX_TILE = 64
"""Larger pictures are scaled down to this many pixels."""
MAX_CHART_CLASSES = 40
"""Charts by class are left out for more classes than this; the tables hold them all."""


def render_html(document: Document) -> str:
    """Return the audit as the text of one HTML page."""
    jinja2 = require_extra("jinja2", "report")
    require_extra("matplotlib", "report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda item: printable(item) if type(item) is str else item,
    )
    filters: dict[str, Callable[..., object]] = {
        "kind": _kind,
        "drawn": _draw,
        "picture": _picture,
        "scale": _Scale.of,
        "prose": _prose,
    }
    environment.filters.update(filters)
    template = resources.files("ganaug.audit").joinpath("report.html.j2")
    text: str = environment.from_string(template.read_text(encoding="utf-8")).render(
        document=document, version=__version__
    )
    return text


def _kind(block: Block) -> str:
    """Name the macro that shows a block; empty for what is left out."""
    name = type(block).__name__.lower()
    is_crowded = len(getattr(block, "lines", ())) > MAX_CHART_CLASSES
    return "" if name in ("dots", "bars") and is_crowded else name


def _prose(sentence: str) -> str:
    """Mark up a sentence: what it is about, up to the first colon or comma, is bold."""
    text = html.escape(printable(sentence))
    return re.sub(r"^([A-Z][\w-]*(?: [a-z]+)?)(?=[:,])", r"<b>\1</b>", text)


def _draw(drawing: Drawing) -> str:
    return drawing.draw()


@dataclass(frozen=True)
class _Scale:
    """An axis from `low` to `high`, in percent of the chart's width."""

    low: float
    high: float

    @classmethod
    def of(cls, chart: Dots | Bars) -> _Scale:
        """Return an axis that holds all of a chart."""
        if isinstance(chart, Bars):
            return cls(0.0, max(share for _, shares in chart.lines for share in shares))
        both = [one for _, pair in chart.lines for one in pair or ()]
        low, high = chart.limits
        return cls(min([low, *(one.low for one in both)]), max([high, *(i.high for i in both)]))

    def place(self, value: float) -> str:
        """Return where a value lies."""
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"

    def width(self, interval: Estimate) -> str:
        """Return how long an interval is."""
        return f"{100 * (interval.high - interval.low) / (self.high - self.low):.2f}%"

    @property
    def ticks(self) -> list[float]:
        """Five values, evenly spaced."""
        return [self.low + step * (self.high - self.low) / 4 for step in range(5)]


@dataclass(frozen=True)
class _Picture:
    uri: str
    width: int
    height: int


def _picture(strip: Strip) -> _Picture:
    return _Picture(*picture_strip(_scaled_down(strip.images), strip.columns))


def _scaled_down(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average blocks of pixels until the longer side fits into a tile."""
    factor = -(-max(images.shape[2:]) // MAX_TILE)
    if factor == 1:
        return images
    n, channels, height, width = images.shape
    height, width = height // factor, width // factor
    blocks = images[:, :, : height * factor, : width * factor].reshape(
        n, channels, height, factor, width, factor
    )
    averaged: NDArray[np.uint8] = blocks.mean(axis=(3, 5)).round().astype("uint8")
    return averaged
