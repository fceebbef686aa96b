"""Can the verdict of `evaluate_gain` be trusted?

    python -m benchmarks.verdicts controls --data-dir DIR --out benchmarks/results/controls.json
    python -m benchmarks.verdicts agreement --data-dir DIR --out benchmarks/results/verdicts.json

*controls*: planted generators whose right verdict is known (`benchmarks.controls`), over sizes of
the data. Unused real rows must lead to "use", and how often they do is the power, by the number of
rows and of repeats; such rows under the name of another class must lead to "do not use", duplicates
never to "use".

*agreement*: real GANs. Each setting is a draw of its own, with one of three classifiers. The
verdict is given on the drawn rows; what synthetic rows are in fact worth is then measured on the
development part, all rows of the official training set that were not drawn, with a GAN trained on
all the drawn rows. Following the verdict is compared with never using synthetic rows.

Both can be interrupted: finished settings are kept beside the output and not done again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tqdm.auto import tqdm

from benchmarks.controls import Duplicator, Oracle, ShuffledOracle, SwappedOracle
from benchmarks.data import Rows, distinct, split_parts
from benchmarks.machine import describe_machine
from benchmarks.tasks import TASKS
from ganaug import GANAugmenter, evaluate_gain
from ganaug.gain.intervals import paired_interval
from ganaug.gain.remedies import Problem, Split, remedies_for
from ganaug.gain.trials import Trials
from ganaug.gain.verdict import OUTCOMES
from ganaug.inputs import read_training_set

MARGIN = 0.005  # evaluate_gain's default
PCA_ROWS = 10_000
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "svc": SVC,
    "neighbours": partial(KNeighborsClassifier, 3),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)),
}

# --- the settings ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """A data set, so many rows of some of its classes, and who classifies them."""

    task: str
    counts: tuple[tuple[int, int], ...]
    """Pairs of class and rows."""
    seed: int
    classifier: str = "svc"
    generator: str = "gan"
    max_images: int = 0
    folds: int = 10
    repeats: int = 1
    components: int = 0
    """Principal components to evaluate with, as a table, in place of pixels; 0: the pixels."""

    @property
    def key(self) -> str:
        """A file name."""
        counts = "-".join(f"{label}x{n}" for label, n in self.counts)
        who = f"{self.classifier}_{self.generator}"
        return f"{self.task}_{counts}_{who}_{self.repeats}_{self.seed}"


def equal(classes: Sequence[int], n: int) -> tuple[tuple[int, int], ...]:
    """As many rows of each class."""
    return tuple((label, n) for label in classes)


def falling(classes: Sequence[int], most: int, least: int) -> tuple[tuple[int, int], ...]:
    """Fall geometrically from the first class to the last."""
    sizes = np.geomspace(most, least, len(classes)).round().astype(int).tolist()
    return tuple(zip(classes, sizes, strict=True))


def control_settings() -> list[Setting]:
    """All generators at a few sizes of the data, then the oracle at more of them."""
    everything = range(10)
    sizes = [
        *(("digits", equal(everything, n)) for n in (12, 25, 50)),
        ("digits", falling(everything, 100, 12)),
        ("fashion-mnist", equal(everything, 100)),
        ("fashion-mnist", falling(everything, 400, 20)),
    ]
    planted = [
        Setting(task, counts, seed, generator=generator)
        for task, counts in sizes
        for generator in ("oracle", "swapped classes", "shuffled labels", "duplicates")
        for seed in range(10 if task == "digits" else 6 if generator == "oracle" else 3)
    ]
    power = [
        Setting(
            "fashion-mnist",
            equal(everything, n),
            seed,
            "neighbours",
            "oracle",
            repeats=repeats,
            components=40,
        )
        for n in (50, 100, 200, 400)
        for repeats in (1, 3)
        for seed in range(6)
    ]
    return planted + power


def agreement_settings() -> list[Setting]:
    """List 42 draws, 12 of them at 28x28; the classifiers take turns."""
    small: list[tuple[tuple[int, int], ...]] = [
        equal((0, 1, 2, 3, 4), 30),
        equal((5, 6, 7, 8, 9), 30),
        falling((1, 3, 5, 8, 9), 100, 20),
        falling((9, 8, 7, 6, 5), 100, 20),
        falling((8, 1, 2, 3), 80, 40),
    ]
    large = [
        ("fashion-mnist", falling((5, 7, 8, 9), 300, 40)),
        ("fashion-mnist", falling((0, 3, 4), 200, 40)),
        ("mnist", falling((4, 7, 9), 200, 30)),
        ("mnist", falling((3, 5, 8), 200, 30)),
    ]
    draws = [("digits", counts, seed, 6) for counts in small for seed in range(6)]
    draws += [(task, counts, seed, 4) for task, counts in large for seed in range(3)]
    classifiers = itertools.cycle(CLASSIFIERS)
    return [
        Setting(task, counts, seed, next(classifiers), max_images=20_000, folds=folds)
        for task, counts, seed, folds in draws
    ]


@lru_cache(maxsize=2)
def load_official(task: str, data_dir: Path) -> Rows:
    """Load the official training set, each image once."""
    return distinct(TASKS[task].load(data_dir, True))


def draw(setting: Setting, data_dir: Path) -> tuple[Rows, Rows]:
    """Draw the setting's rows; the others of its classes are the development part."""
    official = load_official(setting.task, data_dir)
    counts = dict(setting.counts)
    kept = np.isin(official.y, list(counts))
    rows = Rows(official.X[kept], official.y[kept])
    codes = {label: code for code, label in enumerate(sorted(counts))}
    coded = Rows(rows.X, np.array([codes[label] for label in rows.y.tolist()]))
    parts = split_parts(coded, tuple(counts[label] for label in sorted(counts)), 0, setting.seed)
    labels = np.array(sorted(counts))
    train, others = parts.train, parts.further
    return Rows(train.X, labels[train.y]), Rows(others.X, labels[others.y])


