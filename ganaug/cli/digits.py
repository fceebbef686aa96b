"""The main job in one call: train, rebalance, measure, on scikit-learn's bundled digits.

The digits are balanced; the demo makes them imbalanced on purpose and says so. A test part is
set aside before anything else. Each seed draws other training rows, trains another GAN on them and
other classifiers, and all arms of a seed share them, so that differences are paired.
"""

from __future__ import annotations

import contextlib
import copy
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from imblearn.over_sampling import RandomOverSampler
from joblib import Parallel, cpu_count, delayed, parallel_config
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from ganaug.augmenter import GANAugmenter
from ganaug.classifier import fit_classifier, random_affine
from ganaug.exceptions import MissingDependencyError, SamplingError
from ganaug.gain.intervals import PairedInterval, paired_interval
from ganaug.persistence import library_versions
from ganaug.progress import bar_options

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]

COUNTS = (120, 100, 80, 60, 50, 40, 35, 30, 25, 20)
IMAGE_SHAPE = (8, 8)
CLASSIFIER_STEPS = 200
TEST_SHARE = 0.3
BASELINE = "over-sampling + classic"
"""What ganaug is measured against: what a practitioner would do without it."""
ARMS = ("nothing", "over-sampling", BASELINE, BASELINE + " + ganaug")
GRID_COLUMNS = 8
AUDIT_ROWS = 100


def run_demo(
    out: str | Path = "demo-output",
    *,
    n_seeds: int = 5,
    max_images: int = 60_000,
    verbose: int = 1,
) -> dict[str, Any]:
    """Train, rebalance and measure on imbalanced digits; write what came of it.

    Parameters
    ----------
    out : str or Path
        Directory for ``results.json``, and of the first seed ``samples.png`` (real beside
        synthetic, by class), ``model``, and ``report.html`` (needs the `report` extra).
    n_seeds : int
        Repeats, each with its own draw, GAN and classifiers.
    max_images : int
        Training budget of each GAN.
    verbose : int
        0 is silent.

    Returns
    -------
    dict
        What ``results.json`` holds.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    X, y = load_digits(return_X_y=True)
    X_pool, X_test, y_pool, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, stratify=y, random_state=0
    )
    parts = (X_pool, y_pool, X_test, y_test)
    tasks = [delayed(run_seed)(seed, *parts, max_images, out) for seed in range(n_seeds)]
    n_jobs = 1 if torch.cuda.is_available() else min(n_seeds, cpu_count())
    # a network this small is slower on two threads than on one, so seeds share the cores instead
    with parallel_config(backend="loky", inner_max_num_threads=1):
        finished = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
        progress = tqdm(
            finished,
            total=n_seeds,
            desc="Seeds (GAN, classifiers)",
            disable=not verbose,
            **bar_options(),
        )
        runs = list(progress)
    results = summarise(runs, len(y_test), max_images)
    (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    return results


def run_seed(
    seed: int,
    X_pool: Array,
    y_pool: Labels,
    X_test: Array,
    y_test: Labels,
    max_images: int,
    out: Path,
) -> dict[str, Any]:
    """Draw, train and measure once; the first seed's model and samples are written."""
    X_train, y_train = draw_imbalanced(X_pool, y_pool, seed)
    augmenter = GANAugmenter(
        image_shape=IMAGE_SHAPE, max_images=max_images, random_state=seed, verbose=0
    ).fit(X_train, y_train)
    recalls = measure_arms(augmenter, X_train, y_train, X_test, y_test, seed)
    n_synthetic = [plan.n_synthetic for plan in augmenter.resampling_report_]
    if seed == 0:
        augmenter.save(out / "model")
        draw_grid(augmenter, X_train, y_train).save(out / "samples.png")
        write_report(augmenter, (X_train, y_train), (X_pool, y_pool), out / "report.html")
    return {
        "seed": seed,
        "n_synthetic": n_synthetic,
        "recall": recalls,
        "alarms": augmenter.alarms_,
    }


