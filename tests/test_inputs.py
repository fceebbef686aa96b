"""ganaug/inputs: images and rows of every supported kind, there and back."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from ganaug.exceptions import (
    FlattenedImagesWarning,
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
)
from ganaug.inputs import DataSpec, read_labelled, read_training_set, without_transforms
from ganaug.jsonable import read_as

N = 40
LABELS = np.array([0, 1] * (N // 2))


def uint8_images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (N, *shape), dtype=np.uint8)


class ItemDataset(Dataset):
    """A Dataset of whatever items it is given."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


@pytest.fixture
def image_folder(tmp_path):
    """A tree of 2 x 20 PNG images of 12 x 10 pixels."""
    for i, pixels in enumerate(uint8_images(12, 10, 3)):
        folder = tmp_path / ("bag", "boot")[i % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return tmp_path


# ------------------------------------------------------------------- shapes, dtypes and ranges


@pytest.mark.parametrize(
    ("shape", "layout", "chw"),
    [
        ((8, 9), "HW", (1, 8, 9)),
        ((8, 9, 1), "HWC", (1, 8, 9)),
        ((8, 9, 3), "HWC", (3, 8, 9)),
        ((4, 8, 9), "CHW", (4, 8, 9)),
        ((2, 128, 8), "CHW", (2, 128, 8)),
    ],
)
@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy])
def test_uint8_images_pass_through_unchanged(shape, layout, chw, wrap):
    X = wrap(uint8_images(*shape))

    data = read_training_set(X, LABELS)
    back = data.spec.decode(data.values)

    assert (data.spec.layout, data.spec.image_shape) == (layout, chw)
    assert data.values.shape == (N, *chw)
    assert data.values.dtype == np.uint8
    assert data.values.flags.c_contiguous
    assert type(back) is type(X)
    assert back.dtype == X.dtype
    assert (np.asarray(back) == np.asarray(X)).all()


def test_the_networks_get_channels_first():
    X = uint8_images(8, 9, 3)

    values = read_training_set(X, LABELS).values

    assert (values[5, 2] == X[5, :, :, 2]).all()


def test_an_undecided_channel_axis_is_last_in_arrays_and_first_in_tensors():
    X = uint8_images(3, 20, 4)

    array = read_training_set(X, LABELS, resize=(8, 8)).spec
    tensor = read_training_set(torch.from_numpy(X), LABELS, resize=(8, 8)).spec

    assert (array.layout, array.image_shape) == ("HWC", (4, 8, 8))
    assert (tensor.layout, tensor.image_shape) == ("CHW", (3, 8, 8))


@pytest.mark.parametrize(
    ("dtype", "low", "high", "expected"),
    [
        ("uint8", 3, 40, (0, 255)),
        ("bool", 0, 1, (0, 1)),
        ("float32", 0.1, 0.9, (0, 1)),
        ("float64", -0.9, 0.2, (-1, 1)),
        ("float16", 2, 250, (0, 255)),
        ("float64", 0, 16, (0, 16)),
        ("float64", 0, 0.25, (0, 0.25)),
        ("float32", -3, 5, (-3, 5)),
        ("float32", 0, 256, (0, 256)),
        ("uint16", 100, 4095, (100, 4095)),
        ("int64", -1000, 3000, (-1000, 3000)),
        ("int32", 0, 1, (0, 1)),
    ],
)
def test_the_value_range_is_inferred_and_dtypes_come_back(dtype, low, high, expected):
    X = np.linspace(low, high, N * 64).reshape(N, 8, 8).round(6 if "float" in dtype else 0)
    X = X.astype(dtype)

    data = read_training_set(X, LABELS)
    back = data.spec.decode(data.values)

    assert data.spec.value_range == pytest.approx(expected, rel=1e-3)
    assert back.dtype == X.dtype
    step = (data.spec.value_range[1] - data.spec.value_range[0]) / 255
    tolerance = 0.5 * step + (0.5 if X.dtype.kind in "iu" else 0) + 1e-3 * abs(high)
    assert np.abs(back.astype(float) - X.astype(float)).max() <= tolerance


