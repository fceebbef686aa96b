"""The classifiers that judge the arms, and how they are trained.

All arms of a run share the network, the number of steps, the batch size and the schedule; they
differ in the rows and in what their `Recipe` says. A classifier's random numbers, torchvision's
included, come from its seed: torch's global state is put back afterwards.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.data import Array, Labels, Rows

RANDAUGMENT_OPERATIONS = 1
RANDAUGMENT_MAGNITUDE = 9  # of 30
RANDAUGMENT_CHUNK = 16
"""Images that share an operation: torchvision's RandAugment draws once per call."""
MIXUP_ALPHA = 0.4
DEFERRED_FROM = 0.6
"""Share of the steps after which deferred re-weighting begins."""
EFFECTIVE_NUMBER_BETA = 0.9999
SCORING_BATCH = 500


@dataclass(frozen=True)
class Recipe:
    """How an arm trains; by default plain cross-entropy on the rows as they are.

    Parameters
    ----------
    classic : bool
        Shift, flip where valid, RandAugment.
    mixup : bool
        Convex combinations of pairs within a batch.
    weights : None, "balanced" or "deferred"
        Class weights in the loss: inverse frequency throughout, or by effective number (Cui et
        al., 2019) in the last part of the schedule only (Cao et al., 2019).
    """

    classic: bool = False
    mixup: bool = False
    weights: Literal["balanced", "deferred"] | None = None


@dataclass(frozen=True)
class Schedule:
    """What all arms share."""

    network: str
    n_steps: int
    flips: bool
    shift: int
    n_classes: int
    device: str = "cpu"
    batch_size: int = 128


# --- networks ----------------------------------------------------------------------------------


def _convolution(n_in: int, n_out: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out)]


class SmallCNN(nn.Sequential):
    """Three convolutions and a hidden layer for small images, cheap enough for a CPU.

    Averaging over positions in place of the hidden layer cost 5 points of ACSA at 600 steps.
    """

    def __init__(self, image_shape: tuple[int, int, int], n_classes: int) -> None:
        n_channels, height, width = image_shape
        super().__init__(
            *_convolution(n_channels, 16, size=5, stride=2),
            nn.ReLU(),
            *_convolution(16, 32, stride=2),
            nn.ReLU(),
            *_convolution(32, 64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * math.ceil(height / 4) * math.ceil(width / 4), 128),
            nn.ReLU(),
            nn.Linear(128, n_classes),
        )


class _ResidualBlock(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(n_in, n_out, stride=stride), nn.ReLU(), *_convolution(n_out, n_out)
        )
        self.stride, self.n_more = stride, n_out - n_in

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.n_more))
        return functional.relu(self.body(x) + shortcut)


class ResNet20(nn.Sequential):
    """The residual network for 32x32 images of He et al. (2016), shortcuts without weights."""

    def __init__(self, image_shape: tuple[int, int, int], n_classes: int) -> None:
        widths = [16] * 3 + [32] * 3 + [64] * 3
        pairs = zip([16, *widths], widths, strict=False)
        blocks = [_ResidualBlock(a, b, 1 if a == b else 2) for a, b in pairs]
        super().__init__(
            *_convolution(image_shape[0], 16),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, n_classes),
        )


NETWORKS: dict[str, Callable[[tuple[int, int, int], int], nn.Module]] = {
    "small CNN": SmallCNN,
    "ResNet-20": ResNet20,
}


class Classifier(nn.Module):
    """A network behind the standardisation of its training rows."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, images: Tensor) -> Tensor:
        """Give logits of images with values 0 to 255."""
        standardised = (images.float() - self.mean) / self.std
        logits: Tensor = self.network(standardised.to(memory_format=torch.channels_last))
        return logits


# --- augmentation ------------------------------------------------------------------------------


class ClassicAugmentation:
    """Random crop with padding, horizontal flip where valid, RandAugment; uint8 in and out."""

    def __init__(self, flips: bool, shift: int) -> None:
        from torchvision.transforms import v2

        self.flips, self.shift = flips, shift
        self._randaugment = v2.RandAugment(
            num_ops=RANDAUGMENT_OPERATIONS, magnitude=RANDAUGMENT_MAGNITUDE
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Augment a batch (n, C, H, W), with random numbers of torch's global state."""
        images = random_crop(images, self.shift)
        if self.flips:
            mirrored = torch.rand(len(images), device=images.device) < 0.5
            images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        return torch.cat([self._randaugment(chunk) for chunk in images.split(RANDAUGMENT_CHUNK)])


