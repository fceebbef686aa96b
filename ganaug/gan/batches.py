"""Class-conditional batches from data that stay where they are."""

from __future__ import annotations

import torch
from torch import Tensor

from ganaug.gan.config import GROUP_SIZE, GANConfig
from ganaug.gan.scaling import images_to_network


class ClassBatches:
    """Draws labels with probability n_class ** class_power, samples uniformly within a class.

    Labels come in groups of `GROUP_SIZE` equal ones, as the discriminator's minibatch deviation
    expects. The samples are neither copied nor moved when they already are on `device`:
    uint8 images stay uint8 until a batch of them is needed.

    `samples`: Tensor of shape (n, C, H, W), uint8, or (n, n_features), float32. `labels`: Tensor of
    shape (n,), int64. `generator`: on `device`.
    """

    def __init__(
        self,
        config: GANConfig,
        samples: Tensor,
        labels: Tensor,
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self.is_image = config.is_image
        self.generator = generator
        self.samples = samples.to(device)
        self.sample_of_rank = torch.argsort(labels, stable=True).to(device)
        counts = torch.tensor(config.class_counts)
        self.counts = counts.to(device)
        self.first_rank = (counts.cumsum(0) - counts).to(device)
        self.probabilities = torch.tensor(config.class_probabilities, device=device)

    def draw_labels(self, n: int) -> Tensor:
        """Draw n labels; n must be a multiple of `GROUP_SIZE`."""
        labels = torch.multinomial(
            self.probabilities, n // GROUP_SIZE, replacement=True, generator=self.generator
        )
        return labels.repeat_interleave(GROUP_SIZE)

    def draw_samples(self, labels: Tensor) -> Tensor:
        """Draw one real sample for each label, in network units."""
        uniform = torch.rand(len(labels), generator=self.generator, device=labels.device)
        counts = self.counts[labels]
        rank = torch.minimum((uniform * counts).long(), counts - 1)
        samples = self.samples[self.sample_of_rank[self.first_rank[labels] + rank]]
        return images_to_network(samples) if self.is_image else samples
