"""A trained model: networks, classifier and filters, and what data they were made from.

`train_model` makes one, `FittedModel.sample_values` draws from it. It works on the values that
the networks see (uint8 images, float32 rows, class codes); the user's containers are the
business of `ganaug.inputs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganaug.classifier import RealClassifier, fit_classifier
from ganaug.exceptions import InvalidInputError, SamplingError
from ganaug.gan.callbacks import Progress
from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import Features
from ganaug.gan.sampling import BLOCK_SIZE, AcceptanceError, SampleFilter, Sampler
from ganaug.gan.scaling import ColumnScaler
from ganaug.gan.training import TrainedGAN, train
from ganaug.inputs import DataSpec, LabelKind, TrainingSet
from ganaug.settings import own_settings

Array = npt.NDArray[Any]

FILTERS = ("classifier",)
CALIBRATION_BLOCKS = 4


@dataclass
class FittedModel:
    """Everything that sampling needs, and that is saved."""

    spec: DataSpec
    classes: Array
    label_kind: LabelKind
    class_counts: npt.NDArray[np.int64]
    fingerprint: str
    seed: int
    filters: tuple[str, ...]
    gans: list[TrainedGAN]
    classifier: RealClassifier | None = None
    scaler: ColumnScaler | None = None
    trust: list[float] | None = None
    """Per class code, the share of unfiltered synthetic rows that the classifier takes for their
    class; None without a classifier."""
    origin: dict[str, Any] = field(default_factory=dict)
    """``versions`` and ``hardware`` of the training, by name."""

    @own_settings()
    def build_sampler(self, device: torch.device, filters: Sequence[str]) -> Sampler:
        """Put the networks on a device, with filters in front of them."""
        if "classifier" in filters and self.classifier is None:
            raise InvalidInputError(
                "filter='classifier' needs the classifier that `fit` trains when it is set before. "
                "Fit again."
            )
        return Sampler(self.gans, device, {name: self._classifier_filter() for name in filters})

    @own_settings()
    def sample_values(
        self, sampler: Sampler, counts: Mapping[int, int], *, seed: int, start: int = 0
    ) -> tuple[Array, npt.NDArray[np.int64]]:
        """Make exactly `counts[code]` rows per class.

        Returns
        -------
        values : ndarray of shape (n, C, H, W), uint8, or (n, n_features), float32
        codes : ndarray of shape (n,), int64

        Raises
        ------
        SamplingError
            When the filters reject nearly everything of a class.
        """
        try:
            rows = sampler.sample(counts, seed=seed, start=start)
        except AcceptanceError as error:
            raise self._name_class(error, sampler) from error
        if self.scaler is not None:
            rows = self.scaler.from_network(rows)
        codes = np.repeat(list(counts.keys()), list(counts.values())).astype(np.int64)
        return rows.numpy(), codes

    def acceptance(self, sampler: Sampler) -> dict[Any, float]:
        """Share of candidates that the filters have accepted so far, by class."""
        labels = self.classes.tolist()
        return {
            labels[code]: sampler.n_accepted[code] / n for code, n in sampler.n_candidates.items()
        }

    @own_settings()
    def measure_trust(self, device: torch.device) -> list[float]:
        """Measure `trust` on rows of a stream that `sample` does not use."""
        sampler, agrees = Sampler(self.gans, device), self._classifier_filter()
        shares = []
        for code in range(len(self.classes)):
            blocks = [sampler.block(code, ~self.seed, b) for b in range(CALIBRATION_BLOCKS)]
            kept = torch.cat([agrees(block, code) for block in blocks])
            shares.append(float(kept.float().mean()))
        return shares

    def _classifier_filter(self) -> SampleFilter:
        """Keep rows that a classifier of the real rows takes for their own class."""
        classifier = self.classifier
        assert classifier is not None

        def agrees(rows: Tensor, code: int) -> Tensor:
            values = rows if self.scaler is None else self.scaler.from_network(rows)
            predicted = classifier.predict_proba(values.numpy()).argmax(axis=1)
            return torch.from_numpy(predicted == code)

        return agrees

    def _name_class(self, error: AcceptanceError, sampler: Sampler) -> SamplingError:
        label = self.classes.tolist()[error.code]
        share = error.n_accepted / error.n_candidates
        return SamplingError(
            f"Class {label!r} ({self.class_counts[error.code]} real rows): the filter "
            f"({', '.join(sampler.filters)}) accepted only {error.n_accepted} of "
            f"{error.n_candidates} synthetic rows ({share:.1%}), too few to be trusted. Use "
            "duplicates for this class, train longer (`max_images`), or set `filter=None`."
        )


@dataclass(frozen=True)
class TrainingOptions:
    """How a `TrainingSet` becomes a `FittedModel`; every field decides the result."""

    config_options: dict[str, Any]
    """Fields of `GANConfig` that differ from their defaults, budget included."""
    conditioning: str
    filters: tuple[str, ...]
    seed: int
    device: str


@own_settings()
def train_model(
    data: TrainingSet,
    options: TrainingOptions,
    *,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    start_from: FittedModel | None = None,
) -> FittedModel:
    """Train the networks (and the filter's classifier) on real rows.

    Parameters
    ----------
    data : TrainingSet
    options : TrainingOptions
    checkpoint_dir : Path, optional
        Where each network's checkpoint is written and resumed from.
    on_progress : callable, optional
        Called about twice a second.
    start_from : FittedModel, optional
        A model of the same networks and classes to start from.

    Returns
    -------
    FittedModel
    """
    model = FittedModel(
        data.spec,
        data.classes,
        data.label_kind,
        data.counts,
        data.fingerprint,
        options.seed,
        options.filters,
        gans=[],
    )
    networks = plan_networks(data, options)
    starts = [
        _matching_start(start_from, index, config, data)
        for index, (config, _) in enumerate(networks)
    ]
    if "classifier" in options.filters:
        model.classifier = fit_classifier(
            data.values,
            data.labels,
            len(data.classes),
            seed=options.seed,
            device=options.device,
        )
    rows = torch.from_numpy(data.values)
    if data.spec.kind == "table":
        model.scaler = ColumnScaler.fit(rows)
        rows = model.scaler.to_network(rows)
    labels = torch.from_numpy(data.labels)
    for index, (config, members) in enumerate(networks):
        subset = slice(None) if members is None else members
        gan = train(
            config,
            rows[subset],
            labels[subset] if members is None else torch.zeros(len(members), dtype=torch.int64),
            seed=options.seed + index,
            device=options.device,
            on_progress=_shifted(on_progress, index, 1 if members is None else len(data.classes)),
            features=_features(model.classifier),
            checkpoint=checkpoint_dir / f"network-{index}.safetensors" if checkpoint_dir else None,
            fingerprint=data.fingerprint,
            start_from=starts[index],
        )
        model.gans.append(gan)
        if gan.interrupted and members is not None and index + 1 < len(data.classes):
            raise KeyboardInterrupt  # classes without a network: there is no model to return
    if model.classifier is not None:
        model.trust = model.measure_trust(torch.device(options.device))
    return model


def plan_networks(
    data: TrainingSet, options: TrainingOptions
) -> list[tuple[GANConfig, Tensor | None]]:
    """List the networks to train: a config, and the rows it is trained on (None for all)."""
    shape: dict[str, Any] = (
        {"image_shape": data.spec.image_shape}
        if data.spec.kind == "image"
        else {"n_features": data.values.shape[1]}
    )
    counts = tuple(int(n) for n in data.counts)
    joint = GANConfig(class_counts=counts, **shape, **options.config_options)
    if options.conditioning == "joint":
        return [(joint, None)]
    labels = torch.from_numpy(data.labels)
    n = len(counts)
    return [
        (
            replace(
                joint,
                class_counts=(count,),
                max_images=None if joint.max_images is None else max(1, joint.max_images // n),
                max_seconds=None if joint.max_seconds is None else joint.max_seconds / n,
            ),
            (labels == code).nonzero().squeeze(1),
        )
        for code, count in enumerate(counts)
    ]


def _features(classifier: RealClassifier | None) -> Features | None:
    """Let the monitor compare rows as the classifier sees them."""
    if classifier is None or classifier.config.kind == "table":
        return None  # the classifier of a table wants rows in the user's units
    return lambda rows: torch.from_numpy(classifier.features(rows.numpy()))


def _shifted(
    on_progress: Callable[[Progress], None] | None, index: int, n_networks: int
) -> Callable[[Progress], None] | None:
    """Report one network's progress as its part of the whole."""
    if on_progress is None or n_networks == 1:
        return on_progress
    report = on_progress

    def report_part(progress: Progress) -> None:
        report(replace(progress, share=(index + progress.share) / n_networks))

    return report_part


def _matching_start(
    start_from: FittedModel | None, index: int, config: GANConfig, data: TrainingSet
) -> TrainedGAN | None:
    """Check that a model to start from has the networks and classes that are to be trained."""
    if start_from is None:
        return None
    old_classes, classes = start_from.classes.tolist(), data.classes.tolist()
    if old_classes != classes:
        raise InvalidInputError(
            f"`warm_start_from` must be a model of the same classes, {classes}. Got one of "
            f"{old_classes} instead."
        )
    names = ("image_shape", "n_features", "recipe", "width", "latent_dim")
    old = start_from.gans[index].config if index < len(start_from.gans) else None
    for name in (*names, "n_classes"):
        was = getattr(old, name, None)
        if old is None or was != getattr(config, name):
            raise InvalidInputError(
                f"`warm_start_from` must be a model of the same networks: {name} is "
                f"{getattr(config, name)} here. Got {was} instead."
            )
    return start_from.gans[index]


__all__ = [
    "BLOCK_SIZE",
    "FILTERS",
    "FittedModel",
    "TrainingOptions",
    "plan_networks",
    "train_model",
]
