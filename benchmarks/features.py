"""What discriminator features are worth to a linear classifier and an SVC, beside pixels and PCA.

Every arm learns its features, and its classifiers, on the imbalanced training images of a draw;
the linear model's penalty is chosen by cross-validation within them. Test images. The GANs are
ganaug's default ones.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks.data import TASKS, Array, draw_parts, load_test
from benchmarks.machine import one_thread
from benchmarks.resamplers import GANAUG, Draw
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, show_interval
from ganaug import GANFeatureExtractor

N_DRAWS = 5
USUAL_TASKS = ("digits", "mnist-small", "fashion-mnist-small", "spoken-digits")
PENALTIES = (0.0001, 0.001, 0.01, 0.1)
RAW = "raw pixels"
UNTRAINED = "untrained"
GANS: dict[str, dict[str, Any]] = {GANAUG: {}, UNTRAINED: {"max_images": 64, "filter": None}}
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: GridSearchCV(
        LogisticRegression(class_weight="balanced", max_iter=200, tol=1e-3),
        {"C": PENALTIES},
        cv=3,
        scoring="balanced_accuracy",
    ),
    "SVC": lambda: SVC(class_weight="balanced"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add on what, and where trained GANs are kept."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=USUAL_TASKS)
    parser.add_argument("--cache-dir", type=Path, default=Path("data/gans"))


def settings(options: argparse.Namespace) -> dict[str, Any]:  # noqa: ARG001 - tasks can be added
    """What draws must have in common."""
    return {"gans": GANS, "penalties": PENALTIES}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every arm in every draw."""
    scores: dict[str, dict[str, list[float]]] = {}
    for task in options.tasks:
        draws = [
            run_draw(options, store, task, seed)
            for seed in tqdm(range(options.draws), desc=f"draws of {task}")
        ]
        for name in CLASSIFIERS:
            scores[f"{task}, {name}"] = {arm: [draw[arm][name] for draw in draws] for arm in ARMS}
    return {"n": {task: {"train": TASKS[task].counts} for task in options.tasks}, "scores": scores}


def run_draw(
    options: argparse.Namespace, store: Store, task: str, seed: int
) -> dict[str, dict[str, float]]:
    """Score every arm on one draw that the store does not have."""
    parts = draw_parts(task, options.data_dir, seed)
    draw = Draw(task, seed, parts, None, options.cache_dir, GANS)
    scored = load_test(task, options.data_dir)
    pixels = draw.X / 255, scored.X.reshape(len(scored.X), -1) / 255

    def run_arm(arm: str) -> dict[str, float]:
        with one_thread():
            train, test = ARMS[arm](draw, *pixels)
            if arm != RAW:
                scaler = StandardScaler().fit(train)
                train, test = scaler.transform(train), scaler.transform(test)
            return judge(train, draw.y, test, scored.y)

    return {
        arm: store.once(f"{task}-{seed}-{arm.replace(' ', '-')}", partial(run_arm, arm))
        for arm in ARMS
    }


def judge(train: Array, y: Array, test: Array, y_test: Array) -> dict[str, float]:
    """Give each classifier's balanced accuracy."""
    found = {}
    for name, make in CLASSIFIERS.items():
        score = balanced_accuracy_score(y_test, make().fit(train, y).predict(test))
        found[name] = round(float(score), 5)
    return found


# --- the arms ----------------------------------------------------------------------------------

Pair = tuple[Array, Array]
"""Training and scored images, as an arm sees them."""


def as_they_are(draw: Draw, train: Array, test: Array) -> Pair:  # noqa: ARG001
    """Leave pixels from 0 to 1."""
    return train, test


def by_pca(draw: Draw, train: Array, test: Array) -> Pair:  # noqa: ARG001
    """Take 40 principal components."""
    pca = PCA(40, random_state=0).fit(train)
    return pca.transform(train), pca.transform(test)


def by_gan(name: str) -> Callable[[Draw, Array, Array], Pair]:
    """Take the features of a GAN's discriminators, which wants the images as they came."""

    def features(draw: Draw, train: Array, test: Array) -> Pair:  # noqa: ARG001
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a GAN that is not trained
            extractor = GANFeatureExtractor(FrozenEstimator(draw.gan(name))).fit(draw.X, draw.y)
        images = np.rint(255 * test).astype(np.uint8)
        return extractor.transform(draw.X), extractor.transform(images)

    return features


def both(draw: Draw, train: Array, test: Array) -> Pair:
    """Put the trained discriminators' features behind the pixels."""
    of_gan = by_gan(GANAUG)(draw, train, test)
    return np.hstack([train, of_gan[0]]), np.hstack([test, of_gan[1]])


ARMS: dict[str, Callable[[Draw, Array, Array], Pair]] = {
    RAW: as_they_are,
    "raw pixels, standardised": as_they_are,
    "PCA, 40 components": by_pca,
    "discriminators of one step": by_gan(UNTRAINED),
    "discriminators": by_gan(GANAUG),
    "raw pixels and discriminators": both,
}
"""All but the first are standardised."""


def describe(result: Result) -> str:
    """Give the paired difference to raw pixels, in points of balanced accuracy."""
    n_draws = len(result["seeds"])
    scores = result["scores"]
    arms = [arm for arm in next(iter(scores.values())) if arm != RAW]
    lines = []
    for name, of_arm in scores.items():
        task, classifier = name.split(", ")
        cells = [show_interval(difference(of_arm[arm], of_arm[RAW])) for arm in arms]
        lines.append([TASKS[task].title, classifier, f"{100 * np.mean(of_arm[RAW]):.1f}", *cells])
    return markdown([f"{n_draws} draws, test", "classifier", f"{RAW}, %", *arms], lines)
