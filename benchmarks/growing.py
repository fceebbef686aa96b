"""Trainings of which the first half is at half resolution (Karras et al., 2018, in two steps).

The small networks are the full ones but for the stage next to the image; the weights of the others
go on where they were. For `benchmarks.worth`; the package itself does not grow its GANs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganaug.gan.callbacks import Watch
from ganaug.gan.config import GANConfig
from ganaug.gan.layers import LEAKY_SLOPE, SNConv2d
from ganaug.gan.monitor import Features
from ganaug.gan.networks import ImageDiscriminator, ImageGenerator
from ganaug.gan.training import TrainedGAN, Trainer, build_monitor, run


class SmallGenerator(ImageGenerator):
    """The generator without its last stage: images of half the size."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__(config)
        # `config.width` channels at half resolution
        self.to_small = nn.Conv2d(config.width, self.to_image.out_channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise and labels to images (n, C, H / 2, W / 2)."""
        z = z[:, : self.z_dim]
        condition = torch.cat([self.embedding(labels), z], dim=1)
        x = functional.relu(self.stem_norm(self.stem(z).unflatten(1, self.base)))
        x = functional.relu(self.mix_norm(self.mix(x), condition))
        for stage, norm in zip(self.stages[:-1], self.norms[:-1], strict=True):
            x = functional.relu(norm(stage(x), condition))
        image = torch.tanh(self.to_small(x))
        height, width = self.height // 2, self.width // 2
        top, left = (image.shape[2] - height) // 2, (image.shape[3] - width) // 2
        return image[:, :, top : top + height, left : left + width]


class SmallDiscriminator(ImageDiscriminator):
    """The discriminator with a convolution that halves nothing in place of its first stage."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__(config)
        assert config.image_shape is not None
        self.from_small = SNConv2d(config.image_shape[0], config.width, (3, 3), (1, 1))

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map images of half the size to logits (n,)."""
        x = self.from_small(samples)
        for stage in self.stages[1:]:
            x = stage(x)
        x = functional.leaky_relu(self.features(self.last(x).flatten(1)), LEAKY_SLOPE)
        logits: Tensor = self.score(x).squeeze(1) + (self.embedding(labels) * x).sum(dim=1)
        return logits


def train_grown(
    config: GANConfig,
    samples: Tensor,
    labels: Tensor,
    *,
    seed: int,
    features: Features | None = None,
    **_: Any,
) -> TrainedGAN:
    """Train on images of half the size, then as long on whole ones; else as `train` does."""
    device, budget = torch.device("cpu"), config.max_images or 0
    kinds = SmallGenerator, SmallDiscriminator
    with mock.patch("ganaug.gan.networks._kinds", return_value=kinds):
        small = Trainer(config, halved(samples), labels, seed=seed, device=device)
    while small.images_seen < budget // 2:
        small.step()
    half = replace(config, max_images=budget // 2)
    whole = Trainer(half, samples, labels, seed=seed, device=device)
    for name, network in whole.networks().items():
        grown = {k: v for k, v in small.networks()[name].state_dict().items() if "_small" not in k}
        network.load_state_dict(grown)
    return run(whole, [Watch(build_monitor(whole, samples, labels, seed, features))])


def halved(images: Tensor) -> Tensor:
    """Average uint8 images (n, C, H, W) over squares of two by two pixels."""
    return functional.avg_pool2d(images.float(), 2).round().to(torch.uint8)
