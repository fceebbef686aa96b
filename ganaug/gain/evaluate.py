"""`evaluate_gain`: do synthetic rows help your classifier, on your data?

The comparison is paired over cross-validation splits, and each split trains a GAN of its own on its
training part. What could flatter the synthetic rows is kept out:

- they are added to the strongest of the usual remedies (nothing, over-sampling, over-sampling with
  classic augmentation; for tables SMOTE), not compared with nothing;
- how many there are is chosen on one half of the folds and reported on the other half, both ways;
- they must also beat a placebo, duplicates of real rows in their place;
- the intervals allow for the overlap of the splits' training parts (Nadeau & Bengio, 2003).
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from ganaug.exceptions import GanaugWarning, InvalidInputError, InvalidTypeError
from ganaug.gain.intervals import PairedInterval, corrected_interval
from ganaug.gain.remedies import (
    Problem,
    Remedy,
    Score,
    SmallNetworkClassifier,
    Split,
    remedies_for,
)
from ganaug.gain.trials import PerRealRow, Trials
from ganaug.gain.verdict import Verdict, decide, needed_to_tell
from ganaug.inputs import DataSpec, TrainingSet, read_training_set
from ganaug.progress import readable_seconds
from ganaug.seeds import derived_seed, draw_seed

__all__ = ["evaluate_gain"]

Array = npt.NDArray[Any]

DEFAULT_RATIOS = (0.3, 1.0, 3.0)
N_FOLDS = 10
MIN_SPLITS = 4  # two to choose by, and two to report on
PARAMETERS_OF_READING = ("image_shape", "value_range", "resize", "image_key", "label_key")
CLASSIFIERS_PER_SPLIT = 7  # with synthetic rows or placebo: what the estimate counts with
CLASSIFIERS_AT_THE_END = 4  # of these, those trained when all GANs are: chosen settings, placebo


def evaluate_gain(
    augmenter: Any,
    X: Any,
    y: Any = None,
    estimator: Any = None,
    *,
    cv: Any = None,
    n_repeats: int = 1,
    scoring: Any = "balanced_accuracy",
    groups: Any = None,
    sampling_strategies: Sequence[Any] | None = None,
    margin: float = 0.005,
    max_seconds: float | None = None,
    random_state: Any = None,
) -> Verdict:
    """Measure whether synthetic rows help a classifier, and give a verdict.

    Parameters
    ----------
    augmenter : GANAugmenter
        Cloned, and trained anew on the training part of every split. Any scikit-learn estimator
        with `fit(X, y)` and `sample({label: n})` will do.
    X, y : as in `GANAugmenter.fit`
        With an `estimator`, X is an array or a data frame of what that estimator takes.
    estimator : scikit-learn classifier, optional
        Yours, pipelines included. By default a small convolutional network (for tables, a small
        dense one), trained with classic augmentation where that is one of the remedies.
    cv : int, splitter or iterable of (train, test), optional
        An int is a number of folds, at least 4; by default 10, or fewer where the smallest class
        has fewer rows (stratified, and grouped where there are `groups`). Every other fold is for
        choosing, the rest for reporting, and the other way round. Of any other `cv` the first half
        of the splits and the second half take these parts: shuffle it, give it at least 4 splits,
        and keep the halves' test rows apart if you can.
    n_repeats : int, default=1
        How often, in all, the rows are split into folds, which takes as many times as long and
        narrows the intervals: of 10 folds, 3 by about a quarter, 10 by a third. A row is in the
        test parts of the same half each time. Few groups allow fewer splits, since none is used
        twice. Needs `cv` to be None or an int.
    scoring : str or callable, default="balanced_accuracy"
        As in scikit-learn; larger is better.
    groups : array-like of shape (n,), optional
        Rows of one group (patient, site, sheet, ...) stay on one side of a split; a splitter passed
        as `cv` that parts them is refused.
    sampling_strategies : list, optional
        What to try, each item a `sampling_strategy` of `GANAugmenter`, of which the synthetic part
        is used. By default 0.3, 1 and 3 synthetic rows per real row in every class, none growing
        beyond the largest unless all are about equally frequent, and the best of these in only
        those classes where synthetic rows helped.
    margin : float, default=0.005
        Gains and losses within this, in units of the score, count as equivalent.
    max_seconds : float, optional
        Time box. No split is begun that should not end in time, but for the first.
    random_state : int, RandomState or None, default=None
        Seed of splits, GANs and classifiers.

    Returns
    -------
    Verdict
        ``outcome`` is "use", "equivalent", "do not use" or "cannot tell"; ``sampling_strategy`` is
        what to pass to `GANOverSampler`: synthetic rows in those classes only where they helped,
        and none at all unless the outcome is "use".

    Raises
    ------
    InvalidInputError, InvalidTypeError
        For data, splits, groups or an estimator that cannot work; before any GAN is trained.

    Notes
    -----
    Synthetic rows are added first, and what the chosen remedy does comes after them. To act on a
    "use", do the same; where `Verdict.baseline` is over-sampling:
    ``make_pipeline(GANOverSampler(augmenter, sampling_strategy=verdict.sampling_strategy),
    RandomOverSampler(), estimator)``.

    References
    ----------
    Nadeau, C., & Bengio, Y. (2003). Inference for the generalization error. Machine Learning, 52.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.svm import SVC
    >>> from ganaug import GANAugmenter, evaluate_gain
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> augmenter = GANAugmenter(
    ...     image_shape=(8, 8), max_images=64, width=4, filter=None, verbose=0
    ... )
    >>> verdict = evaluate_gain(augmenter, X, y, SVC(), cv=4, random_state=0)
    >>> verdict.outcome, verdict.sampling_strategy
    ('equivalent', {})
    """
    clock = _Clock(max_seconds)
    _check_arguments(augmenter, margin, sampling_strategies, scoring, n_repeats)
    augmenter, problem = _pose(augmenter, X, y, estimator, scoring)
    seed = draw_seed(random_state)
    splits = _make_splits(problem, cv, n_repeats, groups, seed)
    trials = Trials(augmenter, problem, seed)
    silent = not getattr(augmenter, "verbose", 0)
    candidates = list(sampling_strategies or map(PerRealRow, DEFAULT_RATIOS))
    _check_candidates(trials, splits, candidates)
    per_class = sampling_strategies is None
    with warnings.catch_warnings():  # of small classes and alarms, once per split
        warnings.simplefilter("ignore", GanaugWarning)
        without = _try_remedies(trials, splits, clock, silent)
        # the best by the very splits that are reported: a bias against the synthetic rows
        remedy = max(without, key=lambda remedy: _mean(without[remedy]))
        in_time = splits[: len(without[remedy])]
        baseline = {s.number: score for s, score in zip(in_time, without[remedy], strict=True)}
        table = _Table(trials, remedy, baseline, candidates)
        cost = _estimate_seconds(trials, in_time, without)
        _try_candidates(table, in_time, clock, cost, silent)
        paired = _pair(table, without, per_class)
        verdict = _judge(table, paired, per_class, margin, scoring)
    notes = clock.note(len(table.splits), len(splits)) + _caveats(augmenter) + verdict.notes
    return replace(verdict, notes=notes, seconds=clock.seconds)


# --- before any training -----------------------------------------------------------------------


def _check_arguments(
    augmenter: Any, margin: Any, strategies: Any, scoring: Any, n_repeats: Any
) -> None:
    _refuse_class("augmenter", augmenter)
    if not all(hasattr(augmenter, method) for method in ("fit", "sample", "get_params")):
        hint = " Pass its `augmenter` instead." if hasattr(augmenter, "fit_resample") else ""
        raise InvalidTypeError(
            f"`augmenter` must have fit and sample, as GANAugmenter has, and get_params, to be "
            f"cloned. Got {type(augmenter).__name__} instead.{hint}"
        )
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise InvalidTypeError(
            f"`scoring` must be one scorer, by name or callable. Got {scoring!r} instead."
        )
    is_number = isinstance(margin, int | float) and not isinstance(margin, bool)
    if not is_number or not 0 <= margin < math.inf:
        raise InvalidInputError(f"`margin` must be a number >= 0. Got {margin!r} instead.")
    is_whole = isinstance(n_repeats, int | np.integer) and not isinstance(n_repeats, bool)
    if not is_whole or n_repeats < 1:
        raise InvalidInputError(f"`n_repeats` must be an int >= 1. Got {n_repeats!r} instead.")
    if strategies is not None and (not isinstance(strategies, list | tuple) or not strategies):
        raise InvalidInputError(
            "`sampling_strategies` must be a list of strategies, at least one, or None. Got "
            f"{strategies!r} instead."
        )


def _refuse_class(name: str, estimator: Any) -> None:
    if isinstance(estimator, type):
        raise InvalidTypeError(
            f"`{name}` must be an instance. Got the class {estimator.__name__} instead: pass "
            f"{estimator.__name__}()."
        )


def _check_candidates(trials: Trials, splits: Sequence[Split], candidates: Sequence[Any]) -> None:
    """Apply all strategies to all labels that they will meet."""
    y = trials.problem.y
    for position, strategy in enumerate(candidates):
        try:
            asked = [trials.counts(strategy, part) for part in (y, *(y[s.train] for s in splits))]
        except (InvalidInputError, InvalidTypeError) as error:
            raise type(error)(f"`sampling_strategies`, item {position}: {error}") from None
        if not all(asked):
            raise InvalidInputError(
                "`sampling_strategies` must give synthetic rows to at least one class. Got "
                f"{strategy!r} instead, which gives none on these labels: pass a dict of totals, "
                "or leave it out."
            )


def _caveats(augmenter: Any) -> list[str]:
    """Say what nobody but the user can know."""
    if getattr(augmenter, "warm_start_from", None) is None:
        return []
    caveat = (
        "all GANs began with `warm_start_from`: if that model was trained on any of these rows, it "
        "has seen test rows, and the gain is flattered"
    )
    return [caveat]


def _pose(augmenter: Any, X: Any, y: Any, estimator: Any, scoring: Any) -> tuple[Any, Problem]:
    """Read the data, and bring them into the form that the estimator takes."""
    if estimator is not None:
        _refuse_class("estimator", estimator)
        for method in ("fit", "predict", "get_params"):
            if not hasattr(estimator, method):
                raise InvalidTypeError(
                    f"`estimator` must be a scikit-learn classifier. Got "
                    f"{type(estimator).__name__} without `{method}` instead."
                )
        if isinstance(X, Dataset):
            raise InvalidTypeError(
                "X must be an array or a data frame where an `estimator` is passed. Got a Dataset "
                "instead: leave the estimator out, or pass arrays."
            )
    reading = {
        name: getattr(augmenter, name) for name in PARAMETERS_OF_READING if hasattr(augmenter, name)
    }
    data = read_training_set(X, y, **reading)
    labels = data.classes[data.labels]
    augmenter = clone(augmenter)
    if estimator is None:  # the built-in network takes what the GAN takes
        augmenter.set_params(**{k: None for k in PARAMETERS_OF_READING[:3] if k in reading})
        rows, spec = data.values, _spec_of_values(data)
    else:
        rows, spec = _rows_for_estimator(X, data.spec)
    if spec.resize is not None:
        raise InvalidInputError(
            "`resize` cannot be evaluated with an `estimator`, which would see rows of two sizes: "
            "resize X itself, or leave the estimator out."
        )
    scorer = check_scoring(
        SmallNetworkClassifier() if estimator is None else estimator, scoring=scoring
    )
    return augmenter, Problem(rows, labels, data.classes, spec, estimator, scorer)


def _rows_for_estimator(X: Any, spec: DataSpec) -> tuple[Any, DataSpec]:
    """Give a data frame or an array, and the spec by which rows of its kind are made."""
    if hasattr(X, "iloc"):
        return X, spec
    rows = X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else np.asarray(X)
    if spec.container == "torch":
        spec = replace(spec, container="numpy", dtype=rows.dtype.name)
    return rows, spec


def _spec_of_values(data: TrainingSet) -> DataSpec:
    """Describe the values that the networks see as data of their own."""
    if data.spec.kind == "table":
        columns = data.values.shape[1]
        return DataSpec("table", "numpy", "float32", "rows", n_columns=columns)
    shape = data.spec.image_shape
    return DataSpec("image", "numpy", "uint8", "CHW", image_shape=shape, value_range=(0.0, 255.0))


def _make_splits(problem: Problem, cv: Any, n_repeats: int, groups: Any, seed: int) -> list[Split]:
    """Make the splits, those of the two halves in turn; every class must be in all parts."""
    y, n = problem.y, len(problem.y)
    groups = None if groups is None else np.asarray(groups)
    if groups is not None and groups.shape != (n,):
        raise InvalidInputError(
            f"`groups` must have one value per row, {n}. Got shape {groups.shape} instead."
        )
    if cv is None or isinstance(cv, int | np.integer):
        halves = _halves(_folds(y, cv, groups, seed), n_repeats, y, groups, seed)
    elif n_repeats > 1:
        raise InvalidInputError(
            f"`n_repeats` must be 1 where `cv` is not a number of folds. Got {n_repeats} with "
            f"{type(cv).__name__} instead: pass a number of folds, or leave `n_repeats` out."
        )
    else:
        pairs = list(check_cv(cv, y, classifier=True).split(problem.X, y, groups))
        if len(pairs) < MIN_SPLITS:
            raise InvalidInputError(
                f"`cv` must give at least {MIN_SPLITS} splits, half of them for choosing and half "
                f"for reporting. Got {len(pairs)} instead."
            )
        halves = [pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]]
    in_turn = [
        (half, pair)
        for row in itertools.zip_longest(*halves)
        for half, pair in enumerate(row)
        if pair is not None
    ]
    splits = [
        Split(number, half, *map(_positions, pair)) for number, (half, pair) in enumerate(in_turn)
    ]
    for split in splits:
        _check_split(split, problem, groups is not None)
        _check_parts_are_apart(split, groups)
    return splits


def _positions(rows: Any) -> npt.NDArray[np.int64]:
    """Turn what a splitter gives, positions or a mask, into positions."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _check_parts_are_apart(split: Split, groups: Any) -> None:
    """Refuse a `cv` of the user's that would let the GAN see test rows, or their groups."""
    if len(np.intersect1d(split.train, split.test)):
        raise InvalidInputError(
            "`cv` must keep training and test rows apart. Got rows that are both in split "
            f"{split.number} instead."
        )
    if groups is None:
        return
    shared = set(groups[split.train].tolist()) & set(groups[split.test].tolist())
    if shared:
        raise InvalidInputError(
            f"`cv` must keep rows of a group on one side of a split. Got group "
            f"{next(iter(shared))!r} on both sides of split {split.number} instead: pass a number "
            "of folds, or a splitter for groups such as StratifiedGroupKFold."
        )


