"""ganaug/gain.py, trials.py, remedies.py: whether the verdict can be trusted."""

from __future__ import annotations

import functools
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch.utils.data import TensorDataset

import ganaug
import ganaug.gain.remedies
from benchmarks.controls import Duplicator, Oracle, ShuffledOracle
from ganaug import GANAugmenter, GANOverSampler, evaluate_gain
from ganaug.cli import cli
from ganaug.exceptions import GanaugError, SamplingError, SmallClassWarning
from ganaug.gain.evaluate import _Clock, _make_splits, _needed
from ganaug.gain.intervals import PairedInterval
from ganaug.gain.trials import PerRealRow

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.FlattenedImagesWarning")


def draw(all_digits, counts, seed=0):
    """Rows of the digits, so many of each class, and all other rows."""
    X, y = all_digits
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(y == label)) for label in counts]
    drawn = np.concatenate([r[:n] for r, n in zip(rows, counts.values(), strict=True)])
    others = np.concatenate([r[n:] for r, n in zip(rows, counts.values(), strict=True)])
    return X[drawn], y[drawn], X[others], y[others]


@pytest.fixture
def digits(all_digits):
    """Three classes, 60, 30 and 24 rows, and further rows."""
    return draw(all_digits, {1: 60, 8: 30, 9: 24})


