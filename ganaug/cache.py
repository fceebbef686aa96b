"""Trained models: out of a directory, found by their data and parameters, or by training them."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ganaug import tensorfile
from ganaug.checks import warn_user
from ganaug.exceptions import InvalidInputError, ModelFileError, TrainingWarning
from ganaug.fitting import TrainingOptions, estimate_cost, train_model
from ganaug.gan.config import GANConfig
from ganaug.history import describe_distrust, describe_troubles
from ganaug.inputs import TrainingSet
from ganaug.jsonable import SchemaError, dumps, marked
from ganaug.model import FittedModel
from ganaug.model_schema import ModelContent, describe, read_content, tensors_of
from ganaug.persistence import FORMAT_VERSION, describe_origin, library_versions, read_model
from ganaug.progress import progress_bar, readable_seconds, write_line
from ganaug.storage import check_writable, make_directory

LOG = logging.getLogger(__name__)
KIND = "cached model"


def obtain_model(
    data: TrainingSet,
    options: TrainingOptions,
    *,
    cache_dir: str | os.PathLike[str] | None,
    checkpoint_dir: str | os.PathLike[str] | None,
    start_from: FittedModel | None,
    n_jobs: int | None,
    verbose: int,
) -> FittedModel:
    """Take a model from the cache, or train it, with a bar unless `verbose` is 0.

    `cache_dir`: not used for a training that starts from another model.
    """
    checkpoints = _make_checkpoint_dir(checkpoint_dir)

    def train() -> FittedModel:
        is_told = verbose or LOG.isEnabledFor(logging.INFO)
        cost = _describe_cost(data, options, n_jobs) if is_told else ""
        LOG.info("Training starts: %s", cost)
        with progress_bar(cost) if verbose else nullcontext() as show:
            model = train_model(
                data,
                options,
                checkpoint_dir=checkpoints,
                on_progress=show,
                start_from=start_from,
                n_jobs=n_jobs,
            )
        model.origin = describe_origin(options.device)
        LOG.info("Trained: %s images in %.0f s", f"{model.images_seen:,}", model.seconds)
        return model

    if cache_dir is None or start_from is not None:
        model = train()
    else:
        model = cached_training(cache_dir, training_key(data, options), train, options.device)
    troubles, distrusted = describe_troubles(model), describe_distrust(model)
    for text in filter(None, (troubles, distrusted)):
        LOG.info(text)
    if verbose and distrusted:
        write_line(distrusted)
    return model


def _make_checkpoint_dir(checkpoint_dir: str | os.PathLike[str] | None) -> Path | None:
    if checkpoint_dir is None:
        return None
    with _directories_explained("checkpoint_dir", checkpoint_dir):
        directory = Path(os.path.expanduser(checkpoint_dir))
        directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def _directories_explained(name: str, value: Any) -> Iterator[None]:
    """Say of a parameter that is no usable directory what it must be."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"`{name}` must be a directory, or a path where one can be made. Got {value!r} "
            f"instead ({error})."
        ) from error


def _describe_cost(data: TrainingSet, options: TrainingOptions, n_jobs: int | None) -> str:
    """Say before training what it will take, with so many GANs at a time."""
    budget, seconds = estimate_cost(data, options, n_jobs)
    images = f"{budget:,} images" if budget else "time budget"
    n = options.n_generators
    gans = "GAN" if n == 1 else f"{n} GANs"
    return f"{gans} on {options.device}, {images}, estimated {readable_seconds(seconds)}"


def training_key(data: TrainingSet, options: TrainingOptions) -> str:
    """Name a training by all that decides its result, versions and engine defaults included."""
    key = {
        "format": FORMAT_VERSION,
        "versions": library_versions(),
        "fingerprint": data.fingerprint,
        "classes": repr((data.classes.dtype, data.classes.tolist())),
        "label_kind": repr(data.label_kind),
        "spec": repr(data.spec),
        "options": marked(asdict(options)),
        "defaults": {field.name: repr(field.default) for field in fields(GANConfig)},
    }
    return hashlib.sha256(dumps(key).encode()).hexdigest()


def check_cache_dir(cache_dir: Any) -> None:
    """Refuse a `cache_dir` that nothing can be kept in; for use before the training."""
    if cache_dir is None:
        return
    with _directories_explained("cache_dir", cache_dir):
        directory = Path(os.path.expanduser(cache_dir))
        if directory.exists() and not directory.is_dir():
            raise ModelFileError(f"{directory} is a file.")
        check_writable(directory)


def cached_training(
    cache_dir: str | os.PathLike[str],
    key: str,
    train: Callable[[], FittedModel],
    device: str = "cpu",
) -> FittedModel:
    """Take a model from the cache, or train it and put it there.

    Several processes may share a cache: each entry is one file, that is there whole or not at all.
    A model whose training was interrupted is not kept. Warns when an entry is damaged, which is
    trained anew, or cannot be written.
    """
    path = Path(os.path.expanduser(cache_dir)) / f"{key}.safetensors"
    if path.exists():
        try:
            model = _read(path, key, device)
            LOG.info("Taken from the cache: %s", path)
            return model
        except ModelFileError as error:
            warn_user(f"The cached model is not used, and trained anew: {error}", TrainingWarning)
    model = train()
    if not model.interrupted:
        _keep(path, key, model)
    return model


def _keep(path: Path, key: str, model: FittedModel) -> None:
    content = {"key": key, "model": describe(model)}
    try:
        make_directory(path.parent)
        tensorfile.write(path, KIND, FORMAT_VERSION, content, tensors_of(model))
    except OSError as error:
        warn_user(f"The trained model could not be kept in the cache: {error}", TrainingWarning)


def _read(path: Path, key: str, device: str) -> FittedModel:
    def check(content: Any, layouts: dict[str, tensorfile.Layout]) -> tuple[ModelContent, None]:
        if not isinstance(content, dict) or content.keys() != {"key", "model"}:
            raise SchemaError("it must have the keys 'key' and 'model'.")
        if content["key"] != key:
            raise SchemaError("it is of other data or parameters.")
        return read_content(content["model"], layouts), None

    return read_model(path, KIND, check, device)[0]
