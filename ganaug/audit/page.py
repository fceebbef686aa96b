"""The audit as one HTML page: fills the template with formatted figures and pictures."""

from __future__ import annotations

import html
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from ganaug._version import __version__
from ganaug.audit import charts, wording
from ganaug.audit.audit import nearest_first
from ganaug.audit.findings import ASPECTS
from ganaug.checks import require_extra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ganaug.audit.audit import Labelled
    from ganaug.audit.report import AuditArrays

COLUMNS = 8
"""Pictures per line: on a phone each is still about 40 pixels wide."""
MAX_TILE = 64
"""Larger pictures are scaled down to this many pixels."""
MAX_MAP_ROWS = 600
"""Most real, and most synthetic rows on the map."""
N_REAL_PAIRS = 6
MAX_CHART_CLASSES = 40
"""Charts by class are left out for more classes than this; the tables hold them all."""

_OPENINGS = [*(aspect.capitalize() for aspect in ASPECTS), "Duplicates", "Bias", "Training",
             "Not measured", "Held-out rows", "Sampling", "Downstream gain"]  # fmt: skip


def render_html(audit: Mapping[str, Any], arrays: AuditArrays) -> str:
    """Return the audit as the text of one HTML page."""
    jinja2 = require_extra("jinja2", "report")
    require_extra("matplotlib", "report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "number": wording.number,
        "percent": wording.percent,
        "interval": lambda scores: wording.interval(scores["low"], scores["high"]),
        "p": wording.p_value,
        "gap": wording.gap,
        "points": wording.points,
        "prose": _prose,
    }
    environment.filters.update(filters)
    template = resources.files("ganaug.audit").joinpath("report.html.j2")
    text: str = environment.from_string(template.read_text(encoding="utf-8")).render(
        audit=audit,
        aspects=ASPECTS,
        measures=wording.MEASURES,
        tests=wording.TESTS,
        charts=_draw_charts(audit, arrays),
        galleries=_galleries(arrays),
        interpolations=_interpolations(arrays),
        pairs=_nearest_pairs(audit, arrays),
        version=__version__,
    )
    return text


def _prose(sentence: str) -> str:
    """Mark up a sentence: the aspect that it opens with, and `names` of parameters."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(sentence))
    return re.sub(rf"^({'|'.join(_OPENINGS)})(?=[:,])", r"<b>\1</b>", text)


# --- charts ------------------------------------------------------------------------------------


def _draw_charts(audit: Mapping[str, Any], arrays: AuditArrays) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "measures": _measure_charts(audit),
        "distances": _distance_chart(arrays),
        "training": _training_charts(audit["history"]),
        "map": _map(arrays),
        "shares": None,
    }
    if len(audit["classes"]) <= MAX_CHART_CLASSES:
        drawn["shares"] = charts.share_chart(audit["balance"])
    return drawn


def _measure_charts(audit: Mapping[str, Any]) -> list[str]:
    if len(audit["classes"]) > MAX_CHART_CLASSES:
        return []
    drawn = []
    for words in wording.MEASURES:
        rows = {
            name: _value_and_floor(figures["measures"].get(words.key))
            for name, figures in audit["classes"].items()
        }
        if any(rows.values()):
            drawn.append(charts.dot_chart(words.label, rows, limits=words.limits))
    recalls = {
        name: _pair(
            figures["usefulness"]["trained_on_synthetic"], figures["usefulness"]["trained_on_real"]
        )
        for name, figures in audit["classes"].items()
    }
    if any(recalls.values()):
        title = "Recall of a classifier trained on it"
        drawn.append(charts.dot_chart(title, recalls, limits=(-0.02, 1.02)))
    return drawn


def _value_and_floor(
    scores: Mapping[str, Any] | None,
) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
    if not scores or "reason" in scores:
        return None
    real = {
        "value": scores["floor"],
        "low": scores["floor_low"],
        "high": scores["floor_high"],
    }
    return scores, real


def _pair(
    scores: Mapping[str, Any], floor: Mapping[str, Any]
) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
    return None if "reason" in scores or "reason" in floor else (scores, floor)


def _distance_chart(arrays: AuditArrays) -> str | None:
    screen = arrays.screen
    medians = {
        code: figures.median_reference
        for code, figures in screen.per_class.items()
        if figures.median_reference
    }
    known = np.isin(screen.reference_labels, list(medians))
    scale = np.array([medians[code] for code in screen.reference_labels[known].tolist()])
    synthetic = screen.relative_distances[np.isfinite(screen.relative_distances)]
    if not len(scale) or not len(synthetic):
        return None
    real = screen.reference_distances[known] / scale
    return charts.histogram(synthetic, real, {"near-copies": 0.3})


def _training_charts(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Draw losses, distance and variety; one network at a time where there were several."""
    if len(history) < 2:
        return []
    drawn = []
    for record in _runs(history):
        names = {name for entry in record for name in entry}
        losses = [name for name in ("generator_loss", "discriminator_loss") if name in names]
        if losses:
            drawn.append(charts.training_chart(record, losses, "Losses"))
        if "distance" in names:
            drawn.append(charts.training_chart(record, ["distance"], "Distance to real rows"))
        if any(entry.get("variety") for entry in record):
            drawn.append(charts.variety_chart(record))
    return drawn


