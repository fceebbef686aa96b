"""What features of a GAN's discriminators are worth on an enlarged training set.

To classifiers as they come: the remedies "enlarged" and "features" of `evaluate_gain`, test images.

And where that comes from: a linear model on such features beside one and an SVC on pixels, features
of networks of one step, and the package's small network, which warps its images anew in every pass.
The training images are as they are, filled up by the mix, or enlarged; penalties are chosen on the
development part. These GANs are the default ones, three of each draw, and have seen the real images
only; that of the remedy is one, and has seen the enlarged set.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks import resamplers
from benchmarks.data import TASKS, Array, Images, draw_parts, load_test
from benchmarks.machine import cpu_seconds, one_thread
from benchmarks.pipelines import CLASSIFIERS, USUAL_CLASSIFIERS
from benchmarks.resamplers import ENLARGED, GANAUG, MIXED, NOTHING, Draw, Training
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, show_interval
from ganaug import GANAugmenter, GANFeatureExtractor
from ganaug.gain.network import SmallNetworkClassifier, network_steps
from ganaug.gain.remedies import FEATURES_IMAGES, Task, find_remedy, make_pipeline

N_DRAWS = 3
USUAL_TASKS = ("digits", "mnist-small", "fashion-mnist-small", "spoken-digits")
UNTRAINED, REMEDY = "untrained", "of the remedy"
GANS: dict[str, dict[str, Any]] = {GANAUG: {}, UNTRAINED: {"max_images": 64, "filter": None}}
FEATURE_PENALTIES = (0.0001, 0.001, 0.01)
PIXEL_PENALTIES = (0.01, 0.1, 1.0)
SVC_PENALTIES = (1.0, 10.0)
REMEDIES = ("enlarged", "features")
LINEAR = {"class_weight": "balanced", "max_iter": 200, "tol": 1e-3}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add on what, which arms, and where trained GANs are kept."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=USUAL_TASKS)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=tuple(ARMS))
    parser.add_argument("--part", choices=("development", "test"), default="test")
    parser.add_argument("--gan", type=json.loads, default={}, help="of the remedy: JSON")
    parser.add_argument("--cache-dir", type=Path, default=Path("data/gans"))


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {
        "gans": gans_of(options),
        "part": options.part,
        "penalties": [FEATURE_PENALTIES, PIXEL_PENALTIES, SVC_PENALTIES],
    }


def gans_of(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Give the parameters of all GANs by name."""
    return GANS | {REMEDY: {"n_generators": 1, "max_images": FEATURES_IMAGES} | options.gan}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every arm in every draw."""
    scores: dict[str, dict[str, list[Any]]] = {}
    seconds: dict[str, dict[str, list[float]]] = {}
    for task in options.tasks:
        draws = [
            run_draw(options, store, task, seed)
            for seed in tqdm(range(options.draws), desc=f"draws of {task}")
        ]
        scores[task] = {arm: [draw[arm]["score"] for draw in draws] for arm in options.arms}
        seconds[task] = {arm: [draw[arm]["seconds"] for draw in draws] for arm in options.arms}
    n = {task: {"train": TASKS[task].counts} for task in options.tasks}
    return {"n": n, "scores": scores, "cpu_seconds": seconds}


def run_draw(
    options: argparse.Namespace, store: Store, task: str, seed: int
) -> dict[str, dict[str, float]]:
    """Score every arm on one draw that the store does not have."""
    parts, gans = draw_parts(task, options.data_dir, seed), gans_of(options)
    draw = Draw(task, seed, parts, None, options.cache_dir, gans)
    is_test = options.part == "test"
    scored = load_test(task, options.data_dir) if is_test else parts.development

    def run_arm(arm: str) -> dict[str, float]:
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of GANs that are not trained, fits that go on
            before = cpu_seconds()
            score = ARMS[arm](draw, draw.parts.development, scored)
            return {"score": round(score, 5), "seconds": round(cpu_seconds() - before, 1)}

    return {
        arm: store.once(f"{task}-{seed}-{arm.replace(' ', '-')}", partial(run_arm, arm))
        for arm in options.arms
    }


# --- the arms ----------------------------------------------------------------------------------

Arm = Callable[[Draw, Images, Images], float]
"""(draw, development part, test set) -> balanced accuracy."""


def by_pixels(sampling: str, make: Callable[..., Any], penalties: Sequence[float]) -> Arm:
    """Let a classifier see pixels from 0 to 1."""

    def arm(draw: Draw, development: Images, test: Images) -> float:
        training = resamplers.make(sampling, draw)
        X = [training.X / 255, *(_flat(part.X) / 255 for part in (development, test))]
        return _best(make, penalties, X, training.y, development.y, test.y)

    return arm


def by_features(sampling: str, extract: Callable[[Draw, Training], Any]) -> Arm:
    """Let a linear model see standardised features."""

    def arm(draw: Draw, development: Images, test: Images) -> float:
        training = resamplers.make(sampling, draw)
        extractor = extract(draw, training)
        images = (np.rint(training.X).astype(np.uint8), _flat(development.X), _flat(test.X))
        features = [extractor.transform(part).astype(np.float32) for part in images]
        scaler = StandardScaler().fit(features[0])
        X = [scaler.transform(part) for part in features]
        make = partial(LogisticRegression, **LINEAR)
        return _best(make, FEATURE_PENALTIES, X, training.y, development.y, test.y)

    return arm


def of_gan(name: str, n_generators: int = 3) -> Callable[[Draw, Training], Any]:
    """Take discriminators that were trained on the real images."""

    def extract(draw: Draw, training: Training) -> Any:  # noqa: ARG001
        gan = draw.gan(name)
        gan.model_.gans = gan.model_.gans[:n_generators]
        return GANFeatureExtractor(FrozenEstimator(gan)).fit(draw.X, draw.y)

    return extract


def by_remedy(remedy: str, classifier: str) -> Arm:
    """Use a remedy of `evaluate_gain` with a classifier as it comes."""

    def arm(draw: Draw, development: Images, test: Images) -> float:  # noqa: ARG001
        gan = GANAugmenter(
            image_shape=draw.image_shape,
            value_range=(0, 1),
            **draw.gans[REMEDY],
            cache_dir=draw.cache_dir / "recipe",  # classifiers share it
            device="cpu",
            verbose=0,
        )
        task = Task(draw.seed, is_image=True, n_axes=2, augmenter=gan)
        found = find_remedy(remedy)
        assert found is not None
        pipeline = make_pipeline(found, task, CLASSIFIERS[classifier](draw.seed))
        pipeline.fit((draw.X / 255).astype(np.float32), draw.y)
        predicted = pipeline.predict((_flat(test.X) / 255).astype(np.float32))
        return float(balanced_accuracy_score(test.y, predicted))

    return arm


def by_network(draw: Draw, development: Images, test: Images) -> float:  # noqa: ARG001
    """Train the package's small network, which augments for itself."""
    network = SmallNetworkClassifier(n_steps=network_steps(len(draw.y)), random_state=draw.seed)
    network.fit(draw.parts.train.X, draw.y)
    return float(balanced_accuracy_score(test.y, network.predict(test.X)))


