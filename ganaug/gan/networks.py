"""Conditional generators and discriminators.

All generators map (z, labels, generator) to rows in [-1, 1] (images) or standardised units
(feature rows); all discriminators map (rows, labels) to one logit each. `build_generator` and
`build_discriminator` choose by the config.

Modules are built without values and then initialised from an explicit generator, because the
constructors of `torch.nn` layers would draw from torch's global random state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ganaug.gan.config import GROUP_SIZE, GANConfig

LEAKY_SLOPE = 0.2
MAX_WIDTH_FACTOR = 8  # the deepest feature maps have at most this times `width` channels
MAX_PATCH_CHANNELS = 2  # see `convolve`
SMALLEST_SIDE = 7  # feature maps are halved while they are larger than this


class Generator(nn.Module):
    """Base of all generators: draws what the forward pass needs."""

    latent_dim: int

    def draw_latents(self, n: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Standard normal noise (n, latent_dim); drawn where the generator lives, then moved."""
        noise = torch.randn((n, self.latent_dim), generator=generator, device=generator.device)
        return noise.to(device, non_blocking=True)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise (n, latent_dim) and labels (n,) to rows."""
        raise NotImplementedError


class Discriminator(nn.Module):
    """Base of all discriminators."""

    scores_pairs_at_once = True
    """Whether real and fake rows may share one pass (not with batch norm, which would mix
    their statistics)."""

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Map rows and labels (n,) to logits (n,)."""
        raise NotImplementedError


# --- building blocks -------------------------------------------------------------------------


class SpectralNormWeight(nn.Module):
    """A weight divided by its largest singular value (Miyato et al., 2018).

    One power iteration per training-mode call, started from an explicitly seeded vector.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(*shape))
        self.register_buffer("u", torch.empty(shape[0]))
        self.u: Tensor

    def normalised(self) -> Tensor:
        """Return the normalised weight."""
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(matrix.t() @ self.u, dim=0, eps=1e-6)
            u = F.normalize(matrix @ v, dim=0, eps=1e-6)
            if self.training:
                self.u.copy_(u)
        return self.weight / torch.dot(u, matrix @ v).clamp_min(1e-6)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    *,
    padding: int = 1,
    slope: float = 1.0,
) -> Tensor:
    """Convolve, then apply a leaky ReLU; on a CPU, from few channels, as a product over patches.

    Both backward passes of oneDNN's convolution from one channel cost as much as those from
    thirty; the patches of so few channels are small. The leaky ReLU is done in place, here, before
    the result is viewed as maps: behind a view the backward pass copies whole gradients.
    """
    if x.device.type != "cpu" or x.shape[1] > MAX_PATCH_CHANNELS:
        maps = F.conv2d(x, weight, bias, stride=stride, padding=padding)
        return F.leaky_relu(maps, slope, inplace=True) if slope < 1 else maps
    height, width = (
        (side + 2 * padding - kernel) // step + 1
        for side, kernel, step in zip(x.shape[2:], weight.shape[2:], stride, strict=True)
    )
    patches = F.unfold(x, weight.shape[2:], padding=padding, stride=stride).transpose(1, 2)
    out = F.linear(patches.reshape(-1, patches.shape[2]), weight.flatten(1), bias)
    out = F.leaky_relu(out, slope, inplace=True) if slope < 1 else out
    return out.view(len(x), height, width, len(weight)).permute(0, 3, 1, 2)  # channels_last


class SNConv2d(SpectralNormWeight):
    """Convolution with spectral norm, and a leaky ReLU behind it."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        super().__init__((out_channels, in_channels, *kernel))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with padding 1, and activate."""
        return convolve(x, self.normalised(), self.bias, self.stride, slope=LEAKY_SLOPE)


class SNConv2dWithDeviation(SNConv2d):
    """The same of feature maps and of their minibatch deviation.

    The deviation is one further input channel, constant in each image. What the convolution makes
    of a constant channel is one map, times the constant: neither is the channel written out, nor
    does its odd number slow the convolution of the others down.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__(n_channels + 1, n_channels, (3, 3), (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (n, C, H, W) and its deviation with padding 1, and activate."""
        weight = self.normalised()
        of_rows, of_deviation = weight[:, :-1], weight[:, -1:]
        constant = x.new_ones((1, 1, *x.shape[2:]))
        response = F.conv2d(constant, of_deviation, padding=1)
        out = F.conv2d(x, of_rows, self.bias, padding=1)
        out = out + minibatch_deviation(x)[:, None, None, None] * response
        return F.leaky_relu(out, LEAKY_SLOPE, inplace=True)


class SNLinear(SpectralNormWeight):
    """Linear layer with spectral norm."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__((out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the normalised weight."""
        return F.linear(x, self.normalised(), self.bias)


class SNEmbedding(SpectralNormWeight):
    """Class embedding with spectral norm."""

    def forward(self, labels: Tensor) -> Tensor:
        """Look the labels up."""
        return F.embedding(labels, self.normalised())


