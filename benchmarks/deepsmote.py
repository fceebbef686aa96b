"""Samples of rare classes by an auto-encoder, in the way of DeepSMOTE (Dablain et al., 2022).

Written from the paper: reconstruction, plus the penalty that images of one class, their codes
permuted, must be given in their old order. The network is smaller and trained for fewer steps than
the authors'; it is no reproduction of their figures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from imblearn.over_sampling import SMOTE
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.data import Array, Images, Labels
from benchmarks.machine import seeded

N_NEIGHBOURS = 5
LATENT_DIM = 128
BATCH = 500
PENALTY_IMAGES = 100
"""Images of one class whose order is permuted for the penalty, as in the paper's code."""


def _interpolate(values: Array, labels: Labels, target: int, seed: int) -> tuple[Array, Labels]:
    """Give the new samples of imbalanced-learn's SMOTE."""
    codes, counts = np.unique(labels, return_counts=True)
    totals = {int(code): max(target, int(n)) for code, n in zip(codes, counts, strict=True)}
    neighbours = min(N_NEIGHBOURS, int(counts.min()) - 1)
    sampler = SMOTE(sampling_strategy=totals, k_neighbors=neighbours, random_state=seed)
    resampled, y = sampler.fit_resample(values, labels)
    return resampled[len(values) :], y[len(values) :]


def to_bytes(values: Array) -> Array:
    """Round to pixels of 0 to 255."""
    pixels: Array = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


class AutoEncoder(nn.Module):
    """Convolutional encoder and decoder with a flat latent space."""

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        n_channels, *size = image_shape
        sizes = [size]
        for _ in range(2):
            sizes.append([math.ceil(s / 2) for s in sizes[-1]])
        n_flat = 64 * sizes[2][0] * sizes[2][1]
        # what a stride of 2 rounded up is cut again on the way back
        cut = [((h - 1) % 2, (w - 1) % 2) for h, w in (sizes[1], sizes[0])]
        self.encoder = nn.Sequential(
            nn.Conv2d(n_channels, 32, 3, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 3, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(n_flat, LATENT_DIM),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT_DIM, n_flat),
            nn.ReLU(),
            nn.Unflatten(1, (64, *sizes[2])),
            nn.ConvTranspose2d(64, 32, 3, 2, 1, cut[0], bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, n_channels, 3, 2, 1, cut[1]),
            nn.Tanh(),
        )


def train_autoencoder(train: Images, n_steps: int, seed: int) -> tuple[AutoEncoder, dict[str, Any]]:
    """Train with reconstruction loss and the permutation penalty of Dablain et al. (2022).

    Each step adds to the reconstruction of a batch: images of one class, drawn at random, are
    encoded, their codes permuted, and the decoder must give the images in their old order. That is
    the only thing which ties a code to other images of its class.
    """
    with seeded(seed):
        rng = np.random.default_rng(seed)
        images = torch.from_numpy(train.X)
        network = AutoEncoder(train.X.shape[1:]).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        members = [np.flatnonzero(train.y == code) for code in np.unique(train.y)]
        losses = []
        for _ in range(n_steps):
            batch = _scaled(images[rng.integers(len(train.y), size=PENALTY_IMAGES)])
            chosen = members[rng.integers(len(members))]
            same = _scaled(images[rng.permutation(chosen)[:PENALTY_IMAGES]])
            reconstruction = functional.mse_loss(network.decoder(network.encoder(batch)), batch)
            codes = network.encoder(same)[torch.from_numpy(rng.permutation(len(same)))]
            loss = reconstruction + functional.mse_loss(network.decoder(codes), same)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(reconstruction.detach())
        final = float(torch.stack(losses[-50:]).mean())
    return network.eval(), {"steps": n_steps, "reconstruction_mse": round(final, 5)}


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


@torch.inference_mode()
def deepsmote(train: Images, target: int, n_steps: int, seed: int) -> tuple[Images, dict[str, Any]]:
    """Bring every class to `target` images, between neighbours in a latent space."""
    with torch.inference_mode(False):
        network, notes = train_autoencoder(train, n_steps, seed)
    codes = [
        network.encoder(_scaled(torch.from_numpy(train.X[i : i + BATCH])))
        for i in range(0, len(train.X), BATCH)
    ]
    new, labels = _interpolate(torch.cat(codes).numpy(), train.y, target, seed)
    images = [
        network.decoder(torch.from_numpy(new[i : i + BATCH])) for i in range(0, len(new), BATCH)
    ]
    pixels = (torch.cat(images).numpy() + 1) * 127.5
    return Images(to_bytes(pixels), labels), notes
