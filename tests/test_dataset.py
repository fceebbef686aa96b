from __future__ import annotations

import collections
import gc
import itertools
import multiprocessing
import os
import pickle
import random

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

from ganaug import GANAugmenter
from ganaug.dataset import AugmentedDataset, SyntheticBank, read_dataset_labels
from ganaug.exceptions import GanaugError, InvalidInputError, InvalidTypeError, ModelFileError
from ganaug.inputs import read_training_set
from ganaug.inputs.class_names import names_in_dataset

N_REAL, N_SYNTHETIC = 60, 14
CODES = np.array([0] * 5 + [2] * 9)

# Python 3.12 warns of what DataLoader does by default on Linux
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


class Items(Dataset):
    """A map-style dataset of given items."""

    def __init__(self, items, **attributes):
        self.items = items
        self.n_reads = 0
        vars(self).update(attributes)

    def __getitem__(self, i):
        self.n_reads += 1
        return self.items[i]

    def __len__(self):
        return len(self.items)


@pytest.fixture(scope="module")
def digits(all_digits):
    """Digits 3, 5 and 7 as uint8 images (60, 8, 8), and their labels."""
    X, y = all_digits
    rows = np.flatnonzero(np.isin(y, [3, 5, 7]))[:N_REAL]
    return (X[rows].reshape(-1, 8, 8) * 15).astype(np.uint8), y[rows]


def uint8_rows(epoch=0, codes=CODES):
    """Synthetic images (n, 1, 8, 8), of another value in each row and epoch."""
    levels = (np.arange(len(codes), dtype=np.uint8) + 100 + 20 * epoch)[:, None, None, None]
    return levels * np.ones((1, 1, 8, 8), dtype=np.uint8), codes


def augmented(dataset, synthetic=None, *, fitted=None, **options):
    """Wrap a dataset on which `fit` was called."""
    fitted = read_training_set(dataset) if fitted is None else fitted
    rows = uint8_rows() if synthetic is None else synthetic
    return AugmentedDataset(dataset, rows, spec=fitted.spec, classes=fitted.classes, **options)


@pytest.fixture
def tensors(digits):
    images, labels = digits
    return TensorDataset(torch.from_numpy(images / 255).float()[:, None], torch.from_numpy(labels))


# ----------------------------------------------------------------------------------- items

Pair = collections.namedtuple("Pair", ["image", "label"])


def tv_image(image):
    return pytest.importorskip("torchvision.tv_tensors").Image(torch.from_numpy(image)[None])


ITEM_KINDS = {
    "uint8 arrays": lambda image, label: (image, int(label)),
    "float64 (H, W, C)": lambda image, label: (image[..., None] / 255, float(label)),
    "float32 (C, H, W) tensors": lambda image, label: (
        torch.from_numpy(image / 255).float()[None],
        torch.tensor(int(label)),
    ),
    "[-1, 1] tensors": lambda image, label: (
        torch.from_numpy(image / 127.5 - 1)[None],
        torch.tensor(label, dtype=torch.int32),
    ),
    "PIL images": lambda image, label: (Image.fromarray(image), str(label)),
    "RGB PIL images": lambda image, label: (Image.fromarray(image).convert("RGB"), int(label)),
    "tv_tensors": lambda image, label: (tv_image(image), np.int16(label)),
    "lists": lambda image, label: [image.astype(np.uint16) * 16, int(label)],
    "named tuples": lambda image, label: Pair(image, int(label)),
    "dicts": lambda image, label: {"image": Image.fromarray(image), "label": int(label)},
}


def parts_of(item):
    return (item["image"], item["label"]) if isinstance(item, dict) else tuple(item)


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_synthetic_items_look_like_real_ones_of(kind, digits):
    dataset = Items([ITEM_KINDS[kind](image, label) for image, label in zip(*digits, strict=True)])
    fitted = read_training_set(dataset)
    wrapped = augmented(dataset, (fitted.values[:3], fitted.labels[:3]), fitted=fitted)

    assert len(wrapped) == N_REAL + 3
    for i in range(3):
        real, made = dataset.items[i], wrapped[N_REAL + i]
        assert wrapped[i] is real
        assert type(made) is type(real)
        (image, label), (made_image, made_label) = parts_of(real), parts_of(made)
        assert type(made_image) is type(image)
        assert type(made_label) is type(label)
        assert made_label == label
        assert getattr(made_label, "dtype", None) == getattr(label, "dtype", None)
        if isinstance(image, Image.Image):
            assert (made_image.mode, made_image.size) == (image.mode, image.size)
        else:
            assert made_image.dtype == image.dtype
        # these rows are the real ones after 8 bits: the values must come back
        one_level = fitted.spec.value_range[1] / 255
        np.testing.assert_allclose(
            np.asarray(made_image, float), np.asarray(image, float), atol=one_level
        )


