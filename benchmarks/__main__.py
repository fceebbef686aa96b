r"""Run a benchmark.

    python -m benchmarks NAME --data-dir DIR [--out FILE] [--draws N]

``python -m benchmarks NAME --help`` lists the options of a benchmark. What is finished is kept
beside the output file until all of it is; an interrupted run goes on from there.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from benchmarks.results import FOLDER, Result, Store, new_result, write

NAMES = (
    "choices",
    "cnn",
    "demo",
    "feature_tables",
    "features",
    "ladder",
    "pipelines",
    "pitfalls",
    "planted",
    "quality",
    "recipe",
    "replacing",
    "serving",
    "throughput",
    "warps",
    "worth",
)


class Benchmark(Protocol):
    """What a benchmark's module has."""

    N_DRAWS: int

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the benchmark's own options."""

    def settings(self, options: argparse.Namespace) -> dict[str, Any]:
        """What must be equal for draws to stand in one result."""

    def run(self, options: argparse.Namespace, store: Store) -> dict[str, Any]:
        """Measure: `scores` or `values`, and `n`."""

    def describe(self, result: Result) -> str:
        """Make the Markdown that documentation shows."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, write the result, print its table."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name, benchmark, options = parse(arguments)
    options.out = options.out or FOLDER / f"{name}.json"
    settings = benchmark.settings(options)
    store = Store(options.out.with_suffix(".partial"), settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # alarms of the GANs, fits that did not converge
        measured = benchmark.run(options, store)
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    result = new_result(name, command, range(options.draws), {"settings": settings} | measured)
    write(options.out, result)
    store.discard()
    print(benchmark.describe(result))


def parse(arguments: Sequence[str]) -> tuple[str, Benchmark, argparse.Namespace]:
    """Read the command line; mistakes end the program before any work."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Run a benchmark.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    chosen = [name for name in NAMES if name in arguments[:1]] or NAMES
    modules: dict[str, Any] = {name: import_module(f"benchmarks.{name}") for name in chosen}
    for name, module in modules.items():
        doc = module.__doc__
        command = commands.add_parser(name, help=doc.splitlines()[0], description=doc)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        command.add_argument("--data-dir", type=Path, default=Path("data"))
        command.add_argument("--out", type=Path, help=f"default: benchmarks/results/{name}.json")
        command.add_argument("--draws", type=int, default=module.N_DRAWS, help="or repeats")
        module.add_options(command)
    options = parser.parse_args(arguments)
    if options.draws < 1:
        parser.error(f"--draws must be 1 or more. Got {options.draws}.")
    return options.name, modules[options.name], options


if __name__ == "__main__":
    main()
