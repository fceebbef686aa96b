"""The samples of an audit: training, synthetic, held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganaug.exceptions import InvalidInputError

Array: TypeAlias = "NDArray[Any]"
"""Samples or features: uint8 (n, C, H, W), or float (n, d)."""
MIN_SAMPLES = 20
"""Fewest real and fewest synthetic samples for a class to be measured."""
ENOUGH_SAMPLES = 50
"""Fewest real samples for a class to be called fine: of fewer, defects do not show."""


class Labelled(NamedTuple):
    """Samples, or their features, with their class codes."""

    values: Array
    labels: NDArray[np.int64]

    def take(self, places: Array) -> Labelled:
        """Return some of the samples."""
        return Labelled(self.values[places], self.labels[places])

    def of(self, code: int) -> Array:
        """Return the values of one class."""
        members: Array = self.values[self.labels == code]
        return members


@dataclass(frozen=True)
class Samples:
    """The samples of an audit, checked, and the names of the classes by code."""

    training: Labelled
    synthetic: Labelled
    holdout: Labelled | None
    class_names: tuple[str, ...]
    n_leaked: int = 0
    """Samples taken out of the holdout since they are training samples too."""

    @property
    def are_images(self) -> bool:
        """Whether there is something to look at."""
        return self.training.values.ndim == 4

    @property
    def real(self) -> Labelled:
        """Training and, behind them, held-out samples."""
        if self.holdout is None:
            return self.training
        both = zip(self.training, self.holdout, strict=True)
        return Labelled(*(np.concatenate(pair) for pair in both))

    def counts(self, samples: Labelled) -> NDArray[np.int64]:
        """Samples per class."""
        return np.bincount(samples.labels, minlength=len(self.class_names))


def check_samples(
    training: Labelled, synthetic: Labelled, holdout: Labelled | None, class_names: tuple[str, ...]
) -> Samples:
    """Check samples that are to be audited, and take training samples out of the holdout."""
    if len(set(class_names)) < len(class_names):
        names = list(class_names)
        raise InvalidInputError(f"`class_names` must differ as text. Got {names} instead.")
    for name, samples in (("training", training), ("synthetic", synthetic), ("holdout", holdout)):
        if samples is not None:
            _check_labelled(name, samples, training, len(class_names))
    if holdout is None:
        return Samples(training, synthetic, None, class_names)
    leaked = identical(holdout.values, training.values)
    if leaked.all():
        raise InvalidInputError(
            "The holdout must be samples that the model was not trained on. Got "
            f"{len(leaked)} samples that are all among the training samples instead."
        )
    return Samples(training, synthetic, holdout.take(~leaked), class_names, int(leaked.sum()))


def _check_labelled(name: str, samples: Labelled, training: Labelled, n_classes: int) -> None:
    values, labels = samples
    if values.shape[1:] != training.values.shape[1:] or values.dtype != training.values.dtype:
        raise InvalidInputError(
            f"`{name}` must look like the training samples, {training.values.dtype} "
            f"{('n', *training.values.shape[1:])}. Got {values.dtype} {values.shape} instead."
        )
    if labels.shape != (len(values),) or len(values) < 2:
        raise InvalidInputError(
            f"`{name}_labels` must hold one class code per sample, for at least two samples. Got "
            f"shape {labels.shape} for {len(values)} samples instead."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise InvalidInputError(
            f"`{name}_labels` must be class codes from 0 to {n_classes - 1}. Got {labels.min()} "
            f"to {labels.max()} instead."
        )


def identical(samples: Array, others: Array) -> NDArray[np.bool_]:
    """Say which samples are, byte for byte, among the others."""
    known = {sample.tobytes() for sample in others}
    return np.array([sample.tobytes() in known for sample in samples], dtype=bool)


def halves(
    labels: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut samples in two at random, class by class; of odd numbers the first half gets more."""
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for code in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == code))
        middle = (len(order) + 1) // 2
        parts.append((order[:middle], order[middle:]))
    first, second = (np.sort(np.concatenate(half)) for half in zip(*parts, strict=True))
    return first, second
