"""Between the samples a user has and the values the networks see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def images_to_network(images: Tensor) -> Tensor:
    """Map uint8 images to float32 in [-1, 1]."""
    return images.float().mul_(2.0 / 255.0).sub_(1.0)


def images_from_network(images: Tensor) -> Tensor:
    """Map values in [-1, 1] to uint8, rounded."""
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class ColumnScaler:
    """Standardises the columns of feature rows; on the way back keeps their observed range.

    All tensors have shape (n_features,) and dtype float32.
    """

    mean: Tensor
    scale: Tensor
    minimum: Tensor
    maximum: Tensor

    @classmethod
    def fit(cls, samples: Tensor) -> ColumnScaler:
        """Measure the columns of samples (n, n_features)."""
        deviation = samples.double().std(dim=0, correction=0).float()
        scale = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
        mean = samples.double().mean(dim=0).float()
        return cls(mean, scale, samples.amin(dim=0), samples.amax(dim=0))

    def to_network(self, samples: Tensor) -> Tensor:
        """Standardise samples."""
        return (samples - self.mean) / self.scale

    def from_network(self, samples: Tensor) -> Tensor:
        """Undo `to_network`; values outside a column's observed range are clipped to it."""
        return (samples.float() * self.scale + self.mean).clamp(self.minimum, self.maximum)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, for saving."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }
