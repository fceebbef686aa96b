"""What real and synthetic samples look like, side by side."""

from __future__ import annotations

import numpy as np

from ganaug.audit.content import Gallery, Strip
from ganaug.audit.context import Context
from ganaug.audit.metrics import realism
from ganaug.audit.results import Measure
from ganaug.audit.samples import MIN_SAMPLES

NAME = "pictures"
TITLE = "Pictures: what do they look like?"
PLACE = 20

COLUMNS = 8
"""Pictures per line: on a phone each is still about 40 pixels wide."""
_STEPS = (
    "Steps between two latent points of one class. Smooth changes between plausible samples speak "
    "for a generator that has learnt the class; sudden jumps between a few shapes for one that "
    "repeats examples."
)


def measure(context: Context) -> Measure | None:
    """Draw samples at random, and the most and least realistic ones; None for tables."""
    samples, interpolations = context.samples, context.model.interpolations
    if not samples.are_images:
        return None
    galleries = [_gallery(context, code, name) for code, name in context.names()]
    steps = tuple(
        Strip(name, "", f"Interpolation within class {name}", interpolations[code], n)
        for code, name in context.names()
        if (n := len(interpolations.get(code, ())))
    )
    if steps:
        galleries.append(Gallery("Interpolations", steps, _STEPS))
    figures = {"shape": samples.training.values.shape[1:], "n_interpolations": len(steps)}
    return Measure(figures, blocks=tuple(galleries))


def _gallery(context: Context, code: int, name: str) -> Gallery:
    samples = context.samples
    real, synthetic = samples.training.values, samples.synthetic.values
    rng = np.random.default_rng([context.seed, 2, code])
    own = rng.permutation(np.flatnonzero(samples.training.labels == code))
    made = np.flatnonzero(samples.synthetic.labels == code)
    drawn = rng.permutation(made)[: 2 * COLUMNS]
    kinds = [
        ("Real", real[own[: 2 * COLUMNS]], f"training images, drawn at random of {len(own):,}"),
        ("Synthetic", synthetic[drawn], f"drawn at random of {len(made):,}"),
    ]
    features = context.real_features.of(code)
    if len(made) and len(features) >= MIN_SAMPLES:
        scores = realism(features, context.synthetic_features.of(code))
        ranked = made[np.argsort(-scores, kind="stable")]
        best, last = ranked[:COLUMNS], ranked[::-1][:COLUMNS]
        kinds += [
            ("Most realistic", synthetic[best], "synthetic, nearest to real images"),
            ("Least realistic", synthetic[last], "synthetic, farthest from real images"),
        ]
    strips = [
        Strip(label, note, f"{label} images of class {name}", images, COLUMNS)
        for label, images, note in kinds
        if len(images)
    ]
    return Gallery(name, tuple(strips))
