"""Datasets of torchvision and Hugging Face, fitted and wrapped as they come.

The trees are miniatures in the libraries' own on-disk formats, made of scikit-learn's digits.
"""

from __future__ import annotations

import pickle
import struct

import datasets as hugging_face
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, tv_tensors
from torchvision.transforms import v2

from ganaug import GANAugmenter

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

N_PER_CLASS = {0: 30, 1: 25, 2: 20}


def tiny_augmenter(**parameters):
    tiny = {
        "n_generators": 1,
        "max_images": 128,
        "width": 4,
        "filter": None,
        "synthetic_share": 0.5,
        "random_state": 0,
        "verbose": 0,
    }
    return GANAugmenter(**{**tiny, **parameters})


@pytest.fixture(scope="module")
def digits(all_digits):
    """Digits of three classes, (n, 24, 24) uint8, and labels."""
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in N_PER_CLASS.items()])
    images = (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8)
    return images.repeat(3, axis=1).repeat(3, axis=2), y[rows]


# --- miniature trees ---


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def mnist(kind):
    def make(root, images, labels, monkeypatch):
        raw = root / kind.__name__ / "raw"
        for part in ("train", "t10k"):
            write_idx(raw / f"{part}-images-idx3-ubyte", np.pad(images, ((0, 0), (2, 2), (2, 2))))
            write_idx(raw / f"{part}-labels-idx1-ubyte", labels)
        return kind(root)

    return make


def cifar10(root, images, labels, monkeypatch):
    # the miniature has other MD5 sums than the real files
    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    colour = np.pad(images, ((0, 0), (4, 4), (4, 4)))[:, None].repeat(3, axis=1)
    for i, rows in enumerate(np.array_split(np.arange(len(labels)), 5), start=1):
        batch = {"data": colour[rows].reshape(-1, 3072), "labels": labels[rows].tolist()}
        (folder / f"data_batch_{i}").write_bytes(pickle.dumps(batch))
    names = {"label_names": ["airplane", "automobile", "bird"]}
    (folder / "batches.meta").write_bytes(pickle.dumps(names))
    return datasets.CIFAR10(root)


def image_folder(root, images, labels, monkeypatch):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = root / ["bag", "boot", "coat"][label]
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).convert("RGB").save(folder / f"{i}.png")
    return datasets.ImageFolder(root)


def celeba(root, images, labels, monkeypatch):
    # the miniature has other MD5 sums than the real files
    monkeypatch.setattr("torchvision.datasets.celeba.check_integrity", lambda *args: True)
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(len(images))]
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).convert("RGB").save(folder / "img_align_celeba" / name)
    smiling = np.where(labels == 0, -1, 1)
    columns = {
        "list_eval_partition.txt": ("", ["0"] * len(names)),
        "identity_CelebA.txt": ("", ["1"] * len(names)),
        "list_bbox_celeba.txt": ("75\nimage_id x_1 y_1 width height\n", ["1 2 3 4"] * len(names)),
        "list_landmarks_align_celeba.txt": ("75\nx y\n", ["1 2"] * len(names)),
        "list_attr_celeba.txt": ("75\nMale Smiling Young\n", [f"1 {s} -1" for s in smiling]),
    }
    for file_name, (header, values) in columns.items():
        rows = "".join(f"{name} {value}\n" for name, value in zip(names, values, strict=True))
        (folder / file_name).write_text(header + rows)
    dataset = datasets.CelebA(root, target_transform=pick_smiling)
    assert dataset.attr_names == ["Male", "Smiling", "Young"]
    return dataset


def pick_smiling(attributes):
    return int(attributes[1])


MAKERS = {
    "MNIST": mnist(datasets.MNIST),
    "FashionMNIST": mnist(datasets.FashionMNIST),
    "CIFAR10": cifar10,
    "ImageFolder": image_folder,
    "CelebA": celeba,
}


@pytest.fixture(params=MAKERS)
def vision_dataset(request, tmp_path, digits, monkeypatch):
    return MAKERS[request.param](tmp_path, *digits, monkeypatch)


