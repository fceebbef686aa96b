"""From labelled data to a fitted model: which networks are trained, on what, and where.

Works on the values that the networks see (uint8 images, float32 feature rows, class codes); the
user's containers are the business of `ganaug.inputs`.
"""

from __future__ import annotations

import logging
import math
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from joblib import delayed, effective_n_jobs
from torch import Tensor

from ganaug.classifier import RealClassifier, fit_classifier
from ganaug.exceptions import InvalidInputError
from ganaug.gan.callbacks import Progress
from ganaug.gan.config import GANConfig
from ganaug.gan.ladder import climb
from ganaug.gan.monitor import Features
from ganaug.gan.scaling import ColumnScaler
from ganaug.gan.training import TrainedGAN, estimate_seconds, joined, train
from ganaug.inputs import TrainingSet
from ganaug.model import FittedModel
from ganaug.sampler import TrainedSampler
from ganaug.seeds import derived_seed
from ganaug.settings import own_settings
from ganaug.workers import OnProgress, Reports, in_workers, on_ctrl_c

__all__ = ["Training", "TrainingOptions", "estimate_cost", "train_model"]

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingOptions:
    """How a `TrainingSet` becomes a `FittedModel`; every field decides the result."""

    config_options: dict[str, Any]
    """Fields of `GANConfig` that differ from their defaults. `max_images` is for each generator,
    `max_seconds` for all of them."""
    conditioning: str
    n_generators: int
    is_filtered: bool
    seed: int
    device: str


@dataclass(frozen=True)
class Training:
    """One network to train: its config, and the class it is trained on (None for all)."""

    config: GANConfig
    code: int | None
    seed: int


