"""ganaug/gan/networks.py, ganaug/gan/layers.py and ganaug/gan/config.py"""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch.nn import functional as F

from ganaug.exceptions import InvalidInputError
from ganaug.gan.config import GANConfig, classic_options
from ganaug.gan.layers import (
    MAX_PATCH_CHANNELS,
    FusedUpsampleConv2d,
    SNConv2dWithDeviation,
    SpectralNormWeight,
    convolve,
    minibatch_deviation,
)
from ganaug.gan.networks import (
    base_size,
    build_discriminator,
    build_generator,
    halvings,
    stage_scales,
)
from ganaug.jsonable import read_as

# the smallest, the largest, thin ones, odd ones, primes
SHAPES = [(1, 8, 8), (2, 9, 13), (3, 8, 128), (4, 128, 8), (1, 28, 28), (3, 33, 47), (2, 127, 15)]
CPU = torch.device("cpu")


def config_of(image_shape=(1, 8, 8), recipe="default", **options):
    recipe_options = classic_options() if recipe == "classic" else {}
    shape = {"image_shape": image_shape} if image_shape else {"n_features": 5}
    sizes = {"class_counts": (40, 20, 10), "width": 4, "latent_dim": 6}
    return GANConfig(**{**sizes, **shape, **recipe_options, **options})


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def both_networks(config, seed=0):
    random = seeded(seed)
    return build_generator(config, random), build_discriminator(config, random)


def draw(generator, labels, seed=1):
    return generator(generator.draw_latents(len(labels), seeded(seed), CPU), labels)


ALL_KINDS = pytest.mark.parametrize(
    "config",
    [config_of(), config_of(recipe="classic"), config_of(image_shape=None)],
    ids=["default", "classic", "table"],
)


@pytest.mark.parametrize("recipe", ["default", "classic"])
@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
def test_any_size_and_number_of_channels_goes_through_both_networks(image_shape, recipe):
    generator, discriminator = both_networks(config_of(image_shape, recipe))
    labels = torch.tensor([0, 0, 0, 0, 2, 2, 2, 2])

    images = draw(generator, labels)
    logits = discriminator(images, labels)

    assert images.shape == (8, *image_shape)
    assert images.abs().max() <= 1
    assert logits.shape == (8,)
    logits.sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_every_side_from_8_to_128_is_covered_by_the_first_map_and_its_doublings():
    for side in range(8, 129):
        (base, _), n = base_size(side, 8), halvings(side)
        assert base <= 7
        assert side <= base * 2**n < side + 2**n  # cropped by less than one pixel of the first map


@pytest.mark.parametrize(("height", "width"), [(8, 128), (128, 8), (33, 47), (28, 28)])
def test_stage_scales_multiply_to_each_sides_doublings(height, width):
    scales = stage_scales(height, width)

    assert math.prod(scale for scale, _ in scales) == 2 ** halvings(height)
    assert math.prod(scale for _, scale in scales) == 2 ** halvings(width)


def test_feature_rows_go_through_both_networks():
    generator, discriminator = both_networks(config_of(image_shape=None))
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])

    rows = draw(generator, labels)

    assert rows.shape == (8, 5)
    assert discriminator(rows, labels).shape == (8,)


@ALL_KINDS
def test_every_parameter_and_buffer_gets_a_value(config, monkeypatch):
    # `to_empty` leaves what was in memory: make it NaN, so that nothing is right by luck.
    to_empty = torch.nn.Module.to_empty

    def to_nan(module, **options):
        to_empty(module, **options)
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.data.fill_(math.nan)
            else:
                tensor.fill_(-1)
        return module

    monkeypatch.setattr(torch.nn.Module, "to_empty", to_nan)
    for network in both_networks(config):
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            assert not tensor.is_meta, name
            assert torch.isfinite(tensor).all(), name
            assert not (tensor == -1).any(), name


@ALL_KINDS
def test_a_seed_decides_every_weight(config):
    first, second, other = (both_networks(config, seed) for seed in (0, 0, 1))

    for network, same, different in zip(first, second, other, strict=True):
        state, again = network.state_dict(), same.state_dict()
        assert all(torch.equal(state[name], again[name]) for name in state)
        assert not all(torch.equal(state[name], different.state_dict()[name]) for name in state)


