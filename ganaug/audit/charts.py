"""The report's charts, as SVG that takes its colours from the page, and its picture strips.

Matplotlib draws with marker colours, which are then replaced by CSS variables: one chart serves
light mode, dark mode, and paper.
"""

from __future__ import annotations

import base64
import html
import io
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ganaug.checks import require_extra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

INK, MUTED, GRID, PAPER = "#0a0001", "#0a0002", "#0a0003", "#0a0004"
REAL, SYNTHETIC, ALARM = "#0a0005", "#0a0006", "#0a0007"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    PAPER: "var(--paper)",
    REAL: "var(--real)",
    SYNTHETIC: "var(--synthetic)",
    ALARM: "var(--poor)",
}
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called "$5"
    "svg.hashsalt": "ganaug",  # the same chart gives the same bytes
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0,
    "xtick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
}


class Chart:
    """One figure: use as a context, draw on `axes`, then take `svg`.

    Parameters
    ----------
    width, height : float
        Size in units of 100 CSS pixels.
    alt : str
        What the chart shows, for those who cannot see it.
    """

    def __init__(self, width: float, height: float, alt: str) -> None:
        self._matplotlib = require_extra("matplotlib", "report")
        self._alt = alt
        self._size = (width, height)
        self.svg = ""

    def __enter__(self) -> Chart:
        self._context = self._matplotlib.rc_context(_STYLE)
        self._context.__enter__()
        figure = require_extra("matplotlib.figure", "report").Figure
        self.figure = figure(figsize=self._size, dpi=100, layout="constrained")
        self.axes = self.figure.add_subplot()
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            buffer = io.StringIO()
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
            self.svg = _adapt(buffer.getvalue(), self._alt, self._size)
        self._context.__exit__(*error)


def _adapt(svg: str, alt: str, size: tuple[float, float]) -> str:
    """Make a standalone SVG fit into the page: its colours, fonts, size and name."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for marker, variable in _VARIABLES.items():
        svg = svg.replace(marker, variable)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    prefix = f"c{zlib.crc32(svg.encode()):08x}-"  # ids must differ within the page
    svg = re.sub(r' id="', f' id="{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg)
    width, height = (round(100 * side) for side in size)
    opening = (
        f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" '
        f'viewBox="0 0 {72 * size[0]:g} {72 * size[1]:g}" width="{width}" height="{height}">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)


# --- charts ------------------------------------------------------------------------------------


def histogram(synthetic: NDArray[Any], real: NDArray[Any], marks: Mapping[str, float]) -> str:
    """Draw how near synthetic samples, and real samples, are to their nearest training sample."""
    top = float(np.quantile(np.concatenate([synthetic, real]), 0.995))
    bins = np.linspace(0, max(top, 1.0), 41)
    alt = (
        "Histogram of distances to the nearest training sample, in multiples of the class's "
        f"median for real samples. Median of synthetic samples: {np.median(synthetic):.2f}, "
        f"of real samples: {np.median(real):.2f}."
    )
    with Chart(7.2, 2.9, alt) as chart:
        axes = chart.axes
        for samples, label, style in (
            (real, "real samples", {"histtype": "stepfilled", "color": REAL, "alpha": 0.35}),
            (synthetic, "synthetic samples", {"histtype": "step", "color": SYNTHETIC}),
        ):
            axes.hist(
                samples, bins, weights=np.full(len(samples), 100 / len(samples)), label=label,
                linewidth=1.8, **style,
            )  # fmt: skip
        axes.set_ylim(top=1.15 * axes.get_ylim()[1])  # room for the names of the marks
        for label, place in marks.items():
            axes.axvline(place, color=ALARM, linewidth=1, linestyle=(0, (4, 3)))
            axes.text(
                place, 0.97, f" {label}", color=ALARM, va="top", fontsize=9,
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip
        axes.set_xlabel("distance to the nearest training sample (1 = median of real samples)")
        axes.set_ylabel("% of samples")
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.legend(loc="upper right")
    return chart.svg


def training_chart(history: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> str:
    """Draw numbers of the training's records over images seen, with its alarms marked."""
    lines = {
        name: np.array([_number(record.get(name)) for record in history], dtype=float)
        for name in names
    }
    x = np.array([_number(record.get("images_seen")) for record in history], dtype=float) / 1000
    alarms = [
        (x[place], str(alarm["kind"]).replace("_", " "))
        for place, record in enumerate(history)
        for alarm in record.get("alarms") or ()
    ]
    alt = f"{title} over the training. " + " ".join(
        f"{_words(name)}: from {values[0]:.3g} to {values[-1]:.3g}."
        for name, values in lines.items()
    )
    alt += f" {len(alarms)} alarms." if alarms else " No alarms."
    with Chart(7.2, 2.9, alt) as chart:
        axes = chart.axes
        for (name, values), colour in zip(lines.items(), (SYNTHETIC, REAL, MUTED), strict=False):
            axes.plot(x, values, color=colour, label=_words(name), marker="o", markersize=3)
        _mark_alarms(axes, alarms)
        axes.set_title(title, loc="left", fontsize=10.5)
        axes.set_xlabel("real images seen, thousands")
        axes.tick_params(axis="y", labelcolor=MUTED)
        if len(lines) > 1 or alarms:
            axes.legend(fontsize=9)
    return chart.svg


