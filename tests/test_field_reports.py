"""What people report of libraries like this one: each either works here, or is refused in time.

Refused means: by an error of this package, that says what to do, before any training.
"""

from __future__ import annotations

import enum
import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch.utils.data import DataLoader, Dataset, TensorDataset

import ganaug.cache
from ganaug import GANAugmenter, GANOverSampler, evaluate_gain
from ganaug.exceptions import (
    FlattenedImagesWarning,
    InvalidInputError,
    InvalidTypeError,
    ModelFileError,
)
from ganaug.inputs import read_training_set

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")


def tiny(**parameters):
    options = {
        "n_generators": 1,
        "max_images": 64,
        "width": 4,
        "filter": None,
        "synthetic_share": 0.5,
        "random_state": 0,
        "verbose": 0,
    }
    return GANAugmenter(**{**options, **parameters})


@pytest.fixture(scope="module")
def digits(all_digits):
    """Digits of three classes, 40, 25 and 22 of them, uint8 (87, 8, 8), and labels."""
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == k)[:n] for k, n in enumerate((40, 25, 22))])
    return (X[rows].reshape(-1, 8, 8) * 15).astype(np.uint8), y[rows]


@pytest.fixture
def no_training(monkeypatch):
    """Fail where a training starts."""

    def train(*args, **options):
        raise AssertionError("a training started")

    monkeypatch.setattr(ganaug.cache, "train_model", train)


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


# --- pandas ---

INDEXES = {
    "text": lambda n: [f"patient {i}" for i in range(n)],
    "names that were given before": lambda n: [f"added_{i}" for i in range(n)],
    "dates": lambda n: pd.date_range("2020-01-01", periods=n),
    "fractions": lambda n: np.arange(n) / 2,
    "two levels": lambda n: pd.MultiIndex.from_product([["site"], range(n)], names=["a", "b"]),
    "numbers": lambda n: range(7, 7 + n),
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_resampled_frames_and_labels_keep_one_unique_index(index, digits):
    X, y = digits
    frame = pd.DataFrame(X.reshape(len(X), -1), index=index(len(X))).rename(columns=str)
    labels = pd.Series(y, index=frame.index, name="kind")
    sampler = GANOverSampler(tiny(image_shape=(8, 8)), augmentation="none", random_state=0)

    X_out, y_out = sampler.fit_resample(frame, labels)

    assert X_out.index.is_unique
    assert X_out.index.equals(y_out.index)
    assert X_out.index[: len(X)].equals(frame.index)
    assert X_out.index.names == frame.index.names
    assert (X_out.join(y_out)["kind"] == y_out).all()
    assert (sampler.kinds_ == "synthetic").any()
    assert any(plan.n_duplicates for plan in sampler.resampling_report_)


@pytest.mark.parametrize(
    "dtype",
    [
        pd.CategoricalDtype(["low", "none", "high"], ordered=True),
        pd.CategoricalDtype(["low", "high", "unused"]),
        pd.CategoricalDtype([3, 1, 2]),
        pd.StringDtype("python"),
        pd.BooleanDtype(),
    ],
    ids=str,
)
def test_labels_come_back_in_the_categories_and_the_order_that_they_had(dtype):
    values = [True, False] if dtype == "boolean" else ["low", "high"]
    if getattr(dtype, "categories", None) is not None and dtype.categories[0] == 3:
        values = [3, 1]
    y = pd.Series(values * 20, dtype=dtype)
    augmenter = tiny().fit(np.random.default_rng(0).random((40, 8, 8)), y)

    y_new = augmenter.sample({values[1]: 2, values[0]: 3})[1]

    assert y_new.dtype == y.dtype
    assert y_new.tolist() == [values[1]] * 2 + [values[0]] * 3


@pytest.mark.parametrize("name", [256, 0.5, ("a", "b"), None])
def test_the_name_of_labels_is_kept_as_it_is(name, digits, tmp_path):
    X, y = digits
    augmenter = tiny().fit(X, pd.Series(y, name=name))
    augmenter.save(tmp_path / "model")

    for fitted in (augmenter, GANAugmenter.load(tmp_path / "model")):
        assert fitted.sample(4)[1].name == name
        assert type(fitted.sample(4)[1].name) is type(name)


PATHS = [f"photos/{i}.png" for i in range(20)]


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda X: pd.DataFrame({"image": list(X)}), r"np.stack\(X\['image'\]\)"),
        (lambda X: pd.Series(list(X)), r"np.stack\(X\)"),
        (lambda X: pd.DataFrame({"image": [Image.fromarray(x) for x in X]}), r"list\(X\['image'\]"),
        (lambda X: pd.DataFrame({"image": [{"bytes": b".", "path": None}] * len(X)}), "Image.open"),
        (lambda X: pd.DataFrame({"image": [b"."] * len(X)}), r"Image.open\(io.BytesIO"),
        (lambda X: pd.DataFrame({"path": [f"{i}.png" for i in range(len(X))]}), "Image.open"),
        (lambda X: [f"{i}.png" for i in range(len(X))], "Image.open.*ImageFolder"),
        (lambda X: np.array([f"{i}.png" for i in range(len(X))]), "Image.open.*ImageFolder"),
        (lambda X: [b"."] * len(X), r"Image.open\(io.BytesIO"),
    ],
)
def test_things_that_stand_for_images_are_refused_with_the_way_to_them(
    make, advice, digits, no_training
):
    X, y = digits

    with pytest.raises((InvalidTypeError, InvalidInputError), match=advice):
        tiny().fit(make(X), y)


