r"""What each over-sampler is worth to scikit-learn's classifiers.

One draw is a selection of training images and the GANs trained on them, which all classifiers
share. Classes are filled up to the largest (or to ``--fill``) by each arm, and scored by balanced
accuracy. On ``--part test`` imbalanced-learn's samplers are scored on the development part, too: it
names the best of them. Further GANs, and shares of what they add:

    python -m benchmarks pipelines --gan small '{"width": 16}' --arms nothing ganaug small small@0.5

Classifiers see values of 0 to 1. Logistic regression has C=0.1 and 100 iterations, nearest
neighbours are 3, the forest has 100 trees, the MLP one layer of 128 and 30 epochs, histogram
gradient boosting 50 iterations without early stopping; all else is scikit-learn's default.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks import resamplers
from benchmarks.data import TASKS, Images, draw_parts, load_test
from benchmarks.machine import cpu_seconds, one_thread
from benchmarks.resamplers import (
    CEILING,
    DUPLICATES_ENLARGED,
    ENLARGED,
    GANAUG,
    GANS,
    IMBALANCED_LEARN,
    MATCHED,
    MIXED,
    NOTHING,
    SMOTE_ENLARGED,
    Draw,
    Training,
)
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import (
    bootstrap_interval,
    difference,
    fieller_interval,
    recalls,
    show_interval,
)

N_DRAWS = 5
DEVELOPMENT, TEST = "development", "test"
SMALL_PART = 1000
"""Parts of fewer images are bootstrapped as well."""
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: LogisticRegression(C=0.1, max_iter=100),  # noqa: ARG005
    "nearest neighbours": lambda seed: KNeighborsClassifier(3),  # noqa: ARG005
    "forest": lambda seed: RandomForestClassifier(random_state=seed),
    "SVC": lambda seed: SVC(random_state=seed),
    "MLP": lambda seed: MLPClassifier((128,), max_iter=30, random_state=seed),
    "gradient boosting": lambda seed: HistGradientBoostingClassifier(
        max_iter=50, early_stopping=False, random_state=seed
    ),
}
USUAL_CLASSIFIERS = tuple(CLASSIFIERS)[:4]
USUAL_TASKS = ("digits", "mnist", "fashion-mnist", "spoken-digits", "cifar10-grey")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add tasks, arms, classifiers, and how far classes are filled."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=USUAL_TASKS)
    parser.add_argument("--arms", nargs="+", default=resamplers.ARMS, help="GANs as NAME[@SHARE]")
    parser.add_argument("--classifiers", nargs="+", choices=CLASSIFIERS, default=USUAL_CLASSIFIERS)
    parser.add_argument("--part", choices=(DEVELOPMENT, TEST), default=DEVELOPMENT)
    parser.add_argument("--fill", default="auto", help="images per class, or auto: the largest's")
    parser.add_argument("--gan", nargs=2, action="append", default=[], metavar=("NAME", "JSON"))
    parser.add_argument("--svc-limit", type=int, default=20_000, help="images; more: no SVC")
    parser.add_argument("--cache-dir", type=Path, default=Path("data/gans"))
    parser.add_argument("--jobs", type=int, default=1, help="draws at a time")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common; tasks, arms and draws can be added to a run."""
    return {
        "part": options.part,
        "fill": options.fill,
        "classifiers": list(options.classifiers),
        "svc_limit": options.svc_limit,
        "gans": gans_of(options),
    }


def gans_of(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Give the parameters of all GANs by name."""
    return GANS | {name: json.loads(parameters) for name, parameters in options.gan}


# --- running -----------------------------------------------------------------------------------


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Run every arm of every draw; a draw's arms follow one another."""
    known = {NOTHING, *IMBALANCED_LEARN, *resamplers.OTHERS, *gans_of(options)}
    unknown = [arm for arm in options.arms if arm.partition("@")[0] not in known]
    if unknown:
        raise SystemExit(f"Arms must be among {', '.join(sorted(known))}. Got {unknown} instead.")
    pairs = [(task, seed) for task in options.tasks for seed in range(options.draws)]
    draws = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(run_draw)(options, store, task, seed) for task, seed in pairs
    )
    found = dict(zip(pairs, tqdm(draws, total=len(pairs), desc="draws"), strict=True))
    return summarise(options, found)


