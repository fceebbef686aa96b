"""The names that users import, and the version that they see."""

from __future__ import annotations

import re
import types
from pathlib import Path

import ganaug

ROOT = Path(__file__).parent.parent


def test_all_is_sorted_and_is_what_is_exported():
    exported = [
        name
        for name, value in [(name, getattr(ganaug, name)) for name in dir(ganaug)]
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", "").startswith("ganaug")
    ]

    assert ganaug.__all__ == sorted({*exported, "__version__"})


def test_public_names_are_documented():
    undocumented = [name for name in ganaug.__all__ if not getattr(ganaug, name).__doc__]

    assert undocumented == []


def test_the_changelog_opens_with_the_version_of_the_package():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, flags=re.MULTILINE)

    assert newest is not None
    assert newest[1] == ganaug.__version__