@pytest.mark.parametrize(
    ("columns", "advice"), [(["a", "a"], "distinct"), (["a", 1], r"columns.astype\(str\)")]
)
def test_columns_that_cannot_be_told_apart_are_refused(columns, advice, digits, no_training):
    y = digits[1]
    frame = pd.DataFrame(np.zeros((len(y), 2)), columns=columns)

    for fit in (tiny().fit, GANOverSampler(tiny()).fit_resample):
        with pytest.raises((InvalidInputError, InvalidTypeError), match=advice):
            fit(frame, y)


# --- containers that differ from those of fit ---


def test_arrays_are_augmented_after_a_fit_on_tensors(digits):
    X, y = digits
    tensors = torch.from_numpy(X)[:, None].float() / 255
    augmenter = tiny().fit(TensorDataset(tensors, torch.tensor(y)))

    X_out, y_out = augmenter.augment(tensors.numpy(), y)

    assert isinstance(X_out, np.ndarray)
    assert X_out.dtype == np.float32
    assert len(X_out) == len(y_out) > len(y)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32])
def test_unsigned_tensors_are_augmented_with_duplicates(dtype, digits):
    X = torch.from_numpy(digits[0].astype(np.int64) * 200).to(dtype)

    X_out, _ = tiny().fit(X, digits[1]).augment(X, digits[1])

    assert X_out.dtype == dtype
    assert len(X_out) == 3 * 40
    mixed = tiny(mix_fraction=0.3, min_real=1).fit_transform(X, digits[1])
    assert mixed.dtype == dtype


def test_images_of_two_sizes_are_not_put_together(digits, no_training):
    X, y = digits
    large = [Image.fromarray(image).resize((20, 20)) for image in X]

    with pytest.raises(InvalidInputError, match="resize X itself"):
        GANOverSampler(tiny(resize=(8, 8))).fit_resample(large, y)
    with pytest.raises(InvalidInputError, match="resize X itself"):
        GANOverSampler(tiny(resize=(8, 8))).fit_resample(np.stack(large), y)


