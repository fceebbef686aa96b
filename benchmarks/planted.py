"""Whether `evaluate_gain` sees through generators whose worth is known.

Each takes the GAN's place in a race of remedies, and adds half of what enlarges the classes.
*real images* returns images that nobody has used, what an ideal GAN would make; *duplicates* the
training images, as a GAN that learnt them by heart; *shuffled labels* unused images of any class
under the name of the one asked for. The classifiers choose on the training images alone. The truth
is what a generator is worth over the best remedy without it, on untouched images.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.base import BaseEstimator, clone

from benchmarks.choices import N_FURTHER, N_UNTOUCHED, counts_of, run_cells
from benchmarks.data import TASKS, Array, Images, Labels, first_of_each, load_train, split_parts
from benchmarks.machine import one_thread
from benchmarks.pipelines import CLASSIFIERS, USUAL_CLASSIFIERS
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import recalls
from ganaug import GANOverSampler
from ganaug.gain.choice import mean_scores
from ganaug.gain.cost import Clock
from ganaug.gain.evaluate import ALL_THE_TIME, try_gans, why_no_gan
from ganaug.gain.judging import Race, judge
from ganaug.gain.problem import make_splits, pose
from ganaug.gain.remedies import Remedy, Task, make_pipeline, select_remedies
from ganaug.gain.trials import Trials, without_our_warnings
from ganaug.resampling import ENLARGE

N_DRAWS = 3
SHARE = 0.5
SCORING = "balanced_accuracy"
REAL, DUPLICATES, SHUFFLED = GENERATORS = ("real images", "duplicates", "shuffled labels")
MUCH = 0.02
"""Of balanced accuracy: by so much a generator should be recognised."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add tasks, sizes and classifiers."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=("mnist", "fashion-mnist"))
    parser.add_argument("--sizes", nargs="+", type=int, default=(150, 600, 2000))
    parser.add_argument("--classifiers", nargs="+", choices=CLASSIFIERS, default=USUAL_CLASSIFIERS)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common; tasks, sizes and draws can be added to a run."""
    return {"classifiers": list(options.classifiers), "share": SHARE}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Let every classifier choose in every cell, once beside each generator."""
    return run_cells(options, store, partial(run_classifier, options.data_dir))


def run_classifier(
    data_dir: Path, task_name: str, n: int, seed: int, name: str
) -> dict[str, dict[str, Any]]:
    """Give what is chosen beside each generator, and what that one is worth."""
    images = load_train(task_name, data_dir)
    parts = split_parts(images, tuple(counts_of(n)), N_FURTHER, seed)
    n_untouched = [N_UNTOUCHED] * len(counts_of(n))
    untouched = first_of_each(parts.further, n_untouched)
    unused = _after_the_first(parts.further, n_untouched)
    X, X_untouched = (_flat(part.X) for part in (parts.train, untouched))
    y, shape = parts.train.y, images.X.shape[1:]
    with one_thread(), without_our_warnings():
        problem = pose(CLASSIFIERS[name](seed), X, y, shape, None, SCORING, seed)
        splits, _ = make_splits(problem, 5, None, seed)
        task = Task(seed, problem.is_image, n_axes=2, image_shape=shape)
        cheap = [
            r
            for r in select_remedies(None, task, problem.estimator, len(problem.y))[0]
            if not r.uses_gan
        ]
        trials, numbers = Trials(problem, splits, task), list(range(len(splits)))
        trials.run(cheap, numbers)
        best = cheap[int(np.argmax(mean_scores(trials.table(cheap, numbers))))]

        def score(remedy: Remedy) -> float:
            fitted = make_pipeline(remedy, task, problem.estimator).fit(X, y)
            return float(
                np.mean(recalls(untouched.y, fitted.predict(X_untouched), len(n_untouched)))
            )

        without, found = score(best), {}
        for kind in GENERATORS:
            planted = Planted(kind, _flat(unused.X), unused.y)
            race = Race(trials, cheap, [planted], numbers, "")
            reason = why_no_gan(race, SCORING)
            plan = replace(ALL_THE_TIME, n_first=0, note=reason) if reason else ALL_THE_TIME
            verdict = judge(try_gans(race, plan, Clock(None), []), SCORING, [], 0.0)
            found[kind] = {
                "choice": verdict.choice,
                "finding": verdict.gan,
                "reason": verdict.gan_reason,
                "worth": round(score(planted) - without, 4),
            }
    return found


