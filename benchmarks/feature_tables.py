r"""What a table GAN and a VAE are worth to scikit-learn's classifiers on feature tables.

One draw is a selection of training samples; every arm fills its classes up to the largest, or
to 400. The GAN's and the VAE's arms take the share behind ``@`` of what is added, and interpolate
the rest as the package does. Scored on a development part, by which shares and the VAE's options
are chosen, and on a test part. Further VAEs:

    python -m benchmarks feature_tables --vae sharp '{"beta": 0.1}' --arms interpolated sharp@0.5

MNIST, Fashion-MNIST and spoken digits are 40 principal components of their training images, found
anew in each draw. Of the tables that come with scikit-learn each draw takes all parts anew; their
columns are standardised by the training part. Classifiers are those of `benchmarks.pipelines`,
the forest with 30 trees.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from benchmarks.data import TASKS, Array, Images, Labels, draw_parts, load_test, split_parts
from benchmarks.machine import cpu_seconds, one_thread
from benchmarks.pipelines import CLASSIFIERS, DEVELOPMENT, TEST, USUAL_CLASSIFIERS
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, recalls, show_interval
from benchmarks.vae import VAEOptions, fit_vae
from ganaug import GANAugmenter, GANOverSampler

N_DRAWS = 5
N_COMPONENTS, N_TREES = 40, 30
NOTHING, INTERPOLATED, CEILING = "nothing", "interpolated", "further real"
IMBALANCED_LEARN = {"duplicates": RandomOverSampler, "SMOTE": SMOTE}
GAN, VAE = "GAN", "VAE"
MOST = 400
"""Larger classes are not filled up to: a forest takes too long."""
SHARES = (0.25, 0.5, 1.0)
GENERATED = tuple(f"{name}@{share:g}" for name in (GAN, VAE) for share in SHARES)
ARMS = (NOTHING, *IMBALANCED_LEARN, INTERPOLATED, *GENERATED, CEILING)
OF_IMAGES = ("mnist-small", "fashion-mnist-small", "spoken-digits", "digits")


class Bundled(NamedTuple):
    """A table that comes with scikit-learn: how many samples of each class are drawn."""

    title: str
    load: Callable[..., Any]
    counts: tuple[int, ...]
    held_out: int
    """Samples of each class in the development part, and as many in the test part."""


BUNDLED = {
    "breast-cancer": Bundled("breast cancer", load_breast_cancer, (20, 150), 50),
    "wine": Bundled("wine", load_wine, (15, 35, 8), 15),
    "iris": Bundled("iris", load_iris, (25, 15, 8), 12),
}
NAMES = (*OF_IMAGES, *BUNDLED)


@dataclass(frozen=True)
class Draw:
    """One draw of a table; values are float32, labels class codes."""

    seed: int
    train: Images
    development: Images
    test: Images
    further: Images
    """All that is left of the official training set, for the ceiling."""

    @property
    def missing(self) -> Array:
        """Samples that each class lacks."""
        counts = np.bincount(self.train.y)
        return np.maximum(min(MOST, counts.max()) - counts, 0)


# --- running -----------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add tables, arms, and how VAE and GAN are trained."""
    parser.add_argument("--tasks", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--arms", nargs="+", default=ARMS, help="GANs and VAEs as NAME@SHARE")
    parser.add_argument("--gan", type=json.loads, default={}, help="parameters that differ, JSON")
    parser.add_argument("--jobs", type=int, default=1, help="draws at a time")
    parser.add_argument("--vae", nargs=2, action="append", default=[], metavar=("NAME", "JSON"))


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    vaes = {name: asdict(found) for name, found in vaes_of(options).items()}
    return {"gan": options.gan, "vaes": vaes, "classifiers": list(USUAL_CLASSIFIERS)}


def vaes_of(options: argparse.Namespace) -> dict[str, VAEOptions]:
    """Give the options of all VAEs by name."""
    return {VAE: VAEOptions()} | {n: VAEOptions(**json.loads(text)) for n, text in options.vae}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every arm in every draw of every table."""
    scores: dict[str, dict[str, list[float]]] = {}
    n, seconds = {}, {}
    pairs = [(task, seed) for seed in range(options.draws) for task in options.tasks]
    draws = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(run_draw)(options, store, *pair) for pair in pairs
    )
    found = dict(zip(pairs, tqdm(draws, total=len(pairs), desc="draws"), strict=True))
    names = dict.fromkeys(arm.partition("@")[0] for arm in options.arms if "@" in arm)
    for task in options.tasks:
        draws = [found[task, seed] for seed in range(options.draws)]
        of = {arm: [draw["arms"][arm] for draw in draws] for arm in options.arms}
        scores[f"{task}, {DEVELOPMENT}"] = {
            arm: [_mean(record[DEVELOPMENT]) for record in records] for arm, records in of.items()
        }
        for i, name in enumerate(USUAL_CLASSIFIERS):
            scores[f"{task}, {name}, {TEST}"] = {
                arm: [record[TEST][i] for record in records] for arm, records in of.items()
            }
        n[task] = draws[0]["n"]
        seconds[task] = {name: [draw["cpu_seconds"][name] for draw in draws] for name in names}
    return {"n": n, "scores": scores, "cpu_seconds": seconds}


def run_draw(options: argparse.Namespace, store: Store, task: str, seed: int) -> dict[str, Any]:
    """Run all arms of a draw that the store does not have; a generator's arms share it."""
    draw = make_draw(task, options, seed)
    arms: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    by_name: dict[str, list[str]] = {}
    for arm in options.arms:
        by_name.setdefault(arm.partition("@")[0], []).append(arm)
    with one_thread():
        for name, group in by_name.items():
            # by its arms: an interrupted run may go on with further ones
            unit = f"{task}/{seed}/{'+'.join(group).replace(' ', '-')}"
            done = store.once(unit, partial(run_arms, options, draw, name, group))
            arms |= done["arms"]
            seconds[name] = done["cpu_seconds"]
    n = {"train": np.bincount(draw.train.y).tolist()}
    n |= {DEVELOPMENT: len(draw.development.y), TEST: len(draw.test.y)}
    return {"arms": arms, "n": n, "cpu_seconds": seconds}


def run_arms(options: argparse.Namespace, draw: Draw, name: str, arms: list[str]) -> dict[str, Any]:
    """Train what generates, if the arms need it, then every classifier on every arm."""
    shares = [arm.partition("@")[2] for arm in arms]
    before = cpu_seconds()
    sample = fit_generator(name, draw, options) if any(shares) else None
    seconds = round(cpu_seconds() - before, 1)
    found = {}
    for arm, share in zip(arms, shares, strict=True):
        if sample:
            counts = (float(share) * draw.missing).astype(int).tolist()
            found[arm] = judge(*filled(draw, Images(*sample(counts))), draw)
        else:
            found[arm] = judge(*without_generator(arm, draw), draw)
    return {"arms": found, "cpu_seconds": seconds}


def make_draw(task: str, options: argparse.Namespace, seed: int) -> Draw:
    """Draw a table's parts."""
    if task in BUNDLED:
        X, y = BUNDLED[task].load(return_X_y=True)
        counts, n = BUNDLED[task].counts, BUNDLED[task].held_out
        parts = split_parts(Images(X, y), counts, 2 * n, seed)
        held_out = parts.development  # by class: the first half of each is the development part
        is_test = np.tile(np.repeat([False, True], n), len(counts))
        halves = [Images(held_out.X[m], held_out.y[m]) for m in (~is_test, is_test)]
        transform = StandardScaler().fit(parts.train.X).transform
    else:
        parts = draw_parts(task, options.data_dir, seed)
        halves = [parts.development, load_test(task, options.data_dir)]
        pca = PCA(N_COMPONENTS, random_state=0).fit(_pixels(parts.train.X))
        transform = _pixels if task == "digits" else lambda X: pca.transform(_pixels(X))
    found = [
        Images(transform(p.X).astype(np.float32), p.y)
        for p in (parts.train, *halves, parts.further)
    ]
    return Draw(seed, *found)


def _pixels(X: Array) -> Array:
    return X.reshape(len(X), -1) / 255


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 5)


