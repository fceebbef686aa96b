"""Every error and warning that ganaug raises on purpose.

::

    Exception
    └── GanaugError
        ├── InvalidInputError       (also ValueError)    a value is not one that was asked for
        ├── InvalidTypeError        (also TypeError)     an object is of the wrong kind
        ├── NotFittedError          (also scikit-learn's NotFittedError)
        ├── TrainingError           (also RuntimeError)  training came to nothing
        ├── SamplingError           (also RuntimeError)  a class did not get its quota
        ├── ModelFileError          (also OSError)       a model file cannot be used
        ├── CheckpointError         (also RuntimeError)  a checkpoint was refused
        └── MissingDependencyError  (also ImportError)   an optional dependency is not installed

    UserWarning
    └── GanaugWarning
        ├── SmallClassWarning       a class has too few rows to learn from
        ├── FlattenedImagesWarning  plain feature rows look like flattened images
        └── TrainingWarning         training raised an alarm, such as a collapse

``except GanaugError`` catches all of them. Each is also the built-in or scikit-learn exception that
a caller who does not know ganaug would expect.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import warnings
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import sklearn.exceptions

__all__ = [
    "CheckpointError",
    "FlattenedImagesWarning",
    "GanaugError",
    "GanaugWarning",
    "InvalidInputError",
    "InvalidTypeError",
    "MissingDependencyError",
    "ModelFileError",
    "NotFittedError",
    "SamplingError",
    "SmallClassWarning",
    "TrainingError",
    "TrainingWarning",
    "check_option",
    "check_parameter_names",
    "did_you_mean",
    "require_extra",
    "warn_user",
]


class GanaugError(Exception):
    """Base of every error that ganaug raises on purpose."""


class InvalidInputError(GanaugError, ValueError):
    """Data or a parameter has a value that cannot be used."""


class InvalidTypeError(GanaugError, TypeError):
    """An argument is of a kind that cannot be used."""


class NotFittedError(GanaugError, sklearn.exceptions.NotFittedError):
    """A method that needs a fitted model was called before ``fit``."""


class TrainingError(GanaugError, RuntimeError):
    """Training came to nothing, such as NaN from the start: there are no weights to sample from."""


class SamplingError(GanaugError, RuntimeError):
    """Filters rejected too much: names the class and its acceptance rate."""


class ModelFileError(GanaugError, OSError):
    """A saved model's file is missing, truncated, altered or of a newer format: names the file."""


class CheckpointError(GanaugError, RuntimeError):
    """A training checkpoint was refused: gives the reason."""


class MissingDependencyError(GanaugError, ImportError):
    """An optional dependency is not installed: gives the command that installs it."""


class GanaugWarning(UserWarning):
    """Base of every warning that ganaug gives."""


class SmallClassWarning(GanaugWarning):
    """A class has so few rows that a generator can hardly learn it."""


class FlattenedImagesWarning(GanaugWarning):
    """Rows given without ``image_shape`` look like flattened images."""


class TrainingWarning(GanaugWarning):
    """Training ended, but something is wrong with the GAN.

    An alarm was raised on the way (collapse, NaN, discriminator gap), or a classifier of the real
    rows distrusts the samples of every class, so that none are used.
    """


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
