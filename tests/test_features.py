"""ganaug/features.py: features of the discriminators, as a scikit-learn transformer"""

from __future__ import annotations

import warnings

import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ganaug import GANAugmenter, GANFeatureExtractor
from ganaug.exceptions import InvalidInputError, InvalidTypeError

pytestmark = [
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning"),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning"),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.FlattenedImagesWarning"),
]
TINY = {"n_generators": 1, "max_images": 128, "width": 4, "filter": None, "verbose": 0}


def tiny(**parameters):
    return GANAugmenter(**{**TINY, "random_state": 0, **parameters})


@parametrize_with_checks([GANFeatureExtractor(tiny())])
def test_it_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    return X[y < 3][:200], y[y < 3][:200]


@pytest.mark.parametrize(
    ("parameters", "n_features"),
    [
        ({}, 2 * 4 * 16),
        ({"n_generators": 2}, 2 * 2 * 4 * 16),
        ({"recipe": "classic"}, 4 * 16),
        ({"conditioning": "per_class"}, 3 * 2 * 4 * 16),
    ],
    ids=str,
)
def test_features_are_the_pooled_maps_of_all_discriminators(parameters, n_features, digits):
    X, y = digits
    extractor = GANFeatureExtractor(tiny(**parameters), image_shape=(8, 8)).fit(X, y)
    features = extractor.transform(X)
    assert features.shape == (200, n_features)
    assert len(extractor.get_feature_names_out()) == n_features
    assert_allclose(extractor.transform(X[7:8]), features[7:8], rtol=1e-10)  # whatever the others
    assert features.std(axis=0).max() > 0
    images = GANFeatureExtractor(tiny(**parameters)).fit(X.reshape(-1, 8, 8), y)
    assert_array_equal(images.transform(X.reshape(-1, 8, 8)), features)


def test_a_linear_model_learns_from_them_in_a_pipeline(digits):
    X, y = digits
    steps = GANFeatureExtractor(tiny(), image_shape=(8, 8)), StandardScaler(), LogisticRegression()
    assert make_pipeline(*steps).fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.9


def test_a_frozen_augmenter_is_not_trained_again(digits, monkeypatch):
    X, y = digits
    augmenter = tiny(image_shape=(8, 8)).fit(X, y)
    wanted = GANFeatureExtractor(tiny(image_shape=(8, 8))).fit(X, y).transform(X)
    monkeypatch.setattr("ganaug.augmenter.obtain_model", None)
    extractor = GANFeatureExtractor(FrozenEstimator(augmenter)).fit(X, y)
    assert extractor.augmenter_ is augmenter
    assert_array_equal(extractor.transform(X), wanted)


def test_what_cannot_be_used_is_refused(digits):
    X, y = digits
    with pytest.raises(InvalidTypeError, match="`augmenter` must be"):
        GANFeatureExtractor(StandardScaler()).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extractor = GANFeatureExtractor(FrozenEstimator(tiny(image_shape=(8, 8)).fit(X, y)))
    with pytest.raises(InvalidInputError, match="64 features"):
        extractor.fit(X, y).transform(X[:, :60])
