"""What two mistakes with synthetic rows do to a cross-validated score.

    python -m benchmarks.pitfalls --out benchmarks/results/pitfalls.json

Both let rows that the classifier is judged by take part in the over-sampling. Each seed draws 120
noisy threes and 40 noisy eights of scikit-learn's digits; all other threes and eights, untouched
until the end, give the score that the classifier in fact has. ``docs/pitfalls.md`` has the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks.machine import describe_machine
from ganaug import GANAugmenter, GANOverSampler
from ganaug.gain.intervals import paired_interval

Array = npt.NDArray[Any]

COUNTS = {3: 120, 8: 40}
NOISE = 6.0
"""Standard deviation of the noise on pixels of 0 to 16: makes the task hard."""
N_FOLDS = 5


def main() -> None:
    """Run the measurements, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--max-images", type=int, default=30_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    scores = [measure(seed, options.max_images) for seed in tqdm(range(options.seeds))]
    results = {
        "machine": describe_machine(),
        "counts": COUNTS,
        "max_images": options.max_images,
        "scores": {way: [score[way] for score in scores] for way in scores[0]},
    }
    print(describe(results))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measure(seed: int, max_images: int) -> dict[str, float]:
    """Give the balanced accuracy by each way of finding it out, for one draw of rows."""
    X, y, X_untouched, y_untouched = draw(seed)
    with tempfile.TemporaryDirectory() as cache_dir:  # GANs that several ways need are trained once
        augmenter = GANAugmenter(
            image_shape=(8, 8), width=16, max_images=max_images, device="cpu", verbose=0
        )
        sampler = GANOverSampler(augmenter, random_state=seed, cache_dir=cache_dir)
        scores = {name: way(sampler, X, y, seed) for name, way in WAYS.items()}
        fitted = make_pipeline(sampler, SVC()).fit(X, y)
    scores["truth"] = balanced_accuracy_score(y_untouched, fitted.predict(X_untouched))
    return {name: float(score) for name, score in scores.items()}


def resample_before_the_split(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Cross-validate a classifier on rows that were over-sampled as a whole."""
    X_resampled, y_resampled = clone(sampler).fit_resample(X, y)
    return cross_validated(SVC(), X_resampled, y_resampled, seed)


def train_the_gan_before_the_split(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Add rows to the training part of each fold only, of a GAN that was trained on all rows."""
    trained_on_all = clone(sampler)
    trained_on_all.fit_resample(X, y)
    scores = []
    for train, held_out in folds(seed).split(X, y):
        X_more, y_more = trained_on_all.augmenter_.augment(X[train], y[train])
        predicted = SVC().fit(X_more, y_more).predict(X[held_out])
        scores.append(balanced_accuracy_score(y[held_out], predicted))
    return float(np.mean(scores))


def keep_it_in_the_pipeline(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Let each fold train a GAN of its own, on its training part."""
    return cross_validated(make_pipeline(clone(sampler), SVC()), X, y, seed)


WAYS: dict[str, Callable[[GANOverSampler, Array, Array, int], float]] = {
    "resampled before the split": resample_before_the_split,
    "GAN trained before the split": train_the_gan_before_the_split,
    "over-sampler in the pipeline": keep_it_in_the_pipeline,
}


def draw(seed: int) -> tuple[Array, Array, Array, Array]:
    """Draw noisy, imbalanced rows; all others are left untouched."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, list(COUNTS))], y[np.isin(y, list(COUNTS))]
    X = X + NOISE * rng.standard_normal(X.shape)
    shuffled = {label: rng.permutation(np.flatnonzero(y == label)) for label in COUNTS}
    rows = np.concatenate([shuffled[label][:n] for label, n in COUNTS.items()])
    others = np.concatenate([shuffled[label][n:] for label, n in COUNTS.items()])
    return X[rows], y[rows], X[others], y[others]


def folds(seed: int) -> StratifiedKFold:
    """Make the same folds for all ways."""
    return StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)


def cross_validated(estimator: Any, X: Array, y: Array, seed: int) -> float:
    """Give the mean balanced accuracy over the folds."""
    scores = cross_val_score(
        estimator, X, y, cv=folds(seed), scoring="balanced_accuracy", error_score="raise"
    )
    return float(scores.mean())


def describe(results: dict[str, Any]) -> str:
    """Make the Markdown table."""
    scores = results["scores"]
    lines = ["| | balanced accuracy, % | too high by |", "|---|---|---|"]
    for way in WAYS:
        error = paired_interval(scores[way], scores["truth"])
        lines.append(
            f"| {way} | {100 * np.mean(scores[way]):.1f} | {100 * error.mean:+.1f} "
            f"[{100 * error.low:+.1f}, {100 * error.high:+.1f}] |"
        )
    lines.append(f"| *on untouched rows* | {100 * np.mean(scores['truth']):.1f} | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
