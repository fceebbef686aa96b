"""Tables of what the `evaluate_gain` of before said, and of what was true.

It chose between one use of a GAN and remedies without one. It and the code that measured it are
gone; what was measured is kept until results of its successor replace it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from benchmarks.results import Result, markdown
from benchmarks.stats import difference, show_interval

OUTCOMES = ("use", "equivalent", "do not use", "cannot tell")
MARGIN = 0.5
"""Points within which a gain is no gain."""


def describe_planted(result: Result) -> str:
    """Give the share of each outcome, by planted generator, data and classifier."""
    lines = []
    for group in result["values"]["planted"]:
        n = sum(group["outcomes"])
        shares = [f"{k}/{n}" if k else "" for k in group["outcomes"]]
        names = [group[key] for key in ("generator", "data", "classifier")]
        lines.append([*names, *shares, f"{group['gain']:+.1f}"])
    columns = ["generator", "data", "classifier, folds", *OUTCOMES, "mean gain, points"]
    return markdown(columns, lines)


def describe(result: Result) -> str:
    """Give what real GANs gained in fact, by outcome, and what following the verdict costs."""
    found = result["values"]["gans"]
    outcomes, gains = np.array(found["outcome"]), np.array(found["gain"])
    lines = []
    for outcome in OUTCOMES:
        chosen = gains[outcomes == outcome]
        if len(chosen):
            above, below = int((chosen > MARGIN).sum()), int((chosen < -MARGIN).sum())
            counts = (above, len(chosen) - above - below, below)
            shares = [_share(k, len(chosen)) for k in counts]
            lines.append([outcome, str(len(chosen)), *shares, _mean(chosen)])
    columns = ["outcome", "settings", f"measured gain above {MARGIN:g} points", "within"]
    columns += [f"below -{MARGIN:g}", "mean measured gain, points (95% interval)"]
    followed = np.where(outcomes == "use", gains, 0.0)
    missed = np.maximum(gains, 0) - np.maximum(followed, 0)
    return (
        f"{markdown(columns, lines)}\n\n{len(gains)} settings. Following the verdict instead of "
        f"never using synthetic samples changes balanced accuracy by {_mean(followed)} points, at "
        f"worst by {followed.min():+.2f}. Always using them: {_mean(gains)}, at worst "
        f"{gains.min():+.2f}. Gain missed by not using them: {missed.mean():.2f} on average, at "
        f"most {missed.max():.2f}."
    )


def _share(k: int, n: int) -> str:
    """Format a count, with the Clopper-Pearson interval of its share."""
    interval = stats.binomtest(k, n).proportion_ci()
    return f"{k} ({100 * interval.low:.0f} to {100 * interval.high:.0f}%)"


def _mean(points: Any) -> str:
    return show_interval(difference((points / 100).tolist(), [0.0] * len(points)))
