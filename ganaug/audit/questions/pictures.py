"""What real and synthetic samples look like, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganaug.audit.content import Gallery, Strip
from ganaug.audit.metrics import realism
from ganaug.audit.results import Measure
from ganaug.audit.samples import MIN_SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ganaug.audit.context import Context

__all__ = ["COLUMNS", "Pictures"]

COLUMNS = 8
"""Pictures per line: on a phone each is still about 40 pixels wide."""


@dataclass(frozen=True)
class PictureFigures:
    """How many samples each class had to draw pictures from."""

    real: dict[str, int | float]
    synthetic: dict[str, int | float]


class Pictures:
    """Samples drawn at random, and the most and least realistic ones."""

    name = "pictures"
    title = "Pictures: what do they look like?"

    def measure(self, context: Context) -> Measure | None:
        """Draw them; None for tables."""
        samples = context.samples
        if not samples.are_images:
            return None
        figures = PictureFigures(
            samples.by_class(samples.counts(samples.training)),
            samples.by_class(samples.counts(samples.synthetic)),
        )
        galleries = [_gallery(context, code, name) for code, name in context.names()]
        steps = [
            Strip(name, "", f"Interpolation within class {name}", images, len(images))
            for code, name in context.names()
            if (images := context.model.interpolations.get(code)) is not None and len(images)
        ]
        if steps:
            note = (
                "Steps between two latent points of one class. Smooth changes between plausible "
                "samples speak for a generator that has learnt the class; sudden jumps between a "
                "few shapes for one that repeats examples."
            )
            galleries.append(Gallery("Interpolations", tuple(steps), note))
        return Measure(figures, blocks=tuple(galleries))


def _gallery(context: Context, code: int, name: str) -> Gallery:
    samples = context.samples
    real, synthetic = samples.training.values, samples.synthetic.values
    rng = np.random.default_rng([context.seed, 2, code])
    own = rng.permutation(np.flatnonzero(samples.training.labels == code))
    made = np.flatnonzero(samples.synthetic.labels == code)
    drawn = rng.permutation(made)[: 2 * COLUMNS]
    kinds = [
        ("Real", real[own[: 2 * COLUMNS]], f"training samples, drawn at random of {len(own):,}"),
        ("Synthetic", synthetic[drawn], f"drawn at random of {len(made):,}"),
    ]
    if (scores := _realism(context, code)) is not None and len(made):
        ranked = made[np.argsort(-scores, kind="stable")]
        best, last = ranked[:COLUMNS], ranked[::-1][:COLUMNS]
        kinds += [
            ("Most realistic", synthetic[best], "synthetic, nearest to real samples"),
            ("Least realistic", synthetic[last], "synthetic, farthest from real samples"),
        ]
    strips = [
        Strip(label, note, f"{label} samples of class {name}", images, COLUMNS)
        for label, images, note in kinds
        if len(images)
    ]
    return Gallery(name, tuple(strips))


def _realism(context: Context, code: int) -> NDArray[np.float64] | None:
    """Score how realistic each synthetic sample of a class is; None where it is too small."""
    real, synthetic = context.real_features.of(code), context.synthetic_features.of(code)
    if not len(synthetic) or len(real) < MIN_SAMPLES:
        return None
    return realism(real, synthetic)
