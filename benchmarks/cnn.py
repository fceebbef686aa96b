"""What synthetic samples are worth to a CNN that is trained with augmentation.

The package's built-in classifier, a small CNN, on batches that are shifted, turned and scaled.
The baseline repeats real images up to the largest class; each further arm puts something else in
the place of as many repeats: synthetic samples (so many of the equalised class), and what they must
beat, images augmented once more and other repeats; and further real images, the ceiling.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from benchmarks.data import (
    TASKS,
    Images,
    Labels,
    Parts,
    augmented,
    draw_parts,
    first_of_each,
    load_test,
    repeat,
)
from benchmarks.machine import cpu_seconds, one_thread
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, recalls, show_interval
from ganaug import GANAugmenter
from ganaug.classifier import fit_classifier
from ganaug.warping import AFFINE

N_DRAWS = 5
BASELINE = "repeats, augmented"
N_RAREST = 3
MIN_TRUST = 0.8
"""Classes of less trust get no synthetic samples, as in ganaug."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which task, which part, and how much is trained."""
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--part", choices=("development", "test"), default="development")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.25, 0.5])
    parser.add_argument("--max-images", type=int, help="of the GAN; default: ganaug's own")
    parser.add_argument("--steps", type=int, default=600, help="of the classifier")
    parser.add_argument("--device", default="cpu")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    names = ("task", "part", "shares", "max_images", "steps", "device")
    return {name: getattr(options, name) for name in names}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Score every arm in every draw."""
    draws = [
        store.once(f"draw-{seed}", partial(run_draw, options, seed))
        for seed in tqdm(range(options.draws), desc="draws")
    ]
    arms = list(draws[0]["recalls"])
    return {
        "n": {"train": list(TASKS[options.task].counts), options.part: draws[0]["n"]},
        "baseline": BASELINE,
        "scores": {
            options.part: {
                arm: [float(np.mean(draw["recalls"][arm])) for draw in draws] for arm in arms
            }
        },
        "recalls": {arm: np.mean([draw["recalls"][arm] for draw in draws], axis=0) for arm in arms},
        "trust": [draw["trust"] for draw in draws],
        "gan_cpu_seconds": [draw["gan_cpu_seconds"] for draw in draws],
    }


def run_draw(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train the draw's GAN, and a classifier per arm."""
    parts = draw_parts(options.task, options.data_dir, seed)
    scored = parts.development
    if options.part == "test":
        scored = load_test(options.task, options.data_dir)
    with one_thread():
        before = cpu_seconds()
        augmenter = fit_gan(parts.train, options, seed)
        spent = cpu_seconds() - before
        found = {
            arm: score(images, is_augmented, scored, options, seed)
            for arm, (images, is_augmented) in arms_of(parts, augmenter, options, seed).items()
        }
    trust = list(augmenter.trust_.values())
    return {"recalls": found, "n": len(scored.y), "trust": trust, "gan_cpu_seconds": spent}


def fit_gan(train: Images, options: argparse.Namespace, seed: int) -> GANAugmenter:
    """Train a GAN with ganaug's defaults, but for its budget where one is given."""
    budget = {"max_images": options.max_images} if options.max_images else {}
    augmenter = GANAugmenter(random_state=seed, device=options.device, verbose=0, **budget)
    return augmenter.fit(train.X, train.y)


def arms_of(
    parts: Parts, augmenter: GANAugmenter, options: argparse.Namespace, seed: int
) -> dict[str, tuple[Images, bool]]:
    """Put the arms' images together; the flag says whether training augments them."""
    train = parts.train
    arms = {
        "nothing": (train, False),
        "repeats": (equalise(train, None, seed), False),
        "augmented": (train, True),
        BASELINE: (equalise(train, None, seed), True),
        "other repeats, augmented": (equalise(train, None, seed + 1_000_000), True),
    }
    for share in options.shares:
        counts = places(train.y, share)
        extras = {
            "synthetic": synthetic(augmenter, counts, train),
            "augmented once more": augmented(train, counts, seed),
            "further real": first_of_each(parts.further, counts),
        }
        for kind, extra in extras.items():
            arms[f"{kind}, share {share:g}"] = (equalise(train, extra, seed), True)
    return arms


