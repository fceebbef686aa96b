"""ganaug/sampler.py, and several generators (ganaug/fitting.py)"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ganaug import GANAugmenter
from ganaug.exceptions import TrainingWarning
from ganaug.model import FittedModel
from ganaug.sampler import TrainedSampler

TINY = {
    "image_shape": (8, 8),
    "width": 4,
    "max_images": 128,
    "filter": None,
    "random_state": 0,
    "verbose": 0,
}


def fit(X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return GANAugmenter(**{**TINY, **parameters}).fit(X, y)


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    return X[y < 3][:150], y[y < 3][:150]


@pytest.fixture(scope="module")
def three(digits):
    return fit(*digits, n_generators=3)


def test_generators_are_trained_apart_and_in_the_same_way_for_any_number(digits, three):
    one = fit(*digits, n_generators=1)
    assert len(three.model_.gans) == 3
    first = [gan.generator_state for gan in (three.model_.gans[0], one.model_.gans[0])]
    assert all((first[0][name] == first[1][name]).all() for name in first[0])
    others = [gan.generator_state for gan in three.model_.gans]
    name = next(name for name in others[0] if name.endswith("weight"))
    assert not any((others[0][name] == other[name]).all() for other in others[1:])
    assert three.n_images_seen_ == 3 * one.n_images_seen_


def test_samples_come_from_the_generators_in_turn(digits, three):
    together = three.sampler_.sample_values({1: 30})[0]
    apart = []
    for index in range(3):
        model = three.model_
        alone = FittedModel(
            **{
                **vars(model),
                "n_generators": 1,
                "gans": model.generator(index),
                "lookups": model.lookups[index : index + 1],
            }
        )
        apart.append(TrainedSampler(alone).sample_values({1: 10}, seed=model.seed + index)[0])
    assert_array_equal(together, np.stack(apart, axis=1).reshape(30, 1, 8, 8))


@settings(max_examples=15)
@given(start=st.integers(0, 300), n=st.integers(0, 40))
def test_sampling_goes_on_where_it_ended(three, start, n):
    whole = three.sampler_.sample_values({2: start + n})[0]
    part = three.sampler_.sample_values({2: n}, start=start)[0]
    assert_array_equal(part, whole[start:])


def test_a_generator_that_does_not_know_a_class_is_left_out_of_it(three):
    model = FittedModel(**vars(three.model_))
    model.generator_trust = [[0.9, 0.1, 0.1], [0.9, 0.85, 0.3], [0.7, 0.9, 0.2]]
    assert [model.makers(code) for code in range(3)] == [[0, 1], [1, 2], [1]]
    assert model.trust == pytest.approx([0.9, 0.875, 0.3])
    sampler = TrainedSampler(model)
    assert sampler.distrusted == [2]
    by_one = TrainedSampler(model).sample_values({2: 5})[0]
    model.generator_trust = [[0.0] * 3, [0.0, 0.0, 1.0], [0.0] * 3]
    assert_array_equal(TrainedSampler(model).sample_values({2: 5})[0], by_one)


@pytest.mark.parametrize("conditioning", ["joint", "per_class"])
def test_several_generators_are_saved_and_loaded(digits, conditioning, tmp_path):
    fitted = fit(*digits, n_generators=2, conditioning=conditioning, filter="classifier")
    fitted.set_params(filter=None)
    fitted.save(tmp_path / "model")
    loaded = GANAugmenter.load(tmp_path / "model", device="cpu")
    assert_array_equal(loaded.sample(20)[0], fitted.sample(20)[0])
    assert loaded.trust_ == fitted.trust_
    assert [record.get("generator") for record in loaded.history_] == [
        record.get("generator") for record in fitted.history_
    ]


def test_worker_processes_give_the_same_samples_for_any_number(digits):
    made = [fit(*digits, n_generators=2, n_jobs=n).sample(30)[0] for n in (1, 2)]
    assert_array_equal(*made)


def test_a_time_budget_is_that_of_all_generators(digits):
    fitted = fit(*digits, n_generators=3, max_images=None, max_seconds=1.5)
    assert fitted.fit_seconds_ < 3
