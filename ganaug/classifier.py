"""A small classifier trained on the real samples: feature extractor, filter and scorer.

Measures such as the Frechet distance need features in which distances mean something. Here they
come from a classifier trained on the very samples the generator was trained on, so nothing is
downloaded and nothing was learnt from pictures of another world. The network is deliberately
small: it trains in seconds on a CPU.

Everything random draws from a generator of its own; global random state is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganaug.devices import available_device
from ganaug.exceptions import InvalidInputError
from ganaug.settings import own_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

Augmentation = Callable[[Tensor, torch.Generator], Tensor]

_BATCH, _PEAK_RATE = 128, 3e-3
"""Samples per step, and the peak of the one-cycle cosine schedule (AdamW)."""
_SCORING_BATCH = 128
"""Rows per forward pass when scoring. Fixed, because results differ in the last bits with it."""


@dataclass(frozen=True)
class ClassifierConfig:
    """What it takes, beside the weights, to rebuild a `RealClassifier`.

    `kind`, one of {"image", "table"}: images go through a small convolutional network, tables
    through two dense layers. `input_shape`: shape of one sample: (C, H, W) for images, (d,) for
    tables. `n_classes`: number of class codes, 0 to ``n_classes - 1``. `n_features`: length of the
    feature vectors (the last layer before the class scores). `width`: channels of the first
    convolution; later ones have up to four times as many.
    """

    kind: Literal["image", "table"]
    input_shape: tuple[int, ...]
    n_classes: int
    n_features: int = 64
    width: int = 16

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as plain JSON types."""
        return {**asdict(self), "input_shape": list(self.input_shape)}