def write_report(
    augmenter: GANAugmenter, train: tuple[Array, Labels], pool: tuple[Array, Labels], path: Path
) -> None:
    """Audit the model beside pool rows that were not drawn.

    Without the `report` extra, or where the filter rejects all of a class, there is no report.
    """
    path.unlink(missing_ok=True)  # of an earlier run
    drawn = {row.tobytes() for row in train[0]}
    rest = [row.tobytes() not in drawn for row in pool[0]]
    with contextlib.suppress(MissingDependencyError, SamplingError):
        report = augmenter.audit(
            *train, X_holdout=pool[0][rest], y_holdout=pool[1][rest], n_samples=AUDIT_ROWS
        )
        report.to_html(path)


def draw_imbalanced(X: Array, y: Labels, seed: int) -> tuple[Array, Labels]:
    """Draw `COUNTS[c]` rows of each class c."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(y == c))[:n] for c, n in enumerate(COUNTS)]
    index = np.concatenate(rows)
    return X[index], y[index]


def measure_arms(
    augmenter: GANAugmenter, X: Array, y: Labels, X_test: Array, y_test: Labels, seed: int
) -> dict[str, list[float]]:
    """Train one classifier per arm on its rows; return each one's recalls by class."""
    X_over, y_over = RandomOverSampler(random_state=seed).fit_resample(X, y)
    X_aug, y_aug = augmenter.augment(X, y)
    arms: dict[str, tuple[Array, Labels, bool]] = {
        ARMS[0]: (X, y, False),
        ARMS[1]: (X_over, y_over, False),
        ARMS[2]: (X_over, y_over, True),
        ARMS[3]: (X_aug, y_aug, True),
    }
    encode: Callable[[Array], Array] = augmenter.spec_.encode
    recalls = {}
    for name, (X_arm, y_arm, classic) in arms.items():
        classifier = fit_classifier(
            encode(X_arm),
            y_arm.astype(np.int64),
            len(COUNTS),
            seed=seed,
            max_steps=CLASSIFIER_STEPS,
            balanced=False,
            augmentation=random_affine if classic else None,
        )
        predicted = classifier.predict_proba(encode(X_test)).argmax(axis=1)
        recalls[name] = recall_score(y_test, predicted, average=None).tolist()
    return recalls


def summarise(runs: list[dict[str, Any]], n_test: int, max_images: int) -> dict[str, Any]:
    """Collect the runs, balanced accuracies and paired intervals (in points)."""
    scores = {arm: [100 * float(np.mean(run["recall"][arm])) for run in runs] for arm in ARMS}
    differences = {arm: vars(paired_interval(scores[arm], scores[BASELINE])) for arm in ARMS}
    by_class = {
        arm: (100 * np.mean([run["recall"][arm] for run in runs], axis=0)).tolist() for arm in ARMS
    }
    return {
        "task": "scikit-learn's digits (8x8), made imbalanced",
        "train_counts": dict(enumerate(COUNTS)),
        "n_test": n_test,
        "n_seeds": len(runs),
        "max_images": max_images,
        "balanced_accuracy": scores,
        "difference_to_baseline": differences,
        "baseline": BASELINE,
        "recall_by_class": by_class,
        "n_synthetic_by_class": np.mean([run["n_synthetic"] for run in runs], axis=0).tolist(),
        "runs": runs,
        "machine": {"processor": platform.machine(), "cores": cpu_count()},
        "versions": library_versions(),
    }


