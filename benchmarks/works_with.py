"""Write docs/works-with.md: run the tests marked `works_with`, list what passed with which version.

python -m benchmarks.works_with

Install Keras for its row: no extra has it, since it brings rich, which changes Lightning's bars.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "works-with.md"
HEAD = """# Works with

Written by `python -m benchmarks.works_with`, from tests that use the real libraries and passed.

| library | version | what was run |
|---|---|---|
"""


class Collector:
    """A pytest plugin that notes the marks of tests, and which of them passed."""

    def __init__(self) -> None:
        self.marks: dict[str, tuple[str, str]] = {}
        self.outcomes: dict[tuple[str, str], set[str]] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep the arguments of each test's mark."""
        for item in items:
            if mark := item.get_closest_marker("works_with"):
                self.marks[item.nodeid] = mark.args

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note how a marked test ended."""
        if report.nodeid in self.marks and (report.when == "call" or report.outcome != "passed"):
            self.outcomes.setdefault(self.marks[report.nodeid], set()).add(report.outcome)

    def table(self) -> str:
        """List what has passed, in all of its tests."""
        passed = sorted(mark for mark, found in self.outcomes.items() if found == {"passed"})
        return "".join(f"| {name} | {version(name)} | {what} |\n" for name, what in passed)


def main() -> None:
    """Run the tests and write the page; a failure leaves it as it is."""
    import pytest

    collector = Collector()
    code = pytest.main(["-q", "-m", "works_with", "-p", "no:xdist"], plugins=[collector])
    if code == 0:
        PAGE.write_text(HEAD + collector.table(), encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()
