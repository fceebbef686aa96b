from __future__ import annotations

import contextlib
from collections import Counter, namedtuple

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.utils.estimator_checks import check_param_validation
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from torch.utils.data import TensorDataset

import ganaug.cache
from ganaug import GANAugmenter, GANOverSampler
from ganaug.exceptions import (
    GanaugError,
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
    SmallClassWarning,
)

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

COUNTS = {0: 60, 1: 30, 2: 20}


def tiny_augmenter(**parameters):
    return GANAugmenter(
        **{
            "max_images": 128,
            "n_generators": 1,
            "synthetic_share": 0.25,
            "width": 4,
            "filter": None,
            "verbose": 0,
            **parameters,
        }
    )


@pytest.fixture
def table():
    """Three classes of 60, 30 and 20 rows of three columns, in mixed order."""
    X, y = make_blobs(list(COUNTS.values()), 3, random_state=0)
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


@pytest.fixture
def images(imbalanced_digits):
    """Digits of three classes with 60, 30 and 20 rows, as (n, 8, 8) uint8."""
    X, y = imbalanced_digits
    rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in COUNTS.items()])
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), y[rows]


@pytest.fixture
def n_trainings(monkeypatch):
    """Count the GANs that get trained."""
    trainings = []
    train_model = ganaug.cache.train_model

    def counting(data, *args, **kwargs):
        trainings.append(data)
        return train_model(data, *args, **kwargs)

    monkeypatch.setattr(ganaug.cache, "train_model", counting)
    return lambda: len(trainings)


class TinyTransformer(TransformerMixin, BaseEstimator):
    pass


# --- counts ---


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {0: 60, 1: 60, 2: 60}),
        ("not majority", {0: 60, 1: 60, 2: 60}),
        ("minority", {0: 60, 1: 30, 2: 60}),
        ({1: 100, 2: 21}, {0: 60, 1: 100, 2: 21}),
        (lambda y: {2: 2 * int(np.sum(y == 2))}, {0: 60, 1: 30, 2: 40}),
    ],
    ids=["auto", "not majority", "minority", "dict", "callable"],
)
def test_classes_get_exactly_the_rows_that_the_strategy_asks_for(table, strategy, expected):
    X, y = table
    sampler = GANOverSampler(tiny_augmenter(), sampling_strategy=strategy, random_state=0)
    X_out, y_out = sampler.fit_resample(X, y)
    assert Counter(y_out.tolist()) == expected
    assert len(X_out) == len(y_out)
    added = {label: n - COUNTS[label] for label, n in expected.items() if n > COUNTS[label]}
    assert sampler.sampling_strategy_ == added