def test_images_of_two_sizes_are_not_put_together_by_augment(digits):
    X, y = digits
    large = [Image.fromarray(image).resize((20, 20)) for image in X]

    with pytest.raises(InvalidInputError, match="resize X itself"):
        tiny(resize=(8, 8)).fit(large, y).augment(large, y)


def palettes(X):
    return [Image.fromarray(image).convert("RGB").quantize(16) for image in X]


def test_palettes_and_what_is_made_of_them_are_not_put_together(digits, no_training):
    X, y = digits

    for call in (GANOverSampler(tiny()).fit_resample, tiny(mix_fraction=0.3).fit_transform):
        with pytest.raises(InvalidInputError, match=r"image.convert\('RGB'\)"):
            call(palettes(X), y)


def test_wrapped_palettes_are_converted_as_in_fit(digits):
    transforms = pytest.importorskip("torchvision.transforms")
    dataset = Items(list(zip(palettes(digits[0]), digits[1].tolist(), strict=True)))

    augmenter = tiny().fit(dataset)
    plain = augmenter.wrap(dataset, sampling_strategy={2: 30})
    train = augmenter.wrap(dataset, transform=transforms.ToTensor())

    assert {plain[i][0].mode for i in (0, len(plain) - 1)} == {"RGB"}
    images, _ = next(iter(DataLoader(train, batch_size=len(train))))
    assert images.shape[1:] == (3, 8, 8)


def test_a_list_of_several_kinds_of_images_is_refused_by_augment_too(digits):
    X, y = digits
    images = [Image.fromarray(image) for image in X]
    augmenter = tiny().fit(images, y)

    with pytest.raises(InvalidInputError, match=r"X\[3\]"):
        augmenter.augment([*images[:3], images[3].convert("RGB"), *images[4:]], y)


def test_16_bit_images_of_any_byte_order_are_read(digits):
    X, y = digits
    big = [Image.frombytes("I;16B", (8, 8), (image * 100.0).astype(">u2").tobytes()) for image in X]

    data = read_training_set(big, y)

    assert data.spec.pil_mode == "I;16"
    assert data.spec.value_range == (0, 100.0 * X.max())


def test_a_masked_array_is_refused(digits, no_training):
    X, y = digits
    masked = np.ma.masked_greater(X, 150)

    for call in (
        tiny().fit,
        tiny(mix_fraction=0).fit_transform,
        GANOverSampler(tiny()).fit_resample,
    ):
        with pytest.raises(InvalidTypeError, match=r"X.filled\(0\)"):
            call(masked, y)
    with pytest.raises(InvalidTypeError, match=r"filled\(0\)"):
        tiny().fit(Items(list(zip(masked, y.tolist(), strict=True))))


# --- labels ---

ONE_HOT = {
    "array": lambda y: np.eye(3, dtype=np.int8)[y],
    "frame": lambda y: pd.get_dummies(pd.Series(y)),
    "tensor": lambda y: torch.eye(3)[torch.from_numpy(y)],
    "list": lambda y: np.eye(3, dtype=int)[y].tolist(),
}


@pytest.mark.parametrize("make", ONE_HOT.values(), ids=ONE_HOT)
def test_one_hot_labels_of_the_over_sampler_come_back_in_their_container(make, digits):
    X, y = digits
    labels = make(y)

    y_out = GANOverSampler(tiny(), random_state=0).fit_resample(X, labels)[1]

    assert type(y_out) is type(labels)
    values = np.asarray(y_out)
    assert values.dtype == np.asarray(labels).dtype
    assert values.sum(axis=0).tolist() == [40, 40, 40]
    assert (values[: len(y)].argmax(axis=1) == y).all()
    if isinstance(labels, pd.DataFrame):
        assert y_out.columns.equals(labels.columns)


