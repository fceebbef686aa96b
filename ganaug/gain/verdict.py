"""The verdict: which remedy to use, what that is worth, and the remedy itself, ready to use."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, get_type_hints

import numpy as np
from sklearn.base import clone
from torch.utils.data import Dataset

from ganaug.augmenter import GANAugmenter
from ganaug.checks import check_path, warn_user
from ganaug.dataset import AugmentedDataset
from ganaug.exceptions import GanaugWarning, InvalidInputError, InvalidTypeError, ModelFileError
from ganaug.gain.intervals import PairedInterval
from ganaug.gain.plot import draw_scores
from ganaug.gain.remedies import (
    Remedy,
    Synthetic,
    Task,
    UsersSampler,
    checked_augmenter,
    find_remedy,
    provenance,
)
from ganaug.gain.remedies import make_pipeline as pipeline_of
from ganaug.inputs import read_training_set
from ganaug.inputs.pictures import is_regular
from ganaug.jsonable import SchemaError, dumps, jsonable, loads_strictly, read_as
from ganaug.naming import printable
from ganaug.persistence import plain_parameters, read_parameters
from ganaug.storage import write_text

GanFinding = Literal["chosen", "not worth it", "not shown", "not tried"]

MAX_BYTES = 2**22
NOT_IN_A_FILE = {
    "Verdict": ("task", "remedy", "estimator", "splits"),
    "Task": ("augmenter", "n_jobs"),
}
THIS_MACHINES = {"cache_dir", "checkpoint_dir", "device", "n_jobs", "random_state"}
"""Parameters of an augmenter that no file keeps, and that change no sample."""


@dataclass(frozen=True)
class ClassGain:
    """Of one class: real samples, and gain in recall of the choice over nothing, with interval."""

    n_samples: int
    gain: float
    low: float
    high: float

    def __str__(self) -> str:
        """Format gain and interval."""
        return str(PairedInterval(self.gain, self.low, self.high, 0))


@dataclass(frozen=True)
class Verdict:
    """What `evaluate_gain` found: the remedy to use, and what it is worth.

    Attributes
    ----------
    choice : str
        Name of the remedy: "nothing", "class weights", "duplicates", "smote", "augmented",
        "mixed", "enlarged", "ganaug", "half and half", "gan only", "features", or one of the
        user's own.
    is_decided : bool
        False where the scores are too noisy to tell it from others.
    gain : PairedInterval
        Score of choosing so, minus score of nothing: chosen on some folds, scored on others.
    gain_over_best_without_gan : PairedInterval
        The same, minus score of the best remedy without a GAN, which is chosen on the same folds.
    gain_of_gan : PairedInterval or None
        The best remedy with a GAN minus the best without, each chosen so; None if none was tried.
    gan : {"chosen", "not worth it", "not shown", "not tried"}
        Whether a GAN is worth its training here: it is the choice; it is no better; it may be
        better, but that could not be shown; or none was judged (`gan_reason` says why).
    gan_reason : str
    agreement : float
        Share of folds for which the other folds chose what all of them do.
    scores : dict of str to list of float
        By remedy, from the simplest on: score on each split, NaN where it was not tried.
    per_class : dict of str to ClassGain
        By class name.
    needed : dict of str to int
        About how many "splits" or "samples" would settle an open comparison; empty if none is.
    scoring, classifier : str
        What was measured: the score, and whose.
    n_samples, n_splits : int
    notes : list of str
        What was left out or cut short, and why.
    seconds : float
    needs_augmenter : bool
        Whether the augmenter holds what no file keeps, so that `load` needs it again.
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
    classifier: str
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
            ``cross_val_score(verdict.make_pipeline(), X, y, cv=verdict.splits, scoring=...)`` then
            gives the scores of the choice again, bit for bit. Needed after `load`.

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
        if estimator is not None and not hasattr(estimator, "fit"):
            raise InvalidTypeError(
                f"`estimator` must be a scikit-learn classifier. Got {estimator!r} instead: for a "
                "network of your own use wrap(), or make_sampler()."
            )
        if estimator is None:
            if self.estimator is None:
                raise InvalidInputError(
                    "`estimator` must be passed to a verdict from a file, which holds none: pass "
                    "the classifier that was measured."
                )
            return pipeline_of(remedy, self.task, self.estimator)
        if describe_classifier(estimator) != self.classifier:
            warn_user(
                f"'{self.choice}' was not measured with this {type(estimator).__name__}: run "
                "evaluate_gain with it to know whether it is the best remedy there, too.",
                GanaugWarning,
            )
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
            When the choice is class weights or features, which are the classifier's.
        """
        self._refuse_what_is_no_sampler()
        return self._known_remedy().make_sampler(self.task)

    def _refuse_what_is_no_sampler(self) -> None:
        if self.choice == "class weights" or self._known_remedy().make_augmenter(self.task):
            raise InvalidInputError(
                f"The choice, '{self.choice}', must be set at the classifier, not by a sampler: "
                "use make_pipeline()."
            )

    def wrap(self, dataset: Any) -> Any:
        """Apply the choice to a torch Dataset of (image, label).

        Parameters
        ----------
        dataset : map-style torch Dataset
            The training samples, as they were evaluated.

        Returns
        -------
        Dataset
            Itself for "nothing" and "class weights" (weight the loss instead), else an
            `AugmentedDataset`: the dataset's items, and behind them those that are added.
        """
        if not isinstance(dataset, Dataset):
            raise InvalidTypeError(
                f"`dataset` must be a torch Dataset. Got {type(dataset).__name__} instead: for "
                "arrays use make_pipeline() or make_sampler()."
            )
        if self.choice in ("nothing", "class weights"):
            return dataset
        self._refuse_what_is_no_sampler()
        task = self.task.of_values()
        keys = {name: getattr(task.augmenter, name, None) for name in ("image_key", "label_key")}
        data = read_training_set(dataset, **keys)
        sampler = self._known_remedy().make_sampler(task)
        values, labels = sampler.fit_resample(data.values, data.classes[data.labels])
        n_real, codes = len(data.values), np.searchsorted(data.classes, labels)
        if len(values) < n_real or not np.array_equal(values[:n_real], data.values):
            raise InvalidInputError(
                f"The choice, '{self.choice}', removes samples, which no wrapped Dataset can: use "
                "make_pipeline() with arrays."
            )
        kinds, sources = provenance(sampler, n_real, len(codes))
        is_made = (kinds != "real") & (kinds != "duplicate")
        return AugmentedDataset(
            dataset,
            (values[is_made], codes[is_made].astype(np.int64)),
            spec=data.spec,
            classes=data.classes,
            kinds=kinds[is_made],
            sources=sources[is_made],
            duplicates=sources[kinds == "duplicate"],
        )

    def _known_remedy(self) -> Remedy:
        if self.remedy is None:
            raise InvalidInputError(
                f"`remedies` must be passed to Verdict.load with the sampler '{self.choice}', "
                "which is not kept in the file."
            )
        uses_augmenter = isinstance(self.remedy, Synthetic) and self.needs_augmenter
        if uses_augmenter and self.task.augmenter is None:
            raise InvalidInputError(
                f"`augmenter` must be passed to Verdict.load: '{self.choice}' was measured with "
                "one that holds objects of your own, which are not kept in the file."
            )
        return self.remedy

    # --- as text ---

    @property
    def text(self) -> str:
        """The verdict in a few sentences."""
        how = "" if self.is_decided else " (the scores hardly tell it from others)"
        lines = [f"Use '{self.choice}'{how}."]
        lines.append(f"{self.scoring}: {self.gain} over nothing, 95% interval;")
        if self.gan == "chosen":  # else the choice is that best one
            lines.append(f"{self.gain_over_best_without_gan} over the best without a GAN;")
        lines.append(f"the same choice on {self.agreement:.0%} of the folds.")
        lines.append(self._about_gan())
        if self.needed:
            ways = " or ".join(f"{n:,} {unit}" for unit, n in self.needed.items())
            lines.append(f"About {ways} would settle what is open.")
        return " ".join(filter(None, lines))

    def _about_gan(self) -> str:
        if self.gan == "chosen" and self.gain_over_best_without_gan.low > 0:
            return "The GAN is worth its training here."
        if self.gan == "chosen":
            return "It is ahead in the mean; that its GAN is worth the training is not shown."
        if self.gan == "not tried":
            return f"No GAN was judged: {self.gan_reason}." if self.gan_reason else ""
        against = "" if self.gain_of_gan is None else f": {self.gain_of_gan}"
        if self.gan == "not worth it":
            return f"The GAN is not worth its training here{against}; use '{self.choice}'."
        return f"That the GAN is worth its training could not be shown{against}."

    def _means(self) -> list[tuple[str, float, float, int]]:
        """Remedy, mean score, mean gain over nothing on the same splits, and their number."""
        rows = []
        for name, scores in self.scores.items():
            pairs = zip(scores, self.scores["nothing"], strict=False)
            tried = [(score, base) for score, base in pairs if not math.isnan(score - base)]
            if tried:
                mean, base = (sum(column) / len(tried) for column in zip(*tried, strict=True))
                rows.append((name, mean, mean - base, len(tried)))
        return rows

    def __str__(self) -> str:
        """Format the verdict with its tables."""
        width = max(map(len, self.scores))
        lines = [self.text, f"Measured with {self.classifier} on {self.n_samples:,} samples.", ""]
        lines.append(f"{'remedy':{width}}  {self.scoring}, gain over nothing, splits")
        for name, mean, gain, n in self._means():
            mark = "  <- the choice" if name == self.choice else ""
            lines.append(f"{name:{width}}  {mean:.4f}  {gain:+.4f}  {n:2d}{mark}")
        width = max(map(len, ["class", *self.per_class]))
        lines += ["", f"{'class':>{width}}  samples, gain in recall over nothing"]
        for name, found in self.per_class.items():
            lines.append(f"{name:>{width}}  {found.n_samples:6d}  {found}")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(map(printable, lines))  # names may be a stranger's

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the scores of every remedy, split by split.

        Parameters
        ----------
        path : path-like
            Its ending says what is written: .png, .svg, .pdf, ...

        Raises
        ------
        InvalidInputError
            For another ending.
        MissingDependencyError
            Without matplotlib, which comes with ``pip install "ganaug[report]"``.
        """
        draw_scores(path, self.scores, self.scoring, self.choice)

    # --- as a file ---

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the user's own objects as plain values; NaN as None."""
        augmenter = self.task.augmenter
        plain = _plain(self) | {
            "per_class": {name: vars(found) for name, found in self.per_class.items()},
            "task": _plain(self.task),
            "augmenter": None if augmenter is None else plain_parameters(augmenter),
            "text": self.text,
        }
        return dict(jsonable(plain))

    def to_json(self, *, indent: int | None = 1) -> str:
        """Give `to_dict` as JSON text."""
        return dumps(self.to_dict(), indent=indent)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the verdict as JSON: names of built-in remedies, settings, and numbers.

        The estimator, splits, and samplers or transforms of the user's are not kept.

        Parameters
        ----------
        path : path-like
        """
        write_text(check_path(path), self.to_json() + "\n")

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        augmenter: Any = None,
        remedies: Mapping[str, Any] | None = None,
    ) -> Verdict:
        """Read what `save` wrote. It may come from a stranger: nothing in it is run.

        Parameters
        ----------
        path : path-like
        augmenter : GANAugmenter, optional
            The one that was passed to `evaluate_gain`: needed where it held objects of your own.
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
        file_path = check_path(path)
        try:
            if file_path.exists() and not is_regular(file_path):
                raise SchemaError("it is no regular file.")
            with file_path.open("rb") as file:
                record, parameters = _read(file.read(MAX_BYTES + 1))
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error}") from error
        except SchemaError as error:
            raise ModelFileError(
                f"{path} must be a file that Verdict.save wrote: {error}"
            ) from None
        if augmenter is not None:
            augmenter = clone(checked_augmenter(augmenter, None))
        elif parameters is not None and not record["needs_augmenter"]:
            augmenter = GANAugmenter(**parameters)
        own = [UsersSampler(name, sampler) for name, sampler in (remedies or {}).items()]
        task = Task(**record.pop("task"), augmenter=augmenter)
        return cls(**record, task=task, remedy=find_remedy(record["choice"], own))


