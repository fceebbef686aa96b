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
from ganaug.inputs import TrainingSet, read_training_set
from ganaug.inputs.labels import listed
from ganaug.jsonable import plain_scalar
from ganaug.model import FittedModel
from ganaug.options import CONDITIONINGS, RECIPES
from ganaug.persistence import load_model
from ganaug.resampling import STRATEGIES
from ganaug.seeds import draw_seed

IMAGES_PER_SAMPLE = 40
MIN_AUTO_IMAGES, MAX_AUTO_IMAGES = 60_000, 100_000

GAN_OPTIONS = {
    "latent_dim": whole_number(1, 4096),
    "batch_size": multiple_of(GROUP_SIZE, 65536),
    "learning_rate": number(0, 1),
    "loss": one_of(*LOSSES),
    "diffaugment": one_of(True, False),
    "lecam": number(0, float("inf")),
    "class_power": number(0, 1),
    "ema_halflife_images": number(0, float("inf")),
}
"""Fields of `GANConfig` that experiments may set."""


def _gan_options(name: str, value: Any) -> str | None:
    """Check a dict of fields of `GANConfig`."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return f"`{name}` must be a dict, or None. Got {value!r} instead."
    unknown = [key for key in value if key not in GAN_OPTIONS]
    if unknown:
        known = ", ".join(map(repr, GAN_OPTIONS))
        hint = f" {unknown[0]!r} is a parameter of its own." if unknown[0] in CHECKS else ""
        hint = hint or did_you_mean(unknown[0], GAN_OPTIONS)
        return f"`{name}` must have keys among {known}. Got {unknown[0]!r} instead.{hint}"
    mistakes = [check(f"{name}[{k!r}]", value[k]) for k, check in GAN_OPTIONS.items() if k in value]
    return " ".join(filter(None, mistakes)) or None


CHECKS = {
    "recipe": one_of(*RECIPES),
    "conditioning": one_of(*CONDITIONINGS),
    "n_generators": whole_number(1, 64),
    "width": whole_number(4, 1024),
    "max_images": whole_number(1, float("inf"), "auto", None),
    "max_seconds": number(0, float("inf"), None),
    "gan_options": _gan_options,
    "filter": one_of("auto", "classifier", None),
    "sampling_strategy": strategy(STRATEGIES),
    "synthetic_share": number(0, 1, None),
    "mix_fraction": number(0, 1, None),
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


def read_for_training(augmenter: Any, X: Any, y: Any) -> TrainingSet:
    """Check parameters and samples as `GANAugmenter.fit` does; give what the networks would see."""
    check_augmenter(augmenter)
    names = ("image_shape", "value_range", "resize", "image_key", "label_key")
    return read_training_set(X, y, **{name: getattr(augmenter, name) for name in names})


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
    names = ("width", "max_seconds", "max_images")
    config_options |= {name: getattr(estimator, name) for name in names}
    config_options |= estimator.gan_options or {}
    config_options = {name: plain_scalar(value) for name, value in config_options.items()}
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
