from __future__ import annotations

import json
import pickle
from dataclasses import replace

import albumentations as A
import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ganaug import GANAugmenter
from ganaug.exceptions import GanaugWarning, InvalidInputError, ModelFileError
from ganaug.integrations.albumentations import SyntheticReplace

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
    """200 digits of the classes 3, 5 and 8, (n, 8, 8) uint8, and labels."""
    X, y = all_digits
    rows = np.flatnonzero(np.isin(y, [3, 5, 8]))[:200]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), y[rows]


@pytest.fixture(scope="module")
def augmenter(digits):
    return tiny_augmenter().fit(*digits)


@pytest.fixture(scope="module")
def model_path(augmenter, tmp_path_factory):
    path = tmp_path_factory.mktemp("albumentations") / "model"
    augmenter.save(path)
    return path


def image_like(shape, dtype=np.uint8):
    return np.full(shape, 7, dtype=dtype)


@pytest.mark.works_with("albumentations", "`SyntheticReplace` in `Compose`")
def test_the_image_becomes_one_that_the_augmenter_makes_of_that_label(augmenter, model_path):
    transform = SyntheticReplace(model_path, n_per_class=20, p=1)
    for label in (3, 5, 8):
        image = transform(image=image_like((8, 8)), label=label)["image"]
        made, _ = augmenter.sample({label: 20})
        assert (image == made).all(axis=(1, 2)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (20, 13), (20, 13, 1)], ids=str)
def test_shape_and_dtype_are_those_of_the_image_that_came(model_path, shape, dtype):
    result = SyntheticReplace(model_path, p=1)(image=image_like(shape, dtype), label=3)["image"]
    assert result.shape == shape
    assert result.dtype == dtype
    assert result.flags["C_CONTIGUOUS"]


def test_a_larger_image_gets_a_resized_synthetic_one(model_path):
    def drawn(shape):
        pipeline = A.Compose([SyntheticReplace(model_path, p=1)], seed=0)
        return pipeline(image=image_like(shape), label=3)["image"]

    assert_array_equal(drawn((32, 24)), cv2.resize(drawn((8, 8)), (24, 32)))


def test_float_images_hold_the_same_from_0_to_1(model_path):
    def drawn(dtype):
        pipeline = A.Compose([SyntheticReplace(model_path, p=1)], seed=0)
        return pipeline(image=image_like((8, 8), dtype), label=3)["image"]

    np.testing.assert_allclose(drawn(np.float32), drawn(np.uint8) / 255, atol=1e-6)