def run_draw(options: argparse.Namespace, store: Store, task: str, seed: int) -> dict[str, Any]:
    """Run all arms of a draw that the store does not have."""
    draw = Draw(
        task,
        seed,
        draw_parts(task, options.data_dir, seed),
        None if options.fill == "auto" else int(options.fill),
        options.cache_dir,
        gans_of(options),
    )
    scored = {DEVELOPMENT: draw.parts.development}
    if options.part == TEST:
        scored[TEST] = load_test(task, options.data_dir)
    arms = {}
    with one_thread():
        for arm in options.arms:
            unit = f"{task}/{seed}/{arm.replace(' ', '-')}"
            arms[arm] = store.once(unit, partial(run_arm, options, draw, arm, scored))
    # on which images the bootstrap is
    labels = {part: images.y.tolist() for part, images in scored.items()}
    return {"arms": arms, "labels": labels}


def run_arm(
    options: argparse.Namespace, draw: Draw, arm: str, scored: Mapping[str, Images]
) -> dict[str, Any]:
    """Train every classifier on an arm's images; an arm that cannot be made is a result, too."""
    try:
        training = resamplers.make(arm, draw)
    except (ValueError, RuntimeError) as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    found: dict[str, Any] = {
        "added": {
            str(kind): np.bincount(training.y[training.kinds == kind]).tolist()
            for kind in np.unique(training.kinds)
        },
        "classifiers": {
            name: judge(name, training, draw.seed, scored)
            for name in options.classifiers
            if name != "SVC" or len(training.y) <= options.svc_limit
        },
    }
    name = resamplers.gan_of(arm)[0]
    if name in draw.gans:
        found["trust"] = list(draw.gan(name).trust_.values())
        found["gan_cpu_seconds"] = draw.gan_cpu_seconds(name)
    return found


def judge(name: str, training: Training, seed: int, scored: Mapping[str, Images]) -> dict[str, Any]:
    """Train a classifier; give recalls on each part, and on small ones who was right."""
    before = cpu_seconds()
    classifier = CLASSIFIERS[name](seed)
    classifier.fit(training.X.astype(np.float32) / 255, training.y)
    found: dict[str, Any] = {"fit_seconds": cpu_seconds() - before, "recalls": {}, "hits": {}}
    for part, images in scored.items():
        predicted = classifier.predict(images.X.reshape(len(images.X), -1).astype(np.float32) / 255)
        found["recalls"][part] = recalls(images.y, predicted, int(training.y.max()) + 1)
        if len(images.y) <= SMALL_PART:
            found["hits"][part] = "".join("01"[right] for right in (predicted == images.y).tolist())
    return found


# --- summary -----------------------------------------------------------------------------------


def summarise(
    options: argparse.Namespace, found: Mapping[tuple[str, int], dict[str, Any]]
) -> dict[str, Any]:
    """Collect scores by task, classifier and part, and what is told of each task."""
    parts = [DEVELOPMENT] + [TEST] * (options.part == TEST)
    scores: dict[str, dict[str, list[Any]]] = {}
    about: dict[str, Any] = {}
    for task in options.tasks:
        draws = [found[task, seed] for seed in range(options.draws)]
        for name in options.classifiers:
            for part in parts:
                table = {
                    arm: [_balanced(draw["arms"][arm], name, part) for draw in draws]
                    for arm in options.arms
                }
                if any(value is not None for values in table.values() for value in values):
                    scores[f"{task}, {name}, {part}"] = table
        about[task] = about_task(options, draws, parts)
    return {"n": {t: {"train": TASKS[t].counts} for t in about}, "scores": scores, "tasks": about}


def _balanced(arm: dict[str, Any], classifier: str, part: str) -> float | None:
    found = arm.get("classifiers", {}).get(classifier)
    return float(np.mean(found["recalls"][part])) if found else None


def about_task(
    options: argparse.Namespace, draws: list[dict[str, Any]], parts: list[str]
) -> dict[str, Any]:
    """Give mean recalls by class, seconds, trust, failures, and the bootstrap of small parts."""
    part = parts[-1]
    arms: dict[str, list[Any]] = {arm: [d["arms"][arm] for d in draws] for arm in options.arms}
    about: dict[str, Any] = {"recalls": {}, "gan_cpu_seconds": {}, "trust": {}, "failed": {}}
    for arm, records in arms.items():
        failed = [record["failed"] for record in records if "failed" in record]
        if failed:
            about["failed"][arm] = failed[0][:200]
            continue
        of_all = [c["recalls"][part] for r in records for c in r["classifiers"].values()]
        about["recalls"][arm] = np.round(np.mean(of_all, axis=0), 4)
        if "trust" in records[0]:
            about["gan_cpu_seconds"][arm] = [record["gan_cpu_seconds"] for record in records]
            about["trust"][arm] = np.round(np.mean([r["trust"] for r in records], axis=0), 3)
    about["fit_seconds"] = fit_seconds(arms, options.classifiers)
    labels = np.array(draws[0]["labels"][part])
    # only the test set has the same images in every draw
    if part == TEST and len(labels) <= SMALL_PART and {GANAUG, MIXED} <= {*about["recalls"]}:
        with_gan, without = (_hits(arms[arm], part) for arm in (GANAUG, MIXED))
        about["bootstrap"] = bootstrap_interval(with_gan, without, labels)
    return about