class FusedUpsampleConv2d(nn.Module):
    """Nearest-neighbour upsampling and a 3x3 convolution, in one transposed convolution.

    Upsampling by 2 is a transposed convolution with a box of ones, so the two compose into one
    4x4 transposed kernel: the 3x3 kernel spread by the box. The result equals
    ``conv3x3(upsample(x))`` (no checkerboard: every kernel is a smoothed one) with 4/9 of the
    multiplications; the trick is StyleGAN's `fused_scale` (Karras et al., 2019).
    """

    def __init__(self, in_channels: int, out_channels: int, scale: tuple[int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, 3, 3))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Upsample by `scale` and convolve."""
        weight = self.weight.flip(2, 3)  # transposed convolution slides the kernel mirrored
        for axis, factor in ((2, self.scale[0]), (3, self.scale[1])):
            if factor == 2:
                pad = (0, 0, 0, 1) if axis == 2 else (0, 1)
                pad_front = (0, 0, 1, 0) if axis == 2 else (1, 0)
                weight = F.pad(weight, pad) + F.pad(weight, pad_front)
        return F.conv_transpose2d(x, weight, stride=self.scale, padding=1)


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose gain and bias are linear in a condition vector (de Vries et al., 2017)."""

    def __init__(self, n_channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(n_channels, affine=False)
        self.gain_bias = nn.Linear(condition_dim, 2 * n_channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalise x (n, C, H, W), then scale and shift by condition (n, condition_dim)."""
        gain, bias = self.gain_bias(condition)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, self.norm(x), 1.0 + gain)


class NoisyEmbedding(nn.Module):
    """Unit-length class embedding, blurred the more the rarer the class.

    The noise is the tail of the latent vector, so that everything random is drawn in one place.
    """

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.n_classes, config.embedding_dim))
        # not saved with the weights: a model may be warm-started on data of other class counts
        self.register_buffer("sigmas", torch.empty(config.n_classes), persistent=False)
        self.sigmas: Tensor
        self.values_of_sigmas = config.embedding_sigmas

    def forward(self, labels: Tensor, noise: Tensor) -> Tensor:
        """Embed labels (n,) with noise (n, embedding_dim)."""
        embedded = F.normalize(F.embedding(labels, self.weight), dim=1)
        scale = self.sigmas[labels, None] / math.sqrt(noise.shape[1])
        return embedded + scale * noise


class _GroupDeviation(torch.autograd.Function):
    """Mean over the last axis of the standard deviation over the middle one.

    Its gradient is one product, of which automatic differentiation makes ten passes over x.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Map x (groups, size, m) to deviations (groups,)."""
        centred = x - x.mean(dim=1, keepdim=True)
        # spelled out: Tensor.var over a strided axis is several times slower on a CPU
        deviation = centred.square().mean(dim=1, keepdim=True).add_(1e-8).sqrt_()
        ctx.save_for_backward(centred, deviation)
        return deviation.mean(dim=(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Spread the gradient over the rows; that of the mean is zero."""
        centred, deviation = ctx.saved_tensors
        n = centred.shape[1] * centred.shape[2]
        result: Tensor = centred * (gradient.view(-1, 1, 1) / (n * deviation))
        return result


def minibatch_deviation(x: Tensor, group_size: int = GROUP_SIZE) -> Tensor:
    """Mean deviation within groups of neighbouring rows, (n,).

    After Karras et al. (2018), but over groups of the *same* label (batches are laid out so), so
    that it tells how varied a class is, not how many classes are in the batch. A batch that is no
    multiple of the group size is one group of its own.
    """
    n = len(x)
    group = group_size if n % group_size == 0 else n
    if x.is_contiguous(memory_format=torch.channels_last):
        x = x.permute(0, 2, 3, 1)  # flattened below without a copy; the order does not matter
    deviation: Tensor = _GroupDeviation.apply(x.float().reshape(n // group, group, -1))
    return deviation.repeat_interleave(group).to(x.dtype)


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
        self.latent_dim = config.latent_dim + config.embedding_dim
        self.z_dim = config.latent_dim
        self.base = (widths[0], *base_size(self.height, self.width))
        condition_dim = config.embedding_dim + config.latent_dim

        self.embedding = NoisyEmbedding(config)
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
        z, embedding_noise = z[:, : self.z_dim], z[:, self.z_dim :]
        condition = torch.cat([self.embedding(labels, embedding_noise), z], dim=1)
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

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Map images (n, C, H, W) in [-1, 1] to logits (n,)."""
        x = rows
        for stage in self.stages:
            x = stage(x)
        x = self.last(x)
        x = F.leaky_relu(self.features(x.flatten(1)), LEAKY_SLOPE, inplace=True)
        projection = (self.embedding(labels) * x).sum(dim=1)
        logits: Tensor = self.score(x).squeeze(1) + projection
        return logits.float()


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

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Map images (n, C, H, W) in [-1, 1] to logits (n,)."""
        x = F.leaky_relu(self._first_stage(rows, labels), LEAKY_SLOPE, inplace=True)
        for stage, norm in zip(list(self.stages)[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(stage(x)), LEAKY_SLOPE, inplace=True)
        logits: Tensor = self.score(x.flatten(1)).squeeze(1)
        return logits.float()

    def _first_stage(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Convolve the image and its one-hot label channels, without writing these out.

        Of the label channels of an image one is 1 everywhere, the others are 0: what the
        convolution makes of them is one map per class.
        """
        stage, n_channels = self.stages[0], rows.shape[1]
        assert isinstance(stage, nn.Conv2d)
        of_rows, of_labels = stage.weight[:, :n_channels], stage.weight[:, n_channels:]
        kernels = of_labels.transpose(0, 1).reshape(-1, 1, *of_labels.shape[2:])
        constant = rows.new_ones((1, 1, *rows.shape[2:]))
        maps = F.conv2d(constant, kernels, stride=stage.stride, padding=1)
        maps = maps.view(self.n_classes, len(stage.weight), *maps.shape[2:])
        of_images = convolve(rows, of_rows, stage.bias, (stage.stride[0], stage.stride[1]))
        return of_images + maps[labels].contiguous(memory_format=_memory_format(of_images))


def _memory_format(x: Tensor) -> torch.memory_format:
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


# --- feature rows ----------------------------------------------------------------------------


class TableGenerator(Generator):
    """Small network for plain feature rows, conditioned by its noisy class embedding."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        assert config.n_features is not None
        hidden = 4 * config.width
        self.latent_dim = config.latent_dim + config.embedding_dim
        self.z_dim = config.latent_dim
        self.embedding = NoisyEmbedding(config)
        self.first = nn.Linear(self.latent_dim, hidden)
        self.second = nn.Linear(hidden + config.embedding_dim, hidden)
        self.to_row = nn.Linear(hidden + config.embedding_dim, config.n_features)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map noise and labels to standardised rows (n, n_features)."""
        z, embedding_noise = z[:, : self.z_dim], z[:, self.z_dim :]
        condition = self.embedding(labels, embedding_noise)
        x = F.relu(self.first(torch.cat([z, condition], dim=1)), inplace=True)
        x = F.relu(self.second(torch.cat([x, condition], dim=1)), inplace=True)
        row: Tensor = self.to_row(torch.cat([x, condition], dim=1))
        return row


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

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Map standardised rows (n, n_features) to logits (n,)."""
        x = F.leaky_relu(self.first(rows), LEAKY_SLOPE, inplace=True)
        x = torch.cat([x, minibatch_deviation(x)[:, None]], dim=1)
        x = F.leaky_relu(self.second(x), LEAKY_SLOPE, inplace=True)
        projection = (self.embedding(labels) * x).sum(dim=1)
        logits: Tensor = self.score(x).squeeze(1) + projection
        return logits.float()


# --- building --------------------------------------------------------------------------------


def outline_generator(config: GANConfig) -> Generator:
    """Build the config's generator without values, on the meta device: nothing is allocated."""
    if not config.is_image:
        kind: type[Generator] = TableGenerator
    else:
        kind = ClassicGenerator if config.recipe == "classic" else ImageGenerator
    with torch.device("meta"):
        return kind(config)


def outline_discriminator(config: GANConfig) -> Discriminator:
    """Build the config's discriminator without values, on the meta device."""
    if not config.is_image:
        kind: type[Discriminator] = TableDiscriminator
    else:
        kind = ClassicDiscriminator if config.recipe == "classic" else ImageDiscriminator
    with torch.device("meta"):
        return kind(config)


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


Network = TypeVar("Network", bound=nn.Module)


def initialise(
    network: Network, generator: torch.Generator, device: torch.device | str, *, classic: bool
) -> Network:
    """Give every parameter and buffer of a meta-device network its first value.

    Drawn on the CPU, so that every device starts from the same weights.
    """
    network.to_empty(device="cpu")
    with torch.no_grad():
        for module in network.modules():
            _initialise_module(module, generator, classic)
    return network.to(device)


def _initialise_module(module: nn.Module, generator: torch.Generator, classic: bool) -> None:
    if isinstance(module, nn.BatchNorm2d):
        module.reset_running_stats()
        if module.affine:
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    elif isinstance(module, ConditionalBatchNorm2d | nn.ModuleList):
        pass  # their parts come by themselves
    elif isinstance(module, NoisyEmbedding):
        nn.init.normal_(module.weight, generator=generator)
        module.sigmas.copy_(torch.tensor(module.values_of_sigmas))
    elif isinstance(getattr(module, "weight", None), nn.Parameter):
        _initialise_weight(module, generator, classic)


def _initialise_weight(module: nn.Module, generator: torch.Generator, classic: bool) -> None:
    assert isinstance(module.weight, nn.Parameter)
    if classic:
        nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
    else:
        nn.init.xavier_uniform_(module.weight, generator=generator)
    if isinstance(bias := getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(bias)
    if isinstance(module, SpectralNormWeight):
        nn.init.normal_(module.u, generator=generator)
        module.u.copy_(F.normalize(module.u, dim=0))