def test_a_given_value_range_is_kept():
    X = uint8_images(8, 8) // 16

    data = read_training_set(X, LABELS, value_range=(0, 15))

    assert data.spec.value_range == (0.0, 15.0)
    assert data.values.max() == 255
    assert (data.spec.decode(data.values) == X).all()


@given(
    values=hnp.arrays(np.uint8, (3, 1, 8, 8)),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]),
    low=st.integers(-1000, 1000),
    width=st.integers(256, 60000),
)
def test_decoding_then_encoding_changes_nothing_and_keeps_the_range(values, dtype, low, width):
    low = max(low, 0) if dtype.startswith("u") else low
    low, high = (0, 255) if dtype == "uint8" else (low, low + width)
    spec = DataSpec(
        "image", "numpy", dtype, "HW", image_shape=(1, 8, 8), value_range=(float(low), float(high))
    )

    decoded = spec.decode(values)

    assert decoded.dtype == dtype
    assert decoded.min() >= low
    assert decoded.max() <= high
    assert (spec.encode(decoded) == values).all()


def test_the_ends_of_the_range_are_exact():
    X = np.linspace(-0.3, 7.1, N * 64, dtype=np.float32).reshape(N, 8, 8)
    data = read_training_set(X, LABELS)

    ends = data.spec.decode(np.array([[[[0]]], [[[255]]]], dtype=np.uint8)).ravel()

    assert ends.tolist() == [X.min(), X.max()]


def test_bfloat16_and_float16_tensors_come_back_as_such():
    for dtype in (torch.bfloat16, torch.float16):
        X = torch.rand(N, 1, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
        data = read_training_set(X, LABELS)
        back = data.spec.decode(data.values)
        assert back.dtype == dtype
        assert (back.float() - X.float()).abs().max() < 0.01


# ------------------------------------------------------------------------------- containers


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16", "I", "F"])
def test_pil_images_come_back_in_their_mode(mode):
    bases = [Image.fromarray(pixels) for pixels in uint8_images(9, 8, 3)]
    X = [base.convert("L" if mode == "I;16" else mode).convert(mode) for base in bases]

    data = read_training_set(X, LABELS)
    back = data.spec.decode(data.values)

    assert isinstance(back, list)
    assert {image.mode for image in back} == {mode}
    assert {image.size for image in back} == {(8, 9)}
    assert np.abs(np.asarray(back[3], float) - np.asarray(X[3], float)).max() <= 1


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV"])
def test_palettes_and_other_colour_spaces_are_read_as_rgb(mode):
    X = [Image.fromarray(pixels).convert(mode) for pixels in uint8_images(8, 8, 3)]

    data = read_training_set(X, LABELS)

    assert data.spec.pil_mode == "RGB"
    assert (data.values[0].transpose(1, 2, 0) == np.asarray(X[0].convert("RGB"))).all()


@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy])
def test_a_list_of_arrays_comes_back_as_a_list(wrap):
    X = [wrap(image) for image in uint8_images(8, 9)]

    data = read_training_set(X, LABELS)
    back = data.spec.decode(data.values)

    assert isinstance(back, list)
    assert type(back[0]) is type(X[0])
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(X, back, strict=True))


def test_nested_lists_of_numbers_are_images_too():
    data = read_training_set(uint8_images(8, 8).tolist(), LABELS)

    assert data.spec.image_shape == (1, 8, 8)


@pytest.mark.parametrize("image_shape", [(8, 12), (8, 9, 3), (3, 9, 8)])
def test_rows_keep_the_order_of_their_values(image_shape):
    X = uint8_images(int(np.prod(image_shape))).reshape(N, -1).astype(np.float64)

    data = read_training_set(X, LABELS, image_shape=image_shape)
    back = data.spec.decode(data.values)

    assert data.spec.layout == "rows"
    assert back.shape == X.shape
    assert (back == X).all()


