"""ganaug/augmenter.py, with ganaug/model.py and ganaug/progress.py behind it"""

from __future__ import annotations

import copy
import inspect
import pickle
import random
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from torch.utils.data import TensorDataset

import ganaug.augmenter
import ganaug.fitting
from ganaug import GANAugmenter, warping
from ganaug.exceptions import (
    CheckpointError,
    FlattenedImagesWarning,
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
    ModelFileError,
    NotFittedError,
    SmallClassWarning,
    TrainingWarning,
)
from ganaug.gan import callbacks, training
from ganaug.gan.training import Trainer
from ganaug.parameters import auto_max_images
from ganaug.progress import readable_seconds
from ganaug.sampler import TrainedSampler

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

TINY: dict[str, Any] = {
    "n_generators": 1,
    "synthetic_share": 0.5,
    "width": 4,
    "gan_options": {"latent_dim": 4, "batch_size": 32},
    "max_images": 64,
    "filter": None,
    "random_state": 0,
    "verbose": 0,
}
STILL = {**TINY["gan_options"], "learning_rate": 0.0}
COUNTS = {0: 40, 1: 30, 2: 20}


@pytest.fixture(scope="module")
def digits(all_digits):
    """Rows of 64 values from 0 to 16 of three classes, in mixed order, and their labels."""
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in COUNTS.items()])
    rows = np.random.default_rng(0).permutation(rows)
    return X[rows], y[rows]


@pytest.fixture(scope="module")
def fitted(digits):
    """Fitted once: for tests that neither fit it again nor look at what others leave in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return GANAugmenter(**TINY, image_shape=(8, 8)).fit(*digits)


@pytest.fixture
def no_training(monkeypatch):
    """Fail where training, or even fitting the filter's classifier, starts."""

    def refuse(*args, **kwargs):
        raise AssertionError("training started")

    monkeypatch.setattr(training.Trainer, "__init__", refuse)
    monkeypatch.setattr(ganaug.fitting, "fit_classifier", refuse)


@pytest.fixture
def n_trainings(monkeypatch):
    """Count the GANs that get trained."""
    trainings = []
    train = ganaug.fitting.train

    def counting(*args, **kwargs):
        trainings.append(args)
        return train(*args, **kwargs)

    monkeypatch.setattr(ganaug.fitting, "train", counting)
    return lambda: len(trainings)


def as_bytes(X):
    """What X holds, whatever holds it."""
    if isinstance(X, list):
        return [np.asarray(x).tobytes() for x in X]
    return [row.tobytes() for row in np.asarray(X, dtype=float if hasattr(X, "iloc") else None)]


# --- containers --------------------------------------------------------------------------------


def squares(X, dtype, scale=1.0, shift=0.0):
    return (X * scale + shift).astype(dtype).reshape(-1, 8, 8)


def mixed_frame(X):
    return pd.DataFrame(
        {
            "bright": X[:, 20] > 8,
            "count": X[:, 21].astype(np.int8),
            "share": (X[:, 29] / 16).astype(np.float32),
            "shifted": X[:, 30] - 3.5,
        },
        index=[f"row {i}" for i in range(len(X))],
    )


CONTAINERS = {
    "uint8 (n, H, W)": (lambda X: squares(X, np.uint8, 15), {}),
    "uint8 (n, H, W, C)": (lambda X: squares(X, np.uint8, 15)[..., None].repeat(3, axis=3), {}),
    "uint8 (n, C, H, W)": (lambda X: squares(X, np.uint8, 15)[:, None].repeat(3, axis=1), {}),
    "uint16": (lambda X: squares(X, np.uint16, 4000), {}),
    "float32 in [0, 1]": (lambda X: squares(X, np.float32, 1 / 16), {}),
    "float64 in [-1, 1]": (lambda X: squares(X, np.float64, 1 / 8, -1), {}),
    "tensor of uint8": (lambda X: torch.from_numpy(squares(X, np.uint8, 15))[:, None], {}),
    "tensor of float32": (lambda X: torch.from_numpy(squares(X, np.float32, 1 / 16)), {}),
    "pictures": (lambda X: [Image.fromarray(x) for x in squares(X, np.uint8, 15)], {}),
    "coloured pictures": (
        lambda X: [Image.fromarray(x).convert("RGB") for x in squares(X, np.uint8, 15)],
        {},
    ),
    "list of arrays": (lambda X: list(squares(X, np.float32)), {}),
    "rows of images": (lambda X: X, {"image_shape": (8, 8)}),
    "oblong rows of images": (lambda X: X.repeat(2, axis=1), {"image_shape": (8, 16, 1)}),
    "frame of images": (lambda X: pd.DataFrame(X), {"image_shape": (8, 8)}),
    "tensor of rows": (lambda X: torch.from_numpy(X), {"image_shape": (8, 8)}),
    "table": (lambda X: X[:, 18:24] - 3.5, {}),
    "frame": (mixed_frame, {}),
}
IN_EVERY_CONTAINER = pytest.mark.parametrize("container", CONTAINERS)


def contained(container, digits):
    make, options = CONTAINERS[container]
    return make(digits[0]), digits[1], GANAugmenter(**TINY, **options)


def assert_looks_like(X_new, X, n):
    assert type(X_new) is type(X)
    assert len(X_new) == n
    if isinstance(X, list):
        assert all(type(x) is type(X[0]) for x in X_new)
        assert getattr(X_new[0], "mode", None) == getattr(X[0], "mode", None)
        assert np.asarray(X_new[0]).shape == np.asarray(X[0]).shape
    else:
        assert X_new.shape[1:] == X.shape[1:]
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_series_equal(X_new.dtypes, X.dtypes)
    else:
        assert np.asarray(X_new[0]).dtype == np.asarray(X[0]).dtype
    values, real = (np.asarray(part, dtype=float) for part in (X_new, X))
    highest = 255 if real.max() == 240 else real.max()  # the digits' 16 levels, times 15
    assert real.min() - 1e-6 <= values.min()
    assert values.max() <= highest + 1e-6


@IN_EVERY_CONTAINER
def test_what_comes_out_looks_like_what_went_in(container, digits):
    X, y, augmenter = contained(container, digits)

    X_new, y_new = augmenter.fit(X, y).sample({2: 3, 0: 4})

    assert_looks_like(X_new, X, 7)
    assert_array_equal(y_new, [2, 2, 2, 0, 0, 0, 0])
    assert len(set(as_bytes(X_new))) > 1


@IN_EVERY_CONTAINER
def test_augment_keeps_the_real_rows_first_and_untouched(container, digits):
    X, y, augmenter = contained(container, digits)
    before = copy.deepcopy(X)

    X_aug, y_aug = augmenter.fit(X, y).augment(X, y)

    assert_looks_like(X_aug, X, 120)
    assert as_bytes(X_aug)[:90] == as_bytes(before)
    assert as_bytes(X) == as_bytes(before)
    assert_array_equal(y_aug[:90], y)
    assert np.bincount(y_aug).tolist() == [40, 40, 40]


