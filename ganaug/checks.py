"""Checks of what users pass: each says what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
import importlib
import math
import numbers
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ganaug.exceptions import (
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
    MissingDependencyError,
)

Check = Callable[[str, Any], str | None]
"""Takes a parameter's name and value; returns what is wrong with it, or None."""


def did_you_mean(name: object, options: Iterable[object]) -> str:
    """Suggest the option closest to a mistyped name, in a sentence to append to a message.

    Examples
    --------
    >>> did_you_mean("defualt", ["default", "classic"])
    " Did you mean 'default'?"
    >>> did_you_mean("zebra", ["default", "classic"])
    ''
    """
    options_by_text = {str(option).lower(): option for option in options}
    matches = difflib.get_close_matches(str(name).lower(), options_by_text, n=1)
    return f" Did you mean {options_by_text[matches[0]]!r}?" if matches else ""


def check_option(parameter_name: str, value: object, options: Iterable[object]) -> None:
    """Raise unless a parameter has one of its allowed values, listed in this order."""
    if mistake := one_of(*options)(parameter_name, value):
        raise InvalidInputError(mistake)


def one_of(*options: object) -> Check:
    """Make a check that a value is one of some options.

    Examples
    --------
    >>> one_of("joint", "per_class")("conditioning", "per-class")
    "`conditioning` must be one of 'joint', 'per_class'. Got 'per-class' instead. Did you mean \
'per_class'?"
    """

    def check(name: str, value: Any) -> str | None:
        if any(
            value is option or (type(value) is type(option) and value == option)
            for option in options
        ):
            return None
        listed = ", ".join(map(repr, options))
        return f"`{name}` must be one of {listed}. Got {value!r} instead." + did_you_mean(
            value, options
        )

    return check


def whole_number(low: float, high: float = math.inf, *others: object) -> Check:
    """Make a check that a value is an integer within bounds, or one of a few other values."""
    return _within("an integer", numbers.Integral, low, high, others)


def number(low: float, high: float = math.inf, *others: object) -> Check:
    """Make a check that a value is a number within bounds, or one of a few other values."""
    return _within("a number", numbers.Real, low, high, others)


def _within(what: str, kind: type, low: float, high: float, others: tuple[object, ...]) -> Check:
    bounds = f"of {low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
    listed = "".join(f", or {other!r}" for other in others)

    def check(name: str, value: Any) -> str | None:
        if isinstance(value, kind) and not isinstance(value, bool):
            if low <= float(value) <= high and math.isfinite(value):  # type: ignore[arg-type]
                return None
        elif (value is None or isinstance(value, str)) and value in others:
            return None
        return f"`{name}` must be {what} {bounds}{listed}. Got {value!r} instead."

    return check


def multiple_of(factor: int, high: float) -> Check:
    """Make a check that a value is an integer up to a bound, and a multiple of a factor."""
    within = whole_number(factor, high)

    def check(name: str, value: Any) -> str | None:
        mistake = within(name, value)
        if mistake is None and value % factor:
            return f"`{name}` must be a multiple of {factor}. Got {value} instead."
        return mistake

    return check


def n_jobs(name: str, value: Any) -> str | None:
    """Check joblib's number of jobs: an integer other than 0, or None."""
    is_integer = isinstance(value, numbers.Integral) and value is not True
    if value is None or (is_integer and value != 0):
        return None
    return f"`{name}` must be an integer other than 0, or None. Got {value!r} instead."


def strategy(names: tuple[str, ...]) -> Check:
    """Make a check that a value is one of some strategies, or a number, a dict or a callable."""
    named = one_of(*names)

    def check(name: str, value: Any) -> str | None:
        if isinstance(value, str):
            return named(name, value)
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if is_number or isinstance(value, Mapping) or callable(value):
            return None
        return f"`{name}` must be a string, a number, a dict or a callable. Got {value!r} instead."

    return check


def check_parameters(estimator: Any, checks: Mapping[str, Check]) -> None:
    """Check an estimator's parameters as `check_values` does."""
    check_values(checks, estimator.get_params(deep=False))


def check_count(name: str, n: Any) -> int:
    """Return a count as an int, unless it is none of some sense."""
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or not 0 <= int(n) < 2**31:
        raise InvalidInputError(
            f"`{name}` must be a non-negative integer below 2**31. Got {n!r} instead."
        )
    return int(n)


def check_groups(groups: Any, n: int) -> Any:
    """Return groups as an array of shape (n,)."""
    import numpy as np  # the command line's `--help` does without

    try:
        array = np.asarray(groups)
        np.unique(array)  # what cannot be compared are no groups
    except Exception as error:  # noqa: BLE001 - of whatever was passed
        message = f"`groups` must be an array of one value per sample: {error}"
        raise InvalidInputError(message) from None
    if array.shape != (n,):
        raise InvalidInputError(
            f"`groups` must have one value per sample, {n}. Got shape {array.shape} instead."
        )
    return array


def check_path(path: Any) -> Path:
    """Return a str or path-like as a path; a ``~`` at its start is the home directory."""
    if not isinstance(path, str | os.PathLike) or not (text := os.fsdecode(path)) or "\0" in text:
        raise InvalidTypeError(f"`path` must be a str or path-like. Got {path!r} instead.")
    return Path(os.path.expanduser(text))


def check_values(checks: Mapping[str, Check], values: Mapping[str, Any]) -> None:
    """Check values by name; collect all mistakes, and raise once."""
    mistakes = [check(name, values[name]) for name, check in checks.items()]
    if any(mistakes):
        raise InvalidInputError(" ".join(filter(None, mistakes)))


def check_parameter_names(estimator: Any, names: Iterable[str]) -> None:
    """Raise unless an estimator has all of these parameters (``a__b`` needs ``a``)."""
    known = estimator.get_params(deep=False)
    for name in names:
        parameter, _, inner = name.partition("__")
        kind = type(estimator).__name__
        if parameter not in known:
            raise InvalidInputError(f"{kind} has no parameter {name!r}.{did_you_mean(name, known)}")
        if inner and parameter == "gan_options":
            raise InvalidInputError(f"`{parameter}` must be set as a whole dict. Got {name!r}.")


def require_extra(module_name: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say how to install it.

    Errors raised *inside* an installed module are passed on unchanged: a reinstall would not mend
    them.
    """
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        package = module_name.partition(".")[0]
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise MissingDependencyError(
            f"{package} is needed for this and is not installed. "
            f'Install it with: pip install "ganaug[{extra}]"',
            name=package,
        ) from error


def warn_user(message: str, category: type[GanaugWarning]) -> None:
    """Warn at the line outside ganaug that led here, however many calls lie between."""
    frame, stacklevel = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "ganaug":
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)
