"""The textbook's conditional DCGAN (Radford et al., 2016; labels embedded and concatenated).

What ganaug is measured against in `benchmarks.worth`: with balanced batches and averaged weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.data import Array, Images

LATENT_DIM, EMBEDDING_DIM = 64, 32
AVERAGE_HALFLIFE = 10_000
"""Images after which a weight counts half in the average."""


class Generator(nn.Module):
    """Radford-style: transposed convolutions, batch norm, ReLU; noise beside the label."""

    def __init__(self, image_shape: tuple[int, ...], n_classes: int, width: int) -> None:
        super().__init__()
        channels, height, side = image_shape
        self.size = (height // 4, side // 4)
        self.embedding = nn.Embedding(n_classes, EMBEDDING_DIM)
        n_flat = 2 * width * self.size[0] * self.size[1]
        self.project = nn.Linear(LATENT_DIM + EMBEDDING_DIM, n_flat, bias=False)
        self.body = nn.Sequential(
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Make images of -1 to 1."""
        flat = self.project(torch.cat([noise, self.embedding(labels)], dim=1))
        images: Tensor = self.body(flat.view(len(noise), -1, *self.size))
        return images


class Discriminator(nn.Module):
    """Radford-style: strided convolutions, batch norm, leaky ReLU; the label as a channel."""

    def __init__(self, image_shape: tuple[int, ...], n_classes: int, width: int) -> None:
        super().__init__()
        channels, height, side = image_shape
        self.plane = (height, side)
        self.embedding = nn.Embedding(n_classes, height * side)
        self.body = nn.Sequential(
            nn.Conv2d(channels + 1, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * width * (height // 4) * (side // 4), 1),
        )

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Give logits, shape (n,)."""
        plane = self.embedding(labels).view(len(images), 1, *self.plane)
        logits: Tensor = self.body(torch.cat([images, plane], dim=1))
        return logits.squeeze(1)


def initialise(module: nn.Module) -> None:
    """Draw weights as the paper does."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def train_textbook(
    train: Images, n_classes: int, width: int, step_size: float, batch_size: int = 64
) -> Iterator[Generator]:
    """Train with binary cross-entropy and Adam, one step per item; give the averaged generator."""
    shape = train.X.shape[1:]
    generator = Generator(shape, n_classes, width).apply(initialise)
    discriminator = Discriminator(shape, n_classes, width).apply(initialise)
    averaged = copy.deepcopy(generator).eval()
    adam_g, adam_d = (
        torch.optim.Adam(network.parameters(), lr=step_size, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    )
    images, codes = torch.from_numpy(train.X).float() / 127.5 - 1, torch.from_numpy(train.y)
    weights = (1 / torch.bincount(codes))[codes]  # classes are drawn evenly
    decay = 0.5 ** (batch_size / AVERAGE_HALFLIFE)
    ones, zeros = torch.ones(batch_size), torch.zeros(batch_size)
    loss = functional.binary_cross_entropy_with_logits
    while True:
        chosen = torch.multinomial(weights, batch_size, replacement=True)
        labels = codes[chosen]
        fake = generator(torch.randn(batch_size, LATENT_DIM), labels)
        adam_d.zero_grad()
        real_loss = loss(discriminator(images[chosen], labels), ones)
        (real_loss + loss(discriminator(fake.detach(), labels), zeros)).backward()
        adam_d.step()
        adam_g.zero_grad()
        loss(discriminator(fake, labels), ones).backward()
        adam_g.step()
        average(averaged, generator, decay)
        yield averaged


@torch.no_grad()
def average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights towards those of a network; counts and statistics are taken over."""
    for mean, value in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for kept, found in zip(averaged.buffers(), network.buffers(), strict=True):
        kept.copy_(found)


@torch.inference_mode()
def draw_textbook(generator: Generator, code: int, n: int, stream: torch.Generator) -> Array:
    """Make uint8 images of a class."""
    noise = torch.randn(n, LATENT_DIM, generator=stream)
    images = generator(noise, torch.full((n,), code))
    made: Array = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    return made