def fit_seconds(arms: Mapping[str, list[Any]], classifiers: list[str]) -> dict[str, float]:
    """Give the mean processor seconds of a classifier's fit, over arms and draws."""
    found = {}
    for name in classifiers:
        records = [r["classifiers"] for of_arm in arms.values() for r in of_arm if "added" in r]
        seconds = [record[name]["fit_seconds"] for record in records if name in record]
        if seconds:
            found[name] = round(float(np.mean(seconds)), 2)
    return found


def _hits(records: list[Any], part: str) -> Any:
    """Share of classifiers that were right: (draws, images)."""
    return np.array(
        [
            np.mean([[*map(int, c["hits"][part])] for c in r["classifiers"].values()], axis=0)
            for r in records
        ]
    )


# --- tables ------------------------------------------------------------------------------------

BEST_OTHER = "best of imbalanced-learn"
COLUMNS = (NOTHING, BEST_OTHER, MATCHED, MIXED, ENLARGED, GANAUG, CEILING)
PAIRS = (
    (MIXED, BEST_OTHER),
    (MIXED, MATCHED),
    (ENLARGED, MIXED),
    (GANAUG, MIXED),
    (CEILING, MIXED),
)
COLUMNS_OF_FEW = (NOTHING, DUPLICATES_ENLARGED, SMOTE_ENLARGED, ENLARGED)
PAIRS_OF_FEW = (
    (ENLARGED, NOTHING),
    (ENLARGED, DUPLICATES_ENLARGED),
    (ENLARGED, SMOTE_ENLARGED),
)


def part_of(result: Result) -> str:
    """Name the part that is told about."""
    return str(result["settings"]["part"])


def with_best_other(
    result: Result, task: str, classifier: str, part: str | None = None
) -> dict[str, list[float]] | None:
    """Give a classifier's scores by arm, the best sampler of imbalanced-learn among them.

    It is the one that is best on the development part. None where the classifier was not run.
    """
    tables = result["scores"]
    scores = tables.get(f"{task}, {classifier}, {part or part_of(result)}")
    if scores is None:
        return None
    chosen_by = tables.get(f"{task}, {classifier}, {DEVELOPMENT}", {})
    complete = {arm: v for arm, v in scores.items() if None not in v}
    others = [arm for arm in IMBALANCED_LEARN if arm in complete and None not in chosen_by[arm]]
    if others:
        best = max(others, key=lambda arm: float(np.mean(chosen_by[arm])))
        complete[BEST_OTHER] = complete[best]
    return complete


def mean_over_classifiers(
    result: Result, task: str, part: str | None = None
) -> dict[str, list[float]]:
    """Average scores over the classifiers, draw by draw."""
    names = result["settings"]["classifiers"]
    found = [with_best_other(result, task, name, part) for name in names]
    tables = [scores for scores in found if scores]
    shared = set.intersection(*(set(scores) for scores in tables))
    return {arm: np.mean([s[arm] for s in tables], axis=0).tolist() for arm in shared}


def describe(result: Result) -> str:
    """Give each task's scores by classifier, and what was gained."""
    return "\n\n".join([describe_scores(result), describe_gains(result)])


def describe_few(result: Result) -> str:
    """Give the same of classes that are equally large, and small."""
    return "\n\n".join(
        [describe_scores(result, COLUMNS_OF_FEW), describe_gains(result, PAIRS_OF_FEW)]
    )


def describe_scores(result: Result, columns: Sequence[str] = COLUMNS) -> str:
    """Give balanced accuracy by task and classifier, for the arms that matter."""
    found = {
        (TASKS[task].title, name): scores
        for task in result["tasks"]
        for name in result["settings"]["classifiers"]
        if (scores := with_best_other(result, task, name))
    }
    heads = [f"balanced accuracy, %, {part_of(result)}", "classifier"]
    return _scores_table(heads, found, columns)


