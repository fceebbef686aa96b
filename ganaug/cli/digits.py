"""The main job in one call: choose a remedy for rare classes, and see what it gives.

scikit-learn's digits are balanced; the demo makes them imbalanced on purpose and says so. A test
part is set aside before anything else, and no remedy is chosen or fitted by it.
"""

from __future__ import annotations

import contextlib
import json
import math
import platform
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, cpu_count, delayed, parallel_config
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from ganaug.augmenter import GANAugmenter
from ganaug.checks import require_extra
from ganaug.cli.classifiers import classifier_of
from ganaug.exceptions import MissingDependencyError, SamplingError
from ganaug.gain.evaluate import evaluate_gain
from ganaug.gain.intervals import paired_interval
from ganaug.gain.remedies import BUILT_IN, make_pipeline, select_remedies
from ganaug.gain.trials import without_our_warnings
from ganaug.gain.verdict import Verdict
from ganaug.persistence import library_versions
from ganaug.progress import bar_options

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
Scores = Mapping[str, Mapping[str, list[float]]]
"""Balanced accuracies by classifier and remedy, one per draw."""

COUNTS = (118, 94, 75, 59, 47, 38, 30, 24, 19, 15)
IMAGE_SHAPE = (8, 8)
CLASSIFIERS = {"linear model": "logistic", "neighbours": "knn", "forest": "rf", "SVC": "svc"}
"""By what `ganaug evaluate --estimator` calls them."""
N_DRAWS = 2
N_GENERATORS = 1
"""Of three by default, so that all is done in four minutes on two cores; three of a third of the
training each are trusted in no class."""
MAX_IMAGES = 60_000
TEST_SHARE = 0.3
NOTHING = "nothing"
CHOICE = "the choice"
AUDIT_SAMPLES = 100
ENOUGH_DRAWS = 3  # for intervals


