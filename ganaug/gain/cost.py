"""What an evaluation costs: told before it starts, from a short pilot, and kept to."""

from __future__ import annotations

import contextlib
import math
import numbers
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib

from ganaug.exceptions import InvalidInputError, SamplingError, TrainingError
from ganaug.gain.remedies import Remedy, make_pipeline, with_budget
from ganaug.gain.trials import Trials, freeze, training_key, without_our_warnings
from ganaug.parameters import auto_max_images
from ganaug.progress import readable_seconds
from ganaug.resampling import enlargement

FIRST_GAN_FOLDS = 3
MOST_GAN_FOLDS = 5
LEAST_GAN_FOLDS = 2  # of one, nothing can be learnt
LEAST_BUDGET = 0.25  # of the default: GANs of less training do harm
PILOT_IMAGES = 256
UNMEASURED = 1.25  # the pilot may be wrong by as much
GROWTH = 2.0  # power of the samples with which a classifier's seconds grow, at most, about
WORKER_START_SECONDS = 4.0  # of processes that import torch


class Clock:
    """The time box."""

    def __init__(self, max_seconds: Any) -> None:
        is_number = isinstance(max_seconds, numbers.Real) and not isinstance(max_seconds, bool)
        if max_seconds is not None and not (is_number and 0 < max_seconds < math.inf):
            raise InvalidInputError(
                f"`max_seconds` must be a finite number above 0, or None for no limit. Got "
                f"{max_seconds!r} instead."
            )
        self.max_seconds = math.inf if max_seconds is None else float(max_seconds)
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    @property
    def left(self) -> float:
        """Seconds left; infinite without a time box."""
        return self.max_seconds - self.seconds


@dataclass(frozen=True)
class CostEstimate:
    """What an evaluation will take on this machine as it is now."""

    seconds: float
    """In all, where the GANs are trained on four folds; three to five are."""
    seconds_without_gans: float
    """Where it turns out that no GAN can win."""
    seconds_per_gan_fold: float
    """To train the GANs of one fold, and try what uses them."""
    n_fits: int
    """Classifiers trained without GANs."""
    seconds_per_fit: float
    """Of one of them, at most."""

    def __str__(self) -> str:
        """Tell it in a sentence."""
        cheap = readable_seconds(self.seconds_without_gans)
        text = f"about {readable_seconds(self.seconds)}: {cheap} for {self.n_fits} classifiers"
        if self.seconds_per_gan_fold:
            per_fold = readable_seconds(self.seconds_per_gan_fold)
            text += f", and GANs on {FIRST_GAN_FOLDS} to {MOST_GAN_FOLDS} folds, {per_fold} each"
        return text


@dataclass(frozen=True)
class GanCost:
    """Seconds of one fold's GANs: what any training costs, and what the whole budget adds."""

    fixed: float = 0.0
    training: float = 0.0
    budget: int | None = None  # images, where it is known

    @property
    def seconds(self) -> float:
        """Of a fold."""
        return self.fixed + self.training


def measure_gan(trials: Trials, remedies: Sequence[Remedy], left: float) -> GanCost:
    """Time a few steps of the first split's GANs, and what a tiny training and its use take.

    The tiny one is spared where there is no time `left` for the smallest that are worth it.
    """
    X, y = trials.problem.part(trials.splits[0].train)
    fixed, training, budget = 0.0, 0.0, None
    known = set()
    for remedy in remedies:
        before, sampler = remedy.make_augmenter(trials.task), remedy.make_sampler(trials.task)
        if before is None and not hasattr(sampler, "make_augmenter"):
            continue
        augmenter = sampler.make_augmenter() if before is None else before
        if (key := training_key(augmenter)) in known:
            continue
        known.add(key)
        budget = budget or _budget(augmenter, len(y))
        with without_our_warnings():
            training += augmenter.estimate_fit_seconds(X, y)
        if LEAST_GAN_FOLDS * LEAST_BUDGET * training < left:
            if before is None:
                fixed += _seconds_of_tiny_fit(sampler, X, y)
            else:
                fixed += _seconds_of_tiny_pipeline(trials, remedy, X, y)
    return GanCost(fixed, training, budget)


def _seconds_of_tiny_pipeline(trials: Trials, remedy: Remedy, X: Any, y: Any) -> float:
    """Time all of a fold's work but the training: what a GAN sees is more than the pixels."""
    task = with_budget(trials.task, PILOT_IMAGES)
    pipeline = make_pipeline(remedy, task, trials.problem.estimator)
    started = time.perf_counter()
    # what an estimator makes of features, its trial will tell
    with without_our_warnings(), contextlib.suppress(Exception):
        pipeline.fit(X, y)
    return time.perf_counter() - started


def _seconds_of_tiny_fit(sampler: Any, X: Any, y: Any) -> float:
    started = time.perf_counter()
    augmenter = sampler.make_augmenter().set_params(max_images=PILOT_IMAGES, verbose=0)
    with without_our_warnings(), contextlib.suppress(SamplingError, TrainingError):
        freeze(sampler, augmenter.fit(X, y)).fit_resample(X, y)
    return time.perf_counter() - started


def _budget(augmenter: Any, n_samples: int) -> int | None:
    budget: int | str | None = augmenter.max_images
    return auto_max_images(n_samples) if isinstance(budget, str) else budget


