r"""What synthetic rows are worth downstream, beside what else one could do.

    python -m benchmarks.run --task fashion-mnist --seeds 5 --part dev test --data-dir DIR \
        --out benchmarks/results/downstream-fashion-mnist.json --jobs 2
    python -m benchmarks.run --task fashion-mnist --choose-steps 300 600 1000 --seeds 2 \
        --data-dir DIR

One seed is a new draw of rows, a new GAN and a new classifier for each arm, all of which share the
draw and the GAN. The arms are in `benchmarks.arms`, the tasks in `benchmarks.tasks`. What is
finished is kept beside the output file until all of it is; an interrupted run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from benchmarks.arms import (
    ARMS,
    BASELINE,
    NEED_THE_GAN,
    Plan,
    compose,
    equal_size,
    for_ganaug,
    make_augmented,
    make_extra,
    make_replica,
    make_synthetic,
    take_further,
)
from benchmarks.classifiers import Classifier, Schedule, digest, predict, train_classifier
from benchmarks.data import Parts, Rows, split_parts
from benchmarks.machine import describe_machine
from benchmarks.scores import SCORES, fieller_interval, score
from benchmarks.tasks import TASKS, load_test_rows, load_training_rows
from ganaug import GANAugmenter
from ganaug.gain.intervals import paired_interval

RESULTS = Path(__file__).parent / "results"
PARTS = ("dev", "test")
GAN = "gan"
GAN_WEIGHT = 15
"""Arms that take about as long as a GAN; for the estimate of the time left."""


@dataclass(frozen=True)
class Scale:
    """How much is trained.

    Parameters
    ----------
    gan : dict
        Options of `GANAugmenter` that are not its defaults.
    network : str
        Name in `benchmarks.classifiers.NETWORKS`.
    autoencoder_steps : int
        Steps of the DeepSMOTE-like auto-encoder.
    """

    gan: dict[str, Any] = field(default_factory=dict)
    network: str = "small CNN"
    autoencoder_steps: int = 800


SCALES = {
    "small": Scale({"max_images": 50_000}),  # what two CPU cores do of images in colour
    "quick": Scale({"max_images": 100_000}),
    "full": Scale(network="ResNet-20", autoencoder_steps=20_000),
    # for tests: a GAN that has learnt next to nothing, and that nothing is done about
    "tiny": Scale({"max_images": 256, "width": 8, "filter": None}, autoencoder_steps=10),
}


@dataclass(frozen=True)
class Settings:
    """What a result depends on, and where it goes."""

    task: str
    scale: str
    n_steps: int
    parts: tuple[str, ...]
    data_dir: Path
    store: Path
    device: str = "cpu"

    def identity(self) -> dict[str, Any]:
        """Describe what must be equal for results to stand in one table."""
        task = TASKS[self.task]
        described = {
            "task": self.task,
            "counts": list(task.counts),
            "development_per_class": task.development_per_class,
            "scale": self.scale,
            "classifier_steps": self.n_steps,
            "parts": list(self.parts),
            "versions": describe_machine()["versions"],
            "device": self.device.partition(":")[0],
            "caps": {name: getattr(GANAugmenter(), name) for name in ("max_ratio", "max_share")},
            **asdict(SCALES[self.scale]),
        }
        identity: dict[str, Any] = json.loads(json.dumps(described))
        return identity

    def schedule(self) -> Schedule:
        """What all classifiers share."""
        task = TASKS[self.task]
        network = SCALES[self.scale].network
        return Schedule(network, self.n_steps, task.flips, task.shift, task.n_classes, self.device)


# --- command line ------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = parse(arguments)
    if options.choose_steps:
        choose_steps(options)
        return
    settings = Settings(
        options.task,
        options.scale,
        options.steps or read_steps(options.task, options.scale),
        tuple(part for part in PARTS if part in options.part),
        options.data_dir,
        options.out.with_suffix(".partial"),
        resolve_device(options.device),
    )
    results = run_benchmark(settings, options.arms, range(options.seeds), options.jobs)
    write_json(options.out, results)
    if any(arm["failed"] for arm in results["arms"].values()):
        print(f"Some arms failed; the same command tries them again. Kept: {settings.store}")
    else:
        shutil.rmtree(settings.store)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; mistakes end the program before any work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=["dev"])
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--scale", choices=SCALES, default="quick")
    parser.add_argument("--jobs", type=int, default=1, help="seeds and arms at a time (CPU)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, help="instead of those chosen for the task")
    parser.add_argument("--choose-steps", type=int, nargs="+", metavar="STEPS")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    if options.out is None and options.choose_steps:
        options.out = steps_file(options.task, options.scale)
    if options.out is None:
        parser.error("--out must name the file for the results.")
    if options.seeds < 1 or options.jobs < 1:
        parser.error(f"--seeds and --jobs must be 1 or more. Got {options.seeds}, {options.jobs}.")
    if resolve_device(options.device).startswith("cuda") and options.jobs > 1:
        parser.error("--jobs must be 1 on a GPU, which the processes would only share.")
    return options


def resolve_device(device: str) -> str:
    """Choose a GPU if there is one."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def steps_file(task: str, scale: str) -> Path:
    """Where the search for the number of steps is written."""
    return RESULTS / f"steps-{task}{'' if scale == 'quick' else '-' + scale}.json"


