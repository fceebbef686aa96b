"""What a training leaves behind, and what is saved: weights, and what data they were made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.classifier import RealClassifier
from ganaug.exceptions import InvalidInputError
from ganaug.gan.scaling import ColumnScaler
from ganaug.gan.training import TrainedGAN
from ganaug.inputs import DataSpec, LabelKind
from ganaug.inputs.class_names import check_unambiguous
from ganaug.options import MIN_TRUST

Array = npt.NDArray[Any]


@dataclass
class FittedModel:
    """Everything that sampling needs, and that is saved.

    Attributes
    ----------
    spec : DataSpec
        What the data looked like.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    label_kind : LabelKind
        What the labels looked like.
    class_counts : ndarray of int64, shape (n_classes,)
        Real samples by class.
    fingerprint : str
        SHA-256 of the training samples and labels.
    seed : int
    is_filtered : bool
        Whether samples that the classifier takes for another class are rejected by default.
    n_generators : int
        Independently trained generators that samples are drawn from in turn.
    gans : list of TrainedGAN
        Generator by generator: one joint network, or one per class.
    classifier : RealClassifier or None
        Of the real samples.
    scaler : ColumnScaler or None
        Of feature rows.
    generator_trust : list of list of float, or None
        By generator and class code, the share of unfiltered synthetic samples that the classifier
        takes for their class; None without a classifier.
    lookups : ndarray of uint8, shape (n_generators, n_classes, C, 256), or None
        What each pixel value becomes, so that shares of black and white are the real ones'.
    origin : dict
        ``versions`` and ``hardware`` of the training, by name.
    """

    spec: DataSpec
    classes: Array
    label_kind: LabelKind
    class_counts: npt.NDArray[np.int64]
    fingerprint: str
    seed: int
    is_filtered: bool
    n_generators: int = 1
    gans: list[TrainedGAN] = field(default_factory=list)
    classifier: RealClassifier | None = None
    scaler: ColumnScaler | None = None
    generator_trust: list[list[float]] | None = None
    lookups: npt.NDArray[np.uint8] | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """By class code, the name that the data have for it, else its label as text."""
        return self.label_kind.class_names or tuple(map(str, self.classes.tolist()))

    def by_label(self, values: Mapping[Any, Any]) -> dict[Any, Any]:
        """Put labels in the place of the names that stand for them."""
        names, of_classes = self.label_kind.class_names or (), self.classes.tolist()
        for key in values:
            if isinstance(key, str):
                check_unambiguous(key, of_classes, names)
        labels = dict(zip(names, of_classes, strict=False))
        named = [(labels.get(key, key) if isinstance(key, str) else key) for key in values]
        found = dict(zip(named, values.values(), strict=True))
        if len(found) < len(values):
            raise InvalidInputError(f"A class is named twice, by label and name: {list(values)}.")
        return found

    @property
    def is_joint(self) -> bool:
        """Whether one network makes all classes, rather than one network each."""
        return len(self.gans) == self.n_generators

    @property
    def trust(self) -> list[float] | None:
        """By class code, the mean of `generator_trust` over the generators that make the class."""
        return class_trust(self.generator_trust)

    def makers(self, code: int) -> list[int]:
        """Generators that make a class: those that know it, or else the one that does so best."""
        if self.generator_trust is None:
            return list(range(self.n_generators))
        return _makers([of_classes[code] for of_classes in self.generator_trust])

    def generator(self, index: int) -> list[TrainedGAN]:
        """The networks of one generator: a joint one, or one per class code."""
        n = len(self.gans) // self.n_generators
        return self.gans[index * n : (index + 1) * n]

    def codes_of(self, index: int) -> list[int]:
        """Class codes that the network at this position of `gans` makes."""
        return list(range(self.n_classes)) if self.is_joint else [index % self.n_classes]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training early."""
        return any(gan.interrupted for gan in self.gans)

    @property
    def images_seen(self) -> int:
        """Real samples shown to the discriminators, in sum."""
        return sum(gan.images_seen for gan in self.gans)

    @property
    def seconds(self) -> float:
        """Seconds of all trainings."""
        return sum(gan.seconds for gan in self.gans)


def class_trust(generator_trust: list[list[float]] | None) -> list[float] | None:
    """Give by class code the mean trust over the generators that make the class."""
    if generator_trust is None:
        return None
    by_class = zip(*generator_trust, strict=True)
    return [float(np.mean([shares[index] for index in _makers(shares)])) for shares in by_class]


def _makers(shares: Sequence[float]) -> list[int]:
    known = [index for index, share in enumerate(shares) if share >= MIN_TRUST]
    return known or [int(np.argmax(shares))]
