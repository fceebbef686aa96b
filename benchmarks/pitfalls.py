"""What two mistakes with synthetic samples do to a cross-validated score.

Both let samples that the classifier is judged by take part in the over-sampling. Each draw takes
120 noisy threes and 40 noisy eights of the digits; all other threes and eights, untouched
until the end, give the score that the classifier in fact has.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks.data import Array
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference
from ganaug import GANAugmenter, GANOverSampler

N_DRAWS = 10
COUNTS = {3: 120, 8: 40}
NOISE = 6.0
"""Standard deviation of the noise on pixels of 0 to 16: makes the task hard."""
N_FOLDS = 5
TRUTH = "on untouched images"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how long the GANs are trained."""
    parser.add_argument("--max-images", type=int, default=30_000)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"max_images": options.max_images}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score by each way of finding it out."""
    draws = [
        store.once(f"draw-{seed}", partial(measure, seed, options.max_images))
        for seed in tqdm(range(options.draws))
    ]
    scores = {way: [draw[way] for draw in draws] for way in draws[0]}
    return {"n": {"train": list(COUNTS.values())}, "scores": {"balanced accuracy": scores}}


def measure(seed: int, max_images: int) -> dict[str, float]:
    """Give the balanced accuracy by each way of finding it out, for one draw."""
    X, y, X_untouched, y_untouched = draw(seed)
    with tempfile.TemporaryDirectory() as cache_dir:  # GANs that several ways need are trained once
        augmenter = GANAugmenter(
            image_shape=(8, 8), width=16, max_images=max_images, device="cpu", verbose=0
        )
        sampler = GANOverSampler(
            augmenter, synthetic_share=0.25, random_state=seed, cache_dir=cache_dir
        )
        scores = {name: way(sampler, X, y, seed) for name, way in WAYS.items()}
        fitted = make_pipeline(sampler, SVC()).fit(X, y)
    scores[TRUTH] = balanced_accuracy_score(y_untouched, fitted.predict(X_untouched))
    return {name: float(score) for name, score in scores.items()}


def resample_before_the_split(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Cross-validate a classifier on samples that were over-sampled as a whole."""
    X_resampled, y_resampled = clone(sampler).fit_resample(X, y)
    return cross_validated(SVC(), X_resampled, y_resampled, seed)


def train_the_gan_before_the_split(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Add samples to the training part of each fold only, of a GAN trained on all images."""
    trained_on_all = clone(sampler)
    trained_on_all.fit_resample(X, y)
    scores = []
    for train, held_out in folds(seed).split(X, y):
        X_more, y_more = trained_on_all.augmenter_.augment(X[train], y[train], synthetic_share=0.25)
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
    """Draw noisy, imbalanced images; all others are left untouched."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, list(COUNTS))], y[np.isin(y, list(COUNTS))]
    X = X + NOISE * rng.standard_normal(X.shape)
    shuffled = {label: rng.permutation(np.flatnonzero(y == label)) for label in COUNTS}
    chosen = np.concatenate([shuffled[label][:n] for label, n in COUNTS.items()])
    others = np.concatenate([shuffled[label][n:] for label, n in COUNTS.items()])
    return X[chosen], y[chosen], X[others], y[others]


def folds(seed: int) -> StratifiedKFold:
    """Make the same folds for all ways."""
    return StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)


def cross_validated(estimator: Any, X: Array, y: Array, seed: int) -> float:
    """Give the mean balanced accuracy over the folds."""
    scores = cross_val_score(
        estimator, X, y, cv=folds(seed), scoring="balanced_accuracy", error_score="raise"
    )
    return float(scores.mean())


def describe(result: Result) -> str:
    """Give the scores, and what is wrong with them."""
    (scores,) = result["scores"].values()
    lines = []
    for way in WAYS:
        error = difference(scores[way], scores[TRUTH])
        too_high = f"{error.mean:+.1f} ({error.low:+.1f} to {error.high:+.1f})"
        lines.append([way, f"{100 * np.mean(scores[way]):.1f}", too_high])
    lines.append([f"*{TRUTH}*", f"{100 * np.mean(scores[TRUTH]):.1f}", ""])
    return markdown(["", "balanced accuracy, %", "too high by"], lines)