def test_a_data_frame_of_images_comes_back_as_one(imbalanced_digits):
    X, y = imbalanced_digits
    frame = pd.DataFrame(X.astype(int)).add_prefix("pixel_")
    frame["pixel_0"] = frame["pixel_0"].astype("Int64")

    data = read_training_set(frame, pd.Series(y), image_shape=(8, 8))
    back = data.spec.decode(data.values)

    assert (back.columns == frame.columns).all()
    assert (back.dtypes == frame.dtypes).all()
    assert (back.to_numpy() == frame.to_numpy()).all()


def test_a_table_keeps_columns_and_dtypes():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "length": rng.normal(size=N),
            "count": rng.integers(-5, 200, N),
            "is_new": rng.random(N) < 0.5,
            "weight": rng.random(N).astype(np.float32),
        }
    )

    data = read_training_set(frame, LABELS)
    back = data.spec.decode(data.values)

    assert data.values.dtype == np.float32
    assert data.spec.kind == "table"
    assert data.spec.image_shape is None
    pd.testing.assert_frame_equal(back, frame, rtol=1e-5)


def test_integers_of_a_table_are_rounded_and_stay_within_their_dtype():
    spec = read_training_set(np.tile(np.array([[1], [200]], np.uint8), (20, 1)), LABELS).spec

    back = spec.decode(np.array([[1.6], [-3.0], [700.0]], dtype=np.float32))

    assert back.ravel().tolist() == [2, 0, 255]
    assert back.dtype == np.uint8


def test_largest_integers_do_not_wrap_around():
    spec = DataSpec("table", "numpy", "int64", "rows", n_columns=1)

    back = spec.decode(np.array([[1e30], [-1e30]], dtype=np.float32))

    assert back[0, 0] > 9.2e18
    assert back[1, 0] < -9.2e18


# --------------------------------------------------------------------------------- Datasets


def test_a_dataset_of_tensors_is_learnt_as_it_is():
    X = torch.rand(N, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    data = read_training_set(TensorDataset(X, torch.from_numpy(LABELS)))
    back = data.spec.decode(data.values)

    assert data.spec.value_range == (0, 1)
    assert back.shape == X.shape
    assert (back - X).abs().max() < 0.003
    assert torch.equal(data.label_kind.decode(data.labels, data.classes), torch.tensor(LABELS))


@pytest.mark.parametrize("label", [int, str, np.int32, np.str_])
def test_labels_of_items_may_be_numbers_or_strings(label):
    items = [(image, label(y)) for image, y in zip(uint8_images(8, 8), LABELS, strict=True)]

    data = read_training_set(ItemDataset(items))

    assert data.labels.tolist() == LABELS.tolist()
    assert data.classes.tolist() == [label(0), label(1)]
    assert isinstance(data.label_kind.decode(data.labels, data.classes), np.ndarray)


def test_items_may_be_dicts_with_keys_of_the_users_choice():
    items = [
        {"scan": Image.fromarray(image), "finding": int(y), "site": "A"}
        for image, y in zip(uint8_images(8, 8), LABELS, strict=True)
    ]

    data = read_training_set(ItemDataset(items), image_key="scan", label_key="finding")

    assert data.spec.container == "pil"
    assert (data.values[:, 0] == uint8_images(8, 8)).all()
    # the spec remembers the keys, so that further items can be read
    assert (data.spec.encode(ItemDataset(items[:5])) == data.values[:5]).all()


def test_hugging_face_datasets_are_read():
    datasets = pytest.importorskip("datasets")
    images = uint8_images(8, 8, 3)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["bag", "boot"])}
    )
    data = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(image) for image in images], "label": LABELS.tolist()},
        features=features,
    )

    read = read_training_set(data)

    assert (read.values.transpose(0, 2, 3, 1) == images).all()
    assert read.labels.tolist() == LABELS.tolist()


def test_a_torchvision_dataset_is_read_with_its_transforms_off_and_left_alone(image_folder):
    def never(*args):
        raise AssertionError("a transform was used")

    dataset = torchvision.datasets.ImageFolder(
        str(image_folder), transform=never, target_transform=never
    )
    before = dict(vars(dataset))

    data = read_training_set(dataset)

    assert data.spec.container == "pil"
    assert data.values.shape == (N, 3, 12, 10)
    assert data.classes.tolist() == [0, 1]
    assert data.class_names == ("bag", "boot")
    assert vars(dataset) == before