def describe(results: dict[str, Any], out: Path) -> str:
    """Format the results as a table and a sentence."""
    counts = " ".join(f"{n:5d}" for n in results["train_counts"].values())
    names = " ".join(f"{c:>5}" for c in results["train_counts"])
    task = (
        f"{results['task']}; {results['n_test']} untouched test rows; "
        f"{results['n_seeds']} seeds, each with its own draw, GAN and classifiers."
    )
    lines = [
        task,
        "",
        f"{'recall per class, %':34s} {names}   balanced accuracy, and paired difference",
        f"{'  (training rows)':34s} {counts}   to '{results['baseline']}' (95% t-interval)",
    ]
    for arm, recalls in results["recall_by_class"].items():
        cells = " ".join(f"{recall:5.1f}" for recall in recalls)
        mean = float(np.mean(results["balanced_accuracy"][arm]))
        d = results["difference_to_baseline"][arm]
        paired = (
            ""
            if arm == results["baseline"]
            else (f"  {d['mean']:+.2f} [{d['low']:+.2f}, {d['high']:+.2f}]")
        )
        lines.append(f"{arm:34s} {cells}   {mean:5.1f}{paired}")
    added = " ".join(f"{n:5.0f}" for n in results["n_synthetic_by_class"])
    lines.append(f"{'  (synthetic rows in it, mean)':34s} {added}")
    lines += ["", conclude(results), "", f"Written to {out}: results.json, samples.png, model/"]
    report = out / "report.html"
    if report.exists():
        lines.append(f"Audit of the first seed's model: {report} (open it in a browser)")
    else:
        lines.append('For an audit of the model, too: pip install "ganaug[report]"')
    return "\n".join(lines)


def conclude(results: dict[str, Any]) -> str:
    """Say in a sentence what the numbers allow one to say."""
    difference = PairedInterval(**results["difference_to_baseline"][ARMS[-1]])
    points = f"{difference.mean:+.2f} points of balanced accuracy"
    interval = f"95% interval {difference.low:+.2f} to {difference.high:+.2f}, n = {difference.n}"
    sentences = {
        "better": f"Here ganaug's rows helped: {points} over the baseline ({interval}).",
        "worse": f"Here ganaug's rows did harm: {points} against the baseline ({interval}). "
        "Do not use them on data like these.",
        "no clear difference": f"Here ganaug's rows made no clear difference: {points} against "
        f"the baseline ({interval}).",
    }
    sentence = sentences[difference.verdict]
    means = {arm: float(np.mean(values)) for arm, values in results["balanced_accuracy"].items()}
    best = max(ARMS[:-1], key=means.__getitem__)
    if difference.verdict == "better" and means[best] > means[ARMS[-1]]:
        sentence += (
            f" But '{best}', which has none of them, does better on average ({means[best]:.1f}%; "
            f"the baseline with them {means[ARMS[-1]]:.1f}%)."
        )
    return sentence + " One small data set says little about yours."


def draw_grid(augmenter: GANAugmenter, X: Array, y: Labels, scale: int = 4) -> Image.Image:
    """Draw real rows (left) beside synthetic ones (right), one class per line."""
    encode: Callable[[Array], Array] = augmenter.spec_.encode
    lines = []
    for label in augmenter.classes_.tolist():
        real = encode(X[y == label][:GRID_COLUMNS])[:, 0]
        fake = encode(_some_rows(augmenter, label))[:, 0]
        cells = [np.pad(image, 1, constant_values=96) for image in (*real, *fake)]
        gap = np.full((cells[0].shape[0], 4), 255, dtype=np.uint8)
        lines.append(np.concatenate([*cells[: len(real)], gap, *cells[len(real) :]], axis=1))
    picture = Image.fromarray(np.concatenate(lines))
    size = (picture.width * scale, picture.height * scale)
    return picture.resize(size, Image.Resampling.NEAREST)


def _some_rows(augmenter: GANAugmenter, label: int) -> Array:
    """Sample a class for the grid: unfiltered where the filter lets nothing through."""
    try:
        rows: Array = augmenter.sample({label: GRID_COLUMNS})[0]
    except SamplingError:
        rows = copy.copy(augmenter).set_params(filter=None).sample({label: GRID_COLUMNS})[0]
    return rows