@pytest.mark.parametrize("make", ONE_HOT.values(), ids=ONE_HOT)
def test_one_hot_labels_of_the_augmenter_are_refused_with_the_remedy(make, digits, no_training):
    X, y = digits

    with pytest.raises(InvalidInputError, match=r"\.argmax\(axis=1\)") as caught:
        tiny().fit(X, make(y))
    code = str(caught.value).split("pass ")[1].split(",")[0]
    assert eval(code, {"y": make(y), "np": np}).tolist() == y.tolist()


def test_multi_label_targets_are_refused(digits, no_training):
    X, y = digits

    for call in (tiny().fit, GANOverSampler(tiny()).fit_resample):
        with pytest.raises(InvalidInputError, match="multi-label"):
            call(X, np.ones((len(y), 3), dtype=int))


LABELS_OF_ONE = {
    "array": lambda y: np.array([y]),
    "tensor": lambda y: torch.tensor([y]),
    "list": lambda y: [y],
    "0-d array": lambda y: np.array(y),
}


@pytest.mark.parametrize("make", LABELS_OF_ONE.values(), ids=LABELS_OF_ONE)
def test_one_number_in_an_array_is_one_label(make, digits):
    dataset = Items([(Image.fromarray(x), make(int(y))) for x, y in zip(*digits, strict=True)])

    train = tiny().fit(dataset).wrap(dataset)

    real, made = train[0][1], train[int(np.flatnonzero(train.is_synthetic)[-1])][1]
    assert type(made) is type(real)
    assert np.shape(made) == np.shape(real)
    assert np.bincount(train.targets).tolist() == [40, 40, 40]


def test_declared_labels_of_one_column_are_labels(digits):
    dataset = Items([(x, np.array([y])) for x, y in zip(*digits, strict=True)])
    dataset.labels = digits[1][:, None]

    train = tiny().fit(*digits).wrap(dataset)

    assert np.bincount(train.targets).tolist() == [40, 40, 40]


# --- the wrapper ---


@pytest.fixture(scope="module")
def wrapped(digits):
    pairs = TensorDataset(torch.from_numpy(digits[0])[:, None], torch.tensor(digits[1]))
    return tiny(augmentation="none").fit(pairs).wrap(pairs)


@pytest.mark.parametrize("index", [slice(0, 3), [1, 2], torch.tensor([1, 2]), 1.5, "1", None])
def test_what_is_no_integer_is_refused_as_an_index(index, wrapped):
    with pytest.raises(InvalidTypeError, match=r"must be integers.*data\.Subset"):
        wrapped[index]


@pytest.mark.parametrize("index", [3, np.int64(3), torch.tensor(3), np.array(3)])
def test_integers_of_any_kind_are_indices(index, wrapped):
    assert torch.equal(wrapped[index][0], wrapped[3][0])


def test_the_wrapper_has_what_scripts_for_image_folders_read(wrapped, digits, tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    for i, (image, label) in enumerate(zip(*digits, strict=True)):
        (tmp_path / "abc"[label]).mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "abc"[label] / f"{i}.png")
    folder = datasets.ImageFolder(tmp_path)
    train = tiny().fit(folder).wrap(folder)

    assert train.class_to_idx == {"a": 0, "b": 1, "c": 2}
    assert train.get_labels() is train.targets
    assert wrapped.get_labels() is wrapped.targets
    assert not hasattr(wrapped, "class_to_idx")


def test_which_real_sample_a_duplicate_repeats_is_known(digits, wrapped):
    X, y = digits
    sampler = GANOverSampler(tiny(), augmentation="none", random_state=0)

    X_out, y_out = sampler.fit_resample(X, y)

    indices = sampler.sample_indices_
    assert indices[: len(X)].tolist() == list(range(len(X)))
    assert (indices == -1).tolist() == (sampler.kinds_ == "synthetic").tolist()
    is_real = indices >= 0
    assert (X_out[is_real] == X[indices[is_real]]).all()
    assert (y_out[is_real] == y[indices[is_real]]).all()
    assert ((wrapped.source_index == -1) == wrapped.is_synthetic).all()
    last = len(wrapped) - 1
    assert torch.equal(wrapped[last][0], wrapped[int(wrapped.source_index[last])][0])


