"""Conditional generators and discriminators.

All generators map (z, labels, generator) to samples in [-1, 1] (images) or standardised units
(feature rows); all discriminators map (samples, labels) to one logit each. `build_generator` and
`build_discriminator` choose by the config.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganaug.gan.config import EMBEDDING_DIM, GANConfig
from ganaug.gan.layers import (
    LEAKY_SLOPE,
    ConditionalBatchNorm2d,
    FusedUpsampleConv2d,
    SNConv2d,
    SNConv2dWithDeviation,
    SNEmbedding,
    SNLinear,
    UnitEmbedding,
    convolve,
    initialise,
    minibatch_deviation,
)

MAX_WIDTH_FACTOR = 8  # the deepest feature maps have at most this times `width` channels
SMALLEST_SIDE = 7  # feature maps are halved while they are larger than this


class Generator(nn.Module):
    """Base of all generators: draws what the forward pass needs."""

    latent_dim: int

    def draw_latents(self, n: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Standard normal noise (n, latent_dim); drawn where the generator lives, then moved."""
        noise = torch.randn((n, self.latent_dim), generator=generator, device=generator.device)
        return noise.to(device, non_blocking=True)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise (n, latent_dim) and labels (n,) to samples."""
        raise NotImplementedError


class Discriminator(nn.Module):
    """Base of all discriminators."""

    scores_pairs_at_once = True
    """Whether real and fake samples may share one pass (not with batch norm, which would mix
    their statistics)."""

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map samples and labels (n,) to logits (n,)."""
        raise NotImplementedError

    def responses(self, samples: Tensor) -> list[Tensor]:
        """Give each layer's response, (n, C, H, W) or (n, d), to samples whose label is not known.

        That of a sample does not depend on the others: their deviation is left out.
        """
        raise NotImplementedError


# --- layout ----------------------------------------------------------------------------------


def halvings(side: int) -> int:
    """How often a side is halved before the feature map is small enough."""
    n = 0
    while math.ceil(side / 2**n) > SMALLEST_SIDE:
        n += 1
    return n


def stage_scales(height: int, width: int) -> list[tuple[int, int]]:
    """Scale factors of the generator's stages, from the smallest map to the full image.

    Each side is doubled as often as it needs; a shorter side joins in the last stages, where
    the doubling is most useful.
    """
    n_height, n_width = halvings(height), halvings(width)
    n_stages = max(n_height, n_width)
    return [
        (2 if stage >= n_stages - n_height else 1, 2 if stage >= n_stages - n_width else 1)
        for stage in range(n_stages)
    ]


def stage_channels(width: int, n_stages: int) -> list[int]:
    """Channels of the feature maps below full resolution, the smallest map first.

    `width` at half resolution, doubled at each further halving up to `MAX_WIDTH_FACTOR` times.
    """
    return [width * min(MAX_WIDTH_FACTOR, 2**i) for i in reversed(range(n_stages))]


def base_size(height: int, width: int) -> tuple[int, int]:
    """Size of the generator's first feature map; its output is cropped to the image."""
    return math.ceil(height / 2 ** halvings(height)), math.ceil(width / 2 ** halvings(width))


# --- default recipe --------------------------------------------------------------------------


