"""ganaug/gan/diffaugment.py"""

from __future__ import annotations

import pytest
import torch

from ganaug.gan.config import AUGMENTATIONS
from ganaug.gan.diffaugment import AUGMENTATION_FUNCTIONS, diffaugment


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand((6, 3, 9, 14), generator=seeded(7)) * 2 - 1


def test_every_augmentation_that_can_be_chosen_is_there():
    assert sorted(AUGMENTATION_FUNCTIONS) == sorted(AUGMENTATIONS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_and_dtype_are_kept(name, dtype, images):
    out = diffaugment(images.to(dtype), (name,), seeded())

    assert out.shape == images.shape
    assert out.dtype == dtype


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_generator_decides_everything(name, images):
    before = torch.get_rng_state()

    first, again, other = (diffaugment(images, (name,), seeded(seed)) for seed in (3, 3, 4))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_input_is_left_as_it_was(name, images):
    copy = images.clone()

    diffaugment(images, (name,), seeded())

    assert torch.equal(images, copy)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_equal_images_are_augmented_differently(name, images):
    batch = images[:1].expand(16, -1, -1, -1).contiguous()

    out = diffaugment(batch, (name,), seeded())

    assert len({tuple(image.flatten().tolist()) for image in out}) > 1


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradients_flow_back_to_the_pixels(name, images):
    inputs = images.clone().requires_grad_(True)

    diffaugment(inputs, (name,), seeded()).sum().backward()

    assert torch.isfinite(inputs.grad).all()
    assert inputs.grad.abs().sum() > 0


def test_gradients_are_the_right_ones():
    inputs = torch.rand((2, 2, 8, 8), generator=seeded(), dtype=torch.float64) * 2 - 1

    assert torch.autograd.gradcheck(
        lambda x: diffaugment(x, AUGMENTATIONS, seeded()), inputs.requires_grad_(True)
    )


@pytest.mark.parametrize("name", ["brightness", "contrast", "translation", "cutout"])
def test_an_empty_background_stays_empty(name):
    black = -torch.ones(8, 1, 12, 12)

    assert torch.equal(diffaugment(black, (name,), seeded()), black)


def test_brightness_adds_up_to_a_quarter_of_the_range_to_white():
    white = torch.ones(2000, 1, 1, 1)

    change = diffaugment(white, ("brightness",), seeded()) - white

    assert -0.5 <= change.min() < -0.45
    assert 0.45 < change.max() <= 0.5


def test_saturation_keeps_the_grey_value():
    images = torch.rand((4, 3, 8, 8), generator=seeded(1))

    out = diffaugment(images, ("saturation",), seeded())

    torch.testing.assert_close(out.mean(dim=1), images.mean(dim=1))


def test_grey_images_have_no_saturation():
    images = torch.rand((4, 1, 8, 8), generator=seeded(1))

    torch.testing.assert_close(diffaugment(images, ("saturation",), seeded()), images)


def test_translation_moves_whole_images_by_up_to_an_eighth_and_fills_with_black():
    image = torch.zeros(1, 2, 16, 24)
    image[:, :, 8, 12] = 1.0
    batch = image.expand(400, -1, -1, -1)

    out = diffaugment(batch, ("translation",), seeded())

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
    out = diffaugment(torch.ones(300, 2, 12, 20), ("cutout",), seeded())

    cut = out == -1.0
    assert torch.equal(cut[:, 0], cut[:, 1])
    rows, columns = cut[:, 0].any(dim=2).sum(dim=1), cut[:, 0].any(dim=1).sum(dim=1)
    assert rows.max() == 6
    assert columns.max() == 10
    assert torch.equal(cut[:, 0].sum(dim=(1, 2)), rows * columns)  # one rectangle
    assert ((out == 1.0) | cut).all()


def test_flip_mirrors_about_half_of_the_images(images):
    batch = images[:1].expand(400, -1, -1, -1)

    out = diffaugment(batch, ("flip",), seeded())

    mirrored = (out == images[:1].flip(3)).flatten(1).all(dim=1)
    kept = (out == images[:1]).flatten(1).all(dim=1)
    assert (mirrored ^ kept).all()
    assert 0.4 < mirrored.float().mean() < 0.6


def test_an_empty_policy_changes_nothing(images):
    assert diffaugment(images, (), seeded()) is images