def places(y: Labels, share: float) -> list[int]:
    """So many samples to add per class: a share of the equalised class, within what it lacks."""
    counts = np.bincount(y)
    return np.minimum(int(share * counts.max()), counts.max() - counts).tolist()


def synthetic(augmenter: GANAugmenter, counts: list[int], train: Images) -> Images:
    """Make samples of the classes that are not distrusted."""
    trusted = {
        label: n
        for label, n in enumerate(counts)
        if augmenter.trust_.get(label, 1.0) >= MIN_TRUST and n
    }
    if not trusted:
        return Images(train.X[:0], train.y[:0])
    X, y = augmenter.sample(trusted)
    return Images(X.reshape(-1, *train.X.shape[1:]), y.astype(np.int64))


def equalise(train: Images, extra: Images | None, seed: int) -> Images:
    """Add what is extra, then repeat real images up to the largest class."""
    if extra is not None:
        joined = Images(np.concatenate([train.X, extra.X]), np.concatenate([train.y, extra.y]))
    else:
        joined = train
    counts = np.bincount(joined.y, minlength=int(train.y.max()) + 1)
    missing = (np.bincount(train.y).max() - counts).tolist()
    repeats = repeat(train.y, missing, np.random.default_rng((seed, 2)))
    return Images(
        np.concatenate([joined.X, train.X[repeats]]), np.concatenate([joined.y, train.y[repeats]])
    )


def score(
    images: Images, is_augmented: bool, scored: Images, options: argparse.Namespace, seed: int
) -> list[float]:
    """Train the built-in classifier, and give the recall of each class."""
    n_classes = len(TASKS[options.task].counts)
    classifier = fit_classifier(
        images.X,
        images.y,
        n_classes,
        seed=seed,
        max_steps=options.steps,
        balanced=False,
        augmentation=AFFINE if is_augmented else None,
        device=options.device,
    )
    return recalls(scored.y, classifier.predict_proba(scored.X).argmax(axis=1), n_classes)


# --- table -------------------------------------------------------------------------------------


def describe(result: Result) -> str:
    """Give every arm's scores, and its difference to the baseline, in points."""
    return _describe(result, list(result["scores"]))


def describe_short(result: Result) -> str:
    """Leave out all parts but the last, the test part where there is one."""
    return _describe(result, list(result["scores"])[-1:])


def _describe(result: Result, tables: list[str]) -> str:
    baseline, counts = result["baseline"], result["n"]["train"]
    columns = [f"{task_title(result)}, {max(counts):,} to {min(counts):,} images per class"]
    for table in tables:
        n = f", n = {result['n'][table]:,}" if table in result["n"] else ""
        columns += [f"balanced accuracy, %, {table}{n}", "difference (95% interval)"]
    columns += [f"recall of the {N_RAREST} rarest classes, %"]
    rarest = np.argsort(counts)[:N_RAREST]
    lines = []
    for arm in result["scores"][tables[0]]:
        cells = [arm]
        for table in tables:
            cells += _cells(result["scores"][table], arm, baseline)
        recall = 100 * float(np.mean(np.array(result["recalls"][arm])[rarest]))
        lines.append([*cells, f"{recall:.1f}"])
    return markdown(columns, lines)


def task_title(result: Result) -> str:
    """Name the task and the number of draws."""
    n_draws = len(result["seeds"])
    title = TASKS[result["settings"]["task"]].title
    return f"{title}, {n_draws} draw{'s' if n_draws > 1 else ''}"


def _cells(scores: dict[str, list[float]], arm: str, baseline: str) -> list[str]:
    mean = f"{100 * np.mean(scores[arm]):.2f}"
    if arm == baseline:
        return [mean, "baseline"]
    return [mean, show_interval(difference(scores[arm], scores[baseline]))]