def _folds(y: Array, cv: Any, groups: Any, seed: int) -> list[Any]:
    """Draw stratified folds, of groups if there are any; by default as many as the data allow."""
    classes, counts = np.unique(y, return_counts=True)
    most, of_what = int(counts.min()), "rows"
    if groups is not None:
        most, of_what = min(len(np.unique(groups[y == label])) for label in classes), "groups"
    n_folds = min(N_FOLDS, most) if cv is None else int(cv)
    if not MIN_SPLITS <= n_folds <= most:
        raise InvalidInputError(
            f"`cv` must be a number of folds from {MIN_SPLITS} to the {of_what} of the class with "
            f"the fewest, {most}. Got {n_folds} instead: pass another `cv`, or collect more rows."
        )
    return _split_evenly(y, n_folds, groups, seed)


def _split_evenly(y: Array, n_folds: int, groups: Any, seed: int) -> list[Any]:
    """Split into stratified folds, of groups if there are any: pairs of positions."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    return list(kind(n_folds, shuffle=True, random_state=seed % 2**32).split(y, y, groups))


def _halves(folds: list[Any], n_repeats: int, y: Array, groups: Any, seed: int) -> list[list[Any]]:
    """Give every other fold to a half, and split each half's test rows anew for every repeat.

    No row is ever in the test parts of both halves: a setting that is lucky on some rows would be
    chosen and reported by the same rows. Nor is a test part used twice: few groups allow few, and
    a second look at the same rows would narrow the interval without telling anything new.
    """
    everything, n_classes = np.arange(len(y)), len(np.unique(y))
    halves = []
    for first in (folds[::2], folds[1::2]):
        rows = np.sort(np.concatenate([test for _, test in first]))
        inner = None if groups is None else groups[rows]
        of_half = list(first)
        seen = {test.tobytes() for _, test in first}
        for repeat in range(1, n_repeats):
            again = derived_seed(seed, "folds", repeat)
            tests = [rows[test] for _, test in _split_evenly(y[rows], len(first), inner, again)]
            for test in tests:
                has_all_classes = len(np.unique(y[test])) == n_classes
                if has_all_classes and test.tobytes() not in seen:
                    seen.add(test.tobytes())
                    of_half.append((np.setdiff1d(everything, test), test))
        halves.append(of_half)
    if n_repeats > 1 and sum(map(len, halves)) == len(folds):
        raise InvalidInputError(
            f"`n_repeats` must be 1 where there is one way to split only. Got {n_repeats} with "
            f"{len(folds)} folds of so few {'rows' if groups is None else 'groups'} instead: pass "
            "fewer folds, or leave it out."
        )
    return halves


def _check_split(split: Split, problem: Problem, is_grouped: bool) -> None:
    for part, rows, least in (("training", split.train, 2), ("test", split.test, 1)):
        for label in problem.classes.tolist():
            n = int((problem.y[rows] == label).sum())
            if n < least:
                why = "the groups" if is_grouped else "`cv`"
                raise InvalidInputError(
                    f"Every split needs {least} or more {part} rows of every class. Got {n} of "
                    f"class {label!r} in split {split.number}: {why} must leave some, so pass "
                    "fewer folds, or leave the class out."
                )


# --- trying ------------------------------------------------------------------------------------


def _try_remedies(
    trials: Trials, splits: Sequence[Split], clock: _Clock, silent: bool
) -> dict[Remedy, list[Score]]:
    """Score what one does without synthetic rows; this shows whether the estimator works, too."""
    scores: dict[Remedy, list[Score]] = {remedy: [] for remedy in remedies_for(trials.problem)}
    with _progress("Classifiers without synthetic rows", len(splits), silent) as advance:
        for split in clock.in_time(splits, share=0.2):
            for remedy, of_remedy in scores.items():
                of_remedy.append(trials.without_synthetic(split, remedy))
            advance()
    return scores


def _estimate_seconds(
    trials: Trials, splits: Sequence[Split], without: Mapping[Remedy, Sequence[Score]]
) -> float:
    """Estimate what is ahead: for each split a GAN and a few classifiers."""
    estimate = getattr(trials.augmenter, "estimate_fit_seconds", None)
    gan = 0.0 if estimate is None else estimate(*trials.problem.training_part(splits[0]))
    classifier = np.mean([score.seconds for scores in without.values() for score in scores])
    return float(len(splits) * (gan + CLASSIFIERS_PER_SPLIT * classifier))


class _Table:
    """Scores by split and strategy; what is not in it yet is tried when it is asked for."""

    def __init__(
        self,
        trials: Trials,
        remedy: Remedy,
        baseline: Mapping[int, Score],
        candidates: Sequence[Any],
    ) -> None:
        self.trials = trials
        self.remedy = remedy
        self.baseline = baseline
        self.candidates = candidates
        self.splits: list[Split] = []
        self._scores: dict[tuple[int, str], Score] = {}

    def add(self, split: Split) -> None:
        """Train the split's GAN and try all candidates on it."""
        self.trials.train(split)
        self.trials.make_rows(split, self.candidates)
        for strategy in self.candidates:
            self._scores[split.number, describe(strategy)] = self._try(split, strategy)
        self.trials.forget_rows(split)
        self.splits.append(split)

    def score(self, split: Split, strategy: Any) -> Score:
        """Return a strategy's score on a split."""
        key = split.number, describe(strategy)
        if key not in self._scores:
            self._scores[key] = self._try(split, strategy)
            self.trials.forget_rows(split)
        return self._scores[key]

    def _try(self, split: Split, strategy: Any) -> Score:
        return self.trials.with_synthetic(split, self.remedy, strategy)

    def gain(self, splits: Sequence[Split], strategy: Any) -> float:
        """Mean gain of a strategy."""
        return _mean([self.score(s, strategy) for s in splits]) - _mean(
            [self.baseline[s.number] for s in splits]
        )

    def gain_in_recall(self, splits: Sequence[Split], strategy: Any) -> npt.NDArray[np.float64]:
        """Mean gain in recall of a strategy, by class."""
        gains = [self.score(s, strategy).recalls - self.baseline[s.number].recalls for s in splits]
        return np.asarray(np.mean(gains, axis=0))

    def choose(self, splits: Sequence[Split], per_class: bool) -> Any:
        """Return the best strategy on some splits; of equals the first.

        `per_class` adds a candidate: the best of them in only those classes whose recall rose, in
        the mean over all candidates, which is steadier than a single one's.
        """
        candidates = list(self.candidates)
        if per_class:
            best = max(candidates, key=lambda strategy: self.gain(splits, strategy))
            rise = np.mean([self.gain_in_recall(splits, c) for c in candidates], axis=0)
            risen = self.trials.problem.classes[rise > 0].tolist()
            served = {label for s in splits for label in self.trials.counts_in(s, best)}
            if 0 < len(served.intersection(risen)) < len(served):
                classes = tuple(label for label in risen if label in served)
                candidates.append(PerRealRow(best.ratio, classes))
        return max(candidates, key=lambda strategy: self.gain(splits, strategy))

    @property
    def most(self) -> Any:
        """The candidate that adds the most synthetic rows."""
        y, trials = self.trials.problem.y, self.trials
        return max(self.candidates, key=lambda strategy: sum(trials.counts(strategy, y).values()))

    def other_half(self, split: Split) -> list[Split]:
        """Splits by which the strategy for this one is chosen."""
        others = [other for other in self.splits if other.half != split.half]
        return others or self.splits  # with a single split there is no interval anyway


