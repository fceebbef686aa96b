"""What the questions of an audit share: samples, features, and what several of them ask for.

Everything is measured when it is first asked for, with a random stream of its own, so that no
question disturbs another's figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ganaug.audit.comparison import compare_with_floor
from ganaug.audit.copies import CopyScreen, screen_copies
from ganaug.audit.metrics import kernel_distance, neighbourhoods, within_class_variety
from ganaug.audit.neighbours import comparison_space
from ganaug.audit.results import Comparison, Figure, Figures, Level, Missing
from ganaug.audit.samples import ENOUGH_SAMPLES, MIN_SAMPLES, Array, Labelled, Samples, halves
from ganaug.audit.scores import recall_scores
from ganaug.classifier import RealClassifier, fit_classifier
from ganaug.exceptions import InvalidInputError

MIN_TEST_SAMPLES = 10
"""Fewest real test samples for the recall of a class to be shown."""

Extractor: TypeAlias = Callable[[Array], Array]
Comparisons: TypeAlias = Mapping[str, Comparison | Missing]
"""By measure."""


@dataclass(frozen=True)
class ModelRecord:
    """What is known of the model beside its samples."""

    history: Sequence[Mapping[str, Any]] = ()
    """The training's records: what the monitor saw, with the names of classes."""
    alarms: Sequence[Mapping[str, Any]] = ()
    """What is wrong with the model by its own monitor: `kind`, `class`, `value`, `remedy`."""
    card: Mapping[str, object] = field(default_factory=dict)
    """Shown as it is: versions, seeds, fingerprint, recipe, ... Nested dicts become tables."""
    verdict: Mapping[str, Any] | None = None
    """What `evaluate_gain` found, with `text` and `gan`, which is "chosen" where a GAN is worth its
    training; `per_class` (`gain`, `low`, `high` in recall, by class name) is shown as a table."""
    notes: Sequence[str] = ()
    """Sentences about what is doubtful, for the summary."""
    interpolations: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    """By class code, images uint8 (k, C, H, W) on the way between two latent points."""
    trust: Mapping[str, float] = field(default_factory=dict)
    """By name of every class, the share of unfiltered synthetic samples that a classifier of the
    real ones takes for their class; empty where it is unknown."""
    unfiltered: Labelled | None = None
    """Synthetic samples as the generator makes them, where a filter judges those that it serves."""


@dataclass(frozen=True)
class Recalls:
    """Recalls by a classifier trained on synthetic samples, and by one trained on real ones."""

    figures: Figures
    """`trained_on_synthetic`, `trained_on_real`: recall of real test samples by either; per class
    also `recognised`: share of synthetic samples that the latter takes for their class."""
    read_as: NDArray[np.int64]
    """Synthetic samples by the class that the classifier of real ones reads in them."""
    n_test: int
    held_out: bool
    """Whether the test samples are held out, or a half of the training samples."""