def describe_classifier(estimator: Any) -> str:
    """Give an estimator's kind and parameters, but for seeds, in one line."""
    seeds = [name for name in estimator.get_params() if name.rpartition("__")[2] == "random_state"]
    text = repr(clone(estimator).set_params(**dict.fromkeys(seeds)))
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(text.split()))


def augmenter_is_own(augmenter: Any) -> bool:
    """Tell whether an augmenter holds what no file can, such as a transform."""
    if augmenter is None:
        return False
    unkept = augmenter.get_params(deep=False).keys() - plain_parameters(augmenter).keys()
    return any(getattr(augmenter, name) is not None for name in unkept - THIS_MACHINES)


def _plain(record: Any) -> dict[str, Any]:
    """Give the fields of a dataclass that a file may hold."""
    kept = (f.name for f in fields(record) if f.name not in NOT_IN_A_FILE[type(record).__name__])
    values = {name: getattr(record, name) for name in kept}
    return {name: vars(v) if is_dataclass(v) else v for name, v in values.items()}


def _read(content: bytes) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Check a file's content; give the verdict's fields, and the augmenter's parameters."""
    if len(content) > MAX_BYTES:
        raise SchemaError(f"it must have at most {MAX_BYTES:,} bytes. Got more instead.")
    record = loads_strictly(content)
    if not isinstance(record, dict):
        raise SchemaError(f"it must be a JSON object. Got {record!r:.60} instead.")
    parameters, task = record.pop("augmenter", None), record.pop("task", None)
    record.pop("text", None)  # for readers: it is written anew from the rest
    read = _checked(Verdict, {name: _filled(value) for name, value in record.items()})
    if not {"nothing", read["choice"]} <= read["scores"].keys():
        raise SchemaError(f"`scores` must have 'nothing' and the choice. Got {[*read['scores']]}.")
    read["task"] = _checked(Task, task)
    return read, None if parameters is None else read_parameters(GANAugmenter, parameters)


def _checked(kind: type, record: Any) -> dict[str, Any]:
    """Read a dataclass's fields, but for those that no file holds."""
    name, hints = kind.__name__, get_type_hints(kind)
    kinds = {field: hints[field] for field in hints if field not in NOT_IN_A_FILE[name]}
    if not isinstance(record, dict) or record.keys() != kinds.keys():
        raise SchemaError(f"{name} must have the fields {', '.join(kinds)}. Got {record!r:.60}.")
    return {key: read_as(kinds[key], value, key) for key, value in record.items()}


def _filled(value: Any) -> Any:
    """Give NaN for null, but for a whole field."""
    if isinstance(value, dict):
        return {key: math.nan if item is None else _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [math.nan if item is None else _filled(item) for item in value]
    return value
