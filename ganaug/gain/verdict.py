"""The verdict on synthetic rows: its rule, and what is handed to the user."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from ganaug.gain.intervals import PairedInterval

__all__ = ["OUTCOMES", "Verdict", "decide", "needed_to_tell"]

OUTCOMES = ("use", "equivalent", "do not use", "cannot tell")
MAX_SPLITS_ADVISED = 100


@dataclass(frozen=True)
class Verdict:
    """What `evaluate_gain` found.

    Attributes
    ----------
    outcome : {"use", "equivalent", "do not use", "cannot tell"}
        "use": better than the best remedy without synthetic rows, and better than duplicates in
        their place. "equivalent": within `margin` of one of the two. "do not use": not better than
        one of them by as much as `margin`, and possibly or certainly worse; or no gain that could
        be shown, and clear harm by the setting with the most synthetic rows; or no class got rows
        that could be trusted. "cannot tell": none of these could be shown; see `needed`.
    gain : PairedInterval
        Score with synthetic rows minus score of the `baseline`, over the splits.
    gain_over_placebo : PairedInterval
        The same against duplicates of real rows in the synthetic rows' place.
    gain_of_most : PairedInterval
        Gain of the setting with the most synthetic rows, which was not chosen by its gain. What
        does harm in quantity is not to be trusted in small doses, unless these gain.
    baseline : str
        The remedy that was best without synthetic rows; they were added to it.
    setting : str
        How many synthetic rows were best. `gain` and the like are those of choosing so: each half
        of the splits has the setting that the other half chose.
    classes_served : list
        Classes that got any, in at least half of the splits: none where a classifier of
        the real rows disputes them.
    setting_totals : dict of label to int
        What the setting comes to on all rows: totals of the classes served. For those who want to
        look at it, or to act on it against the verdict.
    sampling_strategy : dict of label to int
        For `GANOverSampler`: `setting_totals` where the outcome is "use", else empty.
    per_class : dict of label to dict
        Real `rows`, and `gain` in recall with `low`, `high` and a `finding`.
    scores : dict of str to list of float
        By arm, the score on each split.
    gains_by_setting : dict of str to float
        Mean gain of each setting over all splits, which flatters the best of them: `gain` does not.
    needed : dict or None
        When the outcome is "cannot tell": about how many `splits` or total `rows` would
        settle it, where more of either can.
    scoring : str
        Name of the score.
    margin : float
        What counts as equivalent.
    n_rows : int
    n_splits : int
        Splits that were done, each with a GAN of its own.
    notes : list of str
        What else the user should know: alarms, classes left out, a time box that ended.
    seconds : float
    """

    outcome: str
    gain: PairedInterval
    gain_over_placebo: PairedInterval
    gain_of_most: PairedInterval
    baseline: str
    setting: str
    classes_served: list[Any]
    setting_totals: dict[Any, int]
    sampling_strategy: dict[Any, int]
    per_class: dict[Any, dict[str, Any]]
    scores: dict[str, list[float]]
    gains_by_setting: dict[str, float]
    needed: dict[str, int] | None
    scoring: str
    margin: float
    n_rows: int
    n_splits: int
    notes: list[str] = field(default_factory=list)
    seconds: float = math.nan

    @property
    def text(self) -> str:
        """The verdict in a few sentences."""
        return " ".join([self._headline(), *self._reasons(), *self._advice()])

    def _headline(self) -> str:
        if self.outcome == "do not use" and not self.classes_served:
            return "Do not use synthetic rows: there are none that could be trusted."
        if self.outcome == "do not use" and self.gain.high < 0:
            return "Do not use synthetic rows: they do harm here."
        return _HEADLINES[self.outcome]

    def _reasons(self) -> list[str]:
        if not self.classes_served:
            reason = (
                "In most splits the GAN made no rows that its filter and a classifier of the real "
                "rows take for their class."
            )
            return [reason]
        if math.isnan(self.gain.low):
            return ["Fewer than two splits were done."]
        gain, over_placebo = _interval(self.gain), _interval(self.gain_over_placebo)
        sentence = (
            f"With {self.setting}, {self.scoring} changes by {gain} against '{self.baseline}', the "
            f"best without them, and by {over_placebo} against duplicates in their place "
            f"({self.n_splits} splits, each with a GAN of its own; 95% intervals)."
        )
        if self.outcome == "do not use" and self.gain_of_most.high < 0:
            most = _interval(self.gain_of_most)
            return [sentence, f"The most synthetic rows that were tried change it by {most}."]
        return [sentence]

    def _advice(self) -> list[str]:
        lines = []
        for finding, verb in (("better", "gain"), ("worse", "lose")):
            labels = [str(k) for k, v in self.per_class.items() if v["finding"] == finding]
            if labels:
                noun = "Class" if len(labels) == 1 else "Classes"
                lines.append(f"{noun} {', '.join(labels)} seem{'s' * (len(labels) < 2)} to {verb}.")
        if self.needed:
            ways = [f"{n:,} {what}" for what, n in self.needed.items()]
            lines.append(f"About {' or '.join(ways)} would be needed to tell.")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold (labels as text, NaN as None)."""
        plain = {**asdict(self), "text": self.text}
        plain["classes_served"] = list(map(str, self.classes_served))
        plain["per_class"] = {str(k): v for k, v in self.per_class.items()}
        for name in ("setting_totals", "sampling_strategy"):
            plain[name] = {str(k): v for k, v in getattr(self, name).items()}
        cleaned: dict[str, Any] = _without_nan(plain)
        return cleaned

    def to_json(self, *, indent: int | None = 1) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        """Format the verdict with its tables."""
        lines = [self.text, "", f"{self.scoring}, mean over the splits"]
        width = max(map(len, self.scores))
        lines += [f"  {arm:{width}}  {np.mean(v):.4f}" for arm, v in self.scores.items() if v]
        lines += [
            "",
            "class, rows, change in recall (95% interval, not corrected for the number of classes)",
        ]
        labels = {label: str(label) for label in self.per_class}
        width = max(map(len, labels.values()))
        for label, found in self.per_class.items():
            interval = PairedInterval(found["gain"], found["low"], found["high"], self.gain.n)
            finding = "" if found["finding"] == "no clear difference" else f"  {found['finding']}"
            lines.append(
                f"  {labels[label]:>{width}} {found['rows']:6d}  {_interval(interval)}{finding}"
            )
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


