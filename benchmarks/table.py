"""Regenerate the README's tables from the committed results.

python -m benchmarks.table            # write them
python -m benchmarks.table --check    # fail if the README differs
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import quality, throughput

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def main() -> None:
    """Rewrite or check the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit 1 on a difference"
    )
    options = parser.parse_args()
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = fill(old, {name: make() for name, make in TABLES.items()})
    if options.check:
        sys.exit(0 if new == old else "README.md is not what `python -m benchmarks.table` writes")
    path.write_text(new, encoding="utf-8")


def fill(text: str, tables: dict[str, str]) -> str:
    """Put each table between its markers."""
    for name, table in tables.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end table -->)"
        escaped = table.replace("\\", r"\\")
        text, n = re.subn(pattern, rf"\g<1>{escaped}\n\g<2>", text, flags=re.DOTALL)
        if n != 1:
            raise ValueError(f"README.md must have the markers of table {name!r} once. Found {n}.")
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


TABLES: dict[str, Callable[[], str]] = {
    "demo": demo_table,
    "quality": quality_table,
    "throughput": throughput_table,
}


if __name__ == "__main__":
    main()
