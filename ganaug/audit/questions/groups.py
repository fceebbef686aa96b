"""Whether a generator serves all groups (sites, devices, ages) of its training samples.

Synthetic samples carry no group. Two questions are asked:

1. Reach, which needs no guess: what share of a group's real samples has a synthetic one in its
   neighbourhood (coverage), beside the share that other real samples reach?
2. Shares, which need one: a classifier of groups, trained on half of the real samples,
   says which group each synthetic sample looks like. The other half goes through the same
   classifier, at the same class shares, so its mistakes weigh on both sides alike. Where it cannot
   tell the groups apart, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganaug.audit.comparison import compare_repeats
from ganaug.audit.content import Block, Cell, Paragraph, Table, badge, figure, name_classes, percent
from ganaug.audit.context import Context, predicted
from ganaug.audit.metrics import neighbourhoods
from ganaug.audit.results import Comparison, Estimate, Finding, Level, Measure, Missing
from ganaug.audit.samples import MIN_SAMPLES, Array, Labelled, halves
from ganaug.audit.scores import recall_scores
from ganaug.classifier import fit_classifier

NAME = "groups"
TITLE = "Groups: are all served?"
PLACE = 80

MAX_GROUPS = 20
N_REPEATS = 10
UNDER_SERVED = 0.8
"""A group is under-served below this share of what it should have."""
RECOGNISABLE = 0.1
"""Groups count as recognisable when their mean recall surpasses chance by this much."""

_NOT_APART = Missing("the groups cannot be told apart by their samples", "not measurable")


@dataclass(frozen=True)
class GroupShare:
    """How often a group is read in synthetic samples, and in real ones of the same classes."""

    synthetic: float
    expected: float
    gap_low: float
    gap_high: float


@dataclass(frozen=True)
class OneGroup:
    """How well synthetic samples serve one group."""

    n_samples: int
    reach: Comparison | Missing
    shares: GroupShare | Missing
    under_served: bool


@dataclass(frozen=True)
class GroupFigures:
    """How well each group is served, and how well groups are told apart."""

    n_groups: int
    n_left_out: int
    recognised: Estimate
    """Mean recall of the classifier of groups on real samples that it has not seen."""
    chance: float
    are_told_apart: bool
    per_group: Mapping[str, OneGroup]


def measure(context: Context) -> Measure | Missing | None:
    """Measure reach and share of each group; None where no groups were passed in."""
    if context.groups is None:
        return None
    names = context.groups.astype(str)
    found, sizes = np.unique(names, return_counts=True)
    n_large = min(MAX_GROUPS, int(np.sum(sizes >= MIN_SAMPLES)))
    if n_large < 2:
        counted = f"{n_large} of {len(found)} groups have at least {MIN_SAMPLES} samples"
        return Missing(f"{counted}; two needed")
    large = np.sort(found[np.argsort(-sizes, kind="stable")][:n_large])
    rng = context.stream("groups")
    members = _read_groups(context, names, large, rng)
    reach, overall = _measure_reach(members, rng)
    per_group = {}
    for group, name in enumerate(large.tolist()):
        shares = _compare_shares(members, group)
        per_group[name] = OneGroup(
            int(np.sum(members.groups == group)),
            reach[group],
            shares,
            _is_under_reached(reach[group], overall) or _is_under_represented(shares),
        )
    n_left_out, chance = len(found) - n_large, 1 / n_large
    figures = GroupFigures(
        len(found), n_left_out, members.recognised, chance, members.are_told_apart, per_group
    )
    return Measure(figures, (_finding(figures),), _blocks(figures))


@dataclass(frozen=True)
class _Members:
    """Real samples whose groups are compared, and synthetic ones, as a classifier reads them."""

    n_groups: int
    groups: NDArray[np.int64]
    """Group of each real sample."""
    real: Labelled
    synthetic: Labelled
    """Features of either."""
    read_in_real: Labelled
    read_in_synthetic: Labelled
    """Groups that the classifier reads in unseen real samples, and in synthetic ones."""
    recognised: Estimate
    are_told_apart: bool


def _read_groups(
    context: Context, names: Array, large: Array, rng: np.random.Generator
) -> _Members:
    kept, n = np.flatnonzero(np.isin(names, large)), len(large)
    groups = np.searchsorted(large, names[kept])
    real, synthetic = context.samples.training.take(kept), context.samples.synthetic
    train, test = halves(groups, rng)
    classifier = fit_classifier(
        real.values[train], groups[train], n, seed=context.seed + 2, device=context.device
    )
    in_real = predicted(classifier, real.values[test])
    recognised = recall_scores(in_real, groups[test], n).mean()
    assert isinstance(recognised, Estimate)
    return _Members(
        n,
        groups,
        # The training samples' features stand in front of those of the held-out ones.
        context.real_features.take(kept),
        context.synthetic_features,
        Labelled(in_real, real.labels[test]),
        Labelled(predicted(classifier, synthetic.values), synthetic.labels),
        recognised,
        recognised.low > 1 / n + RECOGNISABLE,
    )


def _compare_shares(members: _Members, group: int) -> GroupShare | Missing:
    """Compare how often a group is read in synthetic and in real samples of the same classes."""
    if not members.are_told_apart:
        return _NOT_APART
    labels = members.read_in_synthetic.labels
    shared = np.intersect1d(members.read_in_real.labels, labels)
    weights = np.array([np.mean(labels == code) for code in shared])
    weights /= weights.sum()
    shares, variance = [], 0.0
    for read in (members.read_in_synthetic, members.read_in_real):
        hits = np.array([np.sum(read.of(code) == group) for code in shared])
        n = np.array([np.sum(read.labels == code) for code in shared])
        smoothed = (hits + 0.5) / (n + 1)  # so that 0 of 3 is not taken as certain
        variance += float((weights**2 * smoothed * (1 - smoothed) / n).sum())
        shares.append(float(weights @ (hits / n)))
    error = 1.96 * float(np.sqrt(variance))
    gap = shares[0] - shares[1]
    return GroupShare(shares[0], shares[1], gap - error, gap + error)


def _measure_reach(
    members: _Members, rng: np.random.Generator
) -> tuple[list[Comparison | Missing], Comparison | None]:
    """Coverage of each group's real samples, by synthetic and by other real ones of their class."""
    repeats = [_reach_once(members, rng) for _ in range(N_REPEATS)]
    covered, covered_by_real, n = np.array(repeats).transpose(1, 2, 0)  # (group, repeat)
    few = Missing(f"fewer than {MIN_SAMPLES} samples in classes that can be measured")
    reach = [
        few if n[group].min() < MIN_SAMPLES / 2
        else _compare_rates(covered[group], covered_by_real[group], n[group])
        for group in range(members.n_groups)
    ]  # fmt: skip
    totals = [counts.sum(axis=0) for counts in (covered, covered_by_real, n)]
    return reach, _compare_rates(*totals) if totals[2].all() else None