CONTAINERS = {
    "arrays": (np.copy, np.copy),
    "frame and series": (
        lambda X: pd.DataFrame(X, index=[f"row {i}" for i in range(len(X))]).add_prefix("c"),
        lambda y: pd.Series(y, index=[f"row {i}" for i in range(len(y))], name="kind"),
    ),
    "lists": (np.ndarray.tolist, np.ndarray.tolist),
    "tuple and a column": (lambda X: tuple(map(tuple, X)), lambda y: y[:, None]),
    "tensors": (lambda X: torch.from_numpy(X).requires_grad_() * 1, torch.from_numpy),
    "strings": (np.copy, lambda y: np.array(["bag", "boot", "coat"])[y]),
    "categories": (np.copy, pd.Categorical),
    "one-hot": (np.copy, lambda y: np.eye(3, dtype=int)[y]),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("is_image", [False, True])
def test_where_no_row_is_asked_for_nothing_is_trained(
    table, images, n_trainings, container, is_image
):
    X, y = images if is_image else table
    wrap_X, wrap_y = CONTAINERS[container]
    options = {}
    if is_image and container.startswith(("frame", "tuple", "tensors")):
        X, options = X.reshape(len(X), -1).astype(float), {"image_shape": (8, 8)}
    X, y = wrap_X(X), wrap_y(y)
    label = 0 if container != "strings" else "bag"
    sampler = GANOverSampler(tiny_augmenter(**options), sampling_strategy={}, random_state=0)

    X_out, y_out = sampler.fit_resample(X, y)

    assert n_trainings() == 0
    assert X_out is not X  # to be changed without changing what came
    assert sampler.sampling_strategy_ == {}
    assert (sampler.kinds_ == "real").all()
    assert [plan.n_real for plan in sampler.resampling_report_] == [60, 30, 20]

    # the same kinds of things, and the same rows, as where something is added
    sampler.set_params(sampling_strategy={label: 61})
    X_more, y_more = sampler.fit_resample(X, y)
    assert type(X_out) is type(X_more)
    assert type(y_out) is type(y_more)
    assert getattr(y_out, "dtype", None) == getattr(y_more, "dtype", None)
    for out, more in ((X_out, X_more), (y_out, y_more)):
        if hasattr(out, "index") and hasattr(out, "iloc"):
            assert out.equals(more.iloc[:110])
        else:
            assert_array_equal(np.asarray(_plain(out)), np.asarray(_plain(more))[:110])


def _plain(values):
    return values.detach() if isinstance(values, torch.Tensor) else values


def test_bad_rows_are_refused_also_where_no_row_is_asked_for(table):
    X, y = table
    X[3, 1] = np.nan
    with pytest.raises(InvalidInputError, match="NaN"):
        GANOverSampler(tiny_augmenter(), sampling_strategy={}).fit_resample(X, y)
    good = np.nan_to_num(X)
    for parameters in ({"width": 0}, {"device": "gpu"}, {"random_state": "x"}):
        name = next(iter(parameters))
        with pytest.raises(GanaugError, match=f"`{name}`"):
            GANOverSampler(tiny_augmenter(**parameters), sampling_strategy={}).fit_resample(good, y)


def test_a_float_is_the_ratio_of_minority_to_majority(table):
    X, y = table
    two = y < 2
    sampler = GANOverSampler(tiny_augmenter(), sampling_strategy=0.9, random_state=0)
    _, y_out = sampler.fit_resample(X[two], y[two])
    assert Counter(y_out.tolist()) == {0: 60, 1: 54}


# --- kinds ---


@pytest.mark.parametrize(("share", "n_synthetic"), [(0, 0), (0.25, 10), (0.99, 39), (1, 40)])
@pytest.mark.parametrize("strategy", ["auto", {1: 60, 2: 60}], ids=["auto", "dict"])
def test_a_share_of_what_a_class_gets_is_synthetic(
    table, n_trainings, share, n_synthetic, strategy
):
    X, y = table
    sampler = GANOverSampler(
        tiny_augmenter(), synthetic_share=share, sampling_strategy=strategy, random_state=0
    )
    _, y_out = sampler.fit_resample(X, y)
    plans = {plan.label: plan for plan in sampler.resampling_report_}
    assert (plans[2].n_synthetic, plans[2].n_interpolated) == (n_synthetic, 40 - n_synthetic)
    assert Counter(sampler.kinds_[y_out == 2]) == +Counter(
        {"real": 20, "synthetic": n_synthetic, "interpolated": 40 - n_synthetic}
    )
    assert n_trainings() == (share > 0)


@pytest.mark.parametrize(
    ("n", "image_shape", "share"),
    [(4999, (8, 8), 0), (5000, (8, 8), 0.25), (5000, None, 0)],
    ids=["few images", "images", "a table"],
)
def test_the_default_share_is_that_of_the_kind_and_number_of_samples(n, image_shape, share):
    y = np.repeat([0, 1], [n - 30, 30])
    X = np.random.default_rng(0).integers(0, 17, size=(n, 64)).astype(float)
    X = X if image_shape else X - 8  # no flattened images
    augmenter = tiny_augmenter(synthetic_share=None, image_shape=image_shape)
    sampler = GANOverSampler(augmenter, sampling_strategy={1: 50}, random_state=0)
    told = pytest.warns(GanaugWarning, match="uses no GAN in spite of `max_images`")
    with told if not share else contextlib.nullcontext():
        sampler.fit_resample(X, y)
    assert (sampler.kinds_ == "synthetic").sum() == share * 20


def test_every_sample_says_where_it_comes_from(images):
    X, y = images
    sampler = GANOverSampler(tiny_augmenter(), augmentation="none", random_state=0)
    X_out, y_out = sampler.fit_resample(X, y)
    assert set(sampler.kinds_) == {"real", "synthetic", "duplicate"}
    assert_array_equal(sampler.sample_indices_ < 0, sampler.kinds_ == "synthetic")
    known = sampler.sample_indices_ >= 0
    assert_array_equal(X_out[known], X[sampler.sample_indices_[known]])
    assert_array_equal(y_out[known], y[sampler.sample_indices_[known]])


@pytest.mark.parametrize(
    ("augmentation", "n_augmented", "n_interpolated"),
    [
        (None, 20, 20),
        ("mixed", 20, 20),
        ("affine", 40, 0),
        ("interpolation", 0, 40),
        ("none", 0, 0),
    ],
)
def test_augmentation_says_how_real_images_are_varied(
    images, augmentation, n_augmented, n_interpolated
):
    sampler = GANOverSampler(synthetic_share=0, augmentation=augmentation, random_state=0)
    _, y_out = sampler.fit_resample(*images)
    n_repeated = 40 - n_augmented - n_interpolated
    assert Counter(sampler.kinds_[y_out == 2]) == +Counter(
        real=20, augmented=n_augmented, interpolated=n_interpolated, duplicate=n_repeated
    )


@pytest.mark.parametrize("kind", ["augmented", "interpolated"])
def test_real_samples_are_varied_equally_often_and_stay_in_their_class(images, kind):
    X, y = images
    augmentation = {"augmented": "affine", "interpolated": "interpolation"}[kind]
    sampler = GANOverSampler(synthetic_share=0, augmentation=augmentation, random_state=0)
    X_out, y_out = sampler.fit_resample(X, y)
    is_new = sampler.kinds_ == kind
    sources = sampler.sample_indices_[is_new]
    assert_array_equal(y[sources], y_out[is_new])
    times = Counter(sources[y[sources] == 2].tolist())
    assert len(times) == 20
    assert set(times.values()) == {2}
    is_copy = (X_out[is_new] == X[sources]).all(axis=(1, 2))  # so near that values round to it
    assert is_copy.mean() <= (0.1 if kind == "interpolated" else 0)


def test_feature_rows_are_interpolated_within_their_class(table):
    X, y = table
    sampler = GANOverSampler(synthetic_share=0, random_state=0)
    X_out, y_out = sampler.fit_resample(X, y)
    is_new = sampler.kinds_ == "interpolated"
    for label in (1, 2):
        new, real = X_out[is_new & (y_out == label)], X[y == label]
        assert (new >= real.min(axis=0) - 1e-6).all()
        assert (new <= real.max(axis=0) + 1e-6).all()
        assert not (new[:, None] == real).all(axis=2).any()


def test_a_class_of_which_little_is_trusted_gets_no_synthetic_sample_also_by_a_dict(images):
    sampler = GANOverSampler(
        tiny_augmenter(filter="classifier"), sampling_strategy={2: 60}, random_state=0
    )
    sampler.fit_resample(*images)  # of a GAN that has learnt nothing
    assert sampler.augmenter_.trust_[2] < 0.8
    (plan,) = [plan for plan in sampler.resampling_report_ if plan.label == 2]
    assert (plan.n_synthetic, plan.n_augmented, plan.n_interpolated) == (0, 20, 20)
    assert "less than 80%" in plan.note


def test_whatever_is_added_has_only_values_that_real_images_have(imbalanced_digits):
    X, y = imbalanced_digits
    X = X.reshape(-1, 8, 8) / 16 * 3.2  # whole steps of 0.2: the nearest of 256 are no such steps
    sampler = GANOverSampler(tiny_augmenter(), random_state=0)
    X_out, _ = sampler.fit_resample(X, y)
    assert {"synthetic", "augmented", "interpolated"} <= set(sampler.kinds_)
    assert set(np.unique(X_out)) <= set(np.unique(X))


# --- a GAN that is trained already ---


def test_a_frozen_augmenter_is_not_trained_and_gives_what_training_it_gives(images, n_trainings):
    X, y = images
    trained = GANOverSampler(tiny_augmenter(), random_state=3)
    expected = trained.fit_resample(X, y)
    frozen = GANOverSampler(FrozenEstimator(trained.augmenter_), random_state=3)
    for sampler in (frozen, clone(frozen)):
        X_out, y_out = sampler.fit_resample(X, y)
        assert_array_equal(X_out, expected[0])
        assert_array_equal(y_out, expected[1])
        assert_array_equal(sampler.kinds_, trained.kinds_)
    assert n_trainings() == 1


def test_a_frozen_augmenter_stays_as_it_was(images, monkeypatch):
    monkeypatch.setattr("ganaug.augmentation.CHECK_STEPS", 20)
    X, y = images
    fitted = tiny_augmenter(random_state=0).fit(X, y)
    before = dict(vars(fitted))
    GANOverSampler(FrozenEstimator(fitted), augmentation="mirror").fit_resample(X, y)
    assert vars(fitted).keys() - before.keys() <= {"_sampler"}
    assert fitted.augmentation is None


@pytest.mark.parametrize(
    "augmenter", [GANAugmenter(), TinyTransformer()], ids=["unfitted", "other"]
)
def test_what_is_frozen_must_be_a_fitted_augmenter(table, augmenter):
    with pytest.raises(InvalidInputError, match="fitted one"):
        GANOverSampler(FrozenEstimator(augmenter)).fit_resample(*table)


@pytest.mark.parametrize(
    "parameter", [{"image_shape": (8, 8)}, {"n_generators": 2}, {"max_images": 99}], ids=str
)
def test_the_gan_is_configured_in_one_place(table, n_trainings, parameter):
    (name,) = parameter
    with pytest.raises(InvalidInputError, match=f"`{name}` must be None beside an `augmenter`"):
        GANOverSampler(tiny_augmenter(), **parameter).fit_resample(*table)
    assert n_trainings() == 0


def test_parameters_of_the_sampler_reach_the_augmenter():
    sampler = GANOverSampler(
        image_shape=(8, 8), n_generators=2, max_images=99, n_jobs=2, random_state=5
    )
    made = sampler.make_augmenter()
    assert (made.image_shape, made.n_generators, made.max_images) == ((8, 8), 2, 99)
    assert (made.n_jobs, made.random_state) == (2, 5)


# --- containers ---


def as_rgb(images):
    return np.repeat(images[..., None], 3, axis=-1)


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X,
        as_rgb,
        lambda X: as_rgb(X).transpose(0, 3, 1, 2).astype(np.float32) / 255,
        lambda X: torch.from_numpy(X)[:, None],
    ],
    ids=["(n, H, W)", "(n, H, W, C)", "(n, C, H, W) float32", "tensor"],
)
def test_images_come_back_with_their_shape_and_dtype_after_the_untouched_real_ones(images, convert):
    X, y = convert(images[0]), images[1]
    X_out, y_out = GANOverSampler(tiny_augmenter(), random_state=0).fit_resample(X, y)
    assert type(X_out) is type(X)
    assert X_out.dtype == X.dtype
    assert X_out.shape == (180, *X.shape[1:])
    assert_array_equal(np.asarray(X_out[: len(X)]), np.asarray(X))
    assert_array_equal(y_out[: len(y)], y)


