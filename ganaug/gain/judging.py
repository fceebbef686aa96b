"""From scores to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.gain.choice import MATTERS, Scores, choose, cross_fit, difference, voters
from ganaug.gain.intervals import PairedInterval, corrected_interval, needed_to_tell
from ganaug.gain.network import SmallNetworkClassifier
from ganaug.gain.problem import Split
from ganaug.gain.remedies import DEFAULTS, FEATURES, Remedy
from ganaug.gain.trials import Trials
from ganaug.gain.verdict import (
    ClassGain,
    GanFinding,
    Verdict,
    augmenter_is_own,
    describe_classifier,
)

AT_MOST_ONE = ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "jaccard", "roc_auc")
RARE = 20  # classes of fewer samples are also judged together


@dataclass(frozen=True)
class Race:
    """What was tried; remedies from the simplest on."""

    trials: Trials
    cheap: Sequence[Remedy]
    gans: Sequence[Remedy]  # those that were tried
    numbers: list[int]  # of the splits on which all the cheap ones have scores
    gan_reason: str  # why the GANs are out of the race, or were not tried; empty if they are in it

    @property
    def splits(self) -> list[Split]:
        """The splits of `numbers`."""
        return [self.trials.splits[number] for number in self.numbers]

    @property
    def test_over_train(self) -> float:
        """Samples of a test part over samples of a training part, in the mean."""
        return float(np.mean([len(split.test) / len(split.train) for split in self.splits]))


def default_arms(remedies: Sequence[Remedy], estimator: Any) -> list[int]:
    """Positions of the remedies of which the better is taken where nothing can be decided.

    Features are one of them: where they were measured they were seldom behind "enlarged" and often
    far ahead (docs/results.md). Not "mixed" for a network that augments its images: interpolated
    ones harm it.
    """
    names = [remedy.name for remedy in remedies]
    if isinstance(estimator, SmallNetworkClassifier):
        names = ["" if name == "mixed" else name for name in names]
    usual = [names.index(name) for name in DEFAULTS if name in names][:1]
    return usual + [names.index(FEATURES) for _ in usual if FEATURES in names]


def judge(race: Race, scoring: Any, notes: Sequence[str], seconds: float) -> Verdict:
    """Choose a remedy, and say what that is worth."""
    trials, problem, ratio = race.trials, race.trials.problem, race.test_over_train
    remedies = [*race.cheap, *race.gans]
    scores = trials.table(remedies, race.numbers)
    unit = unit_of(scoring, scores[0])
    may_vote, is_honest = voters([s.test for s in race.splits], len(problem.y))
    cheap, gans = range(len(race.cheap)), range(len(race.cheap), len(remedies))
    among = cheap if race.gan_reason else range(len(remedies))
    rule: dict[str, Any] = {
        "default": default_arms(remedies, problem.estimator),
        "costly": [arm for arm in gans if remedies[arm].name != FEATURES],
        "unit": unit,
    }
    choice = choose(scores, ratio, among=among, **rule)
    picks, rivals, of_gans = (
        cross_fit(scores, may_vote, ratio, among=arms, **rule) for arms in (among, cheap, gans)
    )
    if len(among) > len(cheap):  # elsewhere a GAN could not have been chosen
        picks[np.isnan(scores[gans]).all(axis=0)] = -1
    gain = difference(scores, picks, np.zeros_like(picks), ratio)
    of_gan = difference(scores, of_gans, rivals, ratio)
    chosen = remedies[choice.arm]
    finding = _gan_finding(race, chosen, of_gan, MATTERS * unit)
    is_open = finding == "not shown" or not choice.is_decided
    open_gain = of_gan if finding == "not shown" else gain
    per_class, of_rare = _per_class(race, [remedies[arm] if arm >= 0 else None for arm in picks])
    notes = [*notes, *trials.failures.values(), *of_rare]
    if not is_honest:
        notes.append("test parts of `cv` overlap: the gains are flattered by the choice")
    done = [trials.splits[number] for number in trials.done(chosen)]
    return Verdict(
        choice=chosen.name,
        is_decided=choice.is_decided,
        gain=gain,
        gain_over_best_without_gan=difference(scores, picks, rivals, ratio),
        gain_of_gan=of_gan if of_gan.n else None,
        gan=finding,
        gan_reason=race.gan_reason,
        agreement=float((picks[picks >= 0] == choice.arm).mean()) if (picks >= 0).any() else 0.0,
        scores={r.name: row.tolist() for r, row in zip(remedies, scores, strict=True)},
        per_class=per_class,
        needed=needed_to_tell(open_gain, ratio, MATTERS * unit, len(problem.y)) if is_open else {},
        scoring=scoring if isinstance(scoring, str) else "score",
        classifier=describe_classifier(problem.estimator),
        n_samples=len(problem.y),
        n_splits=len(race.numbers),
        notes=notes,
        seconds=seconds,
        task=trials.task,
        needs_augmenter=augmenter_is_own(trials.task.augmenter),
        remedy=chosen,
        estimator=problem.estimator,
        splits=[(split.train, split.test) for split in done],
    )


def is_bounded(scoring: Any) -> bool:
    """Tell whether scores end at 1, as far as their name says."""
    return scoring is None or str(scoring).startswith(AT_MOST_ONE)


def unit_of(scoring: Any, scores: Scores) -> float:
    """Give what differences are measured by: 1, or the mean score of doing nothing, `scores`.

    By that a profit, a percentage or a loss is judged alike in any unit.
    """
    return 1.0 if is_bounded(scoring) else float(np.abs(scores).mean()) or 1.0


def _gan_finding(race: Race, chosen: Remedy, gain: PairedInterval, matters: float) -> GanFinding:
    if chosen.uses_gan:
        return "chosen"
    if not gain.n:
        return "not tried"
    is_no_better = bool(race.gan_reason) or gain.mean <= 0 or gain.high < matters
    return "not worth it" if is_no_better else "not shown"


def _per_class(
    race: Race, picked: Sequence[Remedy | None]
) -> tuple[dict[str, ClassGain], list[str]]:
    """Gains in recall of the choice over nothing, by class; and of the rare ones together."""
    trials, problem = race.trials, race.trials.problem
    hits, before, sizes = np.zeros((3, len(picked), len(problem.classes)))
    for row, (number, remedy) in enumerate(zip(race.numbers, picked, strict=True)):
        if remedy is not None:
            hits[row] = trials.score(remedy, number).hits
            before[row] = trials.score(race.cheap[0], number).hits
            tested = problem.y[trials.splits[number].test]
            sizes[row] = [np.count_nonzero(tested == label) for label in problem.classes]

    def gain_of(classes: npt.NDArray[np.bool_]) -> PairedInterval:
        n = sizes[:, classes].sum(axis=1)
        rises = [part[n > 0][:, classes].sum(axis=1) / n[n > 0] for part in (hits, before)]
        return corrected_interval(*rises, test_over_train=race.test_over_train)

    gains = {}
    alone = np.eye(len(problem.classes), dtype=bool)
    for name, n, only in zip(problem.class_names, problem.counts.tolist(), alone, strict=True):
        found = gain_of(only)
        gains[name] = ClassGain(n, found.mean, found.low, found.high)
    rare = problem.counts < RARE
    if rare.sum() < 2:
        return gains, []
    together = f"the {rare.sum()} classes of under {RARE} samples together"
    return gains, [f"{together}: recall {gain_of(rare)} over nothing"]
