"""Remedies tried on splits: in parallel, and each split's GANs trained once for all of them."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.parallel import Parallel, delayed

from ganaug.exceptions import (
    GanaugError,
    GanaugWarning,
    InvalidInputError,
    SamplingError,
    TrainingError,
)
from ganaug.gain.choice import Scores
from ganaug.gain.problem import Problem, Split
from ganaug.gain.remedies import Remedy, Task, make_pipeline

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """Of one pipeline on one split: score, test samples recognised by class, seconds."""

    value: float = math.nan
    hits: npt.ArrayLike = 0
    seconds: float = 0.0
    failure: str = ""


NO_SCORE = Score()
MAX_TOLD = 300  # characters of a failure


class Trials:
    """Tries remedies on splits, and remembers the scores.

    `task` may be replaced by one with smaller GANs before any is trained. `on_score` is told of
    every trial: remedy, split, score. `verbose`: of the default GANs; a user's has its own.
    """

    def __init__(
        self,
        problem: Problem,
        splits: Sequence[Split],
        task: Task,
        on_score: Callable[[str, int, float], None] = lambda *_: None,
        verbose: int = 0,
    ) -> None:
        self.problem = problem
        self.on_score, self.verbose = on_score, verbose
        self.splits = list(splits)
        self.task = task
        self.failures: dict[str, str] = {}
        self._scores: dict[tuple[str, int], Score] = {}

    def run(self, remedies: Sequence[Remedy], numbers: Sequence[int]) -> None:
        """Try remedies on splits; what has a score already is not tried again."""
        todo = [(r, n) for n in numbers for r in remedies if (r.name, n) not in self._scores]
        pipelines = [make_pipeline(r, self.task, self.problem.estimator) for r, _ in todo]
        self._run(todo, pipelines)

    def run_gans(self, remedies: Sequence[Remedy], number: int) -> None:
        """Train a split's GANs, each once, and try the remedies that use them."""
        trained: dict[str, Any] = {}
        todo, pipelines = [], []
        for remedy in remedies:
            pipeline = make_pipeline(remedy, self.task, self.problem.estimator)
            sampler = pipeline.named_steps["remedy"]
            try:
                if hasattr(sampler, "make_augmenter") and not remedy.make_augmenter(self.task):
                    pipeline.set_params(remedy=self._with_trained(sampler, number, trained))
            except TrainingError as error:
                self._keep(remedy, number, Score(failure=str(error)))
            else:
                todo.append((remedy, number))
                pipelines.append(pipeline)
        self._run(todo, pipelines)

    def _with_trained(self, sampler: Any, number: int, trained: dict[str, Any]) -> Any:
        """Put the split's trained GANs into a sampler; equal augmenters are trained once."""
        augmenter = sampler.make_augmenter()
        if getattr(sampler, "augmenter", None) is None:
            augmenter.set_params(verbose=self.verbose)
        key = training_key(augmenter)
        if key not in trained:
            with without_our_warnings():
                trained[key] = augmenter.fit(*self.problem.part(self.splits[number].train))
        return freeze(sampler, trained[key])

    def _run(self, todo: Sequence[tuple[Remedy, int]], pipelines: Sequence[Any]) -> None:
        jobs = (
            delayed(_try)(self.problem, remedy, pipeline, self.splits[number], is_first=not number)
            for (remedy, number), pipeline in zip(todo, pipelines, strict=True)
        )
        scores = Parallel(self.task.n_jobs, return_as="generator")(jobs)
        for (remedy, number), score in zip(todo, scores, strict=True):
            self._keep(remedy, number, score)

    def _keep(self, remedy: Remedy, number: int, score: Score) -> None:
        self._scores[remedy.name, number] = score
        self.on_score(remedy.name, number, score.value)
        LOG.info("'%s', fold %d: %.4f in %.1f s", remedy.name, number, score.value, score.seconds)
        if score.failure:
            told = f"'{remedy.name}' has no score on every fold: {score.failure}"
            self.failures.setdefault(remedy.name, told)

    def score(self, remedy: Remedy, number: int) -> Score:
        """Give a remedy's score on a split."""
        return self._scores[remedy.name, number]

    def seconds(self, remedy: Remedy) -> float | None:
        """What a remedy took on the first split; None where it was not tried there."""
        return self._scores[remedy.name, 0].seconds if (remedy.name, 0) in self._scores else None

    def done(self, remedy: Remedy) -> list[int]:
        """Splits on which a remedy has a score."""
        scores = self.table([remedy], range(len(self.splits)))[0]
        return [int(number) for number in np.flatnonzero(~np.isnan(scores))]

    def table(self, remedies: Sequence[Remedy], numbers: Sequence[int]) -> Scores:
        """Scores, shape (n_remedies, n_numbers); NaN where there is none."""
        return np.array(
            [[self._scores.get((r.name, n), NO_SCORE).value for n in numbers] for r in remedies]
        )


def training_key(augmenter: Any) -> str:
    """Give what augmenters that are trained alike have in common."""
    return repr(sorted(augmenter.get_params().items()))


def freeze(sampler: Any, fitted: Any) -> Any:
    """Give a copy of a sampler that uses a fitted augmenter, adds the same, and trains nothing."""
    alone = {"image_shape", "n_generators", "max_images"} & set(sampler.get_params(deep=False))
    parameters = {"augmenter": FrozenEstimator(fitted), **dict.fromkeys(alone)}
    return clone(sampler).set_params(**parameters)


def _try(problem: Problem, remedy: Remedy, pipeline: Any, split: Split, *, is_first: bool) -> Score:
    """Fit a pipeline on a split's training part and score it on the test part.

    What fails with a remedy is that one's failure, unless nothing can be learnt without it either,
    or parameters or data of the user's are wrong, which the first split shows.
    """
    started = time.perf_counter()
    (X, y), (X_test, y_test) = problem.part(split.train), problem.part(split.test)

    def failed(error: object) -> Score:
        told = " ".join(str(error).split())[:MAX_TOLD]  # some errors are pages
        return Score(seconds=time.perf_counter() - started, failure=told)

    try:
        with without_our_warnings():
            pipeline.fit(X, y)
            value = float(problem.scorer(pipeline, X_test, y_test))
            right = np.ravel(pipeline.predict(X_test)) == y_test  # some predict a column
    except (SamplingError, TrainingError) as error:
        return failed(error)
    except Exception as error:  # whatever a foreign estimator or sampler raises
        if isinstance(error, GanaugError) and is_first:
            raise
        if remedy.name != "nothing":
            return failed(f"{type(error).__name__}: {error}")
        raise InvalidInputError(
            "`estimator` must learn and score the samples. Got "
            f"{type(error).__name__} from {type(problem.estimator).__name__} on X of shape "
            f"{np.shape(X)} instead: {error}"
        ) from error
    if not math.isfinite(value):
        if remedy.name != "nothing":
            return failed(f"its score is {value}")
        raise InvalidInputError(
            f"`scoring` must give a finite number. Got {value} on {len(y_test)} test samples "
            "instead: pass another scorer, or fewer folds."
        )
    hits = [np.count_nonzero(right & (y_test == label)) for label in problem.classes]
    return Score(value, hits, time.perf_counter() - started)


@contextmanager
def without_our_warnings() -> Iterator[None]:
    """Of small classes and alarms, once per split: the verdict's notes tell what matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GanaugWarning)
        yield
