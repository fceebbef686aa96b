"""Write the tables of the README and the documentation from the committed results.

    python -m benchmarks.tables            # write them
    python -m benchmarks.tables --check    # fail if a page differs

A page says where a table stands: between ``<!-- table: FILE -->`` and ``<!-- end table -->`` comes
what the benchmark's `describe` makes of ``benchmarks/results/FILE.json``; after ``FILE:VARIANT``,
what its `describe_VARIANT` does.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.results import FOLDER, read

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"(<!-- table: ([\w:.-]+) -->\n).*?(<!-- end table -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite or check all pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args(arguments)
    differing = []
    for page in pages(ROOT):
        old = page.read_text(encoding="utf-8")
        new = fill(old, FOLDER)
        if new != old:
            differing.append(page.name)
            if not options.check:
                page.write_text(new, encoding="utf-8")
    if options.check and differing:
        sys.exit(f"{', '.join(differing)}: not what `python -m benchmarks.tables` writes")


def pages(root: Path) -> list[Path]:
    """List the pages that may have tables."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def fill(text: str, folder: Path) -> str:
    """Put each table between its markers."""
    return PLACE.sub(lambda place: f"{place[1]}{make(place[2], folder)}\n{place[3]}", text)


def make(table: str, folder: Path) -> str:
    """Make the Markdown of one table."""
    file_name, _, variant = table.partition(":")
    result = read(folder / f"{file_name}.json")
    module = import_module(f"benchmarks.{result['name']}")
    text: str = getattr(module, f"describe_{variant}" if variant else "describe")(result)
    return text


if __name__ == "__main__":
    main()
