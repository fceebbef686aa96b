"""The audit as one HTML page: fills the template with the document's blocks."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganaug._version import __version__
from ganaug.audit.content import Plot, Series, Strip
from ganaug.audit.summary import Document
from ganaug.checks import require_extra
from ganaug.naming import printable

MAX_TILE = 64
"""Larger pictures are scaled down to this many pixels."""


def render_html(document: Document) -> str:
    """Return the audit as the text of one HTML page."""
    jinja2 = require_extra("jinja2", "report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda item: printable(item) if type(item) is str else item,
    )
    filters: dict[str, Callable[..., object]] = {
        "kind": lambda block: type(block).__name__.lower(),  # its macro
        "axes": _Axes.of,
        "picture": _picture,
        "prose": _prose,
    }
    environment.filters.update(filters)
    template = resources.files("ganaug.audit").joinpath("report.html.j2")
    text: str = environment.from_string(template.read_text(encoding="utf-8")).render(
        document=document, version=__version__
    )
    return text


def _prose(sentence: str) -> str:
    """Mark up a sentence: what it is about, up to a colon or comma."""
    opening = r"^([A-Z][\w-]*(?: [a-z]+)?)(?=[:,])"
    return re.sub(opening, r"<b>\1</b>", html.escape(printable(sentence)))


@dataclass(frozen=True)
class _Scale:
    """An axis from `low` to `high`, marked at the multiples of `step`."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Iterable[float]) -> _Scale:
        """Return an axis that holds all finite values."""
        known = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(known), max(known)
        high = high if high > low else low + 1
        unit = 10.0 ** math.floor(math.log10((high - low) / 4))
        step = next(n * unit for n in (1, 2, 2.5, 5, 10) if 4.001 * n * unit >= high - low)
        return cls(low, high, step)

    def share(self, value: float) -> float:
        """Return where a value lies, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """The multiples of `step` on the axis."""
        first, last = self.low / self.step - 0.001, self.high / self.step + 0.001
        return [n * self.step for n in range(math.ceil(first), math.floor(last) + 1)]


@dataclass(frozen=True)
class _Axes:
    """Where a plot's points lie on a canvas of 720 by 270 units."""

    x: _Scale
    y: _Scale

    @classmethod
    def of(cls, plot: Plot) -> _Axes:
        """Return axes that hold all of a plot, and the origin of y."""
        x = [value for one in plot.series for value in one.x]
        y = [0.0, *(1.04 * value for one in plot.series for value in one.y)]
        return cls(_Scale.around(x), _Scale.around(y))

    def left(self, x: float) -> str:
        return f"{50 + 650 * self.x.share(x):.1f}"

    def top(self, y: float) -> str:
        return f"{12 + 214 * (1 - self.y.share(y)):.1f}"

    def path(self, series: Series) -> str:
        """Return the points, joined, as an SVG path."""
        points = zip(series.x, series.y, strict=True)
        places = [f"{self.left(x)} {self.top(y)}" for x, y in points if math.isfinite(x + y)]
        return f"M{'L'.join(places)}" if places else ""


class _Picture(NamedTuple):
    uri: str
    width: int
    height: int


def _picture(strip: Strip) -> _Picture:
    """Lay images out in lines, as a PNG."""
    tiles = [_tile(image) for image in strip.images]
    width, height = tiles[0].size
    gap, n_lines = max(1, width // 16), math.ceil(len(tiles) / strip.columns)
    size = (strip.columns * (width + gap) - gap, n_lines * (height + gap) - gap)
    canvas = Image.new("RGBA", size)
    for place, tile in enumerate(tiles):
        line, column = divmod(place, strip.columns)
        canvas.paste(tile, (column * (width + gap), line * (height + gap)))
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return _Picture(uri, *size)


def _tile(image: NDArray[np.uint8]) -> Image.Image:
    """Turn (C, H, W) of 1 to 4 channels (L, LA, RGB, RGBA) into a picture of a tile's size."""
    channels = image.transpose(1, 2, 0)
    tile = Image.fromarray(channels[..., 0] if len(image) == 1 else channels).convert("RGBA")
    return tile.reduce(math.ceil(max(tile.size) / MAX_TILE))
