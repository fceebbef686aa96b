"""What the documentation says: its code runs, its figures are those measured, its links lead on."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import ganaug
import ganaug.augmenter
from tests.unfiltered import leave_unfiltered

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ganaug.__path__, "ganaug.")
    if not module.name.endswith(("__main__", "lightning"))  # one runs, the other greets
)
BLOCK = re.compile(r"(?:<!-- needs: (\w+) -->\n)?```python\n(.*?)```", re.DOTALL)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")
@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")  # in folds of 205 rows
def test_the_code_of_the_guide_runs_from_top_to_bottom(
    imbalanced_digits, tmp_path, monkeypatch, quick_audit
):
    # a single step of training, of which no filter would let anything through
    monkeypatch.setattr(ganaug.parameters, "auto_max_images", lambda *args: 64)
    leave_unfiltered(monkeypatch)
    monkeypatch.chdir(tmp_path)
    pixels, y = imbalanced_digits
    X = (pixels * 15).astype(np.uint8).reshape(-1, 8, 8)
    dataset = TensorDataset(torch.from_numpy(X)[:, None] / 255, torch.from_numpy(y))
    names = {"X": X, "y": y, "pixels": pixels, "dataset": dataset}
    blocks = BLOCK.findall((ROOT / "docs" / "guide.md").read_text(encoding="utf-8"))
    assert len(blocks) > 8
    for library, code in blocks:
        if not library or importlib.util.find_spec(library):
            exec(compile(code, "guide.md", "exec"), names)
    assert names["search"].best_score_ > 0


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")  # they are tiny
def test_the_examples_of_docstrings_are_true(name, tmp_path, monkeypatch, quick_audit):
    monkeypatch.chdir(tmp_path)  # one saves a model
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file_name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / file_name if file_name else page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), link


def headings(page):
    """Anchors that a Markdown viewer makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


CITED = r"((?:de )?[A-Z][a-z]+(?: et al\.| & [A-Z][a-z]+)?),? \(?((?:19|20)\d\d)"


def test_every_paper_that_the_code_names_is_in_the_bibliography():
    listed = set(re.findall(CITED, (ROOT / "docs" / "bibliography.md").read_text("utf-8")))
    for path in sorted((ROOT / "ganaug").rglob("*.py")):
        text = " ".join(path.read_text("utf-8").split())
        found = [pair for pair in re.findall(CITED, text) if pair[0][-1] == "." or "&" in pair[0]]
        assert set(found) <= listed, path.name
    assert len(listed) > 15


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {ganaug.__version__}\n" in citation


@pytest.mark.slow
def test_the_api_reference_can_be_built(tmp_path):
    command = (ROOT / "Makefile").read_text(encoding="utf-8").split("-m pdoc ")[1].split("\n")[0]
    arguments = shlex.split(command.replace("build/docs", str(tmp_path)))
    run = subprocess.run(
        [sys.executable, "-m", "pdoc", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
    page = (tmp_path / "ganaug.html").read_text(encoding="utf-8")
    assert [name for name in ganaug.__all__ if f'id="{name}"' not in page] == []
