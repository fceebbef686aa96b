"""The parameters of `GANAugmenter`: what each may be, and the training that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sklearn.frozen import FrozenEstimator

from ganaug.augmentation import make_augmentation
from ganaug.cache import check_cache_dir
from ganaug.checks import (
    check_parameters,
    did_you_mean,
    multiple_of,
    n_jobs,
    number,
    one_of,
    strategy,
    whole_number,
)
from ganaug.devices import resolve_device
from ganaug.exceptions import InvalidInputError
from ganaug.fitting import TrainingOptions
from ganaug.gan.config import GROUP_SIZE, LOSSES, classic_options
from ganaug.inputs import TrainingSet
from ganaug.inputs.labels import listed
from ganaug.jsonable import plain_scalar
from ganaug.model import FittedModel
from ganaug.options import CONDITIONINGS, RECIPES
from ganaug.persistence import load_model
from ganaug.resampling import STRATEGIES
from ganaug.seeds import draw_seed

IMAGES_PER_SAMPLE = 40
MIN_AUTO_IMAGES, MAX_AUTO_IMAGES = 60_000, 100_000

_ENGINE_OPTIONS = (
    *("learning_rate", "loss", "diffaugment", "lecam", "class_power", "ema_halflife_images"),
)
CHECKS = {
    "recipe": one_of(*RECIPES),
    "conditioning": one_of(*CONDITIONINGS),
    "n_generators": whole_number(1, 64),
    "width": whole_number(4, 1024),
    "latent_dim": whole_number(1, 4096),
    "batch_size": multiple_of(GROUP_SIZE, 65536),
    "max_images": whole_number(1, float("inf"), "auto", None),
    "max_seconds": number(0, float("inf"), None),
    "learning_rate": number(0, 1, None),
    "loss": one_of(None, *LOSSES),
    "diffaugment": one_of(None, True, False),
    "lecam": number(0, float("inf"), None),
    "class_power": number(0, 1, None),
    "ema_halflife_images": number(0, float("inf"), None),
    "filter": one_of("auto", "classifier", None),
    "sampling_strategy": strategy(STRATEGIES),
    "synthetic_share": number(0, 1, None),
    "mix_fraction": number(0, 1),
    "min_real": whole_number(0),
    "n_jobs": n_jobs,
    "verbose": whole_number(0),
}


def check_augmenter(augmenter: Any) -> None:
    """Collect all mistakes in a `GANAugmenter`'s parameters, and raise once."""
    check_parameters(augmenter, CHECKS)
    if augmenter.max_images is None and augmenter.max_seconds is None:
        raise InvalidInputError("`max_images` and `max_seconds` are both None: set one of them.")
    make_augmentation(augmenter.augmentation)
    check_cache_dir(augmenter.cache_dir)
    resolve_device(augmenter.device)


def model_to_start_from(warm_start_from: Any) -> FittedModel | None:
    """Give the model that the parameter `warm_start_from` names.

    Raises InvalidInputError for an estimator that is not a fitted `GANAugmenter`. Raises
    ModelFileError for a path without a model.
    """
    source = warm_start_from
    source = source.estimator if isinstance(source, FrozenEstimator) else source
    if source is None:
        return None
    if not hasattr(source, "fit"):
        return load_model(source).model
    model = getattr(source, "model_", None)
    if not isinstance(model, FittedModel):
        raise InvalidInputError(
            f"`warm_start_from` must be fitted. Got a {type(source).__name__} that is not instead. "
            "(scikit-learn's `clone`, which searches and cross-validation use, forgets a fit: pass "
            "FrozenEstimator(augmenter), or the path of a saved model.)"
        )
    return model


def training_options(estimator: Any, data: TrainingSet, device: torch.device) -> TrainingOptions:
    """Turn an estimator's parameters into what decides its training."""
    _check_strategy_names(estimator.sampling_strategy, data)
    config_options = classic_options() if estimator.recipe == "classic" else {}
    set_ones = [name for name in _ENGINE_OPTIONS if getattr(estimator, name) is not None]
    for name in (*set_ones, "width", "latent_dim", "batch_size", "max_seconds", "max_images"):
        config_options[name] = plain_scalar(getattr(estimator, name))
    is_table = data.spec.kind == "table"
    if estimator.max_images == "auto":
        config_options["max_images"] = auto_max_images(len(data.labels))
    return TrainingOptions(
        config_options,
        estimator.conditioning,
        int(estimator.n_generators),
        not is_table if estimator.filter == "auto" else estimator.filter is not None,
        draw_seed(estimator.random_state),
        str(device),
    )


def _check_strategy_names(strategy: Any, data: TrainingSet) -> None:
    """Refuse classes that `augment` would refuse after the training."""
    known = [*dict.fromkeys([*data.classes.tolist(), *(data.class_names or ())])]
    for label in map(plain_scalar, strategy if isinstance(strategy, Mapping) else ()):
        if label not in known:
            raise InvalidInputError(
                f"`sampling_strategy` must name classes of y ({listed(known)}). Got {label!r} "
                f"instead.{did_you_mean(label, known)}"
            )


def auto_max_images(n_samples: int) -> int:
    """Budget of `max_images="auto"`."""
    return min(MAX_AUTO_IMAGES, max(MIN_AUTO_IMAGES, IMAGES_PER_SAMPLE * n_samples))