@own_settings()
def train_model(
    data: TrainingSet,
    options: TrainingOptions,
    *,
    checkpoint_dir: Path | None = None,
    on_progress: OnProgress | None = None,
    start_from: FittedModel | None = None,
    n_jobs: int | None = None,
) -> FittedModel:
    """Train the networks (and the filter's classifier) on real samples.

    Parameters
    ----------
    data : TrainingSet
    options : TrainingOptions
    checkpoint_dir : Path, optional
        Where each network's checkpoint is written and resumed from.
    on_progress : callable, optional
        Called about twice a second.
    start_from : FittedModel, optional
        A model of the same networks and classes to start from. One of the same samples is trained
        on: its records go on, and its weights are kept where there are no better ones.
    n_jobs : int, optional
        Train so many networks at a time, each in a worker process of one thread, with the same
        bytes for any number of them. None: one after another in this process, with its threads.

    Returns
    -------
    FittedModel
    """
    trainings = plan_trainings(data, options)
    starts = _matching_starts(start_from, trainings, data, options)
    goes_on = start_from is not None and start_from.fingerprint == data.fingerprint
    classifier = None
    if options.is_filtered:
        classifier = fit_classifier(
            data.values, data.labels, len(data.classes), seed=options.seed, device=options.device
        )
    model = FittedModel(
        data.spec,
        data.classes,
        data.label_kind,
        data.counts,
        data.fingerprint,
        options.seed,
        options.is_filtered,
        options.n_generators,
        classifier=classifier,
    )
    values, labels, model.scaler = _prepare(data)
    tasks = [
        delayed(_train_one)(
            training,
            values,
            labels,
            options.device,
            classifier,
            _checkpoint(checkpoint_dir, index, start if goes_on else None),
            data.fingerprint,
            start,
            goes_on,
        )
        for index, (training, start) in enumerate(zip(trainings, starts, strict=True))
    ]
    if start_from is not None and goes_on and model.label_kind.class_names is None:
        names = start_from.label_kind.class_names  # such as of a Dataset, which arrays lack
        model.label_kind = replace(model.label_kind, class_names=names)
    model.gans = _run(tasks, on_progress, n_jobs)
    if goes_on:  # networks that Ctrl-C did not let be reached stay as they were
        model.gans += filter(None, starts[len(model.gans) :])
    if len(model.gans) < len(trainings):
        _keep_whole_generators(model, len(trainings) // options.n_generators)
    _calibrate(model, data, options)
    return model


def plan_trainings(data: TrainingSet, options: TrainingOptions) -> list[Training]:
    """List the networks to train, generator by generator."""
    shape: dict[str, Any] = (
        {"image_shape": data.spec.image_shape}
        if data.spec.kind == "image"
        else {"n_features": data.values.shape[1]}
    )
    counts = tuple(int(n) for n in data.counts)
    joint = GANConfig(class_counts=counts, **shape, **options.config_options)
    if joint.max_seconds is not None:
        joint = replace(joint, max_seconds=joint.max_seconds / options.n_generators)
    parts: list[tuple[GANConfig, int | None]] = [(joint, None)]
    if options.conditioning == "per_class":
        parts = [(_of_one_class(joint, code), code) for code in range(len(counts))]
    return [
        Training(config, code, derived_seed(options.seed, "network", generator, position))
        for generator in range(options.n_generators)
        for position, (config, code) in enumerate(parts)
    ]


def _of_one_class(joint: GANConfig, code: int) -> GANConfig:
    """Give the network of one class its share of the budget; the shares add up to it."""
    n, images = joint.n_classes, joint.max_images
    return replace(
        joint,
        class_counts=(joint.class_counts[code],),
        max_images=None if images is None else max(1, images // n + (code < images % n)),
        max_seconds=None if joint.max_seconds is None else joint.max_seconds / n,
    )


def _checkpoint(directory: Path | None, index: int, start: TrainedGAN | None) -> Path | None:
    """Name a network's file; a training that goes on leaves the file of the one before alone."""
    further = f"-from-{start.images_seen}" if start is not None else ""
    return None if directory is None else directory / f"network-{index}{further}.safetensors"


def _prepare(data: TrainingSet) -> tuple[Tensor, Tensor, ColumnScaler | None]:
    """Give samples and labels as the networks are trained on them."""
    values, labels = torch.from_numpy(data.values), torch.from_numpy(data.labels)
    if data.spec.kind == "image":
        return values, labels, None
    scaler = ColumnScaler.fit(values)
    return scaler.to_network(values), labels, scaler


def _train_one(
    training: Training,
    values: Tensor,
    labels: Tensor,
    device: str,
    classifier: RealClassifier | None,
    checkpoint: Path | None,
    fingerprint: str,
    start_from: TrainedGAN | None,
    goes_on: bool,
    on_progress: OnProgress | None = None,
) -> TrainedGAN:
    seed = training.seed
    if start_from is not None and goes_on:  # not with the batches and the noise of before
        seed = derived_seed(seed, "further", start_from.images_seen)
    if training.code is not None:
        values = values[labels == training.code]
        labels = torch.zeros(len(values), dtype=torch.int64)
    options: dict[str, Any] = {
        "seed": seed,
        "device": device,
        "on_progress": on_progress,
        "features": _features(classifier),
    }
    trained = train(
        training.config,
        values,
        labels,
        checkpoint=checkpoint,
        fingerprint=fingerprint,
        start_from=start_from,
        keeps_start=goes_on,
        **options,
    )
    trained = climb(trained, values, labels, **options)
    return joined(start_from, trained) if start_from is not None and goes_on else trained


def _run(tasks: list[Any], on_progress: OnProgress | None, n_jobs: int | None) -> list[TrainedGAN]:
    """Train one after another here, or side by side in worker processes."""
    n, gans = len(tasks), []
    if n_jobs is None:
        for index, (function, arguments, keywords) in enumerate(tasks):
            shown = _shifted(on_progress, index, n)
            LOG.info("Network %d of %d", index + 1, n)
            gans.append(function(*arguments, **keywords, on_progress=shown))
            if gans[-1].interrupted:
                break
        return gans
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        reports = Reports(directory, n)
        tasks_that_report = (
            (function, arguments, keywords | {"on_progress": partial(reports.report, index)})
            for index, (function, arguments, keywords) in enumerate(tasks)
            if not reports.stopped
        )
        try:
            found = in_workers(tasks_that_report, n, n_jobs)
            with reports.shown(on_progress), on_ctrl_c(reports.note_ctrl_c):
                for gan in found:
                    reports.note_done(len(gans), gan.images_seen)
                    gans.append(gan)
                    LOG.info("Network %d of %d: %s images", len(gans), n, f"{gan.images_seen:,}")
                    if gan.interrupted:
                        reports.stop()
            if reports.stopped:
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            if not gans:
                raise
            gans[-1].interrupted = True  # the training of all of them was
    return gans


def _keep_whole_generators(model: FittedModel, n_networks: int) -> None:
    """After Ctrl-C, leave out a generator that lacks the networks of some classes."""
    model.n_generators = len(model.gans) // n_networks
    if not model.n_generators:
        raise KeyboardInterrupt  # classes without a network: there is no model to return
    interrupted = model.interrupted
    model.gans = model.gans[: model.n_generators * n_networks]
    model.gans[-1].interrupted = interrupted


def _calibrate(model: FittedModel, data: TrainingSet, options: TrainingOptions) -> None:
    """Measure, once and for all samples, whom to trust and which pixel values to match."""
    sampler = TrainedSampler(model, options.device)
    if data.spec.kind == "image":
        model.lookups = sampler.measure_lookups(data.values, data.labels)
    if model.classifier is not None:
        model.generator_trust = sampler.measure_trust()
        _distrust_collapsed(model, model.generator_trust)


def _distrust_collapsed(model: FittedModel, shares: list[list[float]]) -> None:
    """Leave generators out of classes of which they make one image: it may well be recognised."""
    per_generator = len(model.gans) // model.n_generators
    for index, gan in enumerate(model.gans):
        codes = model.codes_of(index)
        for alarm in gan.alarms:
            if alarm.kind == "collapsed" and alarm.class_code is not None:
                shares[index // per_generator][codes[alarm.class_code]] = 0.0


@own_settings()
def estimate_cost(
    data: TrainingSet, options: TrainingOptions, n_jobs: int | None = None
) -> tuple[int, float]:
    """Give the images and the seconds that a training will take, from a few steps of it."""
    trainings = plan_trainings(data, options)
    images = sum(training.config.max_images or 0 for training in trainings)
    values, labels, _ = _prepare(data)
    seconds = estimate_seconds(trainings[0].config, values, labels, options.device)
    return images, seconds * math.ceil(len(trainings) / effective_n_jobs(n_jobs))


def _features(classifier: RealClassifier | None) -> Features | None:
    """Let the monitor compare samples as the classifier sees them."""
    if classifier is None or classifier.config.kind == "table":
        return None  # the classifier of a table wants values in the user's units
    return lambda samples: torch.from_numpy(classifier.features(samples.numpy()))


def _shifted(on_progress: OnProgress | None, index: int, n: int) -> OnProgress | None:
    """Report one network's progress as its part of the whole."""
    if on_progress is None or n == 1:
        return on_progress
    report = on_progress

    def report_part(progress: Progress) -> None:
        report(replace(progress, share=(index + progress.share) / n))

    return report_part


def _matching_starts(
    start_from: FittedModel | None,
    trainings: list[Training],
    data: TrainingSet,
    options: TrainingOptions,
) -> list[TrainedGAN] | list[None]:
    """Check that a model to start from has the networks and classes that are to be trained."""
    if start_from is None:
        return [None] * len(trainings)
    old_classes, classes = start_from.classes.tolist(), data.classes.tolist()
    if old_classes != classes:
        raise InvalidInputError(
            f"`warm_start_from` must be a model of the same classes, {classes}. Got one of "
            f"{old_classes} instead."
        )
    for training, old in zip(trainings, start_from.gans, strict=False):
        _check_same_networks(old.config, training.config)
    if (n := start_from.n_generators) < options.n_generators:
        raise InvalidInputError(
            f"`n_generators` must be at most that of the model in `warm_start_from`, {n} (Ctrl-C "
            f"may have left fewer than were asked for). Got {options.n_generators} instead."
        )
    return start_from.gans[: len(trainings)]


def _check_same_networks(old: GANConfig, new: GANConfig) -> None:
    for name in ("image_shape", "n_features", "recipe", "width", "latent_dim", "n_classes"):
        if (was := getattr(old, name)) != getattr(new, name):
            raise InvalidInputError(
                f"`warm_start_from` must be a model of the same networks: {name} is "
                f"{getattr(new, name)} here. Got {was} instead."
            )
