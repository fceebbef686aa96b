"""A map of real and synthetic samples: alike ones lie near one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganaug.audit.charts import feature_map

if TYPE_CHECKING:
    from ganaug.audit.context import Context
    from ganaug.audit.samples import Labelled

__all__ = ["draw_map"]

MAX_MAP_SAMPLES = 600
"""Most real, and most synthetic samples on the map."""


def draw_map(context: Context) -> str:
    """Lay some real and synthetic samples out on a plane (t-SNE); empty where there are few."""
    from sklearn.manifold import TSNE

    rng = np.random.default_rng([context.seed, 1])
    real = _spread(context.real_features, rng)
    synthetic = _spread(context.synthetic_features, rng)
    points = np.concatenate([real.values, synthetic.values])
    if len(points) < 40:
        return ""
    plane = TSNE(
        perplexity=min(30.0, len(points) / 4),
        max_iter=500,
        init="pca",
        random_state=context.seed % 2**32,
        n_jobs=1,
    ).fit_transform(points)
    n = len(real.labels)
    return feature_map(plane[:n], plane[n:], real.labels, context.samples.class_names)


def _spread(samples: Labelled, rng: np.random.Generator) -> Labelled:
    """Draw samples, as many of each class as there are, up to an even share of the map."""
    codes = np.unique(samples.labels)
    per_class = max(2, MAX_MAP_SAMPLES // len(codes))
    chosen = [rng.permutation(np.flatnonzero(samples.labels == code))[:per_class] for code in codes]
    return samples.take(np.concatenate(chosen))