def _after_the_first(images: Images, counts: list[int]) -> Images:
    """Take what `first_of_each` leaves."""
    index = [np.flatnonzero(images.y == code)[n:] for code, n in enumerate(counts)]
    chosen = np.concatenate(index)
    return Images(images.X[chosen], images.y[chosen])


def _flat(X: Array) -> Array:
    return X.reshape(len(X), -1) / np.float32(255)


class Planted(Remedy):
    """A generator in a GAN's place."""

    uses_gan = True

    def __init__(self, kind: str, X: Array, y: Labels) -> None:
        self.name, self.text = f"planted {kind}", kind
        self.kind, self.X, self.y = kind, X, y

    def make_sampler(self, task: Task) -> Any:
        """Enlarge as the remedy of that name, half of it by the generator."""
        enlarging = GANOverSampler(
            image_shape=task.image_shape,
            sampling_strategy=ENLARGE,
            synthetic_share=0,
            random_state=task.seed,
        )
        return PlantedSampler(self.kind, self.X, self.y, enlarging, task.seed)


class PlantedSampler(BaseEstimator):
    """Over-sample, then replace a share of what was added by a generator's samples."""

    def __init__(self, kind: str, X: Array, y: Labels, enlarging: Any, seed: int) -> None:
        self.kind = kind
        self.X = X
        self.y = y
        self.enlarging = enlarging
        self.seed = seed

    def fit_resample(self, X: Array, y: Labels) -> tuple[Array, Labels]:
        """Give the real samples first, and behind them the others."""
        X_out, y_out = clone(self.enlarging).fit_resample(X, y)
        pool, labels = (X, y) if self.kind == DUPLICATES else (self.X, self.y)
        rng = np.random.default_rng(self.seed)
        X_out = X_out.copy()
        for code in np.unique(y):
            added = len(y) + np.flatnonzero(y_out[len(y) :] == code)
            places = rng.permutation(added)[: round(SHARE * len(added))]
            is_any = self.kind == SHUFFLED
            makers = np.arange(len(labels)) if is_any else np.flatnonzero(labels == code)
            X_out[places] = pool[np.resize(rng.permutation(makers), len(places))]
        return X_out, y_out

    def fit(self, X: Any, y: Any) -> PlantedSampler:  # noqa: ARG002 - pipelines ask for it
        """Do nothing."""
        return self


# --- what is told ------------------------------------------------------------------------------


def describe(result: Result) -> str:
    """Give how often each generator was chosen, by number of images and by what it is worth."""
    lines = []
    for kind in GENERATORS:
        for n in result["n"]:
            records = [r[kind] for key, r in result["values"].items() if key.split(", ")[1] == n]
            worth = np.array([record["worth"] for record in records])
            chosen = np.array([record["finding"] == "chosen" for record in records])
            much, harmful = worth >= MUCH, worth < 0
            lines.append(
                [
                    kind,
                    n,
                    f"{100 * worth.mean():+.1f}",
                    _share(chosen, np.full(len(chosen), True)),
                    _share(chosen, much),
                    _share(chosen, harmful),
                    f"{100 * np.where(chosen, worth, 0).mean():+.2f}",
                ]
            )
    columns = ["generator", "images", "worth, points", "chosen"]
    columns += [f"of those worth {100 * MUCH:g} points or more", "of those that harm"]
    return markdown([*columns, "gained by choosing so, points"], lines)


def _share(chosen: Any, among: Any) -> str:
    """Format a count, with the Clopper-Pearson interval of its share."""
    k, n = int(chosen[among].sum()), int(among.sum())
    if not n:
        return "-"
    interval = stats.binomtest(k, n).proportion_ci()
    return f"{k} of {n} ({100 * interval.low:.0f} to {100 * interval.high:.0f}%)"
