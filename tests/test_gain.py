"""ganaug/gain: every remedy, honest trials, and whether the verdict can be trusted."""

from __future__ import annotations

import dataclasses
import sys
import time
import warnings
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import ADASYN, RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    KFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline as make_sklearn_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch.utils.data import TensorDataset

import ganaug.gain.problem
import ganaug.gain.remedies
import ganaug.parameters
import ganaug.progress
from ganaug import GANAugmenter, GANOverSampler, evaluate_gain
from ganaug.exceptions import GanaugError, SamplingError, SmallClassWarning, TrainingError
from ganaug.gain.cost import Clock, CostEstimate, GanCost, plan_gans, time_for_gans
from ganaug.gain.judging import default_arms
from ganaug.gain.problem import make_splits, with_seed
from ganaug.gain.remedies import (
    BUILT_IN,
    Remedy,
    Task,
    UsersSampler,
    find_remedy,
)
from ganaug.gain.samplers import SmallClassSMOTE
from tests.stand_ins import StandInGAN, StandInSampler
from tests.unfiltered import leave_unfiltered

pytestmark = [
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.FlattenedImagesWarning"),
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning"),
]

EVALUATE = sys.modules["ganaug.gain.evaluate"]  # the function hides it
CHEAP = ["class weights", "duplicates", "smote", "augmented", "mixed"]
GANS = ["ganaug", "half and half"]


def draw(all_digits, counts, seed=0):
    """Digits, so many of each class, in mixed order; and all others."""
    X, y = all_digits
    rng = np.random.default_rng(seed)
    places = [rng.permutation(np.flatnonzero(y == label)) for label in counts]
    pairs = list(zip(places, counts.values(), strict=True))
    drawn = rng.permutation(np.concatenate([p[:n] for p, n in pairs]))
    others = np.concatenate([p[n:] for p, n in pairs])
    return X[drawn], y[drawn], X[others], y[others]


@pytest.fixture
def digits(all_digits):
    """Three classes of 200, 80 and 40, which are mistaken for one another now and then."""
    return draw(all_digits, {1: 130, 8: 110, 9: 80})[:2]


@pytest.fixture
def few(all_digits):
    """Three classes of 60, 30 and 24: few enough to be split several times."""
    return draw(all_digits, {1: 60, 8: 30, 9: 24})[:2]


@pytest.fixture
def stand_in(monkeypatch, all_digits):
    """GANOverSampler without a GAN, of the kind that is returned when called with it."""
    monkeypatch.setattr(StandInGAN, "seen", [])
    monkeypatch.setattr(ganaug.gain.remedies, "GANOverSampler", StandInSampler)
    monkeypatch.setattr(ganaug.gain.remedies, "FEW_FOR_A_GAN", 0)  # they train in no time

    def set_kind(kind, X_pool=None, y_pool=None):
        monkeypatch.setattr(StandInSampler, "kind", kind)
        monkeypatch.setattr(StandInGAN, "pool", (X_pool, y_pool))

    set_kind("duplicates")
    return set_kind


def evaluate(data, estimator=None, **options):
    X, y = data
    arguments = {"X": X, "y": y, "image_shape": (8, 8), "random_state": 0, **options}
    estimator = KNeighborsClassifier(3) if estimator is None else estimator
    return evaluate_gain(estimator, **arguments)


# --- planted generators --------------------------------------------------------------------------


def test_unused_real_images_are_chosen_where_they_are_worth_it(all_digits, stand_in):
    counts = [120, 90, 70, 50, 40, 30, 22, 16, 12, 10]
    X, y, *pool = draw(all_digits, dict(enumerate(counts)))
    stand_in("oracle", *pool)

    verdict = evaluate((X, y), KNeighborsClassifier(1))

    assert verdict.gan == "chosen"
    assert verdict.choice in ("ganaug", "half and half")
    assert verdict.gain.mean > 0.02
    assert verdict.gain_over_best_without_gan.mean > 0.01
    assert "It is ahead in the mean" in verdict.text  # by less than the interval of so few samples


@pytest.mark.parametrize("kind", ["duplicates", "shuffled"])
@pytest.mark.parametrize("seed", range(3))
def test_generators_without_worth_are_not_chosen(all_digits, stand_in, kind, seed):
    X, y, *pool = draw(all_digits, {0: 140, 3: 100, 5: 40, 8: 40}, seed)
    stand_in(kind, *pool)

    verdict = evaluate((X, y), SVC(), random_state=seed)

    assert verdict.gan != "chosen"


def test_a_verdict_against_the_gan_says_what_to_use_instead(all_digits, stand_in):
    counts = [120, 90, 70, 50, 40, 30, 22, 16, 12, 10]
    X, y, *pool = draw(all_digits, dict(enumerate(counts)))
    stand_in("shuffled", *pool)

    verdict = evaluate((X, y), KNeighborsClassifier(1))

    assert verdict.gan == "not worth it"
    assert "not worth its training here" in verdict.text
    assert f"use '{verdict.choice}'" in verdict.text
    assert verdict.gain_of_gan.mean < 0


# --- the remedies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "remedy", ["nothing", *CHEAP, "enlarged", "ganaug", "half and half", "gan only"]
)
def test_each_remedys_scores_are_those_of_its_pipeline_bit_for_bit(digits, stand_in, remedy):
    X, y = digits
    forest = RandomForestClassifier(5)  # of which every seed counts

    verdict = evaluate(digits, forest, remedies=[remedy], scoring="f1_macro")
    chosen = had_it_chosen(verdict, remedy)

    again = cross_val_score(chosen.make_pipeline(), X, y, cv=chosen.splits, scoring="f1_macro")
    assert again.tolist() == [s for s in verdict.scores[remedy] if not np.isnan(s)]


def had_it_chosen(verdict, remedy):
    """The verdict as it would be with another choice."""
    done = [n for n, score in enumerate(verdict.scores[remedy]) if not np.isnan(score)]
    return dataclasses.replace(
        verdict,
        choice=remedy,
        remedy=ganaug.gain.remedies.find_remedy(remedy),
        splits=verdict.splits[: len(done)],
    )


