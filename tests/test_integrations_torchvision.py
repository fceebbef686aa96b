from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision.transforms import v2

from ganaug import GANAugmenter
from ganaug.exceptions import GanaugWarning, InvalidInputError, InvalidTypeError, NotFittedError
from ganaug.inputs import read_training_set
from ganaug.integrations.common import to_dtype
from ganaug.integrations.torchvision import SyntheticMix

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")


def tiny_augmenter(**parameters):
    tiny = {
        "n_generators": 1,
        "max_images": 128,
        "width": 4,
        "filter": None,
        "random_state": 0,
        "verbose": 0,
    }
    return GANAugmenter(**{**tiny, **parameters})


@pytest.fixture(scope="module")
def digits(all_digits):
    """200 digits of the classes 3, 5 and 8 as a batch: (n, 1, 8, 8) from 0 to 1, and labels."""
    X, y = all_digits
    rows = np.flatnonzero(np.isin(y, [3, 5, 8]))[:200]
    images = torch.from_numpy(X[rows] / 16).float().reshape(-1, 1, 8, 8)
    return images, torch.from_numpy(y[rows])


@pytest.fixture(scope="module")
def augmenter(digits):
    return tiny_augmenter().fit(*digits)


def changed(before, after):
    return (before != after).flatten(1).any(dim=1)


def test_about_the_share_p_of_images_is_replaced_and_the_mask_says_which(augmenter, digits):
    images, labels = digits
    mix = SyntheticMix(augmenter, p=0.25, return_is_synthetic=True)
    mixed, labels_out, is_synthetic = mix(images, labels)
    assert torch.equal(changed(images, mixed), is_synthetic)
    assert 30 <= is_synthetic.sum() <= 70  # 50 +- 3.3 standard deviations
    assert torch.equal(labels_out, labels)


def test_a_replaced_image_is_one_that_the_augmenter_makes_of_that_label(augmenter, digits):
    images, labels = digits
    mix = SyntheticMix(augmenter, p=1, n_per_class=20)
    mixed, _ = mix(images, labels)
    for label in (3, 5, 8):
        made, _ = augmenter.sample({label: 20})
        for image in mixed[labels == label]:
            assert (image == made).flatten(1).all(dim=1).any()


@pytest.mark.parametrize("p", [0, 1])
def test_a_p_of_0_replaces_nothing_and_a_p_of_1_everything(augmenter, digits, p):
    images, labels = digits
    assert changed(images, SyntheticMix(augmenter, p=p)(images, labels)[0]).all().item() == bool(p)


def test_the_batch_that_came_in_is_not_modified(augmenter, digits):
    images, labels = digits
    before = images.clone()
    SyntheticMix(augmenter, p=1)(images, labels)
    assert torch.equal(images, before)


@pytest.mark.parametrize("follower", [v2.MixUp, v2.CutMix])
def test_it_composes_with_what_mixes_images(augmenter, digits, follower):
    images, labels = digits
    torch.manual_seed(0)
    transform = v2.Compose([SyntheticMix(augmenter, p=0.25), follower(num_classes=9)])
    mixed, soft = transform(images[:32], labels[:32])
    assert mixed.shape == (32, 1, 8, 8)
    assert soft.shape == (32, 9)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(32))


def test_draws_follow_the_batch_and_the_seed_alone(augmenter, digits):
    images, labels = digits
    first, _ = SyntheticMix(augmenter, p=0.25)(images, labels)
    mix = SyntheticMix(augmenter, p=0.25)
    mix(images[:7], labels[:7])
    torch.manual_seed(123)
    assert torch.equal(mix(images, labels)[0], first)
    assert not torch.equal(SyntheticMix(augmenter, p=0.25, seed=1)(images, labels)[0], first)
    positions = changed(images[:64], mix(images[:64], labels[:64])[0])
    others = changed(images[64:128], mix(images[64:128], labels[64:128])[0])
    assert not torch.equal(positions, others)


def test_global_random_state_is_left_alone(augmenter, digits):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    SyntheticMix(augmenter, p=0.25)(*digits)
    assert torch.equal(torch.get_rng_state(), before)


