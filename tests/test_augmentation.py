"""ganaug/augmentation.py"""

from __future__ import annotations

import albumentations
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torchvision.transforms import v2

from ganaug import GANAugmenter, GANOverSampler, augmentation
from ganaug.augmentation import accept_transform, check_transform, make_augmentation
from ganaug.exceptions import InvalidInputError, InvalidTypeError


@pytest.fixture(scope="module")
def digits(all_digits):
    """Images of 0, 1, 6 and 9, uint8 (n, 1, 8, 8), and codes: upside down, a 6 is a 9."""
    X, y = all_digits
    chosen = np.isin(y, [0, 1, 6, 9])
    values = np.rint(X[chosen] * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    return values, np.searchsorted([0, 1, 6, 9], y[chosen])


@pytest.fixture(autouse=True)
def quick_check(monkeypatch):
    """A 6 upside down is told from a 9 by nothing, however few the steps."""
    monkeypatch.setattr(augmentation, "CHECK_STEPS", 20)


TRANSFORMS = {
    "affine": "affine",
    "mirror": "mirror",
    "quarter turn": "quarter_turn",
    "torchvision": v2.Compose([v2.RandomHorizontalFlip(), v2.RandomAffine(10)]),
    "albumentations": albumentations.Compose([albumentations.Affine(rotate=(-10, 10), p=1)]),
    "callable": lambda image: image + torch.randint(0, 3, (1,), dtype=torch.uint8),
    "dirichlet": v2.AugMix(),
    "beta": lambda image: (image * torch.distributions.Beta(1.0, 1.0).sample()).to(torch.uint8),
    "dropout": torch.nn.Sequential(
        v2.ToDtype(torch.float), torch.nn.Dropout(), v2.ToDtype(torch.uint8)
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12)])
def test_the_same_seed_gives_the_same_images_whatever_global_state(name, shape):
    images = np.random.default_rng(0).integers(0, 250, (20, *shape), dtype=np.uint8)
    before = images.copy()
    augment = make_augmentation(TRANSFORMS[name])

    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = augment(images, 5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    again, other = augment(images, 5), augment(images, 6)

    assert_array_equal(images, before)
    assert (first.shape, first.dtype) == (images.shape, np.uint8)
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["callable", "beta"])
def test_each_batch_is_drawn_anew(name):
    images = torch.full((20, 3, 8, 8), 100, dtype=torch.uint8)
    augment, generator = make_augmentation(TRANSFORMS[name]), torch.Generator().manual_seed(0)

    first, second = augment.transform(images, generator), augment.transform(images, generator)

    assert not torch.equal(first, second)


def test_no_images_stay_none():
    none = np.empty((0, 1, 8, 8), dtype=np.uint8)
    assert make_augmentation("mirror")(none, 0).shape == none.shape


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ("miror", InvalidInputError, "Did you mean 'mirror'"),
        (5, InvalidTypeError, "Got 5"),
        (v2.RandomRotation, InvalidTypeError, "must be a name, a transform or None"),
    ],
)
def test_what_is_no_transform_is_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        make_augmentation(wrong)


@pytest.mark.parametrize(
    "transform",
    [lambda image: image[:, 1:], lambda image: image.float(), lambda image: image.numpy()],
    ids=["smaller", "float", "array"],
)
def test_a_transform_must_keep_shape_and_dtype(transform):
    with pytest.raises(InvalidInputError, match=r"must return a uint8 tensor of shape \(1, 8, 8\)"):
        make_augmentation(transform)(np.zeros((2, 1, 8, 8), dtype=np.uint8), 0)


# --- the check ---


def test_a_transform_that_turns_sixes_into_nines_is_found_out(digits):
    def upside_down(image):
        return torch.rot90(image, 2, (1, 2)) if torch.rand(()) < 0.9 else image

    found = check_transform(make_augmentation(upside_down), *digits, seed=0)

    assert not found.passes
    assert found.high < 0
    assert found.n_samples == len(digits[1])
    assert "changes classes" in str(found)


def test_a_harmless_transform_passes(digits, monkeypatch):
    monkeypatch.setattr(augmentation, "CHECK_STEPS", 60)  # after 20 the untouched are ahead
    found = check_transform(make_augmentation("affine"), *digits, seed=0)

    assert found.passes
    assert found.low <= found.difference <= found.high


def test_of_few_images_nothing_is_claimed(digits):
    values, codes = digits[0][:12], digits[1][:12]
    found = check_transform(make_augmentation("mirror"), values, codes, seed=0)
    assert found.passes
    assert found.n_samples == 0


@pytest.mark.parametrize("use", ["augmenter", "over-sampler"])
def test_a_transform_that_changes_classes_is_refused_before_any_training(use, digits, monkeypatch):
    def upside_down(image):
        return torch.rot90(image, 2, (1, 2)) if torch.rand(()) < 0.9 else image

    def refuse(*args, **kwargs):
        raise AssertionError("training started")

    monkeypatch.setattr("ganaug.cache.train_model", refuse)
    X, y = digits[0][:, 0], digits[1]
    options = {"augmentation": upside_down, "random_state": 0}
    ask = {
        "augmenter": GANAugmenter(**options, verbose=0).fit,
        "over-sampler": GANOverSampler(
            **options, synthetic_share=0, sampling_strategy={0: 200}
        ).fit_resample,
    }
    with pytest.raises(InvalidInputError, match="`augmentation` must leave images of a class"):
        ask[use](X, y)


@pytest.mark.parametrize("write", [torch.Tensor.add_, torch.Tensor.fill_])
def test_a_transform_that_works_in_place_leaves_the_users_images_alone(write, digits):
    values, codes = digits[0][:10].copy(), digits[1][:10]  # too few for a check of classes

    accept_transform(make_augmentation(lambda image: write(image, 1)), values, codes, seed=0)

    assert_array_equal(values, digits[0][:10])


def test_what_returns_no_image_is_refused_before_any_training(monkeypatch):
    monkeypatch.setattr("ganaug.augmentation.fit_classifier", None)
    values = np.zeros((40, 1, 8, 8), dtype=np.uint8)

    with pytest.raises(InvalidInputError, match="must return a uint8 tensor"):
        accept_transform(make_augmentation(len), values, np.arange(40) % 2, seed=0)
