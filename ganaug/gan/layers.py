"""Building blocks of the networks, and their first values.

Modules are built without values and then initialised from an explicit generator, because the
constructors of `torch.nn` layers would draw from torch's global random state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ganaug.gan.config import GROUP_SIZE

LEAKY_SLOPE = 0.2
MAX_PATCH_CHANNELS = 2  # see `convolve`


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
        of_samples, of_deviation = weight[:, :-1], weight[:, -1:]
        constant = x.new_ones((1, 1, *x.shape[2:]))
        response = F.conv2d(constant, of_deviation, padding=1)
        out = F.conv2d(x, of_samples, self.bias, padding=1)
        out = out + minibatch_deviation(x)[:, None, None, None] * response
        return F.leaky_relu(out, LEAKY_SLOPE, inplace=True)

    def without_deviation(self, x: Tensor) -> Tensor:
        """Convolve x alone, and activate."""
        maps = F.conv2d(x, self.normalised()[:, :-1], self.bias, padding=1)
        return F.leaky_relu(maps, LEAKY_SLOPE)


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
        gain, norm = 1.0 + gain, self.norm
        if self.training or norm.running_mean is None or norm.running_var is None:
            return torch.addcmul(bias, norm(x), gain)
        # with fixed statistics, both are one pass over the maps
        gain = gain * torch.rsqrt(norm.running_var[:, None, None] + norm.eps)
        return torch.addcmul(bias - gain * norm.running_mean[:, None, None], x, gain)


class UnitEmbedding(nn.Module):
    """Class embedding of unit length."""

    def __init__(self, n_classes: int, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_classes, length))

    def forward(self, labels: Tensor) -> Tensor:
        """Embed labels (n,)."""
        return F.normalize(F.embedding(labels, self.weight), dim=1)


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
        """Spread the gradient over the samples; that of the mean is zero."""
        centred, deviation = ctx.saved_tensors
        n = centred.shape[1] * centred.shape[2]
        result: Tensor = centred * (gradient.view(-1, 1, 1) / (n * deviation))
        return result


def minibatch_deviation(x: Tensor, group_size: int = GROUP_SIZE) -> Tensor:
    """Mean deviation within groups of neighbouring samples, (n,).

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


# --- first values -------------------------------------------------------------------------------


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
    elif isinstance(module, UnitEmbedding):
        nn.init.normal_(module.weight, generator=generator)
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