class Untrained(Oracle):
    """Must never be trained: what is wrong is to be found before."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y):
        raise AssertionError("a GAN was trained before the mistake was found")


# --- planted controls ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")
def test_unused_real_rows_are_to_be_used(all_digits):
    X, y, X_pool, y_pool = draw(all_digits, dict.fromkeys(range(10), 40))

    verdict = evaluate_gain(
        Oracle(X_pool, y_pool), X, y, KNeighborsClassifier(1), n_repeats=3, random_state=0
    )

    assert verdict.outcome == "use"
    assert verdict.gain.low > 0
    assert verdict.gain_over_placebo.low > 0
    assert verdict.gain.mean > 0.02
    assert set(verdict.sampling_strategy) <= set(range(10))
    assert all(total > 40 for total in verdict.sampling_strategy.values())

    # and it can be acted on: the totals it names are what comes out
    tiny = tiny_augmenter(image_shape=(8, 8), random_state=0)
    sampler = GANOverSampler(tiny, sampling_strategy=verdict.sampling_strategy)
    y_out = sampler.fit_resample(X, y)[1]
    expected = [verdict.sampling_strategy.get(label, 40) for label in range(10)]
    assert np.bincount(y_out).tolist() == expected


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")
def test_rows_of_other_classes_are_not_to_be_used(all_digits):
    X, y, X_pool, y_pool = draw(all_digits, dict.fromkeys(range(10), 20))

    verdict = evaluate_gain(
        ShuffledOracle(X_pool, y_pool),
        X,
        y,
        KNeighborsClassifier(1),
        random_state=0,
        sampling_strategies=[PerRealRow(1.0)],
    )

    assert verdict.outcome == "do not use"
    assert verdict.sampling_strategy == {}
    assert verdict.gain.high < 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")
def test_duplicates_are_never_to_be_used(all_digits, seed):
    X, y, _, _ = draw(all_digits, {0: 40, 3: 40, 5: 15, 8: 15}, seed)

    verdict = evaluate_gain(Duplicator(), X, y, SVC(), cv=4, random_state=seed)

    assert verdict.outcome != "use"
    assert verdict.sampling_strategy == {}


def test_synthetic_rows_go_only_where_they_helped(digits):
    X, y, X_pool, y_pool = digits
    spoilt = np.where(y_pool == 9, 8, y_pool)  # nines are offered as eights, and no row as a nine

    class HalfSpoilt(Oracle):
        def sample(self, n_samples):
            if 9 in n_samples:
                raise SamplingError("none")
            return super().sample(n_samples)

    verdict = evaluate_gain(HalfSpoilt(X_pool, spoilt), X, y, SVC(), cv=4, random_state=0)

    assert verdict.classes_served == [8]
    assert verdict.outcome != "use"
    assert any(note.startswith("class 9: no synthetic rows") for note in verdict.notes)


# --- what a trial is made of ---------------------------------------------------------------------


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


@pytest.fixture
def spy(monkeypatch):
    monkeypatch.setattr(Spy, "seen", [])
    return Spy()


class Recorder(Oracle):
    """Records what it is trained on, and offers marked rows."""

    seen: list = []  # noqa: RUF012

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y):
        Recorder.seen.append(X.copy())
        return self

    def sample(self, n_samples):
        n = sum(n_samples.values())
        return np.full((n, 64), 7.0), np.repeat(list(n_samples), list(n_samples.values()))


def test_no_test_row_reaches_generator_or_classifier(digits, spy, monkeypatch):
    X, y, _, _ = digits
    monkeypatch.setattr(Recorder, "seen", [])
    X = X + np.arange(len(X))[:, None] * 1e-9  # every row is its own
    cv = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))

    evaluate_gain(Recorder(), X, y, spy, cv=cv, random_state=0)

    assert len(Recorder.seen) == 4
    trained = [frozenset(map(bytes, part)) for part in Recorder.seen]
    tests = [frozenset(map(bytes, X[test])) for _, test in cv]
    # in the order in which they are done: the two halves in turn
    for position, number in enumerate((0, 2, 1, 3)):
        assert not trained[position] & tests[number]
        assert trained[position] == frozenset(map(bytes, X[cv[number][0]]))
    real = set(map(bytes, X))
    for seen, _ in Spy.seen:
        held_out = [test for test in tests if not test & set(map(bytes, seen))]
        assert held_out, "a classifier saw rows of every test part"
        assert set(map(bytes, seen)) & real


@pytest.mark.parametrize("is_grouped", [False, True])
@pytest.mark.parametrize("cv", [4, 5])
def test_repeats_keep_the_test_rows_of_the_halves_apart(digits, cv, is_grouped):
    X, y, _, _ = digits
    groups = np.arange(len(y)) // 2 if is_grouped else None
    rows = np.arange(len(y))
    problem = SimpleNamespace(X=X, y=y, classes=np.unique(y))

    once = _make_splits(problem, cv, 1, groups, 0)
    splits = _make_splits(problem, cv, 3, groups, 0)

    assert len(splits) == 3 * cv
    tested = [np.concatenate([s.test for s in splits if s.half == half]) for half in (0, 1)]
    assert not set(tested[0]) & set(tested[1])
    assert np.bincount(np.concatenate(tested)).tolist() == [3] * len(y)
    assert len({tuple(s.test) for s in splits}) == 3 * cv  # each repeat splits anew
    for split in splits:
        assert sorted([*split.train, *split.test]) == rows.tolist()
        if is_grouped:
            assert not set(groups[split.train]) & set(groups[split.test])
    # the first repeat is what is done without others, so a time box still gets whole folds
    for alone, repeated in zip(once, splits, strict=False):
        assert alone.half == repeated.half
        assert np.array_equal(alone.test, repeated.test)


@pytest.mark.parametrize("n_groups", [5, 8, 12])
def test_no_test_part_is_used_twice_where_groups_are_few(n_groups):
    y = np.tile([0, 1], 30)
    groups = np.arange(60) // 2 % n_groups  # each has rows of both classes
    problem = SimpleNamespace(X=y[:, None], y=y, classes=np.array([0, 1]))

    splits = _make_splits(problem, 4, 20, groups, 0)

    parts = [split.test.tobytes() for split in splits]
    assert len(set(parts)) == len(parts) < 4 * 20
    assert len(parts) > 4
    assert {split.half for split in splits} == {0, 1}


def test_repeats_that_could_only_repeat_are_refused():
    y = np.tile([0, 1], 30)
    problem = SimpleNamespace(X=y[:, None], y=y, classes=np.array([0, 1]))

    with pytest.raises(GanaugError, match="`n_repeats` must be 1 .* Got 3 with 6 folds of so few"):
        _make_splits(problem, 6, 3, np.arange(60) // 10, 0)


def test_synthetic_and_placebo_rows_are_equally_many_and_come_after_the_real_ones(digits, spy):
    X, y, _, _ = digits

    evaluate_gain(
        Recorder(), X, y, spy, cv=4, random_state=0, sampling_strategies=[PerRealRow(0.5)]
    )

    def is_marked(rows):
        return (rows == 7.0).all(axis=1)

    synthetic = [(s, labels) for s, labels in Spy.seen if is_marked(s).any()]
    placebo = Spy.seen[-4:]  # scored last
    assert len(synthetic) == 4
    for (with_rows, labels), (with_duplicates, placebo_labels) in zip(
        synthetic, placebo, strict=True
    ):
        assert not is_marked(with_duplicates).any()
        n_real = next(n for n, row in enumerate(is_marked(with_rows)) if row)
        half = [round(0.5 * (labels[:n_real] == label).sum()) for label in (8, 9)]
        assert not is_marked(with_rows[:n_real]).any()
        assert np.bincount(labels).tolist() == np.bincount(placebo_labels).tolist()
        assert 84 <= n_real <= 87  # three quarters of the rows
        assert is_marked(with_rows[n_real : n_real + sum(half)]).all()
        marked = labels[n_real : n_real + sum(half)].tolist()
        assert marked == [8] * half[0] + [9] * half[1]


@pytest.mark.parametrize(
    ("y", "ratio", "classes", "expected"),
    [
        ([0] * 100 + [1] * 20, 0.5, None, {0: 100, 1: 30}),
        ([0] * 100 + [1] * 90, 0.5, None, {0: 150, 1: 135}),  # about balanced: all may grow
        ([0] * 100 + [1] * 60, 3.0, None, {0: 100, 1: 100}),  # never beyond the largest
        ([0] * 100 + [1] * 20 + [2] * 10, 1.0, (2,), {0: 100, 1: 20, 2: 20}),
    ],
)
def test_a_ratio_becomes_totals(y, ratio, classes, expected):
    assert PerRealRow(ratio, classes)(y) == expected


def test_a_strategy_names_its_classes():
    assert str(PerRealRow(0.5)) == "0.5 synthetic rows per real row"
    assert str(PerRealRow(1.0, (3,))) == "1 synthetic rows per real row in class 3"
    assert str(PerRealRow(1.0, (3, 5))) == "1 synthetic rows per real row in classes 3, 5"


def test_the_users_strategies_are_what_is_tried(digits):
    X, y, X_pool, y_pool = digits

    verdict = evaluate_gain(
        Oracle(X_pool, y_pool),
        X,
        y,
        SVC(),
        cv=4,
        random_state=0,
        sampling_strategies=["minority", {8: 40, 9: 40}],
    )

    assert list(verdict.gains_by_setting) == [
        "sampling_strategy='minority'",
        "sampling_strategy={8: 40, 9: 40}",
    ]


def test_the_same_seed_gives_the_same_verdict_and_global_state_is_left_alone(digits):
    X, y, X_pool, y_pool = digits
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    first, second = (
        evaluate_gain(Oracle(X_pool, y_pool), X, y, SVC(), cv=4, random_state=5).to_dict()
        for _ in range(2)
    )

    after = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_an_unset_random_state_of_the_estimator_is_seeded_and_a_set_one_kept():
    pipeline = make_pipeline(RandomOverSampler(), SVC(random_state=3))

    seeded = ganaug.gain.remedies.with_seed(pipeline, 11).get_params()

    assert seeded["randomoversampler__random_state"] == 11
    assert seeded["svc__random_state"] == 3


# --- the real thing, small -----------------------------------------------------------------------


def tiny_augmenter(**parameters):
    tiny = {"max_images": 128, "width": 4, "filter": None, "verbose": 0}
    return GANAugmenter(**{**tiny, **parameters})


@pytest.fixture
def quick_network(monkeypatch):
    """The built-in network need not be good here."""
    monkeypatch.setattr(ganaug.gain.remedies, "network_steps", lambda n_rows: 10)


@pytest.mark.parametrize("kind", ["array", "tensor", "images", "frame", "dataset", "table"])
def test_every_kind_of_data_gets_a_verdict(digits, kind, quick_network):
    X, y, _, _ = digits
    images = (X * 15).astype(np.uint8).reshape(-1, 8, 8)
    augmenter, data, estimator = {
        "array": (tiny_augmenter(image_shape=(8, 8)), (X, y), SVC()),
        "tensor": (
            tiny_augmenter(image_shape=(8, 8)),
            (torch.from_numpy(X), torch.from_numpy(y)),
            SVC(),
        ),
        "images": (tiny_augmenter(), (images, y.astype(str)), None),
        "frame": (tiny_augmenter(image_shape=(8, 8)), (pd.DataFrame(X), pd.Series(y)), SVC()),
        "dataset": (
            tiny_augmenter(),
            (TensorDataset(torch.from_numpy(images)[:, None] / 255, torch.from_numpy(y)),),
            None,
        ),
        "table": (tiny_augmenter(), (X[:, 10:40] - 8, y), None),
    }[kind]
    X_data, y_data = data if len(data) == 2 else (data[0], None)

    verdict = evaluate_gain(
        augmenter, X_data, y_data, estimator, cv=4, random_state=0, sampling_strategies=["auto"]
    )

    assert verdict.n_splits == 4
    assert verdict.n_rows == 114
    assert [str(label) for label in verdict.per_class] == ["1", "8", "9"]
    assert len(verdict.scores) == 5
    assert not hasattr(augmenter, "model_"), "the augmenter passed in is not fitted"


def test_classes_that_the_real_rows_classifier_disputes_get_none(digits, monkeypatch):
    X, y, _, _ = digits
    monkeypatch.setattr(
        ganaug.model, "fit_classifier", functools.partial(ganaug.model.fit_classifier, max_steps=20)
    )
    augmenter = tiny_augmenter(image_shape=(8, 8), filter="auto")

    verdict = evaluate_gain(augmenter, X, y, SVC(), cv=4, random_state=0)

    assert verdict.classes_served == []
    assert verdict.outcome == "do not use"
    assert "none that could be trusted" in verdict.text
    assert any("min_trust" in note for note in verdict.notes)


def test_progress_tells_the_cost_and_silence_is_silent(digits, capsys):
    X, y, _, _ = digits
    options = {"cv": 4, "random_state": 0, "sampling_strategies": ["auto"]}

    evaluate_gain(tiny_augmenter(image_shape=(8, 8)), X, y, SVC(), **options)
    assert capsys.readouterr() == ("", "")

    evaluate_gain(tiny_augmenter(image_shape=(8, 8), verbose=1), X, y, SVC(), **options)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Gain over 4 splits, a GAN each, estimated" in err


def test_splits_do_not_share_a_checkpoint(digits, tmp_path):
    X, y, _, _ = digits
    augmenter = tiny_augmenter(image_shape=(8, 8), checkpoint_dir=tmp_path)

    evaluate_gain(augmenter, X, y, SVC(), cv=4, random_state=0, sampling_strategies=["auto"])

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"split-{i}" for i in range(4)]


def test_a_model_to_start_from_is_pointed_out(digits):
    X, y, X_pool, y_pool = digits

    class WarmStarted(Oracle):
        warm_start_from = "model"

    verdict = evaluate_gain(WarmStarted(X_pool, y_pool), X, y, SVC(), cv=4, random_state=0)

    assert any("`warm_start_from`" in note for note in verdict.notes)


def test_ctrl_c_ends_the_evaluation_and_not_only_one_of_its_gans(digits):
    X, y, X_pool, y_pool = digits

    class Interrupted(Oracle):
        def fit(self, X, y):  # as GANAugmenter does: it keeps the best weights so far
            self.model_ = SimpleNamespace(gans=[SimpleNamespace(interrupted=True)])
            return self

    with pytest.raises(KeyboardInterrupt):
        evaluate_gain(Interrupted(X_pool, y_pool), X, y, SVC(), cv=4, random_state=0)


def test_splits_may_be_masks_and_without_an_estimator_scoring_may_be_left_to_it(
    digits, quick_network
):
    X, y, X_pool, y_pool = digits
    folds = StratifiedKFold(4, shuffle=True, random_state=0).split(X, y)
    tests = [np.isin(np.arange(len(y)), test) for _, test in folds]

    by_masks, by_positions = (
        evaluate_gain(Oracle(X_pool, y_pool), X, y, SVC(), cv=iter(cv), random_state=0)
        for cv in (
            [(~test, test) for test in tests],
            [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests],
        )
    )
    assert by_masks.gain == by_positions.gain

    images = (X * 15).astype(np.uint8).reshape(-1, 8, 8)
    options = {"cv": 4, "random_state": 0, "sampling_strategies": ["auto"]}
    accuracy = evaluate_gain(tiny_augmenter(), images, y, scoring=None, **options)
    assert accuracy.scoring == "score"


def test_cannot_tell_says_what_is_needed_where_only_the_placebo_leaves_it_open():
    clear = PairedInterval(0.03, 0.01, 0.05, 4)
    unclear = PairedInterval(0.01, -0.02, 0.04, 4)

    needed = _needed(clear, unclear, 0.25, 0.005, 100)

    assert needed is not None
    assert needed["rows"] == 900


# --- the command line ----------------------------------------------------------------------------


def test_the_command_keeps_the_groups_of_the_rows_that_it_keeps(digits, tmp_path, monkeypatch):
    X, y, X_pool, y_pool = digits
    groups = np.arange(len(y)) // 2
    np.savez(tmp_path / "data.npz", X=X * 15, y=y, groups=groups)
    seen = {}

    def evaluate_gain_of_oracle(augmenter, X, y, **options):
        seen.update(options, X=X)
        return evaluate_gain(Oracle(X_pool, y_pool), X, y, SVC(), **options)

    monkeypatch.setattr("ganaug.gain.evaluate.evaluate_gain", evaluate_gain_of_oracle)
    out = tmp_path / "new" / "verdict.json"
    arguments = ["evaluate", str(tmp_path / "data.npz"), "--max-per-class", "1=30", "--folds", "4"]
    arguments += ["--repeats", "2"]

    result = CliRunner().invoke(cli, [*arguments, "--out", str(out), "-q"])

    assert result.exception is None
    assert len(seen["groups"]) == 84
    assert seen["n_repeats"] == 2
    rows = [np.flatnonzero((row == X * 15).all(axis=1))[0] for row in seen["X"]]
    assert seen["groups"].tolist() == groups[rows].tolist()
    assert out.exists()


def test_groups_that_are_objects_are_named(digits, tmp_path):
    X, y, _, _ = digits
    np.savez(tmp_path / "data.npz", X=X, y=y, groups=y.astype(object))

    result = CliRunner().invoke(cli, ["evaluate", str(tmp_path / "data.npz"), "-q"])

    assert isinstance(result.exception, GanaugError)
    assert "`groups` in" in str(result.exception)


# --- time box ------------------------------------------------------------------------------------


def test_the_time_box_ends_the_work_and_the_verdict_says_so(digits, monkeypatch):
    X, y, X_pool, y_pool = digits
    times = iter(np.arange(0, 1e6, 1.0))  # a second passes whenever somebody looks
    monkeypatch.setattr(_Clock, "seconds", property(lambda self: next(times)))

    verdict = evaluate_gain(Oracle(X_pool, y_pool), X, y, SVC(), random_state=0, max_seconds=30.0)

    assert 0 < verdict.n_splits < 10
    assert verdict.notes[0].startswith(f"the time box ended after {verdict.n_splits} of 10 splits")


def test_the_time_box_keeps_time_for_what_comes_after_the_gans():
    clock = _Clock(10.0)

    assert len(list(clock.in_time(range(9), share=0.9))) == 9
    assert len(list(clock.in_time(range(9), share=0.9, at_the_end=2.0))) == 4


def test_a_time_box_for_one_split_leaves_it_open(digits):
    X, y, X_pool, y_pool = digits

    verdict = evaluate_gain(Oracle(X_pool, y_pool), X, y, SVC(), random_state=0, max_seconds=1e-9)

    assert verdict.n_splits == 1
    assert verdict.outcome == "cannot tell"
    assert np.isnan(verdict.gain.low)


# --- mistakes, before any training ---------------------------------------------------------------


def evaluate(digits, augmenter=None, estimator=None, **changes):
    X, y, _, _ = digits
    arguments = {"X": X, "y": y, "random_state": 0, **changes}
    return evaluate_gain(augmenter or Untrained(), estimator=estimator or SVC(), **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augmenter": GANOverSampler()}, "Pass its `augmenter` instead"),
        ({"augmenter": SVC()}, "`augmenter` must have fit and sample.*Got SVC"),
        ({"estimator": object()}, "`estimator` must be a scikit-learn classifier.*object"),
        ({"estimator": KFold()}, "`estimator` must be a scikit-learn classifier.*KFold"),
        ({"margin": -1}, "`margin` must be a number >= 0"),
        ({"n_repeats": 0}, "`n_repeats` must be an int >= 1. Got 0"),
        ({"n_repeats": 1.5}, "`n_repeats` must be an int >= 1. Got 1.5"),
        (
            {"n_repeats": 2, "cv": StratifiedKFold(4, shuffle=True, random_state=0)},
            "`n_repeats` must be 1 where `cv` is not a number of folds. Got 2 with StratifiedKFold",
        ),
        ({"max_seconds": 0}, "`max_seconds` must be a number above 0"),
        ({"sampling_strategies": []}, "`sampling_strategies` must be a list"),
        ({"sampling_strategies": "auto"}, "`sampling_strategies` must be a list"),
        (
            {"cv": 1},
            "`cv` must be a number of folds from 4 to the rows of the class with the fewest, 24",
        ),
        ({"cv": 25}, "`cv` must be a number of folds from 4 .*24.*Got 25"),
        ({"cv": KFold(3)}, "`cv` must give at least 4 splits"),
        ({"cv": KFold(5)}, "Every split needs .* rows of every class"),  # rows stand by class
        ({"groups": [0] * 5}, r"`groups` must have one value per row, 114. Got shape \(5,\)"),
        ({"groups": (g for g in range(114))}, "`groups` must have one value per row"),
        (
            {"groups": np.arange(114) // 2, "cv": StratifiedShuffleSplit(4, random_state=0)},
            "`cv` must keep rows of a group on one side of a split",
        ),
        ({"cv": [(range(114), range(114))] * 4}, "`cv` must keep training and test rows apart"),
        ({"scoring": ["accuracy"]}, "`scoring` must be one scorer"),
        ({"scoring": lambda *_: np.nan}, "`scoring` must give a finite number. Got nan"),
        ({"estimator": SVC}, r"`estimator` must be an instance.*pass SVC\(\)"),
        ({"augmenter": GANAugmenter}, "`augmenter` must be an instance"),
        (
            {"augmenter": SimpleNamespace(fit=None, sample=None)},
            "`augmenter` must have .*get_params.*Got SimpleNamespace",
        ),
        ({"estimator": LinearRegression(), "scoring": "r2"}, "`estimator` must learn and score"),
        ({"sampling_strategies": ["auto", "minorty"]}, "item 1: .*Did you mean 'minority'"),
        ({"sampling_strategies": [{8: 29}]}, "item 0: .*not below the rows it has"),
        ({"sampling_strategies": [{8: 30}]}, "`sampling_strategies` must give synthetic rows"),
        (
            {"groups": [0] * 60 + [1] * 30 + [2] * 24, "cv": 3},
            "to the groups of the class with the fewest, 1",
        ),
        ({"y": np.zeros(114)}, "class"),
        ({"y": np.zeros(5)}, "same length"),
        ({"scoring": "acuracy"}, "acuracy"),
        ({"estimator": LogisticRegression(C=-1.0)}, "`estimator` must learn and score the rows"),
        ({"random_state": "seven"}, "`random_state` must be"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*n_splits.*:UserWarning")
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored:UserWarning")
@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
def test_mistakes_are_named_before_any_gan_is_trained(digits, changes, message):
    expected = ValueError if changes.get("scoring") == "acuracy" else GanaugError
    with pytest.raises(expected, match=f"(?s){message}"):
        evaluate(digits, **changes)


def test_an_estimator_that_cannot_take_images_is_refused_before_training(digits):
    X, y, _, _ = digits
    with pytest.raises(GanaugError, match=r"(?s)SVC on X of shape \(.*, 8, 8\)"):
        evaluate_gain(Untrained(), X.reshape(-1, 8, 8), y, SVC(), random_state=0)


def test_a_dataset_needs_the_built_in_classifier(digits):
    X, y, _, _ = digits
    dataset = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    with pytest.raises(TypeError, match="Got a Dataset instead: leave the estimator out"):
        evaluate_gain(Untrained(), dataset, None, SVC())


def test_resize_needs_the_built_in_classifier(digits):
    X, y, _, _ = digits
    augmenter = GANAugmenter(resize=(12, 12), verbose=0)
    with pytest.raises(GanaugError, match="`resize` cannot be evaluated with an `estimator`"):
        evaluate_gain(augmenter, X.reshape(-1, 8, 8), y, DummyClassifier())


def test_small_classes_are_warned_of_once_not_in_every_split(digits):
    X, y, X_pool, y_pool = digits
    keep = np.r_[:60, 60:78, 90:114]  # eighteen eights
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluate_gain(Oracle(X_pool, y_pool), X[keep], y[keep], SVC(), cv=4, random_state=0)

    assert [w.category for w in caught if w.category is SmallClassWarning] == [SmallClassWarning]