def _try_candidates(
    table: _Table, splits: Sequence[Split], clock: _Clock, seconds: float, silent: bool
) -> None:
    cost = readable_seconds(seconds)
    if clock.max_seconds is not None:
        cost += f", at most about {readable_seconds(clock.max_seconds)}"
    description = f"Gain over {len(splits)} splits, a GAN each, estimated {cost}"
    each = float(np.mean([score.seconds for score in table.baseline.values()]))
    at_the_end = CLASSIFIERS_AT_THE_END * each
    with _progress(description, len(splits), silent) as advance:
        for split in clock.in_time(splits, share=0.9, at_the_end=at_the_end):
            table.add(split)
            advance()


def _mean(scores: Sequence[Score]) -> float:
    return float(np.mean([score.value for score in scores]))


def describe(strategy: Any) -> str:
    """Describe a strategy in words."""
    return str(strategy) if isinstance(strategy, PerRealRow) else f"sampling_strategy={strategy!r}"


# --- the verdict -------------------------------------------------------------------------------


@dataclass
class _Paired:
    """Scores of the same splits, by arm; the synthetic arm's strategy came from the other half."""

    without: dict[Remedy, list[Score]]
    synthetic: list[Score]
    placebo: list[Score]
    served: list[Any]
    test_over_train: float

    def interval(self, of: Callable[[Score], float], against: Sequence[Score]) -> PairedInterval:
        """Compare the synthetic arm with another one."""
        return corrected_interval(
            [of(score) for score in self.synthetic],
            [of(score) for score in against],
            test_over_train=self.test_over_train,
        )


