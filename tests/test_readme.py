"""The README links to what is there, and its code runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_linked_files_exist():
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_it_can_be_read_in_a_few_minutes():
    assert len(README.splitlines()) < 145


@pytest.mark.slow
def test_its_python_runs_from_top_to_bottom_in_a_fresh_process(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 5
    code = "\n".join([*blocks, "assert len(train) > len(dataset) and verdict.choice"])
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "<- the choice" in run.stdout
