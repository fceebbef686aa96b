"""What the questions of an audit share: samples, features, and what several of them ask for.

Everything is measured when it is first asked for, with a random stream of its own, so that no
question disturbs another's figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ganaug.audit.comparison import compare_with_floor
from ganaug.audit.copies import screen_copies
from ganaug.audit.metrics import (
    density_coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
    within_class_variety,
)
from ganaug.audit.neighbours import comparison_space
from ganaug.audit.results import Comparison, Figures, Missing
from ganaug.audit.samples import MIN_SAMPLES, Array, Labelled, Samples, halves
from ganaug.audit.scores import recall_scores
from ganaug.classifier import fit_classifier
from ganaug.exceptions import InvalidInputError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ganaug.audit.copies import CopyScreen
    from ganaug.classifier import RealClassifier

__all__ = ["Comparisons", "Context", "Extractor", "ModelRecord", "Recalls", "predicted"]

MIN_TEST_SAMPLES = 10
"""Fewest real test samples for the recall of a class to be shown."""

Extractor: TypeAlias = Callable[[Array], Array]
Comparisons: TypeAlias = Mapping[str, Comparison | Missing]
"""By measure."""


@dataclass(frozen=True)
class ModelRecord:
    """What is known of the model beside its samples.

    Attributes
    ----------
    history, alarms : sequence of mapping
        Records of the training, and what the monitor says of the weights that were kept.
    card : mapping
        How the model came about.
    verdict : mapping or None
        Outcome of a measured gain.
    notes : sequence of str
        Sentences about what is doubtful.
    interpolations : mapping of int to numpy.ndarray
        By class code, images uint8 (k, C, H, W).
    trust : mapping of str to float
        Share of each class's samples that a classifier of the real ones takes for their class.
    distrusted : tuple of str
        Classes whose samples are not to be used.
    """

    history: Sequence[Mapping[str, object]] = ()
    alarms: Sequence[Mapping[str, object]] = ()
    card: Mapping[str, object] = field(default_factory=dict)
    verdict: Mapping[str, object] | None = None
    notes: Sequence[str] = ()
    interpolations: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    trust: Mapping[str, float] = field(default_factory=dict)
    distrusted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recalls:
    """Recalls by a classifier trained on synthetic samples, and by one trained on real ones.

    Attributes
    ----------
    figures : Figures
        `trained_on_synthetic` and `trained_on_real`: recall of real test samples by either;
        per class also `recognised`: share of synthetic samples that the classifier of real ones
        takes for their class.
    read_as : numpy.ndarray
        int64 (K,): synthetic samples by the class that the classifier of real ones reads in them.
    n_test : int
    held_out : bool
        Whether the test samples are held out, or a half of the training samples.
    """

    figures: Figures
    read_as: NDArray[np.int64]
    n_test: int
    held_out: bool


@dataclass(frozen=True, eq=False)
class Context:
    """One audit under way: its samples, and what is measured of them for several questions."""

    samples: Samples
    model: ModelRecord
    seed: int
    device: str | torch.device = "cpu"
    extractor: Extractor | None = None
    groups: Array | None = None
    unfiltered: Labelled | None = None
    augmented: Labelled | None = None
    augmented_sources: NDArray[np.int64] | None = None

    def stream(self, part: str) -> np.random.Generator:
        """Return the random stream of one part, which no other part disturbs."""
        return np.random.default_rng([self.seed, *part.encode()])

    def names(self) -> list[tuple[int, str]]:
        """Return codes and names of the classes, in their order."""
        return list(enumerate(self.samples.class_names))

    # --- features ---

    @cached_property
    def classifier(self) -> RealClassifier:
        """A small classifier of the training samples."""
        samples = self.samples
        return fit_classifier(
            *samples.training, samples.n_classes, seed=self.seed, device=self.device
        )

    @cached_property
    def real_features(self) -> Labelled:
        """Features of the training and, behind them, the held-out samples."""
        return self.features_of(self.samples.real)

    @cached_property
    def synthetic_features(self) -> Labelled:
        """Features of the synthetic samples."""
        return self.features_of(self.samples.synthetic)

    def features_of(self, samples: Labelled) -> Labelled:
        """Return the features of samples, with their labels."""
        extract = self.classifier.features if self.extractor is None else self.extractor
        features = np.asarray(extract(samples.values), dtype=np.float32)
        if features.ndim != 2 or len(features) != len(samples.labels):
            raise InvalidInputError(
                "`extractor` must return one feature vector per sample, an array of shape (n, d). "
                f"Got shape {features.shape} for {len(samples.labels)} samples instead."
            )
        return Labelled(features, samples.labels)

    # --- comparisons of features ---

    @cached_property
    def comparisons(self) -> dict[str, Comparisons]:
        """Features of each class's synthetic samples beside those of its real samples."""
        return self.compare_classes(self.synthetic_features, self.stream("classes"))

    def compare_classes(
        self, synthetic: Labelled, rng: np.random.Generator
    ) -> dict[str, Comparisons]:
        """Compare features of some synthetic samples with the real ones, class by class."""
        real = self.real_features
        return {
            name: _compare(real.of(code), synthetic.of(code), _class_measures, rng)
            for code, name in self.names()
        }

    @cached_property
    def overall_comparisons(self) -> Comparisons:
        """All classes at once, the synthetic samples in the real samples' class shares."""
        real, synthetic = self.real_features, self.synthetic_features
        n_real, n_synthetic = self.samples.counts(real), self.samples.counts(synthetic)
        shared = (n_real > 0) & (n_synthetic > 0)
        scale = (n_synthetic[shared] / n_real[shared]).min(initial=np.inf)
        if not shared.any():
            return dict.fromkeys(_MEASURES, _too_few(0, 0))
        chosen = [
            np.flatnonzero(synthetic.labels == code)[: int(scale * n_real[code])]
            for code in np.flatnonzero(shared)
        ]
        compared = _compare(
            real.values[shared[real.labels]],
            synthetic.values[np.concatenate(chosen)],
            _overall_measures,
            self.stream("overall"),
            max_samples=1000,
            n_repeats=10,
        )
        if isinstance(compared["precision"], Missing):
            return compared
        return {**compared, "variety": _mean_variety(self.comparisons)}

    # --- classifiers and copies ---

    @cached_property
    def recalls(self) -> Recalls:
        """A classifier trained on synthetic samples only, tested on real ones.

        The floor is the same classifier trained on real samples. Without held-out ones it is
        trained on half of the training samples, and both are tested on the other half.
        """
        samples, n, seed = self.samples, self.samples.n_classes, self.seed + 1
        if samples.holdout is not None:
            test, of_real = samples.holdout, self.classifier
        else:
            trained, tested = halves(samples.training.labels, self.stream("halves"))
            test = samples.training.take(tested)
            of_real = fit_classifier(
                *samples.training.take(trained), n, seed=seed, device=self.device
            )
        of_synthetic = fit_classifier(*samples.synthetic, n, seed=seed, device=self.device)
        reading = predicted(of_real, samples.synthetic.values)
        scores = {
            "trained_on_synthetic": recall_scores(
                predicted(of_synthetic, test.values), test.labels, n
            ),
            "trained_on_real": recall_scores(predicted(of_real, test.values), test.labels, n),
        }
        recognised = recall_scores(reading, samples.synthetic.labels, n)
        per_class = {
            name: {
                **{key: found.of(code, MIN_TEST_SAMPLES) for key, found in scores.items()},
                "recognised": recognised.of(code, 1),
            }
            for code, name in self.names()
        }
        return Recalls(
            Figures({key: found.mean() for key, found in scores.items()}, per_class),
            np.bincount(reading, minlength=n),
            len(test.labels),
            samples.holdout is not None,
        )

    @cached_property
    def screen(self) -> CopyScreen:
        """Copies among the synthetic samples."""
        samples, reference = self.samples, self.samples.training.values
        holdout = samples.holdout
        return screen_copies(
            comparison_space(samples.synthetic.values, reference),
            samples.synthetic.labels,
            comparison_space(reference, reference),
            samples.training.labels,
            holdout=None if holdout is None else comparison_space(holdout.values, reference),
            holdout_labels=None if holdout is None else holdout.labels,
            rng=self.stream("copying"),
        )


