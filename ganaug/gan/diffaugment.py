"""Differentiable augmentation of real and fake batches alike (Zhao et al., 2020).

Each function takes images (n, C, H, W) in [-1, 1] and a `torch.Generator` on the images' device,
and keeps shape and dtype. Everything is drawn per image.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def diffaugment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Brighten, scale the contrast, shift, and cut a rectangle out, each image in its own way.

    `images` (Tensor of shape (n, C, H, W)): values in [-1, 1]. `generator`: the only source of
    randomness. Returns: Tensor of shape (n, C, H, W): gradients flow through every augmentation.
    """
    images = contrast(brightness(images, generator), generator)
    return cutout(translation(images, generator), generator)


def _uniform(images: Tensor, generator: torch.Generator) -> Tensor:
    """One number in [0, 1) per image, shaped to broadcast."""
    numbers = torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device)
    return numbers.to(images.dtype)  # so that bf16 images stay bf16


def brightness(images: Tensor, generator: torch.Generator) -> Tensor:
    """Add up to a quarter of the value range, where there is anything to brighten.

    The shift is scaled by the pixel's distance from black, so that an empty background, which
    most small data sets have, stays empty.
    """
    half_shift = (_uniform(images, generator) - 0.5) * 0.5
    return torch.addcmul(half_shift, images, 1.0 + half_shift)  # x + shift / 2 * (x + 1)


def contrast(images: Tensor, generator: torch.Generator) -> Tensor:
    """Scale by 0.75 to 1.25 around black (the value -1)."""
    factor = _uniform(images, generator) * 0.5 + 0.75
    return torch.addcmul(factor - 1.0, images, factor)  # (x + 1) * factor - 1


def translation(images: Tensor, generator: torch.Generator, ratio: float = 0.125) -> Tensor:
    """Shift by up to an eighth of each side, rounded; edges are filled with black (-1)."""
    n, _, height, width = images.shape
    rows = _shifted_positions(n, height, ratio, images.device, generator)
    columns = _shifted_positions(n, width, ratio, images.device, generator)
    padded = F.pad(images, (0, 1, 0, 1), value=-1.0)  # what lies outside is read from its edge
    flat = rows[:, :, None] * (width + 1) + columns[:, None, :]
    index = flat.view(n, 1, -1).expand(-1, images.shape[1], -1)
    return padded.flatten(2).gather(2, index).view_as(images)


def _shifted_positions(
    n: int, side: int, ratio: float, device: torch.device, generator: torch.Generator
) -> Tensor:
    """Where each output row (or column) of each image is read from, (n, side).

    `side` itself, one past the last, stands for everything outside.
    """
    reach = max(1, round(side * ratio))
    shift = torch.randint(-reach, reach + 1, (n, 1), generator=generator, device=device)
    position = torch.arange(side, device=device) - shift
    return torch.where((position >= 0) & (position < side), position, side)


def cutout(images: Tensor, generator: torch.Generator, ratio: float = 0.5) -> Tensor:
    """Blacken one rectangle of half the height and width, its centre drawn anywhere."""
    n, _, height, width = images.shape
    rows = _cut_positions(n, height, ratio, images.device, generator)[:, None, :, None]
    columns = _cut_positions(n, width, ratio, images.device, generator)[:, None, None, :]
    return torch.where(rows & columns, -1.0, images)


def _cut_positions(
    n: int, side: int, ratio: float, device: torch.device, generator: torch.Generator
) -> Tensor:
    """Whether each row (or column) of each image lies in its cut, (n, side)."""
    half = side * ratio / 2
    centre = torch.rand((n, 1), generator=generator, device=device) * side
    position = torch.arange(side, dtype=torch.float32, device=device) + 0.5
    return (position - centre).abs() < half