def test_subsets_of_a_torchvision_dataset_are_read_with_its_transforms_off(image_folder):
    dataset = torchvision.datasets.ImageFolder(
        str(image_folder), transform=torchvision.transforms.ToTensor()
    )
    nested = Subset(Subset(dataset, range(N - 1, -1, -1)), [0, 1, 2, 3, 37, 38])

    raw = without_transforms(nested)

    assert isinstance(raw[0][0], Image.Image)
    assert [raw[i][1] for i in range(6)] == [nested[i][1] for i in range(6)]
    assert isinstance(nested[0][0], torch.Tensor)


def test_a_subset_with_transforms_of_its_own_is_not_looked_behind(image_folder):
    class Inverted(Subset):
        def __getitem__(self, i):
            image, label = self.dataset[self.indices[i]]
            return 255 - np.asarray(image), label

        def __getitems__(self, rows):
            return [self[i] for i in rows]

    dataset = Inverted(torchvision.datasets.ImageFolder(str(image_folder)), range(N))

    assert without_transforms(dataset) is dataset


def test_each_item_of_a_uint8_dataset_is_read_once():
    class Counting(ItemDataset):
        n_reads = 0

        def __getitem__(self, i):
            self.n_reads += 1
            return super().__getitem__(i)

    dataset = Counting(list(zip(uint8_images(8, 8), LABELS.tolist(), strict=True)))

    read_training_set(dataset)

    assert dataset.n_reads == N + 1  # the first tells the shape


# ----------------------------------------------------------------------------------- resize


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.uint16])
def test_larger_images_are_brought_to_a_size(dtype):
    # smooth, so that any sound interpolation nearly agrees
    gradient = np.linspace(0, 200, 256)[:, None] + np.linspace(0, 50, 300)
    X = np.stack([gradient + i % 2 for i in range(N)]).astype(dtype)

    data = read_training_set(X, LABELS, resize=(16, 20))
    back = data.spec.decode(data.values)

    assert back.shape == (N, 16, 20)
    assert back.dtype == dtype
    expected = gradient.reshape(16, 16, 20, 15).mean((1, 3))
    assert np.abs(back[0] - expected).max() < 2.5


def test_images_of_varied_sizes_are_brought_to_one():
    rng = np.random.default_rng(0)
    X = [Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)) for i in range(N)]

    data = read_training_set(X, LABELS, resize=(16, 8))

    assert data.values.shape == (N, 3, 16, 8)
    assert data.spec.decode(data.values[:1])[0].size == (8, 16)


# ------------------------------------------------------- later data, concatenation, saving


def test_a_spec_survives_json(image_folder, imbalanced_digits):
    X, y = imbalanced_digits
    sets = [
        read_training_set(X, y, image_shape=(8, 8)),
        read_training_set(pd.DataFrame({"a": X[:, 3], "b": X[:, 4]}), y),
        read_training_set(torchvision.datasets.ImageFolder(str(image_folder))),
        read_training_set(uint8_images(30, 30), LABELS, resize=[np.int64(9), 8]),
    ]
    for data in sets:
        saved = json.loads(json.dumps(dataclasses.asdict(data.spec)))
        assert read_as(DataSpec, saved, "spec") == data.spec


def test_held_out_rows_are_encoded_as_the_fitted_ones(imbalanced_digits):
    X, y = imbalanced_digits
    data = read_training_set(X, y, image_shape=(8, 8))

    values, codes = read_labelled(X[:30], y[:30], spec=data.spec, classes=data.classes)

    assert (values == data.values[:30]).all()
    assert (codes == data.labels[:30]).all()


def test_held_out_values_beyond_the_range_are_clipped(imbalanced_digits):
    X, y = imbalanced_digits
    spec = read_training_set(X, y, image_shape=(8, 8)).spec

    values = spec.encode(np.where(X == 16, 20, np.where(X == 0, -1, X)))

    assert (values == spec.encode(X)).all()