# --- torchvision ---

TRANSFORMS = {
    "PIL": None,
    "tensor": v2.PILToTensor(),
    "tv_tensor": v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]),
}
TYPES = {"PIL": Image.Image, "tensor": torch.Tensor, "tv_tensor": tv_tensors.Image}


def test_a_torchvision_dataset_is_fitted_raw_and_its_transforms_serve_all_items(vision_dataset):
    vision_dataset.transform = refuse
    augmenter = tiny_augmenter().fit(vision_dataset)
    train = augmenter.wrap(vision_dataset, sampling_strategy="all")
    assert train.n_synthetic == sum(plan.n_synthetic for plan in augmenter.resampling_report_)
    assert len(train) == len(vision_dataset) + train.n_synthetic + train.n_augmented
    place_of_synthetic = int(np.flatnonzero(train.is_synthetic)[-1])
    for name, transform in TRANSFORMS.items():
        vision_dataset.transform = transform
        (real, _), (made, label) = train[0], train[place_of_synthetic]
        assert isinstance(made, TYPES[name])
        assert type(label) is int
        if name == "PIL":
            real.load()  # CelebA gives images whose file is still open
            assert (made.mode, made.size) == (real.mode, real.size)
        else:
            assert type(made) is type(real)
            assert (made.shape, made.dtype) == (real.shape, real.dtype)


def refuse(image):
    raise AssertionError("fit must read raw images")


@pytest.mark.works_with(
    "torchvision",
    "MNIST, FashionMNIST, CIFAR10, CelebA, `ImageFolder`: fitted, wrapped, in a DataLoader",
)
def test_a_wrapped_torchvision_dataset_goes_through_a_data_loader(vision_dataset):
    augmenter = tiny_augmenter().fit(vision_dataset)
    vision_dataset.transform = TRANSFORMS["tv_tensor"]
    train = augmenter.wrap(vision_dataset)
    images, labels = next(iter(DataLoader(train, len(train))))
    counts = torch.bincount(labels)
    assert (counts == counts.max()).all()
    assert torch.equal(labels[: len(vision_dataset)], torch.tensor([y for _, y in vision_dataset]))
    assert images.dtype == torch.float32


# --- Hugging Face ---


@pytest.fixture
def hugging_face_dataset(digits):
    images, labels = digits
    features = hugging_face.Features(
        {"picture": hugging_face.Image(), "kind": hugging_face.ClassLabel(3)}
    )
    columns = {"picture": [Image.fromarray(image) for image in images], "kind": labels.tolist()}
    return hugging_face.Dataset.from_dict(columns, features=features)


def test_a_hugging_face_dataset_is_fitted_and_wrapped_by_its_keys(hugging_face_dataset):
    augmenter = tiny_augmenter(image_key="picture", label_key="kind").fit(hugging_face_dataset)
    train = augmenter.wrap(hugging_face_dataset)
    real, made = train[0], train[int(np.flatnonzero(train.is_synthetic)[-1])]
    assert real.keys() == made.keys() == {"picture", "kind"}
    assert (made["picture"].mode, made["picture"].size) == ("L", (24, 24))
    assert (type(made["kind"]), made["kind"]) == (int, 2)
    counts = np.bincount(train.targets)
    assert counts.tolist() == [30, 30, 30]


@pytest.mark.works_with("datasets", "Hugging Face datasets: fitted, wrapped, in a DataLoader")
def test_a_wrapped_hugging_face_dataset_goes_through_a_data_loader(hugging_face_dataset):
    augmenter = tiny_augmenter(image_key="picture", label_key="kind").fit(hugging_face_dataset)
    train = augmenter.wrap(hugging_face_dataset, transform=v2.PILToTensor())
    batch = next(iter(DataLoader(train, len(train))))
    assert batch["picture"].shape == (90, 1, 24, 24)
    assert torch.bincount(batch["kind"]).tolist() == [30, 30, 30]