@IN_EVERY_CONTAINER
def test_fit_transform_keeps_rows_and_replaces_only_the_masked_ones(container, digits):
    X, y, augmenter = contained(container, digits)
    before = copy.deepcopy(X)
    augmenter.set_params(mix_fraction=0.5, min_real=25)

    X_mixed = augmenter.fit_transform(X, y)

    assert_looks_like(X_mixed, X, 90)
    assert as_bytes(X) == as_bytes(before)
    mask = augmenter.kinds_ == "synthetic"
    assert np.bincount(y[mask], minlength=3).tolist() == [20, 15, 0]
    pairs = list(zip(as_bytes(X_mixed), as_bytes(before), strict=True))
    assert all(
        mixed == real for (mixed, real), is_new in zip(pairs, mask, strict=True) if not is_new
    )
    for label in (0, 1):  # a replaced row is a synthetic row of its own class
        made = set(as_bytes(augmenter.sample({label: 20})[0]))
        assert {
            mixed for (mixed, _), new in zip(pairs, mask & (y == label), strict=True) if new
        } <= made
    if isinstance(X, pd.DataFrame):
        assert X_mixed.index.tolist() == X.index.tolist()


@pytest.mark.parametrize(
    "labels",
    [
        lambda y: y.tolist(),
        lambda y: torch.from_numpy(y),
        lambda y: pd.Series(y, name="digit"),
        lambda y: pd.Series(np.array(["nought", "one", "two"])[y], dtype="category"),
        lambda y: np.array(["nought", "one", "two"])[y],
        lambda y: y.astype(np.uint8),
    ],
    ids=["list", "tensor", "series", "categories", "strings", "uint8"],
)
def test_labels_come_out_as_they_went_in(labels, digits):
    X, y = digits[0], labels(digits[1])
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(X, y)

    y_new = augmenter.sample(7)[1]
    _, y_aug = augmenter.augment(X, y)

    for labels_out in (y_new, y_aug):
        assert type(labels_out) is type(y)
        assert getattr(labels_out, "dtype", None) == getattr(y, "dtype", None)
        assert getattr(labels_out, "name", None) == getattr(y, "name", None)
    assert list(y_aug)[:90] == list(y)


def test_a_dataset_is_learnt_and_gives_arrays_of_its_items(digits):
    dataset = TensorDataset(
        torch.from_numpy(squares(digits[0], np.float32, 1 / 16))[:, None],
        torch.from_numpy(digits[1]),
    )

    X_new, y_new = GANAugmenter(**TINY).fit(dataset).sample({1: 3})

    assert isinstance(X_new, torch.Tensor)
    assert X_new.shape == (3, 1, 8, 8)
    assert list(y_new) == [1, 1, 1]


def test_large_images_are_resized(digits):
    X = squares(digits[0], np.uint8, 15).repeat(20, axis=1).repeat(20, axis=2)

    X_new, _ = GANAugmenter(**TINY, resize=(12, 16)).fit(X, digits[1]).sample(3)

    assert X_new.shape == (3, 12, 16)


# --- augment -------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(extra=st.fixed_dictionaries({}, optional={k: st.integers(0, 200) for k in COUNTS}))
def test_a_dict_gives_exact_totals_and_the_kinds_tell_them_apart(extra, fitted, digits):
    X, y = digits
    targets = {label: COUNTS[label] + n for label, n in extra.items()}

    X_aug, y_aug = fitted.augment(X, y, sampling_strategy=targets, synthetic_share=1)

    mask = fitted.kinds_ == "synthetic"
    assert np.bincount(y_aug, minlength=3).tolist() == [
        targets.get(label, n) for label, n in COUNTS.items()
    ]
    assert X_aug[:90].tobytes() == X.tobytes()
    assert mask.tolist() == [False] * 90 + [True] * sum(extra.values())
    assert {
        p.label: (p.n_real, p.n_synthetic, p.n_duplicates) for p in fitted.resampling_report_
    } == {label: (n, extra.get(label, 0), 0) for label, n in COUNTS.items()}


def test_all_classes_are_enlarged_also_after_loading_and_as_a_dataset(fitted, digits, tmp_path):
    X, y = digits
    fitted.save(tmp_path / "model")
    loaded = GANAugmenter.load(tmp_path / "model").set_params(sampling_strategy="enlarge")
    images = torch.tensor(X / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    dataset = torch.utils.data.TensorDataset(images, torch.tensor(y))

    _, y_all = loaded.augment(X, y, synthetic_share=0.25)
    of_images = GANAugmenter(**TINY).fit(dataset)
    wrapped = of_images.wrap(dataset, sampling_strategy="enlarge", synthetic_share=0.25)

    assert set(loaded.kinds_) <= {"real", "synthetic", "augmented"}
    assert np.bincount(y_all).tolist() == [320] * 3
    assert np.bincount([int(label) for label in wrapped.targets]).tolist() == [320] * 3


@pytest.fixture(scope="module")
def of_images(digits):
    X, y = digits
    images = np.rint(X * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)
    return GANAugmenter(**TINY | {"synthetic_share": 0}).fit(images, y), images, y


@pytest.mark.parametrize("n_items", [1, 2])
def test_a_wrapped_class_of_one_is_repeated_beside_interpolated_ones(n_items, of_images):
    augmenter, images, y = of_images
    augmenter = copy.copy(augmenter).set_params(augmentation="interpolation")
    chosen = [*np.flatnonzero(y != 2), *np.flatnonzero(y == 2)[:n_items]]
    dataset = list(zip(images[chosen], y[chosen].tolist(), strict=True))

    wrapped = augmenter.wrap(dataset)

    made = [(image, label, i) for i, (image, label) in enumerate(wrapped) if i >= len(dataset)]
    of_two = [(image, wrapped.source_index[i]) for image, label, i in made if label == 2]
    assert len(of_two) == 40 - n_items
    assert all(dataset[source][1] == 2 for _, source in of_two)
    kinds = wrapped.kinds[[i for _, label, i in made if label == 2]]
    if n_items == 1:
        assert set(kinds) == {"duplicate"}
        assert all((image == dataset[-1][0]).all() for image, _ in of_two)
    else:
        assert set(kinds) == {"interpolated"}


@pytest.mark.parametrize("name", ["fitted", "mixed"])
@pytest.mark.parametrize("classes", [(0, 1, 2), (0, 2)])
def test_a_warp_is_found_on_all_classes_of_a_wrapped_dataset(name, classes, of_images, monkeypatch):
    augmenter, images, y = of_images
    augmenter = copy.copy(augmenter).set_params(augmentation=name)
    chosen = np.isin(y, classes)
    images, y = images[chosen], y[chosen]
    found: list[dict[str, Any]] = []

    def fit_warp(values, codes, *, seed):
        warp = warping.fit_warp(values, codes, seed=seed)
        found.append({"warp": warp, "n": np.bincount(codes).tolist(), "values": values.tobytes()})
        return warp

    monkeypatch.setattr("ganaug.augmentation.fit_warp", fit_warp)
    augmenter.augment(images, y)
    wrapped = augmenter.wrap(list(zip(images, y.tolist(), strict=True)), refresh=True)
    wrapped.set_epoch(1)

    assert found[0] == found[1]
    assert len(found) == 2  # once for all epochs
    assert set(wrapped.kinds) == {"real", "augmented", *["interpolated"] * (name == "mixed")}


@settings(max_examples=20)
@given(share=st.floats(0, 1))
def test_what_is_not_synthetic_repeats_the_classs_own_samples(share, fitted, digits):
    X, y = digits
    augmenter = copy.copy(fitted).set_params(synthetic_share=share, augmentation="none")

    X_aug, y_aug = augmenter.augment(X, y)

    assert np.bincount(y_aug).tolist() == [40, 40, 40]
    mask = augmenter.kinds_ == "synthetic"
    for plan in augmenter.resampling_report_:
        assert mask[y_aug == plan.label].sum() == plan.n_synthetic == int(share * plan.n_added)
    real = {label: {row.tobytes() for row in X[y == label]} for label in COUNTS}
    for row, label in zip(X_aug[90:][~mask[90:]], y_aug[90:][~mask[90:]], strict=True):
        assert row.tobytes() in real[label]


def test_duplicates_repeat_every_sample_about_equally_often(fitted, digits):
    X, y = digits
    augmenter = copy.copy(fitted).set_params(synthetic_share=0, augmentation="none")
    some = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 2)[:15]]  # 40 and 15: 25 more

    X_aug, y_aug = augmenter.augment(X[some], y[some])

    copies = pd.Series([row.tobytes() for row in X_aug[y_aug == 2]]).value_counts()
    assert len(copies) == 15
    assert set(copies) == {2, 3}