def predicted(classifier: RealClassifier, values: Array) -> NDArray[np.int64]:
    """Return the class codes that a classifier reads in samples."""
    codes: NDArray[np.int64] = classifier.predict_proba(values).argmax(axis=1)
    return codes


_MEASURES = (
    "precision", "recall", "density", "coverage", "kernel_distance", "frechet_distance", "variety",
)  # fmt: skip


def _compare(
    real: Array,
    fake: Array,
    measure: Callable[[Array, Array], dict[str, float]],
    rng: np.random.Generator,
    *,
    max_samples: int = 500,
    n_repeats: int = 20,
) -> Comparisons:
    if min(len(real), len(fake)) < MIN_SAMPLES:
        return dict.fromkeys(_MEASURES, _too_few(len(real), len(fake)))
    compared: dict[str, Comparison | Missing] = {
        **compare_with_floor(
            real, fake, measure, rng=rng, max_samples=max_samples, n_repeats=n_repeats
        )
    }
    if "frechet_distance" not in compared:
        n = min(len(real) // 2, max(2, len(fake) // 2), max_samples)
        compared["frechet_distance"] = Missing(
            f"compared at {n} samples a side; needs more than {real.shape[1]} (the number of "
            "features)"
        )
    return compared


def _too_few(n_real: int, n_synthetic: int) -> Missing:
    return Missing(
        f"{n_real} real and {n_synthetic} synthetic samples; at least {MIN_SAMPLES} of each are "
        "needed"
    )


def _overall_measures(real: Array, fake: Array) -> dict[str, float]:
    precision, recall = precision_recall(real, fake)
    density, coverage = density_coverage(real, fake)
    measures = {
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "kernel_distance": kernel_distance(real, fake),
    }
    if len(real) > real.shape[1]:  # else the covariances are singular, and the distance all bias
        measures["frechet_distance"] = frechet_distance(real, fake)
    return measures


def _class_measures(real: Array, fake: Array) -> dict[str, float]:
    return {**_overall_measures(real, fake), "variety": within_class_variety(real, fake)}


def _mean_variety(by_class: Mapping[str, Comparisons]) -> Comparison | Missing:
    """Average the classes' variety, which is a matter within a class, over those measured."""
    found = [measures["variety"] for measures in by_class.values()]
    known = [c for c in found if isinstance(c, Comparison) and np.isfinite(c.value)]
    if not known:
        return Missing("no class has enough samples that differ")
    n = len(known)

    def error(values: Array, bounds: list[float]) -> float:
        # The classes share no samples: their errors add up as independent ones do.
        return float(np.sqrt(((np.array(bounds) - values) ** 2).sum()) / n)

    values, floors = np.array([c.value for c in known]), np.array([c.floor for c in known])
    value, floor = float(values.mean()), float(floors.mean())
    return Comparison(
        value,
        value - error(values, [c.low for c in known]),
        value + error(values, [c.high for c in known]),
        floor,
        floor - error(floors, [c.floor_low for c in known]),
        floor + error(floors, [c.floor_high for c in known]),
        value - floor - error(values - floors, [c.gap_low for c in known]),
        value - floor + error(values - floors, [c.gap_high for c in known]),
        min(c.n_samples for c in known),
    )