def random_crop(images: Tensor, reach: int) -> Tensor:
    """Shift each image by up to `reach` pixels, black coming in."""
    n, _, height, width = images.shape
    padded = functional.pad(images, (reach,) * 4)
    top, left = torch.randint(0, 2 * reach + 1, (2, n, 1), device=images.device)
    rows = torch.arange(height, device=images.device) + top
    columns = torch.arange(width, device=images.device) + left
    every = torch.arange(n, device=images.device)[:, None, None]
    # advanced indices around the channel slice move to the front: (n, H, W, C)
    return padded[every, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def frozen_augmentation(X: Array, flips: bool, shift: int, seed: int) -> Array:
    """Augment rows once, in random groups, so that they can stand in for other fixed rows."""
    with seeded(seed):
        order = torch.randperm(len(X))
        augment = ClassicAugmentation(flips, shift)
        result = torch.empty(X.shape, dtype=torch.uint8)
        for group in order.split(SCORING_BATCH):
            result[group] = augment(torch.from_numpy(X[group.numpy()]))
    augmented: Array = result.numpy()
    return augmented


# --- training ----------------------------------------------------------------------------------


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Seed torch's global state, which torchvision draws from, and put it back at the end."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.random.manual_seed(seed)
        yield


def train_classifier(
    rows: Rows, epoch: Labels, recipe: Recipe, schedule: Schedule, seed: int
) -> Classifier:
    """Train on the rows that `epoch` names, as often as it names them.

    Parameters
    ----------
    rows : Rows
        uint8 images (n, C, H, W) and labels.
    epoch : ndarray of int
        Positions of rows; duplicates of a row are further entries.
    recipe : Recipe
        What is particular to the arm.
    schedule : Schedule
        What all arms share.
    seed : int
        Fixes the result on one machine, device and number of threads.
    """
    with seeded(seed, schedule.device):
        return _train(rows, epoch, recipe, schedule, np.random.default_rng(seed))


def _train(
    rows: Rows, epoch: Labels, recipe: Recipe, schedule: Schedule, rng: np.random.Generator
) -> Classifier:
    X = torch.from_numpy(rows.X).to(schedule.device)
    y = torch.from_numpy(rows.y).to(schedule.device)
    counts = np.bincount(rows.y[epoch], minlength=schedule.n_classes)
    weights = class_weights(counts, recipe.weights).to(schedule.device)
    augment = ClassicAugmentation(schedule.flips, schedule.shift) if recipe.classic else None
    classifier = _build(rows.X, schedule)
    optimizer, peak = _optimizer(classifier, schedule)
    for step, batch in enumerate(_batches(epoch, schedule, rng)):
        optimizer.param_groups[0]["lr"] = peak * one_cycle(step / schedule.n_steps)
        chosen = torch.from_numpy(batch).to(schedule.device)
        images, labels = X[chosen], y[chosen]
        images = augment(images) if augment else images
        is_weighted = recipe.weights == "balanced" or step >= DEFERRED_FROM * schedule.n_steps
        loss = _loss(classifier, images, labels, weights if is_weighted else None, recipe, rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return classifier.eval()


def _build(X: Array, schedule: Schedule) -> Classifier:
    sample = X[:: max(1, len(X) // 10_000)].astype(np.float64)
    mean, std = sample.mean(axis=(0, 2, 3)), sample.std(axis=(0, 2, 3))
    network = NETWORKS[schedule.network](X.shape[1:], schedule.n_classes)
    moments = [torch.tensor(m, dtype=torch.float32)[:, None, None] for m in (mean, std + 1e-6)]
    classifier = Classifier(network, *moments).to(schedule.device).train()
    return classifier.to(memory_format=torch.channels_last)


def _optimizer(classifier: Classifier, schedule: Schedule) -> tuple[torch.optim.Optimizer, float]:
    """Choose what is usual for the network; the rate is the peak of the cycle."""
    if schedule.network == "ResNet-20":
        parameters = classifier.parameters()
        return torch.optim.SGD(
            parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
        ), 0.1
    return torch.optim.AdamW(classifier.parameters(), lr=4e-3, weight_decay=1e-2), 4e-3


def _batches(epoch: Labels, schedule: Schedule, rng: np.random.Generator) -> Iterator[Labels]:
    """Yield the epoch over and over in new orders; batches run on over its ends."""
    queue = np.empty(0, dtype=np.int64)
    for _ in range(schedule.n_steps):
        while len(queue) < schedule.batch_size:
            queue = np.concatenate([queue, rng.permutation(epoch)])
        yield queue[: schedule.batch_size]
        queue = queue[schedule.batch_size :]


def _loss(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    weights: Tensor | None,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Tensor:
    if not recipe.mixup:
        return functional.cross_entropy(classifier(images), labels, weight=weights)
    share = float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    partner = torch.from_numpy(rng.permutation(len(images))).to(images.device)
    images = share * images.float() + (1 - share) * images[partner].float()
    logits = classifier(images)
    own, other = (
        functional.cross_entropy(logits, target, weight=weights)
        for target in (labels, labels[partner])
    )
    return share * own + (1 - share) * other


def class_weights(counts: Labels, kind: str | None) -> Tensor:
    """Weigh the classes by the inverse of their (effective) number of rows; the mean is 1."""
    number = counts.astype(float)
    if kind == "deferred":
        number = 1 - EFFECTIVE_NUMBER_BETA**number
    elif kind is None:
        number = np.ones_like(number)
    weights = 1 / np.maximum(number, 1e-12)
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def one_cycle(progress: float) -> float:
    """Warm up over a fifth of the steps, then anneal to nothing along a cosine."""
    if progress < 0.2:
        return 0.04 + 0.96 * progress / 0.2
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.2) / 0.8))


@torch.inference_mode()
def predict(classifier: Classifier, X: Array) -> Labels:
    """Predict class codes."""
    device = classifier.mean.device
    parts = [
        classifier(torch.from_numpy(X[start : start + SCORING_BATCH]).to(device)).argmax(1).cpu()
        for start in range(0, len(X), SCORING_BATCH)
    ]
    labels: Labels = torch.cat(parts).numpy()
    return labels


def digest(classifier: Classifier) -> str:
    """Hash the weights: equal only for byte-equal models."""
    sha = hashlib.sha256()
    for name, tensor in sorted(classifier.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