def _compare_rates(hits: Array, hits_of_real: Array, n: Array) -> Comparison:
    return compare_repeats(hits / n, hits_of_real / n, int(n.mean()))


def _reach_once(members: _Members, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Per group: samples reached by synthetic ones, reached by real ones, looked at."""
    real, synthetic = members.real, members.synthetic
    totals = [np.zeros(members.n_groups, dtype=np.int64) for _ in range(3)]
    for code in np.unique(real.labels):
        fakes = rng.permutation(synthetic.of(code))
        own = rng.permutation(np.flatnonzero(real.labels == code))
        if min(len(own), len(fakes)) < MIN_SAMPLES:
            continue
        n = min(len(own) // 2, len(fakes), 500)
        half, others = own[:n], own[n : 2 * n]
        reached = neighbourhoods(real.values[half], fakes[:n])[1]
        reached_by_real = neighbourhoods(real.values[half], real.values[others])[1]
        for total, found in zip(totals, (half[reached], half[reached_by_real], half), strict=True):
            total += np.bincount(members.groups[found], minlength=members.n_groups)
    return totals


def _is_under_reached(reach: Comparison | Missing, overall: Comparison | None) -> bool:
    """Say whether a group is reached clearly less, relative to its floor, than all together."""
    if isinstance(reach, Missing) or overall is None or not overall.value or not reach.floor:
        return False
    usual = overall.value / overall.floor
    return reach.value / reach.floor < UNDER_SERVED * usual and reach.high / reach.floor < usual


def _is_under_represented(shares: GroupShare | Missing) -> bool:
    if isinstance(shares, Missing):
        return False
    return shares.synthetic < UNDER_SERVED * shares.expected and shares.gap_high < 0


def _finding(figures: GroupFigures) -> Finding:
    names = [name for name, group in figures.per_group.items() if group.under_served]
    if not names:
        return Finding(Level.FINE, "Bias: no group was found to be under-served.")
    named = name_classes(names, "group")
    advice = (
        f"Do not use synthetic samples to make up for few samples of {named}: it serves them worst."
    )
    return Finding(Level.DOUBTFUL, f"Bias: the generator under-serves {named}.", advice)


_HEADER = ("Group", "Training samples", "Reach", "Share of synthetic", "Served")


def _blocks(figures: GroupFigures) -> tuple[Block, ...]:
    recognised, lines = figures.recognised, []
    for name, group in figures.per_group.items():
        share = Cell("–")
        if isinstance(group.shares, GroupShare):
            expected = f"expected {percent(group.shares.expected)}"
            share = Cell(percent(group.shares.synthetic), floor=expected)
        served = badge(Level.DOUBTFUL, "under-served") if group.under_served else badge(Level.FINE)
        cells = (figure(group.reach), share, served)
        lines.append([name, group.n_samples, *cells])
    told = "and the expected shares went through the same classifier"
    untold = "too few to say anything of shares"
    left_out = f" {figures.n_left_out} of {figures.n_groups} groups are too small, or too many, and"
    return (
        Paragraph(
            "Reach is the share of a group's real samples with a synthetic one in their "
            "neighbourhood, beside the share that other real samples reach. Synthetic samples "
            "carry no group: for shares, a classifier of groups reads it. It "
            f"recognises {percent(recognised.value)} of unseen real samples "
            f"({percent(recognised.low)} to {percent(recognised.high)}; by chance "
            f"{percent(figures.chance)}), {told if figures.are_told_apart else untold}."
            + (f"{left_out} left out." if figures.n_left_out else "")
        ),
        Table.of(
            "How well synthetic samples serve each group of the training samples.", _HEADER, lines
        ),
    )
