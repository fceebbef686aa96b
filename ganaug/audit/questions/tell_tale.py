"""Whether synthetic images can be told from real ones by how they look, not by what they show.

Models that tell real from synthetic images, as a two-sample test: Lopez-Paz and Oquab, "Revisiting
classifier two-sample tests", ICLR 2017.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from ganaug.audit.content import Paragraph, Table, figure
from ganaug.audit.context import Context
from ganaug.audit.judging import graded
from ganaug.audit.results import Estimate, Finding, Level, Measure, Missing
from ganaug.audit.samples import Array, Labelled

NAME = "tell_tale"
TITLE = "Tell-tales: do they look processed?"
PLACE = 35

MOST_SAMPLES = 1000  # of each side: enough for an interval of two hundredths
LEAST_SAMPLES = 40
MOST_PIXELS = 32
N_FOLDS, N_BOOTSTRAPS = 5, 200
DOUBTFUL_AUC, POOR_AUC = 0.75, 0.95

_LABELS = {
    "statistics": "Low-level statistics, linear model",
    "forest": "Pixels, forest",
}
_MEANING = (
    "Samples that stand in rare classes only must not look processed: a classifier would learn "
    "'looks processed = rare class'. The area under the ROC curve, cross-validated, of models that "
    "tell synthetic from real images of the same classes: 0.5 is a guess, 1 means always told. "
    "The first model sees no picture, but brightness, contrast, shares of black and white, "
    "edges and noise. "
)


def measure(context: Context) -> Measure | Missing | None:
    """Train the models on as many real as synthetic images of each class."""
    samples = context.samples
    if not samples.are_images:
        return None
    rng = context.stream("tell-tale")
    real, synthetic = samples.holdout or samples.training, samples.synthetic
    chosen = _same_classes(real, synthetic, rng)
    n = chosen.shape[1]
    if n < LEAST_SAMPLES:
        return Missing(f"{n} pairs of real and synthetic images; {LEAST_SAMPLES} are needed")
    values = np.concatenate([real.values[chosen[0]], synthetic.values[chosen[1]]])
    is_synthetic = np.repeat([0, 1], n)
    statistics = low_level_statistics(values)
    seed = int(rng.integers(2**31))
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    forest = RandomForestClassifier(min_samples_leaf=3, random_state=seed)
    found = {
        "statistics": _area(linear, statistics, is_synthetic, seed, rng),
        "forest": _area(forest, _pixels(values), is_synthetic, seed, rng),
    }
    most = _most_telling(statistics, is_synthetic)
    lines = [[_LABELS[kind], figure(area)] for kind, area in found.items()]
    blocks = (
        Paragraph(f"{_MEANING}The most telling statistic alone: {most}."),
        Table.of("Area under the ROC curve, with 95% intervals.", ("Model", "Area"), lines),
    )
    return Measure(found, (_finding(found["statistics"], most),), blocks)


STATISTICS = ("brightness", "contrast", "share of black", "share of white", "edges", "noise")


def low_level_statistics(values: Array) -> NDArray[np.float64]:
    """Return statistics of images that say little about what they show: (n, 6).

    Examples
    --------
    >>> low_level_statistics(np.zeros((2, 1, 8, 8), dtype=np.uint8))[0].tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    pixels = values.astype(np.float64)
    low, high = pixels.min(), max(pixels.max(), 1.0)
    axes = (1, 2, 3)
    down, right = (np.abs(np.diff(pixels, axis=axis)).mean(axes) for axis in (2, 3))
    columns = (
        pixels.mean(axes),
        pixels.std(axes),
        (pixels == low).mean(axes),
        (pixels == high).mean(axes),
        down + right,
        np.abs(np.diff(pixels, 2, axis=2)).mean(axes),
    )
    return np.stack(columns, axis=1)


def _pixels(values: Array) -> Array:
    """Return pixels, 0 to 1; means of blocks where there are more than 32 a side."""
    block = math.ceil(max(values.shape[2:]) / MOST_PIXELS)
    pooled = functional.avg_pool2d(torch.from_numpy(values).float(), block, ceil_mode=True)
    pixels: Array = pooled.flatten(1).numpy() / np.float32(255)
    return pixels


def _same_classes(
    real: Labelled, synthetic: Labelled, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw positions (2, n) of as many real as synthetic images of each class."""
    share = min(1.0, MOST_SAMPLES / min(len(real.labels), len(synthetic.labels)))
    drawn = [np.empty((2, 0), dtype=np.int64)]
    for code in np.intersect1d(real.labels, synthetic.labels):
        members = [rng.permutation(np.flatnonzero(s.labels == code)) for s in (real, synthetic)]
        n = int(np.ceil(share * min(map(len, members))))
        drawn.append(np.stack([positions[:n] for positions in members]))
    return np.concatenate(drawn, axis=1)


def _area(
    model: Any, features: Array, is_synthetic: Array, seed: int, rng: np.random.Generator
) -> Estimate:
    """Cross-validate a model that tells the two apart; bootstrap the interval over images."""
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    shares = cross_val_predict(model, features, is_synthetic, cv=folds, method="predict_proba")
    scores, n = shares[:, 1], len(shares) // 2
    areas = []
    for _ in range(N_BOOTSTRAPS):
        drawn = np.concatenate([rng.integers(n, size=n), n + rng.integers(n, size=n)])
        areas.append(roc_auc_score(is_synthetic[drawn], scores[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return Estimate(float(roc_auc_score(is_synthetic, scores)), float(low), float(high), n)


def _most_telling(statistics: Array, is_synthetic: Array) -> str:
    """Name the statistic that tells best alone, and how it differs."""
    areas = np.array([roc_auc_score(is_synthetic, column) for column in statistics.T])
    best = int(np.abs(areas - 0.5).argmax())
    direction = "higher" if areas[best] > 0.5 else "lower"
    area = max(areas[best], 1 - areas[best])
    return f"{STATISTICS[best]}, {direction} in synthetic images (area {area:.2f})"


def _finding(area: Estimate, most: str) -> Finding:
    level = graded(area.low, DOUBTFUL_AUC, POOR_AUC)
    if level is Level.FINE:
        return Finding(
            level, "Tell-tales: low-level statistics tell synthetic images hardly apart."
        )
    text = (
        f"Tell-tales: low-level statistics tell synthetic from real images (area {area.value:.2f}, "
        f"0.5 is a guess), above all {most}."
    )
    advice = "Keep the synthetic share small, or train longer: classifiers may learn these traces."
    return Finding(level, text, advice)
