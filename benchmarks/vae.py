"""A small class-conditional variational auto-encoder of feature tables, the table GAN's rival.

Kingma and Welling (2014), conditioned by the class in encoder and decoder. The decoder's noise is
learnt, one standard deviation per column and class: sampled without it, tables have too little
spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.data import Array, Labels
from benchmarks.machine import seeded

EMBEDDING_DIM = 16


@dataclass(frozen=True)
class VAEOptions:
    """`beta` weighs the divergence of the codes from their prior."""

    beta: float = 1.0
    n_steps: int = 1500
    latent_dim: int = 8
    hidden: int = 128
    batch_size: int = 64
    learning_rate: float = 1e-3
    has_noise: bool = True


class TableVAE(nn.Module):
    """Encoder and decoder of standardised columns; `fit_vae` makes one."""

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_classes: int, options: VAEOptions) -> None:
        super().__init__()
        latent = options.latent_dim
        self.options = options
        self.embedding = nn.Embedding(n_classes, EMBEDDING_DIM)
        self.encoder = _mlp(n_features + EMBEDDING_DIM, options.hidden, 2 * latent)
        self.decoder = _mlp(latent + EMBEDDING_DIM, options.hidden, n_features)
        self.log_noise = nn.Parameter(torch.zeros(n_classes, n_features))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map codes to the mean of standardised columns."""
        decoded: Tensor = self.decoder(torch.cat([z, self.embedding(labels)], dim=1))
        return decoded

    def loss(self, x: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Negative evidence lower bound, the divergence weighed by beta; mean over samples."""
        code = self.encoder(torch.cat([x, self.embedding(labels)], dim=1))
        mean, log_variance = code.chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        residual = x - self.decode(mean + (log_variance / 2).exp() * noise, labels)
        log_noise = self.log_noise[labels].clamp(min=-5)
        fit = (residual**2 * (-2 * log_noise).exp() / 2 + log_noise).sum(dim=1)
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        return (fit + self.options.beta * divergence).mean()

    @torch.no_grad()
    def sample(self, counts: list[int], seed: int) -> tuple[Array, Labels]:
        """Make counts[c] samples of each class c."""
        generator = torch.Generator().manual_seed(seed)
        labels = torch.repeat_interleave(torch.tensor(counts))
        z = torch.randn(len(labels), self.options.latent_dim, generator=generator)
        x = self.decode(z, labels)
        if self.options.has_noise:
            noise = torch.randn(x.shape, generator=generator)
            x += self.log_noise[labels].clamp(min=-5).exp() * noise
        return (x * self.scale + self.mean).numpy(), labels.numpy()


def _mlp(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    layers = [nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden, n_out))


def fit_vae(X: Array, y: Labels, options: VAEOptions, seed: int) -> TableVAE:
    """Train on batches in which all classes are drawn alike, as the GAN is."""
    with seeded(seed):
        model = TableVAE(X.shape[1], int(y.max()) + 1, options)
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    values = torch.from_numpy(X.astype(np.float32))
    model.mean, scale = values.mean(dim=0), values.std(dim=0)
    model.scale = torch.where(scale > 0, scale, 1)
    values = (values - model.mean) / model.scale
    counts = np.bincount(y)
    codes = rng.integers(len(counts), size=(options.n_steps, options.batch_size))
    within = (rng.random(codes.shape) * counts[codes]).astype(np.int64)
    chosen = np.argsort(y, kind="stable")[(np.cumsum(counts) - counts)[codes] + within]
    rate = options.learning_rate
    others = [value for value in model.parameters() if value is not model.log_noise]
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": [model.log_noise], "lr": 10 * rate},
    ]
    optimizer = torch.optim.Adam(groups, lr=rate, fused=True)
    for labels, batch in zip(torch.from_numpy(codes), torch.from_numpy(chosen), strict=True):
        loss = model.loss(values[batch], labels, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model.eval()