def test_augment_takes_other_rows_than_those_of_fit(fitted, all_digits):
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[60:70], np.flatnonzero(y == 1)[60:65]]

    X_aug, y_aug = fitted.augment(X[rows], y[rows])

    assert len(X_aug) == 20
    assert np.bincount(y_aug).tolist() == [10, 10]


def test_augment_gives_the_same_rows_each_time(fitted, digits):
    first, again = fitted.augment(*digits)[0], fitted.augment(*digits)[0]

    assert first.tobytes() == again.tobytes()


def test_lists_of_rows_are_augmented(fitted, digits):
    X, y = digits

    X_aug, y_aug = copy.copy(fitted).augment(X.tolist(), y.tolist())

    assert isinstance(X_aug, np.ndarray)
    assert X_aug[:90].tobytes() == X.tobytes()
    assert isinstance(y_aug, list)
    assert np.bincount(y_aug).tolist() == [40, 40, 40]


@pytest.mark.parametrize("labels", [pd.Series, torch.from_numpy, np.ndarray.tolist])
def test_labels_may_be_held_otherwise_than_in_fit(labels, fitted, digits):
    y = labels(digits[1])

    y_aug = copy.copy(fitted).augment(digits[0], y)[1]

    assert type(y_aug) is type(y)
    assert getattr(y_aug, "dtype", None) == getattr(y, "dtype", None)
    assert len(y_aug) == 120


@pytest.mark.parametrize(
    ("fit_on", "augment_on", "said"),
    [
        (np.asarray, pd.DataFrame, "an array, as in fit. Got a DataFrame"),
        (np.asarray, torch.from_numpy, "an array, as in fit. Got a Tensor"),
        (pd.DataFrame, torch.from_numpy, "a data frame, as in fit. Got a Tensor"),
        (lambda X: list(squares(X, float)), lambda X: squares(X, float), "a list, as in fit"),
        (np.asarray, lambda X: TensorDataset(torch.from_numpy(X)), "Dataset.*`wrap`"),
    ],
)
def test_rows_that_are_held_otherwise_than_in_fit_are_refused(fit_on, augment_on, said, digits):
    X, y = digits
    X_fit = fit_on(X)
    augmenter = GANAugmenter(**TINY, image_shape=None if isinstance(X_fit, list) else (8, 8))
    augmenter.fit(X_fit, y)

    with pytest.raises(InvalidTypeError, match=said):
        augmenter.augment(augment_on(X), y)


@pytest.mark.parametrize(
    "strategy", ["auto", "not majority", lambda y: {1: 40, 2: 40}, {1: 40, 2: 40}]
)
def test_a_distrusted_class_gets_augmented_samples_only(strategy, fitted, digits):
    augmenter = copy.copy(fitted).set_params(sampling_strategy=strategy, synthetic_share=1)
    augmenter.trust_ = {0: 1.0, 1: 0.8, 2: 0.79}

    _, y_aug = augmenter.augment(*digits)

    assert np.bincount(y_aug).tolist() == [40, 40, 40]
    plans = {plan.label: plan for plan in augmenter.resampling_report_}
    assert (plans[1].n_synthetic, plans[1].n_augmented, plans[1].note) == (10, 0, "")
    assert [plans[2].n_synthetic, plans[2].n_augmented, plans[2].n_interpolated] == [0, 10, 10]
    assert "79%" in plans[2].note


def test_a_distrusted_minority_gets_no_synthetic_sample_for_a_ratio_either(
    all_digits,
):
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:40], np.flatnonzero(y == 1)[:20]]
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(X[rows], y[rows])
    augmenter.trust_ = {1: 0.1}

    for ratio in (1, 1.0, np.float32(1.0)):
        with pytest.warns(
            TrainingWarning, match="adds no synthetic samples.*at most 10% .*max_images"
        ):
            augmenter.augment(X[rows], y[rows], sampling_strategy=ratio)
        assert [p.n_augmented for p in augmenter.resampling_report_] == [0, 10]


def test_agreement_is_measured_with_the_classifier_filter_only(fitted, digits, tmp_path):
    assert fitted.trust_ == {}
    augmenter = GANAugmenter(**{**TINY, "image_shape": (8, 8), "filter": "classifier"}).fit(*digits)

    assert set(augmenter.trust_) == {0, 1, 2}
    assert all(0 <= share <= 1 for share in augmenter.trust_.values())
    augmenter.save(tmp_path / "model")
    assert GANAugmenter.load(tmp_path / "model").trust_ == augmenter.trust_


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X, y: (X[:-1], y), "same length. Got 89 and 90"),
        (lambda X, y: (X, np.where(y == 2, 7, y)), "classes seen in fit"),
        (lambda X, y: (X[:, :-1], y), "columns|row length"),
        (lambda X, y: (broken(X, [3, 4], 7, np.nan), y), "Got 2 NaN"),
        (lambda X, y: (X, None), "y"),
    ],
    ids=["lengths", "unknown class", "columns", "NaN", "no y"],
)
def test_rows_unlike_those_of_fit_are_refused_by_augment(change, said, fitted, digits):
    with pytest.raises(ValueError, match=said):
        fitted.augment(*change(*digits))


# --- fit_transform and transform -----------------------------------------------------------------


def test_a_mix_fraction_of_nothing_is_the_identity(digits):
    X, y = digits
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), mix_fraction=0, min_real=1)

    assert_array_equal(augmenter.fit_transform(X, y), X)
    assert (augmenter.kinds_ == "real").all()


def test_no_class_of_fewer_than_a_hundred_samples_is_mixed_unless_asked(digits):
    X, y = digits
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), mix_fraction=0.3)

    assert_array_equal(augmenter.fit_transform(X, y), X)


def test_no_sample_is_replaced_by_default_which_a_warning_says(digits):
    X, y = digits
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), min_real=1)

    with pytest.warns(GanaugWarning, match="changes no sample.*set `mix_fraction`"):
        X_out = augmenter.fit_transform(X, y)

    assert_array_equal(X_out, X)
    assert (augmenter.kinds_ == "real").all()


def test_a_mix_fraction_of_one_replaces_whole_classes(digits):
    X, y = digits
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), mix_fraction=1, min_real=30)

    augmenter.fit_transform(X, y)

    assert_array_equal(augmenter.kinds_ == "synthetic", y != 2)


def test_fit_transform_leaves_disputed_classes_alone(digits, monkeypatch):
    X, y = digits
    options = TINY | {"filter": "classifier", "mix_fraction": 0.5, "min_real": 20}
    augmenter = GANAugmenter(**options, image_shape=(8, 8))
    monkeypatch.setattr(TrainedSampler, "measure_trust", lambda *_: [[0.9, 0.5, 0.8]])
    monkeypatch.setattr(TrainedSampler, "_accepts", _accept_all)

    augmenter.fit_transform(X, y)

    counts = np.bincount(y)
    replaced = np.bincount(y[augmenter.kinds_ == "synthetic"], minlength=3)
    assert replaced.tolist() == [round(counts[0] / 2), 0, round(counts[2] / 2)]