Row = namedtuple("Row", ["a", "b", "c"])


@pytest.mark.parametrize(
    "as_row",
    [
        np.float32,
        lambda row: torch.tensor(row, dtype=torch.float32),
        lambda row: tuple(row.tolist()),
        lambda row: Row(*row.tolist()),
        np.ndarray.tolist,
    ],
    ids=["array", "tensor", "tuple", "named tuple", "list"],
)
def test_rows_in_a_list_go_out_as_they_came(as_row, table):
    X = [as_row(row) for row in table[0]]

    X_out, _ = GANOverSampler(synthetic_share=0, random_state=0).fit_resample(X, table[1])

    assert isinstance(X_out, list)
    assert all(row is own for row, own in zip(X_out, X, strict=False))
    assert {type(row) for row in X_out} == {type(X[0])}
    assert {getattr(row, "dtype", None) for row in X_out} == {getattr(X[0], "dtype", None)}
    assert np.shape(X_out) == (180, 3)


def test_pil_images_come_in_a_list_and_go_out_in_one(images):
    X = [Image.fromarray(image) for image in images[0]]
    X_out, y_out = GANOverSampler(tiny_augmenter(), random_state=0).fit_resample(
        X, images[1].tolist()
    )
    assert isinstance(X_out, list)
    assert all(real is kept for real, kept in zip(X, X_out, strict=False))
    assert (X_out[-1].mode, X_out[-1].size) == ("L", (8, 8))
    assert isinstance(y_out, list)
    assert Counter(y_out) == {0: 60, 1: 60, 2: 60}