def _pair(table: _Table, without: Mapping[Remedy, list[Score]], per_class: bool) -> _Paired:
    """Report each half of the splits with the strategy that the other half has chosen."""
    splits, trials = table.splits, table.trials
    chosen = [table.choose(table.other_half(split), per_class) for split in splits]
    pairs = list(zip(splits, chosen, strict=True))
    counts = [trials.counts_in(split, strategy) for split, strategy in pairs]
    times = {c: sum(c in served for served in counts) for c in trials.problem.classes.tolist()}
    return _Paired(
        without={remedy: scores[: len(splits)] for remedy, scores in without.items()},
        synthetic=[table.score(split, strategy) for split, strategy in pairs],
        placebo=[trials.with_placebo(s, table.remedy, strategy) for s, strategy in pairs],
        served=[label for label, n in times.items() if n and 2 * n >= len(splits)],
        test_over_train=float(np.mean([len(s.test) / len(s.train) for s in splits])),
    )


def _judge(table: _Table, paired: _Paired, per_class: bool, margin: float, scoring: Any) -> Verdict:
    problem, remedy = table.trials.problem, table.remedy
    baseline = paired.without[remedy]
    gain = paired.interval(lambda score: score.value, baseline)
    over_placebo = paired.interval(lambda score: score.value, paired.placebo)
    of_most = corrected_interval(
        [table.score(split, table.most).value for split in table.splits],
        [score.value for score in baseline],
        test_over_train=paired.test_over_train,
    )
    final = table.choose(table.splits, per_class)
    prefers_none = table.gain(table.splits, final) <= 0
    outcome = decide(gain, over_placebo, of_most, margin, prefers_none)
    if not paired.served:  # there is nothing to use
        outcome = "do not use"
    totals = _totals(table, final, paired.served)
    if outcome == "use" and not totals:  # the halves chose otherwise than all splits together
        outcome = "cannot tell"
    needed = _needed(gain, over_placebo, paired.test_over_train, margin, len(problem.y))
    arms = {other.name: scores for other, scores in paired.without.items()}
    arms[f"{remedy.name} + synthetic"] = paired.synthetic
    arms[f"{remedy.name} + duplicates in their place"] = paired.placebo
    return Verdict(
        outcome=outcome,
        gain=gain,
        gain_over_placebo=over_placebo,
        gain_of_most=of_most,
        baseline=remedy.name,
        setting=describe(final),
        classes_served=paired.served,
        setting_totals=totals,
        sampling_strategy=totals if outcome == "use" else {},
        per_class=_judge_classes(problem, paired, baseline),
        scores={arm: [score.value for score in scores] for arm, scores in arms.items()},
        gains_by_setting={describe(c): table.gain(table.splits, c) for c in table.candidates},
        needed=needed if outcome == "cannot tell" else None,
        scoring=scoring if isinstance(scoring, str) else "score",
        margin=margin,
        n_rows=len(problem.y),
        n_splits=len(table.splits),
        notes=table.trials.notes(),
    )