def test_fit_transform_says_so_where_all_classes_are_disputed(digits, monkeypatch):
    X, y = digits
    options = TINY | {"filter": "classifier", "mix_fraction": 0.5, "min_real": 30}
    augmenter = GANAugmenter(**options, image_shape=(8, 8))
    trust = [[0.7, 0.5, 0.9]]  # the third has too few samples in any case
    monkeypatch.setattr(TrainedSampler, "measure_trust", lambda *_: trust)

    with pytest.warns(TrainingWarning, match="no synthetic samples.*are left as they are.*70%"):
        X_out = augmenter.fit_transform(X, y)

    assert_array_equal(X_out, X)


def _accept_all(sampler, index, samples, code):
    return torch.ones(len(samples), dtype=torch.bool)


def test_transform_returns_test_data_itself(fitted, all_digits):
    X_test = all_digits[0][-50:]

    assert fitted.transform(X_test) is X_test


def test_transform_returns_images_themselves(digits):
    images = squares(digits[0], np.uint8, 15)
    pictures = [Image.fromarray(image) for image in images]
    for X in (images, torch.from_numpy(images), pictures):
        assert GANAugmenter(**TINY).fit(X, digits[1]).transform(X) is X


def test_transform_refuses_rows_of_another_width(fitted):
    with pytest.raises(ValueError, match="63 features"):
        fitted.transform(np.zeros((2, 63)))


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_images_with_nan_or_inf_are_counted_and_refused_after_fit_too(convert, digits):
    images, y = squares(digits[0], np.float32), digits[1]
    augmenter = GANAugmenter(**TINY).fit(convert(images), y)
    spoilt = images.copy()
    spoilt[5, 2, 3], spoilt[6, 0, 0], spoilt[7, 0, 0] = np.nan, np.inf, -np.inf
    for refusing in (augmenter.transform, lambda X: augmenter.augment(X, y)):
        with pytest.raises(InvalidInputError, match="Got 1 NaN and 2 infinite"):
            refusing(convert(spoilt))


def test_fit_transform_wants_labels(digits):
    with pytest.raises(InvalidInputError, match="requires y"):
        GANAugmenter(**TINY).fit_transform(digits[0])


def test_a_dataset_is_not_rewritten(digits):
    X = torch.from_numpy(squares(digits[0], np.float32))[:, None]
    dataset = TensorDataset(X, torch.from_numpy(digits[1]))

    for y in (None, digits[1]):
        with pytest.raises(InvalidTypeError, match="`fit` and `wrap`"):
            GANAugmenter(**TINY).fit_transform(dataset, y)
    augmenter = GANAugmenter(**TINY).fit(dataset)
    assert augmenter.transform(dataset) is dataset


def test_rows_of_two_sizes_are_not_mixed(digits, no_training):
    X = squares(digits[0], np.uint8, 15).repeat(20, axis=1).repeat(20, axis=2)

    with pytest.raises(InvalidInputError, match="two sizes.*resize X itself"):
        GANAugmenter(**TINY, resize=(8, 8), mix_fraction=0.3).fit_transform(X, digits[1])


def test_fit_transform_refuses_what_it_does_not_know(digits):
    with pytest.raises(InvalidTypeError, match="sample_weight"):
        GANAugmenter(**TINY).fit_transform(*digits, sample_weight=np.ones(90))


# --- sample --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 7, 9])
def test_an_int_is_spread_evenly_over_the_classes(n, fitted):
    X_new, y_new = fitted.sample(n)

    counts = np.bincount(y_new, minlength=3)
    assert len(X_new) == counts.sum() == n
    assert counts.max() - counts.min() <= 1


@settings(max_examples=20)
@given(
    counts=st.permutations([0, 1, 2]).flatmap(
        lambda order: st.fixed_dictionaries({}, optional={k: st.integers(0, 150) for k in order})
    )
)
def test_a_dict_gives_exactly_these_counts_in_its_order(counts, fitted):
    X_new, y_new = fitted.sample(counts)

    assert_array_equal(y_new, np.repeat(np.array(list(counts), int), list(counts.values())))
    assert X_new.shape == (sum(counts.values()), 64)


def test_counts_may_be_of_numpy_and_torch(fitted):
    _, y_new = fitted.sample({np.int64(1): np.int32(2), torch.tensor(2): 1})

    assert y_new.tolist() == [1, 1, 2]


def test_start_goes_on_where_a_call_ended(fitted):
    whole = fitted.sample({1: 20})[0]

    assert_array_equal(fitted.sample({1: 8}, start=12)[0], whole[12:])


def test_another_random_state_gives_other_samples(fitted):
    assert not np.array_equal(fitted.sample(9)[0], fitted.sample(9, random_state=1)[0])
    assert_array_equal(fitted.sample(9)[0], fitted.sample(9, random_state=0)[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (({3: 1},), r"unknown class 3.*\[0, 1, 2\]"),
        (({"1": 1},), "unknown class '1'.*Did you mean 1"),
        (({0: -1},), r"n_samples\[0\]` must be a non-negative integer .*Got -1"),
        (({0: 1.5},), "Got 1.5"),
        (({0: True},), "Got True"),
        ((-5,), "Got -5"),
        ((2.0,), "Got 2.0"),
        (("5",), "Got '5'"),
        (([5, 5, 5],), "n_samples"),
        ((None,), "n_samples"),
    ],
)
def test_counts_that_make_no_sense_are_refused(arguments, said, fitted):
    with pytest.raises(InvalidInputError, match=said):
        fitted.sample(*arguments)


@pytest.mark.parametrize("start", [-1, 1.5, "1", None])
def test_a_start_that_makes_no_sense_is_refused(start, fitted):
    with pytest.raises(InvalidInputError, match="`start`"):
        fitted.sample(3, start=start)


@pytest.mark.parametrize("random_state", [-1, 2**63, 1.5, "0", True])
def test_a_seed_that_makes_no_sense_is_refused(random_state, fitted, digits, no_training):
    with pytest.raises(InvalidInputError, match="`random_state`"):
        fitted.sample(3, random_state=random_state)
    with pytest.raises(InvalidInputError, match="`random_state`"):
        GANAugmenter(**{**TINY, "image_shape": (8, 8), "random_state": random_state}).fit(*digits)


def test_the_filter_may_be_changed_after_fit(digits, monkeypatch):
    parameters = {**TINY, "image_shape": (8, 8), "filter": "classifier"}
    augmenter = GANAugmenter(**parameters).fit(*digits)
    classifier = augmenter.model_.classifier
    monkeypatch.setattr(  # every other image is taken for its class
        classifier, "predict_proba", lambda values: np.eye(3)[values.sum(axis=(1, 2, 3)) % 2]
    )
    kept = augmenter.sample({0: 100})[0]

    candidates = augmenter.set_params(filter=None).sample({0: 512})[0]

    assert not np.array_equal(kept, candidates[:100])
    assert set(as_bytes(kept)) <= set(as_bytes(candidates))
    unfiltered = GANAugmenter(**TINY, image_shape=(8, 8)).fit(*digits)
    with pytest.raises(InvalidInputError, match="Fit again"):
        unfiltered.set_params(filter="classifier").sample(3)
    with pytest.raises(InvalidInputError, match="Did you mean 'classifier'"):
        unfiltered.set_params(filter="clasifier").sample(3)


