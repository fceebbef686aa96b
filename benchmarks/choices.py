r"""Whether `evaluate_gain` chooses well: its choices on training images, scored on untouched ones.

A cell is a task, a number of training images and a draw; four classifiers choose in it, and share
the GANs of its folds. ``table:TASK`` is a task's images as 40 principal components. Regret is what
the best remedy would have scored above the choice: the best is named on one half of the untouched
images and scored on the other, both ways, since the best of several equal ones is else mere luck.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from tqdm.auto import tqdm

from benchmarks.data import (
    SMALL_COUNTS,
    TASKS,
    Array,
    Images,
    Labels,
    first_of_each,
    load_train,
    split_parts,
)
from benchmarks.machine import cpu_seconds, one_thread
from benchmarks.pipelines import CLASSIFIERS, USUAL_CLASSIFIERS
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import recalls
from ganaug import GANAugmenter, evaluate_gain
from ganaug.gain.choice import COARSE, Scores, choose, lead, mean_scores
from ganaug.gain.judging import default_arms
from ganaug.gain.remedies import BUILT_IN, find_remedy, make_pipeline, select_remedies
from ganaug.gain.trials import without_our_warnings
from ganaug.gain.verdict import Verdict

N_DRAWS = 2
TABLE = "table:"
N_COMPONENTS = 40
LEAST_OF_A_CLASS = 5
N_UNTOUCHED = 200
"""Images per class, at most, that choices are scored on."""
N_FURTHER = 40
"""Images per class that are kept apart for it in any case."""
NOTHING = "nothing"
THE_CHOICE, BEST = "the choice", "the best by folds"
SIMPLEST = "the simplest within a standard error of the best"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add tasks, sizes, and which GANs, if any."""
    parser.add_argument("--tasks", nargs="+", default=("mnist", "spoken-digits"), help="or table:T")
    parser.add_argument("--sizes", nargs="+", type=int, default=(150, 600, 2000))
    parser.add_argument("--classifiers", nargs="+", choices=CLASSIFIERS, default=USUAL_CLASSIFIERS)
    parser.add_argument(
        "--gan", help="JSON: parameters of GANAugmenter; its samples are tried, too"
    )
    parser.add_argument("--cache-dir", type=Path, default=Path("data/gans"))


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common; tasks, sizes and draws can be added to a run."""
    return {"classifiers": list(options.classifiers), "gan": options.gan}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Choose and score in every cell."""
    unknown = [task for task in options.tasks if task.removeprefix(TABLE) not in TASKS]
    if unknown:
        raise SystemExit(f"Tasks must be among {', '.join(TASKS)}, or table:T. Got {unknown}.")
    return run_cells(options, store, partial(run_classifier, options))


def run_cells(options: argparse.Namespace, store: Store, run_one: Any) -> dict[str, Any]:
    """Run (task, n, seed, classifier) for all of the options that the store does not have."""
    cells = [
        (task, n, seed)
        for task in options.tasks
        for n in options.sizes
        for seed in range(options.draws)
    ]
    found = {}
    for task, n, seed in tqdm(cells, desc="cells"):
        for name in options.classifiers:
            unit = f"{task} {n} {seed} {name}".replace(":", "-").replace(" ", "-")
            found[f"{task}, {n}, {seed}, {name}"] = store.once(
                unit, partial(run_one, task, n, seed, name)
            )
    return {"n": {str(n): counts_of(n) for n in options.sizes}, "values": found}


def counts_of(n: int) -> list[int]:
    """Images per class of about n: as imbalanced as the small tasks, where n allows it."""
    return [max(LEAST_OF_A_CLASS, round(c * n / sum(SMALL_COUNTS))) for c in SMALL_COUNTS]


def draw_cell(
    task: str, n: int, seed: int, data_dir: Path
) -> tuple[Array, Labels, Array, Labels, tuple[int, ...] | None]:
    """Draw training samples, untouched ones, and give the shape of the images."""
    images = load_train(task.removeprefix(TABLE), data_dir)
    parts = split_parts(images, tuple(counts_of(n)), N_FURTHER, seed)
    pools = (parts.development, parts.further)
    pool = Images(*(np.concatenate(arrays) for arrays in zip(*pools, strict=True)))
    untouched = first_of_each(pool, [N_UNTOUCHED] * len(SMALL_COUNTS))
    X, X_untouched = (part.X.reshape(len(part.X), -1) for part in (parts.train, untouched))
    if not task.startswith(TABLE):
        return X, parts.train.y, X_untouched, untouched.y, images.X.shape[1:]
    components = PCA(min(N_COMPONENTS, len(X) - 1), random_state=seed).fit(X / 255)
    tables = [components.transform(part / 255).astype(np.float32) for part in (X, X_untouched)]
    return tables[0], parts.train.y, tables[1], untouched.y, None