def test_where_nothing_is_added_every_sample_is_its_own(digits):
    sampler = GANOverSampler(tiny(), sampling_strategy={0: 40})

    sampler.fit_resample(*digits)

    assert sampler.sample_indices_.tolist() == list(range(len(digits[1])))


# --- images that cannot be right ---


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, bool])
def test_images_of_one_value_are_refused(dtype, digits, no_training):
    X = np.ones_like(digits[0]).astype(dtype)

    with pytest.raises(InvalidInputError, match="Got the value 1 everywhere"):
        tiny().fit(X, digits[1])


def test_16_bit_files_that_a_loader_makes_white_are_refused(digits, tmp_path, no_training):
    datasets = pytest.importorskip("torchvision.datasets")
    for i, (image, label) in enumerate(zip(*digits, strict=True)):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        Image.fromarray(image.astype(np.uint16) * 200 + 3000).save(
            tmp_path / str(label) / f"{i}.png"
        )

    with pytest.raises(InvalidInputError, match="Got the value 255 everywhere"):
        tiny().fit(datasets.ImageFolder(tmp_path))


def test_a_damaged_picture_is_named(digits, no_training):
    X, y = digits
    images = [Image.fromarray(image) for image in X]
    with io.BytesIO() as file:
        images[5].save(file, "png")
        cut = file.getvalue()[:70]
    with Image.open(io.BytesIO(cut)) as damaged:
        images[5] = damaged

        with pytest.raises(InvalidInputError, match=r"X\[5\] is a damaged image file"):
            tiny().fit(images, y)


@pytest.fixture(scope="module")
def colour_images(all_digits):
    """Smooth colour images (60, 16, 16, 3)."""
    grey = all_digits[0][:60].reshape(-1, 8, 8).repeat(2, axis=1).repeat(2, axis=2)
    return (grey[..., None] * np.array([15, 11, 7])).astype(np.uint8)


@pytest.mark.parametrize("order", ["HWC", "CHW"])
def test_flattened_colour_images_are_told_of_in_the_smoother_order(order, colour_images):
    images = colour_images if order == "HWC" else colour_images.transpose(0, 3, 1, 2)
    first, second = (16, 16, 3), (3, 16, 16)
    first, second = (first, second) if order == "HWC" else (second, first)
    rows, y = images.reshape(60, -1), np.arange(60) % 2

    with pytest.warns(FlattenedImagesWarning) as caught:
        read_training_set(rows, y)
    assert f"image_shape={first} (or {second}" in str(caught[0].message)
    with pytest.warns(FlattenedImagesWarning, match="another order") as caught:
        read_training_set(rows, y, image_shape=second)
    assert f"image_shape={first}" in str(caught[0].message)
    read_training_set(rows, y, image_shape=first)  # without a warning


# --- transforms and verdicts ---


@pytest.mark.parametrize("target", ["mask", "masks", "bboxes", "keypoints"])
def test_albumentations_targets_of_the_replaced_image_are_refused(target, digits, tmp_path):
    albumentations = pytest.importorskip("albumentations")
    from ganaug.integrations.albumentations import SyntheticReplace

    X, y = digits
    tiny().fit(X, y).save(tmp_path / "model")
    processors = {
        "bboxes": {"bbox_params": albumentations.BboxParams("pascal_voc", label_fields=[])},
        "keypoints": {"keypoint_params": albumentations.KeypointParams("xy")},
    }
    steps = [SyntheticReplace(tmp_path / "model", p=1.0), albumentations.HorizontalFlip()]
    pipeline = albumentations.Compose(steps, **processors.get(target, {}))
    mask = (X[0] > 100).astype(np.uint8)
    values = {
        "mask": mask,
        "masks": [mask],
        "bboxes": np.array([[2.0, 2, 8, 8]]),
        "keypoints": np.array([[2.0, 2]]),
    }

    with pytest.raises(InvalidInputError, match=f"{target}: they belong to the image"):
        pipeline(image=X[0], label=int(y[0]), **{target: values[target]})


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")
def test_a_class_too_small_for_a_verdict_is_named(digits, no_training):
    X, y = digits
    few = np.flatnonzero((y == 0) | ((y == 1) & (np.cumsum(y == 1) <= 2)))

    with pytest.raises(InvalidInputError, match="(?i)class 1 has 2 .*at least 3") as caught:
        evaluate_gain(
            LogisticRegression(), X[few].reshape(len(few), -1), y[few], image_shape=(8, 8)
        )
    assert "cv" not in str(caught.value)


