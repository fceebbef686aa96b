r"""What `GANAugmenter.fit_transform` does to a classifier: real rows replaced by synthetic ones.

    python -m benchmarks.replacing --task fashion-mnist --seeds 5 --data-dir DIR \
        --out benchmarks/results/replacing-fashion-mnist.json

One seed is a draw of so many rows of each class and a GAN. For each share the same rows are
replaced, as the transformer does it, or merely removed, which tells what the synthetic rows are
worth. Scored on rows of the official training set that were not drawn.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from tqdm.auto import tqdm

from benchmarks.data import split_parts
from benchmarks.machine import describe_machine
from benchmarks.run import one_thread, write_json
from benchmarks.tasks import TASKS, load_training_rows
from benchmarks.verdicts import CLASSIFIERS
from ganaug import GANAugmenter
from ganaug.gain.intervals import paired_interval

SHARES = (0.1, 0.2, 0.3, 0.5)
ROWS_PER_CLASS = {"digits": 100, "mnist": 200, "fashion-mnist": 200}
SCORED_PER_CLASS = {"digits": 20, "mnist": 500, "fashion-mnist": 500}
N_COMPONENTS = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the table, write JSON after every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", choices=ROWS_PER_CLASS, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--max-images", type=int, default=100_000)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    results: dict[str, Any] = {
        "machine": describe_machine(),
        "task": options.task,
        "rows_per_class": ROWS_PER_CLASS[options.task],
        "scored_per_class": SCORED_PER_CLASS[options.task],
        "max_images": options.max_images,
        "shares": list(SHARES),
        "seeds": [],
    }
    for seed in tqdm(range(options.seeds), desc="seeds"):
        with one_thread("cpu"):
            results["seeds"].append(
                run_seed(options.task, options.data_dir, options.max_images, seed)
            )
        write_json(options.out, results)
    print(describe(results))


def run_seed(task: str, data_dir: Path, max_images: int, seed: int) -> dict[str, Any]:
    """Score every classifier on all rows, and with a share of them replaced or removed."""
    n_rows, n_scored = ROWS_PER_CLASS[task], SCORED_PER_CLASS[task]
    counts = (n_rows,) * TASKS[task].n_classes
    parts = split_parts(load_training_rows(task, data_dir), counts, n_scored, seed)
    X, X_scored = (part.X.reshape(len(part.X), -1) for part in (parts.train, parts.development))
    y, y_scored = parts.train.y, parts.development.y

    def score(name: str, rows: Any, labels: Any) -> float:
        classifier: Any = CLASSIFIERS[name]()
        if task != "digits":
            classifier = make_pipeline(PCA(N_COMPONENTS, random_state=0), classifier)
        predicted = classifier.fit(rows, labels).predict(X_scored)
        return round(float(balanced_accuracy_score(y_scored, predicted)), 6)

    scores = {name: {"all real": score(name, X, y)} for name in CLASSIFIERS}
    with tempfile.TemporaryDirectory() as cache_dir, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # alarms, the same for every share
        augmenter = GANAugmenter(
            image_shape=parts.train.X.shape[1:],
            max_images=max_images,
            random_state=seed,
            cache_dir=cache_dir,  # the shares have one GAN
            device="cpu",
            verbose=0,
        )
        for share in SHARES:
            mixer = clone(augmenter).set_params(mix_fraction=share)
            mixed = mixer.fit_transform(X, y)
            kept = ~mixer.synthetic_mask_
            for name, of_classifier in scores.items():
                of_classifier[f"replaced {share:g}"] = score(name, mixed, y)
                of_classifier[f"removed {share:g}"] = score(name, X[kept], y[kept])
    return scores


def describe(results: dict[str, Any]) -> str:
    """Give the paired difference to all rows as they are, in points of balanced accuracy."""
    title = TASKS[results["task"]].title
    n_seeds, n_rows = len(results["seeds"]), results["rows_per_class"]
    head = f"{title}, {n_rows} rows per class, {n_seeds} seeds"
    names = list(results["seeds"][0])
    lines = [f"| {' | '.join([head, *names])} |", "|---" * (len(names) + 1) + "|"]
    accuracies = [100 * np.mean([s[name]["all real"] for s in results["seeds"]]) for name in names]
    lines.append(f"| all real, % | {' | '.join(f'{a:.1f}' for a in accuracies)} |")
    for share in results["shares"]:
        for what in ("replaced", "removed"):
            cells = [_difference(results, name, f"{what} {share:g}") for name in names]
            lines.append(f"| {share:.0%} {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(results: dict[str, Any], name: str, key: str) -> str:
    scores = [[seed[name][k] for seed in results["seeds"]] for k in (key, "all real")]
    interval = paired_interval(*scores)
    mean, low, high = (100 * v for v in (interval.mean, interval.low, interval.high))
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
