"""Classifiers with and without synthetic rows, on the splits of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ganaug.exceptions import SamplingError
from ganaug.gain.remedies import Problem, Remedy, Score, Split, are_balanced
from ganaug.resampling import default_share, plan
from ganaug.seeds import derived_seed

__all__ = ["PerRealRow", "Trials"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PerRealRow:
    """A sampling strategy: so many synthetic rows per real row, in some classes or in all.

    No class grows beyond the size of the largest, unless all classes are about equally frequent.

    Parameters
    ----------
    ratio : float
        Synthetic rows per real row.
    classes : tuple, optional
        The classes that get any; by default all.

    Examples
    --------
    >>> PerRealRow(0.5)(["bag"] * 100 + ["boot"] * 20)
    {'bag': 100, 'boot': 30}
    """

    ratio: float
    classes: tuple[Any, ...] | None = None

    def __call__(self, y: Any) -> dict[Any, int]:
        """Give the total of each class, real rows included."""
        labels, counts = np.unique(np.asarray(y), return_counts=True)
        largest = int(counts.max())
        totals = {}
        for label, n in zip(labels.tolist(), counts.tolist(), strict=True):
            n_new = round(self.ratio * n) if self.classes is None or label in self.classes else 0
            totals[label] = n + (n_new if are_balanced(counts) else min(n_new, largest - n))
        return totals

    def __str__(self) -> str:
        """Describe the strategy in words."""
        text = f"{self.ratio:g} synthetic rows per real row"
        if self.classes is None:
            return text
        noun = "class" if len(self.classes) == 1 else "classes"
        return f"{text} in {noun} {', '.join(map(str, self.classes))}"


class Trials:
    """Trains one GAN per split, and scores classifiers with and without its rows.

    Parameters
    ----------
    augmenter : GANAugmenter
        Not fitted here, but a clone of it per split.
    problem : Problem
    seed : int
    """

    def __init__(self, augmenter: Any, problem: Problem, seed: int) -> None:
        self.augmenter = augmenter
        self.problem = problem
        self.seed = seed
        self.events: dict[str, dict[Any, None]] = {}  # what happened, and to which classes
        self._fitted: dict[int, Any] = {}
        self._rows: dict[int, dict[Any, Any]] = {}  # by split and class; None: none could be made

    # --- classifiers ---

    def without_synthetic(self, split: Split, remedy: Remedy) -> Score:
        """Score a classifier with a remedy alone."""
        return self._score(split, remedy, {})

    def with_synthetic(self, split: Split, remedy: Remedy, strategy: Any) -> Score:
        """Score a classifier with a strategy's synthetic rows, to which the remedy then applies."""
        counts = self.counts_in(split, strategy)
        rows = {label: self._sample(split, label, n) for label, n in counts.items()}
        served = {label: made[: counts[label]] for label, made in rows.items() if made is not None}
        return self._score(split, remedy, served)

    def with_placebo(self, split: Split, remedy: Remedy, strategy: Any) -> Score:
        """Score a classifier with duplicates of real rows in the synthetic rows' place."""
        X, y = self.problem.training_part(split)
        rng = np.random.default_rng(derived_seed(self.seed, "placebo", split.number))
        duplicates = {}
        for label, n in self.counts_in(split, strategy).items():
            members = rng.permutation(np.flatnonzero(y == label))
            duplicates[label] = self.problem.take(X, np.resize(members, n))
        return self._score(split, remedy, duplicates)

    def _score(self, split: Split, remedy: Remedy, added: Mapping[Any, Any]) -> Score:
        X, y = self.problem.training_part(split)
        for label, rows in added.items():
            X = self.problem.spec.concatenate(X, rows)
            y = np.concatenate([y, np.full(len(rows), label, dtype=y.dtype)])
        # the same seed for all classifiers of a split, so that only the rows differ
        seed = derived_seed(self.seed, "classifier", split.number) % 2**31
        return self.problem.score(remedy, X, y, split, seed)

    # --- synthetic rows ---

    def train(self, split: Split) -> None:
        """Train the split's GAN on its training part."""
        fitted = clone(self.augmenter)
        parameters = fitted.get_params(deep=False)
        if "random_state" in parameters:
            fitted.set_params(random_state=derived_seed(self.seed, "gan", split.number))
        if "verbose" in parameters:
            fitted.set_params(verbose=0)
        if parameters.get("checkpoint_dir") is not None:  # a GAN may not resume another split's
            own = Path(parameters["checkpoint_dir"]) / f"split-{split.number}"
            fitted.set_params(checkpoint_dir=own)
        fitted.fit(*self.problem.training_part(split))
        if any(gan.interrupted for gan in getattr(getattr(fitted, "model_", None), "gans", ())):
            raise KeyboardInterrupt  # Ctrl-C ends the evaluation, not just one of its GANs
        for alarm in getattr(fitted, "alarms_", []):
            self._remember(f"a GAN raised the alarm '{alarm['kind']}'", alarm["class"])
        self._fitted[split.number] = fitted

    def make_rows(self, split: Split, strategies: Sequence[Any]) -> None:
        """Make as many rows of each class as any of the strategies needs, in one go."""
        wanted: dict[Any, int] = {}
        for strategy in strategies:
            for label, n in self.counts_in(split, strategy).items():
                wanted[label] = max(n, wanted.get(label, 0))
        for label, n in wanted.items():
            self._sample(split, label, n)

    def forget_rows(self, split: Split) -> None:
        """Free the memory of a split's rows; the GAN can make the same again."""
        made = self._rows.pop(split.number, {})
        self._rows[split.number] = {label: None for label, rows in made.items() if rows is None}

    def counts_in(self, split: Split, strategy: Any) -> dict[Any, int]:
        """Synthetic rows by class that a strategy gives to a split's training part."""
        fitted = self._fitted[split.number]
        counts = self.counts(strategy, self.problem.y[split.train])
        if isinstance(strategy, PerRealRow | str | Real):  # a dict or callable is taken at its word
            counts = {label: n for label, n in counts.items() if self._is_trusted(fitted, label)}
        failed = [k for k, rows in self._rows.get(split.number, {}).items() if rows is None]
        return {label: n for label, n in counts.items() if label not in failed}

    def counts(self, strategy: Any, y: Array) -> dict[Any, int]:
        """Synthetic rows by class that a strategy gives to labels."""
        plans = plan(y, strategy, synthetic_share=default_share(len(y)))
        return {label: p.n_synthetic for label, p in plans.items() if p.n_synthetic}

    def _sample(self, split: Split, label: Any, n: int) -> Any:
        """Return n or more rows of a class; None where the GAN's filter lets none through."""
        made = self._rows.setdefault(split.number, {})
        if label not in made or (made[label] is not None and len(made[label]) < n):
            try:
                made[label] = self._fitted[split.number].sample({label: n})[0]
            except SamplingError:
                made[label] = None
                self._remember("no synthetic rows in a split: the filter rejected them", label)
        return made[label]

    def _is_trusted(self, fitted: Any, label: Any) -> bool:
        agreement = getattr(fitted, "trust_", {}).get(label, 1.0)
        if agreement >= getattr(fitted, "min_trust", 0.0):
            return True
        event = (
            "no synthetic rows in a split: a classifier of the real rows takes too few of them for "
            "their class (`min_trust`)"
        )
        self._remember(event, label)
        return False

    def _remember(self, event: str, label: Any) -> None:
        """Note what happened to a class (None: to all)."""
        self.events.setdefault(event, {})[label] = None

    def notes(self) -> list[str]:
        """Say what happened, a sentence each."""
        sentences = []
        for event, labels in self.events.items():
            names = ", ".join(str(label) for label in labels if label is not None)
            sentences.append(f"class {names}: {event}" if names else event)
        return sentences
