"""The questions of an audit: one module each.

A new question is a module here, with its test. It has

- `NAME`: key of its figures in ``AuditReport.to_dict()["questions"]``;
- `TITLE`: heading in the report;
- `PLACE`: where it stands in the report: lower numbers come first;
- ``measure(context)``: returns a `Measure`, or a `Missing` that says why there is none; None where
  the question does not arise, as without groups for that of groups.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def find_questions() -> list[ModuleType]:
    """Return all questions, in the order of the report."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return sorted(modules, key=lambda module: module.PLACE)
