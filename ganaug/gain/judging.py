"""From scores to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.gain.choice import (
    MATTERS,
    Choice,
    Mask,
    Picks,
    Rule,
    Scores,
    choose,
    cross_fit,
    difference,
    voters,
)
from ganaug.gain.intervals import PairedInterval, corrected_interval, needed_to_tell
from ganaug.gain.remedies import DEFAULTS, Remedy
from ganaug.gain.trials import Trials
from ganaug.gain.verdict import ClassGain, GanFinding, Verdict

__all__ = ["RULE", "Race", "default_arm", "judge"]

RULE: Rule = "simplest"
RARE = 20  # classes of fewer samples are also judged together


@dataclass(frozen=True)
class Race:
    """What was tried.

    Parameters
    ----------
    trials : Trials
    cheap, gans : sequence of Remedy
        From the simplest on; with GANs those that were tried.
    numbers : list of int
        Splits on which all the cheap ones have scores.
    gan_reason : str
        Why the GANs are out of the race, or were not tried; empty if they are in it.
    """

    trials: Trials
    cheap: Sequence[Remedy]
    gans: Sequence[Remedy]
    numbers: list[int]
    gan_reason: str

    @property
    def contenders(self) -> list[Remedy]:
        """What may be chosen."""
        return [*self.cheap, *([] if self.gan_reason else self.gans)]

    @property
    def test_over_train(self) -> float:
        """Samples of a test part over samples of a training part, in the mean."""
        splits = [self.trials.splits[number] for number in self.numbers]
        return float(np.mean([len(split.test) / len(split.train) for split in splits]))


@dataclass(frozen=True)
class _Decision:
    """The choice by all splits, and the arms that other splits choose for each."""

    choice: Choice
    scores: Scores
    picks: Picks
    rivals: Picks
    may_vote: Mask
    is_honest: bool


def default_arm(remedies: Sequence[Remedy]) -> int | None:
    """Position of the remedy that is taken where nothing can be decided."""
    names = [remedy.name for remedy in remedies]
    return next((names.index(name) for name in DEFAULTS if name in names), None)


def judge(race: Race, scoring: Any, notes: Sequence[str], seconds: float) -> Verdict:
    """Choose a remedy, and say what that is worth."""
    trials, problem = race.trials, race.trials.problem
    made = _decide(race)
    chosen = race.contenders[made.choice.arm]
    ratio, nothing = race.test_over_train, np.zeros_like(made.picks)
    gain = difference(made.scores, made.picks, nothing, ratio)
    gain_of_gan = _gain_of_gan(race, made)
    gan = _gan_finding(race, chosen, gain_of_gan)
    open_gain = gain_of_gan if gan == "not shown" else gain
    is_open = gan == "not shown" or not made.choice.is_decided
    needed = needed_to_tell(open_gain, ratio, MATTERS, len(problem.y)) if is_open else {}
    reported = made.picks[made.picks >= 0]
    all_remedies = [*race.cheap, *race.gans]
    table = trials.table(all_remedies, race.numbers)
    per_class, note_on_rare = _per_class(race, made)
    all_notes = [*notes, *trials.failures, *note_on_rare]
    if not made.is_honest:
        all_notes.append("test parts of `cv` overlap: the gains are flattered by the choice")
    done = trials.done(chosen)
    return Verdict(
        choice=chosen.name,
        is_decided=made.choice.is_decided,
        gain=gain,
        gain_over_best_without_gan=difference(made.scores, made.picks, made.rivals, ratio),
        gain_of_gan=gain_of_gan,
        gan=gan,
        gan_reason=_line(race.gan_reason),
        agreement=float(np.mean(reported == made.choice.arm)) if len(reported) else 0.0,
        scores={r.name: row.tolist() for r, row in zip(all_remedies, table, strict=True)},
        per_class=per_class,
        needed=needed,
        scoring=scoring if isinstance(scoring, str) else "score",
        n_samples=len(problem.y),
        n_splits=len(race.numbers),
        notes=[_line(note) for note in all_notes],
        seconds=seconds,
        task=trials.task,
        needs_augmenter=trials.task.augmenter is not None,
        remedy=chosen,
        estimator=problem.estimator,
        splits=[(trials.splits[n].train, trials.splits[n].test) for n in done],
    )


def _decide(race: Race) -> _Decision:
    trials, contenders, ratio = race.trials, race.contenders, race.test_over_train
    scores = trials.table(contenders, race.numbers)
    tests = [trials.splits[number].test for number in race.numbers]
    may_vote, is_honest = voters(tests, len(trials.problem.y))
    default, n_cheap = default_arm(contenders), len(race.cheap)
    choice = choose(scores, ratio, rule=RULE, default=default)
    picks = cross_fit(scores, may_vote, ratio, rule=RULE, default=default)
    rivals = cross_fit(
        scores[:n_cheap], may_vote, ratio, rule=RULE, default=default_arm(race.cheap)
    )
    if len(contenders) > n_cheap:  # elsewhere a GAN could not have been chosen
        picks[np.isnan(scores[n_cheap:]).all(axis=0)] = -1
    return _Decision(choice, scores, picks, rivals, may_vote, is_honest)


def _gain_of_gan(race: Race, made: _Decision) -> PairedInterval | None:
    """Compare the best remedy with a GAN with the best without: each chosen by other splits."""
    tried = [remedy for remedy in race.gans if race.trials.done(remedy)]
    if not tried:
        return None
    table = race.trials.table([*race.cheap, *tried], race.numbers)
    n_cheap, ratio = len(race.cheap), race.test_over_train
    columns = np.flatnonzero(~np.isnan(table[n_cheap:]).any(axis=0))
    if not len(columns):
        return None
    with_gan, here = table[n_cheap:, columns], np.ix_(columns, columns)
    picks = np.full(table.shape[1], -1)
    best = cross_fit(with_gan, made.may_vote[here], ratio, rule="best")
    picks[columns] = np.where(best >= 0, best + n_cheap, -1)
    return difference(table, picks, made.rivals, ratio)


def _gan_finding(race: Race, chosen: Remedy, gain: PairedInterval | None) -> GanFinding:
    if chosen.uses_gan:
        return "chosen"
    if gain is None:
        return "not tried"
    is_no_better = bool(race.gan_reason) or gain.mean <= 0 or gain.high < MATTERS
    return "not worth it" if is_no_better else "not shown"


def _per_class(race: Race, made: _Decision) -> tuple[dict[str, ClassGain], list[str]]:
    """Gains in recall of the choice over nothing, by class; and of the rare ones together."""
    problem, columns = race.trials.problem, np.flatnonzero(made.picks >= 0)
    contenders = race.contenders
    pairs = [(race.numbers[c], contenders[made.picks[c]]) for c in columns]
    hits = np.array([race.trials.score(remedy, n).hits for n, remedy in pairs])
    before = np.array([race.trials.score(race.cheap[0], n).hits for n, _ in pairs])
    tests = [problem.y[race.trials.splits[n].test] for n, _ in pairs]
    sizes = np.array([[np.count_nonzero(y == c) for c in problem.classes] for y in tests])
    shape = (len(pairs), len(problem.classes))
    hits, before, sizes = (part.reshape(shape) for part in (hits, before, sizes))

    def gain_of(chosen: npt.NDArray[np.bool_]) -> PairedInterval:
        n = sizes[:, chosen].sum(axis=1)
        there = n > 0
        rises = [part[there][:, chosen].sum(axis=1) / n[there] for part in (hits, before)]
        return corrected_interval(*rises, test_over_train=race.test_over_train)

    gains, names = {}, [_line(str(label)) for label in problem.classes.tolist()]
    for position, name in enumerate(names):
        only = np.arange(len(names)) == position
        gains[name] = ClassGain(int(problem.counts[position]), gain_of(only))
    rare = problem.counts < RARE
    if rare.sum() < 2:
        return gains, []
    found = gain_of(rare)
    note = (
        f"the {rare.sum()} classes of under {RARE} samples together: recall {found.mean:+.4f} "
        f"({found.low:+.4f} to {found.high:+.4f}) over nothing"
    )
    return gains, [note]


def _line(text: str) -> str:
    """Make one printable line of a text, as a file may hold it."""
    line = " ".join(text.split())[:1000]
    return "".join(letter if letter.isprintable() else "?" for letter in line)