def _runs(history: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Cut the records where the count of images starts anew: another network."""
    runs: list[list[Mapping[str, Any]]] = []
    for record in history:
        if not runs or record.get("images_seen", 0) <= runs[-1][-1].get("images_seen", 0):
            runs.append([])
        runs[-1].append(record)
    return [run for run in runs if len(run) > 1]


def _map(arrays: AuditArrays) -> str | None:
    """Lay some real and synthetic rows out on a plane, alike ones near one another (t-SNE)."""
    from sklearn.manifold import TSNE

    rng = np.random.default_rng([arrays.seed, 1])
    real = _spread(arrays.real_features, rng)
    synthetic = _spread(arrays.synthetic_features, rng)
    points = np.concatenate([real.values, synthetic.values])
    if len(points) < 40:
        return None
    plane = TSNE(
        perplexity=min(30.0, len(points) / 4),
        max_iter=500,
        init="pca",
        random_state=arrays.seed % 2**32,
        n_jobs=1,
    ).fit_transform(points)
    n = len(real.labels)
    return charts.feature_map(plane[:n], plane[n:], real.labels, arrays.parts.class_names)


def _spread(rows: Labelled, rng: np.random.Generator) -> Labelled:
    """Draw rows, as many of each class as there are, up to an even share of the map."""
    codes = np.unique(rows.labels)
    per_class = max(2, MAX_MAP_ROWS // len(codes))
    chosen = [rng.permutation(np.flatnonzero(rows.labels == code))[:per_class] for code in codes]
    return rows.take(np.concatenate(chosen))


# --- pictures ----------------------------------------------------------------------------------


def _galleries(arrays: AuditArrays) -> list[dict[str, Any]]:
    """Per class: real, synthetic, most and least realistic rows."""
    parts = arrays.parts
    if parts.training.values.ndim != 4:
        return []
    galleries = []
    for code, name in enumerate(parts.class_names):
        rng = np.random.default_rng([arrays.seed, 2, code])
        real = rng.permutation(np.flatnonzero(parts.training.labels == code))[: 2 * COLUMNS]
        rows = np.flatnonzero(parts.synthetic.labels == code)
        drawn = rng.permutation(rows)[: 2 * COLUMNS]
        ranked = rows[np.argsort(-arrays.realism[rows], kind="stable")]
        known = np.isfinite(arrays.realism[rows]).all()
        kinds = [
            ("Real", parts.training.values[real], "training rows, drawn at random"),
            ("Synthetic", parts.synthetic.values[drawn], "drawn at random"),
        ]
        if known and len(rows):
            synthetic = parts.synthetic.values
            kinds += [
                ("Most realistic", synthetic[ranked[:COLUMNS]], "synthetic, nearest to real rows"),
                (
                    "Least realistic",
                    synthetic[ranked[::-1][:COLUMNS]],
                    "synthetic, farthest from real rows",
                ),
            ]
        strips = [
            _strip(images, f"{label} rows of class {name}") | {"label": label, "note": note}
            for label, images, note in kinds
            if len(images)
        ]
        galleries.append({"name": name, "strips": strips})
    return galleries


def _interpolations(arrays: AuditArrays) -> list[dict[str, Any]]:
    return [
        _strip(images, f"Interpolation within class {name}", columns=len(images)) | {"label": name}
        for code, name in enumerate(arrays.parts.class_names)
        if (images := arrays.interpolations.get(code)) is not None and len(images)
    ]


def _nearest_pairs(audit: Mapping[str, Any], arrays: AuditArrays) -> dict[str, Any]:
    """Draw the synthetic rows nearest to training rows, and real rows likewise."""
    parts, screen = arrays.parts, arrays.screen
    if parts.training.values.ndim != 4:
        return {"synthetic": [], "real": []}
    training = parts.training.values
    synthetic = [
        _strip(
            np.stack([parts.synthetic.values[row], training[screen.nearest[row]]]),
            f"Synthetic row {row}, and training row {screen.nearest[row]}, nearest to it",
            columns=2,
        )
        | {"class": pair["class"], "distance": pair["relative_distance"]}
        for row, pair in zip(
            nearest_first(parts, screen), audit["copying"]["nearest_pairs"], strict=True
        )
        if pair["relative_distance"] is not None
    ]
    return {"synthetic": synthetic, "real": _nearest_real_pairs(arrays)}


def _nearest_real_pairs(arrays: AuditArrays) -> list[dict[str, Any]]:
    parts, screen = arrays.parts, arrays.screen
    relative = np.full(len(screen.reference_labels), np.inf)
    for code, figures in screen.per_class.items():
        if figures.median_reference:
            members = screen.reference_labels == code
            relative[members] = screen.reference_distances[members] / figures.median_reference
    pairs: dict[frozenset[tuple[bool, int]], dict[str, Any]] = {}
    for place in np.argsort(relative, kind="stable").tolist():
        if len(pairs) == N_REAL_PAIRS or not np.isfinite(relative[place]):
            break
        code = int(screen.reference_labels[place])
        is_held_out = screen.per_class[code].reference == "holdout"
        source = parts.holdout if is_held_out and parts.holdout is not None else parts.training
        row, nearest = int(screen.reference_rows[place]), int(screen.reference_nearest[place])
        kind = "Held-out" if is_held_out else "Training"
        strip = _strip(
            np.stack([source.values[row], parts.training.values[nearest]]),
            f"{kind} row {row}, and training row {nearest}, nearest to it",
            columns=2,
        )
        # Two training rows are often nearest to each other: they are shown once.
        pairs.setdefault(
            frozenset([(is_held_out, row), (False, nearest)]),
            strip | {"class": parts.class_names[code], "distance": float(relative[place])},
        )
    return list(pairs.values())


def _strip(images: NDArray[np.uint8], alt: str, columns: int = COLUMNS) -> dict[str, Any]:
    uri, width, height = charts.picture_strip(_scaled_down(images), columns)
    return {"uri": uri, "width": width, "height": height, "alt": alt}


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
    averaged: NDArray[np.uint8] = blocks.mean(axis=(3, 5)).round().astype(np.uint8)
    return averaged