@pytest.fixture
def tiny_gans(monkeypatch):
    """GANs need not be good here."""
    leave_unfiltered(monkeypatch)
    monkeypatch.setattr(ganaug.parameters, "MIN_AUTO_IMAGES", 128)
    monkeypatch.setattr(ganaug.parameters, "MAX_AUTO_IMAGES", 128)


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")
@pytest.mark.parametrize("is_users", [False, True])
def test_a_real_gans_scores_are_those_of_its_pipeline_bit_for_bit(few, tiny_gans, is_users):
    X, y = few
    mine = GANAugmenter(image_shape=(8, 8), width=4, filter=None, verbose=0)
    options = {"image_shape": None, "augmenter": mine} if is_users else {}
    remedies = ["augmented", "enlarged", "ganaug", "half and half", "gan only", "features"]
    cv = list(StratifiedKFold(3).split(X, y))

    options["scoring"] = "neg_log_loss"  # of which every bit of a sample counts

    verdict = evaluate(few, LogisticRegression(max_iter=2000), remedies=remedies, cv=cv, **options)

    for remedy in remedies:
        chosen = had_it_chosen(verdict, remedy)
        again = cross_val_score(
            chosen.make_pipeline(), X, y, cv=chosen.splits[-1:], scoring="neg_log_loss"
        )
        assert again.tolist() == verdict.scores[remedy][-1:]
    assert len({tuple(scores) for scores in verdict.scores.values()}) == 7


def test_built_in_remedies_stand_in_the_order_of_simplicity():
    names = [remedy.name for remedy in BUILT_IN]

    assert names == ["nothing", *CHEAP, "enlarged", *GANS, "gan only", "features"]
    assert [r.name for r in BUILT_IN if r.uses_gan] == names[7:]
    assert [r.name for r in BUILT_IN if r.enlarges] == names[6:]


def test_by_default_all_but_the_gan_alone_are_tried(digits, stand_in):
    verdict = evaluate(digits, SVC(C=0.01))

    assert list(verdict.scores) == ["nothing", *CHEAP, "enlarged", "ganaug", "half and half"]


@pytest.mark.parametrize(
    "estimator", [SVC(), make_sklearn_pipeline(StandardScaler(), SVC())], ids=["bare", "pipeline"]
)
def test_class_weights_are_set_where_the_estimator_takes_them(digits, estimator):
    verdict = evaluate(digits, estimator, remedies=["class weights"])
    pipeline = had_it_chosen(verdict, "class weights").make_pipeline()

    names = [name for name in pipeline.get_params() if name.endswith("__class_weight")]
    assert pipeline.get_params()[names[-1]] == "balanced"
    assert pipeline.named_steps["remedy"] == "passthrough"


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (KNeighborsClassifier(), "has no `class_weight`"),
        (SVC(class_weight="balanced"), "is set already"),
    ],
)
def test_class_weights_that_cannot_be_set_are_told(digits, estimator, why):
    verdict = evaluate(digits, estimator, remedies=["class weights"])

    assert list(verdict.scores) == ["nothing"]
    assert any(why in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("estimator", "shape", "why"),
    [("cnn", (8, 8), "the network learns features"), (SVC(), None, "it is for images")],
)
def test_features_that_would_be_pointless_are_not_learnt(
    digits, quick_network, estimator, shape, why
):
    X, y = digits
    X = X if shape else X[:, 10:40] - 8  # a table

    verdict = evaluate((X, y), estimator, image_shape=shape, remedies=["features"], cv=2)

    assert list(verdict.scores) == ["nothing"]
    assert any(f"'features' was not tried: {why}" in note for note in verdict.notes)


@pytest.mark.parametrize("is_users", [False, True])
def test_features_are_learnt_by_one_gan_of_the_enlarged_set(is_users):
    mine = GANAugmenter(image_shape=(8, 8), n_generators=2, width=8) if is_users else None
    task = Task(seed=5, is_image=True, n_axes=2, image_shape=(8, 8), max_images=99, augmenter=mine)

    pipeline = ganaug.gain.remedies.make_pipeline(find_remedy("features"), task, SVC())

    sampler, gan = pipeline["remedy"], pipeline["estimator"]["features"].augmenter
    assert (sampler.sampling_strategy, sampler.synthetic_share) == ("enlarge", 0)
    assert (gan.n_generators, gan.width) == ((2, 8) if is_users else (1, 16))
    assert (gan.random_state, gan.filter, gan.image_shape) == (5, None, (8, 8))
    assert gan.max_images == (25_000 if is_users else 99)


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")
def test_the_estimate_counts_the_gan_that_learns_features(few, tiny_gans):
    costs = [
        evaluate(few, remedies=["enlarged", *more], dry_run=True) for more in ([], ["features"])
    ]

    assert costs[0].seconds_per_gan_fold == 0 < costs[1].seconds_per_gan_fold


def test_tables_have_no_augmented_images(digits, stand_in):
    X, y = digits

    verdict = evaluate((X[:, 10:40] - 8, y), image_shape=None)

    assert list(verdict.scores) == ["nothing", "duplicates", "smote", "ganaug", "half and half"]


def test_equally_large_classes_are_enlarged_where_that_is_worth_it(digits):
    X, y = digits
    chosen = np.concatenate([np.flatnonzero(y == label)[:10] for label in np.unique(y)])

    verdict = evaluate((X[chosen], y[chosen]), remedies=["enlarged"], cv=3)
    X_resampled, y_resampled = verdict.make_sampler().fit_resample(X[chosen], y[chosen])

    assert verdict.choice == "enlarged"
    assert np.mean(np.subtract(verdict.scores["enlarged"], verdict.scores["nothing"])) > 0
    assert np.unique(y_resampled, return_counts=True)[1].tolist() == [80] * 3
    assert (X_resampled[: len(chosen)] == X[chosen]).all()


def test_what_fills_rare_classes_is_not_tried_where_there_are_none(digits, stand_in):
    X, y = digits
    chosen = np.concatenate([np.flatnonzero(y == label)[:12] for label in np.unique(y)])

    verdict = evaluate((X[chosen], y[chosen]), SVC())  # folds of 12 are not equal

    assert list(verdict.scores) == ["nothing", "enlarged", "ganaug", "half and half"]
    assert any("classes are about equally frequent" in note for note in verdict.notes)


