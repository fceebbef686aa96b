"""Tables of what the `evaluate_gain` of before said, and of what was true.

It compared one use of a GAN with remedies without one, and is gone; the recorded results are kept
until those of its successor replace them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ganaug.gain.intervals import paired_interval

OUTCOMES = ("use", "equivalent", "do not use", "cannot tell")
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "svc": SVC,
    "neighbours": partial(KNeighborsClassifier, 3),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)),
}


def describe_controls(results: dict[str, Any]) -> str:
    """Share of each outcome, by generator, data and classifier."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for result in results["settings"]:
        setting = result["setting"]
        counts = [n for _, n in setting["counts"]]
        sizes = str(counts[0]) if len(set(counts)) == 1 else f"{max(counts)} to {min(counts)}"
        task = setting["task"]
        if setting["components"]:
            task += f" as {setting['components']} principal components"
        data = f"{task}, {sizes} rows per class ({result['n_rows']})"
        who = f"{setting['classifier']}, {setting['folds']} x {setting['repeats']}"
        groups.setdefault((setting["generator"], data, who), []).append(result["verdict"])
    columns = ("generator", "data", "classifier, folds", *OUTCOMES, "mean gain, points")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for key, verdicts in groups.items():
        shares = [sum(v["outcome"] == o for v in verdicts) for o in OUTCOMES]
        cells = " | ".join(f"{n}/{len(verdicts)}" if n else "" for n in shares)
        gain = 100 * np.mean([v["gain"]["mean"] for v in verdicts])
        lines.append(f"| {' | '.join(key)} | {cells} | {gain:+.1f} |")
    return "\n".join(lines)


def describe(results: dict[str, Any]) -> str:
    """Tell what happened on the development part, by outcome, and what following costs."""
    rows = [
        (r["verdict"]["outcome"], 100 * _gain_on_development(r), 100 * r["verdict"]["gain"]["mean"])
        for r in results["settings"]
    ]
    margin = 100 * results["margin"]
    columns = (
        "outcome",
        "settings",
        f"measured gain above {margin:g} points",
        "within",
        f"below -{margin:g}",
        "mean measured gain, points (95% interval)",
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for outcome in OUTCOMES:
        gains = np.array([gain for o, gain, _ in rows if o == outcome])
        if len(gains):
            above, below = int((gains > margin).sum()), int((gains < -margin).sum())
            counts = (above, len(gains) - above - below, below)
            cells = " | ".join(_share(k, len(gains)) for k in counts)
            lines.append(f"| {outcome} | {len(gains)} | {cells} | {_mean_interval(gains)} |")
    followed = np.array([gain if outcome == "use" else 0.0 for outcome, gain, _ in rows])
    always = np.array([gain for _, gain, _ in rows])
    missed = np.maximum(always, 0) - np.maximum(followed, 0)
    summary = (
        f"{len(rows)} settings. Following the verdict instead of never using synthetic rows "
        f"changes balanced accuracy by {_mean_interval(followed)} points, at worst by "
        f"{followed.min():+.2f}. Always using them: {_mean_interval(always)}, at worst "
        f"{always.min():+.2f}. Gain missed by not using them: {missed.mean():.2f} on average, at "
        f"most {missed.max():.2f}."
    )
    lines += ["", summary]
    return "\n".join(lines)


def _gain_on_development(result: dict[str, Any]) -> float:
    development = result["development"]
    return float(development["with"] - development["without"])


def _share(k: int, n: int) -> str:
    """A count, with the Clopper-Pearson interval of its share."""
    interval = stats.binomtest(k, n).proportion_ci()
    return f"{k} ({100 * interval.low:.0f} to {100 * interval.high:.0f}%)"


def _mean_interval(values: Any) -> str:
    interval = paired_interval(list(values), [0.0] * len(values))
    if len(values) < 2:
        return f"{interval.mean:+.2f}"
    return f"{interval.mean:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