@pytest.mark.works_with("pandas", "data frames in and out of the over-sampler")
def test_a_data_frame_keeps_columns_dtypes_and_the_index_of_its_real_rows(table):
    X, y = table
    frame = pd.DataFrame({"a": X[:, 0], "b": np.rint(X[:, 1]).astype(np.int32)}).set_index(
        pd.RangeIndex(1000, 1000 + len(X))
    )
    labels = pd.Series(y, index=frame.index, name="kind")
    sampler = GANOverSampler(tiny_augmenter(), random_state=0)
    X_out, y_out = sampler.fit_resample(frame, labels)
    pd.testing.assert_frame_equal(X_out.iloc[: len(X)], frame, check_index_type=False)
    pd.testing.assert_series_equal(y_out.iloc[: len(y)], labels, check_index_type=False)
    assert X_out.dtypes.to_dict() == frame.dtypes.to_dict()
    assert X_out.index.is_unique
    assert_array_equal(X_out.index, y_out.index)
    assert sampler.feature_names_in_.tolist() == ["a", "b"]


def test_string_labels_stay_strings(table):
    X, y = table
    names = np.array(["boot", "bag", "shirt"])[y]
    _, y_out = GANOverSampler(
        tiny_augmenter(), sampling_strategy={"shirt": 55}, random_state=0
    ).fit_resample(X, names)
    assert Counter(y_out.tolist()) == {"boot": 60, "bag": 30, "shirt": 55}