def _needed(
    gain: PairedInterval,
    over_placebo: PairedInterval,
    test_over_train: float,
    margin: float,
    n_rows: int,
) -> dict[str, int] | None:
    """Say what would settle the comparison that is further from being settled."""
    ways = [
        needed_to_tell(interval, test_over_train, margin, n_rows)
        for interval in (gain, over_placebo)
    ]
    return max(filter(None, ways), key=lambda way: way["rows"], default=None)


def _judge_classes(
    problem: Problem, paired: _Paired, baseline: Sequence[Score]
) -> dict[Any, dict[str, Any]]:
    found = {}
    for position, label in enumerate(problem.classes.tolist()):
        recall = paired.interval(lambda score, p=position: score.recalls[p], baseline)  # type: ignore[misc]
        found[label] = {
            "rows": int((problem.y == label).sum()),
            "gain": recall.mean,
            "low": recall.low,
            "high": recall.high,
            "finding": recall.verdict,
        }
    return found


def _totals(table: _Table, strategy: Any, served: Sequence[Any]) -> dict[Any, int]:
    """Apply the chosen strategy to all rows: totals of the classes that get synthetic ones."""
    y = table.trials.problem.y
    n_real = dict(zip(*(part.tolist() for part in np.unique(y, return_counts=True)), strict=True))
    counts = table.trials.counts(strategy, y)
    return {label: n_real[label] + n for label, n in counts.items() if label in served}


