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
            store.once(f"{task}-{seed}", partial(run_draw, options, task, seed))
            for seed in tqdm(range(options.draws), desc=f"draws of {task}")
        ]
        for name in CLASSIFIERS:
            scores[f"{task}, {name}"] = {
                arm: [draw[arm][name] for draw in draws] for arm in draws[0]
            }
    return {"n": {task: {"train": TASKS[task].counts} for task in options.tasks}, "scores": scores}


def run_draw(options: argparse.Namespace, task: str, seed: int) -> dict[str, dict[str, float]]:
    """Score every arm on one draw."""
    parts = draw_parts(task, options.data_dir, seed)
    draw = Draw(task, seed, parts, None, options.cache_dir, GANS)
    scored = load_test(task, options.data_dir)
    X_scored = scored.X.reshape(len(scored.X), -1)
    with one_thread():
        return {
            arm: judge(train, draw.y, test, scored.y)
            for arm, (train, test) in features_of(draw, X_scored).items()
        }


def features_of(draw: Draw, X_scored: Array) -> dict[str, tuple[Array, Array]]:
    """Give what every arm makes of the training and of the scored images."""
    both = draw.X, X_scored
    of_gan = {name: tuple(map(_extractor(draw, name).transform, both)) for name in GANS}
    pca = PCA(40, random_state=0).fit(draw.X / 255)
    raw = draw.X / 255, X_scored / 255
    return {
        RAW: raw,
        "PCA, 40 components": (pca.transform(raw[0]), pca.transform(raw[1])),
        "discriminators": of_gan[GANAUG],
        "discriminators of one step": of_gan[UNTRAINED],
        "raw pixels and discriminators": tuple(
            map(np.hstack, zip(raw, of_gan[GANAUG], strict=True))
        ),
    }


def _extractor(draw: Draw, name: str) -> GANFeatureExtractor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a GAN that is not trained
        return GANFeatureExtractor(FrozenEstimator(draw.gan(name))).fit(draw.X, draw.y)


def judge(train: Array, y: Array, test: Array, y_test: Array) -> dict[str, float]:
    """Give each classifier's balanced accuracy on standardised features."""
    scaler = StandardScaler().fit(train)
    found = {}
    for name, make in CLASSIFIERS.items():
        classifier = make().fit(scaler.transform(train), y)
        score = balanced_accuracy_score(y_test, classifier.predict(scaler.transform(test)))
        found[name] = round(float(score), 5)
    return found


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