@pytest.mark.parametrize(
    "use",
    [
        lambda a, X, y: a.sample(3),
        lambda a, X, y: a.augment(X, y),
        lambda a, X, y: a.transform(X),
        lambda a, X, y: a.wrap(TensorDataset(torch.from_numpy(X), torch.from_numpy(y))),
        lambda a, X, y: a.save("model"),
    ],
    ids=["sample", "augment", "transform", "wrap", "save"],
)
def test_every_method_says_that_it_needs_a_fit(use, digits):
    with pytest.raises(NotFittedError, match="not fitted yet. Call 'fit'"):
        use(GANAugmenter(), *digits)


# --- seeds ---------------------------------------------------------------------------------------


def everything(augmenter, X, y):
    """The bytes of all that an augmenter makes."""
    mixed = augmenter.fit_transform(X, y)
    return (
        mixed.tobytes(),
        augmenter.kinds_.tobytes(),
        augmenter.sample(20)[0].tobytes(),
        augmenter.augment(X, y)[0].tobytes(),
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"recipe": "classic"},
        {"conditioning": "per_class"},
        {"random_state": np.random.RandomState(3)},
    ],
    ids=["default", "classic", "per class", "RandomState"],
)
def test_one_random_state_gives_the_same_bytes(options, digits):
    mixing = {"mix_fraction": 0.3, "min_real": 20, "synthetic_share": 0.5}
    parameters = {**TINY, "image_shape": (8, 8), **mixing, **options}

    first, again = (
        everything(GANAugmenter(**copy.deepcopy(parameters)), *digits) for _ in range(2)
    )
    other = everything(GANAugmenter(**{**parameters, "random_state": 1}), *digits)

    assert first == again
    assert all(one != different for one, different in zip(first, other, strict=True))


def test_without_a_random_state_every_fit_differs(digits):
    augmenter = GANAugmenter(**{**TINY, "image_shape": (8, 8), "random_state": None})

    first, second = (augmenter.fit(*digits).sample(9)[0] for _ in range(2))

    assert not np.array_equal(first, second)
    assert_array_equal(augmenter.sample(9)[0], second)  # but a fitted one is settled


@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_states_and_settings_are_neither_read_nor_changed(random_state, digits):
    def state():
        return (
            torch.get_rng_state().tolist(),
            repr(np.random.get_state()),  # noqa: NPY002 - the old state is what must not change
            random.getstate(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_grad_enabled(),
        )

    before = state()
    augmenter = GANAugmenter(
        **{**TINY, "image_shape": (8, 8), "random_state": random_state},
        mix_fraction=0.3,
        min_real=20,
    )

    everything(augmenter, *digits)

    assert state() == before


# --- kinds of training ---------------------------------------------------------------------------


def test_per_class_trains_one_network_for_each_class(digits, n_trainings):
    X, y = digits
    names = np.array(["nought", "one", "two"])[y]
    augmenter = GANAugmenter(
        **{**TINY, "max_images": 300}, image_shape=(8, 8), conditioning="per_class"
    ).fit(X, names)

    assert n_trainings() == 3
    assert [gan.config.class_counts for gan in augmenter.model_.gans] == [(40,), (30,), (20,)]
    assert 300 <= augmenter.n_images_seen_ < 300 + 3 * 32  # the budget is shared out
    assert [set(record["variety"]) for record in augmenter.history_[::4]][:1] == [{"nought"}]
    assert {name for record in augmenter.history_ for name in record["variety"]} == set(names)
    assert augmenter.sample({"two": 5, "nought": 2})[0].shape == (7, 64)


def test_the_classic_recipe_trains_the_classic_networks(digits):
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), recipe="classic").fit(*digits)

    config = augmenter.model_.gans[0].config
    assert (config.recipe, config.loss, config.lecam, config.diffaugment) == (
        "classic",
        "bce",
        0.0,
        False,
    )


def test_options_of_the_engine_reach_it(digits):
    gan_options = {
        "learning_rate": 1e-3,
        "loss": "bce",
        "diffaugment": True,
        "lecam": 0.5,
        "class_power": 0.25,
        "ema_halflife_images": 100.0,
        "latent_dim": 5,
        "batch_size": np.int64(16),
    }
    options = {"width": np.int64(8), "max_images": 100, "max_seconds": 60.0}

    augmenter = GANAugmenter(
        **{**TINY, "image_shape": (8, 8), "gan_options": gan_options, **options}
    ).fit(*digits)

    config = augmenter.model_.gans[0].config.to_json()
    options |= gan_options
    assert {name: config[name] for name in options} == options


def test_none_means_the_recipes_own_values(digits):
    default, classic = (
        GANAugmenter(**TINY, image_shape=(8, 8), recipe=recipe).fit(*digits).model_.gans[0].config
        for recipe in ("default", "classic")
    )

    assert (default.lecam, default.loss) == (0.1, "hinge")
    assert (classic.lecam, classic.loss) == (0.0, "bce")


def test_time_alone_can_be_the_budget(digits):
    augmenter = GANAugmenter(
        **{**TINY, "image_shape": (8, 8), "max_images": None, "max_seconds": 0.2}
    ).fit(*digits)

    assert augmenter.n_images_seen_ > 0
    assert augmenter.fit_seconds_ >= 0.2


def test_the_automatic_budget_grows_with_the_data_within_limits():
    budgets = [auto_max_images(n) for n in (10, 2_000, 10**7)]

    assert budgets == sorted(set(budgets))


def test_fitted_attributes_tell_what_was_learnt(fitted, digits):
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.class_counts_ == COUNTS
    assert fitted.n_features_in_ == 64
    assert fitted.value_range_ == (0.0, 16.0)
    assert fitted.n_images_seen_ == 64
    assert fitted.fit_seconds_ > 0
    assert re.fullmatch("[0-9a-f]{64}", fitted.data_fingerprint_)
    assert fitted.history_[-1]["images_seen"] == 64
    assert set(fitted.history_[-1]["variety"]) == {0, 1, 2}
    documented = re.findall(
        r"^    (\w+_) : ", inspect.getdoc(GANAugmenter).replace("\n", "\n    "), re.M
    )
    fitted.augment(*digits)
    assert all(hasattr(fitted, name) for name in documented)


def test_a_new_fit_forgets_the_old_one(digits):
    X, y = digits
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(X, y)
    augmenter.augment(X, y)
    augmenter.sample(3)

    augmenter.set_params(image_shape=None).fit(squares(X, np.uint8, 15)[y < 2], y[y < 2])

    assert not hasattr(augmenter, "kinds_")
    assert not hasattr(augmenter, "resampling_report_")
    assert not hasattr(augmenter, "n_features_in_")
    assert augmenter.sample(2)[0].shape == (2, 8, 8)


# --- warm start ----------------------------------------------------------------------------------


@pytest.fixture
def more(digits):
    """Parameters that leave a warm-started network's weights as they were."""
    return {**TINY, "image_shape": (8, 8), "max_images": 1, "gan_options": STILL, "random_state": 5}


def same_generators(first, second):
    states = [a.model_.gans[0].generator_state for a in (first, second)]
    learnt = [name for name in states[0] if "running_" not in name and "num_" not in name]
    return all(torch.equal(states[0][name], states[1][name]) for name in learnt)