@pytest.mark.parametrize(("strategy", "n_each"), [("auto", 60), ("enlarge", 480)])
def test_one_hot_labels_come_back_one_hot(strategy, n_each, table):
    X, y = table
    sampler = GANOverSampler(tiny_augmenter(), sampling_strategy=strategy, random_state=0)
    _, y_out = sampler.fit_resample(X, np.eye(3)[y])
    assert y_out.shape == (3 * n_each, 3)
    assert_array_equal(y_out.sum(axis=0), [n_each] * 3)


# --- parameters ---


def test_setting_a_nested_parameter_leaves_a_given_augmenter_in_its_place():
    augmenter = tiny_augmenter(width=12)
    sampler = GANOverSampler(augmenter).set_params(augmenter__max_images=500)
    assert sampler.augmenter is augmenter
    assert (augmenter.width, augmenter.max_images) == (12, 500)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("sampling_stratgy", "sampling_strategy"), ("max_image", "max_images")],
)
def test_an_unknown_parameter_name_gets_a_suggestion(wrong, meant):
    with pytest.raises(InvalidInputError, match=f"Did you mean '{meant}'"):
        GANOverSampler().set_params(**{wrong: 1})


def test_every_parameter_has_a_constraint_and_the_customary_message():
    check_param_validation("GANOverSampler", GANOverSampler(tiny_augmenter()))


def test_a_mistyped_strategy_gets_a_suggestion_as_an_error_of_this_library(table):
    with pytest.raises(GanaugError, match="Did you mean 'minority'") as caught:
        GANOverSampler(tiny_augmenter(), sampling_strategy="minorty").fit_resample(*table)
    assert isinstance(caught.value, ValueError)


def test_another_mistaken_parameter_gets_no_suggestion_of_a_strategy(table):
    with pytest.raises(InvalidInputError, match=r"'augmenter' parameter .* Got 'x' instead\.$"):
        GANOverSampler("x").fit_resample(*table)


def test_the_augmenter_given_is_cloned_not_fitted(table):
    augmenter = tiny_augmenter(random_state=0)
    sampler = GANOverSampler(augmenter)
    sampler.fit_resample(*table)
    assert not hasattr(augmenter, "classes_")
    assert_array_equal(sampler.augmenter_.classes_, [0, 1, 2])


def test_the_seed_of_the_sampler_goes_before_that_of_the_augmenter(table):
    def resampled(own, nested):
        sampler = GANOverSampler(tiny_augmenter(random_state=nested), random_state=own)
        return sampler.fit_resample(*table)[0]

    assert_array_equal(resampled(1, 2), resampled(1, 3))
    assert_array_equal(resampled(None, 1), resampled(1, 2))
    assert not np.array_equal(resampled(None, 2), resampled(None, 1))


def test_global_random_state_is_neither_read_nor_changed(table):
    np.random.seed(0)  # noqa: NPY002 - the global state is what is tested
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, _ = GANOverSampler(tiny_augmenter(), random_state=0).fit_resample(*table)
    assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    torch.manual_seed(1)
    second, _ = GANOverSampler(tiny_augmenter(), random_state=0).fit_resample(*table)
    assert_array_equal(first, second)