def test_a_network_that_warps_its_images_itself_is_not_given_more_of_them(digits, quick_network):
    verdict = evaluate(digits, "cnn", remedies=["enlarged"], cv=2)

    assert list(verdict.scores) == ["nothing"]
    assert any("'enlarged' was not tried: the network" in note for note in verdict.notes)


def test_what_is_hardly_more_than_equally_large_classes_is_tried_only_by_name(
    digits, stand_in, monkeypatch
):
    monkeypatch.setattr("ganaug.resampling.ENLARGED_TO", 100)

    verdict = evaluate(digits)

    assert "enlarged" not in verdict.scores
    assert any(note.startswith("'enlarged' not tried: the largest") for note in verdict.notes)
    assert "enlarged" in evaluate(digits, remedies=["enlarged"]).scores


class QuadraticNeighbours(KNeighborsClassifier):
    """Takes a second for 2,000 samples, and a quarter of it for 1,000."""

    def fit(self, X, y):
        time.sleep((len(y) / 2000) ** 2)
        return super().fit(X, y)


def test_the_time_box_and_the_estimate_know_what_enlarging_takes(digits, stand_in):
    remedies = ["augmented", "enlarged"]

    def took(**options):
        began = time.perf_counter()
        found = evaluate(digits, QuadraticNeighbours(1), remedies=remedies, cv=3, **options)
        return found, time.perf_counter() - began

    told, _ = took(dry_run=True)
    verdict, seconds = took()
    boxed, boxed_seconds = took(max_seconds=1.0)

    assert not np.isnan(verdict.scores["enlarged"]).any()
    assert told.seconds == pytest.approx(seconds, rel=0.5)
    assert "enlarged" not in boxed.scores
    assert "`max_seconds` left no time for 'enlarged'" in boxed.notes
    assert boxed_seconds < 1.5


def test_a_sampler_of_the_users_is_tried_beside_the_others_and_seeded(digits, stand_in):
    verdict = evaluate(digits, remedies={"mine": ADASYN(n_neighbors=2)})

    assert list(verdict.scores)[4:7] == ["mixed", "enlarged", "mine"]  # the simpler one first
    assert not np.isnan(verdict.scores["mine"]).any()
    assert verdict.scores["mine"] != verdict.scores["smote"]


def test_a_users_gan_is_tried_with_the_gans_and_equal_ones_are_trained_once(digits, stand_in):
    mine = StandInSampler(synthetic_share=0.75)

    others = {"mine": mine, "other": StandInSampler(max_images=7)}
    verdict = evaluate(digits, KNeighborsClassifier(30), remedies=others)

    budgets = [budget for _, _, budget in StandInGAN.seen]
    n_folds = sum(not np.isnan(score) for score in verdict.scores["mine"])
    assert budgets.count(1000) == n_folds  # ganaug, half and half, mine
    assert budgets.count(7) == n_folds


def test_a_users_sampler_that_trains_no_gan_is_cheap():
    sampler = GANOverSampler(synthetic_share=0, augmentation="mirror")

    assert not UsersSampler("mirrored", sampler).uses_gan
    assert UsersSampler("half", sampler.set_params(synthetic_share=0.5)).uses_gan


class Mirror(Remedy):
    """A remedy of a stranger's."""

    name = "mirror"
    text = "mirror images"

    def make_sampler(self, task):
        return RandomOverSampler(random_state=task.seed)


def test_a_remedy_needs_no_more_than_the_protocol(digits, stand_in):
    verdict = evaluate(digits, remedies={"mirror": Mirror()})

    assert verdict.scores["mirror"] == verdict.scores["duplicates"]


def test_smote_takes_classes_of_a_single_sample_and_few():
    X = np.arange(24.0)[:, None] ** 2
    y = np.array([0] * 20 + [1] * 3 + [2])

    X_out, y_out = SmallClassSMOTE(random_state=0).fit_resample(X, y)

    assert np.bincount(y_out).tolist() == [20, 20, 20]
    assert np.array_equal(X_out[:24], X)
    assert set(X_out[y_out == 2].ravel()) == {23.0**2}
    between = X_out[y_out == 1].ravel()
    assert between.min() == 20**2
    assert between.max() == 22**2
    assert len(set(between)) > 3


@pytest.mark.parametrize("n_axes", [2, 3])
def test_smote_of_whole_numbers_lies_between_its_neighbours(n_axes):
    X = np.r_[np.zeros((30, 4)), np.full((6, 4), 90), np.full((6, 4), 110)].astype(np.uint8)
    X = X.reshape(len(X), *[2] * (n_axes - 1), -1) if n_axes > 2 else X
    task = Task(seed=0, is_image=False, n_axes=n_axes)

    sampler = find_remedy("smote").make_sampler(task)
    X_out, y_out = sampler.fit_resample(X, np.repeat([0, 1], [30, 12]))

    assert X_out.dtype == np.uint8
    assert X_out[y_out == 1].min() == 90
    assert X_out[y_out == 1].max() == 110


def test_images_that_are_not_flattened_take_every_remedy(digits):
    X, y = digits
    images = X.reshape(-1, 8, 8)
    flat = make_pipeline(Flatten(), KNeighborsClassifier(3))
    remedies = ["duplicates", "smote"]

    by_image = evaluate((images, y), flat, image_shape=None, remedies=remedies)
    by_column = evaluate(digits, remedies=remedies)

    assert by_image.scores == by_column.scores


class Flatten(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)


# --- honest trials -------------------------------------------------------------------------------


class Spy(ClassifierMixin, BaseEstimator):
    """Records what it is trained on, and predicts as an SVC does."""

    seen: list = []  # noqa: RUF012 - shared by clones on purpose

    def fit(self, X, y):
        Spy.seen.append((X.copy(), y.copy()))
        self.classes_ = np.unique(y)
        self.svc_ = SVC().fit(X, y)
        return self

    def predict(self, X):
        return self.svc_.predict(X)