class Collate:
    def __init__(self, transform):
        self.transform = transform

    def __call__(self, items):
        return self.transform(*default_collate(items))


@pytest.mark.parametrize(("context", "n_workers"), [("fork", 2), ("spawn", 1)])
def test_workers_give_what_the_main_process_gives(augmenter, digits, context, n_workers):
    collate = Collate(SyntheticMix(augmenter, p=0.5))
    options = {"batch_size": 50, "collate_fn": collate, "generator": torch.Generator()}
    here = list(DataLoader(TensorDataset(*digits), **options))
    workers = {"num_workers": n_workers, "multiprocessing_context": context}
    there = list(DataLoader(TensorDataset(*digits), **options, **workers))
    for ours, theirs in zip(here, there, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])


def test_it_pickles_as_a_path_and_without_the_networks(augmenter):
    mix = SyntheticMix(augmenter, p=0.25, n_per_class=500)  # 500 x 3 x 64 bytes in the bank
    assert len(pickle.dumps(mix)) < 10_000


# --- scale and kind of the batch ---


@pytest.mark.parametrize(
    ("dtype", "high"), [(torch.uint8, 255), (torch.float16, 1), (torch.float64, 1)]
)
def test_images_are_scaled_to_what_the_dtype_of_the_batch_holds(augmenter, digits, dtype, high):
    images = v2.functional.to_dtype(digits[0], dtype, scale=True)
    mixed, _ = SyntheticMix(augmenter, p=1)(images, digits[1])
    assert mixed.dtype == dtype
    assert high / 2 < mixed.max() <= high


def test_images_learnt_in_their_own_range_come_in_that_range(digits):
    images, labels = digits[0] * 16, digits[1]
    mixed, _ = SyntheticMix(tiny_augmenter().fit(images, labels), p=1)(images, labels)
    assert 8 < mixed.max() <= 16


@pytest.mark.parametrize(
    ("dtype", "high"), [("uint8", 255), ("int16", 2**15 - 1), ("uint16", 64000), ("int32", 64000)]
)
def test_a_range_that_the_batch_cannot_hold_becomes_that_of_its_dtype(dtype, high, digits):
    images, labels = digits
    spec = read_training_set((images * 64000).numpy().astype(np.uint16), labels).spec

    made = to_dtype(np.arange(256, dtype=np.uint8), spec, np.dtype(dtype))

    assert spec.value_range == (0, 64000)
    assert made.dtype == dtype
    np.testing.assert_allclose(made, np.linspace(0, high, 256), atol=high / 255)


def test_a_transform_brings_synthetic_images_to_what_the_batch_holds(augmenter, digits):
    normalise = v2.Normalize([0.5], [0.25])
    mixed, _ = SyntheticMix(augmenter, p=1, transform=normalise)(normalise(digits[0]), digits[1])
    assert -2 <= mixed.min() < -1


def test_pil_images_are_made_for_a_transform_that_takes_them(digits):
    from PIL import Image

    pixels = (digits[0][:, 0] * 255).to(torch.uint8).numpy()
    fitted = tiny_augmenter().fit([Image.fromarray(p) for p in pixels], digits[1])
    to_tensor = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    mixed, _ = SyntheticMix(fitted, p=1, transform=to_tensor)(*digits)
    without, _ = SyntheticMix(fitted, p=1)(*digits)
    torch.testing.assert_close(mixed, without)


def test_names_of_classes_need_the_index_of_each(digits):
    names = np.array(["", "", "", "cat", "", "dog", "", "", "emu"])[digits[1]]
    fitted = tiny_augmenter().fit(digits[0], names)
    with pytest.raises(InvalidInputError, match="`class_to_idx` is needed"):
        SyntheticMix(fitted, p=0.25)
    with pytest.raises(InvalidInputError, match=r"\['emu'\] are not in it"):
        SyntheticMix(fitted, p=0.25, class_to_idx={"cat": 3, "dog": 5})
    mix = SyntheticMix(fitted, class_to_idx={"emu": 0, "dog": 1, "cat": 2}, p=1, n_per_class=10)
    mixed, _ = mix(digits[0][:4], torch.zeros(4, dtype=torch.int64))
    emus, _ = fitted.sample({"emu": 10})
    for image in mixed:
        assert (image == emus).flatten(1).all(dim=1).any()


