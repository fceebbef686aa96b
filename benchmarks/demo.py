"""What ``ganaug demo`` measures: scikit-learn's digits, made imbalanced, and a small CNN."""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import numpy as np

from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, show_interval
from ganaug.cli.digits import run_demo

N_DRAWS = 5
MAX_RARE = 30


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how long the GANs are trained."""
    parser.add_argument("--max-images", type=int, default=60_000)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"task": "digits", "max_images": options.max_images}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Run the demo, and keep its scores."""
    with tempfile.TemporaryDirectory() as scratch:
        found = store.once(
            "demo",
            lambda: run_demo(scratch, n_seeds=options.draws, max_images=options.max_images),
        )
    shares = {
        name: {arm: (np.array(values) / 100).tolist() for arm, values in found[name].items()}
        for name in ("balanced_accuracy", "recall_by_class")
    }
    return {
        "n": {"train": list(found["train_counts"].values()), "test": found["n_test"]},
        "baseline": found["baseline"],
        "scores": {"balanced accuracy": shares["balanced_accuracy"]},
        "recalls": shares["recall_by_class"],
    }


def describe(result: Result) -> str:
    """Give balanced accuracy, recall of the rarest classes, and paired differences."""
    counts, baseline = result["n"]["train"], result["baseline"]
    rare = [code for code, n in enumerate(counts) if n <= MAX_RARE]
    (scores,) = result["scores"].values()
    lines = []
    for arm, values in scores.items():
        recall = 100 * np.mean([result["recalls"][arm][code] for code in rare])
        gain = difference(values, scores[baseline])
        shown = "baseline" if arm == baseline else show_interval(gain)
        lines.append([arm, f"{100 * np.mean(values):.1f}", f"{recall:.1f}", shown])
    columns = [
        f"digits 8x8, {counts[0]} to {counts[-1]} images per class, {len(result['seeds'])} draws",
        "balanced accuracy, %",
        f"recall of the {len(rare)} rarest classes, %",
        "difference (95% interval)",
    ]
    return markdown(columns, lines)