def run_classifier(
    options: argparse.Namespace, task: str, n: int, seed: int, name: str
) -> dict[str, Any]:
    """Let a classifier choose, and score every remedy on the untouched samples."""
    X, y, X_untouched, y_untouched, shape = draw_cell(task, n, seed, options.data_dir)
    augmenter = None if options.gan is None else _augmenter(options, shape, seed)
    estimator = clone(CLASSIFIERS[name](seed))
    before = cpu_seconds()
    with one_thread(), without_our_warnings():
        verdict = evaluate_gain(
            estimator,
            X if shape is None else X / np.float32(255),
            y,
            image_shape=None if augmenter is not None else shape,
            augmenter=augmenter,
            random_state=seed,
            verbose=0,
        )
        seconds = cpu_seconds() - before
        scored = score_remedies(
            verdict,
            X if shape is None else X / np.float32(255),
            y,
            X_untouched if shape is None else X_untouched / np.float32(255),
            y_untouched,
        )
    ratio = np.mean([len(test) / len(train) for train, test in verdict.splits or ()])
    return {
        "choice": verdict.choice,
        "decided": verdict.is_decided,
        "gain": [round(v, 4) for v in (verdict.gain.mean, verdict.gain.low, verdict.gain.high)],
        "gan": verdict.gan,
        "cpu_seconds": round(seconds, 1),
        "test_over_train": round(float(ratio), 4),
        "folds": {arm: np.round(values, 4) for arm, values in verdict.scores.items()},
        "halves": scored,
    }


def _augmenter(options: argparse.Namespace, shape: tuple[int, ...] | None, seed: int) -> Any:
    return GANAugmenter(
        image_shape=shape,
        value_range=None if shape is None else (0, 1),
        cache_dir=options.cache_dir / "choices",
        device="cpu",
        random_state=seed,
        verbose=0,
        **json.loads(options.gan),
    )


def score_remedies(
    verdict: Verdict,
    X: Array,
    y: Labels,
    X_test: Array,
    y_test: Labels,
) -> dict[str, list[float]]:
    """Fit every remedy on all training samples; balanced accuracy on both untouched halves."""
    tried, _ = select_remedies(None, verdict.task, verdict.estimator, len(y))
    found = {}
    halves = halves_of(y_test)
    for remedy in tried:
        fitted = make_pipeline(remedy, verdict.task, verdict.estimator).fit(X, y)
        predicted = fitted.predict(X_test)
        found[remedy.name] = [
            round(float(np.mean(recalls(y_test[half], predicted[half], int(y.max()) + 1))), 4)
            for half in halves
        ]
    return found


def halves_of(y: Labels) -> list[Array]:
    """Split positions in two, every class evenly."""
    order = np.argsort(y, kind="stable")
    return [np.sort(order[start::2]) for start in (0, 1)]


# --- what is told ------------------------------------------------------------------------------


def regret(record: Mapping[str, Any], arm: str) -> float:
    """Points by which the best remedy, named on one half, beats an arm on the other."""
    halves = record["halves"]
    found = []
    for named, scored in ((0, 1), (1, 0)):
        best = max(halves, key=lambda name: halves[name][named])
        found.append(halves[best][scored] - halves[in_place_of(arm, halves)][scored])
    return 100 * float(np.mean(found))


def score(record: Mapping[str, Any], arm: str) -> float:
    """Give an arm's balanced accuracy on all untouched samples, in points."""
    return 100 * float(np.mean(record["halves"][in_place_of(arm, record["halves"])]))


def in_place_of(arm: str, tried: Container[str]) -> str:
    """Give what is done where an arm cannot be: tables are interpolated, in place of augmented."""
    if arm in tried:
        return arm
    return NOTHING if arm == "class weights" else "smote"


def best(
    scores: Scores, test_over_train: float, default: Sequence[int], costly: Sequence[int]
) -> int:
    """Choose as `evaluate_gain` does."""
    return choose(scores, test_over_train, default=default, costly=costly).arm