@ALL_KINDS
def test_building_and_running_leave_the_global_random_state_alone(config):
    before = torch.get_rng_state()

    generator, discriminator = both_networks(config)
    labels = torch.zeros(4, dtype=torch.int64)
    discriminator(draw(generator, labels), labels)

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("scale", [(2, 2), (1, 2), (2, 1), (1, 1)], ids=str)
def test_fused_upsampling_equals_nearest_upsampling_and_a_3x3_convolution(scale):
    layer = FusedUpsampleConv2d(3, 5, scale).double()
    torch.nn.init.normal_(layer.weight, generator=seeded())
    x = torch.randn(2, 3, 5, 7, generator=seeded(1), dtype=torch.float64)

    upsampled = x.repeat_interleave(scale[0], dim=2).repeat_interleave(scale[1], dim=3)
    expected = F.conv2d(upsampled, layer.weight.transpose(0, 1), padding=1)

    torch.testing.assert_close(layer(x), expected)


def test_spectral_norm_brings_the_largest_singular_value_to_one():
    _, discriminator = both_networks(config_of((3, 16, 16)))
    labels = torch.zeros(4, dtype=torch.int64)
    images = torch.zeros(4, 3, 16, 16)
    for _ in range(50):  # one power iteration each
        discriminator(images, labels)

    modules = [m for m in discriminator.modules() if isinstance(m, SpectralNormWeight)]
    assert len(modules) > 4
    for module in modules:
        sigma = torch.linalg.matrix_norm(module.normalised().detach().flatten(1), ord=2)
        assert sigma == pytest.approx(1.0, abs=0.02)


def test_spectral_norm_iterates_in_training_only():
    _, discriminator = both_networks(config_of())
    images, labels = torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    u = discriminator.score.u.clone()

    discriminator.eval()(images, labels)
    assert torch.equal(discriminator.score.u, u)

    u = discriminator.features.u.clone()
    discriminator.train()(images, labels)
    assert not torch.equal(discriminator.features.u, u)


def test_minibatch_deviation_is_measured_within_groups_of_one_label():
    # Two groups of four: in the first all rows are equal, however far from the second.
    same = torch.full((4, 1, 2, 2), 5.0)
    varied = torch.tensor([-1.0, 1.0, -1.0, 1.0]).view(4, 1, 1, 1).expand(4, 1, 2, 2)

    deviation = minibatch_deviation(torch.cat([same, varied]))

    assert deviation[:4].max() < 1e-3
    torch.testing.assert_close(deviation[4:], torch.ones(4))


