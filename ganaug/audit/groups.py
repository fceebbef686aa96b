"""Whether a generator serves all groups (sites, devices, ages) of its training rows.

Synthetic rows carry no group. Two questions are asked:

1. Reach, which needs no guess: what share of a group's real rows has a synthetic row in its
   neighbourhood (coverage), beside the share that other real rows reach?
2. Shares and fidelity, which need one: a classifier of groups, trained on half of the real rows,
   says which group each synthetic row looks like. The other half of the real rows goes through
   the same classifier, at the same class shares, so its mistakes weigh on both sides alike. Where
   it cannot tell the groups apart, nothing is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganaug.audit.audit import MIN_ROWS, Labelled, Parts, halves
from ganaug.audit.metrics import (
    compare_repeats,
    compare_with_floor,
    fakes_inside,
    kernel_distance,
    recall_scores,
)
from ganaug.classifier import fit_classifier
from ganaug.exceptions import InvalidInputError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

MAX_GROUPS = 20
N_REPEATS = 10
UNDER_SERVED = 0.8
"""A group is under-served below this share of what it should have."""
RECOGNISABLE = 0.1
"""Groups count as recognisable when their mean recall surpasses chance by this much."""


def measure_groups(
    parts: Parts,
    groups: Any,
    real_features: Labelled,
    synthetic_features: Labelled,
    rng: np.random.Generator,
    *,
    seed: int,
    device: str | torch.device = "cpu",
) -> dict[str, Any]:
    """Measure per group how well synthetic rows serve it.

    Parameters
    ----------
    parts : Parts
        The audit's rows.
    groups : array-like of shape (n,)
        Group of each training row; values are compared by their text.
    real_features, synthetic_features : Labelled
        Features of the training rows and of the synthetic rows.
    rng : numpy.random.Generator
        Draws halves.
    seed, device
        Of the classifier of groups.

    Returns
    -------
    dict
        `per_group` (by name: rows, reach, shares, fidelity, `under_served`), `recognised` (how
        well groups are told apart), or a `reason` where nothing can be measured.
    """
    names = np.asarray(groups).astype(str)
    if names.shape != parts.training.labels.shape:
        raise InvalidInputError(
            "`groups` must hold one group per training row, "
            f"{len(parts.training.labels)}. Got shape {names.shape} instead."
        )
    found, sizes = np.unique(names, return_counts=True)
    large = found[np.argsort(-sizes, kind="stable")][: min(MAX_GROUPS, np.sum(sizes >= MIN_ROWS))]
    left_out = {"n_groups": len(found), "n_groups_left_out": len(found) - len(large)}
    if len(large) < 2:
        reason = f"{len(large)} of {len(found)} groups have at least {MIN_ROWS} rows; two needed"
        return {**left_out, "reason": reason}
    large = np.sort(large)
    kept = np.isin(names, large)
    codes = np.searchsorted(large, names[kept])
    features = real_features.take(kept)
    reading = _read_groups(parts, kept, codes, len(large), rng, seed, device)
    reach, overall_reach = _measure_reach(features, codes, synthetic_features, len(large), rng)
    per_group = {}
    for group, name in enumerate(large.tolist()):
        shares = _compare_shares(reading, group)
        fidelity = _compare_fidelity(features, codes, synthetic_features, reading, group, rng)
        per_group[name] = {
            "n_rows": int(np.sum(codes == group)),
            "reach": reach[group],
            "shares": shares,
            "kernel_distance": fidelity,
            "under_served": _is_under_reached(reach[group], overall_reach)
            or _is_under_represented(shares),
        }
    recognised = {**reading.accuracy, "chance": 1 / len(large), "sufficient": reading.is_reliable}
    return {**left_out, "recognised": recognised, "per_group": per_group}


@dataclass(frozen=True)
class _Reading:
    """Groups that the classifier reads in unseen real rows and in synthetic rows."""

    real: NDArray[np.int64]
    real_labels: NDArray[np.int64]
    synthetic: NDArray[np.int64]
    synthetic_labels: NDArray[np.int64]
    accuracy: dict[str, float]
    is_reliable: bool


def _read_groups(
    parts: Parts,
    kept: NDArray[np.bool_],
    groups: NDArray[np.int64],
    n_groups: int,
    rng: np.random.Generator,
    seed: int,
    device: str | torch.device,
) -> _Reading:
    real = parts.training.take(kept)
    train, test = halves(groups, rng)
    classifier = fit_classifier(
        real.values[train], groups[train], n_groups, seed=seed, device=device
    )
    read_in_real = classifier.predict_proba(real.values[test]).argmax(axis=1)
    scores = recall_scores(read_in_real, groups[test], n_groups)
    low, high = scores.acsa_interval
    return _Reading(
        real=read_in_real,
        real_labels=real.labels[test],
        synthetic=classifier.predict_proba(parts.synthetic.values).argmax(axis=1),
        synthetic_labels=parts.synthetic.labels,
        accuracy={"value": scores.acsa, "low": low, "high": high},
        is_reliable=low > 1 / n_groups + RECOGNISABLE,
    )


def _compare_shares(reading: _Reading, group: int) -> dict[str, Any]:
    """Compare how often a group is read in synthetic and in real rows of the same classes."""
    if not reading.is_reliable:
        return {"reason": "the groups cannot be told apart by their rows"}
    shared = np.intersect1d(reading.real_labels, reading.synthetic_labels)
    weights = np.array([np.mean(reading.synthetic_labels == code) for code in shared])
    weights /= weights.sum()
    shares, variance = [], 0.0
    for read, labels in (
        (reading.synthetic, reading.synthetic_labels),
        (reading.real, reading.real_labels),
    ):
        hits = np.array([np.sum(read[labels == code] == group) for code in shared])
        n = np.array([np.sum(labels == code) for code in shared])
        smoothed = (hits + 0.5) / (n + 1)  # so that 0 of 3 is not taken as certain
        variance += float((weights**2 * smoothed * (1 - smoothed) / n).sum())
        shares.append(float(weights @ (hits / n)))
    error = 1.96 * np.sqrt(variance)
    synthetic, expected = shares
    return {
        "synthetic": synthetic,
        "expected": expected,
        "gap_low": synthetic - expected - error,
        "gap_high": synthetic - expected + error,
    }


def _measure_reach(
    real: Labelled,
    groups: NDArray[np.int64],
    synthetic: Labelled,
    n_groups: int,
    rng: np.random.Generator,
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Coverage of each group's real rows, by synthetic and by other real rows of their class."""
    repeats = [_reach_once(real, groups, synthetic, n_groups, rng) for _ in range(N_REPEATS)]
    covered, covered_by_real, n_rows = np.array(repeats).transpose(1, 2, 0)  # (group, repeat)
    reach: list[dict[str, Any]] = []
    for group in range(n_groups):
        if n_rows[group].min() < MIN_ROWS / 2:
            reach.append({"reason": f"fewer than {MIN_ROWS} rows in classes that can be measured"})
            continue
        values, floors = covered[group] / n_rows[group], covered_by_real[group] / n_rows[group]
        reach.append(compare_repeats(values, floors, int(n_rows[group].mean())).to_json())
    total = n_rows.sum(axis=0)
    if not total.all():
        return reach, None
    overall = compare_repeats(
        covered.sum(axis=0) / total, covered_by_real.sum(axis=0) / total, int(total.mean())
    )
    return reach, overall.to_json()