# --- containers and labels of others ---


class FrameOfOthers:
    """What polars' frames have in common with pandas', and what they have not."""

    def __init__(self, rows):
        self.rows, self.shape = rows, rows.shape
        self.columns = [f"pixel_{i}" for i in range(rows.shape[1])]
        self.dtypes = [rows.dtype] * rows.shape[1]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        return self.rows[key]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.rows, dtype=dtype)


@pytest.mark.parametrize("share", [0, 0.5])
def test_frames_that_are_not_pandas_are_over_sampled_as_arrays(share, digits):
    X, y = digits
    sampler = GANOverSampler(tiny(image_shape=(8, 8)), synthetic_share=share, random_state=0)

    X_out, y_out = sampler.fit_resample(
        FrameOfOthers(X.reshape(len(X), -1)), FrameOfOthers(y[:, None])
    )

    assert type(X_out) is type(y_out) is np.ndarray
    assert X_out.shape == (120, 64)
    assert (y_out[: len(y)] == y).all()


def test_arrays_of_images_as_objects_are_augmented_as_lists(digits):
    X, y = digits
    images = np.empty(len(X), dtype=object)
    images[:] = [Image.fromarray(image) for image in X]

    X_out, _ = tiny().fit(images, y).augment(images, y)
    X_resampled, _ = GANOverSampler(tiny(), synthetic_share=0.5, random_state=0).fit_resample(
        images, y
    )

    assert all(isinstance(image, Image.Image) for image in [*X_out, *X_resampled])
    assert len(X_out) == len(X_resampled) == 120


class Shape(enum.Enum):
    ROUND = "round"
    LONG = "long"
    OTHER = "other"


def test_a_strategy_may_name_classes_by_the_members_of_their_enum():
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    y = [Shape.ROUND] * 30 + [Shape.LONG] * 10
    sampler = GANOverSampler(sampling_strategy={Shape.LONG: 12}, random_state=0)

    _, labels = sampler.fit_resample(X, y)

    assert list(labels[:40]) == y or labels[:40] == [shape.value for shape in y]
    assert len(labels) == 42
    with pytest.raises(InvalidInputError, match="must name classes of y"):
        GANOverSampler(sampling_strategy={Shape.OTHER: 12}).fit_resample(X, y)


LABELS_IN_LISTS = {
    "tensors": lambda y: list(torch.from_numpy(y)),
    "tensors of one number": lambda y: list(torch.from_numpy(y)[:, None]),
    "arrays of one number": lambda y: list(y[:, None]),
    "NumPy's numbers": list,
    "members of an Enum": lambda y: [list(Shape)[k] for k in y],
}


@pytest.mark.parametrize("make", LABELS_IN_LISTS.values(), ids=LABELS_IN_LISTS)
def test_labels_in_a_list_come_back_as_what_they_were(make, digits):
    X, y = digits
    labels = make(y)

    augmenter = tiny().fit(X, labels)
    y_out = augmenter.augment(X, labels)[1]

    assert {type(label) for label in y_out} == {type(labels[0])}
    assert {np.shape(label) for label in y_out} == {np.shape(labels[0])}
    assert [y_out.count(label) for label in (labels[0], labels[-1])] == [40, 40]