def estimator_of(setting: Setting) -> Any:
    """Make the classifier; images of 28x28 are first brought to 40 principal components."""
    classifier = CLASSIFIERS[setting.classifier]()
    is_small = setting.task == "digits" or setting.components
    return classifier if is_small else make_pipeline(PCA(40, random_state=0), classifier)


def rows_of(setting: Setting, parts: Sequence[Rows]) -> tuple[list[Any], Any]:
    """Give each part's rows as the classifier takes them, and the shape of their images, if any."""
    rows = [part.X.reshape(len(part.X), -1) for part in parts]
    if not setting.components:
        return rows, parts[0].X.shape[1:]
    # fitted on rows that are not evaluated with, and without their labels
    every = max(1, len(rows[1]) // PCA_ROWS)  # they stand by class
    pca = PCA(setting.components, random_state=0).fit(rows[1][::every])
    return [pca.transform(part) for part in rows], None


# --- one setting -------------------------------------------------------------------------------


def run_setting(setting: Setting, data_dir: Path, cache_dir: Path | None = None) -> dict[str, Any]:
    """Get a verdict, and for a real GAN what it is worth on the development part.

    `cache_dir` keeps the GANs, for a run that is interrupted.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    train, others = draw(setting, data_dir)
    estimator = estimator_of(setting)
    rows, shape = rows_of(setting, (train, others))
    augmenter = make_generator(setting, shape, rows[1], others.y, cache_dir)
    verdict = evaluate_gain(
        augmenter,
        rows[0],
        train.y,
        estimator,
        cv=setting.folds,
        n_repeats=setting.repeats,
        random_state=setting.seed,
    )
    result = {"setting": asdict(setting), "n_rows": len(train.y), "verdict": verdict.to_dict()}
    if setting.generator == "gan":
        strategy = verdict.setting_totals
        result["development"] = measure_on_development(
            augmenter, (rows[0], train.y), (rows[1], others.y), estimator, verdict, strategy
        )
    return result | {"seconds": time.perf_counter() - started}


def make_generator(
    setting: Setting, image_shape: Any, pool: Any, y_pool: Any, cache_dir: Path | None
) -> Any:
    """Make a GAN, or a planted generator."""
    if setting.generator == "gan":
        return GANAugmenter(
            image_shape=image_shape,
            width=16,
            batch_size=32,
            max_images=setting.max_images,
            cache_dir=cache_dir,
            device="cpu",
            verbose=0,
        )
    planted: dict[str, Callable[[], Any]] = {
        "oracle": lambda: Oracle(pool, y_pool),
        "swapped classes": lambda: SwappedOracle(pool, y_pool),
        "shuffled labels": lambda: ShuffledOracle(pool, y_pool),
        "duplicates": Duplicator,
    }
    generator = planted[setting.generator]()
    generator.image_shape = image_shape
    return generator


def measure_on_development(
    augmenter: Any, train: Any, others: Any, estimator: Any, verdict: Any, totals: dict[Any, int]
) -> dict[str, Any]:
    """Score the best remedy with and without the verdict's setting, on rows never seen."""
    X, y = (np.concatenate(pair) for pair in zip(train, others, strict=True))
    data = read_training_set(X, y, image_shape=getattr(augmenter, "image_shape", None))
    scorer = get_scorer("balanced_accuracy")
    problem = Problem(X, y, data.classes, data.spec, estimator, scorer)
    remedy = next(r for r in remedies_for(problem) if r.name == verdict.baseline)
    split = Split(0, 0, np.arange(len(train[1])), np.arange(len(train[1]), len(y)))
    trials = Trials(augmenter, problem, seed=1000)
    without = trials.without_synthetic(split, remedy).value
    score = without
    if totals:
        trials.train(split)
        score = trials.with_synthetic(split, remedy, totals).value
    return {"n_rows": len(others[1]), "without": without, "with": score}


# --- running -----------------------------------------------------------------------------------


def main() -> None:
    """Run all settings of one kind, write JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("controls", "agreement"))
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only the first so many settings")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    settings = control_settings() if options.what == "controls" else agreement_settings()
    folder = options.out.with_suffix(".partial")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    tasks = [delayed(run_kept)(s, options.data_dir, folder) for s in settings[: options.limit]]
    finished = Parallel(n_jobs=options.jobs, return_as="generator")(tasks)
    results = {
        "machine": describe_machine(),
        "margin": MARGIN,
        "settings": list(tqdm(finished, total=len(tasks), desc=options.what)),
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(describe_controls(results) if options.what == "controls" else describe(results))


def run_kept(setting: Setting, data_dir: Path, folder: Path) -> dict[str, Any]:
    """Run a setting unless its result is there; keep only what tables need."""
    path = folder / f"{setting.key}.json"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    result = run_setting(setting, data_dir, folder / "gans")
    for long in ("scores", "per_class", "gains_by_setting", "text", "notes"):
        del result["verdict"][long]
    path.write_text(json.dumps(result), encoding="utf-8")
    return result


# --- tables ------------------------------------------------------------------------------------


def describe_controls(results: dict[str, Any]) -> str:
    """Share of each outcome, by generator, data and classifier."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for result in results["settings"]:
        setting = result["setting"]
        counts = [n for _, n in setting["counts"]]
        sizes = str(counts[0]) if len(set(counts)) == 1 else f"{max(counts)} to {min(counts)}"
        task = setting["task"]
        if setting["components"]:
            task += f" as {setting['components']} principal components"
        data = f"{task}, {sizes} rows per class ({result['n_rows']})"
        who = f"{setting['classifier']}, {setting['folds']} x {setting['repeats']}"
        groups.setdefault((setting["generator"], data, who), []).append(result["verdict"])
    columns = ("generator", "data", "classifier, folds", *OUTCOMES, "mean gain, points")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for key, verdicts in groups.items():
        shares = [sum(v["outcome"] == o for v in verdicts) for o in OUTCOMES]
        cells = " | ".join(f"{n}/{len(verdicts)}" if n else "" for n in shares)
        gain = 100 * np.mean([v["gain"]["mean"] for v in verdicts])
        lines.append(f"| {' | '.join(key)} | {cells} | {gain:+.1f} |")
    return "\n".join(lines)


def describe(results: dict[str, Any]) -> str:
    """Tell what happened on the development part, by outcome, and what following costs."""
    rows = [
        (r["verdict"]["outcome"], 100 * _gain_on_development(r), 100 * r["verdict"]["gain"]["mean"])
        for r in results["settings"]
    ]
    margin = 100 * results["margin"]
    columns = (
        "outcome",
        "settings",
        f"measured gain above {margin:g} points",
        "within",
        f"below -{margin:g}",
        "mean measured gain, points (95% interval)",
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for outcome in OUTCOMES:
        gains = np.array([gain for o, gain, _ in rows if o == outcome])
        if len(gains):
            above, below = int((gains > margin).sum()), int((gains < -margin).sum())
            counts = (above, len(gains) - above - below, below)
            cells = " | ".join(_share(k, len(gains)) for k in counts)
            lines.append(f"| {outcome} | {len(gains)} | {cells} | {_mean_interval(gains)} |")
    followed = np.array([gain if outcome == "use" else 0.0 for outcome, gain, _ in rows])
    always = np.array([gain for _, gain, _ in rows])
    missed = np.maximum(always, 0) - np.maximum(followed, 0)
    summary = (
        f"{len(rows)} settings. Following the verdict instead of never using synthetic rows "
        f"changes balanced accuracy by {_mean_interval(followed)} points, at worst by "
        f"{followed.min():+.2f}. Always using them: {_mean_interval(always)}, at worst "
        f"{always.min():+.2f}. Gain missed by not using them: {missed.mean():.2f} on average, at "
        f"most {missed.max():.2f}."
    )
    lines += ["", summary]
    return "\n".join(lines)


def _gain_on_development(result: dict[str, Any]) -> float:
    development = result["development"]
    return float(development["with"] - development["without"])


def _share(k: int, n: int) -> str:
    """A count, with the Clopper-Pearson interval of its share."""
    interval = stats.binomtest(k, n).proportion_ci()
    return f"{k} ({100 * interval.low:.0f} to {100 * interval.high:.0f}%)"


def _mean_interval(values: Any) -> str:
    interval = paired_interval(list(values), [0.0] * len(values))
    if len(values) < 2:
        return f"{interval.mean:+.2f}"
    return f"{interval.mean:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


if __name__ == "__main__":
    # as a module that other processes can import, or --jobs could not hand them anything
    from benchmarks import verdicts

    verdicts.main()
