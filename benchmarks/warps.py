"""Whether the over-sampler finds the warp that suits images, beside each warp that it knows.

A cell is a task, a number of training images and a draw. Rare classes are filled with warped images
(``augmentation="fitted"``), once by each of `CANDIDATES`, once by the one that is found; three
classifiers are scored on untouched images of the training set. What the search loses is what the
best warp would have scored above it: the best is named on one half of these images and scored on
the other, both ways.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score

from benchmarks.choices import draw_cell, halves_of, regret, run_cells
from benchmarks.data import TASKS
from benchmarks.machine import cpu_seconds, one_thread
from benchmarks.pipelines import CLASSIFIERS
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import show_interval
from ganaug import GANOverSampler, augmentation
from ganaug.gain.intervals import paired_interval
from ganaug.gain.trials import without_our_warnings
from ganaug.warping import AFFINE, CANDIDATES, SLIGHT, Warp

N_DRAWS = 5
NAMES = dict(
    zip(
        CANDIDATES,
        (
            "slight",
            "affine",
            "strong",
            "shifts",
            "to the sides",
            "up and down",
            "slight, mirrored",
            "affine, mirrored",
            "strong, mirrored",
            "slight, mirrored, quarter turns",
        ),
        strict=False,  # tests judge fewer
    )
)
USUAL_TASKS = ("digits", "mnist", "fashion-mnist", "spoken-digits", "cifar10-grey")
USUAL_CLASSIFIERS = ("logistic regression", "nearest neighbours", "forest")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add on what."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=USUAL_TASKS)
    parser.add_argument("--sizes", nargs="+", type=int, default=(1000,))
    parser.add_argument("--classifiers", nargs="+", choices=CLASSIFIERS, default=USUAL_CLASSIFIERS)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common; tasks, sizes and draws can be added to a run."""
    return {
        "classifiers": list(options.classifiers),
        "warps": {NAMES[warp]: str(warp) for warp in CANDIDATES},
    }


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every warp, and the one that is found, in every cell."""
    return run_cells(options, store, partial(run_classifier, options))


def run_classifier(
    options: argparse.Namespace, task: str, n: int, seed: int, name: str
) -> dict[str, Any]:
    """Score a classifier with every warp on both halves of the untouched images."""
    X, y, X_untouched, y_untouched, shape = draw_cell(task, n, seed, options.data_dir)
    sampler = GANOverSampler(
        image_shape=shape, synthetic_share=0, augmentation="fitted", random_state=seed
    )

    def score() -> list[float]:
        X_filled, y_filled = sampler.fit_resample(X, y)
        classifier = clone(CLASSIFIERS[name](seed)).fit(X_filled / 255, y_filled)
        predicted = classifier.predict(X_untouched / 255)
        return [
            round(float(balanced_accuracy_score(y_untouched[half], predicted[half])), 5)
            for half in halves_of(y_untouched)
        ]

    with one_thread(), without_our_warnings():
        before = cpu_seconds()
        sampler.fit_resample(X, y)
        seconds, said = cpu_seconds() - before, sampler.augmented_by_
        halves = {}
        for warp in CANDIDATES:
            with by_warp(warp):
                halves[NAMES[warp]] = score()
    found = next(name for warp, name in NAMES.items() if str(warp) == said)
    return {"found": found, "halves": halves, "seconds": round(seconds, 1)}


@contextmanager
def by_warp(warp: Warp) -> Iterator[None]:
    """Put a warp in the place of the one that would be found and checked."""
    passing = mock.Mock(passes=True)
    with (
        mock.patch.object(augmentation, "fit_warp", return_value=warp),
        mock.patch.object(augmentation, "check_transform", return_value=passing),
    ):
        yield


# --- table -------------------------------------------------------------------------------------


def describe(result: Result) -> str:
    """Give by task what was found, and what it, and warps for all data, lose to the best."""
    cells = cells_of(result)
    lines, of_all = [], []
    for task in dict.fromkeys(task for task, _, _ in cells):
        own = [cell for key, cell in cells.items() if key[0] == task]
        lost = [
            [regret(cell, NAMES[SLIGHT]) for cell in own],
            [regret(cell, NAMES[AFFINE]) for cell in own],
            [regret(cell, cell["found"]) for cell in own],
        ]
        of_all.append(lost)
        found = Counter(cell["found"] for cell in own).most_common()
        said = "; ".join(f"{warp} {n}x" for warp, n in found)
        seconds = f"{np.mean([cell['seconds'] for cell in own]):.0f}"
        lines.append([TASKS[task].title, *map(_shown, lost), said, seconds])
    lines.append(["mean", *map(_shown, np.mean(of_all, axis=0).tolist()), "", ""])
    n_warps, n_draws = len(result["settings"]["warps"]), len(result["seeds"])
    head = f"points lost to the best of {n_warps} warps, {n_draws} draws"
    return markdown([head, "slight", "affine", "found", "what was found", "CPU s"], lines)


def cells_of(result: Result) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Put a cell's classifiers together: the mean of their scores, the seconds of the search."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for key, record in result["values"].items():
        task, n, seed, _ = key.split(", ")
        found.setdefault((task, n, seed), []).append(record)
    return {
        key: {
            "found": records[0]["found"],
            "halves": {
                warp: np.mean([record["halves"][warp] for record in records], axis=0).tolist()
                for warp in records[0]["halves"]
            },
            "seconds": max(record["seconds"] for record in records),  # found once for all of them
        }
        for key, records in found.items()
    }


def _shown(points: Sequence[float]) -> str:
    return show_interval(paired_interval(points, [0.0] * len(points)))