def run_demo(
    out: str | Path = "demo-output",
    *,
    n_draws: int = N_DRAWS,
    max_images: int = MAX_IMAGES,
    n_jobs: int | None = None,
    verbose: int = 1,
) -> dict[str, Any]:
    """Choose remedies on imbalanced digits, score all of them on untouched images, and write that.

    Each draw has its own training images, GANs and choices; `n_jobs` are made at a time. Plot and
    report need the `report` extra. Returns: what ``results.json`` holds.
    """
    out, began = Path(out), time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    parts = split_digits()
    # a network this small is slower on two threads than on one, so draws share the cores instead
    with (
        tempfile.TemporaryDirectory() as cache_dir,
        parallel_config(backend="loky", inner_max_num_threads=1),
    ):
        tasks = [delayed(run_draw)(n, parts, max_images, cache_dir, out) for n in range(n_draws)]
        finished = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
        title = "Draws (some minutes each: GANs, choices, scores)"
        runs = list(tqdm(finished, title, n_draws, disable=not verbose, **bar_options()))
    results = {
        "task": "scikit-learn's digits (8x8), made imbalanced",
        "n": {"train": list(COUNTS), "test": len(parts[3])},
        "seeds": list(range(n_draws)),
        "max_images": max_images,
        "scores": {
            name: {arm: [scores[arm] for scores in by_draw] for arm in by_draw[0]}
            for name, by_draw in _by_draw(runs, "scores").items()
        },
        "choices": _by_draw(runs, "choice"),
        "decided": _by_draw(runs, "is_decided"),
        "alarms": [run["alarms"] for run in runs],
        "seconds": round(time.perf_counter() - began, 1),
        "machine": {"processor": platform.machine(), "cores": cpu_count()},
        "versions": library_versions(),
    }
    (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (out / "remedies.png").unlink(missing_ok=True)  # of an earlier run
    with contextlib.suppress(MissingDependencyError):
        draw_remedies(results).savefig(out / "remedies.png", dpi=150)
    return results


def _by_draw(runs: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """Turn draws of classifiers of values into classifiers of lists by draw."""
    return {name: [run["found"][name][what] for run in runs] for name in CLASSIFIERS}


def split_digits() -> tuple[Array, Labels, Array, Labels]:
    """Set the test part aside: pool, its labels, test images, their labels."""
    X, y = load_digits(return_X_y=True)
    X_pool, X_test, y_pool, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, stratify=y, random_state=0
    )
    return X_pool, y_pool, X_test, y_test


def draw_imbalanced(X: Array, y: Labels, seed: int) -> tuple[Array, Labels]:
    """Draw `COUNTS[c]` images of each class c."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(y == c))[:n] for c, n in enumerate(COUNTS)]
    index = np.concatenate(drawn)
    return X[index], y[index]


def run_draw(
    seed: int,
    parts: tuple[Array, Labels, Array, Labels],
    max_images: int,
    cache_dir: str,
    out: Path,
) -> dict[str, Any]:
    """Choose and score for each classifier; the first draw's GAN is kept and audited.

    Folds, seed and cache are the same for all classifiers: the first one trains the GANs of all.
    """
    X_pool, y_pool, X_test, y_test = parts
    X, y = draw_imbalanced(X_pool, y_pool, seed)
    augmenter = GANAugmenter(
        image_shape=IMAGE_SHAPE,
        n_generators=N_GENERATORS,
        max_images=max_images,
        cache_dir=cache_dir,
        random_state=seed,
        verbose=0,
    )
    found = {}
    with without_our_warnings():
        augmenter.fit(X, y)
        for name, code in CLASSIFIERS.items():
            verdict = evaluate_gain(
                classifier_of(code), X, y, augmenter=augmenter, random_state=seed, verbose=0
            )
            found[name] = {
                "scores": score_remedies(verdict, X, y, X_test, y_test),
                "choice": verdict.choice,
                "is_decided": verdict.is_decided,
            }
        if seed == 0:
            augmenter.save(out / "model")
            gain = verdict.to_dict() | {"text": f"With the {name}: {verdict.text}"}
            write_report(augmenter, (X, y), (X_pool, y_pool), out / "report.html", gain)
    return {"found": found, "alarms": augmenter.alarms_}


def score_remedies(
    verdict: Verdict, X: Array, y: Labels, X_test: Array, y_test: Labels
) -> dict[str, float]:
    """Fit every remedy on the whole draw, and score it and the choice on untouched images."""
    remedies, _ = select_remedies(None, verdict.task, verdict.estimator, len(y))
    scores = {}
    for remedy in remedies:
        pipeline = make_pipeline(remedy, verdict.task, verdict.estimator).fit(X, y)
        scores[remedy.name] = float(balanced_accuracy_score(y_test, pipeline.predict(X_test)))
    return scores | {CHOICE: scores[verdict.choice]}


# --- what is said of it ------------------------------------------------------------------------


def arms_of(scores: Scores) -> list[str]:
    """List what was scored for any classifier, the choice last."""
    names = [remedy.name for remedy in BUILT_IN] + [CHOICE]
    return [name for name in names if any(name in found for found in scores.values())]


def mean_of(scores: Scores, arm: str) -> list[float]:
    """Give the mean of all classifiers by draw; NaN where one of them cannot have the remedy."""
    n_draws = len(next(iter(scores.values()))[CHOICE])
    found = [of_classifier.get(arm, [math.nan] * n_draws) for of_classifier in scores.values()]
    return [float(value) for value in np.mean(found, axis=0)]


def table_of(scores: Scores) -> list[list[str]]:
    """Give the table: a line per remedy, a column per classifier, and their mean, in %."""
    lines = []
    for arm in arms_of(scores):
        cells = [found.get(arm, [math.nan]) for found in scores.values()] + [mean_of(scores, arm)]
        means = [100 * float(np.mean(values)) for values in cells]
        lines.append([arm, *("-" if math.isnan(mean) else f"{mean:.1f}" for mean in means)])
    return lines


def describe(results: dict[str, Any], out: Path) -> str:
    """Format the results: a table, and what it shows."""
    counts, n_draws, scores = results["n"]["train"], len(results["seeds"]), results["scores"]
    columns = ["", *scores, "mean"]
    widths = [max(len(arm) for arm in arms_of(scores)), *(len(name) + 3 for name in columns[1:])]
    lines = [
        f"{results['task']}: {counts[0]} to {counts[-1]} training images a class; {n_draws} draws.",
        f"Balanced accuracy on {results['n']['test']} untouched images, %, mean of the draws:",
        "",
    ]
    for arm, *cells in (columns, *table_of(scores)):
        numbers = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append(f"{arm:{widths[0]}}{''.join(numbers)}")
    if any("-" in cells for cells in table_of(scores)):
        lines.append("-: not for this classifier, hence no mean of all")
    lines += ["", "The choice, draw by draw, made from the training images alone:"]
    lines += [f"  {name}: {', '.join(chosen)}" for name, chosen in results["choices"].items()]
    lines.append("")
    explained = {"augmented", "enlarged", *_GAN} & set(arms_of(scores))
    lines += [f"{r.name}: {r.text}" for r in BUILT_IN if r.name in explained]
    lines += ["", conclude(scores), "", f"Written to {out}:"]
    lines += [f"  {name:13} {what}" for name, what in _WRITTEN.items() if (out / name).exists()]
    if not (out / "remedies.png").exists() or not (out / "report.html").exists():
        lines.append('For a plot and an audit page, too: pip install "ganaug[report]"')
    return "\n".join(lines)


_GAN = [remedy.name for remedy in BUILT_IN if remedy.uses_gan]
_WRITTEN = {
    "results.json": "every score and choice",
    "remedies.png": "the table as a plot",
    "report.html": "audit of that GAN; open it in a browser",
    "model": "the GAN itself, for GANAugmenter.load",
}


def conclude(scores: Scores) -> str:
    """Say in a few sentences what the scores allow one to say."""
    means = {arm: mean_of(scores, arm) for arm in arms_of(scores)}
    fixed = [arm for arm, v in means.items() if arm != CHOICE and not math.isnan(v[0])]
    best, real, synthetic = (
        max(arms, key=lambda arm: float(np.mean(means[arm])))
        for arms in (fixed, [a for a in fixed if a not in _GAN], [a for a in fixed if a in _GAN])
    )

    def apart(arm: str, other: str) -> str:
        found = paired_interval(100 * np.array(means[arm]), 100 * np.array(means[other]))
        interval = f" (95% interval {found.low:+.1f} to {found.high:+.1f}, n = {found.n})"
        return f"{found.mean:+.1f} points{interval if found.n >= ENOUGH_DRAWS else ''}"

    n_draws = len(means[CHOICE])
    text = (
        f"In the mean of the classifiers, the choice is worth {apart(CHOICE, NOTHING)} over "
        f"doing nothing, and {apart(CHOICE, best)} over '{best}', the best remedy for all of them, "
        f"which only hindsight tells. By hindsight, too, the best with a GAN ('{synthetic}') is "
        f"worth {apart(synthetic, real)} over the best without ('{real}')."
    )
    if n_draws < ENOUGH_DRAWS:
        text += f" So few draws ({n_draws}) give no intervals; small differences may be chance."
    return text + " One small data set says little about yours."


def draw_remedies(results: Mapping[str, Any]) -> Any:
    """Draw a remedy a line: a dot for each classifier and draw, and a bar at their mean."""
    figure = require_extra("matplotlib.figure", "report").Figure((7, 4), layout="constrained")
    axes, scores, counts = figure.subplots(), results["scores"], results["n"]["train"]
    arms = arms_of(scores)
    for number, (name, found) in enumerate(scores.items()):
        points = [
            (100 * value, row + 0.15 * (number - 1.5))  # a little apart by classifier
            for row, arm in enumerate(arms)
            for value in found.get(arm, [])
        ]
        axes.plot(*zip(*points, strict=True), "o", c=f"C{number}", ms=4, alpha=0.7, label=name)
    means = 100 * np.mean([mean_of(scores, arm) for arm in arms], axis=1)
    lines = np.arange(len(arms))
    axes.vlines(means, lines - 0.38, lines + 0.38, colors="k", label="mean")
    axes.axhspan(len(arms) - 1.5, len(arms) - 0.5, color="0.92", zorder=0)
    texts = ["" if math.isnan(mean) else f"  {mean:.1f}" for mean in means]
    axes.set_yticks(lines, [f"{arm}{text}" for arm, text in zip(arms, texts, strict=True)])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    n_test, n_draws = results["n"]["test"], len(results["seeds"])
    axes.set_xlabel(f"balanced accuracy on {n_test} untouched images, %; a dot a draw ({n_draws})")
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    title = f"Digits, {counts[0]} to {counts[-1]} training images a class"
    figure.legend(title=title, frameon=False, loc="outside upper center", ncols=len(scores) + 1)
    return figure


# --- the first draw's GAN ----------------------------------------------------------------------


def write_report(
    augmenter: GANAugmenter,
    train: tuple[Array, Labels],
    pool: tuple[Array, Labels],
    path: Path,
    verdict: Mapping[str, Any] | None = None,
) -> None:
    """Audit the model beside pool images that were not drawn.

    Without the `report` extra, or where the filter rejects all of a class, there is no report.
    """
    path.unlink(missing_ok=True)  # of an earlier run
    drawn = {image.tobytes() for image in train[0]}
    rest = [image.tobytes() not in drawn for image in pool[0]]
    with contextlib.suppress(MissingDependencyError, SamplingError):
        report = augmenter.audit(
            *train,
            X_holdout=pool[0][rest],
            y_holdout=pool[1][rest],
            n_samples=AUDIT_SAMPLES,
            verdict=verdict,
            title="Audit of a GAN of scikit-learn's digits",
        )
        report.to_html(path)
