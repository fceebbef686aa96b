"""The classifier of the real rows: accurate, seeded, saved and loaded, and alone with its RNG."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits

from ganaug.classifier import ClassifierConfig, RealClassifier, fit_classifier
from ganaug.exceptions import InvalidInputError
from ganaug.jsonable import read_as


@pytest.fixture(scope="module")
def digits():
    rows, labels = load_digits(return_X_y=True)
    images = (rows * (255 / 16)).round().astype(np.uint8).reshape(-1, 1, 8, 8)
    return images, labels.astype(np.int64)


@pytest.fixture(scope="module")
def classifier(digits):
    images, labels = digits
    return fit_classifier(images[::2], labels[::2], 10, seed=0, max_steps=60)


def test_it_recognises_digits_it_has_not_seen(classifier, digits):
    images, labels = digits
    accuracy = (classifier.predict_proba(images[1::2]).argmax(axis=1) == labels[1::2]).mean()
    assert accuracy > 0.93


def test_it_learns_a_rare_class_beside_a_frequent_one(digits):
    images, labels = digits
    frequent, rare = np.flatnonzero(labels == 3), np.flatnonzero(labels == 8)
    train = np.r_[frequent[:150], rare[:10]]
    fitted = fit_classifier(images[train], (labels[train] == 8).astype(np.int64), 2, seed=0)
    recall = (fitted.predict_proba(images[rare[10:]]).argmax(axis=1) == 1).mean()
    # Without balanced batches most eights come out as threes.
    assert recall > 0.75


def test_tables_get_a_network_of_their_own(digits):
    images, labels = digits
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows[:, 0] = 7.0  # a constant column must not divide by zero
    fitted = fit_classifier(rows[::2], labels[::2], 10, seed=0)
    assert fitted.config.kind == "table"
    assert (fitted.predict_proba(rows[1::2]).argmax(axis=1) == labels[1::2]).mean() > 0.93


def test_probabilities_and_features_have_the_promised_shapes(classifier, digits):
    images, _ = digits
    probabilities, features = classifier.predict_proba(images), classifier.features(images)
    assert probabilities.shape == (len(images), 10)
    assert probabilities.dtype == features.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert features.shape == (len(images), classifier.config.n_features)
    assert classifier.features(images[:0]).shape == (0, classifier.config.n_features)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 31), (4, 32, 8), (1, 128, 100)])
def test_every_supported_image_shape_trains(shape):
    images = np.random.default_rng(0).integers(0, 256, (12, *shape), dtype=np.uint8)
    labels = np.arange(12) % 3
    fitted = fit_classifier(images, labels, 3, seed=0, max_steps=2)
    assert np.isfinite(fitted.features(images)).all()


def test_read_only_rows_are_accepted_without_a_warning(digits):
    images, labels = digits
    frozen = images[:40].copy()
    frozen.setflags(write=False)
    fitted = fit_classifier(frozen, labels[:40], 10, seed=0, max_steps=1)
    assert len(fitted.features(frozen)) == 40


def test_a_class_without_rows_is_allowed(digits):
    images, labels = digits
    keep = labels != 4
    fitted = fit_classifier(images[keep], labels[keep], 10, seed=0, max_steps=20)
    assert fitted.predict_proba(images[:5]).shape == (5, 10)


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(digits):
    images, labels = digits
    first, again, other = (
        fit_classifier(images[:200], labels[:200], 10, seed=seed, max_steps=3).features(images[:9])
        for seed in (0, 0, -1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_global_random_state_is_neither_read_nor_changed(digits):
    images, labels = digits
    torch_state, numpy_state = torch.get_rng_state(), str(np.random.get_state(legacy=False))  # noqa: NPY002
    fitted = fit_classifier(images[:100], labels[:100], 10, seed=0, max_steps=2)
    RealClassifier.from_state(fitted.config, fitted.state_dict())
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state(legacy=False)) == numpy_state  # noqa: NPY002


def test_it_survives_safetensors_and_json(classifier, digits, tmp_path):
    save_file(classifier.state_dict(), tmp_path / "classifier.safetensors")
    config = json.loads(json.dumps(classifier.config.to_json()))
    loaded = RealClassifier.from_state(
        read_as(ClassifierConfig, config, "config"), load_file(tmp_path / "classifier.safetensors")
    )
    assert loaded.config == classifier.config
    np.testing.assert_array_equal(
        loaded.predict_proba(digits[0][:50]), classifier.predict_proba(digits[0][:50])
    )


def test_rows_of_another_shape_are_refused_when_scoring(classifier):
    with pytest.raises(InvalidInputError, match=r"shape \(n, 1, 8, 8\)"):
        classifier.features(np.zeros((2, 1, 9, 9), np.uint8))


def test_the_configuration_round_trips():
    config = ClassifierConfig("image", (3, 16, 12), 4, width=8)
    assert read_as(ClassifierConfig, config.to_json(), "config") == config
