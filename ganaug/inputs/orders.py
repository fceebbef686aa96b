"""In which order rows hold the values of images, told by how smooth the images then are."""

from __future__ import annotations

import math

import numpy as np

from ganaug.checks import warn_user
from ganaug.exceptions import FlattenedImagesWarning
from ganaug.inputs.pixels import MAX_SIDE, MIN_SIDE, Array
from ganaug.inputs.spec import DataSpec

N_LOOKED_AT = 64
CLEARLY_ROUGHER = 1.3


def warn_if_flattened(values: Array) -> None:
    """Warn when a table has as many columns as a square image has pixels, and nothing below 0."""
    n_columns = values.shape[1]
    for channels in (1, 3):
        side = math.isqrt(n_columns // channels)
        if side * side * channels == n_columns and MIN_SIDE <= side <= MAX_SIDE:
            break
    else:
        return
    if values.min() < 0:
        return
    shapes = [(side, side)] if channels == 1 else [(side, side, 3), (3, side, side)]
    shapes.sort(key=lambda shape: _roughness(_some(values), shape))
    other = f" (or {shapes[1]}, if that is their order)" if shapes[1:] else ""
    warn_user(
        f"X has {n_columns} non-negative columns and may hold flattened images, but is used as "
        f"plain feature rows. If it does, pass image_shape={shapes[0]}{other}.",
        FlattenedImagesWarning,
    )


def warn_if_disordered(values: Array, spec: DataSpec) -> None:
    """Warn when rows of colour images are clearly smoother in the other order of their axes."""
    if spec.row_layout == "HW" or spec.image_shape is None or spec.image_shape[0] == 1:
        return
    channels, height, width = spec.image_shape
    given, other = (height, width, channels), (channels, height, width)
    if spec.row_layout == "CHW":
        given, other = other, given
    images = _some(values)
    rows = images.transpose(0, 2, 3, 1) if spec.row_layout == "HWC" else images
    if _roughness(rows, given) > CLEARLY_ROUGHER * _roughness(rows, other):
        warn_user(
            f"The rows of X give smoother images in another order of their values: {other} in "
            f"place of image_shape={given}. If the images look scrambled, pass "
            f"image_shape={other}.",
            FlattenedImagesWarning,
        )


def _some(values: Array) -> Array:
    return values[:: math.ceil(len(values) / N_LOOKED_AT)]


def _roughness(rows: Array, shape: tuple[int, ...]) -> float:
    """Give the mean difference of neighbouring pixels, down and to the right."""
    down, right = (1, 2) if len(shape) == 2 or shape[0] > shape[-1] else (2, 3)
    exact = rows.reshape(-1, *shape).astype(np.float64)
    return float(sum(np.abs(np.diff(exact, axis=axis)).mean() for axis in (down, right)))