def test_held_out_data_may_come_in_another_container():
    X = uint8_images(8, 9, 3)
    spec = read_training_set(X, LABELS).spec

    as_tensor = spec.encode(torch.from_numpy(X.transpose(0, 3, 1, 2).copy()))
    as_pil = spec.encode([Image.fromarray(image) for image in X])

    assert (as_tensor == spec.encode(X)).all()
    assert (as_pil == spec.encode(X)).all()


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (np.zeros((3, 8, 9), np.uint8), InvalidInputError, r"\(1, 8, 8\).*Got \(1, 8, 9\)"),
        (np.zeros((3, 8, 8, 3), np.uint8), InvalidInputError, "image shape"),
        (np.zeros((3, 64)), InvalidInputError, "kind of data"),
        (np.full((3, 8, 8), 0.5), InvalidTypeError, "same scale"),
    ],
)
def test_held_out_data_of_another_look_is_refused(other, error, message):
    spec = read_training_set(uint8_images(8, 8), LABELS).spec

    with pytest.raises(error, match=message):
        spec.encode(other)


def test_a_table_with_other_columns_is_refused():
    frame = pd.DataFrame({"a": np.arange(N) - 5.0, "b": np.arange(N)})
    spec = read_training_set(frame, LABELS).spec

    assert spec.encode(frame[["a", "b"]]).shape == (N, 2)
    assert spec.encode(frame.to_numpy()).shape == (N, 2)
    with pytest.raises(InvalidInputError, match="column names"):
        spec.encode(frame[["b", "a"]])
    with pytest.raises(InvalidInputError, match="number of columns"):
        spec.encode(frame.to_numpy()[:, :1])


@pytest.mark.parametrize(
    "X",
    [
        uint8_images(8, 8),
        torch.from_numpy(uint8_images(3, 8, 8)),
        list(uint8_images(8, 8)),
        np.arange(N * 3.0).reshape(N, 3) - 1,
    ],
    ids=["array", "tensor", "list", "table"],
)
def test_real_rows_come_first_and_untouched(X):
    data = read_training_set(X, LABELS)

    joined = data.spec.concatenate(X, data.spec.decode(data.values[:7]))

    assert type(joined) is type(X)
    assert len(joined) == N + 7
    assert (np.asarray(joined[:N]) == np.asarray(X)).all()
    assert np.asarray(joined[0]).dtype == np.asarray(X[0]).dtype


def test_rows_in_nested_lists_may_follow_one_another():
    X = (np.arange(N * 3.0).reshape(N, 3) - 1).tolist()
    spec = read_training_set(X, LABELS).spec

    assert spec.concatenate(X, X[:2]).tolist() == [*X, *X[:2]]


def test_real_rows_keep_a_dtype_that_differs_from_the_fitted_one(imbalanced_digits):
    X, y = imbalanced_digits
    data = read_training_set(X, y, image_shape=(8, 8))

    joined = data.spec.concatenate(X.astype(np.float32), data.spec.decode(data.values[:2]))

    assert joined.dtype == np.float32


@pytest.mark.parametrize(
    ("index", "new"),
    [
        (range(N), [N, N + 1]),
        (range(100, 100 + 2 * N, 2), [179, 180]),
        ([f"patient_{i}" for i in range(N)], ["added_0", "added_1"]),
    ],
)
def test_the_index_of_a_data_frame_is_continued(index, new):
    frame = pd.DataFrame({"a": np.arange(N) - 5.0, "b": np.arange(N)}, index=list(index))
    data = read_training_set(frame, LABELS)

    joined = data.spec.concatenate(frame, data.spec.decode(data.values[:2]))

    pd.testing.assert_frame_equal(joined.iloc[:N], frame)
    assert joined.index[N:].tolist() == new


def test_images_of_another_size_are_not_concatenated():
    X = uint8_images(30, 30)
    data = read_training_set(X, LABELS, resize=(8, 8))

    with pytest.raises(InvalidInputError, match="resize X itself"):
        data.spec.concatenate(X, data.spec.decode(data.values[:1]))


