"""What discriminator features are worth to a linear classifier, beside raw pixels and PCA.

One draw is so many images of each class, on which every arm learns whatever it learns, and which
its logistic regression is trained on; its penalty is chosen by cross-validation within them. Scored
on the development part.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tqdm.auto import tqdm

from benchmarks.data import TASKS, load_train, split_parts
from benchmarks.machine import one_thread
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, show_interval
from ganaug import GANAugmenter, GANFeatureExtractor

N_DRAWS = 5
TASK = "digits"
PER_CLASS = (10, 100)
PENALTIES = (0.001, 0.01, 0.1, 1.0)
RAW = "raw pixels"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how the GANs are trained."""
    parser.add_argument("--max-images", type=int, default=60_000)
    parser.add_argument("--generators", type=int, default=1)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {
        "max_images": options.max_images,
        "generators": options.generators,
        "per_class": PER_CLASS,
        "penalties": PENALTIES,
    }


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every arm in every draw."""
    scores: dict[str, dict[str, list[float]]] = {}
    for n in PER_CLASS:
        draws = [
            store.once(f"{n}-draw-{seed}", partial(run_draw, options, n, seed))
            for seed in tqdm(range(options.draws), desc=f"draws of {n}")
        ]
        scores[f"{n} per class"] = {arm: [draw[arm] for draw in draws] for arm in draws[0]}
    n_scored = TASKS[TASK].development_per_class * len(TASKS[TASK].counts)
    return {"n": {"development": n_scored}, "scores": scores}


def run_draw(options: argparse.Namespace, per_class: int, seed: int) -> dict[str, float]:
    """Score every arm on one draw."""
    task = TASKS[TASK]
    counts = (per_class,) * len(task.counts)
    images = load_train(TASK, options.data_dir)
    parts = split_parts(images, counts, task.development_per_class, seed)
    X, X_scored = (part.X.reshape(len(part.X), -1) for part in (parts.train, parts.development))

    def of_gan(max_images: int) -> GANFeatureExtractor:
        augmenter = GANAugmenter(
            image_shape=parts.train.X.shape[1:],
            n_generators=options.generators,
            max_images=max_images,
            filter=None,
            random_state=seed,
            device="cpu",
            verbose=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a GAN that is not trained
            return GANFeatureExtractor(augmenter).fit(X, parts.train.y)

    with one_thread():
        trained, untrained = of_gan(options.max_images).transform, of_gan(64).transform
        arms = {
            RAW: FunctionTransformer(),
            "PCA, 40 components": PCA(40, random_state=0),
            "discriminator": FunctionTransformer(trained),
            "discriminator of one step": FunctionTransformer(untrained),
            "raw pixels and discriminator": FeatureUnion(
                [("raw", FunctionTransformer()), ("gan", FunctionTransformer(trained))]
            ),
        }
        found = {}
        for name, features in arms.items():
            scale = StandardScaler() if name == RAW else make_pipeline(features, StandardScaler())
            search = GridSearchCV(
                LogisticRegression(max_iter=1000), {"C": PENALTIES}, cv=3, n_jobs=1
            )
            model = make_pipeline(scale, search).fit(X, parts.train.y)
            score = balanced_accuracy_score(parts.development.y, model.predict(X_scored))
            found[name] = round(float(score), 5)
    return found


def describe(result: Result) -> str:
    """Give the paired difference to raw pixels, in points of balanced accuracy."""
    scores = result["scores"]
    head = f"{TASKS[TASK].title}, {len(result['seeds'])} draws"
    accuracies = [f"{100 * np.mean(arms[RAW]):.1f}" for arms in scores.values()]
    lines = [[f"{RAW}, %", *accuracies]]
    for arm in next(iter(scores.values())):
        if arm != RAW:
            found = [difference(arms[arm], arms[RAW]) for arms in scores.values()]
            lines.append([arm, *map(show_interval, found)])
    return markdown([head, *scores], lines)
