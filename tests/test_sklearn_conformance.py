"""The estimators under the conformance suites of scikit-learn and imbalanced-learn.

A failure is allowed only by the check's name, with the reason.
"""

from __future__ import annotations

import sys
from typing import Any

import joblib
import pytest
from imblearn.utils.estimator_checks import (
    parametrize_with_checks as parametrize_with_sampler_checks,
)
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from ganaug import GANAugmenter, GANOverSampler
from ganaug.exceptions import MissingDependencyError

# The checks train on a few dozen random rows with a budget of one step. That the classes are too
# small and the training too short is not what they are about.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning"),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning"),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.FlattenedImagesWarning"),
]

TINY: dict[str, Any] = {
    "n_generators": 1,
    "synthetic_share": 0.5,
    "max_images": 128,
    "width": 4,
    "filter": None,
    "random_state": 0,
    "verbose": 0,
}

MIXING_IS_FOR_TRAINING_ROWS = {
    "check_transformer_general": "fit_transform mixes synthetic rows into training data; "
    "transform leaves data alone, so the two differ by design",
    "check_transformer_data_not_an_array": "as check_transformer_general",
}


@parametrize_with_checks(
    # min_real=2: by default the checks' few rows would never be mixed
    [GANAugmenter(**TINY, mix_fraction=0.3, min_real=2), GANAugmenter(**TINY, mix_fraction=0)],
    expected_failed_checks=lambda augmenter: (
        MIXING_IS_FOR_TRAINING_ROWS if augmenter.mix_fraction else {}
    ),
)
def test_augmenter_passes_the_check_of_scikit_learn(estimator, check):
    check(estimator)


def in_a_list(mark):
    """Rebuild the mark of imbalanced-learn, which holds a generator: pytest 9.1 warns of those."""
    names, checks = mark.args
    return pytest.mark.parametrize(names, list(checks), **mark.kwargs)


@in_a_list(parametrize_with_sampler_checks([GANOverSampler(GANAugmenter(**TINY), random_state=0)]))
def test_over_sampler_passes_the_check_of_imbalanced_learn(estimator, check):
    check(estimator)


def test_set_output_gives_data_frames_of_rows(imbalanced_digits):
    X, y = imbalanced_digits
    augmenter = GANAugmenter(**TINY, mix_fraction=0.3, min_real=60).set_output(transform="pandas")
    frame = augmenter.fit_transform(X, y)
    assert frame.shape == X.shape
    assert frame.columns.tolist() == [f"x{i}" for i in range(64)]
    assert_array_equal(augmenter.transform(X).to_numpy(), X)


def test_set_output_needs_its_library_before_training(imbalanced_digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    augmenter = GANAugmenter(**TINY).set_output(transform="polars")
    with pytest.raises(MissingDependencyError, match="needs polars, which is not installed"):
        augmenter.fit_transform(*imbalanced_digits)
    assert not hasattr(augmenter, "model_")


def test_set_output_refuses_images_before_training(imbalanced_digits):
    X, y = imbalanced_digits
    augmenter = GANAugmenter(**TINY).set_output(transform="pandas")
    with pytest.raises(ValueError, match=r"`set_output` is for 2-D X.*Got 3-D X"):
        augmenter.fit_transform(X.reshape(-1, 8, 8), y)
    assert not hasattr(augmenter, "classes_")


def test_joblib_keeps_a_fitted_augmenter_and_clone_forgets_the_fit(imbalanced_digits, tmp_path):
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(*imbalanced_digits)
    joblib.dump(augmenter, tmp_path / "augmenter.joblib")
    loaded = joblib.load(tmp_path / "augmenter.joblib")
    assert_array_equal(loaded.sample({1: 5})[0], augmenter.sample({1: 5})[0])
    cloned = clone(loaded)
    assert repr(cloned.get_params()) == repr(augmenter.get_params())
    assert not hasattr(cloned, "classes_")
