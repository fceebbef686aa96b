"""What `GANAugmenter.fit_transform` does to a classifier: real images replaced by synthetic ones.

One draw is so many images of each class and a GAN. For each share the same images are replaced, as
the transformer does it, or merely removed, which tells what the synthetic ones are worth. Scored on
the development part.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks.data import TASKS, load_train, split_parts
from benchmarks.machine import one_thread
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, show_interval
from ganaug import GANAugmenter

N_DRAWS = 5
SHARES = (0.1, 0.2, 0.3, 0.5)
PER_CLASS = {"digits": 100, "mnist": 200, "fashion-mnist": 200}
N_COMPONENTS = 40
ALL_REAL = "all real"
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "SVC": SVC,
    "3 nearest neighbours": lambda: KNeighborsClassifier(3),
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=300)
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which task, and how long the GANs are trained."""
    parser.add_argument("--task", choices=PER_CLASS, required=True)
    parser.add_argument("--max-images", type=int, default=100_000)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"task": options.task, "max_images": options.max_images, "shares": SHARES}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every classifier in every draw."""
    draws = [
        store.once(f"draw-{seed}", partial(run_draw, options, seed))
        for seed in tqdm(range(options.draws), desc="draws")
    ]
    scores = {
        name: {arm: [draw[name][arm] for draw in draws] for arm in arms}
        for name, arms in draws[0].items()
    }
    return {"n": {"train per class": PER_CLASS[options.task]}, "scores": scores}


def run_draw(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Score every classifier on all images, and with a share of them replaced or removed."""
    task = TASKS[options.task]
    counts = (PER_CLASS[options.task],) * len(task.counts)
    images = load_train(options.task, options.data_dir)
    parts = split_parts(images, counts, task.development_per_class, seed)
    X, X_scored = (part.X.reshape(len(part.X), -1) for part in (parts.train, parts.development))
    y, y_scored = parts.train.y, parts.development.y

    def score(name: str, samples: Any, labels: Any) -> float:
        classifier: Any = CLASSIFIERS[name]()
        if X.shape[1] > 64:
            classifier = make_pipeline(PCA(N_COMPONENTS, random_state=0), classifier)
        predicted = classifier.fit(samples, labels).predict(X_scored)
        return float(balanced_accuracy_score(y_scored, predicted))

    scores = {name: {ALL_REAL: score(name, X, y)} for name in CLASSIFIERS}
    with tempfile.TemporaryDirectory() as cache_dir, one_thread():
        augmenter = GANAugmenter(
            image_shape=parts.train.X.shape[1:],
            max_images=options.max_images,
            random_state=seed,
            cache_dir=cache_dir,  # the shares have one GAN
            device="cpu",
            verbose=0,
        )
        for share in SHARES:
            mixer = clone(augmenter).set_params(mix_fraction=share)
            mixed = mixer.fit_transform(X, y)
            kept = (mixed == X).all(axis=1)
            for name, of_classifier in scores.items():
                of_classifier[f"{share:.0%} replaced"] = score(name, mixed, y)
                of_classifier[f"{share:.0%} removed"] = score(name, X[kept], y[kept])
    return scores


def describe(result: Result) -> str:
    """Give the paired difference to all images as they are, in points of balanced accuracy."""
    scores, n_draws = result["scores"], len(result["seeds"])
    title = TASKS[result["settings"]["task"]].title
    head = f"{title}, {result['n']['train per class']} images per class, {n_draws} draws"
    accuracies = [f"{100 * np.mean(arms[ALL_REAL]):.1f}" for arms in scores.values()]
    lines = [[f"{ALL_REAL}, %", *accuracies]]
    for arm in next(iter(scores.values())):
        if arm != ALL_REAL:
            found = [difference(arms[arm], arms[ALL_REAL]) for arms in scores.values()]
            lines.append([arm, *map(show_interval, found)])
    return markdown([head, *scores], lines)
