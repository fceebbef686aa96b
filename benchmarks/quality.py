"""Are the synthetic images good and varied? The default recipe beside the classic DCGAN.

    python -m benchmarks.quality --data-dir DIR --out benchmarks/results/quality-fashion-mnist.json

Both recipes are fitted by the command line on the same imbalanced draw of Fashion-MNIST, with the
same budget of images. Frechet distances are taken in the features of a classifier trained on
the drawn real rows, beside the distance between two parts of held-out real rows (the floor).
Synthetic rows are judged before any filter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.data import DEEPSMOTE_COUNTS, HELD_OUT_PER_CLASS, Draw, draw, load_torchvision_part
from benchmarks.machine import describe_machine
from ganaug import GANAugmenter
from ganaug.audit.metrics import frechet_distance, within_class_variety
from ganaug.classifier import RealClassifier, fit_classifier

RECIPES = ("default", "classic")
GRID_REAL, GRID_FAKE, GRID_SCALE = 6, 12, 2


def main() -> None:
    """Fit both recipes, measure, draw the grid, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--task", default="FashionMNIST", help="a torchvision set of 28x28 images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-images", type=int, help="default: ganaug's own")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", type=Path, help="keep the models here; fitted ones are reused")
    parser.add_argument("--grid", type=Path, help="write real beside synthetic images here (PNG)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    X, y = load_torchvision_part(options.task, options.data_dir)
    drawn = draw(X, y, DEEPSMOTE_COUNTS, options.seed)
    classifier = fit_classifier(drawn.X[:, None], drawn.y, len(DEEPSMOTE_COUNTS), seed=options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.models or Path(scratch)
        fitted = {recipe: fit_by_command_line(drawn, recipe, folder, options) for recipe in RECIPES}
        augmenters = {recipe: GANAugmenter.load(folder / recipe) for recipe in RECIPES}
    results = {
        "task": options.task,
        "train_counts": DEEPSMOTE_COUNTS,
        "seed": options.seed,
        "rows_per_class_judged": HELD_OUT_PER_CLASS,
        "machine": describe_machine(str(augmenters["default"].device_)),
        "floor": measure_floor(classifier, drawn),
        "recipes": {
            recipe: fitted[recipe] | measure(augmenters[recipe], classifier, drawn)
            for recipe in RECIPES
        },
    }
    print(describe(results))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.grid:
        options.grid.parent.mkdir(parents=True, exist_ok=True)
        draw_grid(augmenters["default"], drawn).save(options.grid, optimize=True)


def fit_by_command_line(
    drawn: Draw, recipe: str, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Run `ganaug fit` in a process of its own, unless its model is there; time it."""
    model, timing = folder / recipe, folder / f"{recipe}.seconds"
    if not model.exists():
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "train.npz"
        np.savez(data, X=drawn.X, y=drawn.y)
        command = [sys.executable, "-m", "ganaug", "fit", str(data), "--out", str(model)]
        command += ["--recipe", recipe, "--seed", str(options.seed), "--device", options.device]
        if options.max_images:
            command += ["--max-images", str(options.max_images)]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        timing.write_text(str(time.perf_counter() - started))
    info = subprocess.run(
        [sys.executable, "-m", "ganaug", "info", str(model), "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    summary = json.loads(info.stdout)
    return {
        "command_seconds": float(timing.read_text()),
        "images_seen": summary["images_seen"],
        "width": summary["width"],
        "alarms": summary["alarms"],
    }


def measure_floor(classifier: RealClassifier, drawn: Draw) -> dict[str, Any]:
    """Real against real: two held-out parts of the same size."""
    features = classifier.features(drawn.X_held_out[:, None])
    further = classifier.features(drawn.X_further[:, None])
    return compare(features, drawn.y_held_out, further, drawn.y_further)


def measure(augmenter: GANAugmenter, classifier: RealClassifier, drawn: Draw) -> dict[str, Any]:
    """Unfiltered synthetic rows against held-out real rows of the same classes."""
    augmenter.set_params(filter=None)
    counts = dict.fromkeys(augmenter.classes_.tolist(), HELD_OUT_PER_CLASS)
    X_fake, y_fake = augmenter.sample(counts)
    real = classifier.features(drawn.X_held_out[:, None])
    fake = classifier.features(X_fake[:, None])
    agreement = classifier.predict_proba(X_fake[:, None]).argmax(axis=1) == y_fake
    by_class = [float(agreement[y_fake == label].mean()) for label in counts]
    return compare(real, drawn.y_held_out, fake, y_fake) | {"agreement": by_class}


def compare(real: Any, y_real: Any, fake: Any, y_fake: Any) -> dict[str, Any]:
    """Frechet distance over all classes and within each, and within-class variety."""
    pairs = [(real[y_real == label], fake[y_fake == label]) for label in np.unique(y_real)]
    return {
        "frechet": frechet_distance(real, fake),
        "frechet_by_class": [frechet_distance(a, b) for a, b in pairs],
        "variety_by_class": [within_class_variety(a, b) for a, b in pairs],
    }


def draw_grid(augmenter: GANAugmenter, drawn: Draw) -> Image.Image:
    """Real training rows (left) beside filtered synthetic ones (right), the rarest class last."""
    augmenter.set_params(filter="auto")
    lines = []
    for label in augmenter.classes_.tolist():
        real = drawn.X[drawn.y == label][:GRID_REAL]
        fake = augmenter.sample({label: GRID_FAKE})[0]
        gap = np.full((real.shape[1], 6), 255, dtype=np.uint8)
        lines.append(np.concatenate([*real, gap, *fake], axis=1))
    picture = Image.fromarray(np.concatenate(lines))
    size = (picture.width * GRID_SCALE, picture.height * GRID_SCALE)
    return picture.resize(size, Image.Resampling.NEAREST)


def describe(results: dict[str, Any]) -> str:
    """Format a table."""
    header = "| | " + " | ".join(map(str, results["train_counts"])) + " | all |"
    lines = [header, "|---" * (len(results["train_counts"]) + 2) + "|"]
    for name, row in [("floor (real against real)", results["floor"]), *results["recipes"].items()]:
        cells = " | ".join(f"{value:.1f}" for value in row["frechet_by_class"])
        lines.append(f"| Frechet distance, {name} | {cells} | {row['frechet']:.2f} |")
        cells = " | ".join(f"{value:.2f}" for value in row["variety_by_class"])
        lines.append(f"| variety over real, {name} | {cells} | |")
        if "agreement" in row:
            cells = " | ".join(f"{value:.2f}" for value in row["agreement"])
            lines.append(f"| taken for their class, {name} | {cells} | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