# --- the arms ----------------------------------------------------------------------------------


def fit_generator(
    name: str, draw: Draw, options: argparse.Namespace
) -> Callable[[list[int]], tuple[Array, Labels]]:
    """Train the GAN, with the package's defaults, or a VAE; give what samples counts by class."""
    X, y = draw.train
    if name == GAN:
        gan = GANAugmenter(random_state=draw.seed, device="cpu", verbose=0)
        gan.set_params(**options.gan).fit(X, y)
        return lambda counts: gan.sample({c: n for c, n in enumerate(counts) if n})
    vae = fit_vae(X, y, vaes_of(options)[name], draw.seed)
    return lambda counts: vae.sample(counts, draw.seed)


def without_generator(arm: str, draw: Draw) -> tuple[Array, Labels]:
    """Put the training samples of the other arms together."""
    if arm == NOTHING:
        return draw.train
    if arm in IMBALANCED_LEARN:
        totals = dict(enumerate(draw.missing + np.bincount(draw.train.y)))
        sampler = IMBALANCED_LEARN[arm](sampling_strategy=totals, random_state=draw.seed)
        X, y = sampler.fit_resample(*draw.train)
        return X, y
    if arm == INTERPOLATED:
        return filled(draw, Images(draw.train.X[:0], draw.train.y[:0]))
    if arm == CEILING:
        X, y = draw.further
        chosen = [np.flatnonzero(y == code)[:n] for code, n in enumerate(draw.missing)]
        return filled(draw, Images(X[np.concatenate(chosen)], y[np.concatenate(chosen)]))
    raise SystemExit(f"Arms must be NAME@SHARE or among {', '.join(ARMS)}. Got {arm} instead.")


