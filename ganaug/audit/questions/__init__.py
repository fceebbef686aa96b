"""The questions of an audit: one module each, whose `QUESTION` the report asks.

A new one is a module here, with a class that fulfils `ganaug.audit.results.Question`, and its test.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ganaug.audit.results import Question


def find_questions() -> list[Question]:
    """Return all questions, in the order of the report.

    Examples
    --------
    >>> [question.name for question in find_questions()][:3]
    ['gain', 'pictures', 'trust']
    """
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    questions: list[Question] = [module.QUESTION for module in modules]
    return sorted(questions, key=lambda question: question.place)