def pilots(cheap: Sequence[Remedy]) -> list[Remedy]:
    """Name the remedies whose first trials say what others take: none of them enlarges classes.

    The last one has its warp found already where the one before it asked for it, so that it shows
    what a classifier takes.
    """
    usual = [remedy for remedy in cheap if not remedy.enlarges]
    return list(dict.fromkeys([usual[0], usual[-1], usual[-2 if len(usual) > 2 else -1]]))


def seconds_enlarged(trials: Trials, cheap: Sequence[Remedy]) -> float:
    """Say what enlarging all classes takes on a split, from its trial, or else from the pilots."""
    known = [seconds for r in cheap if r.enlarges and (seconds := trials.seconds(r)) is not None]
    if known:
        return max(known)
    last = trials.score(pilots(cheap)[-1], 0).seconds
    return last * math.pow(enlargement(trials.problem.y), GROWTH)


def seconds_per_split(trials: Trials, cheap: Sequence[Remedy]) -> float:
    """Estimate what all of `cheap` take on a split, one after the other."""
    seconds = [trials.score(remedy, 0).seconds for remedy in pilots(cheap)]
    n_light = sum(remedy.name in ("nothing", "class weights") for remedy in cheap)
    n_enlarging = sum(remedy.enlarges for remedy in cheap)
    n_heavy = len(cheap) - n_light - n_enlarging
    enlarged = n_enlarging * seconds_enlarged(trials, cheap) if n_enlarging else 0.0
    return n_light * seconds[0] + n_heavy * max(seconds) + enlarged


def estimate(
    trials: Trials, cheap: Sequence[Remedy], gan: GanCost, gans: Sequence[Remedy]
) -> CostEstimate:
    """Estimate the whole from what was tried on the first split."""
    n_workers = joblib.effective_n_jobs(trials.task.n_jobs)
    per_fit = max(trials.score(remedy, 0).seconds for remedy in pilots(cheap))
    if any(remedy.enlarges and not remedy.fills(trials.task) for remedy in [*cheap, *gans]):
        per_fit = max(per_fit, seconds_enlarged(trials, cheap))
    starting = WORKER_START_SECONDS if n_workers > 1 else 0.0
    without = len(trials.splits) * seconds_per_split(trials, cheap) / n_workers + starting
    per_fold = gan.seconds + len(gans) * per_fit / n_workers if gans else 0.0
    n_folds = min((FIRST_GAN_FOLDS + MOST_GAN_FOLDS) // 2, len(trials.splits))
    return CostEstimate(
        seconds=gan.fixed + without + n_folds * per_fold,
        seconds_without_gans=gan.fixed + without,
        seconds_per_gan_fold=per_fold,
        n_fits=len(cheap) * len(trials.splits),
        seconds_per_fit=per_fit,
    )


@dataclass(frozen=True)
class GanPlan:
    """How many folds get GANs, and of which training budget; `note` says what time cut short."""

    n_first: int
    n_most: int
    max_images: int | None = None
    note: str = ""


def plan_gans(left: float, per_fold: float, cost: GanCost, n_splits: int) -> GanPlan:
    """Fit GANs into the seconds that are left: fewer folds, then smaller GANs, then none."""
    most = min(MOST_GAN_FOLDS, n_splits)
    per_fold, left = max(per_fold, 1e-9) * UNMEASURED, max(left, 0.0)
    fitting = most if left == math.inf else min(most, int(left / per_fold))
    if fitting >= min(FIRST_GAN_FOLDS, n_splits):
        return GanPlan(min(FIRST_GAN_FOLDS, n_splits), fitting)
    needed = readable_seconds(per_fold * FIRST_GAN_FOLDS)
    if fitting >= LEAST_GAN_FOLDS:
        note = f"`max_seconds` left time for GANs on {fitting} folds; {needed} are needed for three"
        return GanPlan(fitting, fitting, note=note)
    spared = per_fold - left / LEAST_GAN_FOLDS
    share = 1 - spared / (cost.training * UNMEASURED) if cost.training else 0.0
    if cost.budget and share >= LEAST_BUDGET:
        note = (
            f"`max_seconds` left time for {share:.0%} of the GANs' usual training, on "
            f"{LEAST_GAN_FOLDS} folds; {needed} are needed for all of it on three"
        )
        budget = int(cost.budget * share)
        return GanPlan(LEAST_GAN_FOLDS, LEAST_GAN_FOLDS, budget, note)
    return GanPlan(0, 0, note=f"`max_seconds` left no time for a GAN; {needed} are needed")


def time_for_gans(left: float, costs: CostEstimate, cost: GanCost, n_splits: int) -> float:
    """Give the seconds to keep for GANs while other remedies are tried: 0 where none would fit."""
    per_fold, two_splits = costs.seconds_per_gan_fold, 2 * costs.seconds_without_gans / n_splits
    if not per_fold or not plan_gans(left - two_splits, per_fold, cost, n_splits).n_first:
        return 0.0
    least = LEAST_GAN_FOLDS * (per_fold - (1 - LEAST_BUDGET) * cost.training)
    return max(UNMEASURED * least, min(UNMEASURED * FIRST_GAN_FOLDS * per_fold, left / 2))
