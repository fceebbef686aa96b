"""The verdict: which remedy to use, what that is worth, and the remedy itself, ready to use."""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from torch.utils.data import Dataset, Subset

from ganaug.checks import warn_user
from ganaug.exceptions import GanaugWarning, InvalidInputError, InvalidTypeError
from ganaug.gain.intervals import PairedInterval
from ganaug.gain.record import read_record
from ganaug.gain.remedies import Remedy, Task, UsersSampler, find_remedy
from ganaug.gain.remedies import make_pipeline as pipeline_of
from ganaug.inputs import as_labels

__all__ = ["ClassGain", "Verdict"]

GanFinding = Literal["chosen", "not worth it", "not shown", "not tried"]


@dataclass(frozen=True)
class ClassGain:
    """Of one class: real samples, and gain in recall of the choice over nothing, with interval."""

    n_samples: int
    gain: PairedInterval


@dataclass(frozen=True)
class Verdict:
    """What `evaluate_gain` found: the remedy to use, and what it is worth.

    Attributes
    ----------
    choice : str
        Name of the remedy: "nothing", "class weights", "duplicates", "smote", "augmented",
        "ganaug", "half and half", "gan only", or one of the user's own.
    is_decided : bool
        False where the scores cannot tell it from others, so that it is a default.
    gain : PairedInterval
        Score of choosing so, minus score of nothing: chosen on some folds, scored on others.
    gain_over_best_without_gan : PairedInterval
        The same, minus score of the best remedy without a GAN, which is chosen on the same folds.
    gain_of_gan : PairedInterval or None
        The best remedy with a GAN minus the best without, each chosen so; None if none was tried.
    gan : {"chosen", "not worth it", "not shown", "not tried"}
        Whether a GAN is worth its training here: it is the choice; it is no better; it may be
        better, but that could not be shown; or none was trained (`gan_reason` says why).
    gan_reason : str
    agreement : float
        Share of folds for which the other folds chose what all of them do.
    scores : dict of str to list of float
        By remedy, from the simplest on: score on each split, NaN where it was not tried.
    per_class : dict of str to ClassGain
        By class name.
    needed : dict of str to int
        About how many "splits" or "samples" would settle an open comparison; empty if none is.
    scoring : str
    n_samples, n_splits : int
    notes : list of str
        What was left out or cut short, and why.
    seconds : float
    splits : list of (train, test) or None
        Positions, of the splits on which the choice was scored; None after `load`.

    See Also
    --------
    evaluate_gain : Makes it.
    """

    choice: str
    is_decided: bool
    gain: PairedInterval
    gain_over_best_without_gan: PairedInterval
    gain_of_gan: PairedInterval | None
    gan: GanFinding
    gan_reason: str
    agreement: float
    scores: dict[str, list[float]]
    per_class: dict[str, ClassGain]
    needed: dict[str, int]
    scoring: str
    n_samples: int
    n_splits: int
    notes: list[str]
    seconds: float
    task: Task = field(repr=False)
    needs_augmenter: bool = field(default=False, repr=False)
    remedy: Remedy | None = field(default=None, repr=False)
    estimator: Any = field(default=None, repr=False)
    splits: list[tuple[Any, Any]] | None = field(default=None, repr=False)

    # --- ready to use ---

    def make_pipeline(self, estimator: Any = None) -> Any:
        """Give the choice and a classifier as an unfitted imbalanced-learn pipeline.

        Parameters
        ----------
        estimator : scikit-learn classifier, optional
            By default a clone of the one that was measured, with the seed it was measured with:
            ``cross_val_score(verdict.make_pipeline(), X, y, cv=verdict.splits)`` then gives the
            scores of the choice again, bit for bit. Needed after `load`.

        Returns
        -------
        imblearn.pipeline.Pipeline
            Its steps are "remedy" and "estimator".

        Warns
        -----
        GanaugWarning
            When another estimator is passed: the choice was not measured with it.
        """
        remedy = self._known_remedy()
        if estimator is None:
            if self.estimator is None:
                raise InvalidInputError(
                    "`estimator` must be passed to a verdict from a file, which holds none: pass "
                    "the classifier that was measured."
                )
            return pipeline_of(remedy, self.task, self.estimator)
        if self.estimator is not None and not _are_alike(estimator, self.estimator):
            message = (
                f"'{self.choice}' was not measured with this {type(estimator).__name__}: run "
                "evaluate_gain with it to know whether it is the best remedy there, too."
            )
            warn_user(message, GanaugWarning)
        obstacle = remedy.obstacle(self.task, estimator)
        if obstacle:
            raise InvalidInputError(
                f"`estimator` must be one that '{self.choice}' can be used with. Got "
                f"{type(estimator).__name__} instead: {obstacle}."
            )
        return pipeline_of(remedy, self.task, estimator)

    def make_sampler(self) -> Any:
        """Give the choice as an unfitted imbalanced-learn sampler.

        Returns
        -------
        sampler
            "passthrough", which pipelines take as a step, where the choice is to do nothing.

        Raises
        ------
        InvalidInputError
            When the choice is class weights, which no sampler can set.
        """
        if self.choice == "class weights":
            raise InvalidInputError(
                "The choice, 'class weights', must be set at the classifier, not by a sampler: use "
                "make_pipeline(), or set class_weight='balanced' there."
            )
        return self._known_remedy().make_sampler(self.task)

    def wrap(self, dataset: Any) -> Any:
        """Apply the choice to a torch Dataset of (image, label).

        Parameters
        ----------
        dataset : map-style torch Dataset
            The training samples, as they were evaluated.

        Returns
        -------
        Dataset
            Real items first. Itself for "nothing" and "class weights" (weight the loss instead);
            a Subset for duplicates; else an `AugmentedDataset`.
        """
        if not isinstance(dataset, Dataset):
            raise InvalidTypeError(
                f"`dataset` must be a torch Dataset. Got {type(dataset).__name__} instead: for "
                "arrays use make_pipeline() or make_sampler()."
            )
        if self.choice in ("nothing", "class weights"):
            return dataset
        sampler = self.make_sampler()
        if hasattr(sampler, "make_augmenter"):
            return sampler.make_augmenter(dataset, None).fit(dataset).wrap(dataset)
        if self.choice != "duplicates":
            raise InvalidInputError(
                f"The choice, '{self.choice}', must be made of arrays: use make_sampler() on them."
            )
        labels = as_labels([dataset[i][1] for i in range(len(dataset))])  # type: ignore[arg-type]
        of_columns = getattr(sampler, "sampler", sampler)
        positions, _ = of_columns.fit_resample(np.arange(len(labels))[:, None], labels)
        return Subset(dataset, positions[:, 0].tolist())

    def _known_remedy(self) -> Remedy:
        if self.remedy is None:
            raise InvalidInputError(
                f"`remedies` must be passed to Verdict.load with the sampler '{self.choice}', "
                "which is not kept in the file."
            )
        uses_augmenter = self.needs_augmenter and hasattr(self.remedy, "share")
        if uses_augmenter and self.task.augmenter is None:
            raise InvalidInputError(
                f"`augmenter` must be passed to Verdict.load: '{self.choice}' was measured with "
                "one of your own, which is not kept in the file."
            )
        return self.remedy

    # --- as text ---

    @property
    def text(self) -> str:
        """The verdict in a few sentences."""
        how = "" if self.is_decided else " (a default: the scores cannot tell it from others)"
        lines = [f"Use '{self.choice}'{how}."]
        lines.append(f"{self.scoring}: {_interval(self.gain)} over nothing, 95% interval;")
        lines.append(f"{_interval(self.gain_over_best_without_gan)} over the best without a GAN;")
        lines.append(f"the same choice on {self.agreement:.0%} of the folds.")
        lines.append(self._about_gan())
        if self.needed:
            ways = " or ".join(f"{n:,} {unit}" for unit, n in self.needed.items())
            lines.append(f"About {ways} would settle what is open.")
        return " ".join(filter(None, lines))

    def _about_gan(self) -> str:
        if self.gan == "chosen":
            return "The GAN is worth its training here."
        if self.gan == "not tried":
            return f"No GAN was trained: {self.gan_reason}." if self.gan_reason else ""
        against = "" if self.gain_of_gan is None else f" ({_interval(self.gain_of_gan)})"
        if self.gan == "not worth it":
            return f"The GAN is not worth its training here{against}; use '{self.choice}'."
        return f"That the GAN is worth its training could not be shown{against}."

    def _rows(self) -> list[tuple[str, float, float, int]]:
        """Remedy, mean score, mean gain over nothing on the same splits, and their number."""
        nothing = np.array(self.scores["nothing"])
        rows = []
        for name, of_remedy in self.scores.items():
            scores = np.array(of_remedy)
            tried = ~np.isnan(scores)
            if tried.any():
                mean, gain = scores[tried].mean(), (scores - nothing)[tried].mean()
                rows.append((name, float(mean), float(gain), int(tried.sum())))
        return rows

    def __str__(self) -> str:
        """Format the verdict with its tables."""
        width = max(map(len, self.scores))
        lines = [self.text, "", f"{'remedy':{width}}  {self.scoring}, gain over nothing, splits"]
        for name, mean, gain, n in self._rows():
            mark = "  <- the choice" if name == self.choice else ""
            lines.append(f"{name:{width}}  {mean:.4f}  {gain:+.4f}  {n:2d}{mark}")
        width = max(map(len, ["class", *self.per_class]))
        lines += ["", f"{'class':>{width}}  samples, gain in recall over nothing"]
        for name, found in self.per_class.items():
            lines.append(f"{name:>{width}}  {found.n_samples:6d}  {_interval(found.gain)}")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'<b>' * is_it}{html.escape(name)}{'</b>' * is_it}</td><td>{mean:.4f}</td>"
            f"<td>{gain:+.4f}</td><td>{n}</td></tr>"
            for name, mean, gain, n in self._rows()
            for is_it in [name == self.choice]
        )
        head = "".join(
            f"<th>{html.escape(title)}</th>"
            for title in ("remedy", self.scoring, "gain over nothing", "splits")
        )
        return f"<p>{html.escape(self.text)}</p><table><tr>{head}</tr>{rows}</table>"

    # --- as a file ---

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the user's own objects as plain values; NaN as None."""
        own = ("task", "remedy", "estimator", "splits", "needs_augmenter")
        plain = {
            name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
            for name, value in vars(self).items()
            if name not in own
        }
        plain["per_class"] = {  # flat, as reports show it
            name: {
                "n_samples": found.n_samples,
                "gain": found.gain.mean,
                "low": found.gain.low,
                "high": found.gain.high,
                "n": found.gain.n,
            }
            for name, found in self.per_class.items()
        }
        task = asdict(Task(**{**vars(self.task), "augmenter": None}))
        plain["task"] = {k: v for k, v in task.items() if k not in ("augmenter", "n_jobs")}
        plain["needs_augmenter"] = self.needs_augmenter
        plain["text"] = self.text
        cleaned: dict[str, Any] = _without_nan(plain)
        return cleaned

    def to_json(self, *, indent: int | None = 1) -> str:
        """Give `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the verdict as JSON: names of built-in remedies and numbers.

        The estimator, an augmenter, samplers and splits of the user's are not kept.

        Parameters
        ----------
        path : path-like
        """
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        augmenter: Any = None,
        remedies: Mapping[str, Any] | None = None,
    ) -> Verdict:
        """Read what `save` wrote. Nothing in the file is run.

        Parameters
        ----------
        path : path-like
        augmenter : GANAugmenter, optional
            The one that was passed to `evaluate_gain`, if any: needed to use the choice.
        remedies : dict of str to sampler, optional
            Those passed to `evaluate_gain`, if one of them is the choice.

        Returns
        -------
        Verdict

        Raises
        ------
        ModelFileError
            When the file is missing, or not a verdict; says what is wrong.
        """
        record = read_record(Path(path))
        fields = {name: record[name] for name in record if name not in ("task", "text")}
        fields["per_class"] = {
            name: ClassGain(found["n_samples"], _as_interval({"mean": found["gain"], **found}))
            for name, found in record["per_class"].items()
        }
        for name in ("gain", "gain_over_best_without_gan", "gain_of_gan"):
            found = fields[name]
            fields[name] = None if found is None else _as_interval(found)
        own = [UsersSampler(name, sampler) for name, sampler in (remedies or {}).items()]
        return cls(
            **fields,
            task=Task(**record["task"], augmenter=None if augmenter is None else clone(augmenter)),
            remedy=find_remedy(record["choice"], own),
        )


def _as_interval(found: Mapping[str, Any]) -> PairedInterval:
    return PairedInterval(found["mean"], found["low"], found["high"], found["n"])


def _are_alike(one: Any, other: Any) -> bool:
    """Compare two estimators by kind and parameters, but for seeds."""
    return type(one) is type(other) and _parameters(one) == _parameters(other)


def _parameters(estimator: Any) -> str:
    parameters = {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] != "random_state" and not hasattr(value, "get_params")
    }
    parameters.pop("steps", None)
    return repr(sorted(parameters.items()))


def _interval(interval: PairedInterval) -> str:
    if math.isnan(interval.low):
        return "unknown" if math.isnan(interval.mean) else f"{interval.mean:+.4f} (one split)"
    return f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
