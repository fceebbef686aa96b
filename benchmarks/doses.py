r"""How many synthetic rows, and in which classes? What `max_share` was chosen by.

    python -m benchmarks.doses --task fashion-mnist --seeds 5 --data-dir DIR \
        --out benchmarks/results/doses-fashion-mnist.json

Development part only, and draws of its own: seeds from 100 on. One seed is a draw, a GAN and, for
each dose, a classifier with over-sampling and classic augmentation, as in `benchmarks.run`; only
the number of synthetic rows differs. Beside some doses stands their ceiling: as many further real
rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from benchmarks.arms import ARMS, BASELINE, Plan, compose, for_ganaug, take_further
from benchmarks.classifiers import Schedule, predict, train_classifier
from benchmarks.data import Parts, Rows, split_parts
from benchmarks.machine import describe_machine
from benchmarks.run import SCALES, one_thread, read_steps, resolve_device, write_json
from benchmarks.scores import score
from benchmarks.tasks import TASKS, load_training_rows
from ganaug import GANAugmenter
from ganaug.gain.intervals import paired_interval
from ganaug.resampling import plan_resampling


@dataclass(frozen=True)
class Dose:
    """At most so many synthetic rows of a class.

    Parameters
    ----------
    share : float
        Of the equalised class.
    ratio : float, optional
        Per real row; None for no limit.
    up_to : float
        Only in classes of at most so many rows, as a share of the largest class.
    real : bool
        Further real rows in their place: the ceiling.
    """

    share: float
    ratio: float | None = 5.0
    up_to: float = 1.0
    real: bool = False

    def n_rows(self, counts: Sequence[int], trusted: Sequence[bool]) -> list[int]:
        """Rows to add per class."""
        ratio = float("inf") if self.ratio is None else self.ratio
        plans = plan_resampling(dict(enumerate(counts)), max_ratio=ratio, max_share=self.share)
        return [
            plans[code].n_synthetic if trust and n <= self.up_to * max(counts) else 0
            for code, (n, trust) in enumerate(zip(counts, trusted, strict=True))
        ]

    @property
    def title(self) -> str:
        """As the table calls it."""
        where = "" if self.up_to == 1 else f", classes up to {self.up_to:.0%} of the largest"
        what = "further real rows" if self.real else "synthetic rows"
        ratio = "any number" if self.ratio is None else f"at most {self.ratio:g}"
        return f"{what}: share {self.share:g}, {ratio} per real row{where}"


FIRST_SEED = 100
"""Draws that `benchmarks.run` does not use."""
DOSES = [
    Dose(0.25),
    Dose(0.1),
    Dose(0.25, 1.0),
    Dose(0.25, 5.0, 0.05),
    Dose(0.25, None, 0.05),
    Dose(0.5, None, 0.05),
    Dose(0.25, 5.0, 0.05, real=True),
    Dose(0.25, None, 0.05, real=True),
    Dose(0.5, None, 0.05, real=True),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the table, write JSON after every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--scale", choices=SCALES, default="quick")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    device = resolve_device(options.device)
    steps = options.steps or read_steps(options.task, options.scale)
    results: dict[str, Any] = {
        "machine": describe_machine(),
        "task": options.task,
        "scale": options.scale,
        "classifier_steps": steps,
        "doses": [asdict(dose) | {"title": dose.title} for dose in DOSES],
        "first_seed": FIRST_SEED,
        "seeds": [],
    }
    with one_thread(device):
        for seed in tqdm(range(FIRST_SEED, FIRST_SEED + options.seeds), desc="seeds"):
            record = run_seed(options.task, options.scale, steps, options.data_dir, seed, device)
            results["seeds"].append(record)
            write_json(options.out, results)
    print(describe(results))


def run_seed(
    task_name: str, scale: str, steps: int, data_dir: Path, seed: int, device: str
) -> dict[str, Any]:
    """Train the GAN, then a classifier per dose; the baseline twice, to show the noise."""
    task = TASKS[task_name]
    rows = load_training_rows(task_name, data_dir)
    parts = split_parts(rows, task.counts, task.development_per_class, seed)
    augmenter = GANAugmenter(random_state=seed, device=device, verbose=0, **SCALES[scale].gan)
    augmenter.fit(for_ganaug(parts.train.X), parts.train.y)
    trusted = [
        augmenter.trust_.get(label, 1.0) >= augmenter.min_trust for label in range(task.n_classes)
    ]
    counts = np.bincount(parts.train.y).tolist()
    schedule = Schedule(
        SCALES[scale].network, steps, task.flips, task.shift, task.n_classes, device
    )
    plans = [dose.n_rows(counts, trusted) for dose in DOSES]
    pool = make_pool(augmenter, np.max(plans, axis=0).tolist(), parts)
    record: dict[str, Any] = {"trusted": trusted, "plans": plans, "arms": []}
    for duplicates_seed in (seed, seed + 1_000_000):
        record["arms"].append(judge(parts, None, schedule, seed, duplicates_seed))
    for dose, plan in zip(DOSES, plans, strict=True):
        source = parts.further if dose.real else pool
        extra = take_further(source, Plan(plan, max(counts)))
        record["arms"].append(judge(parts, extra, schedule, seed, seed))
    return record


def make_pool(augmenter: GANAugmenter, n_rows: list[int], parts: Parts) -> Rows:
    """Make as many rows of each class as the largest dose needs; smaller doses take the first."""
    X, y = augmenter.sample({label: n for label, n in enumerate(n_rows) if n})
    return Rows(X.reshape(-1, *parts.train.X.shape[1:]), y.astype(np.int64))


def judge(
    parts: Parts, extra: Rows | None, schedule: Schedule, seed: int, duplicates_seed: int
) -> dict[str, Any]:
    """Train the baseline's classifier on the rows and `extra`; score it on the development part."""
    arm = ARMS[BASELINE]
    target = int(np.bincount(parts.train.y).max())
    rows, epoch, _ = compose(arm, parts.train, extra, target, duplicates_seed)
    classifier = train_classifier(rows, epoch, arm.recipe, schedule, seed)
    predicted = predict(classifier, parts.development.X)
    return score(parts.development.y, predicted, schedule.n_classes)


# --- table -------------------------------------------------------------------------------------


def describe(results: dict[str, Any]) -> str:
    """Give the paired difference of each dose to none, overall and by class."""
    titles = ["nothing, other duplicates", *(dose["title"] for dose in results["doses"])]
    n_classes = len(results["seeds"][0]["trusted"])
    head = ["added", "ACSA, points (95% interval)", *(f"class {c}" for c in range(n_classes))]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for position, title in enumerate(titles, start=1):
        overall = paired_interval(*(_values(results, p, "acsa") for p in (position, 0)))
        recalls = _values(results, position, "recall") - _values(results, 0, "recall")
        cells = [f"{100 * v:+.1f}" for v in recalls.mean(axis=0)]
        gain = f"{100 * overall.mean:+.2f} ({100 * overall.low:+.2f} to {100 * overall.high:+.2f})"
        lines.append(f"| {title} | {gain} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _values(results: dict[str, Any], position: int, name: str) -> Any:
    return np.array([seed["arms"][position][name] for seed in results["seeds"]])


if __name__ == "__main__":
    main()