def read_steps(task: str, scale: str) -> int:
    """Read the number of steps that was chosen on the development part."""
    path = steps_file(task, scale)
    if not path.exists():
        raise SystemExit(
            f"The classifier's number of steps must have been chosen for task {task!r} at scale "
            f"{scale!r}. There is no {path.name}: run with --choose-steps first, or give --steps."
        )
    return int(json.loads(path.read_text(encoding="utf-8"))["chosen"])


# --- the whole ---------------------------------------------------------------------------------


def run_benchmark(
    settings: Settings, arms: Sequence[str], seeds: Sequence[int], n_jobs: int = 1
) -> dict[str, Any]:
    """Run what the store does not have yet, and summarise the whole."""
    open_store(settings)
    started = time.perf_counter()
    needing = [arm for arm in arms if arm in NEED_THE_GAN]
    first = [(seed, GAN) for seed in seeds if needing]
    first += [(seed, arm) for seed in seeds for arm in arms if arm not in needing]
    second = [(seed, arm) for seed in seeds for arm in needing]
    weights = [GAN_WEIGHT if unit == GAN else 1 for _, unit in first + second]
    with tqdm(total=sum(weights), desc=f"{settings.task}, {settings.scale}") as progress:
        for units in (first, second):
            for _, unit in run_units(settings, units, n_jobs):
                progress.update(GAN_WEIGHT if unit == GAN else 1)
    return summarise(settings, arms, seeds) | {"seconds": round(time.perf_counter() - started, 1)}


def run_units(
    settings: Settings, units: Sequence[tuple[int, str]], n_jobs: int
) -> Iterator[tuple[int, str]]:
    """Run units in parallel, one torch thread each."""
    with parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        yield from parallel(delayed(run_unit)(settings, seed, unit) for seed, unit in units)


def run_unit(settings: Settings, seed: int, unit: str) -> tuple[int, str]:
    """Run one seed's GAN or one arm unless it is finished; a failure is a result."""
    path = record_file(settings, seed, unit)
    if not (path.exists() and read_json(path)["status"] == "ok"):
        started, busy = time.perf_counter(), time.process_time()
        with one_thread(settings.device), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                work = fit_gan if unit == GAN else run_arm
                record = {"status": "ok"} | work(settings, seed, *([] if unit == GAN else [unit]))
            except Exception as error:  # noqa: BLE001 - reported in the table
                reason = f"{type(error).__name__}: {error}"
                record = {"status": "failed", "reason": reason}
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".traceback").write_text(traceback.format_exc(), encoding="utf-8")
        record["seconds"] = round(time.perf_counter() - started, 1)
        record["cpu_seconds"] = round(time.process_time() - busy, 1)
        record["warnings"] = sorted({f"{w.category.__name__}: {w.message}" for w in caught})
        write_json(path, record)
    return seed, unit


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """Compute on one thread, so that results do not depend on the number of jobs."""
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# --- one seed ----------------------------------------------------------------------------------