def test_no_test_sample_reaches_generator_or_classifier(digits, stand_in, monkeypatch):
    monkeypatch.setattr(Spy, "seen", [])
    X, y = digits
    X = X + np.arange(len(X))[:, None] * 1e-9  # every sample is its own
    cv = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))

    evaluate((X, y), Spy(), cv=cv, remedies=["duplicates", "ganaug"])

    tests = [frozenset(map(bytes, X[test])) for _, test in cv]
    trainings = [frozenset(map(bytes, X[train])) for train, _ in cv]
    trained = [frozenset(map(bytes, part)) for part, *_ in StandInGAN.seen]
    assert trained == trainings[: len(trained)]
    assert len(trained) >= 3
    for seen, _ in Spy.seen:
        assert any(not test & set(map(bytes, seen)) for test in tests)
    assert len(Spy.seen) == 2 * 4 + len(trained)  # nothing is tried twice


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_any_number_of_jobs_gives_the_same_verdict(few, n_jobs):
    options = {"remedies": ["duplicates", "smote"]}
    alone = evaluate(few, RandomForestClassifier(5), **options).to_dict()

    together = evaluate(few, RandomForestClassifier(5), n_jobs=n_jobs, **options).to_dict()

    assert {**together, "seconds": 0} == {**alone, "seconds": 0}


def test_joblibs_configuration_is_heeded(few):
    with joblib.parallel_config(backend="threading", n_jobs=2):
        verdict = evaluate(few, remedies=["duplicates"])

    assert verdict.scores == evaluate(few, remedies=["duplicates"]).scores


def test_the_same_seed_gives_the_same_verdict_and_global_state_is_left_alone(few, stand_in):
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    first, second, other = (
        evaluate(few, RandomForestClassifier(5), random_state=seed).to_dict() for seed in (5, 5, 6)
    )

    after = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    assert first["scores"] != other["scores"]


def test_an_unset_random_state_of_the_estimator_is_seeded_and_a_set_one_kept():
    pipeline = make_pipeline(RandomOverSampler(), SVC(random_state=3))

    seeded = with_seed(pipeline, 11).get_params()

    assert seeded["randomoversampler__random_state"] == 11
    assert seeded["svc__random_state"] == 3


def test_the_estimator_and_the_augmenter_that_came_are_left_as_they_were(few, stand_in):
    forest, augmenter = RandomForestClassifier(5), GANAugmenter(image_shape=(8, 8))

    evaluate(few, forest, image_shape=None, augmenter=augmenter)

    assert forest.random_state is None
    assert not hasattr(forest, "classes_")
    assert not hasattr(augmenter, "classes_")


# --- splits --------------------------------------------------------------------------------------


def problem_of(y):
    y = np.asarray(y)
    counts = np.unique(y, return_counts=True)[1]
    return SimpleNamespace(X=y[:, None], y=y, classes=np.unique(y), counts=counts)


@pytest.mark.parametrize("is_grouped", [False, True])
@pytest.mark.parametrize("cv", [2, 4, 5])
def test_few_samples_are_split_again_and_again(few, cv, is_grouped):
    y = few[1]
    groups = np.arange(len(y)) // 2 if is_grouped else None

    splits, notes = make_splits(problem_of(y), cv, groups, 0)

    assert len(splits) >= 15
    assert len({tuple(split.test) for split in splits}) == len(splits)
    assert any("few samples" in note for note in notes)
    for first in range(0, len(splits) - cv + 1, cv):
        tested = np.concatenate([split.test for split in splits[first : first + cv]])
        assert sorted(tested) == list(range(len(y)))
    for split in splits:
        assert sorted([*split.train, *split.test]) == list(range(len(y)))
        if is_grouped:
            assert not set(groups[split.train]) & set(groups[split.test])


def test_many_samples_are_split_once():
    splits, notes = make_splits(problem_of([0, 1] * 200), 5, None, 0)

    assert len(splits) == 5
    assert notes == []


def test_a_class_of_three_gives_three_folds():
    splits, notes = make_splits(problem_of([0] * 400 + [1] * 3), 5, None, 0)

    assert len(splits) == 15
    assert any("3 folds, not 5" in note for note in notes)
    assert all((np.array([0] * 400 + [1] * 3)[split.test] == 1).sum() == 1 for split in splits)


def test_few_groups_allow_few_splits_and_none_twice():
    y = np.tile([0, 1], 30)
    groups = np.arange(60) // 2 % 5  # each has samples of both classes

    splits, _ = make_splits(problem_of(y), 4, groups, 0)

    parts = [split.test.tobytes() for split in splits]
    assert len(set(parts)) == len(parts)


def test_small_classes_get_a_verdict_and_are_judged_together(all_digits, stand_in):
    data = draw(all_digits, {0: 60, 1: 30, 2: 4, 3: 3})[:2]

    verdict = evaluate(data, SVC())

    assert verdict.n_splits == 15
    assert set(verdict.per_class) == {"0", "1", "2", "3"}
    assert any("2 classes of under 20 samples together: recall" in n for n in verdict.notes)


def test_splits_may_be_masks(few):
    X, y = few
    folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))
    places = np.arange(len(y))
    masks = [(~np.isin(places, test), np.isin(places, test)) for _, test in folds]

    by_masks, by_positions = (evaluate(few, cv=iter(cv), remedies=[]) for cv in (masks, folds))

    assert by_masks.scores == by_positions.scores


def test_test_parts_that_overlap_are_pointed_out(few):
    cv = StratifiedShuffleSplit(4, test_size=0.5, random_state=0)

    verdict = evaluate(few, cv=cv, remedies=["duplicates"])

    assert any("overlap" in note for note in verdict.notes)


# --- when GANs are trained -----------------------------------------------------------------------


def test_three_folds_of_gans_are_enough_where_they_are_behind(all_digits, stand_in):
    counts = [120, 90, 70, 50, 40, 30, 22, 16, 12, 10]
    X, y, *pool = draw(all_digits, dict(enumerate(counts)))
    stand_in("shuffled", *pool)

    verdict = evaluate((X, y), KNeighborsClassifier(1), remedies=["duplicates", "gan only"])

    assert [np.isnan(s) for s in verdict.scores["gan only"]] == [False] * 3 + [True] * 2
    assert "behind" in verdict.gan_reason
    assert len(StandInGAN.seen) == 3


