"""Neighbouring libraries, used as their users use them.

Marks named `works_with` make the table of docs/works-with.md: ``python -m benchmarks.works_with``.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    random_split,
)

from benchmarks import works_with
from ganaug import GANAugmenter
from ganaug.exceptions import InvalidTypeError

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

TINY = {"n_generators": 1, "max_images": 64, "width": 4, "filter": None, "verbose": 0}


def fit(X, y=None):
    return GANAugmenter(**TINY, synthetic_share=0.5, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def digits(all_digits):
    """60 zeros and 30 ones, uint8 (n, 8, 8)."""
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:60], np.flatnonzero(y == 1)[:30]]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), y[rows]


class Pictures(Dataset):
    """As most people write one: PIL images, and labels as int."""

    def __init__(self, images, labels):
        self.images, self.targets = images, labels.tolist()

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return Image.fromarray(self.images[index]).convert("RGB"), self.targets[index]


@pytest.mark.works_with("timm", "`create_loader(augmenter.wrap(dataset), ...)`")
def test_timms_loader_sets_its_transforms_on_the_wrapped_dataset(digits):
    data = pytest.importorskip("timm.data")
    pictures = Pictures(*digits)
    train = fit(pictures).wrap(pictures)
    loader = data.create_loader(
        train,
        input_size=(3, 16, 16),
        batch_size=20,
        is_training=True,
        use_prefetcher=False,
        num_workers=0,
        persistent_workers=False,
        device=torch.device("cpu"),
    )
    images, labels = next(iter(loader))
    assert images.shape == (20, 3, 16, 16)  # the loader's transforms served all items
    assert images.dtype == torch.float32
    assert set(labels.tolist()) <= {0, 1}
    made = int(np.flatnonzero(train.is_synthetic)[0])
    assert train[made][0].shape == train[0][0].shape == (3, 16, 16)
    assert len(train) == 120


@pytest.mark.works_with("torch", "`random_split`, `Subset`, `ConcatDataset`: fitted and wrapped")
def test_parts_and_sums_of_datasets_are_fitted_and_wrapped(digits):
    X, y = digits
    whole = TensorDataset(torch.from_numpy(X)[:, None] / 255, torch.from_numpy(y))
    part, rest = random_split(whole, [0.7, 0.3], generator=torch.Generator().manual_seed(0))
    for dataset in (part, ConcatDataset([part, rest])):
        train = fit(dataset).wrap(dataset)
        assert torch.equal(train[3][0], dataset[3][0])
        counts = torch.cat([labels for _, labels in DataLoader(train, 32)]).bincount()
        assert (
            counts[0] == counts[1] == torch.tensor([int(label) for _, label in dataset]).eq(0).sum()
        )


class Stream(IterableDataset):
    def __init__(self, images, labels):
        self.images, self.labels = torch.from_numpy(images)[:, None] / 255, torch.from_numpy(labels)

    def __iter__(self):
        return zip(self.images, self.labels, strict=True)


@pytest.fixture
def shard(digits, tmp_path):
    path = tmp_path / "digits.tar"
    with tarfile.open(path, "w") as tar:
        for i, (image, label) in enumerate(zip(*digits, strict=True)):
            png = io.BytesIO()
            Image.fromarray(image).save(png, format="png")
            for name, content in (("png", png.getvalue()), ("cls", str(label).encode())):
                member = tarfile.TarInfo(f"{i:04d}.{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def decode(sample):
    with Image.open(io.BytesIO(sample["png"])) as picture:
        return torch.tensor(np.array(picture))[None] / 255, int(sample["cls"])


def streams_of(kind, digits, shard):
    if kind == "torch":
        return Stream(*digits)
    webdataset = pytest.importorskip("webdataset")
    return webdataset.WebDataset(str(shard), shardshuffle=False).map(decode)


@pytest.mark.works_with(
    "webdataset", "`SyntheticMix` in the batches of a stream; `ganaug sample --shards` writes them"
)
@pytest.mark.parametrize("kind", ["torch", "webdataset"])
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves them
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stream_is_refused_and_served_by_synthetic_mix(kind, digits, shard):
    from ganaug.integrations.torchvision import SyntheticMix

    stream = streams_of(kind, digits, shard)
    with pytest.raises(InvalidTypeError, match=r"islice.*SyntheticMix"):
        fit(stream)
    first = list(stream)  # as the message says
    augmenter = fit(TensorDataset(torch.stack([x for x, _ in first]), torch.tensor(digits[1])))
    with pytest.raises(InvalidTypeError, match="stream.*SyntheticMix"):
        augmenter.wrap(stream)
    mix = SyntheticMix(augmenter, p=0.5, n_per_class=20, return_is_synthetic=True)
    n_synthetic = 0
    for images, labels in DataLoader(stream, batch_size=30):
        mixed, mixed_labels, is_synthetic = mix(images, labels)
        assert torch.equal(mixed_labels, labels)
        assert torch.equal(mixed[~is_synthetic], images[~is_synthetic])
        n_synthetic += int(is_synthetic.sum())
    assert 25 < n_synthetic < 65
    del stream


def test_tf_data_takes_what_augment_gives(digits):
    tf = pytest.importorskip("tensorflow")
    X, y = fit(*digits).augment(*digits)
    batches = list(tf.data.Dataset.from_tensor_slices((X, y)).shuffle(200, seed=0).batch(40))
    labels = np.concatenate([labels.numpy() for _, labels in batches])
    assert np.bincount(labels).tolist() == [60, 60]
    assert batches[0][0].shape == (40, 8, 8)


def test_every_library_of_the_marks_stands_in_the_table():
    # versions are those of the last run of the script
    root = Path(__file__).parent
    marked = re.compile(r'mark\.works_with\(\s*"([\w-]+)"')
    named = {n for path in root.glob("*.py") for n in marked.findall(path.read_text("utf-8"))}
    table = works_with.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| ([\w-]+) \| \d", table, flags=re.MULTILINE)) == named