def test_an_index_of_names_fits_an_augmenter_of_a_dataset_with_names(digits):
    images, labels = digits
    dataset = TensorDataset(images[labels != 8], (labels[labels != 8] == 5).long())
    dataset.classes = ["bag", "boot"]
    fitted = tiny_augmenter().fit(dataset)
    mix = SyntheticMix(fitted, class_to_idx={"boot": 4, "bag": 7}, p=1, n_per_class=10)
    mixed, _ = mix(images[:4], torch.full((4,), 4))
    boots, _ = fitted.sample({"boot": 10})
    for image in mixed:
        assert (image == torch.as_tensor(boots)).flatten(1).all(dim=1).any()
    with pytest.raises(InvalidInputError, match=r"\['boot'\] are not in it"):
        SyntheticMix(fitted, p=0.25, class_to_idx={"bag": 0})


def test_classes_whose_samples_a_classifier_disputes_are_left_alone(augmenter, digits):
    images, labels = digits
    augmenter = copy.copy(augmenter)
    model = replace(augmenter.model_, generator_trust=[[0.9, 0.2, 0.7]])
    augmenter._take_up(model, "cpu")
    with pytest.warns(GanaugWarning, match=r"class 5 \(20%\), 8 \(70%\) as they are"):
        mix = SyntheticMix(augmenter, p=1, n_per_class=20)
    mixed, _ = mix(images, labels)
    assert torch.equal(changed(images, mixed), labels == 3)
    made, _ = augmenter.sample({3: 20})
    assert all((image == made).flatten(1).all(dim=1).any() for image in mixed[labels == 3])


# --- bad input ---


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda x, y: (x, torch.eye(9)[y]), InvalidInputError, "soft labels"),
        (lambda x, y: (x, y.float()), InvalidInputError, "soft labels"),
        (lambda x, y: (x, y + 1), InvalidInputError, "4, 6, 9"),
        (lambda x, y: (x, y[:-1]), InvalidInputError, "one label for each"),
        (lambda x, y: (x[:, 0], y), InvalidInputError, r"\(n, C, H, W\)"),
        (lambda x, y: (x[..., :6], y), InvalidInputError, r"\(1, 8, 8\).*\(1, 8, 6\)"),
        (lambda x, y: (x * 8 - 4, y), InvalidInputError, "0 to 1.*pass your dataset's `transform`"),
        (lambda x, y: (x, y.tolist()), InvalidTypeError, "two tensors"),
        (lambda x, y: ({"image": x, "label": y},), InvalidTypeError, "Got dict"),
    ],
    ids=[
        "one-hot",
        "fractions",
        "unknown labels",
        "lengths",
        "dimensions",
        "size",
        "scale",
        "list of labels",
        "dict",
    ],
)
def test_a_batch_that_cannot_be_mixed_is_refused(augmenter, digits, spoil, error, message):
    with pytest.raises(error, match=message):
        SyntheticMix(augmenter, p=1)(*spoil(*digits))


@pytest.mark.parametrize("parameters", [{"p": 1.5}, {"n_per_class": 0}])
def test_parameters_out_of_range_are_refused(augmenter, parameters):
    with pytest.raises(InvalidInputError, match=next(iter(parameters))):
        SyntheticMix(augmenter, **{"p": 0.25, **parameters})


def test_an_augmenter_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        SyntheticMix(tiny_augmenter(), p=0.25)


def test_an_augmenter_of_a_table_is_refused(digits):
    fitted = tiny_augmenter().fit(digits[0].flatten(1).numpy() - 0.5, digits[1])
    with pytest.raises(InvalidInputError, match="table"):
        SyntheticMix(fitted, p=0.25)