def test_what_decode_gives_is_the_users_own():
    X = uint8_images(8, 8)
    data = read_training_set(X, LABELS)
    kept = data.values.copy()

    data.spec.decode(data.values)[:] = 0

    assert (data.values == kept).all()


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (8, 8, 1)])
def test_uint8_images_that_lie_as_the_networks_want_them_are_not_copied(shape):
    X = uint8_images(*shape)

    assert np.shares_memory(read_training_set(X, LABELS).values, X)


def test_read_only_images_are_copied():
    X = uint8_images(8, 8)
    X.flags.writeable = False

    assert read_training_set(X, LABELS).values.flags.writeable


def test_the_fingerprint_follows_values_labels_and_classes():
    X = uint8_images(8, 8)
    changed = X.copy()
    changed[3, 4, 5] ^= 1
    prints = [
        read_training_set(*arguments).fingerprint
        for arguments in (
            (X, LABELS),
            (changed, LABELS),
            (X, 1 - LABELS),
            (X, LABELS + 1),
            (X, LABELS.astype(str)),
        )
    ]

    assert len(set(prints)) == len(prints)
    assert read_training_set(X.copy(), LABELS.tolist()).fingerprint == prints[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_reading_takes_hardly_more_memory_than_the_uint8_values(dtype):
    X = np.zeros((20_000, 28, 28), dtype=dtype)
    X[::2] = 1
    y = np.arange(len(X)) % 2
    uint8_bytes = 20_000 * 28 * 28

    tracemalloc.start()
    read_training_set(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1.3 * uint8_bytes + 12 * 2**20  # room for a few chunks in float64


# -------------------------------------------------------------------------------- bad input


def with_value(value, n=1):
    X = np.linspace(0, 1, N * 64).reshape(N, 8, 8)
    X.flat[:n] = value
    return X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (with_value(np.nan, 3), "3 NaN and 0 infinite"),
        (with_value(np.inf, 2), "0 NaN and 2 infinite"),
        (with_value(np.nan).reshape(N, 64) - 1, "1 NaN"),
        (torch.from_numpy(with_value(-np.inf)), "1 infinite"),
        (np.full((N, 8, 8), 5.0), "5 everywhere"),
        (uint8_images(8, 7), "8 x 7 .*resize"),
        (uint8_images(129, 8), "from 8 to 128"),
        (uint8_images(8, 8, 5), "1 to 4 channels"),
        (uint8_images(8, 8, 3, 2), r"2 or 3 dimensions: .*\(8, 8, 3, 2\)"),
        (uint8_images(8)[:, 0], "1D array"),
        (np.zeros((0, 8, 8), np.uint8), r"shape \(0, 8, 8\)"),
        (np.zeros((0, 8)), "0 sample"),
        (np.array([["a"] * 3] * N), "not compatible with arrays of bytes/strings"),
        ([[1, 2], [3]] * 20, "one length"),
        ([], "1D array"),
        (np.full((N, 2), 1e300), "float32"),
    ],
)
def test_bad_values_are_refused(X, message):
    with pytest.raises(InvalidInputError, match=message):
        read_training_set(X, LABELS[: len(X)])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (None, "Got None"),
        ("train/", "Got 'train/'"),
        (7, "Got a int"),
        (object(), "Got a object"),
        (csr_array(np.eye(N)), r"sparse.*X.toarray\(\)"),
        ({"train": 1, "test": 2}, "training split"),
        (Image.new("L", (8, 8)), "single image"),
        (np.zeros((N, 8, 8), complex), "complex128"),
        (torch.zeros(N, 8, 8, dtype=torch.complex64), "complex64"),
        (pd.DataFrame({"a": ["x"] * N}), "column 'a'"),
        ([Image.new("L", (8, 8)), *["b.png"] * (N - 1)], r"str in X\[1\]"),
    ],
)
def test_things_of_another_kind_are_refused(X, message):
    with pytest.raises((InvalidTypeError, InvalidInputError), match=message):
        read_training_set(X, LABELS)