def test_colour_images_work_and_other_channels_are_refused(digits, tmp_path):
    colour = np.stack([digits[0], digits[0] // 2, 255 - digits[0]], axis=-1)
    tiny_augmenter().fit(colour, digits[1]).save(tmp_path / "colour")
    transform = SyntheticReplace(tmp_path / "colour", p=1)
    assert transform(image=image_like((16, 16, 3)), label=8)["image"].shape == (16, 16, 3)
    with pytest.raises(InvalidInputError, match=r"channels.*3.*Got 1"):
        transform(image=image_like((16, 16)), label=8)


def test_about_the_share_p_of_images_is_replaced(model_path):
    pipeline = A.Compose([SyntheticReplace(model_path, p=0.25)], seed=0)
    real = image_like((8, 8))
    results = [pipeline(image=real, label=5)["image"] for _ in range(200)]
    n_replaced = sum((result != real).any() for result in results)
    assert 30 <= n_replaced <= 70  # 50 +- 3.3 standard deviations


def test_draws_follow_the_seed_of_compose_alone(model_path):
    def drawn(seed):
        pipeline = A.Compose([SyntheticReplace(model_path, p=0.5), A.RandomRotate90()], seed=seed)
        return np.stack([pipeline(image=image_like((8, 8)), label=3)["image"] for _ in range(20)])

    np.random.seed(1)  # noqa: NPY002 - global state must make no difference
    first = drawn(0)
    np.random.seed(2)  # noqa: NPY002
    assert_array_equal(drawn(0), first)
    assert not np.array_equal(drawn(1), first)


def test_a_pipeline_goes_through_json_and_draws_the_same(model_path):
    pipeline = A.Compose([SyntheticReplace(model_path, n_per_class=9, p=0.7)], seed=0)
    rebuilt = A.from_dict(json.loads(json.dumps(A.to_dict(pipeline))))
    transform = rebuilt.transforms[0]
    assert (transform.model_path, transform.n_per_class, transform.p) == (str(model_path), 9, 0.7)
    rebuilt.set_random_seed(0)
    for _ in range(10):
        data = {"image": image_like((8, 8)), "label": 3}
        assert_array_equal(rebuilt(**data)["image"], pipeline(**data)["image"])


def test_a_pickled_transform_carries_the_path_and_not_the_model(model_path):
    transform = SyntheticReplace(model_path, p=1)
    transform(image=image_like((8, 8)), label=3)
    data = pickle.dumps(transform)
    assert len(data) < 10_000
    assert pickle.loads(data)(image=image_like((8, 8)), label=3)["image"].shape == (8, 8)


def test_the_label_stays_in_the_data_and_a_strict_pipeline_takes_it(model_path):
    pipeline = A.Compose([SyntheticReplace(model_path, p=1)], strict=True)
    assert pipeline(image=image_like((8, 8)), label=3)["label"] == 3


def test_classes_whose_samples_a_classifier_disputes_are_left_alone(digits, tmp_path):
    fitted = tiny_augmenter(filter="classifier").fit(*digits)
    fitted.model_.generator_trust = [[0.9, 0.2, 0.8]]
    fitted.set_params(filter=None).save(tmp_path / "model")
    with pytest.warns(GanaugWarning, match=r"class 5 \(20%\) as they are"):
        transform = SyntheticReplace(tmp_path / "model", p=1)
    real = image_like((8, 8))
    changed = [(transform(image=real, label=label)["image"] != real).any() for label in (3, 5, 8)]
    assert changed == [True, False, True]


# --- bad input ---


@pytest.mark.parametrize("p", [0, 0.5, 1])
def test_a_missing_label_is_refused_on_every_call_whether_the_transform_fires_or_not(model_path, p):
    pipeline = A.Compose([SyntheticReplace(model_path, p=p)])
    for _ in range(10):
        with pytest.raises(InvalidInputError, match="Got no label"):
            pipeline(image=image_like((8, 8)))


@pytest.mark.parametrize("p", [0, 1])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"image": image_like((8, 8)), "label": None}, "Got no label"),
        ({"image": image_like((8, 8)), "label": 4}, "3, 5, 8.*Got 4"),
        ({"image": image_like((8, 8)), "label": "3"}, "Got '3'"),
        ({"image": image_like((8, 8, 3)), "label": 3}, "channels"),
        ({"image": image_like((8, 8), np.int32), "label": 3}, "uint8 or float32"),
        ({"images": image_like((2, 8, 8)), "label": 3}, "Got no image"),
    ],
    ids=["no label", "unknown label", "kind of label", "channels", "dtype", "no image"],
)
def test_data_that_cannot_be_replaced_is_refused_on_every_call(model_path, data, message, p):
    with pytest.raises(InvalidInputError, match=message):
        SyntheticReplace(model_path, p=p)(**data)


def test_a_path_without_a_model_is_refused_at_once(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.safetensors is missing"):
        SyntheticReplace(tmp_path, p=0.25)


@pytest.mark.parametrize("parameters", [{"p": 1.5}, {"n_per_class": 0}])
def test_parameters_out_of_range_are_refused(model_path, parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        SyntheticReplace(model_path, **{"p": 0.25, **parameters})


def test_a_model_of_a_table_is_refused(digits, tmp_path):
    tiny_augmenter().fit(digits[0].reshape(-1, 64) - 0.5, digits[1]).save(tmp_path / "table")
    with pytest.raises(InvalidInputError, match="model of images"):
        SyntheticReplace(tmp_path / "table", p=0.25)


def test_a_label_may_be_a_class_name(augmenter, digits, tmp_path):
    kind = replace(augmenter.model_.label_kind, class_names=("bag", "boot", "hat"))
    named = tiny_augmenter().fit(*digits)
    named.model_.label_kind = kind
    named.save(tmp_path / "named")
    transform = SyntheticReplace(tmp_path / "named", p=1)
    made, _ = named.sample({8: 256})
    image = transform(image=image_like((8, 8)), label="hat")["image"]
    assert any((image == other).all() for other in made)
    with pytest.raises(InvalidInputError, match="Got 'hut'"):
        transform(image=image_like((8, 8)), label="hut")