def describe_headline(result: Result) -> str:
    """Give balanced accuracy by task, mean over classifiers: small enough for the README."""
    found = {(TASKS[t].title,): mean_over_classifiers(result, t) for t in result["tasks"]}
    n_draws, n_classifiers = len(result["seeds"]), len(result["settings"]["classifiers"])
    head = f"balanced accuracy, %, mean of {n_classifiers} classifiers, {n_draws} draws"
    return _scores_table([head], found)


def _scores_table(
    heads: list[str],
    found: Mapping[Any, Mapping[str, list[float]]],
    columns: Sequence[str] = COLUMNS,
) -> str:
    """Lay out the arms that matter, as far as they were run, a line each."""
    arms = [arm for arm in columns if any(arm in scores for scores in found.values())]
    lines = [[*k, *(_percent(scores.get(arm)) for arm in arms)] for k, scores in found.items()]
    return markdown([*heads, *arms], lines)


def describe_development(result: Result) -> str:
    """Give what is chosen by: arms beside the mix without a GAN on the development part."""
    lines = []
    for task in result["tasks"]:
        scores = mean_over_classifiers(result, task, DEVELOPMENT)
        for arm in (arm for arm in result["tasks"][task]["recalls"] if arm in scores):
            gain = show_interval(difference(scores[arm], scores[MIXED])) if arm != MIXED else ""
            lines.append([TASKS[task].title, arm, _percent(scores[arm]), gain])
    columns = ["task", "arm", "mean over classifiers, %, development part"]
    return markdown([*columns, f"over {MIXED} (95% interval)"], lines)


def describe_enlarged(result: Result) -> str:
    """Give all arms of each task, mean over classifiers, beside what enlarges by warped images."""
    return describe_arms(result, ENLARGED)


def describe_arms(result: Result, baseline: str = MIXED) -> str:
    """Give all arms of each task, mean over classifiers, beside one of them."""
    lines = []
    for task in result["tasks"]:
        scores = mean_over_classifiers(result, task)
        arms = [arm for arm in result["tasks"][task]["recalls"] if arm in scores]
        for arm in arms:
            gain = ""
            if baseline in scores and arm != baseline:
                gain = show_interval(difference(scores[arm], scores[baseline]))
            lines.append([TASKS[task].title, arm, _percent(scores[arm]), gain])
        for arm, reason in result["tasks"][task]["failed"].items():
            lines.append(
                [TASKS[task].title, arm, "failed", " ".join(reason.replace("|", "/").split())[:80]]
            )
    columns = ["task", "arm", "mean over classifiers, %", f"over {baseline} (95% interval)"]
    return markdown(columns, lines)


def describe_gains(result: Result, compared: Sequence[tuple[str, str]] = PAIRS) -> str:
    """Give paired gains, mean over classifiers, and the exchange rate, as far as arms were run."""
    by_task = {task: mean_over_classifiers(result, task) for task in result["tasks"]}
    pairs = [
        (arm, other)
        for arm, other in compared
        if any(arm in scores and other in scores for scores in by_task.values())
    ]
    has_gan = (GANAUG, MIXED) in pairs
    columns = ["points, mean over classifiers (95% interval)"]
    columns += [f"{arm} over {other}" for arm, other in pairs]
    columns += ["exchange rate", "GAN, CPU s"] * has_gan
    lines = []
    for task, scores in by_task.items():
        about, cells = result["tasks"][task], [TASKS[task].title]
        for arm, other in pairs:
            known = arm in scores and other in scores
            cells.append(show_interval(difference(scores[arm], scores[other])) if known else "")
        if "bootstrap" in about:
            low, high = about["bootstrap"][1:]
            place = 1 + pairs.index((GANAUG, MIXED))
            cells[place] += f"; over test images too: {low:+.2f} to {high:+.2f}"
        if has_gan:
            seconds = about["gan_cpu_seconds"].get(GANAUG, [])
            cells += [exchange_rate(scores), f"{np.mean(seconds):.0f}" if len(seconds) else ""]
        lines.append(cells)
    return markdown(columns, lines)


def exchange_rate(scores: Mapping[str, list[float]]) -> str:
    """Give ganaug's gain over that of further real images, both over the mix without a GAN."""
    if not {GANAUG, CEILING, MIXED} <= set(scores):
        return ""
    gains = [np.subtract(scores[arm], scores[MIXED]).tolist() for arm in (GANAUG, CEILING)]
    return str(fieller_interval(*gains))


def _percent(values: list[float] | None) -> str:
    return f"{100 * np.mean(values):.1f}" if values else ""