class ImageGenerator(Generator):
    """Resize-convolution generator with a class-shared first stage.

    The first feature map depends on z alone, so what classes have in common is learnt from all of
    them; the class enters through the conditional batch norm of the later stages, together with
    z, which carries the same variation (slant, size, thickness) into every class.
    """

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.image_shape is not None
        channels, self.height, self.width = config.image_shape
        scales = stage_scales(self.height, self.width)
        full_resolution_width = max(8, config.width // 4)
        widths = [*stage_channels(config.width, len(scales)), full_resolution_width]
        self.latent_dim = config.latent_dim + EMBEDDING_DIM
        self.z_dim = config.latent_dim
        self.base = (widths[0], *base_size(self.height, self.width))
        condition_dim = EMBEDDING_DIM + config.latent_dim

        self.embedding = UnitEmbedding(config.n_classes, EMBEDDING_DIM)
        self.stem = nn.Linear(config.latent_dim, math.prod(self.base), bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.mix = nn.Conv2d(widths[0], widths[0], 3, padding=1, bias=False)
        self.mix_norm = ConditionalBatchNorm2d(widths[0], condition_dim)
        self.stages = nn.ModuleList(
            FusedUpsampleConv2d(widths[i], widths[i + 1], scale) for i, scale in enumerate(scales)
        )
        self.norms = nn.ModuleList(
            ConditionalBatchNorm2d(width, condition_dim) for width in widths[1:]
        )
        self.to_image = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise and labels to images (n, C, H, W) in [-1, 1]."""
        z = z[:, : self.z_dim]
        condition = torch.cat([self.embedding(labels), z], dim=1)
        x = F.relu(self.stem_norm(self.stem(z).unflatten(1, self.base)), inplace=True)
        x = F.relu(self.mix_norm(self.mix(x), condition), inplace=True)
        for stage, norm in zip(self.stages, self.norms, strict=True):
            x = F.relu(norm(stage(x), condition), inplace=True)
        image = torch.tanh(self.to_image(x))
        top, left = (image.shape[2] - self.height) // 2, (image.shape[3] - self.width) // 2
        return image[:, :, top : top + self.height, left : left + self.width]


class ImageDiscriminator(Discriminator):
    """Projection discriminator (Miyato & Koyama, 2018) with spectral norm."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.image_shape is not None
        channels, height, width = config.image_shape
        scales = stage_scales(height, width)[::-1]
        widths = stage_channels(config.width, len(scales))[::-1]
        n_in = [channels, *widths[:-1]]
        self.stages = nn.ModuleList()
        for stage, scale in enumerate(scales):
            kernel = (4 if scale[0] == 2 else 3, 4 if scale[1] == 2 else 3)
            self.stages.append(SNConv2d(n_in[stage], widths[stage], kernel, scale))
            height = (height + 2 - kernel[0]) // scale[0] + 1
            width = (width + 2 - kernel[1]) // scale[1] + 1
        self.last = SNConv2dWithDeviation(widths[-1])
        self.features = SNLinear(widths[-1] * height * width, widths[-1])
        self.score = SNLinear(widths[-1], 1)
        self.embedding = SNEmbedding((config.n_classes, widths[-1]))

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map images (n, C, H, W) in [-1, 1] to logits (n,)."""
        x = samples
        for stage in self.stages:
            x = stage(x)
        x = self.last(x)
        x = F.leaky_relu(self.features(x.flatten(1)), LEAKY_SLOPE, inplace=True)
        projection = (self.embedding(labels) * x).sum(dim=1)
        logits: Tensor = self.score(x).squeeze(1) + projection
        return logits.float()

    def responses(self, samples: Tensor) -> list[Tensor]:
        """Give the feature maps of all stages."""
        maps = [samples]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return [*maps[1:], self.last.without_deviation(maps[-1])]


# --- classic recipe --------------------------------------------------------------------------


class ClassicGenerator(Generator):
    """DCGAN generator (Radford et al., 2015), the one-hot label beside z."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.image_shape is not None
        channels, self.height, self.width = config.image_shape
        scales = stage_scales(self.height, self.width)
        widths = stage_channels(config.width, len(scales))
        self.latent_dim = config.latent_dim
        self.n_classes = config.n_classes
        self.base = (widths[0], *base_size(self.height, self.width))
        self.stem = nn.Linear(
            config.latent_dim + config.n_classes, math.prod(self.base), bias=False
        )
        self.stem_norm = nn.BatchNorm2d(self.base[0])
        n_channels = [*widths, channels]
        self.stages = nn.ModuleList(
            nn.ConvTranspose2d(
                n_channels[i],
                n_channels[i + 1],
                kernel_size=(4 if scale[0] == 2 else 3, 4 if scale[1] == 2 else 3),
                stride=scale,
                padding=1,
                bias=i == len(scales) - 1,
            )
            for i, scale in enumerate(scales)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in n_channels[1:-1])

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise and labels to images (n, C, H, W) in [-1, 1]."""
        one_hot = F.one_hot(labels, self.n_classes).to(z.dtype)
        x = self.stem(torch.cat([z, one_hot], dim=1)).unflatten(1, self.base)
        x = F.relu(self.stem_norm(x), inplace=True)
        for stage, norm in zip(self.stages, self.norms, strict=False):
            x = F.relu(norm(stage(x)), inplace=True)
        image = torch.tanh(self.stages[-1](x))
        top, left = (image.shape[2] - self.height) // 2, (image.shape[3] - self.width) // 2
        return image[:, :, top : top + self.height, left : left + self.width]


class ClassicDiscriminator(Discriminator):
    """DCGAN discriminator (Radford et al., 2015), the one-hot label as constant channels."""

    scores_pairs_at_once = False

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.image_shape is not None
        channels, height, width = config.image_shape
        scales = stage_scales(height, width)[::-1]
        widths = stage_channels(config.width, len(scales))[::-1]
        self.n_classes = config.n_classes
        self.stages = nn.ModuleList()
        self.norms = nn.ModuleList()
        n_in = channels + config.n_classes
        for stage, scale in enumerate(scales):
            kernel = (4 if scale[0] == 2 else 3, 4 if scale[1] == 2 else 3)
            self.stages.append(
                nn.Conv2d(n_in, widths[stage], kernel, scale, padding=1, bias=stage == 0)
            )
            if stage > 0:  # DCGAN leaves the discriminator's first layer without batch norm
                self.norms.append(nn.BatchNorm2d(widths[stage]))
            n_in = widths[stage]
            height = (height + 2 - kernel[0]) // scale[0] + 1
            width = (width + 2 - kernel[1]) // scale[1] + 1
        self.score = nn.Linear(n_in * height * width, 1)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map images (n, C, H, W) in [-1, 1] to logits (n,)."""
        x = F.leaky_relu(self._first_stage(samples, labels), LEAKY_SLOPE, inplace=True)
        for stage, norm in zip(list(self.stages)[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(stage(x)), LEAKY_SLOPE, inplace=True)
        logits: Tensor = self.score(x.flatten(1)).squeeze(1)
        return logits.float()

    def responses(self, samples: Tensor) -> list[Tensor]:
        """Give the feature maps of all stages; the label's channels are 0."""
        stage, n_channels = self.stages[0], samples.shape[1]
        assert isinstance(stage, nn.Conv2d)
        first = F.conv2d(samples, stage.weight[:, :n_channels], stage.bias, stage.stride, padding=1)
        maps = [F.leaky_relu(first, LEAKY_SLOPE)]
        for stage, norm in zip(list(self.stages)[1:], self.norms, strict=True):
            maps.append(F.leaky_relu(norm(stage(maps[-1])), LEAKY_SLOPE))
        return maps

    def _first_stage(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Convolve the image and its one-hot label channels, without writing these out.

        Of the label channels of an image one is 1 everywhere, the others are 0: what the
        convolution makes of them is one map per class.
        """
        stage, n_channels = self.stages[0], samples.shape[1]
        assert isinstance(stage, nn.Conv2d)
        of_samples, of_labels = stage.weight[:, :n_channels], stage.weight[:, n_channels:]
        kernels = of_labels.transpose(0, 1).reshape(-1, 1, *of_labels.shape[2:])
        constant = samples.new_ones((1, 1, *samples.shape[2:]))
        maps = F.conv2d(constant, kernels, stride=stage.stride, padding=1)
        maps = maps.view(self.n_classes, len(stage.weight), *maps.shape[2:])
        of_images = convolve(samples, of_samples, stage.bias, (stage.stride[0], stage.stride[1]))
        return of_images + maps[labels].contiguous(memory_format=_memory_format(of_images))


def _memory_format(x: Tensor) -> torch.memory_format:
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


# --- feature rows ----------------------------------------------------------------------------


class TableGenerator(Generator):
    """Small network for plain feature rows, conditioned by its class embedding."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.n_features is not None
        hidden = 4 * config.width
        self.latent_dim = config.latent_dim + EMBEDDING_DIM
        self.z_dim = config.latent_dim
        self.embedding = UnitEmbedding(config.n_classes, EMBEDDING_DIM)
        self.first = nn.Linear(self.latent_dim, hidden)
        self.second = nn.Linear(hidden + EMBEDDING_DIM, hidden)
        self.to_row = nn.Linear(hidden + EMBEDDING_DIM, config.n_features)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise and labels to standardised samples (n, n_features)."""
        z = z[:, : self.z_dim]
        condition = self.embedding(labels)
        x = F.relu(self.first(torch.cat([z, condition], dim=1)), inplace=True)
        x = F.relu(self.second(torch.cat([x, condition], dim=1)), inplace=True)
        sample: Tensor = self.to_row(torch.cat([x, condition], dim=1))
        return sample


class TableDiscriminator(Discriminator):
    """Projection discriminator for feature rows, with minibatch deviation."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.n_features is not None
        hidden = 4 * config.width
        self.first = SNLinear(config.n_features, hidden)
        self.second = SNLinear(hidden + 1, hidden)
        self.score = SNLinear(hidden, 1)
        self.embedding = SNEmbedding((config.n_classes, hidden))

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map standardised samples (n, n_features) to logits (n,)."""
        x = F.leaky_relu(self.first(samples), LEAKY_SLOPE, inplace=True)
        x = torch.cat([x, minibatch_deviation(x)[:, None]], dim=1)
        x = F.leaky_relu(self.second(x), LEAKY_SLOPE, inplace=True)
        projection = (self.embedding(labels) * x).sum(dim=1)
        logits: Tensor = self.score(x).squeeze(1) + projection
        return logits.float()

    def responses(self, samples: Tensor) -> list[Tensor]:
        """Give the response of both hidden layers."""
        first = F.leaky_relu(self.first(samples), LEAKY_SLOPE)
        weight = self.second.normalised()[:, :-1]
        return [first, F.leaky_relu(F.linear(first, weight, self.second.bias), LEAKY_SLOPE)]


# --- building --------------------------------------------------------------------------------


def _kinds(config: GANConfig) -> tuple[type[Generator], type[Discriminator]]:
    if not config.is_image:
        return TableGenerator, TableDiscriminator
    if config.recipe == "classic":
        return ClassicGenerator, ClassicDiscriminator
    return ImageGenerator, ImageDiscriminator


def outline_generator(config: GANConfig) -> Generator:
    """Build the config's generator without values, on the meta device: nothing is allocated."""
    with torch.device("meta"):
        return _kinds(config)[0](config)


def outline_discriminator(config: GANConfig) -> Discriminator:
    """Build the config's discriminator without values, on the meta device."""
    with torch.device("meta"):
        return _kinds(config)[1](config)


def build_generator(
    config: GANConfig, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Generator:
    """Build the config's generator, initialised from `generator`."""
    network = outline_generator(config)
    return initialise(network, generator, device, classic=config.recipe == "classic")


def build_discriminator(
    config: GANConfig, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Discriminator:
    """Build the config's discriminator, initialised from `generator`."""
    network = outline_discriminator(config)
    return initialise(network, generator, device, classic=config.recipe == "classic")