def test_further_folds_are_tried_while_the_gan_may_win(few, stand_in):
    verdict = evaluate(few, KNeighborsClassifier(1), remedies=["duplicates", "gan only"])

    assert len(StandInGAN.seen) == 5  # of 15 splits
    assert verdict.gan != "not tried"


def test_no_gan_is_trained_where_nothing_is_to_be_filled(all_digits, stand_in):
    X, y = draw(all_digits, {0: 60, 3: 60, 5: 60})[:2]

    verdict = evaluate((X[:, 10:40] - 8, y), image_shape=None)  # tables are not enlarged

    assert verdict.gan == "not tried"
    assert "nothing to fill up" in verdict.text
    assert StandInGAN.seen == []


@pytest.mark.parametrize(("own", "tried"), [(None, "fitted"), ("affine", "affine")])
def test_the_fixed_warp_of_an_augmenter_is_that_of_the_augmented_duplicates(own, tried):
    augmenter = GANAugmenter(image_shape=(8, 8), augmentation=own)
    task = Task(seed=0, is_image=True, n_axes=2, augmenter=augmenter)

    assert find_remedy("augmented").make_sampler(task).augmentation == tried
    assert find_remedy("mixed").make_sampler(task).augmentation == "mixed"


def test_of_few_samples_a_gan_is_tried_on_request_only(digits, stand_in, monkeypatch):
    monkeypatch.setattr(ganaug.gain.remedies, "FEW_FOR_A_GAN", 500)

    verdict = evaluate(digits)

    assert verdict.gan == "not tried"
    assert "320 samples are too few" in verdict.text
    assert not StandInGAN.seen
    assert evaluate(digits, remedies=["ganaug"]).gan != "not tried"


@pytest.mark.parametrize("estimator", [SVC(), KNeighborsClassifier()], ids=str)
@pytest.mark.parametrize("n_samples", [499, 500])
def test_features_are_tried_by_themselves_of_many_images(estimator, n_samples):
    names = tried_by_default(estimator, n_samples)

    assert ("features" in names) == (n_samples == 500)
    assert not {"ganaug", "half and half", "gan only"} & set(names)


@pytest.mark.parametrize(
    ("learner", "finding"), [(SVC(), "chosen"), (DummyClassifier(), "not worth it")], ids=str
)
def test_features_are_judged_beside_the_others(digits, stand_in, monkeypatch, learner, finding):
    """`learner` stands for a tree that sees features: far better than one of pixels, or worse."""
    monkeypatch.setattr(ganaug.gain.remedies, "FEW_FOR_FEATURES", 0)
    features = type(find_remedy("features"))
    monkeypatch.setattr(features, "prepare", lambda self, estimator, task: learner)

    verdict = evaluate(digits, DecisionTreeClassifier(random_state=0))

    assert "features" in verdict.scores
    assert verdict.gan == finding
    assert (verdict.choice == "features") == (finding == "chosen")
    assert (verdict.gain_over_best_without_gan.mean > 0) == (finding == "chosen")


def test_features_are_as_usual_a_choice_as_enlarging():
    remedies = [
        find_remedy(name) for name in ("nothing", "mixed", "enlarged", "ganaug", "features")
    ]

    assert default_arms(remedies, SVC()) == [2, 4]
    assert default_arms(remedies[:2], SVC()) == [1]
    assert default_arms([remedies[0], remedies[4]], SVC()) == []


def test_only_large_sets_and_augmenters_have_samples_of_gans_tried():
    own = GANAugmenter(image_shape=(8, 8))

    assert "ganaug" in tried_by_default(SVC(), 5_000)
    assert "ganaug" in tried_by_default(SVC(), 100, own)
    assert "gan only" not in tried_by_default(SVC(), 5_000, own)


def test_samplers_are_what_make_sampler_can_give():
    everything, samplers = (tried_by_default(SVC(), 5_000, of=of) for of in (None, "samplers"))

    assert set(everything) - set(samplers) == {"class weights", "features"}


def tried_by_default(estimator, n_samples, augmenter=None, of=None):
    task = Task(seed=0, is_image=True, n_axes=2, image_shape=(8, 8), augmenter=augmenter)
    listed, _ = ganaug.gain.remedies.select_remedies(of, task, estimator, n_samples)
    return [remedy.name for remedy in listed]


def test_no_gan_is_trained_where_there_is_no_room_above(all_digits, stand_in):
    data = draw(all_digits, {0: 170, 6: 140})[:2]  # told apart without a mistake

    verdict = evaluate(data, SVC())

    assert verdict.choice == "nothing"
    assert verdict.gan == "not tried"
    assert "half as many errors" in verdict.gan_reason
    assert StandInGAN.seen == []


def test_a_gan_whose_training_comes_to_nothing_is_out(few, stand_in, monkeypatch):
    def fail(self, X, y):
        raise TrainingError("NaN from the start")

    monkeypatch.setattr(StandInGAN, "fit", fail)

    verdict = evaluate(few, KNeighborsClassifier(1))

    assert verdict.gan == "not tried"
    assert "no scores" in verdict.gan_reason or "two folds" in verdict.gan_reason
    assert any("NaN from the start" in note for note in verdict.notes)


# --- kinds of data -------------------------------------------------------------------------------


@pytest.fixture
def quick_network(monkeypatch):
    """The built-in network need not be good here."""
    monkeypatch.setattr(ganaug.gain.problem, "network_steps", lambda n_samples: 10)