def test_datasets_without_random_access_are_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    loader = DataLoader(ItemDataset([(np.zeros((8, 8)), 0)]), generator=torch.Generator())

    with pytest.raises(InvalidTypeError, match="Stream.*islice.*SyntheticMix"):
        read_training_set(Stream())
    with pytest.raises(InvalidTypeError, match="pass its dataset"):
        read_training_set(loader)


good = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        ([(good, 0), (good, 1), good], InvalidTypeError, "ndarray as item 2"),
        ([(good, 0), (good, 1, "id")], InvalidTypeError, "tuple of length 3 as item 1"),
        ([(good, 0), (good[:, :7], 1)], InvalidInputError, r"item 1 .*\(1, 8, 7\).*resize="),
        ([(good, 0), (good / 2, 1)], InvalidInputError, "of item 1 .*float64"),
        ([(good, 0), ("a.png", 1)], InvalidTypeError, "str in item 1"),
        ([(good, np.array([0, 1]))], InvalidInputError, "item 0 .*ndarray.*multi-label"),
        ([(good, {"boxes": []})], InvalidInputError, "item 0 .*dict.*box"),
        ([(good, [0, 1])], InvalidInputError, "item 0 .*list.*multi-label"),
        ([{"img": 3, "label": 0}], InvalidInputError, r"`image_key` .* none .*\['img', 'label'\]"),
        ([{"a": good, "b": good, "label": 0}], InvalidInputError, r"`image_key` .* \['a', 'b'\]"),
        ([{"image": good, "x": 0, "z": 1}], InvalidInputError, r"`label_key` .* \['x', 'z'\]"),
        ([(good, 0), (good, None)] * 20, InvalidInputError, "20 missing"),
        ([(good, 0), (good, "a")] * 20, InvalidTypeError, "mixture of str and int"),
        ([], InvalidInputError, "length 0"),
    ],
)
def test_the_first_offending_item_of_a_dataset_is_named(items, error, message):
    with pytest.raises(error, match=message):
        read_training_set(ItemDataset(items))


def test_a_mistyped_key_is_named():
    items = [{"image": good, "labels": 0}] * 4

    with pytest.raises(InvalidInputError, match="Did you mean 'labels'"):
        read_training_set(ItemDataset(items), label_key="label")


def test_pil_images_of_mixed_modes_are_refused():
    X = [Image.new("RGB", (8, 8))] * 3 + [Image.new("L", (8, 8))] * (N - 3)

    with pytest.raises(InvalidInputError, match=r"X\[3\].*'L'"):
        read_training_set(X, LABELS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_shape": (8, 9)}, r"\(8, 9\) \(72 values\) for rows of 64"),
        ({"image_shape": 8}, r"`image_shape` must be None, \(H, W\)"),
        ({"image_shape": (8, 8, 1, 1)}, "`image_shape` must be"),
        ({"image_shape": (8, -8)}, "`image_shape` must be"),
        ({"image_shape": (4, 16)}, "from 8 to 128"),
        ({"resize": (8, 8)}, "reshape its rows"),
        ({"resize": 8}, r"`resize` must be None or \(height, width\)"),
        ({"resize": (7, 8)}, "`resize` must be"),
        ({"value_range": (1, 0)}, "`value_range` must be"),
        ({"value_range": (0, np.inf)}, "`value_range` must be"),
        ({"value_range": (0, 1)}, "without `image_shape`"),
        ({"value_range": (0, 15), "image_shape": (8, 8)}, "must hold all values"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(imbalanced_digits, parameters, message):
    X, y = imbalanced_digits

    with pytest.raises(InvalidInputError, match=message):
        read_training_set(X, y, **parameters)


def test_an_image_shape_that_contradicts_the_images_is_refused():
    X = uint8_images(8, 9)

    assert read_training_set(X, LABELS, image_shape=(8, 9)).spec.image_shape == (1, 8, 9)
    for images in (X, list(X)):
        with pytest.raises(InvalidInputError, match=r"\(8, 9\), or None"):
            read_training_set(images, LABELS, image_shape=(9, 8))


def test_labels_must_come_with_arrays_and_not_with_datasets():
    X = uint8_images(8, 8)

    with pytest.raises(
        InvalidInputError, match="requires y to be passed, but the target y is None"
    ):
        read_training_set(X)
    with pytest.raises(InvalidInputError, match=r"same length. Got 40 and 39"):
        read_training_set(X, LABELS[:-1])
    with pytest.raises(InvalidInputError, match="y must be None for a Dataset"):
        read_training_set(ItemDataset(list(zip(X, LABELS.tolist(), strict=True))), LABELS)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([3] * N, "2 classes. Got one class, 3"),
        ([0] * (N - 1) + [1], "single sample of class 1"),
    ],
)
def test_classes_that_cannot_be_learnt_are_refused(y, message):
    with pytest.raises(InvalidInputError, match=message):
        read_training_set(uint8_images(8, 8), y)