def test_training_starts_from_another_model(fitted, more, digits, tmp_path):
    fitted.save(tmp_path / "model")
    for source in (fitted, FrozenEstimator(fitted), tmp_path / "model", str(tmp_path / "model")):
        assert same_generators(GANAugmenter(**more, warm_start_from=source).fit(*digits), fitted)
    assert not same_generators(GANAugmenter(**more).fit(*digits), fitted)


def test_a_clone_keeps_a_frozen_model_to_start_from(fitted, more, digits):
    augmenter = clone(GANAugmenter(**more, warm_start_from=FrozenEstimator(fitted)))

    assert same_generators(augmenter.fit(*digits), fitted)


def test_a_model_may_start_from_itself(more, digits):
    augmenter = GANAugmenter(**more).fit(*digits)
    before = copy.deepcopy(augmenter)

    assert same_generators(augmenter.set_params(warm_start_from=augmenter).fit(*digits), before)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"width": 8}, InvalidInputError, "same networks: width is 8 here. Got 4"),
        ({"gan_options": {"latent_dim": 7}}, InvalidInputError, "latent_dim is 7 here. Got 4"),
        ({"recipe": "classic"}, InvalidInputError, "recipe is classic here. Got default"),
        ({"conditioning": "per_class"}, InvalidInputError, "n_classes is 1 here. Got 3"),
        ({"warm_start_from": GANAugmenter()}, InvalidInputError, "must be fitted.*FrozenEstimator"),
        ({"warm_start_from": "nowhere"}, ModelFileError, "nowhere"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_training(
    change, error, said, fitted, digits, no_training
):
    parameters = {
        **TINY,
        "image_shape": (8, 8),
        "warm_start_from": fitted,
        "filter": "classifier",
        **change,
    }

    with pytest.raises(error, match=said):
        GANAugmenter(**parameters).fit(*digits)


def test_a_model_of_other_classes_is_refused_before_training(fitted, digits, no_training):
    with pytest.raises(
        InvalidInputError, match=r"same classes, \[1, 2, 3\]. Got one of \[0, 1, 2\]"
    ):
        GANAugmenter(**TINY, image_shape=(8, 8), warm_start_from=fitted).fit(
            digits[0], digits[1] + 1
        )


# --- cache, checkpoints, Ctrl-C ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_equal_data_and_parameters_train_once(kind, digits, n_trainings, tmp_path):
    parameters = {**TINY, "image_shape": (8, 8), "cache_dir": kind(tmp_path)}
    first = GANAugmenter(**parameters).fit(*digits)

    again = GANAugmenter(**parameters).fit(*digits)
    mixed = GANAugmenter(
        **{**parameters, "synthetic_share": 1},
        mix_fraction=0.1,
        min_real=5,
        sampling_strategy="all",
    ).fit(*digits)

    assert n_trainings() == 1
    for augmenter in (again, mixed):
        assert_array_equal(augmenter.sample(9)[0], first.sample(9)[0])
        assert augmenter.history_ == first.history_


def test_other_data_or_parameters_train_again(digits, n_trainings, tmp_path):
    X, y = digits
    parameters = {**TINY, "image_shape": (8, 8), "cache_dir": str(tmp_path)}
    brighter = X.copy()
    brighter[0, 20] = 16 - brighter[0, 20]

    GANAugmenter(**parameters).fit(X, y)
    GANAugmenter(**{**parameters, "random_state": 1}).fit(X, y)
    GANAugmenter(**{**parameters, "gan_options": {"lecam": 0.9}}).fit(X, y)
    GANAugmenter(**parameters).fit(brighter, y)
    GANAugmenter(**parameters).fit(X, np.roll(y, 1))
    GANAugmenter(**parameters).fit(X, y.astype(str))

    assert n_trainings() == 6


@pytest.fixture
def ctrl_c(monkeypatch):
    """Press Ctrl-C in every training that has seen so many images, until released."""

    def press(images_seen):
        step = Trainer.step

        def interrupted(trainer):
            if trainer.images_seen >= images_seen:
                raise KeyboardInterrupt
            step(trainer)

        monkeypatch.setattr(Trainer, "step", interrupted)
        return lambda: monkeypatch.setattr(Trainer, "step", step)

    return press


def test_ctrl_c_leaves_a_fitted_augmenter_and_says_so(digits, ctrl_c):
    ctrl_c(96)
    augmenter = GANAugmenter(**{**TINY, "max_images": 3200}, image_shape=(8, 8))

    # other code, such as a cross-validation, must not go on with it
    with (
        pytest.warns(TrainingWarning, match="interrupted after 96 images; the best weights"),
        pytest.raises(KeyboardInterrupt),
    ):
        augmenter.fit(*digits)

    assert augmenter.n_images_seen_ == 96
    assert augmenter.sample(3)[0].shape == (3, 64)


def test_fit_returns_after_ctrl_c_to_a_script_or_a_notebook_itself(digits, ctrl_c):
    ctrl_c(32)
    names = {"__name__": "__main__", "GANAugmenter": GANAugmenter, "tiny": TINY, "digits": digits}

    exec("augmenter = GANAugmenter(**tiny, image_shape=(8, 8)).fit(*digits)", names)

    assert names["augmenter"].n_images_seen_ == 32


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")
def test_ctrl_c_ends_a_cross_validation(digits, ctrl_c):
    ctrl_c(32)
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), mix_fraction=0.3)
    model = make_pipeline(augmenter, KNeighborsClassifier())

    with pytest.raises(KeyboardInterrupt):
        cross_val_score(model, *digits)


@pytest.mark.parametrize("n_done", [0, 2])
def test_ctrl_c_keeps_what_workers_have_finished(n_done, digits, monkeypatch):
    def interrupted(self, tasks):
        for function, arguments, keywords in list(tasks)[:n_done]:
            yield function(*arguments, **keywords)
        raise KeyboardInterrupt

    monkeypatch.setattr("joblib.Parallel.__call__", interrupted)
    augmenter = GANAugmenter(**{**TINY, "n_generators": 3}, image_shape=(8, 8), n_jobs=2)

    with pytest.raises(KeyboardInterrupt):
        augmenter.fit(*digits)

    assert augmenter.__sklearn_is_fitted__() == bool(n_done)
    if n_done:
        assert augmenter.model_.interrupted
        assert augmenter.model_.n_generators == 2
        assert augmenter.sample(3)[0].shape == (3, 64)


def test_the_last_line_of_fit_names_distrusted_classes(digits, capfd):
    parameters = {**TINY, "filter": "auto", "image_shape": (8, 8)}
    augmenter = GANAugmenter(**{**parameters, "verbose": 1}).fit(*digits)
    last = capfd.readouterr().err.splitlines()[-1]

    distrusted = [label for label, share in augmenter.trust_.items() if share < 0.8]
    assert distrusted
    assert last.startswith("Distrusted: ")
    assert all(f"{label} (" in last for label in distrusted)
    GANAugmenter(**parameters).fit(*digits)
    assert not capfd.readouterr().err


def test_a_pickle_of_another_machine_s_gpu_is_sampled_on_the_cpu(digits):
    augmenter = GANAugmenter(**{**TINY, "filter": "auto"}, image_shape=(8, 8)).fit(*digits)
    augmenter.sampler_.device = "cuda:99"
    augmenter.model_.classifier._device = torch.device("cuda:99")

    loaded = pickle.loads(pickle.dumps(augmenter))

    assert loaded.sampler_.device == "cpu"
    assert loaded.model_.classifier.predict_proba(np.zeros((1, 1, 8, 8), np.uint8)).shape == (1, 3)
    assert loaded.set_params(filter=None).sample(3)[0].shape == (3, 64)