@pytest.mark.parametrize("kind", ["tensor", "frame", "strings", "images", "cnn on columns"])
def test_arrays_of_every_kind_get_a_verdict_whose_pipeline_takes_them(few, kind, quick_network):
    X, y = few
    estimator, X, y, image_shape = {
        "tensor": (SVC(), torch.from_numpy(X), torch.from_numpy(y), (8, 8)),
        "frame": (SVC(), pd.DataFrame(X, columns=map(str, range(64))), pd.Series(y), (8, 8)),
        "strings": (SVC(), X, y.astype(str), (8, 8)),
        "images": ("cnn", (X * 15).astype(np.uint8).reshape(-1, 8, 8), y, None),
        "cnn on columns": ("cnn", X, y, (8, 8)),
    }[kind]

    cv = list(StratifiedKFold(2).split(*few))
    verdict = evaluate_gain(
        estimator, X, y, image_shape=image_shape, cv=cv, remedies=["duplicates"], random_state=0
    )

    assert verdict.n_samples == 114
    assert list(verdict.per_class) == ["1", "8", "9"]
    X, y = (np.asarray(part) if isinstance(part, torch.Tensor) else part for part in (X, y))
    scores = cross_val_score(
        verdict.make_pipeline(), X, y, cv=verdict.splits, scoring="balanced_accuracy"
    )
    assert scores.tolist() == verdict.scores[verdict.choice]


@pytest.mark.parametrize("kind", ["dataset", "list", "resized"])
def test_what_only_the_network_takes_gets_a_verdict(few, kind, quick_network):
    X, y = few
    images = torch.from_numpy((X * 15).astype(np.uint8).reshape(-1, 1, 8, 8))
    augmenter = GANAugmenter(resize=(12, 12)) if kind == "resized" else None
    X, y = {
        "dataset": (TensorDataset(images / 255, torch.from_numpy(y)), None),
        "list": (list(images.numpy()), y),
        "resized": (images.numpy(), y),
    }[kind]

    cv = list(StratifiedKFold(2).split(*few))
    verdict = evaluate_gain(
        "cnn", X, y, augmenter=augmenter, cv=cv, remedies=["duplicates"], random_state=0
    )

    assert len(verdict.scores["duplicates"]) == 2


def test_classes_too_small_for_a_generator_are_not_warned_of_where_a_choice_is_measured(all_digits):
    X, y = draw(all_digits, {1: 60, 8: 18, 9: 24})[:2]
    with warnings.catch_warnings():
        warnings.simplefilter("error", SmallClassWarning)
        evaluate((X, y), remedies=["duplicates"])


# --- time ----------------------------------------------------------------------------------------


def test_a_dry_run_trains_no_gan_in_full_and_estimates(few, stand_in, monkeypatch):
    monkeypatch.setattr(StandInGAN, "estimate_fit_seconds", lambda *_: 100.0, raising=False)

    costs = evaluate(few, dry_run=True)

    assert isinstance(costs, CostEstimate)
    assert {budget for *_, budget in StandInGAN.seen} == {256}
    assert costs.seconds == pytest.approx(4 * 100, rel=0.1)
    assert costs.seconds_per_gan_fold == pytest.approx(100, rel=0.1)
    assert costs.seconds_without_gans < 10
    assert "3 to 5 folds" in str(costs)


class Slow(KNeighborsClassifier):
    def fit(self, X, y):
        time.sleep(0.05)
        return super().fit(X, y)


@pytest.mark.parametrize("estimator", [Slow(1), KNeighborsClassifier(1)], ids=["slow", "quick"])
def test_the_estimate_is_within_a_factor_of_one_and_a_half(few, stand_in, monkeypatch, estimator):
    def fit(self, X, y):
        time.sleep(0.1 + 0.0004 * self.max_images)
        return fit_at_once(self, X, y)

    def estimated(self, X, y):
        return 0.0004 * self.max_images

    fit_at_once = StandInGAN.fit
    monkeypatch.setattr(StandInGAN, "fit", fit)
    monkeypatch.setattr(StandInGAN, "estimate_fit_seconds", estimated, raising=False)

    estimate = evaluate(few, estimator, dry_run=True).seconds
    seconds = evaluate(few, estimator).seconds

    assert seconds / 1.5 < estimate < 1.5 * seconds


def test_the_time_box_is_kept_and_what_it_cost_is_said(few, stand_in):
    started = time.perf_counter()

    verdict = evaluate(few, Slow(1), max_seconds=2.0)

    assert time.perf_counter() - started < 2.5
    assert any(note.startswith("`max_seconds` left time for") for note in verdict.notes)
    assert 0 < verdict.n_splits < 15


def test_what_cannot_be_finished_is_not_begun(few, stand_in):
    fits = []

    class Counting(KNeighborsClassifier):
        def fit(self, X, y):
            fits.append(len(y))
            time.sleep(0.2)
            return super().fit(X, y)

    verdict = evaluate(few, Counting(1), max_seconds=0.1)

    assert len(fits) == 2  # nothing, and what is usual
    assert (verdict.choice, verdict.is_decided) == ("augmented", False)
    assert "left time for 2 of 6 remedies without a GAN, on 1 of" in " ".join(verdict.notes)


def test_a_time_box_for_one_split_leaves_it_open(few, stand_in):
    verdict = evaluate(few, max_seconds=1e-9)

    assert verdict.n_splits == 1
    assert not verdict.is_decided
    assert verdict.choice == "augmented"
    assert np.isnan(verdict.gain.low)
    assert "unknown" in verdict.text
    assert not any("overlap" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("left", "n_first", "n_most", "max_images", "note"),
    [
        (float("inf"), 3, 5, None, ""),
        (1000.0, 3, 5, None, ""),
        (51.0, 3, 4, None, ""),  # a fold is counted with 12.5 s
        (26.0, 2, 2, None, "GANs on 2 folds; 38 s are needed for three"),
        (15.0, 2, 2, 555, "56% of the GANs' usual training, on 2 folds"),
        (6.0, 0, 0, None, "no time for a GAN; 38 s are needed"),
        (-1.0, 0, 0, None, "no time for a GAN"),
    ],
)
def test_gans_fit_into_time_by_fewer_folds_then_less_training_then_none(
    left, n_first, n_most, max_images, note
):
    plan = plan_gans(left, 10.0, GanCost(1.0, 9.0, 1000), 15)

    assert (plan.n_first, plan.n_most, plan.max_images) == (n_first, n_most, max_images)
    assert note in plan.note


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (1000.0, 37.5),  # three folds of 12.5 s
        (60.0, 30.0),
        (20.0, 10.0),
        (10.5, 8.125),  # a quarter of the training on two folds
        (8.0, 0.0),  # for which there is no time beside two splits
    ],
)
def test_time_is_kept_for_gans_only_where_they_fit(left, kept):
    costs = CostEstimate(100.0, 15.0, 10.0, 75, 0.2)

    assert time_for_gans(left, costs, GanCost(1.0, 9.0, 1000), 15) == pytest.approx(kept)