def test_a_dataset_may_have_another_container_than_the_fitted_data(digits):
    images, labels = digits
    rows = images.reshape(-1, 64) / 255
    fitted = read_training_set(rows, labels, image_shape=(8, 8))
    synthetic = fitted.values[:2], fitted.labels[:2]
    as_images = TensorDataset(torch.tensor(rows).float().reshape(-1, 1, 8, 8), torch.tensor(labels))
    as_rows = TensorDataset(torch.tensor(rows), torch.tensor(labels))

    for dataset in (as_images, as_rows):
        image, label = augmented(dataset, synthetic, fitted=fitted)[N_REAL]
        assert image.dtype == dataset.tensors[0].dtype
        assert torch.allclose(image, dataset.tensors[0][0], atol=1 / 255)
        assert label == labels[0]


def test_feature_rows_are_wrapped_too(digits):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3
    dataset = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    new = rng.normal(size=(2, 5)).astype(np.float32)

    wrapped = augmented(dataset, (new, np.array([0, 2])), fitted=read_training_set(X, y))

    assert torch.equal(wrapped[60][0], torch.from_numpy(new[0]))
    assert wrapped[61][1] == 2


def test_a_batch_holds_the_same_items_as_single_reads(tensors):
    wrapped = augmented(tensors, duplicates=[4, 4, 9])
    indices = [70, 3, 60, 76, 0, 59, 73, 74]

    batch = wrapped.__getitems__(indices)

    for index, (image, label) in zip(indices, batch, strict=True):
        assert torch.equal(image, wrapped[index][0])
        assert label == wrapped[index][1]
    assert [int(label) for _, label in batch] == [wrapped.targets[i] for i in indices]


def test_a_batch_is_read_by_the_dataset_s_own_batch_method(tensors):
    class Batched(TensorDataset):
        def __getitems__(self, indices):
            self.asked = list(indices)
            return [self[i] for i in indices]

    dataset = Batched(*tensors.tensors)
    augmented(dataset, fitted=read_training_set(tensors)).__getitems__([62, 5, 61, 2])

    assert dataset.asked == [5, 2]


def test_indices_count_from_the_end_and_do_not_pass_it(tensors):
    wrapped = augmented(tensors)

    assert torch.equal(wrapped[-1][0], wrapped[N_REAL + N_SYNTHETIC - 1][0])
    assert torch.equal(wrapped.__getitems__([-len(wrapped)])[0][0], tensors[0][0])
    assert len(list(wrapped)) == len(wrapped)  # iteration ends by IndexError
    for index in (len(wrapped), -len(wrapped) - 1):
        with pytest.raises(IndexError):
            wrapped[index]


def test_duplicates_repeat_real_items_and_are_not_synthetic(tensors):
    wrapped = augmented(tensors, duplicates=[7, 7, 2])

    assert wrapped.n_duplicates == 3
    for index, position in zip((-3, -2, -1), (7, 7, 2), strict=True):
        assert torch.equal(wrapped[index][0], tensors[position][0])
        assert wrapped.targets[index] == tensors[position][1]
    assert wrapped.is_synthetic.nonzero()[0].tolist() == list(range(60, 74))


def test_no_synthetic_rows_at_all_are_fine(tensors):
    nothing = np.empty((0, 1, 8, 8), dtype=np.uint8), np.empty(0, dtype=np.int64)

    wrapped = augmented(tensors, nothing)

    assert len(wrapped) == N_REAL
    assert torch.equal(wrapped[5][0], tensors[5][0])


def test_provenance_and_weights_reach_the_loss(tensors, digits):
    options = {"synthetic_weight": 0.25, "return_weight": True, "return_is_synthetic": True}
    wrapped = augmented(tensors, duplicates=[0], **options)
    _, _, weights, is_synthetic = default_collate(wrapped.__getitems__([0, 60, 74]))

    assert weights.tolist() == [1, 0.25, 1]
    assert weights.dtype == torch.float32
    assert is_synthetic.tolist() == [False, True, False]
    assert wrapped.weights.tolist() == [1] * 60 + [0.25] * 14 + [1]

    dicts = Items(
        [{"image": image, "label": int(label)} for image, label in zip(*digits, strict=True)]
    )
    batch = default_collate(augmented(dicts, **options).__getitems__([0, 60]))
    assert batch["weight"].tolist() == [1, 0.25]
    assert batch["is_synthetic"].tolist() == [False, True]