def _mark_alarms(axes: Any, alarms: Sequence[tuple[float, str]]) -> None:
    """Draw a line at every alarm, and name their kinds in the legend."""
    style = {"color": ALARM, "linewidth": 1, "linestyle": (0, (4, 3))}
    for place in {place for place, _ in alarms}:
        axes.axvline(place, **style)
    kinds = sorted({kind for _, kind in alarms})
    if kinds:
        axes.plot([], [], label=f"alarm: {', '.join(kinds)}", **style)


def variety_chart(history: Sequence[Mapping[str, Any]]) -> str:
    """Draw each class's variety over the training; the least varied classes are named."""
    records = [record for record in history if record.get("variety")]
    names = list(records[-1]["variety"])
    x = [_number(record.get("images_seen")) / 1000 for record in records]
    last = sorted(names, key=lambda name: _number(records[-1]["variety"][name]))
    alt = (
        "Variety per class over the training, 1 as varied as real samples. At the end: "
        + ", ".join(f"{name} {_number(records[-1]['variety'][name]):.2f}" for name in names)
    )
    with Chart(7.2, 2.9, alt + ".") as chart:
        axes = chart.axes
        axes.axhline(1, color=REAL, linewidth=1)
        for name in names:
            values = [_number(record["variety"].get(name)) for record in records]
            axes.plot(x, values, color=SYNTHETIC, alpha=0.55, linewidth=1.2)
        axes.set_title("Variety per class (1: as real samples)", loc="left", fontsize=10.5)
        axes.set_xlabel("real images seen, thousands")
        axes.set_ylim(bottom=0)
        place = None
        for name in last[:2]:
            value, line = _number(records[-1]["variety"][name]), 0.07 * axes.get_ylim()[1]
            place = value if place is None else max(value, place + line)  # one above the other
            axes.annotate(
                str(name), (x[-1], place), xytext=(6, 0), va="center",
                textcoords="offset points", fontsize=9, annotation_clip=False,
            )  # fmt: skip
        axes.tick_params(axis="y", labelcolor=MUTED)
    return chart.svg


def feature_map(
    real: NDArray[Any], synthetic: NDArray[Any], labels: NDArray[np.int64], names: Sequence[str]
) -> str:
    """Draw real and synthetic samples on a plane; `labels` are those of the real samples."""
    alt = (
        f"Map of {len(real)} real and {len(synthetic)} synthetic samples by their features; those "
        "that look alike lie near one another."
    )
    with Chart(7.2, 5.4, alt) as chart:
        axes = chart.axes
        axes.scatter(*real.T, s=10, color=REAL, alpha=0.45, linewidths=0, label="real samples")
        axes.scatter(
            *synthetic.T, s=9, facecolors="none", edgecolors=SYNTHETIC, linewidths=0.9,
            label="synthetic samples",
        )  # fmt: skip
        for code in np.unique(labels):
            place = np.median(real[labels == code], axis=0)
            axes.text(
                *place, names[code], ha="center", va="center", weight="bold",
                path_effects=[_halo()],
            )  # fmt: skip
        axes.set_axis_off()
        chart.figure.legend(loc="outside upper left", ncols=2, fontsize=9.5, markerscale=1.6)
    return chart.svg


def _halo() -> Any:
    """Return an outline in the paper's colour, so that names stay readable over points."""
    effects = require_extra("matplotlib.patheffects", "report")
    return effects.withStroke(linewidth=3, foreground=PAPER)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


# --- pictures ----------------------------------------------------------------------------------


def picture_strip(images: NDArray[np.uint8], columns: int) -> tuple[str, int, int]:
    """Lay images out in samples; return a PNG as data URI, its width and height.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (n, C, H, W), C from 1 to 4.
    columns : int
        Images per sample; gaps, and places left over, are transparent.
    """
    n, _, height, width = images.shape
    gap = max(1, width // 16)
    n_lines = -(-n // columns)
    canvas = np.zeros(
        (n_lines * (height + gap) - gap, columns * (width + gap) - gap, 4), dtype=np.uint8
    )
    for place, image in enumerate(images):
        top, left = (place // columns) * (height + gap), (place % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = _to_rgba(image)
    buffer = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(buffer, format="PNG", optimize=True)
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return uri, canvas.shape[1], canvas.shape[0]


def _to_rgba(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn (C, H, W) of 1 to 4 channels (L, LA, RGB, RGBA) into (H, W, 4)."""
    channels = image.transpose(1, 2, 0)
    n_channels = channels.shape[2]
    colour = channels[..., [0, 0, 0]] if n_channels < 3 else channels[..., :3]
    opaque = np.full(channels.shape[:2], 255, dtype=np.uint8)
    alpha = channels[..., -1] if n_channels in (2, 4) else opaque
    return np.dstack([colour, alpha])