def test_an_interrupted_training_is_not_cached(digits, ctrl_c, tmp_path):
    parameters = {**TINY, "image_shape": (8, 8), "cache_dir": str(tmp_path)}
    release = ctrl_c(32)
    with pytest.raises(KeyboardInterrupt):
        GANAugmenter(**parameters).fit(*digits)

    release()

    assert GANAugmenter(**parameters).fit(*digits).n_images_seen_ == 64


def test_ctrl_c_among_per_class_networks_is_passed_on(digits, ctrl_c):
    # classes without a network cannot be sampled: there is no fitted estimator to leave
    ctrl_c(0)
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), conditioning="per_class")

    with pytest.raises(KeyboardInterrupt):
        augmenter.fit(*digits)

    with pytest.raises(NotFittedError):
        augmenter.sample(3)


@pytest.mark.parametrize("conditioning", ["joint", "per_class"])
def test_an_interrupted_fit_is_resumed_to_the_same_bytes(conditioning, digits, ctrl_c, tmp_path):
    parameters = {**TINY, "image_shape": (8, 8), "conditioning": conditioning, "max_images": 640}
    whole = GANAugmenter(**parameters).fit(*digits)
    parameters["checkpoint_dir"] = tmp_path / "state"
    release = ctrl_c(128)
    with pytest.raises(KeyboardInterrupt):
        GANAugmenter(**parameters).fit(*digits)
    assert any((tmp_path / "state").iterdir())

    release()
    resumed = GANAugmenter(**parameters).fit(*digits)

    assert resumed.n_images_seen_ == whole.n_images_seen_
    assert resumed.sample(30)[0].tobytes() == whole.sample(30)[0].tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"random_state": 1}, "seed"),
        ({"width": 8}, "width"),
        ({"gan_options": {**TINY["gan_options"], "lecam": 0.7}}, "lecam"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(change, said, digits, tmp_path):
    parameters = {**TINY, "image_shape": (8, 8), "checkpoint_dir": str(tmp_path)}
    GANAugmenter(**parameters).fit(*digits)

    with pytest.raises(CheckpointError, match=said):
        GANAugmenter(**{**parameters, **change}).fit(*digits)
    with pytest.raises(CheckpointError, match="other data"):
        GANAugmenter(**parameters).fit(digits[0][1:], digits[1][1:])


# --- output --------------------------------------------------------------------------------------


def test_silence_is_silent(digits, capfd):
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(*digits)
    augmenter.sample(3)
    augmenter.augment(*digits)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("conditioning", ["joint", "per_class"])
def test_progress_shows_estimate_images_losses_and_eta(conditioning, digits, capfd, monkeypatch):
    monkeypatch.setattr(callbacks, "REPORT_SECONDS", 0.0)
    parameters = {**TINY, "verbose": 1, "image_shape": (8, 8), "conditioning": conditioning}

    GANAugmenter(**parameters).fit(*digits)

    out, shown = capfd.readouterr()
    assert out == ""
    first = shown.lstrip("\r").split("\r")[0]
    assert re.search(r"GAN on \w+, 6\d images, estimated \d+ s", first)
    assert "0%" in first
    assert re.search(r"100%.*\d+ images, [\d,]+/s, loss D -?\d+\.\d+ G -?\d+\.\d+", shown)
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", shown)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (210, "3.5 min"), (7560, "2.1 h")]
)
def test_durations_are_readable(seconds, text):
    assert readable_seconds(seconds) == text


# --- bad input: before any training --------------------------------------------------------------


def broken(X, row, column, value):
    X = X.copy()
    X[row, column] = value
    return X


BAD_DATA = {
    "NaN": (lambda X, y: (broken(X, [3, 4], 7, np.nan), y), {}, "2 NaN"),
    "inf": (lambda X, y: (broken(X, 3, 7, -np.inf), y), {}, "1 infinite"),
    "NaN in a table": (
        lambda X, y: (broken(X - 1, 3, 7, np.nan), y),
        {"image_shape": None},
        "1 NaN",
    ),
    "lengths": (lambda X, y: (X[:-3], y), {}, "same length. Got 87 and 90"),
    "no labels": (lambda X, y: (X, None), {}, "requires y"),
    "one class": (lambda X, y: (X[y == 1], y[y == 1]), {}, "class"),
    "a class of one row": (
        lambda X, y: (np.r_[X, X[:1]], np.r_[y, 7]),
        {},
        "single sample of class 7",
    ),
    "empty": (lambda X, y: (X[:0], y[:0]), {}, "0 sample"),
    "too small": (
        lambda X, y: (np.zeros((90, 7, 7), np.uint8), y),
        {"image_shape": None},
        "7 x 7.*resize",
    ),
    "too large": (
        lambda X, y: (np.zeros((90, 8, 129), np.uint8), y),
        {"image_shape": None},
        "8 x 129.*resize",
    ),
    "too many channels": (
        lambda X, y: (np.zeros((90, 8, 8, 5), np.uint8), y),
        {"image_shape": None},
        "1 to 4 channels",
    ),
    "image_shape": (lambda X, y: (X, y), {"image_shape": (8, 9)}, r"\(8, 9\).*rows of 64"),
    "items of another kind": (
        lambda X, y: (TensorDataset(torch.from_numpy(X)), None),
        {"image_shape": None},
        r"\(image, label\)",
    ),
    "items of other sizes": (
        lambda X, y: (
            [*squares(X[:43], float), np.zeros((8, 9)), np.zeros((9, 9)), *squares(X[45:], float)],
            y,
        ),
        {"image_shape": None},
        r"X\[43\].*resize",
    ),
    "continuous labels": (lambda X, y: (X, y + 0.5), {}, "fractional"),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_data_that_cannot_work_are_refused_before_training(what, digits, no_training):
    change, options, said = BAD_DATA[what]
    augmenter = GANAugmenter(**{**TINY, "image_shape": (8, 8), **options})

    with pytest.raises((ValueError, TypeError), match=said):
        augmenter.fit(*change(*digits))


def test_data_that_cannot_work_leave_an_earlier_fit_as_it_was(digits):
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(*digits)
    before = augmenter.sample(5)[0]

    with pytest.raises(InvalidInputError):
        augmenter.fit(broken(digits[0], 0, 0, np.nan), digits[1])

    assert_array_equal(augmenter.sample(5)[0], before)


def test_small_classes_are_warned_of_by_name_at_the_users_line(digits):
    X, y = digits
    rows = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 2)[:19]]

    with pytest.warns(SmallClassWarning, match=r"2 \(19\).*duplicates") as caught:
        GANAugmenter(**TINY, image_shape=(8, 8)).fit(X[rows], y[rows])

    small = next(record for record in caught if record.category is SmallClassWarning)
    assert small.filename == __file__


def test_twenty_samples_are_not_warned_of(digits):
    X, y = digits
    rows = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 2)[:20]]

    with warnings.catch_warnings():
        warnings.simplefilter("error", SmallClassWarning)
        GANAugmenter(**TINY, image_shape=(8, 8)).fit(X[rows], y[rows])


def test_flattened_images_are_warned_of(digits):
    with pytest.warns(FlattenedImagesWarning, match=r"image_shape=\(8, 8\)"):
        GANAugmenter(**TINY).fit(*digits)


def test_a_training_warning_points_at_the_users_line(digits, ctrl_c):
    ctrl_c(32)

    with pytest.warns(TrainingWarning) as caught, pytest.raises(KeyboardInterrupt):
        GANAugmenter(**TINY, image_shape=(8, 8)).fit(*digits)

    assert caught[0].filename == __file__