def test_minibatch_deviation_of_no_whole_groups_is_that_of_one():
    x = torch.randn(6, 3, 2, 2, generator=seeded())  # no multiple of 4: one group

    deviation = minibatch_deviation(x)

    assert deviation.shape == (6,)
    torch.testing.assert_close(deviation, x.std(dim=0, correction=0).mean().expand(6))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_minibatch_deviation_has_the_right_gradient(memory_format):
    x = torch.randn(8, 3, 2, 3, generator=seeded(), dtype=torch.float64)
    x = x.contiguous(memory_format=memory_format).requires_grad_(True)
    groups = x.unflatten(0, (2, 4))
    spelled_out = (groups.var(dim=1, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    weights = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8])

    (gradient,) = torch.autograd.grad((minibatch_deviation(x) * weights).sum(), x)

    expected = (spelled_out.repeat_interleave(4) * weights).sum()
    torch.testing.assert_close(gradient, *torch.autograd.grad(expected, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_deviation_acts_as_a_constant_input_channel(memory_format):
    layer = SNConv2dWithDeviation(5).double()
    for tensor in layer.state_dict().values():
        torch.nn.init.normal_(tensor, generator=seeded())
    layer.eval()  # the same power iteration twice
    x = torch.randn(8, 5, 4, 3, generator=seeded(1), dtype=torch.float64)
    x = x.contiguous(memory_format=memory_format)

    channel = minibatch_deviation(x).view(8, 1, 1, 1).expand(-1, -1, 4, 3)
    written_out = torch.cat([x, channel], dim=1)
    expected = F.conv2d(written_out, layer.normalised(), layer.bias, padding=1)
    expected = F.leaky_relu(expected, 0.2)

    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("slope", [1.0, 0.2])
@pytest.mark.parametrize("n_channels", [1, MAX_PATCH_CHANNELS, MAX_PATCH_CHANNELS + 1])
@pytest.mark.parametrize(("kernel", "stride"), [((4, 4), (2, 2)), ((3, 4), (1, 2))], ids=str)
def test_a_convolution_over_patches_is_a_convolution(kernel, stride, n_channels, slope):
    x = torch.randn(2, n_channels, 9, 12, generator=seeded(), dtype=torch.float64)
    weight = torch.randn(6, n_channels, *kernel, generator=seeded(1), dtype=torch.float64)
    bias = torch.randn(6, generator=seeded(2), dtype=torch.float64)
    inputs = [t.requires_grad_(True) for t in (x, weight, bias)]

    outputs = [
        convolve(x, weight, bias, stride, slope=slope),
        F.leaky_relu(F.conv2d(x, weight, bias, stride=stride, padding=1), slope),
    ]

    torch.testing.assert_close(*outputs)
    gradients = [torch.autograd.grad(out.square().sum(), inputs) for out in outputs]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_classic_discriminators_label_acts_as_constant_input_channels(memory_format):
    _, discriminator = both_networks(config_of((2, 9, 13), "classic"))
    discriminator.to(memory_format=memory_format)
    rows, labels = torch.randn(5, 2, 9, 13, generator=seeded()), torch.tensor([2, 0, 1, 1, 2])
    maps = F.one_hot(labels, 3).float()[:, :, None, None].expand(-1, -1, 9, 13)

    expected = discriminator.stages[0](torch.cat([rows, maps], dim=1))

    torch.testing.assert_close(discriminator._first_stage(rows, labels), expected)


def test_classes_are_embedded_on_the_unit_sphere():
    generator, _ = both_networks(config_of())

    embedded = generator.embedding(torch.arange(3))

    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("recipe", ["default", "classic"])
def test_both_noise_and_label_decide_the_image(recipe):
    generator, _ = both_networks(config_of(recipe=recipe))
    z = generator.draw_latents(2, seeded(), CPU)
    one, other = torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    generator.eval()

    image = generator(z, one)

    assert not torch.allclose(image[0], image[1])
    assert not torch.allclose(image, generator(z, other))
    assert torch.equal(image, generator(z, one))


@pytest.mark.parametrize(
    ("image_shape", "said"),
    [
        ((5, 8, 8), "1 to 4 channels"),
        ((0, 8, 8), "1 to 4 channels"),
        ((1, 7, 8), "7 x 8"),
        ((1, 8, 129), "8 x 129"),
    ],
)
def test_sizes_that_the_networks_are_not_made_for_are_refused(image_shape, said):
    with pytest.raises(InvalidInputError, match=said):
        config_of(image_shape)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recipe": "clasic"}, "Did you mean 'classic'"),
        ({"loss": "hing"}, "Did you mean 'hinge'"),
        ({"max_images": None}, "at least one"),
        ({"n_features": 3}, "exactly one"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, said):
    with pytest.raises(InvalidInputError, match=said):
        GANConfig(**{"class_counts": (5, 5), "image_shape": (1, 8, 8), **options})


@ALL_KINDS
def test_a_config_survives_json(config):
    assert read_as(GANConfig, json.loads(json.dumps(config.to_json())), "config") == config


def test_classes_are_drawn_by_a_power_of_their_size():
    config = config_of(class_counts=(900, 100), class_power=0.5)

    assert config.class_probabilities == pytest.approx((0.75, 0.25))


def test_conditional_batch_norm_in_evaluation_is_that_of_its_parts():
    config = GANConfig(class_counts=(20, 20), image_shape=(1, 8, 8), width=4, latent_dim=4)
    network = build_generator(config, torch.Generator().manual_seed(0)).eval()
    random = torch.Generator().manual_seed(1)
    norm = network.mix_norm
    norm.norm.running_mean.uniform_(-2, 2, generator=random)
    norm.norm.running_var.uniform_(0.5, 3, generator=random)
    x = torch.randn((6, len(norm.norm.running_mean), 5, 3), generator=random)
    condition = torch.randn((6, norm.gain_bias.in_features), generator=random)
    gain, bias = norm.gain_bias(condition)[:, :, None, None].chunk(2, dim=1)
    torch.testing.assert_close(norm(x, condition), norm.norm(x) * (1 + gain) + bias)