def test_an_enums_values_are_its_labels(digits):
    X, y = digits
    kinds = enum.Enum("Kind", {"A": "round", "B": "round and long", "C": "other"}, type=str)

    augmenter = tiny().fit(X, [list(kinds)[k] for k in y])

    assert augmenter.classes_.tolist() == ["other", "round", "round and long"]


@pytest.mark.parametrize("make", [set, iter, lambda y: dict(enumerate(y))])
def test_labels_in_no_order_are_refused_by_the_name_of_what_holds_them(make, digits, no_training):
    X, y = digits

    with pytest.raises(InvalidTypeError, match="must be a list.*Got a (set|dict|list_iterator)"):
        tiny().fit(X, make(y.tolist()))


def test_a_strategy_for_unknown_classes_is_refused_before_the_training(digits, no_training):
    with pytest.raises(InvalidInputError, match=r"`sampling_strategy` must name .*Got 7"):
        tiny(sampling_strategy={0: 50, 7: 50}).fit(*digits)


def test_8_bit_floats_are_refused(digits, no_training):
    X, y = digits

    with pytest.raises(InvalidTypeError, match="Got dtype float8"):
        tiny().fit(torch.from_numpy(X / 255).to(torch.float8_e4m3fn), y)


# --- items that cannot be read ---


class Broken(Items):
    def __getitem__(self, i):
        if i == 50:
            raise OSError("image file is truncated (3 bytes not processed)")
        return self.items[i]


def test_the_item_that_a_dataset_cannot_read_is_named(digits, no_training):
    items = [(torch.from_numpy(x)[None], int(k)) for x, k in zip(*digits, strict=True)]

    with pytest.raises(InvalidInputError, match="item 50 of the Dataset is not: OSError: image"):
        tiny().fit(Broken(items))


def test_the_item_that_a_wrapped_dataset_cannot_read_is_named(digits):
    items = [(torch.from_numpy(x)[None], int(k)) for x, k in zip(*digits, strict=True)]
    augmenter = tiny().fit(Items(items))

    with pytest.raises(InvalidInputError, match="item 50 of the dataset is not: OSError: image"):
        augmenter.wrap(Broken(items))


def test_images_as_nested_lists_are_told_to_be_arrays(digits, no_training):
    items = [{"img": x.tolist(), "label": int(k)} for x, k in zip(*digits, strict=True)]

    with pytest.raises(InvalidInputError, match=r"image_key.*with_format\('numpy'\)"):
        tiny().fit(Items(items))


# --- places ---


@pytest.mark.parametrize("method", ["save", "load", "export"])
def test_an_empty_path_is_not_the_present_folder(method, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    augmenter = tiny().fit(*digits)

    with pytest.raises(InvalidTypeError, match="`path` must be a str or path-like. Got '' "):
        getattr(augmenter, method)("")


def test_a_tilde_is_the_home_directory(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    places = {"cache_dir": "~/cache", "checkpoint_dir": "~/checkpoints"}
    tiny(**places).fit(*digits).save("~/model")

    assert {entry.name for entry in tmp_path.iterdir()} == {"home"}
    assert {e.name for e in (tmp_path / "home").iterdir()} == {"cache", "checkpoints", "model"}
    assert len(GANAugmenter.load("~/model").sample(3)[0]) == 3


def test_the_file_in_a_model_is_told_from_the_model(digits, tmp_path):
    tiny().fit(*digits).save(tmp_path / "model")

    with pytest.raises(ModelFileError, match="is a file: give the directory of a model"):
        GANAugmenter.load(tmp_path / "model" / "model.safetensors")


def test_a_name_too_long_for_the_disk_is_refused(digits, tmp_path):
    with pytest.raises(ModelFileError, match="cannot be"):
        tiny().fit(*digits).save(tmp_path / ("x" * 300))