BAD_PARAMETERS = [
    ({"recipe": "clasic"}, "`recipe`.*'clasic'.*Did you mean 'classic'"),
    ({"conditioning": "perclass"}, "`conditioning`.*Did you mean 'per_class'"),
    ({"gan_options": {"loss": "hing"}}, "`gan_options.*loss.*Did you mean 'hinge'"),
    ({"gan_options": {"diffaugment": 3}}, "`gan_options.*diffaugment"),
    ({"gan_options": {"lerning_rate": 3}}, "`gan_options` must have keys.*Did you mean 'learning"),
    ({"gan_options": {"width": 8}}, "`gan_options` must have.*'width' is a parameter of its own"),
    ({"gan_options": 3}, "`gan_options` must be a dict"),
    ({"filter": "clasifier"}, "`filter`.*Did you mean 'classifier'"),
    ({"filter": ("classifier",)}, "`filter`.*Got \\('classifier',\\)"),
    ({"filter": 3}, "`filter`.*Got 3"),
    ({"sampling_strategy": "minorty"}, "`sampling_strategy`.*Did you mean 'minority'"),
    ({"width": 3}, "`width` must be an integer from 4"),
    ({"width": "32"}, "`width`.*Got '32'"),
    ({"width": None}, "`width`.*Got None"),
    ({"gan_options": {"latent_dim": 0}}, "`gan_options.*latent_dim.*`"),
    ({"gan_options": {"latent_dim": 2.5}}, "`gan_options.*latent_dim.*`.*Got 2.5"),
    ({"gan_options": {"batch_size": 30}}, "`gan_options.*batch_size.*` must be a multiple of 4"),
    (
        {"gan_options": {"batch_size": np.int64(30)}},
        "`gan_options.*batch_size.*` must be a multiple of 4",
    ),
    ({"gan_options": {"batch_size": 128.0}}, "`gan_options.*batch_size.*`.*Got 128.0"),
    ({"gan_options": {"batch_size": None}}, "`gan_options.*batch_size.*`"),
    ({"max_images": 0}, "`max_images`.*'auto'.*None"),
    ({"max_images": "all"}, "`max_images`.*Got 'all'"),
    ({"max_images": float("inf")}, "`max_images`.*Got inf"),
    ({"max_images": None}, "`max_images` and `max_seconds` are both None"),
    ({"max_seconds": -1}, "`max_seconds`"),
    ({"max_seconds": "60"}, "`max_seconds`"),
    ({"gan_options": {"learning_rate": 2}}, "`gan_options.*learning_rate.*`"),
    ({"gan_options": {"learning_rate": float("nan")}}, "`gan_options.*learning_rate.*`.*nan"),
    ({"gan_options": {"learning_rate": "auto"}}, "`gan_options.*learning_rate.*`.*Got 'auto'"),
    ({"gan_options": {"lecam": -0.1}}, "`gan_options.*lecam.*`"),
    ({"gan_options": {"class_power": 1.5}}, "`gan_options.*class_power.*`"),
    ({"gan_options": {"ema_halflife_images": -1}}, "`gan_options.*ema_halflife_images.*`"),
    ({"n_generators": 0}, "`n_generators`"),
    ({"n_generators": 1.5}, "`n_generators`.*Got 1.5"),
    ({"synthetic_share": -1}, "`synthetic_share`"),
    ({"synthetic_share": True}, "`synthetic_share`.*Got True"),
    ({"augmentation": "miror"}, "`augmentation`.*Did you mean 'mirror'"),
    ({"n_jobs": 0.5}, "`n_jobs`"),
    ({"mix_fraction": 1.1}, "`mix_fraction`"),
    ({"max_seconds": float("inf")}, "`max_seconds` .*, or None. Got inf"),
    ({"gan_options": {"lecam": float("nan")}}, "`gan_options.*lecam.*`"),
    ({"sampling_strategy": None}, "`sampling_strategy` must be a string, a number, a dict"),
    ({"min_real": -1}, "`min_real`"),
    ({"verbose": None}, "`verbose`"),
    ({"image_shape": 8}, "`image_shape`"),
    ({"value_range": (1, 0)}, "`value_range`"),
    ({"resize": 16}, "`resize`.*16"),
    ({"random_state": -1}, "`random_state`"),
    ({"device": "gpu"}, "`device`.*'gpu'"),
    ({"checkpoint_dir": 5}, "`checkpoint_dir`"),
    ({"checkpoint_dir": __file__}, "`checkpoint_dir` must be a directory"),
]


@pytest.mark.parametrize(("parameters", "said"), BAD_PARAMETERS, ids=str)
def test_parameters_that_cannot_work_are_refused_before_training(
    parameters, said, digits, no_training
):
    with pytest.raises(InvalidInputError, match=said):
        GANAugmenter(**{**TINY, "image_shape": (8, 8), **parameters}).fit(*digits)


def test_every_parameter_has_a_value_that_is_refused():
    refused = {name for parameters, _ in BAD_PARAMETERS for name in parameters}
    free = {"image_key", "label_key", "cache_dir", "warm_start_from"}  # checked where they are used

    assert refused | free == set(GANAugmenter().get_params())


def test_options_of_the_engine_are_set_as_a_whole():
    with pytest.raises(InvalidInputError, match="`gan_options` must be set as a whole dict"):
        GANAugmenter().set_params(gan_options__batch_size=32)


def test_all_mistakes_are_told_at_once(digits, no_training):
    with pytest.raises(InvalidInputError, match=r"`recipe`.*`width`.*loss.*`mix_fraction`"):
        GANAugmenter(recipe="x", gan_options={"loss": "y"}, width=1, mix_fraction=2).fit(*digits)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_cuda_without_cuda_lists_what_is_there(device, fitted, digits, no_training, tmp_path):
    fitted.save(tmp_path / "model")

    with pytest.raises(InvalidInputError, match=rf"\(cpu\) or 'auto'. Got '{device}'"):
        GANAugmenter(**TINY, device=device).fit(*digits)
    with pytest.raises(InvalidInputError, match=r"\(cpu\)"):
        GANAugmenter.load(tmp_path / "model", device=device)


@pytest.mark.gpu
def test_the_gpu_is_used_where_there_is_one(digits):
    augmenter = GANAugmenter(**{**TINY, "filter": "classifier"}, image_shape=(8, 8)).fit(*digits)

    assert augmenter.sampler_.device == "cuda"
    parameter = next(augmenter.sampler_._members[0].parts[0].generator.parameters())
    assert parameter.is_cuda


# --- the constructor -----------------------------------------------------------------------------


def test_the_constructor_stores_its_arguments_unchanged():
    parameters = inspect.signature(GANAugmenter).parameters
    marks = {name: object() for name in parameters}

    augmenter = GANAugmenter(**marks)

    assert vars(augmenter) == marks
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())


def test_every_parameter_is_documented():
    documentation = inspect.getdoc(GANAugmenter).partition("Attributes\n")[0]

    undocumented = [
        n for n in GANAugmenter().get_params() if not re.search(rf"\b{n}\b", documentation)
    ]
    assert undocumented == []


def test_a_mistyped_parameter_name_is_refused_with_a_suggestion():
    with pytest.raises(
        InvalidInputError, match="no parameter 'max_image'. Did you mean 'max_images'"
    ):
        GANAugmenter().set_params(max_image=5)