# --- time --------------------------------------------------------------------------------------


class _Clock:
    """The time box: which splits still fit into it."""

    def __init__(self, max_seconds: float | None) -> None:
        is_number = isinstance(max_seconds, int | float) and not isinstance(max_seconds, bool)
        if max_seconds is not None and (not is_number or not max_seconds > 0):
            raise InvalidInputError(
                f"`max_seconds` must be a number above 0, or None. Got {max_seconds!r} instead."
            )
        self.max_seconds = max_seconds
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def in_time(
        self, splits: Sequence[Split], share: float, at_the_end: float = 0.0
    ) -> Iterator[Split]:
        """Yield splits while the next one should end within this share of the time box.

        `at_the_end` seconds are kept for each split that was begun.
        """
        began = self.seconds
        for n_done, split in enumerate(splits):
            if self.max_seconds is not None and n_done:
                each = (self.seconds - began) / n_done
                kept = at_the_end * (n_done + 1)
                if self.seconds + each + kept > share * self.max_seconds:
                    return
            yield split

    def note(self, n_done: int, n_planned: int) -> list[str]:
        """Say that the time box ended early, if it did, and what all would take."""
        if n_done == n_planned:
            return []
        needed = readable_seconds(self.seconds / n_done * n_planned)
        return [f"the time box ended after {n_done} of {n_planned} splits; all take about {needed}"]


@contextmanager
def _progress(description: str, n_splits: int, silent: bool) -> Iterator[Callable[[], Any]]:
    """Show a bar on stderr."""
    with tqdm(total=n_splits, desc=description, disable=silent, unit="split") as bar:
        yield bar.update