def filled(draw: Draw, new: Images) -> tuple[Array, Labels]:
    """Add the new samples, and interpolate, as the package does, what is missing then."""
    totals = (
        draw.missing + np.bincount(draw.train.y) - np.bincount(new.y, minlength=len(draw.missing))
    )
    sampler = GANOverSampler(
        synthetic_share=0, sampling_strategy=dict(enumerate(totals)), random_state=draw.seed
    )
    X, y = sampler.fit_resample(*draw.train)
    return np.concatenate([X, new.X]), np.concatenate([y, new.y])


def judge(X: Array, y: Labels, draw: Draw) -> dict[str, list[float]]:
    """Give the balanced accuracy of every classifier on both parts."""
    found: dict[str, list[float]] = {DEVELOPMENT: [], TEST: []}
    for name in USUAL_CLASSIFIERS:
        classifier = CLASSIFIERS[name](draw.seed)
        classifier.set_params(**{"n_estimators": N_TREES} if name == "forest" else {}).fit(X, y)
        for part, held_out in ((DEVELOPMENT, draw.development), (TEST, draw.test)):
            predicted = classifier.predict(held_out.X)
            found[part].append(_mean(recalls(held_out.y, predicted, int(y.max()) + 1)))
    return found


# --- tables ------------------------------------------------------------------------------------


def title_of(task: str) -> str:
    """Name a table."""
    return BUNDLED[task].title if task in BUNDLED else TASKS[task].title


def mean_over_classifiers(result: Result, task: str) -> dict[str, list[float]]:
    """Average test scores over the classifiers, draw by draw."""
    tables = [result["scores"][f"{task}, {name}, {TEST}"] for name in USUAL_CLASSIFIERS]
    return {arm: np.mean([t[arm] for t in tables], axis=0).tolist() for arm in tables[0]}


def over_tables(found: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Average over tables, draw by draw."""
    return {arm: np.mean([scores[arm] for scores in found], axis=0).tolist() for arm in found[0]}


def describe(result: Result) -> str:
    """Give every arm beside interpolation: a column a table, and the mean of all."""
    by_task = {title_of(task): mean_over_classifiers(result, task) for task in result["n"]}
    by_task["mean"] = over_tables(list(by_task.values()))
    return _beside_interpolation("points, test, mean over classifiers", by_task)


def describe_development(result: Result) -> str:
    """Give the same on the development part."""
    by_task = {t: result["scores"][f"{t}, {DEVELOPMENT}"] for t in result["n"]}
    by_task = {title_of(task): scores for task, scores in by_task.items()}
    by_task["mean"] = over_tables(list(by_task.values()))
    return _beside_interpolation("points, development, mean over classifiers", by_task)


def describe_classifiers(result: Result) -> str:
    """Give every arm beside interpolation by classifier, mean over tables."""
    found = {
        name: over_tables([result["scores"][f"{task}, {name}, {TEST}"] for task in result["n"]])
        for name in USUAL_CLASSIFIERS
    }
    return _beside_interpolation("points, test, mean over tables", found)


def describe_pairs(result: Result) -> str:
    """Compare VAE and GAN at equal shares, and what their training takes."""
    by_task = {title_of(task): mean_over_classifiers(result, task) for task in result["n"]}
    by_task["mean"] = over_tables(list(by_task.values()))
    pairs = [(f"{VAE}@{share:g}", f"{GAN}@{share:g}") for share in SHARES]
    lines = [
        [task, *(show_interval(difference(scores[a], scores[b])) for a, b in pairs)]
        for task, scores in by_task.items()
    ]
    for line, task in zip(lines, result["n"], strict=False):
        seconds = result["cpu_seconds"][task]
        line += [f"{np.mean(seconds[name]):.0f}" for name in (VAE, GAN)]
    lines[-1] += ["", ""]
    heads = [f"{a} over {b}" for a, b in pairs]
    return markdown(["points (95% interval)", *heads, f"{VAE}, CPU s", f"{GAN}, CPU s"], lines)


def _beside_interpolation(head: str, found: dict[str, dict[str, list[float]]]) -> str:
    base = [f"{100 * np.mean(scores[INTERPOLATED]):.1f}" for scores in found.values()]
    lines = [[f"{INTERPOLATED}, %", *base]]
    for arm in next(iter(found.values())):
        if arm != INTERPOLATED:
            gains = [difference(scores[arm], scores[INTERPOLATED]) for scores in found.values()]
            lines.append([arm, *map(show_interval, gains)])
    return markdown([head, *found], lines)
