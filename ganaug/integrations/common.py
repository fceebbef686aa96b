"""What the adapters share: which classes to leave alone, and the values of synthetic images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganaug.augmenter import GANAugmenter
from ganaug.checks import warn_user
from ganaug.exceptions import GanaugWarning
from ganaug.inputs import DataSpec
from ganaug.inputs.pixels import Array, cast_rounded
from ganaug.inputs.spec import numpy_dtype
from ganaug.naming import printable
from ganaug.options import MIN_TRUST


def codes_to_leave_alone(augmenter: GANAugmenter, name: str) -> list[int]:
    """Find the classes whose synthetic images `name`, a tool, is not to use, and warn of them."""
    labels = augmenter.sampler_.distrusted
    if labels:
        names = augmenter.sampler_.class_names
        listed = ", ".join(
            f"{printable(names[label])} ({augmenter.trust_[label]:.0%})" for label in labels
        )
        warn_user(
            f"{name} leaves images of class {listed} as they are: a classifier of the real ones "
            f"takes less than {MIN_TRUST:.0%} of the synthetic ones for their class. Train longer "
            "(`max_images`).",
            GanaugWarning,
        )
    return [code for code, label in enumerate(augmenter.classes_.tolist()) if label in labels]


def value_range_for(spec: DataSpec, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Give the values of black and white in images of a dtype.

    They are those seen in fit, for integers after integers and fractions after fractions, where the
    dtype holds them; else what torchvision and albumentations agree on: 0 to 1 for fractions, and 0
    to the dtype's largest value for integers.
    """
    wants_fractions, had_fractions = dtype.kind == "f", numpy_dtype(spec.dtype).kind == "f"
    fitted = spec.value_range if wants_fractions == had_fractions else None
    if fitted is not None and _holds(dtype, fitted):
        return fitted
    return (0.0, 1.0) if wants_fractions else (0.0, float(np.iinfo(dtype).max))


def _holds(dtype: np.dtype[Any], value_range: tuple[float, float]) -> bool:
    if dtype.kind not in "iu":
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= value_range[0] and value_range[1] <= limits.max)


def to_dtype(values: Array, spec: DataSpec, dtype: np.dtype[Any]) -> Array:
    """Convert uint8 values of the networks to a dtype, in the range that belongs to it."""
    value_range = value_range_for(spec, dtype)
    is_as_fitted = value_range == spec.value_range
    units = spec.units() if is_as_fitted else np.linspace(*value_range, 256)
    return cast_rounded(units, dtype)[values]
