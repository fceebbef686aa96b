"""Are the synthetic images good and varied? The default recipe beside the classic DCGAN.

Both recipes are fitted on the same imbalanced draws, with the same budget of images. Frechet
distances are taken in the features of a classifier of the drawn real images, beside the distance
between two parts of held-out real ones (the floor). Samples are judged before any filter.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from benchmarks.data import TASKS, Images, Parts, draw_parts, first_of_each
from benchmarks.machine import cpu_seconds
from benchmarks.results import Result, Store, markdown
from ganaug import GANAugmenter
from ganaug.audit.metrics import within_class_variety
from ganaug.classifier import RealClassifier, fit_classifier

N_DRAWS = 1
RECIPES = ("default", "classic")
FLOOR = "real against real"
GRID_REAL, GRID_FAKE, GRID_SCALE = 6, 12, 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which task, how long GANs are trained, and where a picture goes."""
    parser.add_argument("--task", choices=TASKS, default="fashion-mnist")
    parser.add_argument("--max-images", type=int, help="default: ganaug's own")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--grid", type=Path, help="write real beside synthetic images here (PNG)")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {"task": options.task, "max_images": options.max_images}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Fit both recipes in every draw, measure, and draw the grid of the first."""
    draws = [
        store.once(f"draw-{seed}", partial(run_draw, options, seed))
        for seed in tqdm(range(options.draws), desc="draws")
    ]
    values = {
        name: {what: np.mean([d[name][what] for d in draws], axis=0) for what in draws[0][name]}
        for name in draws[0]
    }
    task = TASKS[options.task]
    n = {"train": list(task.counts), "judged per class": task.development_per_class}
    return {"n": n, "values": values}


def run_draw(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Measure the floor and both recipes."""
    parts = draw_parts(options.task, options.data_dir, seed)
    n_classes, n = len(TASKS[options.task].counts), TASKS[options.task].development_per_class
    classifier = fit_classifier(parts.train.X, parts.train.y, n_classes, seed=seed)
    further = first_of_each(parts.further, [n] * n_classes)
    found = {FLOOR: compare(classifier, parts.development, further)}
    budget = {"max_images": options.max_images} if options.max_images else {}
    for recipe in RECIPES:
        before = cpu_seconds()
        augmenter = GANAugmenter(
            recipe=recipe, random_state=seed, device=options.device, verbose=0, **budget
        ).fit(parts.train.X, parts.train.y)
        spent = cpu_seconds() - before
        if options.grid and recipe == "default" and not seed:
            draw_grid(augmenter, parts).save(options.grid, optimize=True)
        X, y = augmenter.set_params(filter=None).sample(dict.fromkeys(range(n_classes), n))
        found[recipe] = compare(classifier, parts.development, Images(X, y)) | {
            "cpu_seconds": spent,
            "images_seen": augmenter.n_images_seen_,
        }
    return found


def compare(classifier: RealClassifier, real: Images, other: Images) -> dict[str, Any]:
    """Frechet distance over all classes and within each, within-class variety, and trust."""
    features, others = classifier.features(real.X), classifier.features(other.X)
    pairs = [(features[real.y == c], others[other.y == c]) for c in np.unique(real.y)]
    is_taken = classifier.predict_proba(other.X).argmax(axis=1) == other.y
    return {
        "frechet": frechet_distance(features, others),
        "frechet_by_class": [frechet_distance(a, b) for a, b in pairs],
        "variety_by_class": [within_class_variety(a, b) for a, b in pairs],
        "trust": [float(is_taken[other.y == c].mean()) for c in np.unique(real.y)],
    }


def frechet_distance(real: Any, fake: Any) -> float:
    """Return the Frechet distance between Gaussians fitted to two sets of features, 0 at best.

    ``|mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2))`` (Heusel et al., 2017).
    Few samples give larger values, so compare it only with values at the same sizes.
    """
    pair = [np.asarray(features, dtype=np.float64) for features in (real, fake)]
    mean_gap = pair[0].mean(axis=0) - pair[1].mean(axis=0)
    cov_real, cov_fake = (np.atleast_2d(np.cov(features, rowvar=False)) for features in pair)
    # The trace of (AB)^(1/2) equals that of the symmetric (A^(1/2) B A^(1/2))^(1/2), whose
    # eigenvalues stay real even for singular covariances.
    values, vectors = np.linalg.eigh(cov_real)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ cov_fake @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()
    distance = mean_gap @ mean_gap + np.trace(cov_real) + np.trace(cov_fake) - 2 * cross
    return max(0.0, float(distance))


def draw_grid(augmenter: GANAugmenter, parts: Parts) -> Image.Image:
    """Real training images (left) beside filtered synthetic ones (right), the rarest class last."""
    lines = []
    for label in np.unique(parts.train.y).tolist():
        real = parts.train.X[parts.train.y == label][:GRID_REAL, 0]
        fake = augmenter.sample({label: GRID_FAKE})[0][:, 0]
        gap = np.full((real.shape[1], 6), 255, dtype=np.uint8)
        lines.append(np.concatenate([*real, gap, *fake], axis=1))
    picture = Image.fromarray(np.concatenate(lines))
    size = (picture.width * GRID_SCALE, picture.height * GRID_SCALE)
    return picture.resize(size, Image.Resampling.NEAREST)


def describe(result: Result) -> str:
    """Give distances, variety and trust by class."""
    counts = result["n"]["train"]
    columns = [f"{TASKS[result['settings']['task']].title}, training images", *map(str, counts)]
    lines = []
    for name, found in result["values"].items():
        distances = [f"{value:.1f}" for value in found["frechet_by_class"]]
        lines.append([f"Frechet distance, {name}", *distances, f"{found['frechet']:.2f}"])
        variety = [f"{value:.2f}" for value in found["variety_by_class"]]
        lines.append([f"variety over real, {name}", *variety, ""])
        if "trust" in found and name != FLOOR:
            trust = [f"{value:.2f}" for value in found["trust"]]
            lines.append([f"trust, {name}", *trust, ""])
    seen = result["values"]["default"]["images_seen"]
    return markdown([*columns, "all"], lines) + f"\n\n{seen:,.0f} images each."