def test_one_row_is_refused():
    with pytest.raises(InvalidInputError, match="1 sample"):
        read_training_set(uint8_images(8, 8)[:1], [0])


@pytest.mark.parametrize(("columns", "shape"), [(784, "(28, 28)"), (3072, "(32, 32, 3)")])
def test_rows_that_look_like_flattened_images_are_warned_of(columns, shape):
    X = np.random.default_rng(0).random((N, columns))

    with pytest.warns(FlattenedImagesWarning) as caught:
        data = read_training_set(X, LABELS)

    assert f"image_shape={shape}" in str(caught[0].message)
    assert data.spec.kind == "table"


@pytest.mark.parametrize(("columns", "low"), [(784, -1), (783, 0), (49, 0)])
def test_other_rows_are_not(columns, low):
    X = np.random.default_rng(0).uniform(low, 1, (N, columns))

    assert read_training_set(X, LABELS).spec.kind == "table"


@pytest.fixture
def digits():
    X, y = load_digits(n_class=2, return_X_y=True)
    return X.reshape(-1, 8, 8), y


def test_an_extreme_value_that_leaves_no_levels_is_told_of(digits):
    X, y = digits
    for images in (X.astype(np.uint16) * 3, X + np.random.default_rng(0).random(X.shape)):
        images[0, 0, 0] = 60_000
        with pytest.warns(GanaugWarning, match=r"60000 here.*np\.clip"):
            read_training_set(images, y)


def test_images_of_few_levels_or_with_noise_are_not_told_of(digits):
    X, y = digits
    noisy = np.where(X > 7, 1.0, 0.0) + np.random.default_rng(0).normal(0, 0.05, X.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for images in (X.astype(np.uint16) * 4000, (X > 7).astype(np.float32), noisy):
            read_training_set(images, y)


@pytest.mark.parametrize("scale", [1e-3, 300])
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_further_samples_of_another_scale_are_refused(scale, kind, digits):
    X, y = digits
    data = read_training_set((X * 10_000).astype(kind), y)

    with pytest.raises(InvalidInputError, match="scale seen in fit, 0 to 160000"):
        read_labelled((X * 10_000 * scale).astype(kind), y, spec=data.spec, classes=data.classes)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.linspace(-3e38, 3e38, 40), r"numbers within 1e\+37"),
        (1e8 + np.linspace(0, 1, 40), "Column 1 of X must differ by more than .* 8 at"),
        (1_700_000_000_000 + np.arange(40), "Column 1 .*subtract"),
    ],
)
def test_tables_whose_differences_would_be_lost_are_refused(column, message):
    X = np.column_stack([np.arange(40), column])

    with pytest.raises(InvalidInputError, match=message):
        read_training_set(X, [0, 1] * 20)


@pytest.mark.parametrize(
    "column",
    [
        np.linspace(-1e30, 1e30, 40),
        np.full(40, 123456789.1),
        2**24 + 2.0 * np.arange(40),
        1.7e9 + np.linspace(0, 1e6, 40),
    ],
    ids=["large", "constant", "whole steps", "seconds"],
)
def test_tables_of_large_numbers_that_float32_tells_apart_are_read(column):
    X = np.column_stack([np.arange(40), column])

    values = read_training_set(X, [0, 1] * 20).values

    assert len(np.unique(values[:, 1])) == len(np.unique(column))
