"""The README says what the committed results say, and links to what is there."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.table import TABLES, fill

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_results():
    assert fill(README, {name: make() for name, make in TABLES.items()}) == README


def test_linked_files_exist():
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
