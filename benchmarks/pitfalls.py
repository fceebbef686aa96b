"""What common mistakes with added samples do to a score, beside the right way.

Each draw takes 120 noisy threes and 40 noisy eights of the digits; all other threes and eights are
untouched until the end. Three mistakes make an estimate too high: over-sampling before the split,
frames of one object on both sides of a split, and judging the best of many by the scores that
chose it. The fourth makes probabilities wrong: classes that were brought to equal size.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks.data import Array
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference
from ganaug import GANAugmenter, GANOverSampler

N_DRAWS = 30
N_GAN_DRAWS = 5
"""As many draws at most of the mistake for which GANs are trained; the others have no score."""
COUNTS = {3: 120, 8: 40}
RARE = 8
NOISE = 6.0
"""Standard deviation of the noise on pixels of 0 to 16: makes the task hard."""
N_FOLDS = 5
N_FRAMES = 4
"""Pictures of one object, each with noise of its own."""
TRUTH = "on untouched images"
OVER_SAMPLING, PROBABILITIES = "over-sampling", "probabilities"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how long the GANs are trained."""
    parser.add_argument("--max-images", type=int, default=30_000)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"max_images": options.max_images, "frames": N_FRAMES}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score by each way of finding it out, for each mistake."""
    scores = {}
    for mistake, measure in MISTAKES.items():
        trains_gans = mistake == OVER_SAMPLING
        n_draws = min(options.draws, N_GAN_DRAWS) if trains_gans else options.draws
        given = {"max_images": options.max_images} if trains_gans else {}
        draws = [
            store.once(f"{mistake}-{seed}".replace(" ", "-"), partial(measure, seed, **given))
            for seed in tqdm(range(n_draws), desc=mistake)
        ]
        left_out = [None] * (options.draws - n_draws)
        scores[mistake] = {way: [d[way] for d in draws] + left_out for way in draws[0]}
    return {"n": {"train": list(COUNTS.values())}, "scores": scores}


# --- over-sampling before the split --------------------------------------------------------------


def score_over_sampling(seed: int, max_images: int) -> dict[str, float]:
    """Let held-out images take part in the over-sampling, in two ways, and not."""
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
    return scores | {TRUTH: score(fitted, X_untouched, y_untouched)}


def resample_before_the_split(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Cross-validate a classifier on samples that were over-sampled as a whole."""
    X_resampled, y_resampled = clone(sampler).fit_resample(X, y)
    return float(np.mean(cross_validated(SVC(), X_resampled, y_resampled, folds(seed))))


