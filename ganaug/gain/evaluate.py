"""`evaluate_gain`: which remedy is best for a classifier and its data, by measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import joblib
import numpy as np
from sklearn.base import clone

from ganaug.checks import check_values, whole_number
from ganaug.checks import n_jobs as check_n_jobs
from ganaug.gain.choice import can_still_win, mean_scores, standing
from ganaug.gain.cost import (
    FIRST_GAN_FOLDS,
    MOST_GAN_FOLDS,
    Clock,
    CostEstimate,
    GanCost,
    GanPlan,
    estimate,
    measure_gan,
    pilots,
    plan_gans,
    seconds_enlarged,
    seconds_per_split,
    time_for_gans,
)
from ganaug.gain.judging import Race, default_arms, is_bounded, judge
from ganaug.gain.problem import Problem, make_splits, pose
from ganaug.gain.remedies import (
    Remedy,
    Task,
    checked_augmenter,
    select_remedies,
    why_doubtful,
    with_budget,
)
from ganaug.gain.trials import Trials
from ganaug.gain.verdict import Verdict
from ganaug.progress import trials_bar
from ganaug.resampling import enlargement
from ganaug.seeds import draw_seed

__all__ = ["evaluate_gain"]

WORTH_FILLING = 0.01  # of the samples; below, classes are about equally frequent
MOST_PILOT_SECONDS = 20.0  # of a dry run, which guesses what takes longer
WORTH_ENLARGING = 1.25  # times as many samples as equally frequent classes have
ALL_THE_TIME = GanPlan(FIRST_GAN_FOLDS, MOST_GAN_FOLDS)


@overload
def evaluate_gain(
    estimator: Any, X: Any, y: Any = None, *, dry_run: Literal[False] = False, **options: Any
) -> Verdict: ...


@overload
def evaluate_gain(
    estimator: Any, X: Any, y: Any = None, *, dry_run: Literal[True], **options: Any
) -> CostEstimate: ...


def evaluate_gain(  # type: ignore[misc]  # the overloads do not repeat every parameter
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    image_shape: tuple[int, ...] | None = None,
    augmenter: Any = None,
    remedies: Any = None,
    cv: Any = 5,
    scoring: Any = "balanced_accuracy",
    groups: Any = None,
    n_jobs: int | None = None,
    max_seconds: float | None = None,
    random_state: Any = None,
    verbose: int = 1,
    dry_run: bool = False,
) -> Verdict | CostEstimate:
    """Measure which remedy for rare classes is best for a classifier, and hand it over.

    Parameters
    ----------
    estimator : scikit-learn classifier or "cnn"
        Yours, pipelines included; "cnn" is a small network that augments its images itself.
    X, y : as in `GANAugmenter.fit`
        An array or a data frame of what the estimator takes, and labels of shape (n_samples,).
        "cnn" also takes a Dataset of (image, label), without y.
    image_shape : tuple (H, W), (H, W, C) or (C, H, W), optional
        Of the images that the columns of 2-D X hold; without it they are a table of features.
    augmenter : GANAugmenter, optional
        Trained in place of the default GANs; carries its own `image_shape`.
    remedies : list of str, "samplers", or dict of str to imbalanced-learn sampler, optional
        A list is all that is tried, of "class weights", "duplicates", "smote", "augmented",
        "mixed", "enlarged", "ganaug", "half and half", "gan only" and "features". The default is
        those that were worth trying where that was measured: all without a GAN, "ganaug" and "half
        and half" from 5,000 samples on or with an `augmenter`, and "features" from 500 images on.
        "samplers" leaves out of these what `make_sampler` cannot give; a dict is tried beside them.
        "nothing" always is.
    cv : int, splitter or iterable of (train, test), default=5
        As in scikit-learn; a splitter without a seed gets one. An int is a number of stratified
        folds, of `groups` if there are any: fewer where a class is smaller, and drawn several times
        below 300 samples.
    scoring : str, callable or None, default="balanced_accuracy"
        As in scikit-learn; larger is better.
    groups : array-like of shape (n_samples,), optional
        Samples of one group (patient, site, sheet, ...) stay on one side of a split.
    n_jobs : int, optional
        Processes, of one thread each; the same results with any number of them. Without, all is
        done in this one, with its threads, of which a GAN's last digits depend.
        `joblib.parallel_config` is heeded.
    max_seconds : float, optional
        Time box. What does not fit is left out, and said: folds, training of the GANs, all GANs.
    random_state : int, RandomState or None, default=None
        Seed of splits, remedies and classifiers.
    verbose : int, default=1
        0: no progress bar on stderr.
    dry_run : bool, default=False
        Only estimate what it would take, from a short pilot.

    Returns
    -------
    Verdict
        With the choice, its gain, `make_pipeline`, `make_sampler` and `save`.
    CostEstimate
        With `dry_run`.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        For data, splits, groups or an estimator that cannot work; before any GAN is trained. What
        fails with one remedy only is left out, and said in the notes.

    Notes
    -----
    All remedies are tried on the same folds, each with the same seed; a GAN sees only its fold's
    training part, and is trained once for all remedies that add its samples, and once for
    "features": on three folds, on up to five while one may still win. The better of "enlarged" (of
    tables "smote") and "features" is chosen unless another remedy is more than a standard error
    ahead of it, or nothing is best; samples of a GAN only where they are as far ahead. Where
    classes are about equally frequent, what fills rare ones is not tried by default. What is
    reported as gain is that of choosing so: the choice for each fold is made by the others.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from ganaug import evaluate_gain
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> remedies = ["class weights", "duplicates", "smote"]
    >>> verdict = evaluate_gain(
    ...     KNeighborsClassifier(), X, y, image_shape=(8, 8), remedies=remedies, random_state=0,
    ...     verbose=0,
    ... )
    >>> verdict.choice, verdict.is_decided
    ('nothing', True)
    """
    clock = Clock(max_seconds)
    checks = {"n_jobs": check_n_jobs, "verbose": whole_number(0)}
    check_values(checks, {"n_jobs": n_jobs, "verbose": verbose})
    seed = draw_seed(random_state) % 2**32
    augmenter = checked_augmenter(augmenter, image_shape)
    problem = pose(estimator, X, y, image_shape, augmenter, scoring, seed)
    splits, notes = make_splits(problem, cv, groups, seed)
    task = _task(problem, augmenter, seed, n_jobs)
    listed, of_remedies = select_remedies(remedies, task, problem.estimator, len(problem.y))
    cheap = [remedy for remedy in listed if not remedy.uses_gan]
    gans = [remedy for remedy in listed if remedy.uses_gan]
    is_named = isinstance(remedies, list | tuple)
    doubt = "" if gans or is_named else why_doubtful(task, len(problem.y))
    if not (is_named or _has_rare_classes(problem)):
        cheap = [remedy for remedy in cheap if not remedy.fills(task)]
        notes.append("the classes are about equally frequent: what fills rare ones was not tried")
    n_most = len(splits) * len(cheap + gans)
    with trials_bar(n_most, is_shown=bool(verbose) and not dry_run) as on_score:
        trials = Trials(problem, splits, task, on_score, verbose)
        for remedy in pilots(cheap):  # they show whether the estimator works, too
            if clock.left > 0 or remedy.name == "nothing" or dry_run:
                trials.run([remedy], [0])
        if not dry_run and _is_late(trials, cheap, clock):
            return judge(_out_of_time(trials, cheap, notes), scoring, notes, clock.seconds)
        cheap, of_enlarging = _with_enlarging(
            trials, cheap, clock, is_named=is_named, dry_run=dry_run
        )
        notes += of_enlarging
        is_filled = gans and _is_to_be_filled(trials, gans)
        gan_cost = GanCost()
        if is_filled and (dry_run or max_seconds is not None):
            gan_cost = measure_gan(trials, gans, math.inf if dry_run else clock.left)
        costs = estimate(trials, cheap, gan_cost, gans if is_filled else [])
        if dry_run:
            return costs
        kept = time_for_gans(clock.left, costs, gan_cost, len(splits)) if max_seconds else 0.0
        done = _try_cheap(trials, cheap, clock, kept)
        notes += of_remedies
        if len(done) < len(splits):
            notes.append(f"`max_seconds` left time for {len(done)} of {len(splits)} splits")
        race = Race(trials, cheap, gans, done, doubt)
        plan = _plan_gans(race, scoring, clock, costs, gan_cost, notes)
        race = try_gans(race, plan, clock, notes)
        return judge(race, scoring, notes, clock.seconds)


def _is_late(trials: Trials, cheap: Sequence[Remedy], clock: Clock) -> bool:
    """Tell whether there is no time for the rest of the first split."""
    took = [s for remedy in cheap if (s := trials.seconds(remedy)) is not None]
    n_left, n_workers = len(cheap) - len(took), joblib.effective_n_jobs(trials.task.n_jobs)
    return clock.left <= 0 or clock.left < n_left * float(np.mean(took)) / n_workers


def _out_of_time(trials: Trials, cheap: Sequence[Remedy], notes: list[str]) -> Race:
    """Give the race with what was tried on the first split, the default too, and say so."""
    usual = [remedy for remedy in cheap if not remedy.enlarges]
    default = default_arms(usual, trials.problem.estimator)[:1]
    trials.run([usual[arm] for arm in default], [0])
    tried = [remedy for remedy in cheap if trials.seconds(remedy) is not None]
    n_splits = len(trials.splits)
    notes.append(
        f"`max_seconds` left time for {len(tried)} of {len(cheap)} remedies without a GAN, on 1 of "
        f"{n_splits} splits"
    )
    return Race(trials, tried, (), [0], "`max_seconds` left no time for one")


def _with_enlarging(
    trials: Trials, cheap: list[Remedy], clock: Clock, *, is_named: bool, dry_run: bool
) -> tuple[list[Remedy], list[str]]:
    """Try what adds to all classes on the first split; leave it out, and say so, where unwise.

    That is where it is hardly more than filling them, or would take too long.
    """
    enlarging = [remedy for remedy in cheap if remedy.enlarges]
    usual = [remedy for remedy in cheap if not remedy.enlarges]
    names = " and ".join(f"'{remedy.name}'" for remedy in enlarging)
    if not enlarging:
        return usual, []
    if not is_named and enlargement(trials.problem.y) < WORTH_ENLARGING:
        return usual, [f"{names} not tried: the largest class is about as large as all would be"]
    seconds, n_splits = seconds_enlarged(trials, cheap), min(2, len(trials.splits))
    if clock.left < seconds * n_splits * len(enlarging):
        return usual, [f"`max_seconds` left no time for {names}"]
    if not dry_run or seconds < MOST_PILOT_SECONDS:
        trials.run(enlarging, [0])
    return cheap, []


def _task(problem: Problem, augmenter: Any, seed: int, n_jobs: int | None) -> Task:
    task = Task(
        seed,
        problem.is_image,
        np.ndim(problem.X),
        problem.image_shape,
        n_jobs=n_jobs,
        augmenter=None if augmenter is None else clone(augmenter),
    )
    return task.of_values() if problem.values_of_dataset else task


# --- trying ------------------------------------------------------------------------------------


def _try_cheap(trials: Trials, cheap: Sequence[Remedy], clock: Clock, kept: float) -> list[int]:
    """Try what needs no GAN on all splits, or on those that leave the seconds to be kept."""
    numbers = list(range(len(trials.splits)))
    if clock.left == math.inf:
        trials.run(cheap, numbers)
        return numbers
    at_once = max(1, joblib.effective_n_jobs(trials.task.n_jobs) // len(cheap))
    done: list[int] = []
    took = seconds_per_split(trials, cheap)  # of the first split, much is done already
    kept = max(kept, 0.05 * clock.max_seconds)
    while numbers and (not done or clock.left - took > kept):
        began, is_first = clock.seconds, not done
        chunk, numbers = numbers[:at_once], numbers[at_once:]
        trials.run(cheap, chunk)
        done = [*done, *chunk]
        took = took if is_first else clock.seconds - began
    return done


def _plan_gans(
    race: Race,
    scoring: Any,
    clock: Clock,
    costs: CostEstimate,
    gan_cost: GanCost,
    notes: list[str],
) -> GanPlan:
    """Say on how many splits GANs are tried; on none, with the reason as its note."""
    reason = why_no_gan(race, scoring) if race.gans else race.gan_reason
    if reason or not race.gans:
        return GanPlan(0, 0, note=reason)
    if clock.left == math.inf:
        return ALL_THE_TIME
    left = clock.left - 0.02 * clock.max_seconds
    plan = plan_gans(left, costs.seconds_per_gan_fold, gan_cost, len(race.numbers))
    notes += [plan.note] if plan.n_first and plan.note else []
    return plan


def try_gans(race: Race, plan: GanPlan, clock: Clock, notes: list[str]) -> Race:
    """Try what uses a GAN, on as many splits as it takes; give the race with its reason to end."""
    trials, gans = race.trials, race.gans
    if not plan.n_first:
        return replace(race, gans=(), gan_reason=plan.note)
    if plan.max_images is not None:
        trials.task = with_budget(trials.task, plan.max_images)
    took = 0.0
    for number in race.numbers[: plan.n_most]:
        if number:  # what failed once, as with features in place of images, is out
            gans = [remedy for remedy in gans if not trials.score(remedy, 0).failure]
        if number >= plan.n_first and _standing(race) != "open":
            break
        if number and clock.left < took:
            notes.append(f"`max_seconds` left time for GANs on {number} folds")
            break
        began = clock.seconds
        trials.run_gans(gans, number)
        took = clock.seconds - began
    return replace(race, gan_reason=_why_out(race))


def _standing(race: Race) -> str:
    scores = race.trials.table([*race.cheap, *race.gans], race.numbers)
    arms = range(len(race.cheap), len(scores))
    return standing(scores, arms, race.test_over_train)


def why_no_gan(race: Race, scoring: Any) -> str:
    """Say why training a GAN would be a waste; empty if it would not."""
    if not race.gans:
        return ""
    if not _is_to_be_filled(race.trials, race.gans):
        return "the classes are about equally frequent, so that there is nothing to fill up"
    if len(race.splits) < 2:
        return "there was time for one split only, of which nothing can be learnt"
    scores = race.trials.table(race.cheap, race.numbers)
    default = default_arms(race.cheap, race.trials.problem.estimator)
    if not is_bounded(scoring) or can_still_win(scores, race.test_over_train, default=default):
        return ""
    means = mean_scores(scores)
    return (
        f"'{race.cheap[int(np.argmax(means))].name}' reaches {means.max():.4f}, of which half as "
        "many errors would be no gain that matters or shows"
    )


def _is_to_be_filled(trials: Trials, gans: Sequence[Remedy]) -> bool:
    """Tell whether GANs have anything to add."""
    fill_only = all(remedy.fills(trials.task) for remedy in gans)
    return not fill_only or _has_rare_classes(trials.problem)


def _has_rare_classes(problem: Problem) -> bool:
    """Tell whether filling up to the largest class adds samples; equal folds need not be equal."""
    missing = problem.counts.max() - problem.counts
    return bool(missing.sum() > WORTH_FILLING * len(problem.y))


def _why_out(race: Race) -> str:
    """Say why the GANs are out of the race; empty if they are in it."""
    table = race.trials.table(race.gans, race.numbers)
    n_folds = int((~np.isnan(table)).any(axis=0).sum())
    if n_folds < 2:
        return "no remedy with a GAN has scores on two folds or more"
    if _standing(race) == "behind":
        return f"on {n_folds} folds the best remedy with a GAN is behind the best without one"
    return ""