def _reach_once(
    real: Labelled,
    groups: NDArray[np.int64],
    synthetic: Labelled,
    n_groups: int,
    rng: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Per group: rows reached by synthetic rows, rows reached by real rows, rows looked at."""
    totals = [np.zeros(n_groups, dtype=np.int64) for _ in range(3)]
    for code in np.unique(real.labels):
        fakes = rng.permutation(synthetic.of(code))
        members = rng.permutation(np.flatnonzero(real.labels == code))
        if min(len(members), len(fakes)) < MIN_ROWS:
            continue
        n = min(len(members) // 2, len(fakes), 500)
        half, others = members[:n], members[n : 2 * n]
        reached = fakes_inside(real.values[half], fakes[:n]) > 0
        reached_by_real = fakes_inside(real.values[half], real.values[others]) > 0
        for total, rows in zip(totals, (half[reached], half[reached_by_real], half), strict=True):
            total += np.bincount(groups[rows], minlength=n_groups)
    return totals


def _compare_fidelity(
    real: Labelled,
    groups: NDArray[np.int64],
    synthetic: Labelled,
    reading: _Reading,
    group: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Kernel distance between a group's real rows and the synthetic rows that look like it."""
    if not reading.is_reliable:
        return {"reason": "the groups cannot be told apart by their rows"}
    rows, fakes = real.values[groups == group], synthetic.values[reading.synthetic == group]
    if min(len(rows), len(fakes)) < MIN_ROWS:
        return {"reason": f"{len(rows)} real and {len(fakes)} synthetic rows; {MIN_ROWS} needed"}
    compared = compare_with_floor(
        rows, fakes, lambda a, b: {"kernel_distance": kernel_distance(a, b)}, rng=rng
    )
    return compared["kernel_distance"].to_json()


def _is_under_reached(reach: dict[str, Any], overall: dict[str, Any] | None) -> bool:
    """Say whether a group is reached clearly less, relative to its floor, than all together."""
    if "reason" in reach or overall is None or not overall["value"] or not reach["floor"]:
        return False
    usual = overall["value"] / overall["floor"]
    share, at_most = reach["value"] / reach["floor"], reach["high"] / reach["floor"]
    return bool(share < UNDER_SERVED * usual and at_most < usual)


def _is_under_represented(shares: dict[str, Any]) -> bool:
    if "reason" in shares:
        return False
    return bool(shares["synthetic"] < UNDER_SERVED * shares["expected"] and shares["gap_high"] < 0)