def simplest(
    scores: Scores,
    test_over_train: float,
    default: Sequence[int],
    costly: Sequence[int],  # noqa: ARG001
) -> int:
    """Choose the first arm within a standard error of the best; the default if that is coarse."""
    top = int(np.argmax(mean_scores(scores)))
    behind = [lead(scores[top], arm, test_over_train) for arm in scores]
    tied = [arm for arm, (gap, error) in enumerate(behind) if gap <= error or arm == top]
    is_coarse = behind[tied[0]][1] > COARSE
    return next((arm for arm in default if is_coarse and arm in tied), tied[0])


def by_folds(
    record: Mapping[str, Any],
    rule: Callable[[Scores, float, Sequence[int], Sequence[int]], int],
    has_default: bool = True,
) -> str:
    """Choose again from the folds' scores, by any rule."""
    names = list(record["folds"])
    scores = np.array(
        [[np.nan if v is None else v for v in record["folds"][n]] for n in names], dtype=float
    )
    remedies = [remedy for remedy in map(find_remedy, names) if remedy is not None]
    default = default_arms(remedies, None) if has_default else []
    costly = [
        arm
        for arm, remedy in enumerate(remedies)
        if has_default and remedy.uses_gan and remedy.is_sampler
    ]
    return names[rule(scores, record["test_over_train"], default, costly)]


def ways_of(result: Result) -> dict[str, Any]:
    """Give the ways to choose: a function of a record each."""
    tried = {arm for record in result["values"].values() for arm in record["halves"]}
    ways: dict[str, Any] = {
        THE_CHOICE: partial(by_folds, rule=best),
        BEST: partial(by_folds, rule=best, has_default=False),
        SIMPLEST: partial(by_folds, rule=simplest),
    }
    for remedy in BUILT_IN:
        if remedy.name in tried:
            ways[f"always {remedy.name}"] = lambda record, name=remedy.name: name  # noqa: ARG005
    return ways


def describe(result: Result) -> str:
    """Give the regret of each way to choose, by number of images."""
    sizes = list(result["n"])
    cells = {
        n: [r for key, r in result["values"].items() if key.split(", ")[1] == n] for n in sizes
    }
    lines = []
    for way, pick in ways_of(result).items():
        found = [[regret(record, pick(record)) for record in cells[n]] for n in sizes]
        everywhere = [value for values in found for value in values]
        lines.append([way, *(f"{np.mean(v):.2f}" for v in found), f"{np.mean(everywhere):.2f}"])
    drawn = [
        [np.mean([regret(record, arm) for arm in record["halves"]]) for record in cells[n]]
        for n in sizes
    ]
    every = [value for values in drawn for value in values]
    lines.append(["a random one", *(f"{np.mean(v):.2f}" for v in drawn), f"{np.mean(every):.2f}"])
    titles = [f"{n} images ({len(cells[n])})" for n in sizes]
    return markdown(["regret, points (n: classifiers x draws x tasks)", *titles, "all"], lines)


def describe_gains(result: Result) -> str:
    """Give what choices were worth, what was promised, and what they took."""
    lines = []
    for n in result["n"]:
        records = [r for key, r in result["values"].items() if key.split(", ")[1] == n]
        true = [score(r, r["choice"]) - score(r, NOTHING) for r in records]
        told = [[100 * v for v in r["gain"]] for r in records if None not in r["gain"]]
        inside = [
            low <= gain <= high
            for gain, r in zip(true, records, strict=True)
            if None not in r["gain"]
            for _, low, high in [[100 * v for v in r["gain"]]]
        ]
        chosen = Counter(r["choice"] for r in records).most_common()
        lines.append(
            [
                n,
                f"{np.mean(true):+.2f}",
                f"{np.mean([mean for mean, _, _ in told]):+.2f}",
                f"{sum(inside)} of {len(inside)}",
                f"{np.median([high - low for _, low, high in told]):.1f}",
                ", ".join(f"{name} {count}x" for name, count in chosen),
                f"{np.mean([r['cpu_seconds'] for r in records]):.0f}",
            ]
        )
    columns = ["images", "gain of the choice over nothing", "as told", "interval holds it"]
    return markdown([*columns, "its median width", "chosen", "CPU s"], lines)