def draw_parts(settings: Settings, seed: int) -> Parts:
    """Draw a seed's parts of the official training set."""
    task = TASKS[settings.task]
    rows = load_training_rows(settings.task, settings.data_dir)
    return split_parts(rows, task.counts, task.development_per_class, seed)


def fit_gan(settings: Settings, seed: int) -> dict[str, Any]:
    """Train the seed's GAN; keep its rows, and those that take their place, on disk."""
    parts, task = draw_parts(settings, seed), TASKS[settings.task]
    augmenter = GANAugmenter(
        random_state=seed, device=settings.device, verbose=0, **SCALES[settings.scale].gan
    )
    augmenter.fit(for_ganaug(parts.train.X), parts.train.y)
    synthetic, plan = make_synthetic(augmenter, parts.train)
    further = take_further(parts.further, plan)
    augmented = make_augmented(parts.train, plan, task.flips, task.shift, seed)
    kept = {"synthetic": synthetic, "augmented": augmented, "further": further}
    for source, rows in (kept | {"replica": make_replica(augmenter, parts.train)}).items():
        write_rows(rows_file(settings, seed, source), rows)
    n_further = np.bincount(further.y, minlength=task.n_classes)
    return {
        "n_synthetic": plan.n_synthetic,
        "target": plan.target,
        "further_rows_missing": (np.array(plan.n_synthetic) - n_further).tolist(),
        "trust": [round(float(a), 4) for a in augmenter.trust_.values()],
        "images_seen": augmenter.n_images_seen_,
        "fit_seconds": round(augmenter.fit_seconds_, 1),
        "alarms": json.loads(json.dumps(augmenter.alarms_, default=float)),
    }


def run_arm(settings: Settings, seed: int, name: str) -> dict[str, Any]:
    """Train an arm's classifier on its rows, then score it on the parts asked for."""
    parts = draw_parts(settings, seed)
    classifier, notes = train_arm(settings, seed, name, parts.train)
    scores = {}
    for part in settings.parts:
        rows = parts.development if part == "dev" else read_test_part(settings)
        predicted = predict(classifier, rows.X)
        scores[part] = score(rows.y, predicted, TASKS[settings.task].n_classes)
    return {"scores": scores, "weights_sha256": digest(classifier), **notes}


def train_arm(
    settings: Settings, seed: int, name: str, train: Rows
) -> tuple[Classifier, dict[str, Any]]:
    """Train an arm's classifier; neither the development nor the test part is at hand here."""
    arm = ARMS[name]
    notes: dict[str, Any] = {}
    target = equal_size(train.y, GANAugmenter().max_share)
    extra = None
    if name in NEED_THE_GAN:
        plan = read_plan(settings, seed)
        target = plan.target
        if arm.extra is not None:
            extra = read_rows(rows_file(settings, seed, arm.extra))
    elif arm.extra is not None:
        n_steps = SCALES[settings.scale].autoencoder_steps
        extra, notes = make_extra(arm.extra, train, target, n_steps, seed, settings.device)
    rows, epoch, composition = compose(arm, train, extra, target, duplicates_seed(seed, name))
    classifier = train_classifier(rows, epoch, arm.recipe, settings.schedule(), seed)
    return classifier, {"rows": composition, **notes}


def duplicates_seed(seed: int, name: str) -> int:
    """Draw the placebo's duplicates anew: it would be the baseline itself otherwise."""
    return seed + 1_000_000 if name == "placebo-duplicates" else seed


def read_test_part(settings: Settings) -> Rows:
    """Read the official test set; called for ``--part test`` only."""
    return load_test_rows(settings.task, settings.data_dir)


def read_plan(settings: Settings, seed: int) -> Plan:
    """Read how many synthetic rows the seed's GAN gave."""
    path = record_file(settings, seed, GAN)
    record: dict[str, Any] = {"status": "missing", "reason": "it was not trained"}
    if path.exists():
        record = read_json(path)
    if record["status"] != "ok":
        raise RuntimeError(f"The seed's GAN failed ({record['reason']})")
    return Plan(record["n_synthetic"], record["target"])


# --- what is kept ------------------------------------------------------------------------------


