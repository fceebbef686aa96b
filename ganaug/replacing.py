"""Replacing real samples by synthetic ones in place, and scikit-learn's checks of X around it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import validate_data

from ganaug.checks import warn_user
from ganaug.exceptions import (
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
    MissingDependencyError,
)
from ganaug.inputs import DataSpec
from ganaug.inputs.containers import (
    refuse_dataset,
    refuse_two_looks,
    refuse_unsupported,
    replace_samples,
)
from ganaug.mixing import warn_that_all_are_distrusted
from ganaug.resampling import is_trusted
from ganaug.sampler import TrainedSampler
from ganaug.seeds import derived_seed

Codes = npt.NDArray[np.int64]


def check_before_replacing(
    augmenter: Any, X: Any, y: Any, fit_params: Mapping[str, object]
) -> None:
    """Refuse, before the training, what `fit_transform` cannot work on."""
    if fit_params:
        raise InvalidTypeError(
            f"fit_transform takes X and y only. Got {', '.join(fit_params)} as well."
        )
    refuse_dataset(X)
    if y is None:
        raise InvalidInputError("fit_transform requires y to be passed, but the target y is None.")
    if augmenter.resize is not None and augmenter.mix_fraction:
        raise InvalidInputError(
            "fit_transform cannot mix samples of two sizes: resize X itself before, instead of "
            "passing `resize`."
        )
    _check_output_container(augmenter, getattr(X, "ndim", 2))
    if augmenter.mix_fraction:
        refuse_two_looks(X, None)
    if augmenter.mix_fraction is None:
        warn_user(
            "`fit_transform` trains a GAN and changes no sample, since real samples that are "
            "replaced by synthetic ones were worth more themselves where that was measured. Add "
            "samples by GANOverSampler, `augment` or `wrap` instead, or set `mix_fraction` "
            "(0 for none).",
            GanaugWarning,
        )


def check_samples(augmenter: Any, X: Any, spec: DataSpec, *, reset: bool = False) -> Any:
    """Check X's shape and values; give it as it is, lists of features as an array."""
    refuse_unsupported(X)
    if spec.layout == "rows" and not isinstance(X, torch.Tensor):
        return check_rows(augmenter, X, reset=reset)
    _check_output_container(augmenter, getattr(X, "ndim", 3))
    spec.check(X)
    return X


def check_rows(estimator: Any, X: Any, *, reset: bool = False) -> Any:
    """Check feature rows as scikit-learn does; give them as they are, lists as an array."""
    try:
        array = validate_data(estimator, X, reset=reset, dtype=None)
    except TypeError as error:
        raise InvalidTypeError(str(error)) from None
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    return X if hasattr(X, "shape") else array


def _check_output_container(augmenter: Any, ndim: int) -> None:
    container = _get_output_config("transform", augmenter)["dense"]
    if container == "default":
        return
    if not importlib.util.find_spec(container):
        raise MissingDependencyError(
            f"set_output(transform={container!r}) needs {container}, which is not installed.",
            name=container,
        )
    if ndim != 2:
        raise InvalidInputError(
            f"`set_output` is for 2-D X: images do not fit into a data frame. Got {ndim}-D X "
            "instead. Pass 2-D X and `image_shape`, or set_output(transform='default')."
        )


def replace_share(
    X: Any, codes: Codes, sampler: TrainedSampler, *, share: float, min_real: int
) -> tuple[Any, npt.NDArray[np.str_]]:
    """Replace a share of each class by synthetic samples of it.

    `codes` (int64 (n,)): class codes. `share`: float from 0 to 1. `min_real`: smaller classes are
    left alone, as distrusted ones are. Returns: X (like the input); kinds (str (n,)): "real" or
    "synthetic".
    """
    replaced: dict[int, Codes] = {}
    distrusted = []
    for code, label in enumerate(sampler.classes.tolist()):
        members = np.flatnonzero(codes == code)
        n = round(share * len(members)) if len(members) >= min_real else 0
        if n and not is_trusted(sampler.trust.get(label, 1.0)):
            distrusted.append(label)
        elif n:
            rng = np.random.default_rng(derived_seed(sampler.seed, "replaced", code))
            replaced[code] = rng.permutation(members)[:n]
    kinds = np.full(len(codes), "real", dtype="<U9")
    if not replaced:
        if distrusted:
            warn_that_all_are_distrusted(sampler.trust, distrusted, "are left as they are")
        return X, kinds
    positions = np.concatenate(list(replaced.values()))
    kinds[positions] = "synthetic"
    values, _ = sampler.sample_values({code: len(of) for code, of in replaced.items()})
    return replace_samples(X, positions, sampler.spec.decode(values)), kinds