class _Network(nn.Module):
    """Standardise, embed, classify. `embed` gives the features, calling it gives the logits."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        per_column = (1, -1, 1, 1) if config.kind == "image" else (1, -1)
        self.register_buffer("mean", torch.zeros(config.input_shape[0]).view(per_column))
        self.register_buffer("std", torch.ones(config.input_shape[0]).view(per_column))
        body = _image_body(config) if config.kind == "image" else _table_body(config)
        self.body = nn.Sequential(*body, nn.BatchNorm1d(config.n_features))
        self.head = nn.Linear(config.n_features, config.n_classes)

    def embed(self, samples: Tensor) -> Tensor:
        features: Tensor = self.body((samples - self.mean) / self.std)
        return features

    def forward(self, samples: Tensor) -> Tensor:
        logits: Tensor = self.head(functional.relu(self.embed(samples)))
        return logits


def _image_body(config: ClassifierConfig) -> list[nn.Module]:
    """Halve the picture until its longer side is at most 8, then two more convolutions."""
    channels, height, width = config.input_shape
    n_halvings = max(0, math.ceil(math.log2(max(height, width) / 8)))
    sizes = [(config.width, 2), *[(2 * config.width, 2)] * (n_halvings - 1)][:n_halvings]
    layers: list[nn.Module] = []
    for n_out, stride in (*sizes, (2 * config.width, 1), (4 * config.width, 1)):
        layers += _convolution(channels, n_out, stride=stride)
        channels = n_out
    # Four quadrants instead of one mean: where a thing is belongs to what it is.
    pooled = [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return [*layers, *pooled, nn.Linear(4 * channels, config.n_features, bias=False)]


def _convolution(n_in: int, n_out: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    ]


def _table_body(config: ClassifierConfig) -> list[nn.Module]:
    hidden = 2 * config.n_features
    return [
        nn.Linear(config.input_shape[0], hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, config.n_features, bias=False),
    ]


def _outline(config: ClassifierConfig) -> _Network:
    with torch.device("meta"):
        return _Network(config)


def _build_network(config: ClassifierConfig, generator: torch.Generator) -> _Network:
    """Build on the meta device, so that no layer draws from the global random state."""
    network = _outline(config)
    network.to_empty(device="cpu")
    network.mean.zero_()
    network.std.fill_(1.0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()  # constants only: ones, zeros
    return network


class RealClassifier:
    """A classifier of the real samples, and the features it sees them by.

    Made by `fit_classifier`, or from saved parts by `from_state`.

    `config`: input shape, number of classes and sizes; JSON-able with ``config.to_json()``.
    """

    def __init__(self, config: ClassifierConfig, network: _Network, device: torch.device) -> None:
        self.config = config
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self._device = device

    def predict_proba(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return class probabilities, as for equally frequent classes.

        Training batches are balanced over classes, so the probabilities leave out how frequent
        each class was in training.

        `values`: uint8 (n, C, H, W) in 0 to 255, or float32 (n, d): as in training. Returns:
        float32 (n, n_classes); rows sum to 1.
        """
        return self._score(values, self._probabilities, self.config.n_classes)

    def features(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return feature vectors: the batch-normalised layer before the class scores.

        `values`: uint8 (n, C, H, W) in 0 to 255, or float32 (n, d): as in training. Returns:
        float32 (n, n_features).
        """
        return self._score(values, self.network.embed, self.config.n_features)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights as contiguous CPU tensors, ready for safetensors."""
        state = self.network.state_dict()
        return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}

    @classmethod
    def from_state(
        cls,
        config: ClassifierConfig,
        state: Mapping[str, Tensor],
        *,
        device: str | torch.device = "cpu",
    ) -> RealClassifier:
        """Rebuild a classifier from its `config` and `state_dict()`."""
        network = _build_network(config, torch.Generator().manual_seed(0))
        network.load_state_dict(dict(state))
        return cls(config, network, torch.device(device))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the weights as they are on the CPU: the device may not be there elsewhere."""
        return _rebuilt, (self.config, self.state_dict(), str(self._device))

    @staticmethod
    def outline(config: ClassifierConfig) -> dict[str, Tensor]:
        """Give the `state_dict` of a configuration without values: nothing is allocated."""
        return _outline(config).state_dict()

    def _probabilities(self, samples: Tensor) -> Tensor:
        return functional.softmax(self.network(samples), dim=1)

    @own_settings()
    @torch.inference_mode()
    def _score(
        self, values: NDArray[Any], score: Callable[[Tensor], Tensor], n_columns: int
    ) -> NDArray[np.float32]:
        """Apply `score` in batches of a fixed size."""
        _check_values(values, self.config)
        result = np.empty((len(values), n_columns), dtype=np.float32)
        for start in range(0, len(values), _SCORING_BATCH):
            samples = torch.tensor(values[start : start + _SCORING_BATCH], device=self._device)
            result[start : start + _SCORING_BATCH] = score(samples.float()).cpu().numpy()
        return result


def _rebuilt(config: ClassifierConfig, state: Mapping[str, Tensor], device: str) -> RealClassifier:
    return RealClassifier.from_state(config, state, device=available_device(device))


def random_shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to a sixteenth of its size (at least 1 pixel), repeating edges."""
    n, _, height, width = images.shape
    index = []
    for size in (height, width):
        reach = max(1, size // 16)
        shift = torch.randint(-reach, reach + 1, (n, 1), generator=generator)
        index.append((torch.arange(size) + shift).clamp_(0, size - 1))
    rows, columns = index
    # Advanced indices around the channel slice move to the front: (n, H, W, C).
    shifted = images[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2)


@own_settings()
def fit_classifier(
    values: NDArray[Any],
    labels: NDArray[np.int64],
    n_classes: int,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    max_steps: int | None = None,
    balanced: bool = True,
    augmentation: Augmentation | None = random_shift,
) -> RealClassifier:
    """Train a small classifier on the real samples.

    Every batch holds the classes that have samples in equal shares, so that rare classes are learnt
    too. Images are augmented while training, but not flipped, since in many image sets (digits,
    letters, medical views) a mirror image is another thing.

    - `values`: uint8 (n, C, H, W) with values 0 to 255, or float32 (n, d).
    - `labels`: class codes int64 (n,), 0 to ``n_classes - 1``. A class may have no samples.
    - `n_classes`: number of classes.
    - `seed`: fixes the result on one machine, device and number of threads.
    - `device`: where to train.
    - `max_steps`: training steps; by default enough for 20 passes, between 150 and 400.
    - `balanced`: draw the classes equally often; False draws the samples equally often.
    - `augmentation`: (uint8 images (n, C, H, W), torch.Generator) -> images of the same shape,
      applied to every batch; None leaves them as they are. `ganaug.warping.AFFINE` turns, too.
      Tables are not augmented.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from ganaug.classifier import fit_classifier
    >>> images, labels = load_digits(return_X_y=True)
    >>> values = (images * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    >>> classifier = fit_classifier(values, labels, 10, seed=0, max_steps=20)
    >>> classifier.features(values).shape
    (1797, 64)
    """
    kind: Literal["image", "table"] = "image" if values.ndim == 4 else "table"
    config = ClassifierConfig(kind, tuple(values.shape[1:]), n_classes)
    generator = torch.Generator().manual_seed(seed)
    network = _build_network(config, generator)
    network.mean, network.std = (
        torch.tensor(moment).view_as(network.mean) for moment in _column_moments(values)
    )
    if max_steps is None:  # about 20 passes, so that small sets cost little
        max_steps = int(np.clip(20 * len(values) / _BATCH, 150, 400))
    strata = labels if balanced else np.zeros_like(labels)
    batches = _balanced_batches(strata, max_steps, _BATCH, np.random.default_rng(seed % 2**64))
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=1e-2)
    for step, index in enumerate(batches):
        optimizer.param_groups[0]["lr"] = _PEAK_RATE * _one_cycle(step / max_steps)
        samples = torch.from_numpy(values[index])
        if kind == "image" and augmentation is not None:
            samples = augmentation(samples, generator)
        targets = torch.from_numpy(labels[index]).to(device)
        loss = functional.cross_entropy(network(samples.to(device).float()), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return RealClassifier(config, network, torch.device(device))


def _balanced_batches(
    labels: NDArray[np.int64], n_batches: int, batch_size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield sample indices, each class equally often, its samples in a new order on every round."""
    present = np.unique(labels)
    rows_of = [np.flatnonzero(labels == code) for code in present]
    queues: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64) for _ in present]
    for _ in range(n_batches):
        counts = np.bincount(rng.permutation(batch_size) % len(present), minlength=len(present))
        order = rng.permutation(len(present))
        batch = []
        for position, count in zip(order, counts, strict=True):
            while len(queues[position]) < count:
                queues[position] = np.r_[queues[position], rng.permutation(rows_of[position])]
            batch.append(queues[position][:count])
            queues[position] = queues[position][count:]
        yield np.concatenate(batch)


def _one_cycle(progress: float) -> float:
    """Warm up over a tenth of the steps, then anneal to nothing along a cosine."""
    return min(progress / 0.1, 1.0) * 0.5 * (1 + math.cos(math.pi * progress)) + 1e-3


def _column_moments(values: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation per channel or column, over at most 10,000 spread-out samples."""
    sample = values[:: max(1, len(values) // 10_000)]
    axes = (0, 2, 3) if values.ndim == 4 else (0,)
    n = sample[:, 0].size if values.ndim == 4 else len(sample)
    # a few samples at a time: in float64, all of them would be eight times the images
    blocks = [sample[i : i + _SCORING_BATCH] for i in range(0, len(sample), _SCORING_BATCH)]
    mean = sum(block.sum(axis=axes, dtype=np.float64) for block in blocks) / n
    centre = mean.reshape(-1, 1, 1) if values.ndim == 4 else mean
    std = np.sqrt(sum(np.square(block - centre).sum(axis=axes) for block in blocks) / n)
    return mean.astype(np.float32), np.where(std > 1e-12 * np.abs(mean), std, 1.0).astype(
        np.float32
    )


def _check_values(values: NDArray[Any], config: ClassifierConfig) -> None:
    dtype = np.uint8 if config.kind == "image" else np.float32
    if tuple(values.shape[1:]) != config.input_shape or values.dtype != dtype:
        shape = ", ".join(("n", *map(str, config.input_shape)))
        raise InvalidInputError(
            f"`values` must be a {np.dtype(dtype)} array of shape ({shape}). "
            f"Got {values.dtype} {values.shape} instead."
        )
