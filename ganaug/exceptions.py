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
        ├── SmallClassWarning       a class has too few samples to learn from
        ├── FlattenedImagesWarning  plain feature rows look like flattened images
        └── TrainingWarning         training raised an alarm, such as a collapse

``except GanaugError`` catches all of them. Each is also the built-in or scikit-learn exception that
a caller who does not know ganaug would expect.
"""

from __future__ import annotations

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
    """A class has so few samples that a generator can hardly learn it."""


class FlattenedImagesWarning(GanaugWarning):
    """Samples given without ``image_shape`` look like flattened images."""


class TrainingWarning(GanaugWarning):
    """Training ended, but something is wrong with the GAN.

    An alarm was raised on the way (collapse, NaN, discriminator gap), or a classifier of the real
    samples distrusts the samples of every class, so that none are used.
    """
