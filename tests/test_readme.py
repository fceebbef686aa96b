"""The README links to what is there, and its code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_linked_files_exist():
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_it_can_be_read_in_a_few_minutes():
    assert len(README.splitlines()) < 180


@pytest.mark.filterwarnings("ignore")  # of small classes and short trainings
def test_its_python_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 5
    names = {"__name__": "__main__"}
    exec(compile("\n".join(blocks), "README.md", "exec"), names)
    assert len(names["train"]) > len(names["dataset"])
    assert names["verdict"].choice
    assert "<- the choice" in capsys.readouterr().out