def test_a_cache_trains_one_gan_for_all_strategies(table, n_trainings, tmp_path):
    for strategy, share in [("auto", 0.25), ("minority", 1), ({2: 50}, 0.5)]:
        sampler = GANOverSampler(
            tiny_augmenter(),
            sampling_strategy=strategy,
            synthetic_share=share,
            random_state=0,
            cache_dir=str(tmp_path),
        )
        sampler.fit_resample(*table)
    assert n_trainings() == 1


def test_a_cached_gan_gives_the_rows_of_a_trained_one(table, n_trainings, tmp_path):
    def resampled(cache_dir):
        sampler = GANOverSampler(tiny_augmenter(), random_state=0, cache_dir=cache_dir)
        return sampler.fit_resample(*table)[0]

    assert_array_equal(resampled(str(tmp_path)), resampled(None))
    assert_array_equal(resampled(str(tmp_path)), resampled(None))
    assert n_trainings() == 3


def test_a_fitted_sampler_survives_joblib(table, tmp_path):
    sampler = GANOverSampler(tiny_augmenter(), random_state=0)
    sampler.fit_resample(*table)
    joblib.dump(sampler, tmp_path / "sampler.joblib")
    loaded = joblib.load(tmp_path / "sampler.joblib")
    assert_array_equal(loaded.augmenter_.sample(5)[0], sampler.augmenter_.sample(5)[0])


# --- bad input ---


def with_nan(X, y):
    X = X.copy()
    X[3, 1] = np.nan
    return X, y


@pytest.mark.parametrize(
    ("spoil", "parameters", "message"),
    [
        (with_nan, {}, "Got 1 NaN"),
        (lambda X, y: (X, y[:-1]), {}, "same length"),
        (lambda X, y: (X, np.zeros_like(y)), {}, "class"),
        (lambda X, y: (X, np.where(np.arange(len(y)) == 0, 7, y)), {}, "single sample of class 7"),
        (lambda X, y: (X, y + 0.5), {}, "Unknown label type"),
        (lambda X, y: (X, None), {}, "None"),
        (lambda X, y: (X, y), {"sampling_strategy": {9: 50}}, "Got 9"),
        (lambda X, y: (X, y), {"sampling_strategy": {0: 5}}, "Got 5 for class 0 of 60"),
        (lambda X, y: (X, y), {"sampling_strategy": 0.5}, "sampling_strategy"),
        (lambda X, y: (X, y), {"augmenter__image_shape": (8, 8)}, "image_shape"),
        (lambda X, y: (X, y), {"augmenter__device": "cuda:99"}, "device"),
        (lambda X, y: (X, y), {"augmenter__gan_options": {"loss": "hnge"}}, "hinge"),
    ],
    ids=[
        "NaN",
        "lengths",
        "one class",
        "a single sample",
        "fractional labels",
        "no labels",
        "unknown class",
        "total below the real rows",
        "a float for three classes",
        "image_shape",
        "device",
        "option",
    ],
)
def test_what_cannot_work_is_refused_before_training(
    table, n_trainings, spoil, parameters, message
):
    sampler = GANOverSampler(tiny_augmenter()).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        sampler.fit_resample(*spoil(*table))
    assert n_trainings() == 0


def test_a_small_class_gives_a_warning(table):
    X, y = table
    rows = np.r_[np.flatnonzero(y < 2), np.flatnonzero(y == 2)[:5]]
    with pytest.warns(SmallClassWarning, match=r"2 \(5\)"):
        GANOverSampler(tiny_augmenter()).fit_resample(X[rows], y[rows])


def test_a_dataset_is_sent_to_wrap(images):
    X, y = map(torch.from_numpy, images)
    with pytest.raises(InvalidTypeError, match="wrap"):
        GANOverSampler(tiny_augmenter()).fit_resample(TensorDataset(X, y), y)


def test_all_are_warped_where_all_classes_are_enlarged(imbalanced_digits):
    X, y = imbalanced_digits

    sampler = GANOverSampler(
        image_shape=(8, 8), sampling_strategy="enlarge", synthetic_share=0, random_state=0
    )
    _, enlarged = sampler.fit_resample(X, y)
    kinds = set(sampler.kinds_)
    sampler.set_params(augmentation="mixed").fit_resample(X, y)

    assert kinds == {"real", "augmented"}
    assert set(sampler.kinds_) == {"real", "augmented", "interpolated"}
    assert set(np.unique(enlarged, return_counts=True)[1]) == {8 * np.bincount(y).max()}