def _best(
    make: Callable[..., Any],
    penalties: Sequence[float],
    X: Sequence[Array],
    y: Array,
    y_development: Array,
    y_test: Array,
) -> float:
    """Score on the test set what is best on the development part."""
    found = []
    for penalty in penalties:
        classifier = make(C=penalty).fit(X[0], y)
        predicted = [classifier.predict(part) for part in X[1:]]
        found.append(
            (
                balanced_accuracy_score(y_development, predicted[0]),
                balanced_accuracy_score(y_test, predicted[1]),
            )
        )
    return float(max(found)[1])


def _flat(X: Array) -> Array:
    return X.reshape(len(X), -1)


_linear = partial(LogisticRegression, **LINEAR)
BEST_ON_PIXELS = "SVC, pixels, enlarged"
SOURCES: dict[str, Arm] = {
    "linear, pixels": by_pixels(NOTHING, _linear, PIXEL_PENALTIES),
    "linear, pixels, enlarged": by_pixels(ENLARGED, _linear, PIXEL_PENALTIES),
    BEST_ON_PIXELS: by_pixels(ENLARGED, SVC, SVC_PENALTIES),
    "linear, features": by_features(NOTHING, of_gan(GANAUG)),
    "linear, features, mixed": by_features(MIXED, of_gan(GANAUG)),
    "linear, features, enlarged": by_features(ENLARGED, of_gan(GANAUG)),
    "linear, features of one GAN, enlarged": by_features(ENLARGED, of_gan(GANAUG, 1)),
    "linear, features of one step, enlarged": by_features(ENLARGED, of_gan(UNTRAINED)),
    "small network, augmenting": by_network,
}
ARMS = SOURCES | {f"{c}, {r}": by_remedy(r, c) for c in USUAL_CLASSIFIERS for r in REMEDIES}


def describe(result: Result) -> str:
    """Give what the remedy adds to "enlarged", by classifier."""
    lines = []
    for task, scores in result["scores"].items():
        arms = {c: [f"{c}, {r}" for r in REMEDIES] for c in USUAL_CLASSIFIERS}
        found = {
            c: [scores[a] for a in pair] for c, pair in arms.items() if scores.keys() >= {*pair}
        }
        if not found:
            continue
        found["mean"] = np.mean(list(found.values()), axis=0).tolist()
        for classifier, (enlarged, features) in found.items():
            means = [f"{100 * np.mean(values):.1f}" for values in (enlarged, features)]
            gain = show_interval(difference(features, enlarged))
            lines.append([TASKS[task].title, classifier, *means, gain])
    part = result["settings"].get("part", "test")
    head = f"balanced accuracy, %, {part}, {len(result['seeds'])} draws"
    columns = ["classifier as it comes", *REMEDIES, "difference (95% interval)"]
    return markdown([head, *columns], lines)


def describe_sources(result: Result) -> str:
    """Give the linear model's scores, and the paired difference to an SVC on enlarged pixels."""
    lines = []
    run_arms = set.intersection(*(set(scores) for scores in result["scores"].values()))
    for arm in (arm for arm in SOURCES if arm in run_arms):
        cells = []
        for scores in result["scores"].values():
            cells.append(f"{100 * np.mean(scores[arm]):.1f}")
            if arm != BEST_ON_PIXELS:
                cells[-1] += f"; {show_interval(difference(scores[arm], scores[BEST_ON_PIXELS]))}"
        lines.append([arm, *cells])
    titles = [TASKS[task].title for task in result["scores"]]
    head = f"balanced accuracy, %, test, {len(result['seeds'])} draws; over the SVC (95% interval)"
    return markdown([head, *titles], lines)