@dataclass(frozen=True, eq=False)
class Context:
    """One audit under way: its samples, and what is measured of them for several questions."""

    samples: Samples
    model: ModelRecord
    seed: int
    device: str | torch.device = "cpu"
    extractor: Extractor | None = None
    groups: Array | None = None

    def stream(self, part: str) -> np.random.Generator:
        """Return the random stream of one part, which no other part disturbs."""
        return np.random.default_rng([self.seed, *part.encode()])

    def names(self) -> list[tuple[int, str]]:
        """Return codes and names of the classes, in their order."""
        return list(enumerate(self.samples.class_names))

    def told(self, levels: Mapping[str, Level]) -> dict[str, Level]:
        """Give levels by class, but not "fine" where a class has too few real samples to tell."""
        n = self.samples.counts(self.samples.real)
        few = {name for code, name in self.names() if n[code] < ENOUGH_SAMPLES}
        return {
            name: Level.UNKNOWN if level is Level.FINE and name in few else level
            for name, level in levels.items()
        }

    def fit(self, samples: Labelled, *, seed: int) -> RealClassifier:
        """Train a small classifier."""
        n = len(self.samples.class_names)
        return fit_classifier(*samples, n, seed=self.seed + seed, device=self.device)

    @cached_property
    def classifier(self) -> RealClassifier:
        """A small classifier of the training samples."""
        return self.fit(self.samples.training, seed=0)

    # --- features and their comparisons ---

    @cached_property
    def real_features(self) -> Labelled:
        """Features of the training and, behind them, the held-out samples."""
        return self._features_of(self.samples.real)

    @cached_property
    def synthetic_features(self) -> Labelled:
        """Features of the synthetic samples."""
        return self._features_of(self.samples.synthetic)

    def _features_of(self, samples: Labelled) -> Labelled:
        extract = self.classifier.features if self.extractor is None else self.extractor
        features = np.asarray(extract(samples.values), dtype=np.float32)
        if features.ndim != 2 or len(features) != len(samples.labels):
            raise InvalidInputError(
                "`extractor` must return one feature vector per sample, an array of shape (n, d). "
                f"Got shape {features.shape} for {len(samples.labels)} samples instead."
            )
        if not np.isfinite(features).all():
            raise InvalidInputError(
                "`extractor` must return finite features. Got NaN or infinite ones instead."
            )
        return Labelled(features, samples.labels)

    @cached_property
    def comparisons(self) -> dict[str, Comparisons]:
        """Features of each class's synthetic samples beside those of its real samples."""
        return self._comparisons_of(self.synthetic_features, "classes")

    @cached_property
    def unfiltered_comparisons(self) -> dict[str, Comparisons]:
        """The same of what the generator makes before the filter; empty where there is none."""
        made = self.model.unfiltered
        return {} if made is None else self._comparisons_of(self._features_of(made), "unfiltered")

    def _comparisons_of(self, synthetic: Labelled, stream: str) -> dict[str, Comparisons]:
        real, rng = self.real_features, self.stream(stream)
        return {
            name: _compare(real.of(code), synthetic.of(code), _class_measures, rng)
            for code, name in self.names()
        }

    def compared(
        self, measures: Sequence[str]
    ) -> tuple[dict[str, Figure], dict[str, dict[str, Figure]]]:
        """Pick some measures: of all classes at once, and of each class by name."""

        def some_of(found: Comparisons) -> dict[str, Figure]:
            return {measure: found[measure] for measure in measures if measure in found}

        per_class = {name: some_of(found) for name, found in self.comparisons.items()}
        return some_of(self.overall_comparisons), per_class

    @cached_property
    def overall_comparisons(self) -> Comparisons:
        """All classes at once, the synthetic samples in the real samples' class shares.

        Without their variety, which is a matter within a class.
        """
        real, synthetic = self.real_features, self.synthetic_features
        n_real, n_synthetic = self.samples.counts(real), self.samples.counts(synthetic)
        shared = (n_real > 0) & (n_synthetic > 0)
        if not shared.any():
            return dict.fromkeys(_MEASURES, _too_few(0, 0))
        scale = (n_synthetic[shared] / n_real[shared]).min()
        chosen = [
            np.flatnonzero(synthetic.labels == code)[: int(scale * n_real[code])]
            for code in np.flatnonzero(shared)
        ]
        return _compare(
            real.values[shared[real.labels]],
            synthetic.values[np.concatenate(chosen)],
            _overall_measures,
            self.stream("overall"),
            max_samples=1000,
            n_repeats=10,
        )

    # --- classifiers and copies ---

    @cached_property
    def recalls(self) -> Recalls:
        """A classifier trained on synthetic samples only, tested on real ones.

        The floor is the same classifier trained on real samples. Without held-out ones it is
        trained on half of the training samples, and both are tested on the other half.
        """
        samples, n = self.samples, len(self.samples.class_names)
        if samples.holdout is not None:
            test, of_real = samples.holdout, self.classifier
        else:
            trained, tested = halves(samples.training.labels, self.stream("halves"))
            test = samples.training.take(tested)
            of_real = self.fit(samples.training.take(trained), seed=1)
        of_synthetic = self.fit(samples.synthetic, seed=1)
        classifiers = {"trained_on_synthetic": of_synthetic, "trained_on_real": of_real}
        scores = {
            key: recall_scores(predicted(classifier, test.values), test.labels, n)
            for key, classifier in classifiers.items()
        }
        reading = predicted(of_real, samples.synthetic.values)
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

        def in_space(part: Labelled) -> Labelled:
            return Labelled(comparison_space(part.values, reference), part.labels)

        return screen_copies(
            in_space(samples.synthetic),
            in_space(samples.training),
            None if samples.holdout is None else in_space(samples.holdout),
            rng=self.stream("copying"),
        )


def predicted(classifier: RealClassifier, values: Array) -> NDArray[np.int64]:
    """Return the class codes that a classifier reads in samples."""
    codes: NDArray[np.int64] = classifier.predict_proba(values).argmax(axis=1)
    return codes


_MEASURES = ("precision", "coverage", "kernel_distance", "variety")


def _compare(
    real: Array,
    fake: Array,
    measure: Callable[[Array, Array], dict[str, float]],
    rng: np.random.Generator,
    **options: int,
) -> Comparisons:
    if min(len(real), len(fake)) < MIN_SAMPLES:
        return dict.fromkeys(_MEASURES, _too_few(len(real), len(fake)))
    return compare_with_floor(real, fake, measure, rng=rng, **options)


def _too_few(n_real: int, n_synthetic: int) -> Missing:
    return Missing(
        f"{n_real} real and {n_synthetic} synthetic samples; at least {MIN_SAMPLES} of each are "
        "needed"
    )


def _overall_measures(real: Array, fake: Array) -> dict[str, float]:
    is_inside, is_covered = neighbourhoods(real, fake)
    return {
        "precision": float(is_inside.mean()),
        "coverage": float(is_covered.mean()),
        "kernel_distance": kernel_distance(real, fake),
    }


def _class_measures(real: Array, fake: Array) -> dict[str, float]:
    return {**_overall_measures(real, fake), "variety": within_class_variety(real, fake)}