def test_smaller_gans_are_what_the_verdict_hands_over(few, stand_in, monkeypatch):
    monkeypatch.setattr(StandInGAN, "estimate_fit_seconds", lambda *_: 3.0, raising=False)

    verdict = evaluate(few, KNeighborsClassifier(1), max_seconds=4.5)

    budget = verdict.task.max_images
    assert 250 <= budget < 1000
    assert budget in {budget for *_, budget in StandInGAN.seen}
    assert had_it_chosen(verdict, "ganaug").make_sampler().max_images == budget


def test_the_clock_counts_down():
    clock = Clock(10.0)

    assert 9 < clock.left <= 10
    assert Clock(None).left == float("inf")


# --- mistakes, before any training ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augmenter": GANAugmenter()}, "`image_shape` must be None beside an `augmenter`"),
        ({"augmenter": SVC(), "image_shape": None}, "`augmenter` must be a GANAugmenter. Got SVC"),
        ({"augmenter": GANAugmenter, "image_shape": None}, "must be a GANAugmenter"),
        (
            {"augmenter": GANOverSampler(), "image_shape": None},
            "`augmenter` must be .*Pass it as `remedies=",
        ),
        ({"estimator": object()}, "`estimator` must be a scikit-learn classifier.*object"),
        ({"estimator": KFold()}, "`estimator` must be a scikit-learn classifier.*KFold"),
        ({"estimator": "cnm"}, "`estimator` must be a scikit-learn classifier or 'cnn'. Got 'cnm'"),
        ({"estimator": SVC}, r"`estimator` must be an instance.*pass SVC\(\)"),
        ({"remedies": ["smoat"]}, "`remedies` must be one of .*Did you mean 'smote'"),
        ({"remedies": "smote"}, "`remedies` must be None, 'samplers', a list of names, or a dict"),
        ({"remedies": {"smote": ADASYN()}}, "`remedies` must have names of your own"),
        ({"remedies": {"mine": ADASYN}}, r"`remedies`\['mine'\] must be an instance"),
        ({"remedies": {"mine": SVC()}}, r"`remedies`\['mine'\] must be an instance"),
        (
            {"remedies": {"mine": GANOverSampler(FrozenEstimator(GANAugmenter()))}},
            "must train its GANs on each fold. Got a frozen augmenter",
        ),
        ({"verbose": None}, "`verbose` must be .* Got None"),
        ({"n_jobs": 0}, "`n_jobs` must be an integer other than 0"),
        ({"max_seconds": 0}, "`max_seconds` must be a finite number above 0"),
        ({"max_seconds": float("inf")}, "`max_seconds` .* or None for no limit. Got inf"),
        ({"max_seconds": float("nan")}, "`max_seconds` .* Got nan"),
        ({"cv": 1}, "`cv` must be an int >= 2"),
        ({"cv": "five"}, "`cv` must be a number of folds, a splitter"),
        ({"cv": [(range(200), range(5))] * 2}, "`cv` must be .* pairs that fit the samples"),
        ({"cv": KFold(5)}, "Got 0 of class 1 in split|must leave . or more"),
        ({"cv": [(range(114), range(114))] * 4}, "`cv` must keep training and test samples apart"),
        ({"groups": [0] * 5}, r"`groups` must have one value per sample, 114. Got shape \(5,\)"),
        ({"groups": (g for g in range(114))}, "`groups` must have one value per sample"),
        (
            {"groups": np.arange(114) // 2, "cv": StratifiedShuffleSplit(4, random_state=0)},
            "`cv` must keep samples of a group on one side of a split",
        ),
        ({"scoring": ["accuracy"]}, "`scoring` must be one scorer"),
        ({"scoring": lambda *_: np.nan}, "`scoring` must give a finite number. Got nan"),
        ({"estimator": LinearRegression()}, "must be a scikit-learn classifier.*a regressor"),
        ({"estimator": LogisticRegression(C=-1.0)}, "`estimator` must learn and score the samples"),
        ({"y": np.zeros(114)}, "class"),
        ({"y": np.zeros(5)}, "same length"),
        ({"y": np.repeat([0, 1], [112, 2])}, "Class 1 has 2 samples; at least 3"),
        ({"random_state": "seven"}, "`random_state` must be"),
        ({"image_shape": (8, 9)}, "image_shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored:UserWarning")
@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
def test_mistakes_are_named_before_any_gan_is_trained(few, stand_in, changes, message):
    X, y = few
    order = np.argsort(y, kind="stable")  # for KFold: samples of a class side by side
    changes = dict(changes)
    estimator = changes.pop("estimator", SVC())

    with pytest.raises(GanaugError, match=f"(?s){message}"):
        evaluate((X[order], y[order]), estimator, **changes)

    assert StandInGAN.seen == []


def test_an_unknown_scorer_is_named_by_scikit_learn(few):
    with pytest.raises(ValueError, match="acuracy"):
        evaluate(few, scoring="acuracy")


def test_a_group_per_class_cannot_be_split(few):
    with pytest.raises(GanaugError, match="Class 1 has 1 groups; at least 2"):
        evaluate(few, groups=few[1])


def test_an_estimator_that_cannot_take_images_is_refused_before_training(few, stand_in):
    X, y = few
    with pytest.raises(GanaugError, match=r"(?s)SVC on X of shape \(.*, 8, 8\)"):
        evaluate((X.reshape(-1, 8, 8), y), SVC(), image_shape=None)


def test_a_dataset_needs_the_built_in_classifier(few):
    dataset = TensorDataset(torch.from_numpy(few[0].reshape(-1, 8, 8)), torch.from_numpy(few[1]))
    with pytest.raises(TypeError, match="Got TensorDataset instead: pass arrays, or the estimator"):
        evaluate((dataset, None), SVC(), image_shape=None)


def test_resize_needs_the_built_in_classifier(few):
    X, y = few
    augmenter = GANAugmenter(resize=(12, 12), verbose=0)
    with pytest.raises(GanaugError, match="`augmenter` must have resize=None"):
        evaluate((X.reshape(-1, 8, 8), y), DummyClassifier(), image_shape=None, augmenter=augmenter)


def test_a_users_sampler_that_fails_is_named(few, stand_in):
    class Failing(RandomOverSampler):
        def _fit_resample(self, X, y):
            raise RuntimeError("no such class")

    verdict = evaluate(few, remedies={"mine": Failing()})

    assert "'mine' has no score on every fold: RuntimeError: no such class" in verdict.notes
    assert np.isnan(verdict.scores["mine"]).all()
    assert not np.isnan(verdict.scores["smote"]).any()


class TakesImages(KNeighborsClassifier):
    """Knows samples of one length only, as what reshapes them does."""

    def fit(self, X, y):
        np.reshape(X, (len(X), 8, 8))
        return super().fit(X, y)


def test_features_are_left_out_where_the_estimator_takes_images_only(few, stand_in, monkeypatch):
    trained = []
    fit = GANAugmenter.fit
    tiny = {"max_images": 64, "width": 4}
    monkeypatch.setattr(
        GANAugmenter, "fit", lambda self, *d: trained.append(1) or fit(self.set_params(**tiny), *d)
    )

    verdict = evaluate(few, TakesImages(1), remedies=["duplicates", "features"])

    assert verdict.choice in ("nothing", "duplicates")
    assert any("'features' has no score on every fold: ValueError" in n for n in verdict.notes)
    assert len(trained) == 1  # and not once more for every fold


@pytest.mark.parametrize("parameter", ["warm_start_from", "checkpoint_dir"])
def test_gans_that_may_have_seen_test_samples_are_refused(few, stand_in, parameter):
    augmenter = GANAugmenter(image_shape=(8, 8), **{parameter: "somewhere"})

    with pytest.raises(GanaugError, match=f"must have `{parameter}` None: each fold trains GANs"):
        evaluate(few, augmenter=augmenter, image_shape=None)
    sampler = GANOverSampler(augmenter=augmenter, synthetic_share=0.5)
    with pytest.raises(GanaugError, match=f"`{parameter}` None"):
        evaluate(few, remedies={"mine": sampler})


def test_a_splitter_without_a_seed_gets_one(few):
    cv = StratifiedKFold(3, shuffle=True)
    first, again = (evaluate(few, cv=cv, remedies=["duplicates"]).scores for _ in range(2))

    assert first == again
    assert cv.random_state is None


class PredictsAColumn(KNeighborsClassifier):
    def predict(self, X):
        return super().predict(X)[:, None]


@pytest.mark.filterwarnings("ignore:A column-vector y:sklearn.exceptions.DataConversionWarning")
def test_a_column_of_predictions_is_counted_like_a_row(few):
    rows, columns = (
        evaluate(few, estimator(1), remedies=["duplicates"]).per_class
        for estimator in (KNeighborsClassifier, PredictsAColumn)
    )

    assert rows == columns


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
def test_what_matters_does_not_depend_on_the_unit_of_the_score(few, unit):
    def score(estimator, X, y):
        return unit * balanced_accuracy_score(y, estimator.predict(X))

    verdict = evaluate(few, scoring=score, remedies=["duplicates", "smote", "enlarged"])
    usual = evaluate(
        few, scoring=lambda *d: score(*d) / unit, remedies=["duplicates", "smote", "enlarged"]
    )

    assert verdict.choice == usual.choice
    assert verdict.is_decided == usual.is_decided
    assert verdict.needed == usual.needed


@pytest.mark.parametrize("verbose", [0, 1])
def test_the_default_gans_are_as_quiet_as_is_asked_for(few, monkeypatch, capsys, verbose):
    monkeypatch.setattr(ganaug.progress, "bar_options", dict)
    fit = GANAugmenter.fit
    tiny = {"max_images": 64, "width": 4, "filter": None}
    monkeypatch.setattr(GANAugmenter, "fit", lambda self, *d: fit(self.set_params(**tiny), *d))

    evaluate(few, remedies=["ganaug"], cv=2, verbose=verbose)

    said = capsys.readouterr().err
    assert ("GANs on cpu" in said) == ("remedies" in said) == bool(verbose)


def test_where_there_is_no_stderr_nothing_is_shown(few, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)

    for verbose in (0, 1):
        assert evaluate(few, remedies=["duplicates"], verbose=verbose).choice


def test_a_users_sampler_is_cloned_and_kept_as_it_was():
    mine = RandomOverSampler()

    made = UsersSampler("mine", mine).make_sampler(Task(seed=3, is_image=True, n_axes=2))

    assert made.random_state == 3
    assert mine.random_state is None
    assert clone(made).get_params() == made.get_params()


def test_one_gan_that_always_fails_does_not_hide_the_others(all_digits, stand_in, monkeypatch):
    counts = [120, 90, 70, 50, 40, 30, 22, 16, 12, 10]
    data = draw(all_digits, dict(enumerate(counts)))[:2]

    class Failing(StandInSampler):
        def _fit_resample(self, X, y):
            raise SamplingError("all were rejected")

    verdict = evaluate(data, KNeighborsClassifier(1), remedies={"failing": Failing()})

    assert verdict.gain_of_gan is not None
    assert verdict.gan != "not tried"
    assert np.isnan(verdict.scores["failing"]).all()
    assert any("all were rejected" in note for note in verdict.notes)


def test_a_time_box_too_small_for_any_gan_does_not_train_even_a_tiny_one(
    few, stand_in, monkeypatch
):
    monkeypatch.setattr(StandInGAN, "estimate_fit_seconds", lambda *_: 100.0, raising=False)

    verdict = evaluate(few, KNeighborsClassifier(1), max_seconds=10.0)

    assert StandInGAN.seen == []
    assert "no time for a GAN" in verdict.text
