"""Checks of what users pass: each says what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
import importlib
import sys
import warnings
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from ganaug.exceptions import GanaugWarning, InvalidInputError, MissingDependencyError

__all__ = [
    "check_option",
    "check_parameter_names",
    "did_you_mean",
    "require_extra",
    "warn_user",
]


def did_you_mean(name: object, options: Iterable[object]) -> str:
    """Suggest the option closest to a mistyped name.

    Parameters
    ----------
    name : object
        What was given. Compared by its ``str``.
    options : iterable of object
        What could have been given.

    Returns
    -------
    str
        ``""``, or a sentence with a leading space, ready to append to a message.

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
    """Raise unless a parameter has one of its allowed values.

    Parameters
    ----------
    parameter_name : str
        As users write it.
    value : object
        What was given.
    options : iterable of object
        The allowed values, in the order in which the message lists them.

    Raises
    ------
    InvalidInputError
        Names the parameter, the allowed values and what came, and suggests the intended value.

    Examples
    --------
    >>> check_option("recipe", "classic", ["default", "classic"])
    """
    allowed = list(options)
    if any(type(value) is type(option) and value == option for option in allowed):
        return
    listed = ", ".join(repr(option) for option in allowed)
    raise InvalidInputError(
        f"`{parameter_name}` must be one of {listed}. Got {value!r} instead."
        + did_you_mean(value, allowed)
    )


def check_parameter_names(estimator: Any, names: Iterable[str]) -> None:
    """Raise unless an estimator has all of these parameters (``a__b`` needs ``a``).

    Parameters
    ----------
    estimator : scikit-learn estimator
    names : iterable of str
        As passed to `set_params`.

    Raises
    ------
    InvalidInputError
        Names the unknown one, and suggests the intended one.
    """
    known = estimator.get_params(deep=False)
    for name in names:
        if name.partition("__")[0] not in known:
            kind = type(estimator).__name__
            raise InvalidInputError(f"{kind} has no parameter {name!r}.{did_you_mean(name, known)}")


def require_extra(module_name: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say how to install it.

    Parameters
    ----------
    module_name : str
        The module to import, for example ``"matplotlib.pyplot"``.
    extra : str
        The extra of ganaug that brings it, for example ``"report"``.

    Returns
    -------
    module

    Raises
    ------
    MissingDependencyError
        When the module, or a package that it lies in, is not installed. Errors raised *inside* an
        installed module are passed on unchanged: a reinstall would not mend them.
    """
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        package = module_name.partition(".")[0]
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        message = (
            f"{package} is needed for this and is not installed. "
            f'Install it with: pip install "ganaug[{extra}]"'
        )
        raise MissingDependencyError(message, name=package) from error


def warn_user(message: str, category: type[GanaugWarning]) -> None:
    """Warn at the line outside ganaug that led here, however many calls lie between.

    Parameters
    ----------
    message : str
        What is the matter, and what to do about it.
    category : type of GanaugWarning
    """
    frame, stacklevel = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "ganaug":
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)