def open_store(settings: Settings) -> None:
    """Begin or resume; refuse to resume a run of other settings."""
    path = settings.store / "settings.json"
    wanted = settings.identity()
    if path.exists():
        found = read_json(path)
        differing = [key for key in wanted if found.get(key) != wanted[key]]
        if differing:
            details = "; ".join(
                f"{k}: {found.get(k)!r} there, {wanted[k]!r} now" for k in differing
            )
            raise SystemExit(
                f"{settings.store} must hold an interrupted run of the same settings. It differs "
                f"in {details}. Give those settings, another --out, or delete the directory."
            )
        return
    settings.store.mkdir(parents=True, exist_ok=True)
    (settings.store / ".gitignore").write_text("*\n", encoding="utf-8")
    write_json(path, wanted)


def record_file(settings: Settings, seed: int, unit: str) -> Path:
    """Where the outcome of a GAN or an arm is kept."""
    return settings.store / f"seed-{seed}" / f"{unit}.json"


def rows_file(settings: Settings, seed: int, source: str) -> Path:
    """Where rows that arms share are kept."""
    return settings.store / f"seed-{seed}" / f"{source}-rows.npz"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write at one stroke: a reader finds the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    text = json.dumps(content, indent=1)
    # lists of numbers on one line each
    text = re.sub(r"\[([\d\s.,eE+-]*)\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    scratch.write_text(text + "\n", encoding="utf-8")
    os.replace(scratch, path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of `write_json`."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_rows(path: Path, rows: Rows) -> None:
    """Keep rows, at one stroke."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name("scratch-" + path.name)
    np.savez(scratch, X=rows.X, y=rows.y)
    os.replace(scratch, path)


def read_rows(path: Path) -> Rows:
    """Read rows of `write_rows`."""
    with np.load(path, allow_pickle=False) as kept:
        return Rows(kept["X"], kept["y"])


# --- summary -----------------------------------------------------------------------------------


def summarise(settings: Settings, arms: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """Collect the store: each arm's scores by seed, and differences to the baseline."""
    records = {
        arm: {seed: read_json(record_file(settings, seed, arm)) for seed in seeds} for arm in arms
    }
    return {
        "title": TASKS[settings.task].title,
        **settings.identity(),
        "n_seeds": len(seeds),
        "n_train": sum(TASKS[settings.task].counts),
        "n_rows": count_rows(settings, seeds[0]),
        "baseline": BASELINE,
        "machine": describe_machine(settings.device) | {"torch_threads": 1},
        "arms": {
            arm: summarise_arm(by_seed, records.get(BASELINE, {}), settings.parts)
            for arm, by_seed in records.items()
        },
        "exchange_rate": {part: exchange_rate(records, part) for part in settings.parts},
        "gans": {
            seed: read_json(path)
            for seed in seeds
            if (path := record_file(settings, seed, GAN)).exists()
        },
    }


def count_rows(settings: Settings, seed: int) -> dict[str, Any]:
    """Count the rows of each part."""
    parts, n_classes = draw_parts(settings, seed), TASKS[settings.task].n_classes
    counts = {
        name: np.bincount(rows.y, minlength=n_classes).tolist()
        for name, rows in (("train", parts.train), ("dev", parts.development))
    }
    if "test" in settings.parts:
        test = read_test_part(settings)
        counts["test"] = np.bincount(test.y, minlength=n_classes).tolist()
    return counts


def summarise_arm(
    by_seed: dict[int, dict[str, Any]], baseline: dict[int, dict[str, Any]], parts: Sequence[str]
) -> dict[str, Any]:
    """Collect an arm's scores; seeds in which it failed are named with their reason."""
    finished = [seed for seed, record in by_seed.items() if record["status"] == "ok"]
    paired = [s for s in finished if baseline.get(s, {}).get("status") == "ok"]
    summary: dict[str, Any] = {
        "failed": {s: r["reason"] for s, r in by_seed.items() if r["status"] != "ok"},
        "seeds": finished,
        "cpu_seconds": [by_seed[seed]["cpu_seconds"] for seed in finished],
        "rows": {seed: by_seed[seed]["rows"] for seed in finished},
    }
    for part in parts:
        runs = [by_seed[seed]["scores"][part] for seed in finished]
        values = {name: [run[name] for run in runs] for name in (*SCORES, "recall")}
        differences = {
            name: paired_difference(by_seed, baseline, paired, part, name) for name in SCORES
        }
        summary[part] = {
            "scores": values,
            "mean": {name: mean(values[name]) for name in SCORES},
            "sd": {name: spread(values[name]) for name in SCORES},
            "mean_recall": np.mean(values["recall"], axis=0).round(6).tolist() if runs else [],
            "difference_to_baseline": differences,
        }
    return summary


def mean(values: Sequence[float]) -> float | None:
    """Mean; None of nothing."""
    return round(float(np.mean(values)), 6) if values else None


def spread(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds; None of fewer than two."""
    return round(float(np.std(values, ddof=1)), 6) if len(values) > 1 else None


def paired_difference(
    by_seed: dict[int, dict[str, Any]],
    baseline: dict[int, dict[str, Any]],
    seeds: Sequence[int],
    part: str,
    name: str,
) -> dict[str, Any] | None:
    """Give the mean difference with its t-interval; None where no seed has both."""
    if not seeds:
        return None
    arm, other = ([r[s]["scores"][part][name] for s in seeds] for r in (by_seed, baseline))
    return without_nan(vars(paired_interval(arm, other)))


def exchange_rate(records: dict[str, dict[int, dict[str, Any]]], part: str) -> dict[str, Any]:
    """Give gain by synthetic rows over gain by as many further real rows, in ACSA.

    Both gains are over the placebo, which has duplicates in their place.
    """
    names = ("ganaug-ros-classic", "ceiling", "placebo-duplicates")
    if any(name not in records for name in names):
        return {"undefined": f"needs the arms {', '.join(names)}"}
    seeds = [s for s in records[names[0]] if all(records[n][s]["status"] == "ok" for n in names)]
    if not seeds:
        return {"undefined": "no seed has all of its arms"}
    if not any(sum(records[names[0]][seed]["rows"]["extra"]) for seed in seeds):
        return {"undefined": "no class got synthetic rows: all were distrusted"}
    synthetic, real, placebo = (
        [records[name][seed]["scores"][part]["acsa"] for seed in seeds] for name in names
    )
    gains = [np.subtract(values, placebo).tolist() for values in (synthetic, real)]
    result = {
        "gain_synthetic": without_nan(vars(paired_interval(synthetic, placebo))),
        "gain_real": without_nan(vars(paired_interval(real, placebo))),
    }
    ratio = fieller_interval(*gains)
    if not ratio.is_defined:
        return result | {"undefined": "the interval of the gain by real rows contains 0"}
    return result | vars(ratio)


def without_nan(values: dict[str, Any]) -> dict[str, Any]:
    """Write NaN, which JSON does not have, as null; round the rest."""
    return {
        key: None if value != value else round(value, 6) if isinstance(value, float) else value
        for key, value in values.items()
    }


# --- the number of steps -----------------------------------------------------------------------


def choose_steps(options: argparse.Namespace) -> None:
    """Choose the classifier's steps by the baseline on the development part, and write it down."""
    found = []
    for n_steps in options.choose_steps:
        store = options.out.with_suffix(f".{n_steps}.partial")
        device = resolve_device(options.device)
        settings = Settings(
            options.task, options.scale, n_steps, ("dev",), options.data_dir, store, device
        )
        results = run_benchmark(settings, [BASELINE], range(options.seeds), options.jobs)
        arm = results["arms"][BASELINE]
        if arm["failed"]:
            raise SystemExit(f"{BASELINE!r} failed: {arm['failed']}")
        found.append(
            {"steps": n_steps, "acsa": arm["dev"]["scores"]["acsa"]}
            | {"mean": arm["dev"]["mean"]["acsa"], "cpu_seconds": arm["cpu_seconds"]}
        )
        shutil.rmtree(store)
    best = max(found, key=lambda row: row["mean"])
    search = {
        "task": options.task,
        "scale": options.scale,
        "arm": BASELINE,
        "part": "dev",
        "n_seeds": options.seeds,
        "search": found,
        "chosen": best["steps"],
        "machine": describe_machine(device) | {"torch_threads": 1},
    }
    write_json(options.out, search)
    for row in found:
        print(f"{row['steps']:6d} steps: ACSA {100 * row['mean']:.2f}")


if __name__ == "__main__":
    main()
