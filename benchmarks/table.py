"""Regenerate the tables of the README and the documentation from the committed results.

python -m benchmarks.table            # write them
python -m benchmarks.table --check    # fail if a page differs
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import doses, downstream, pitfalls, quality, replacing, throughput, verdicts
from benchmarks.tasks import TASKS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def main(arguments: list[str] | None = None) -> None:
    """Rewrite or check all pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit 1 on a difference"
    )
    options = parser.parse_args(arguments)
    differing = []
    for page, tables in PAGES.items():
        path = ROOT / page
        old = path.read_text(encoding="utf-8")
        new = fill(old, {name: make() for name, make in tables.items()}, page)
        if new != old:
            differing.append(page)
            if not options.check:
                path.write_text(new, encoding="utf-8")
    if options.check and differing:
        sys.exit(f"{', '.join(differing)}: not what `python -m benchmarks.table` writes")


def fill(text: str, tables: Mapping[str, str | None], page: str = "README.md") -> str:
    """Put each table between its markers; what stands there stays where the table is None."""
    for name, table in tables.items():
        if table is None:
            continue
        pattern = rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end table -->)"
        escaped = table.replace("\\", r"\\")
        text, n = re.subn(pattern, rf"\g<1>{escaped}\n\g<2>", text, flags=re.DOTALL)
        if n != 1:
            raise ValueError(f"{page} must have the markers of table {name!r} once. Found {n}.")
    return text


def read(name: str) -> dict[str, Any]:
    """Read one results file."""
    results: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return results


def demo_table() -> str:
    """Balanced accuracy of the demo's arms, and paired differences to the baseline."""
    results = read("demo-digits.json")
    counts = list(results["train_counts"].values())
    rare = [c for c, n in enumerate(counts) if n <= 30]
    columns = (
        f"digits 8x8, {counts[0]} to {counts[-1]} rows per class, {results['n_seeds']} seeds",
        "balanced accuracy, %",
        f"recall of the {len(rare)} rarest classes, %",
        "difference to the baseline (95% interval)",
    )
    lines = [f"| {' | '.join(columns)} |", "|---|---|---|---|"]
    for arm, scores in results["balanced_accuracy"].items():
        recall = float(np.mean([results["recall_by_class"][arm][c] for c in rare]))
        d = results["difference_to_baseline"][arm]
        difference = f"{d['mean']:+.2f} ({d['low']:+.2f} to {d['high']:+.2f})"
        if arm == results["baseline"]:
            difference = "baseline"
        lines.append(f"| {arm} | {np.mean(scores):.1f} | {recall:.1f} | {difference} |")
    return "\n".join(lines)


def quality_table() -> str:
    """Frechet distance and variety of both recipes."""
    results = read("quality-fashion-mnist.json")
    n = results["recipes"]["default"]["images_seen"]
    return quality.describe(results) + f"\n\n{n:,} images each."


def throughput_table() -> str:
    """Speed beside the textbook loop."""
    results = read("throughput-cpu.json")
    machine = results["machine"]
    where = f"{machine['processor']}, {machine['torch_threads']} threads"
    return f"Speed on a CPU ({where}):\n\n" + throughput.describe(results)


def downstream_table() -> str | None:
    """What synthetic rows are worth downstream, task by task; None before the first run."""
    found = [read(path.name) for task in TASKS if (path := downstream_file(task)).exists()]
    return "\n\n".join(downstream.short_table(results) for results in found) or None


def downstream_file(task: str) -> Path:
    """Where `benchmarks.run` is told to write a task's results."""
    return RESULTS / f"downstream-{task}.json"


def results_table(task: str) -> str | None:
    """Everything about one task; None before it is run."""
    path = downstream_file(task)
    return downstream.full_tables(read(path.name)) if path.exists() else None


def steps_table() -> str | None:
    """The searches for the classifiers' number of steps."""
    found = [read(path.name) for path in sorted(RESULTS.glob("steps-*.json"))]
    return downstream.steps_table(found, lambda task: TASKS[task].title) if found else None


def pitfalls_table() -> str:
    """What mistakes with synthetic rows do to a score."""
    return pitfalls.describe(read("pitfalls.json"))


def tables_of(kind: str, describe: Callable[[dict[str, Any]], str]) -> str | None:
    """One table for each results file of a kind; None before the first run."""
    found = [read(path.name) for path in sorted(RESULTS.glob(f"{kind}-*.json"))]
    return "\n\n".join(map(describe, found)) or None


def verdict_table(name: str, describe: Callable[[dict[str, Any]], str]) -> str | None:
    """What `evaluate_gain` said, and what was true; None before it is run."""
    return describe(read(name)) if (RESULTS / name).exists() else None


Tables = dict[str, Callable[[], str | None]]

TABLES: Tables = {
    "demo": demo_table,
    "downstream": downstream_table,
    "quality": quality_table,
    "throughput": throughput_table,
}
"""Those of the README."""

PAGES: dict[str, Tables] = {
    "README.md": TABLES,
    "docs/experiments.md": {
        "doses": partial(tables_of, "doses", doses.describe),
        "replacing": partial(tables_of, "replacing", replacing.describe),
    },
    "docs/pitfalls.md": {"pitfalls": pitfalls_table},
    "docs/results.md": {
        "steps": steps_table,
        **{f"results-{task}": partial(results_table, task) for task in TASKS},
        "controls": partial(verdict_table, "controls.json", verdicts.describe_controls),
        "verdicts": partial(verdict_table, "verdicts.json", verdicts.describe),
    },
}


if __name__ == "__main__":
    main()
