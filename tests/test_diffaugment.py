"""ganaug/gan/diffaugment.py"""

from __future__ import annotations

import pytest
import torch

from ganaug.gan.diffaugment import brightness, contrast, cutout, diffaugment, translation

ALL = pytest.mark.parametrize(
    "augment",
    [brightness, contrast, translation, cutout, diffaugment],
    ids=lambda function: function.__name__,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand((6, 3, 9, 14), generator=seeded(7)) * 2 - 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@ALL
def test_shape_and_dtype_are_kept(augment, dtype, images):
    out = augment(images.to(dtype), seeded())

    assert out.shape == images.shape
    assert out.dtype == dtype


@ALL
def test_the_generator_decides_everything(augment, images):
    before = torch.get_rng_state()

    first, again, other = (augment(images, seeded(seed)) for seed in (3, 3, 4))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@ALL
def test_the_input_is_left_as_it_was(augment, images):
    copy = images.clone()

    augment(images, seeded())

    assert torch.equal(images, copy)


@ALL
def test_equal_images_are_augmented_differently(augment, images):
    batch = images[:1].expand(16, -1, -1, -1).contiguous()

    out = augment(batch, seeded())

    assert len({tuple(image.flatten().tolist()) for image in out}) > 1


@ALL
def test_gradients_flow_back_to_the_pixels(augment, images):
    inputs = images.clone().requires_grad_(True)

    augment(inputs, seeded()).sum().backward()

    assert torch.isfinite(inputs.grad).all()
    assert inputs.grad.abs().sum() > 0


def test_gradients_are_the_right_ones():
    inputs = torch.rand((2, 2, 8, 8), generator=seeded(), dtype=torch.float64) * 2 - 1

    assert torch.autograd.gradcheck(lambda x: diffaugment(x, seeded()), inputs.requires_grad_(True))


@ALL
def test_an_empty_background_stays_empty(augment):
    black = -torch.ones(8, 1, 12, 12)

    assert torch.equal(augment(black, seeded()), black)


def test_brightness_adds_up_to_a_quarter_of_the_range_to_white():
    white = torch.ones(2000, 1, 1, 1)

    change = brightness(white, seeded()) - white

    assert -0.5 <= change.min() < -0.45
    assert 0.45 < change.max() <= 0.5


def test_translation_moves_whole_images_by_up_to_an_eighth_and_fills_with_black():
    image = torch.zeros(1, 2, 16, 24)
    image[:, :, 8, 12] = 1.0
    batch = image.expand(400, -1, -1, -1)

    out = translation(batch, seeded())

    found = (out[:, 0] == 1.0).nonzero()
    assert len(found) == 400  # the dot is moved, neither lost nor doubled
    assert set(found[:, 1].tolist()) == set(range(6, 11))
    assert set(found[:, 2].tolist()) == set(range(9, 16))
    assert torch.equal(out[:, 0], out[:, 1])  # all channels together
    for index, row, column in found.tolist():
        moved_in = torch.ones(16, 24, dtype=torch.bool)
        moved_in[max(0, row - 8) : 16 + min(0, row - 8), max(0, column - 12) :] = False
        moved_in[:, 24 + min(0, column - 12) :] = True
        assert torch.equal(out[index, 0] == -1.0, moved_in)


def test_cutout_blackens_at_most_half_of_each_side():
    out = cutout(torch.ones(300, 2, 12, 20), seeded())

    cut = out == -1.0
    assert torch.equal(cut[:, 0], cut[:, 1])
    rows, columns = cut[:, 0].any(dim=2).sum(dim=1), cut[:, 0].any(dim=1).sum(dim=1)
    assert rows.max() == 6
    assert columns.max() == 10
    assert torch.equal(cut[:, 0].sum(dim=(1, 2)), rows * columns)  # one rectangle
    assert ((out == 1.0) | cut).all()
