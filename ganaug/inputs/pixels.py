"""Single images and chunks of them: their axes, dtypes and modes, as NumPy arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.utils import gen_batches

from ganaug.exceptions import InvalidInputError, InvalidTypeError

Array = npt.NDArray[Any]
Layout = Literal["HW", "HWC", "CHW"]

MIN_SIDE, MAX_SIDE, MAX_CHANNELS = 8, 128, 4
RESIZE_HINT = "Pass resize=(height, width) to bring all images to one size."
_CHUNK_BYTES = 2**20  # values are converted a few samples at a time: no float copy of an image set
PIL_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "F")
READ_AS = {
    **dict.fromkeys(("P", "CMYK", "YCbCr", "HSV", "LAB"), "RGB"),
    "PA": "RGBA",
    "La": "LA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    **dict.fromkeys(("I;16B", "I;16L", "I;16N"), "I;16"),
}
"""Modes that are read as another; images that are made have that other one."""


def layout_of(shape: tuple[int, ...], prefer: Layout, name: str) -> Layout:
    """Find the channel axis of one image: the one of length 4 or less."""
    if len(shape) == 2:
        return "HW"
    if len(shape) != 3:
        raise InvalidInputError(
            f"Images must have 2 or 3 dimensions: (H, W), (H, W, C) or (C, H, W). {name} has shape "
            f"{shape} instead."
        )
    first, last = 0 < shape[0] <= MAX_CHANNELS, 0 < shape[2] <= MAX_CHANNELS
    if not first and not last:
        raise InvalidInputError(
            f"Images must have 1 to {MAX_CHANNELS} channels, as the first or the last axis. "
            f"{name} has images of shape {shape} instead."
        )
    if first and last:
        return prefer
    return "CHW" if first else "HWC"


def chw_shape(
    shape: tuple[int, ...], layout: Layout, resize: tuple[int, int] | None
) -> tuple[int, int, int]:
    """Give (C, H, W) after resizing; refuse sizes that the networks do not take."""
    channels, height, width = {
        "HW": (1, *shape),
        "HWC": (shape[-1], *shape[:2]),
        "CHW": shape,
    }[layout]
    if resize is not None:
        height, width = resize
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        raise InvalidInputError(
            f"Images must have height and width from {MIN_SIDE} to {MAX_SIDE}. "
            f"Got {height} x {width} (height x width) instead. {RESIZE_HINT}"
        )
    return int(channels), int(height), int(width)


def pixels_of(image: object, name: str) -> Array:
    """Give one image's numbers."""
    if isinstance(image, Image.Image):
        return _pixels_of_pil(image, name)
    if isinstance(image, np.ma.MaskedArray):
        raise InvalidTypeError(f"Images must not be masked. {name} is: fill it, image.filled(0).")
    if isinstance(image, np.ndarray | torch.Tensor):
        dtype_name(image)  # refuses what is not a real number
        return to_numpy(image)
    raise InvalidTypeError(
        f"Images must be PIL images, arrays or tensors. Got a {type(image).__name__} in {name} "
        f"instead{how_to_open(image)}."
    )


def _pixels_of_pil(image: Image.Image, name: str) -> Array:
    mode = pil_mode_of(image)
    if mode not in PIL_MODES:
        raise InvalidInputError(
            f"PIL images must be of mode {', '.join((*PIL_MODES, *READ_AS))}. Got {image.mode} "
            f"in {name} instead: convert it to the one of these that keeps its values."
        )
    try:
        if image.mode.startswith("I;16"):  # in the order of this machine's bytes
            return np.asarray(image).astype(np.uint16, copy=False)
        return np.asarray(image if image.mode == mode else image.convert(mode))
    except (OSError, SyntaxError, ValueError) as error:  # of a file that is read only now
        raise InvalidInputError(f"{name} is a damaged image file. {error}") from None


def how_to_open(thing: object) -> str:
    """Say how to get images from things that stand for them; empty for all else."""
    if isinstance(thing, Mapping) and "bytes" in thing:
        return ": open it, Image.open(io.BytesIO(thing['bytes']))"
    if isinstance(thing, bytes | bytearray):
        return ": open it, Image.open(io.BytesIO(thing))"
    if isinstance(thing, str | os.PathLike):
        return (
            ": open it, Image.open(path), or pass a folder of images to the command line or to "
            "torchvision's ImageFolder"
        )
    return ""