def train_the_gan_before_the_split(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Add samples to the training part of each fold only, of a GAN trained on all images."""
    trained_on_all = clone(sampler)
    trained_on_all.fit_resample(X, y)
    scores = []
    for train, held_out in folds(seed).split(X, y):
        X_more, y_more = trained_on_all.augmenter_.augment(X[train], y[train], synthetic_share=0.25)
        scores.append(score(SVC().fit(X_more, y_more), X[held_out], y[held_out]))
    return float(np.mean(scores))


def keep_it_in_the_pipeline(sampler: GANOverSampler, X: Array, y: Array, seed: int) -> float:
    """Let each fold train a GAN of its own, on its training part."""
    pipeline = make_pipeline(clone(sampler), SVC())
    return float(np.mean(cross_validated(pipeline, X, y, folds(seed))))


WAYS: dict[str, Callable[[GANOverSampler, Array, Array, int], float]] = {
    "resampled before the split": resample_before_the_split,
    "GAN trained before the split": train_the_gan_before_the_split,
    "over-sampler in the pipeline": keep_it_in_the_pipeline,
}


# --- frames of one object on both sides of a split -----------------------------------------------


def score_frames(seed: int) -> dict[str, float]:
    """Split several frames of each object at random, and object by object."""
    X, y, X_untouched, y_untouched = draw(seed, noise=0)
    rng = np.random.default_rng(seed)
    frames, objects = np.repeat(X, N_FRAMES, axis=0), np.repeat(np.arange(len(X)), N_FRAMES)
    frames = noisy(frames, rng)
    of_frames = np.repeat(y, N_FRAMES)
    pipeline = make_pipeline(RandomOverSampler(random_state=seed), SVC())
    by_object = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    ways = {
        "frames of one object on both sides": {"cv": folds(seed)},
        "frames of one object kept together": {"cv": by_object, "groups": objects},
    }
    scores = {
        name: float(np.mean(cross_validated(pipeline, frames, of_frames, **split)))
        for name, split in ways.items()
    }
    fitted = clone(pipeline).fit(frames, of_frames)
    return scores | {TRUTH: score(fitted, noisy(X_untouched, rng), y_untouched)}


# --- judging the best of many by the scores that chose it ----------------------------------------


def score_the_best_of_many(seed: int) -> dict[str, float]:
    """Give the best remedy's mean over folds, and that of choosing by the folds which are left."""
    X, y, X_untouched, y_untouched = draw(seed)
    remedies = [make_pipeline(sampler, SVC()) for sampler in samplers(seed)]
    by_fold = np.array([cross_validated(remedy, X, y, folds(seed)) for remedy in remedies])
    best = int(by_fold.mean(axis=1).argmax())
    others = (by_fold.sum(axis=1, keepdims=True) - by_fold).argmax(axis=0)  # per fold
    return {
        "the best of nine, by the scores that chose it": float(by_fold[best].mean()),
        "chosen for each fold by the other folds": float(
            np.mean([by_fold[choice, fold] for fold, choice in enumerate(others)])
        ),
        TRUTH: score(remedies[best].fit(X, y), X_untouched, y_untouched),
    }


def samplers(seed: int) -> list[Any]:
    """Nine remedies that train no GAN."""
    return [
        "passthrough",
        RandomOverSampler(random_state=seed),
        RandomUnderSampler(random_state=seed),
        SMOTE(random_state=seed),
        BorderlineSMOTE(random_state=seed),
        ADASYN(random_state=seed),
        *(
            GANOverSampler(
                image_shape=(8, 8), synthetic_share=0, augmentation=kind, random_state=seed
            )
            for kind in ("affine", "interpolation", "mixed")
        ),
    ]


# --- probabilities of classes that were brought to equal size ------------------------------------


def mean_probabilities(seed: int) -> dict[str, float]:
    """Give the mean probability of the rare class on images with the share of it in training."""
    X, y, X_untouched, y_untouched = draw(seed)
    n_rare = min(np.sum(y_untouched == RARE), np.sum(y_untouched != RARE) // 3)
    rare, frequent = (np.flatnonzero((y_untouched == RARE) == is_rare) for is_rare in (True, False))
    X_scored = X_untouched[np.concatenate([rare[:n_rare], frequent[: 3 * n_rare]])]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    filled = make_pipeline(RandomOverSampler(random_state=seed), classifier)
    ways = {
        "after nothing": classifier,
        "after filling up": filled,
        "after filling up, calibrated around the pipeline": CalibratedClassifierCV(
            filled, cv=folds(seed)
        ),
    }
    probabilities = {
        name: float(way.fit(X, y).predict_proba(X_scored)[:, -1].mean())
        for name, way in ways.items()
    }
    return probabilities | {"true share": COUNTS[RARE] / sum(COUNTS.values())}


# --- what they share -----------------------------------------------------------------------------


def draw(seed: int, noise: float = NOISE) -> tuple[Array, Array, Array, Array]:
    """Draw noisy, imbalanced images; all others are left untouched."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, list(COUNTS))], y[np.isin(y, list(COUNTS))]
    X = noisy(X, rng, noise)
    shuffled = {label: rng.permutation(np.flatnonzero(y == label)) for label in COUNTS}
    chosen = np.concatenate([shuffled[label][:n] for label, n in COUNTS.items()])
    others = np.concatenate([shuffled[label][n:] for label, n in COUNTS.items()])
    return X[chosen], y[chosen], X[others], y[others]


def noisy(X: Array, rng: np.random.Generator, noise: float = NOISE) -> Array:
    """Add noise to every pixel."""
    return X + noise * rng.standard_normal(X.shape)


def folds(seed: int) -> StratifiedKFold:
    """Make the same folds for all ways."""
    return StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)


def cross_validated(estimator: Any, X: Array, y: Array, cv: Any, groups: Any = None) -> Array:
    """Give the balanced accuracy on every fold."""
    scored: Array = cross_val_score(
        estimator, X, y, cv=cv, groups=groups, scoring="balanced_accuracy", error_score="raise"
    )
    return scored


def score(fitted: Any, X: Array, y: Array) -> float:
    """Give the balanced accuracy of what is fitted."""
    return float(balanced_accuracy_score(y, fitted.predict(X)))


MISTAKES: dict[str, Callable[..., dict[str, float]]] = {
    OVER_SAMPLING: score_over_sampling,
    "frames": score_frames,
    "the best of many": score_the_best_of_many,
    PROBABILITIES: mean_probabilities,
}


def describe(result: Result) -> str:
    """Give the estimates, and by how much they are too high."""
    lines = [
        line
        for mistake, scores in result["scores"].items()
        if mistake != PROBABILITIES
        for line in _compared(scores, TRUTH)
    ]
    return markdown(["", "balanced accuracy, %", "too high by"], lines)


def describe_probabilities(result: Result) -> str:
    """Give the mean probability of the rare class, and by how much it is too high."""
    lines = _compared(result["scores"][PROBABILITIES], "true share")
    return markdown(
        ["logistic regression", "mean probability of the rare class, %", "too high by"], lines
    )


def _compared(measured: Mapping[str, list[Any]], truth: str) -> list[list[str]]:
    scores = {way: [v for v in values if v is not None] for way, values in measured.items()}
    lines = []
    for way in (way for way in scores if way != truth):
        error = difference(scores[way], scores[truth])
        too_high = f"{error.mean:+.1f} ({error.low:+.1f} to {error.high:+.1f})"
        lines.append([way, f"{100 * np.mean(scores[way]):.1f}", too_high])
    return [*lines, [f"*{truth}*", f"{100 * np.mean(scores[truth]):.1f}", ""]]