_HEADLINES = {
    "use": "Use synthetic rows.",
    "equivalent": "Synthetic rows make no difference that matters: leave them out.",
    "do not use": "Do not use synthetic rows: they do not help here.",
    "cannot tell": "These data cannot tell whether synthetic rows help: leave them out.",
}


def decide(
    gain: PairedInterval,
    over_placebo: PairedInterval,
    of_most: PairedInterval,
    margin: float,
    prefers_none: bool,
) -> str:
    """Turn the intervals into an outcome.

    Parameters
    ----------
    gain, over_placebo : PairedInterval
        Against the best remedy without synthetic rows, and against duplicates in their place.
    of_most : PairedInterval
        Gain of the setting with the most synthetic rows.
    margin : float
        What counts as equivalent.
    prefers_none : bool
        Whether no synthetic rows at all did best over all splits: then the outcome is never
        "use", whatever the intervals say.

    Returns
    -------
    str
        One of `OUTCOMES`.

    Notes
    -----
    Both intervals must lie above 0 for "use": an intersection-union test, which needs no
    correction for being two. Comparisons with NaN are False: "cannot tell".

    Examples
    --------
    >>> gain = PairedInterval(0.02, 0.01, 0.03, 5)
    >>> decide(gain, gain, gain, 0.005, prefers_none=False)
    'use'
    """
    both = (gain, over_placebo)
    is_shown = all(interval.low > 0 for interval in both)
    does_harm = any(interval.high < 0 and interval.low < -margin for interval in both)
    if does_harm or (of_most.high < 0 and not is_shown):
        return "do not use"
    if any(-margin <= interval.low and interval.high <= margin for interval in both):
        return "equivalent"
    if any(interval.high < margin for interval in both):
        return "do not use"
    return "use" if is_shown and not prefers_none else "cannot tell"


def needed_to_tell(
    gain: PairedInterval, test_over_train: float, margin: float, n_rows: int
) -> dict[str, int] | None:
    """Estimate how many splits, or rows, would make the interval narrow enough.

    Narrow enough is half a width of the gain itself, or of the margin where the gain is smaller.
    More splits cannot narrow a corrected interval beyond a floor, more rows can: the standard
    deviation is taken to fall with the square root of their number.

    Returns
    -------
    dict or None
        "splits" (only where they suffice) and "rows"; None for fewer than two splits.
    """
    if math.isnan(gain.low):
        return None
    target = max(abs(gain.mean), margin)
    half = gain.high - gain.mean
    if half <= target or target == 0:
        return None
    per_unit = half / (stats.t.ppf(0.975, gain.n - 1) * math.sqrt(1 / gain.n + test_over_train))
    needed = {}
    for n in range(gain.n + 1, MAX_SPLITS_ADVISED + 1):
        if per_unit * stats.t.ppf(0.975, n - 1) * math.sqrt(1 / n + test_over_train) < target:
            needed["splits"] = n
            break
    needed["rows"] = math.ceil(n_rows * (half / target) ** 2)
    return needed


def _interval(interval: PairedInterval) -> str:
    return f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