def pil_mode_of(image: object) -> str | None:
    """Name the mode that a PIL image is read in; None for anything else."""
    if not isinstance(image, Image.Image):
        return None
    return READ_AS.get(image.mode, image.mode)


def is_image(item: object) -> bool:
    """Tell a single image from flat features."""
    if isinstance(item, Image.Image):
        return True
    return isinstance(item, np.ndarray | torch.Tensor) and item.ndim >= 2


def dtype_name(values: Array | torch.Tensor) -> str:
    """Name the dtype, and refuse what is not a real number."""
    if isinstance(values, torch.Tensor):
        name = str(values.dtype).removeprefix("torch.")
        is_real = not values.dtype.is_complex and not name.startswith(("float8", "float4", "q"))
    else:
        name, is_real = values.dtype.name, values.dtype.kind in "buif"
    if not is_real:
        raise InvalidTypeError(f"X must hold real numbers. Got dtype {name} instead: convert it.")
    return name


def to_numpy(tensor: Array | torch.Tensor) -> Array:
    """Give an array or tensor, from any device, as an array; without copying where it can be."""
    if not isinstance(tensor, torch.Tensor):
        return np.asarray(tensor)
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # NumPy has no such type
        tensor = tensor.float()
    return np.asarray(tensor.numpy())


def to_chw(images: Array, layout: str) -> Array:
    """View images (m, H, W), (m, H, W, C) or (m, C, H, W) as (m, C, H, W)."""
    if layout == "HW":
        return images[:, None]
    return images.transpose(0, 3, 1, 2) if layout == "HWC" else images


def resized(images: Array, size: tuple[int, int] | None) -> Array:
    """Bring images (m, C, H, W) to another (H, W)."""
    if size is None or images.shape[2:] == tuple(size):
        return images
    planes = images.reshape(-1, *images.shape[2:])
    planes = planes if planes.dtype == np.uint8 else planes.astype(np.float32)
    height, width = size
    resized = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in planes
    ]
    return np.stack(resized).reshape(*images.shape[:2], height, width)


def to_pil(pixels: Array, mode: str) -> Image.Image:
    """Make a PIL image of (H, W) or (H, W, C) pixels in the dtype of the mode."""
    if mode == "1":
        return Image.fromarray(pixels)
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def cast_rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Convert numbers to a dtype; integers are rounded and kept within its limits."""
    if dtype.kind == "b":
        return np.asarray(values >= 0.5)
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    highest = np.nextafter(float(limits.max), 0)  # float(2**63 - 1) is 2**63, one too many
    within = np.clip(values.astype(np.float64), limits.min, highest)
    return np.rint(within).astype(dtype)


def is_off_scale(
    found: tuple[float, float], usual: tuple[float, float], *, can_be_dark: bool
) -> bool:
    """Tell whether values are plainly not of the usual scale, such as normalised ones."""
    (lowest, highest), (low, high) = found, usual
    slack = (high - low) / 2  # images that were not seen may reach somewhat further
    is_tiny = not can_be_dark and highest - lowest < (high - low) / 50
    return lowest < low - slack or highest > high + slack or is_tiny


def slices_of(n: int, bytes_per_sample: int) -> Iterator[slice]:
    """Cut n samples into slices of about a mebibyte."""
    slices: Iterator[slice] = gen_batches(n, max(1, _CHUNK_BYTES // max(1, bytes_per_sample)))
    return slices


def count_non_finite(values: Array) -> npt.NDArray[np.int64]:
    """Count NaN and infinite values."""
    if values.dtype.kind != "f":
        return np.zeros(2, dtype=np.int64)
    return np.array([np.isnan(values).sum(), np.isinf(values).sum()], dtype=np.int64)


def raise_if_non_finite(counts: Iterable[int]) -> None:
    """Refuse data with NaN or infinite values, and say how many."""
    n_nan, n_inf = counts
    if n_nan or n_inf:
        raise InvalidInputError(
            f"X must hold finite numbers. Got {n_nan} NaN and {n_inf} infinite (inf) values "
            "instead: remove or replace them."
        )
