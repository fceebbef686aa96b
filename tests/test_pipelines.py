"""The estimators in the tools of others: their pipelines, searches and cross-validations."""

from __future__ import annotations

from collections import Counter

import imblearn.pipeline
import numpy as np
import pytest
import sklearn.pipeline
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

import ganaug.cache
from ganaug import GANAugmenter, GANOverSampler

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning"),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning"),
]


def tiny_augmenter(**parameters):
    tiny = {
        "image_shape": (8, 8),
        "n_generators": 1,
        "synthetic_share": 0.5,
        "max_images": 128,
        "width": 4,
        "filter": None,
        "verbose": 0,
    }
    return GANAugmenter(**{**tiny, **parameters})


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what it was fitted on, and what it was asked to predict."""

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, y, np.unique(y)
        return self

    def predict(self, X):
        self.X_predicted_ = X
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def trained_on(monkeypatch):
    """The values of the rows that reached each GAN, in the order of the trainings."""
    seen = []
    train_model = ganaug.cache.train_model

    def spying(data, *args, **kwargs):
        seen.append(data.values)
        return train_model(data, *args, **kwargs)

    monkeypatch.setattr(ganaug.cache, "train_model", spying)
    return seen


def row_set(values):
    return {row.tobytes() for row in np.asarray(values, dtype=np.uint8).reshape(len(values), -1)}


# --- scikit-learn ---


def test_a_scikit_learn_pipeline_trains_on_mixed_rows_and_predicts_from_untouched_ones(
    imbalanced_digits,
):
    X, y = imbalanced_digits
    pipeline = sklearn.pipeline.Pipeline(
        [("gan", tiny_augmenter(mix_fraction=0.3, random_state=0)), ("classifier", Recorder())]
    )
    pipeline.fit(X, y).predict(X[:7])
    augmenter, recorder = pipeline["gan"], pipeline["classifier"]
    assert_array_equal(recorder.y_, y)
    changed = (recorder.X_ != X).any(axis=1)
    assert_array_equal(changed, augmenter.kinds_ == "synthetic")
    assert Counter(y[changed].tolist()) == {0: 36}  # 0.3 of 120; the others have under 100 rows
    assert_array_equal(recorder.X_predicted_, X[:7])


def test_a_mix_fraction_of_zero_changes_nothing_in_a_pipeline(imbalanced_digits):
    X, y = imbalanced_digits
    augmenter = tiny_augmenter(mix_fraction=0, min_real=2)
    recorder = sklearn.pipeline.make_pipeline(augmenter, Recorder()).fit(X, y)[-1]
    assert_array_equal(recorder.X_, X)


@pytest.mark.works_with("scikit-learn", "`GANAugmenter` as a step of a plain `Pipeline`")
def test_a_scikit_learn_pipeline_with_scaler_and_svc_recognises_digits(imbalanced_digits):
    X, y = imbalanced_digits
    pipeline = sklearn.pipeline.Pipeline(
        [
            ("gan", tiny_augmenter(mix_fraction=0.3, random_state=0)),
            ("scaler", StandardScaler()),
            ("classifier", SVC()),
        ]
    )
    assert pipeline.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9


# --- imbalanced-learn ---


def over_sampling_pipeline(classifier, **parameters):
    sampler = GANOverSampler(tiny_augmenter(), random_state=0, **parameters)
    return imblearn.pipeline.Pipeline([("sampler", sampler), ("clf", classifier)])


def test_an_imbalanced_learn_pipeline_fits_on_balanced_rows_and_predicts_from_untouched_ones(
    imbalanced_digits,
):
    X, y = imbalanced_digits
    pipeline = over_sampling_pipeline(Recorder(), sampling_strategy={2: 60}).fit(X, y)
    assert len(pipeline.predict(X[:7])) == 7
    recorder = pipeline["clf"]
    assert Counter(recorder.y_.tolist()) == {0: 120, 1: 60, 2: 60}
    assert_array_equal(recorder.X_[: len(X)], X)
    assert_array_equal(recorder.X_predicted_, X[:7])


@pytest.mark.works_with("imbalanced-learn", "`GANOverSampler` in a `Pipeline`")
def test_an_over_sampling_pipeline_works_inside_one_of_scikit_learn(imbalanced_digits):
    X, y = imbalanced_digits
    pipeline = sklearn.pipeline.Pipeline(
        [("scaler", StandardScaler()), ("rebalanced", over_sampling_pipeline(SVC()))]
    )
    pipeline.set_params(rebalanced__sampler__augmenter__value_range=None)
    assert pipeline.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9


def test_an_over_sampler_after_a_scaler_learns_the_scaled_rows(imbalanced_digits, trained_on):
    X, y = imbalanced_digits
    pipeline = imblearn.pipeline.make_pipeline(
        StandardScaler(), GANOverSampler(tiny_augmenter(), random_state=0), Recorder()
    )
    pipeline.fit(X, y)
    low, high = pipeline[1].augmenter_.value_range_
    assert low < 0 < high
    assert len(trained_on) == 1


# --- searches and cross-validation ---


def test_a_grid_search_trains_one_gan_per_fold_and_budget_whatever_the_strategies(
    imbalanced_digits, trained_on, tmp_path
):
    search = GridSearchCV(
        over_sampling_pipeline(SVC(), cache_dir=str(tmp_path)),
        {
            "sampler__augmenter__max_images": [128, 256],
            "sampler__sampling_strategy": ["auto", "minority", {2: 90}],
        },
        cv=StratifiedKFold(2),
        refit=False,
        error_score="raise",
    )
    search.fit(*imbalanced_digits)
    assert len(search.cv_results_["params"]) == 6
    assert len(trained_on) == 2 * 2  # budgets x folds, and not 6 x 2


def test_no_held_out_row_reaches_the_gan_in_cross_validation(imbalanced_digits, trained_on):
    X, y = imbalanced_digits
    folds = StratifiedKFold(3)
    augmenter = tiny_augmenter(value_range=(0, 255))  # digits then reach the GAN as they are
    pipeline = imblearn.pipeline.make_pipeline(GANOverSampler(augmenter), SVC())
    cross_validate(pipeline, X, y, cv=folds, error_score="raise")
    assert len(trained_on) == 3
    for (train, held_out), seen in zip(folds.split(X, y), trained_on, strict=True):
        assert row_set(seen) == row_set(X[train])
        assert not row_set(seen) & row_set(X[held_out])


def test_a_mixing_pipeline_trains_its_gan_on_the_training_part_of_each_fold_only(
    imbalanced_digits, trained_on
):
    X, y = imbalanced_digits
    folds = StratifiedKFold(2)
    pipeline = sklearn.pipeline.make_pipeline(
        tiny_augmenter(mix_fraction=0.3, value_range=(0, 255)), SVC()
    )
    cross_validate(pipeline, X, y, cv=folds, error_score="raise")
    for (train, held_out), seen in zip(folds.split(X, y), trained_on, strict=True):
        assert row_set(seen) == row_set(X[train])
        assert not row_set(seen) & row_set(X[held_out])


def test_equal_seeds_give_equal_scores(imbalanced_digits):
    def scores():
        result = cross_validate(over_sampling_pipeline(SVC()), *imbalanced_digits, cv=2)
        return result["test_score"]

    assert_array_equal(scores(), scores())


# --- skorch ---


@pytest.mark.works_with("skorch", "a `NeuralNetClassifier` behind the over-sampler, on 4-D images")
def test_a_skorch_network_is_the_last_step_on_four_dimensional_images(imbalanced_digits):
    from skorch import NeuralNetClassifier

    X, y = imbalanced_digits
    images = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 3)]
    network = NeuralNetClassifier(
        nn.Sequential(*layers),
        criterion=nn.CrossEntropyLoss,
        train_split=None,
        max_epochs=20,
        lr=0.3,
        verbose=0,
    )
    sampler = GANOverSampler(tiny_augmenter(image_shape=None), random_state=0)
    pipeline = imblearn.pipeline.make_pipeline(sampler, network)
    pipeline.fit(images[::2], y[::2])
    assert (sampler.kinds_ == "synthetic").any()
    assert pipeline.score(images[1::2], y[1::2]) > 0.8
