"""The one format of results, the tables made from it, and the store of an unfinished run.

A result is a JSON object of at most 50 kB: `name`, `command`, `date`, `machine`, `versions`,
`seeds`, `n` (images by part), `settings`, and what was measured: `scores` by table and arm, one
value per draw, with its `spread` (standard deviation over draws), or `values` of any other shape.
It names no directory of the machine and no address.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine, versions

FOLDER = Path(__file__).parent / "results"
MAX_BYTES = 50_000
MEASURED = ("scores", "values")
KEYS = ("name", "command", "date", "machine", "versions", "seeds", "n", "settings")
WIDTH = 100
DIRECTORIES = re.compile(r"""(?<![^\s"'`=:,(\[])~?/(?=[\w.~])(?:[^\s"'`,)\]]*/)?""")
"""What stands before the last name of an absolute path."""
ADDRESS = re.compile(r"\w+://[^\s\"'`,)\]]*")

Result = dict[str, Any]
Scores = dict[str, dict[str, list[Any]]]
"""By table and arm: one value per draw, None where it failed."""


def new_result(
    name: str, command: str, seeds: Sequence[int], measured: Mapping[str, Any]
) -> Result:
    """Put what a benchmark measured beside what it was measured on."""
    result = {
        "name": name,
        "command": command,
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "versions": versions(),
        "seeds": list(seeds),
        "n": {},
        "settings": {},
        **measured,
    }
    if "scores" in result:
        result["spread"] = spread(result["scores"])
    return result


def spread(scores: Scores) -> dict[str, dict[str, float | None]]:
    """Standard deviation over draws; None of fewer than two."""
    return {
        table: {arm: _deviation(values) for arm, values in arms.items()}
        for table, arms in scores.items()
    }


def _deviation(values: Sequence[Any]) -> float | None:
    known = [value for value in values if isinstance(value, float | int)]
    return round(float(np.std(known, ddof=1)), 5) if len(known) > 1 else None


def check(result: Result) -> None:
    """Raise ValueError where a result is not in the format."""
    missing = [key for key in KEYS if key not in result]
    if missing or not any(key in result for key in MEASURED):
        raise ValueError(
            f"A result must have {', '.join(KEYS)} and one of {' or '.join(MEASURED)}. It lacks "
            f"{', '.join(missing) or 'what was measured'}."
        )
    n_bytes = len(to_text(result))
    if n_bytes > MAX_BYTES:
        raise ValueError(f"A result must have at most {MAX_BYTES:,} bytes. Got {n_bytes:,}.")


def write(path: Path, result: Result) -> None:
    """Check and write a result, at one stroke."""
    check(result)
    write_text(path, to_text(result))


def read(path: Path) -> Result:
    """Read a result."""
    result: Result = json.loads(path.read_text(encoding="utf-8"))
    return result


def to_text(result: Result) -> str:
    """Format as JSON in which a list of numbers is one line."""
    return _format(_plain(result), 0) + "\n"


def _format(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    is_nested = isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values())
    if not is_nested or len(flat) < WIDTH - depth:
        return flat
    indent = " " * (depth + 1)
    lines = [f"{indent}{json.dumps(k)}: {_format(v, depth + 1)}" for k, v in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


def _plain(value: Any) -> Any:
    """Six significant digits; what is not a number is null; no directories and addresses."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, str):
        return anonymous(value)
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def anonymous(text: str) -> str:
    """Leave only the last name of absolute paths, and nothing of addresses."""
    return DIRECTORIES.sub("", ADDRESS.sub("ADDRESS", text))


def write_text(path: Path, text: str) -> None:
    """Write at one stroke: a reader finds the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)


def markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    text = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*text, *(f"| {' | '.join(line)} |" for line in lines)])


class Store:
    """Keeps finished units of a run, so that an interrupted one goes on where it was.

    Parameters
    ----------
    folder : Path
    settings : dict
        What must be equal for units to stand in one result; others in the folder are refused.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        path, wanted = folder / "settings.json", _plain(settings)
        found = read(path) if path.exists() else wanted
        differing = [key for key in {*wanted, *found} if found.get(key) != wanted.get(key)]
        if differing:
            details = "; ".join(
                f"{key}: {found.get(key)!r} there, {wanted.get(key)!r} now" for key in differing
            )
            raise SystemExit(
                f"{folder} must hold an interrupted run of the same settings. It differs in "
                f"{details}. Give those settings, another --out, or delete the directory."
            )
        if not path.exists():
            write_text(path, json.dumps(wanted))
            write_text(folder / ".gitignore", "*\n")

    def once(self, unit: str, make: Callable[[], Any]) -> Any:
        """Make a unit unless it is there; it comes back as JSON holds it."""
        path = self.folder / f"{unit}.json"
        if not path.exists():
            write_text(path, json.dumps(_plain(make()), allow_nan=False))
        return json.loads(path.read_text(encoding="utf-8"))

    def discard(self) -> None:
        """Delete the folder: all is in the result."""
        shutil.rmtree(self.folder)
