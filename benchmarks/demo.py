"""What ``ganaug demo`` measures: the choice for four classifiers on imbalanced digits."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.results import Result, Store, markdown
from ganaug.cli.digits import MAX_IMAGES, N_GENERATORS, run_demo, table_of

N_DRAWS = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how long the GANs are trained, and where the demo's own files go."""
    parser.add_argument("--max-images", type=int, default=MAX_IMAGES)
    parser.add_argument("--files", type=Path, help="keep what the demo writes in this directory")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"task": "digits", "max_images": options.max_images, "n_generators": N_GENERATORS}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Run the demo, and keep its scores and choices."""
    kept = contextlib.nullcontext(options.files)
    with kept if options.files else tempfile.TemporaryDirectory() as files:
        found = store.once(
            "demo",
            lambda: run_demo(files, n_draws=options.draws, max_images=options.max_images),
        )
    return {name: found[name] for name in ("n", "scores", "choices")}


def describe(result: Result) -> str:
    """Give the demo's table, and what was chosen how often."""
    counts, scores, choices = result["n"]["train"], result["scores"], result["choices"]
    columns = [
        f"digits 8x8, {counts[0]} to {counts[-1]} images a class, {len(result['seeds'])} draws",
        *scores,
        "mean",
    ]
    chosen = [
        ", ".join(f"{remedy} {n}x" for remedy, n in Counter(names).most_common())
        for names in choices.values()
    ]
    return markdown(columns, [*table_of(scores), ["what it chose", *chosen, ""]])
