"""Whether synthetic images can be told from real ones by how they look, not by what they show."""

from __future__ import annotations

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

from ganaug.audit.content import Paragraph, figure_table
from ganaug.audit.context import Context
from ganaug.audit.judging import graded
from ganaug.audit.results import Estimate, Figures, Finding, Level, Measure, Missing, Question
from ganaug.audit.samples import Array, Labelled

MOST_SAMPLES = 1000  # of each side: enough for an interval of two hundredths
LEAST_SAMPLES = 40
MOST_PIXELS = 32
N_FOLDS, N_BOOTSTRAPS = 5, 200
DOUBTFUL_AUC, POOR_AUC = 0.75, 0.95

_LABELS = {
    "statistics": "Low-level statistics, linear model",
    "linear": "Pixels, linear model",
    "forest": "Pixels, forest",
}
_MEANING = (
    "Samples that stand in rare classes only must not look processed: a classifier would learn "
    "'looks processed = rare class'. The area under the ROC curve, cross-validated, of models that "
    "tell synthetic from real images of the same classes: 0.5 is a guess, 1 means always told. "
    "The first model sees no picture, but brightness, contrast, shares of black and white, "
    "edges and noise. "
)


class TellTale:
    """Models that tell real from synthetic images, as a two-sample test.

    References
    ----------
    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
    """

    name = "tell_tale"
    title = "Tell-tales: do they look processed?"
    place = 35

    def measure(self, context: Context) -> Measure | Missing | None:
        """Train the models on as many real as synthetic images of each class."""
        samples = context.samples
        if samples.training.values.ndim == 2:
            return None
        rng = context.stream("tell-tale")
        real = samples.holdout if samples.holdout is not None else samples.training
        chosen = _same_classes(real, samples.synthetic, rng)
        n = len(chosen[0])
        if n < LEAST_SAMPLES:
            return Missing(f"{n} pairs of real and synthetic images; {LEAST_SAMPLES} are needed")
        values = np.concatenate([real.values[chosen[0]], samples.synthetic.values[chosen[1]]])
        is_synthetic = np.repeat([0, 1], n)
        told: dict[str, Array] = {"statistics": low_level_statistics(values)}
        told |= dict.fromkeys(("linear", "forest"), _pixels(values))
        seed = int(rng.integers(2**31))
        found = {
            kind: _area(kind, features, is_synthetic, seed, rng) for kind, features in told.items()
        }
        level = graded(found["statistics"].low, DOUBTFUL_AUC, POOR_AUC)
        most = _most_telling(told["statistics"], is_synthetic)
        blocks = (
            Paragraph(f"{_MEANING}The most telling statistic alone: {most}."),
            figure_table(
                "Area under the ROC curve, with 95% intervals.", _LABELS, Figures(found, {})
            ),
        )
        return Measure(Figures(found, {}), (_finding(level, found["statistics"], most),), blocks)


QUESTION: Question = TellTale()

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
    down, right = np.diff(pixels, axis=2), np.diff(pixels, axis=3)
    second = np.diff(pixels, 2, axis=2)
    columns = (
        pixels.mean(axes),
        pixels.std(axes),
        (pixels == low).mean(axes),
        (pixels == high).mean(axes),
        np.abs(down).mean(axes) + np.abs(right).mean(axes),
        np.abs(second).mean(axes),
    )
    return np.stack(columns, axis=1)


def _pixels(values: Array) -> Array:
    """Return pixels, 0 to 1; means of blocks where there are more than 32 a side."""
    block = max(1, -(-max(values.shape[2:]) // MOST_PIXELS))
    pooled = functional.avg_pool2d(torch.from_numpy(values).float(), block, ceil_mode=True)
    pixels: Array = pooled.flatten(1).numpy() / np.float32(255)
    return pixels


def _same_classes(
    real: Labelled, synthetic: Labelled, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw positions of as many real as synthetic images of each class."""
    share = min(1.0, MOST_SAMPLES / min(len(real.labels), len(synthetic.labels)))
    drawn: tuple[list[Array], list[Array]] = ([], [])
    for code in np.intersect1d(real.labels, synthetic.labels):
        members = [rng.permutation(np.flatnonzero(s.labels == code)) for s in (real, synthetic)]
        n = int(np.ceil(share * min(map(len, members))))
        for positions, found in zip(drawn, members, strict=True):
            positions.append(found[:n])
    none = np.empty(0, dtype=np.int64)
    return np.concatenate([none, *drawn[0]]), np.concatenate([none, *drawn[1]])


def _area(
    kind: str, features: Array, is_synthetic: Array, seed: int, rng: np.random.Generator
) -> Estimate:
    """Cross-validate a model that tells the two apart; bootstrap the interval over images."""
    model = (
        RandomForestClassifier(min_samples_leaf=3, random_state=seed)
        if kind == "forest"
        else make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    )
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(model, features, is_synthetic, cv=folds, method="predict_proba")[
        :, 1
    ]
    n = len(scores) // 2
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


def _finding(level: Level, area: Estimate, most: str) -> Finding:
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