# ------------------------------------------------------------------------------ transforms


@pytest.fixture
def image_folder(tmp_path, digits):
    """An ImageFolder tree of 20 images per class."""
    names = {3: "bag", 5: "boot", 7: "coat"}
    for i, (image, label) in enumerate(zip(*digits, strict=True)):
        (tmp_path / names[label]).mkdir(exist_ok=True)
        Image.fromarray(image).resize((12, 10)).save(tmp_path / names[label] / f"{i}.png")
    return tmp_path


def test_a_torchvision_dataset_s_transforms_apply_to_synthetic_items(image_folder):
    datasets = pytest.importorskip("torchvision.datasets")
    v2 = pytest.importorskip("torchvision.transforms.v2")
    seen = []

    def double(image):
        seen.append(image)
        return v2.functional.to_image(image) * 2

    dataset = datasets.ImageFolder(
        str(image_folder), transform=double, target_transform=lambda label: label + 10
    )
    fitted = read_training_set(dataset)
    wrapped = augmented(dataset, (fitted.values[:1] // 2, fitted.labels[:1]), fitted=fitted)
    assert not seen  # reading labels and looking at items needs no transform

    (real, real_label), (made, made_label) = wrapped[0], wrapped[len(dataset)]

    assert [(image.mode, image.size) for image in seen] == [("RGB", (12, 10))] * 2
    assert type(made) is type(real)
    assert torch.equal(made, torch.from_numpy(fitted.values[0] // 2 * 2))
    assert real_label == made_label == 10
    assert wrapped.targets == [*dataset.targets, 0]
    assert wrapped.classes == ["bag", "boot", "coat"]
    dataset.transform = None  # users do exchange it
    assert isinstance(wrapped[len(dataset)][0], Image.Image)


def test_joint_transforms_and_subsets_of_torchvision_datasets_work(digits):
    vision = pytest.importorskip("torchvision.datasets.vision")

    class Digits(vision.VisionDataset):
        def __getitem__(self, i):
            item = Image.fromarray(digits[0][i]), int(digits[1][i])
            return item if self.transforms is None else self.transforms(*item)

        def __len__(self):
            return len(digits[0])

    dataset = Digits(transforms=lambda image, label: (np.asarray(image) + 1.5, -label))
    subset = Subset(dataset, range(0, 60, 2))

    wrapped = augmented(subset, fitted=read_training_set(dataset))

    image, label = wrapped[30 + 13]  # the last synthetic one
    assert image.tolist() == np.full((8, 8), 113 + 1.5).tolist()
    assert label == -7
    assert wrapped[1][1] == -digits[1][2]
    assert wrapped.targets[:30].tolist() == digits[1][::2].tolist()


def test_celeba_is_wrapped_with_one_attribute_as_the_label(tmp_path, digits, monkeypatch):
    datasets = pytest.importorskip("torchvision.datasets")
    images, labels = digits
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    tables = {
        "list_eval_partition.txt": [],
        "identity_CelebA.txt": [],
        "list_bbox_celeba.txt": ["", ""],
        "list_landmarks_align_celeba.txt": ["", ""],
        "list_attr_celeba.txt": ["60", "Bald Male Smiling"],
    }
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).convert("RGB").save(root / "img_align_celeba" / f"{i}.jpg")
        for name, lines in tables.items():
            lines.append(
                f"{i}.jpg -1 {1 if label == 3 else -1} 1" if "attr" in name else f"{i}.jpg 0"
            )
    for name, lines in tables.items():
        (root / name).write_text("\n".join(lines))
    # the miniature has none of the MD5 sums that torchvision wants
    monkeypatch.setattr(datasets.CelebA, "_check_integrity", lambda self: True)
    dataset = datasets.CelebA(
        str(tmp_path), transform=np.asarray, target_transform=lambda attributes: attributes[1]
    )
    fitted = read_training_set(dataset)

    wrapped = augmented(dataset, (fitted.values[:2] // 2, np.array([0, 1])), fitted=fitted)

    assert fitted.classes.tolist() == [0, 1]
    assert wrapped.targets.tolist() == [*(labels == 3), 0, 1]
    image, label = wrapped[61]
    assert (image == fitted.values[1].transpose(1, 2, 0) // 2).all()
    assert label.equal(torch.tensor(1))


def test_transforms_given_to_the_wrapper_apply_to_real_and_synthetic_items(tensors):
    wrapped = augmented(
        tensors, transform=lambda image: image.sum(), target_transform=lambda label: -label
    )

    assert wrapped[2][0] == tensors[2][0].sum()
    assert wrapped[60][0].item() == pytest.approx(64 * 100 / 255, rel=1e-5)
    assert wrapped[2][1] == -tensors[2][1]
    assert wrapped[60][1] == -3
    assert wrapped.targets[60] == 3


def test_the_wrapper_s_transform_works_on_dicts(digits):
    dataset = Items(
        [{"image": image, "label": int(label)} for image, label in zip(*digits, strict=True)]
    )

    wrapped = augmented(dataset, transform=lambda image: image.mean())

    assert wrapped[1] == {"image": digits[0][1].mean(), "label": digits[1][1]}
    assert wrapped[60] == {"image": 100, "label": 3}


def test_albumentations_transforms_are_called_by_name(digits):
    A = pytest.importorskip("albumentations")
    dataset = Items(list(zip(digits[0], digits[1].tolist(), strict=True)))

    wrapped = augmented(dataset, transform=A.Compose([A.InvertImg(p=1)]))

    assert (wrapped[0][0] == 255 - digits[0][0]).all()
    assert (wrapped[60][0] == 155).all()


def test_global_random_state_is_neither_read_nor_changed(tensors):
    def drawn():
        return torch.rand(1).item(), np.random.random(), random.random()  # noqa: NPY002

    def seed():
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)

    seed()
    expected = drawn()
    seed()
    wrapped = augmented(tensors, lambda epoch: uint8_rows(epoch), refresh=True)
    wrapped.set_epoch(1)
    wrapped.__getitems__([0, 60])
    assert drawn() == expected


# ---------------------------------------------------------------------------------- labels


def test_declared_labels_spare_reading_the_items(digits):
    images, labels = digits
    items = list(zip(images, labels.tolist(), strict=True))
    fitted = read_training_set(images, labels)
    scanned = Items(items)
    declared = [
        Items(items, targets=labels.tolist()),
        Items(items, targets=torch.from_numpy(labels)),
        Items(items, labels=labels),
    ]

    for dataset in (scanned, *declared):
        read = read_dataset_labels(dataset, fitted.classes)
        assert read.codes.tolist() == fitted.labels.tolist()
    assert scanned.n_reads == N_REAL + 1  # the first tells the form
    assert all(dataset.n_reads <= 1 + 16 + 3 for dataset in declared)


def test_declared_labels_that_the_items_contradict_are_not_believed(digits):
    images, labels = digits
    items = list(zip(images, labels.tolist(), strict=True))
    rare = labels.copy()
    rare[4] = 9  # an item that no evenly spaced look would find

    for targets in (labels - 3, rare, labels[:-1], np.eye(10)[labels]):
        read = read_dataset_labels(Items(items, targets=targets), np.array([3, 5, 7]))
        assert np.array([3, 5, 7])[read.codes].tolist() == labels.tolist()


@pytest.mark.parametrize(
    "held",
    [
        lambda labels: np.eye(10, dtype=int)[labels].tolist(),
        lambda labels: list(np.eye(10)[labels]),
        lambda labels: list(torch.eye(10)[torch.from_numpy(labels)]),
        lambda labels: [(0, label) for label in labels.tolist()],
        lambda labels: [{"digit": label} for label in labels.tolist()],
        lambda labels: np.array([{"digit": label} for label in labels.tolist()]),
        lambda labels: [None] * len(labels),
    ],
    ids=["lists", "arrays", "tensors", "tuples", "dicts", "objects", "nothing"],
)
@pytest.mark.parametrize("name", ["targets", "labels"])
def test_items_are_read_where_a_dataset_holds_more_than_single_labels(name, held, digits):
    images, labels = digits
    dataset = Items(list(zip(images, labels.tolist(), strict=True)), **{name: held(labels)})

    read = read_dataset_labels(dataset, np.array([3, 5, 7]))

    assert np.array([3, 5, 7])[read.codes].tolist() == labels.tolist()


def test_labels_of_parts_and_of_sums_of_datasets_are_right(tensors, digits):
    images, labels = digits
    other = Items(list(zip(images, labels.tolist(), strict=True)), targets=labels.tolist())
    first, second = random_split(tensors, [0.3, 0.7], generator=torch.Generator().manual_seed(0))
    classes = np.array([3, 5, 7])
    both = ConcatDataset([Subset(first, [5, 1, 3]), Subset(other, range(59, 30, -1)), second])

    codes = read_dataset_labels(both, classes).codes

    assert classes[codes].tolist() == [int(both[i][1]) for i in range(len(both))]
    assert other.n_reads < 2 * len(both)


def test_labels_of_a_hugging_face_dataset_are_its_column():
    datasets = pytest.importorskip("datasets")
    images = [np.full((8, 8), 10 * i, dtype=np.uint8) for i in range(25)] * 3
    features = datasets.Features(
        {"img": datasets.Image(), "kind": datasets.ClassLabel(names=["bag", "boot"])}
    )
    columns = {"img": [Image.fromarray(image) for image in images], "kind": [0, 1, 1] * 25}
    dataset = datasets.Dataset.from_dict(columns, features=features)
    fitted = read_training_set(dataset, image_key="img", label_key="kind")

    wrapped = augmented(dataset, (fitted.values[:2], fitted.labels[:2]), fitted=fitted)

    assert wrapped.targets.tolist() == [0, 1, 1] * 25 + [0, 1]
    real, made = wrapped.__getitems__([1, 76])
    assert made["kind"] == real["kind"] == 1
    assert type(made["img"]) is Image.Image
    assert np.array_equal(np.asarray(made["img"]), images[1])


@pytest.mark.parametrize(
    "own", [[], None, torch.zeros(0, dtype=torch.int32)], ids=["list", "none", "tensor"]
)
def test_targets_come_in_the_container_of_the_dataset_s_own(own, digits):
    images, labels = digits
    declared = {} if own is None else {"targets": labels.tolist()}
    if isinstance(own, torch.Tensor):
        declared["targets"] = torch.from_numpy(labels).to(own.dtype)
    dataset = Items(list(zip(images, labels.tolist(), strict=True)), **declared)

    targets = augmented(dataset).targets

    assert type(targets) is (np.ndarray if own is None else type(own))
    assert list(map(int, targets)) == [*labels, *[3] * 5, *[7] * 9]


NAMES = ["bag", "boot", "coat"]


@pytest.mark.parametrize(
    ("own", "classes"),
    [
        (np.array(NAMES), NAMES),
        (pd.Index(NAMES), NAMES),
        (tuple(NAMES), NAMES),
        (torch.tensor([4, 5, 6]), [4, 5, 6]),
        (np.array([]), [3, 5, 7]),
        (3, [3, 5, 7]),
    ],
    ids=["array", "index", "tuple", "tensor", "empty", "number"],
)
def test_classes_are_a_list_whatever_holds_the_dataset_s_own(own, classes, digits):
    images, labels = digits
    dataset = Items(list(zip(images, labels.tolist(), strict=True)), classes=own)
    fitted = read_training_set(images, labels)

    assert augmented(dataset, fitted=fitted).classes == classes
    by_code = dict(enumerate(NAMES)) if classes == NAMES else {}
    assert names_in_dataset(dataset) == by_code


def test_columns_of_a_dataset_may_be_named_by_an_array(digits):
    items = [{"image": image, "label": int(label)} for image, label in zip(*digits, strict=True)]
    dataset = Items(items, column_names=np.array(["width", "height"]))

    assert augmented(dataset).targets[:N_REAL].tolist() == digits[1].tolist()


@pytest.mark.parametrize("declares", [True, False])
def test_labels_not_seen_in_fit_are_named_when_wrapping(declares, digits):
    images, labels = digits
    fitted = read_training_set(images, labels)
    other = labels.copy()
    other[[33, 41]] = 8
    dataset = Items(list(zip(images, other.tolist(), strict=True)))
    if declares:
        dataset.targets = other

    with pytest.raises(InvalidInputError, match=r"wrapped dataset .* Got 8 as well"):
        augmented(dataset, fitted=fitted)


def test_a_dataset_fitted_by_names_is_wrapped_by_its_integer_labels(image_folder):
    datasets = pytest.importorskip("torchvision.datasets")
    dataset = datasets.ImageFolder(str(image_folder))
    items = list(dataset)
    fitted = read_training_set(
        [image for image, _ in items], [dataset.classes[y] for _, y in items]
    )
    assert fitted.classes.tolist() == ["bag", "boot", "coat"]

    wrapped = augmented(dataset, (fitted.values[-2:], fitted.labels[-2:]), fitted=fitted)

    assert wrapped[len(dataset)][1] == 2
    assert wrapped.targets == [*dataset.targets, 2, 2]
    renamed = datasets.ImageFolder(str(image_folder))
    renamed.classes = ["bag", "boots", "coat"]
    with pytest.raises(InvalidInputError, match="'boots' as well"):
        augmented(renamed, fitted=fitted)


def test_names_tell_the_classes_of_another_folder_than_the_fitted_one(
    image_folder, tmp_path_factory
):
    datasets = pytest.importorskip("torchvision.datasets")
    augmenter = GANAugmenter(
        n_generators=1, width=4, max_images=64, filter=None, random_state=0, verbose=0
    ).fit(datasets.ImageFolder(str(image_folder)))  # bag, boot, coat: labels 0, 1, 2
    folder = tmp_path_factory.mktemp("other")
    for name in ("boot", "coat"):
        (folder / name).symlink_to(image_folder / name)
    other = datasets.ImageFolder(str(folder))  # labels 0, 1

    train = augmenter.wrap(other, sampling_strategy={1: 99, 2: 99}, synthetic_share=0.0)

    assert np.bincount(train.targets).tolist() == [99, 99]
    (folder / "belt").symlink_to(image_folder / "bag")
    with pytest.raises(InvalidInputError, match="'belt' as well"):
        augmenter.wrap(datasets.ImageFolder(str(folder)))


# -------------------------------------------------------------------------------- bad input


def pairs(images, labels):
    return Items(list(zip(images, labels.tolist(), strict=True)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image / 255, "values like those seen in fit"),
        (lambda image: image[:, :7], "height and width"),
        (lambda image: np.pad(image, 1), "image shape"),
        (lambda image: np.stack([image] * 3, -1), "image shape"),
        (lambda image: image.tolist(), "list in item 0"),
    ],
)
def test_items_unlike_the_fitted_data_are_refused_when_wrapping(change, message, digits):
    fitted = read_training_set(*digits)
    dataset = pairs([change(image) for image in digits[0]], digits[1])

    with pytest.raises(GanaugError, match=f"wrapped dataset.*{message}"):
        augmented(dataset, fitted=fitted)


@pytest.mark.parametrize("change", [lambda X: (X - 0.13) / 0.31, lambda X: X * 255])
def test_another_scale_than_the_fitted_one_is_refused(change, digits):
    images, labels = digits
    fitted = read_training_set(images / 255, labels)

    with pytest.raises(InvalidInputError, match="scale seen in fit, 0 to 1"):
        augmented(pairs(change(images / 255), labels), fitted=fitted)


def test_a_smaller_scale_than_the_fitted_one_is_refused(digits):
    images, labels = digits
    fitted = read_training_set(images.astype(np.float32), labels)

    with pytest.raises(InvalidInputError, match="Got values from 0 to"):
        augmented(pairs(images.astype(np.float32) / 255, labels), fitted=fitted)


def test_items_of_another_form_are_refused(digits):
    fitted = read_training_set(*digits)
    triples = Items(
        [(image, int(label), i) for i, (image, label) in enumerate(zip(*digits, strict=True))]
    )
    one_hot = Items([(image, np.eye(3)[0]) for image in digits[0]])

    with pytest.raises(InvalidTypeError, match="tuple of length 3 as item 0"):
        augmented(triples, fitted=fitted)
    with pytest.raises(InvalidInputError, match="item 0 of the dataset has a ndarray .*argmax"):
        augmented(one_hot, fitted=fitted)
    with pytest.raises(InvalidInputError, match="length 0"):
        augmented(Items([]), fitted=fitted)


def test_a_resized_fit_needs_a_transform_that_brings_both_to_one_size(digits):
    large = np.kron(digits[0], np.ones((1, 2, 2), dtype=np.uint8))
    fitted = read_training_set(large, digits[1], resize=(8, 8))
    dataset = pairs(large, digits[1])

    with pytest.raises(InvalidInputError, match=r"\(8, 8\), by the `resize`.*\(16, 16\)"):
        augmented(dataset, fitted=fitted)
    wrapped = augmented(dataset, fitted=fitted, transform=lambda image: image[:4, :4])
    assert wrapped[0][0].shape == wrapped[60][0].shape


def test_options_are_checked(tensors):
    for weight in (-1, float("nan"), float("inf")):
        with pytest.raises(InvalidInputError, match="`synthetic_weight` must be 0 or more"):
            augmented(tensors, synthetic_weight=weight)
    with pytest.raises(InvalidInputError, match="function of the epoch"):
        augmented(tensors, refresh=True)
    with pytest.raises(InvalidInputError, match=r"samples of shape \(1, 8, 8\)"):
        augmented(tensors, (np.zeros((2, 1, 9, 9), dtype=np.uint8), np.array([0, 1])))


# ------------------------------------------------------- samplers, parts, sums, DataLoaders


def test_samplers_balance_by_targets(tensors):
    wrapped = augmented(tensors)
    targets = torch.as_tensor(wrapped.targets)
    weights = (1.0 / targets.bincount().double())[targets]
    generator = torch.Generator().manual_seed(0)
    sampler = WeightedRandomSampler(weights.tolist(), 3000, generator=generator)

    drawn = DataLoader(wrapped, batch_size=500, sampler=sampler, generator=generator)

    counts = torch.cat([labels for _, labels in drawn]).bincount()[[3, 5, 7]]
    assert counts.min() > 900
    parts = [DistributedSampler(wrapped, num_replicas=2, rank=rank) for rank in (0, 1)]
    assert sorted(itertools.chain(*parts)) == list(range(len(wrapped)))


def test_the_wrapped_dataset_can_be_split_and_joined(tensors):
    wrapped = augmented(tensors)
    parts = random_split(wrapped, [50, 24], generator=torch.Generator().manual_seed(0))
    both = ConcatDataset([wrapped, tensors])

    sums = sorted(image.sum().item() for part in parts for image, _ in part)

    assert sums == sorted(image.sum().item() for image, _ in wrapped)
    assert len(both) == 2 * N_REAL + N_SYNTHETIC
    assert torch.equal(both[60][0], wrapped[60][0])
    assert torch.equal(both[74][0], tensors[0][0])


def epoch_of(loader):
    batches = list(loader)
    return torch.cat([images for images, _ in batches]), torch.cat([y for _, y in batches])


def expected_epoch(dataset, epoch):
    values, codes = uint8_rows(epoch)
    images = torch.cat([dataset.tensors[0], torch.from_numpy(values / 255).float()])
    return images, torch.cat([dataset.tensors[1], torch.tensor([3, 5, 7])[codes]])


@forks
@pytest.mark.parametrize(
    ("workers", "persistent"),
    [("none", False), ("fork", False), ("fork", True), ("spawn", True)],
)
def test_every_epoch_s_rows_are_made_once_and_reach_all_workers(workers, persistent, tensors):
    made_in = []

    def synthetic(epoch):
        made_in.append((epoch, os.getpid()))
        return uint8_rows(epoch)

    wrapped = augmented(tensors, synthetic, refresh=True)
    loader = DataLoader(
        wrapped,
        batch_size=16,
        num_workers=0 if workers == "none" else 2,
        multiprocessing_context=None if workers == "none" else workers,
        persistent_workers=persistent,
        generator=torch.Generator(),
    )
    for epoch in (0, 1, 3, 1):
        wrapped.set_epoch(epoch)
        images, labels = epoch_of(loader)
        expected_images, expected_labels = expected_epoch(tensors, epoch)
        assert torch.allclose(images, expected_images)
        assert torch.equal(labels, expected_labels)
    assert made_in == [(epoch, os.getpid()) for epoch in (0, 1, 3, 1)]


@pytest.mark.gpu
@forks
def test_batches_can_be_pinned(tensors):
    loader = DataLoader(
        augmented(tensors),
        batch_size=74,
        num_workers=1,
        pin_memory=True,
        generator=torch.Generator(),
    )
    images, labels = next(iter(loader))
    assert images.is_pinned()
    assert labels.is_pinned()


def test_set_epoch_without_refresh_changes_nothing(tensors):
    wrapped = augmented(tensors, lambda epoch: uint8_rows(epoch))
    before = wrapped[60][0]

    wrapped.set_epoch(5)

    assert torch.equal(wrapped[60][0], before)


def test_every_epoch_must_have_the_same_labels(tensors):
    wrapped = augmented(
        tensors, lambda epoch: uint8_rows(epoch, np.roll(CODES, epoch)), refresh=True
    )

    with pytest.raises(InvalidInputError, match="same codes in every epoch"):
        wrapped.set_epoch(1)


def test_only_the_original_can_bring_a_new_epoch(tensors):
    wrapped = augmented(tensors, lambda epoch: uint8_rows(epoch), refresh=True)
    copy = pickle.loads(pickle.dumps(wrapped))

    with pytest.raises(GanaugError, match="on a copy"):
        copy.set_epoch(1)
    wrapped.set_epoch(1)
    assert copy.epoch == 1
    assert torch.equal(copy[60][0], wrapped[60][0])


# -------------------------------------------------------------------------------------- bank


def test_a_bank_pickles_without_its_rows(tmp_path):
    large = SyntheticBank.create(np.zeros((5000, 1, 8, 8), np.uint8), np.zeros(5000, int), tmp_path)

    assert len(pickle.dumps(large)) < 300 + len(str(tmp_path))


def test_a_bank_s_files_live_as_long_as_the_object_that_made_them(tmp_path):
    bank = SyntheticBank.create(*uint8_rows(), tmp_path)
    pickled = pickle.dumps(bank)
    copy, other_copy = pickle.loads(pickled), pickle.loads(pickled)

    del other_copy
    gc.collect()
    assert pickle.loads(pickled).values[3, 0, 0, 0] == 103

    del bank
    gc.collect()
    assert not list(tmp_path.iterdir())
    assert copy.values[3, 0, 0, 0] == 103  # it has them open
    with pytest.raises(ModelFileError, match=r"ganaug-bank-.* are gone"):
        pickle.loads(pickled)


@forks
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_remove_the_files(tmp_path):
    banks = [SyntheticBank.create(*uint8_rows(), tmp_path)]

    child = multiprocessing.get_context("fork").Process(target=banks.clear)
    child.start()
    child.join()

    assert child.exitcode == 0
    assert pickle.loads(pickle.dumps(banks[0])).values.shape == (14, 1, 8, 8)


def test_rows_in_a_bank_cannot_be_changed_by_accident(tmp_path):
    bank = SyntheticBank.create(*uint8_rows(), tmp_path)

    for array in (bank.values, bank.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_published_rows_replace_the_old_ones_on_disk_and_in_copies(tmp_path):
    bank = SyntheticBank.create(*uint8_rows(), tmp_path)
    copy = pickle.loads(pickle.dumps(bank))

    for epoch in (1, 2):
        bank.publish(uint8_rows(epoch)[0], epoch)
        assert bank.epoch == copy.epoch == epoch
        assert copy.values[0, 0, 0, 0] == bank.values[0, 0, 0, 0] == 100 + 20 * epoch

    assert len(list(tmp_path.glob("*/values-*"))) == 1
    with pytest.raises(GanaugError, match="Only the process that made"):
        copy.publish(uint8_rows(3)[0], 3)
    with pytest.raises(InvalidInputError, match="must be uint8 of shape"):
        bank.publish(uint8_rows(3)[0][:5], 3)


def test_a_reader_that_is_overtaken_by_further_epochs_finds_the_last_one(tmp_path, monkeypatch):
    bank = SyntheticBank.create(*uint8_rows(), tmp_path)
    copy = pickle.loads(pickle.dumps(bank))
    bank.publish(uint8_rows(1)[0], 1)
    assert bank.values[0, 0, 0, 0] == 120
    load = np.load

    def overtaken(file, **options):
        if file.name == "values-1.npy" and bank.epoch == 1:
            bank.publish(uint8_rows(2)[0], 2)  # removes the file that is about to be opened
        return load(file, **options)

    monkeypatch.setattr(np, "load", overtaken)
    assert copy.values[0, 0, 0, 0] == 140


def test_a_bank_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(file, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        SyntheticBank.create(*uint8_rows(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_as_many_labels_as_rows_are_needed(tmp_path):
    with pytest.raises(InvalidInputError, match="Got 14 and 13 instead"):
        SyntheticBank.create(uint8_rows()[0], CODES[:-1], tmp_path)


@pytest.mark.parametrize(
    ("codes", "known"),
    [
        ({"dog": 1, "cat": 0}, ["cat", "dog"]),
        ({"dog": 2, "cat": 1, "emu": 0}, ["emu", "cat", "dog"]),
        ({"dog": 1, "cat": 0, "emu": 5}, [0, 1]),
    ],
)
def test_classes_stand_in_the_order_of_their_labels(codes, known):
    images, labels = torch.rand(6, 1, 8, 8), torch.arange(6) % 2
    fitted = read_training_set(images, labels)
    dataset = TensorDataset(images, labels)
    dataset.class_to_idx = codes
    made = np.zeros((1, 1, 8, 8), dtype=np.uint8), np.ones(1, dtype=np.int64)
    wrapped = AugmentedDataset(dataset, made, spec=fitted.spec, classes=fitted.classes)
    assert wrapped.classes == known
