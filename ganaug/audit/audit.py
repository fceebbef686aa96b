"""Everything an audit measures, as plain dicts that JSON can hold.

Numbers that could not be estimated are dicts with a `reason` in the place of figures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ganaug.audit.copying import CopyTest, comparison_space, screen_copies
from ganaug.audit.metrics import (
    Comparison,
    compare_with_floor,
    density_coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
    realism,
    recall_scores,
    within_class_variety,
)
from ganaug.classifier import fit_classifier
from ganaug.exceptions import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from numpy.typing import NDArray

    from ganaug.audit.copying import CopyScreen
    from ganaug.audit.metrics import ClassScores
    from ganaug.classifier import RealClassifier

    Extractor = Callable[[NDArray[Any]], NDArray[Any]]

MIN_ROWS = 20
"""Fewest real and fewest synthetic rows for a class to be measured."""
MIN_TEST_ROWS = 10
"""Fewest real test rows for the recall of a class to be shown."""
N_PAIRS, MAX_PAIRS_PER_CLASS = 12, 4
"""Nearest pairs that are listed, of all classes and of each."""


class Labelled(NamedTuple):
    """Rows with their class codes."""

    values: NDArray[Any]
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Labelled:
        """Return some of the rows."""
        return Labelled(self.values[rows], self.labels[rows])

    def of(self, code: int) -> NDArray[Any]:
        """Return the values of one class."""
        members: NDArray[Any] = self.values[self.labels == code]
        return members


@dataclass(frozen=True)
class Parts:
    """The rows of an audit, checked, and the names of the classes by code."""

    training: Labelled
    synthetic: Labelled
    holdout: Labelled | None
    class_names: tuple[str, ...]
    n_leaked: int
    """Rows taken out of the holdout since they are training rows too."""

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def real(self) -> Labelled:
        """Training and held-out rows together."""
        return self.training if self.holdout is None else _join(self.training, self.holdout)

    def per_class(self, counts: NDArray[Any]) -> dict[str, Any]:
        """Name an array by class."""
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def counts(self, rows: Labelled) -> NDArray[np.int64]:
        """Rows per class."""
        return np.bincount(rows.labels, minlength=self.n_classes)


def check_parts(
    training: Labelled, synthetic: Labelled, holdout: Labelled | None, class_names: tuple[str, ...]
) -> Parts:
    """Check rows that are to be audited, and take training rows out of the holdout."""
    for name, rows in (("training", training), ("synthetic", synthetic), ("holdout", holdout)):
        if rows is not None:
            _check_rows(name, rows, training, len(class_names))
    if holdout is None:
        return Parts(training, synthetic, None, class_names, n_leaked=0)
    leaked = identical_rows(holdout.values, training.values)
    if leaked.all():
        raise InvalidInputError(
            "The holdout must be rows that the model was not trained on. Got "
            f"{len(leaked)} rows that are all among the training rows instead."
        )
    return Parts(training, synthetic, holdout.take(~leaked), class_names, int(leaked.sum()))


def _check_rows(name: str, rows: Labelled, training: Labelled, n_classes: int) -> None:
    values, labels = rows
    if values.shape[1:] != training.values.shape[1:] or values.dtype != training.values.dtype:
        raise InvalidInputError(
            f"`{name}` must look like the training rows, {training.values.dtype} "
            f"{('n', *training.values.shape[1:])}. Got {values.dtype} {values.shape} instead."
        )
    if labels.shape != (len(values),) or len(values) < 2:
        raise InvalidInputError(
            f"`{name}_labels` must hold one class code per row, for at least two rows. Got shape "
            f"{labels.shape} for {len(values)} rows instead."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise InvalidInputError(
            f"`{name}_labels` must be class codes from 0 to {n_classes - 1}. Got {labels.min()} "
            f"to {labels.max()} instead."
        )


def identical_rows(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which rows are, byte for byte, among the others."""
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in rows], dtype=bool)


def _repeated_share(rows: NDArray[Any]) -> float:
    """Return the share of rows that occur more than once, as they do in coarse tables."""
    counts = Counter(row.tobytes() for row in rows)
    return sum(n for n in counts.values() if n > 1) / len(rows)


# --- fidelity and variety ----------------------------------------------------------------------


def measure_classes(
    parts: Parts, real: Labelled, synthetic: Labelled, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Compare the features of each class's synthetic rows with those of its real rows.

    `real` and `synthetic` hold features in the place of values.
    """
    return {
        name: _compare_or_reason(real.of(code), synthetic.of(code), _class_measures, rng)
        for code, name in enumerate(parts.class_names)
    }


def measure_overall(
    parts: Parts, real: Labelled, synthetic: Labelled, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare all classes at once, the synthetic rows in the real rows' class shares."""
    n_real, n_synthetic = parts.counts(real), parts.counts(synthetic)
    shared = (n_real > 0) & (n_synthetic > 0)
    scale = (n_synthetic[shared] / n_real[shared]).min(initial=np.inf)
    if not shared.any():
        return _too_few(0, 0)
    chosen = [
        np.flatnonzero(synthetic.labels == code)[: int(scale * n_real[code])]
        for code in np.flatnonzero(shared)
    ]
    in_shared = shared[real.labels]
    return _compare_or_reason(
        real.values[in_shared],
        synthetic.values[np.concatenate(chosen)],
        _overall_measures,
        rng,
        max_rows=1000,
        n_repeats=10,
    )


def mean_variety(by_class: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Average the classes' variety, which is a matter within a class, over those measured."""
    known = [m["variety"] for m in by_class.values() if "variety" in m]
    known = [comparison for comparison in known if np.isfinite(comparison["value"])]
    if not known:
        return {"reason": "no class has enough rows that differ"}

    def mean(name: str) -> float:
        return float(np.mean([comparison[name] for comparison in known]))

    def error(value: NDArray[Any], bound: str) -> float:
        # The classes share no rows: their errors add up as independent ones do.
        bounds = np.array([comparison[bound] for comparison in known])
        return float(np.sqrt(((bounds - value) ** 2).sum()) / len(known))

    values, floors = (np.array([c[name] for c in known]) for name in ("value", "floor"))
    value, floor = mean("value"), mean("floor")
    return Comparison(
        value,
        value - error(values, "low"),
        value + error(values, "high"),
        floor,
        floor - error(floors, "floor_low"),
        floor + error(floors, "floor_high"),
        value - floor - error(values - floors, "gap_low"),
        value - floor + error(values - floors, "gap_high"),
        min(comparison["n_rows"] for comparison in known),
    ).to_json()


def _compare_or_reason(
    real: NDArray[Any],
    fake: NDArray[Any],
    measure: Callable[[NDArray[Any], NDArray[Any]], dict[str, float]],
    rng: np.random.Generator,
    **options: int,
) -> dict[str, Any]:
    if min(len(real), len(fake)) < MIN_ROWS:
        return _too_few(len(real), len(fake))
    compared = compare_with_floor(real, fake, measure, rng=rng, **options)
    n_rows, n_columns = next(iter(compared.values())).n_rows, real.shape[1]
    result = {name: comparison.to_json() for name, comparison in compared.items()}
    if "frechet_distance" not in result:
        result["frechet_distance"] = {
            "reason": f"compared at {n_rows} rows a side; needs more than {n_columns} "
            "(the number of features)"
        }
    return result


def _too_few(n_real: int, n_synthetic: int) -> dict[str, Any]:
    return {
        "reason": f"{n_real} real and {n_synthetic} synthetic rows; at least {MIN_ROWS} of each "
        "are needed"
    }


def _overall_measures(real: NDArray[Any], fake: NDArray[Any]) -> dict[str, float]:
    precision, recall = precision_recall(real, fake)
    density, coverage = density_coverage(real, fake)
    measures = {
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "kernel_distance": kernel_distance(real, fake),
    }
    if len(real) > real.shape[1]:  # else the covariances are singular, and the distance all bias
        measures["frechet_distance"] = frechet_distance(real, fake)
    return measures


def _class_measures(real: NDArray[Any], fake: NDArray[Any]) -> dict[str, float]:
    return {**_overall_measures(real, fake), "variety": within_class_variety(real, fake)}


def realism_scores(parts: Parts, real: Labelled, synthetic: Labelled) -> NDArray[np.float64]:
    """Score how realistic each synthetic row is of its class; NaN in classes too small."""
    scores = np.full(len(synthetic.labels), np.nan)
    for code in range(parts.n_classes):
        members = synthetic.labels == code
        if members.any() and np.sum(real.labels == code) >= MIN_ROWS:
            scores[members] = realism(real.of(code), synthetic.of(code))
    return scores


# --- usefulness --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usefulness:
    """Scores of a classifier trained on synthetic rows, beside one trained on real rows."""

    on_synthetic: ClassScores
    on_real: ClassScores
    agreement: ClassScores
    """How the classifier of real rows reads the synthetic rows."""
    read_as: NDArray[np.int64]
    """Synthetic rows by the class that the classifier of real rows reads in them."""
    held_out: bool
    """Whether the test rows are held out, or a half of the training rows."""


def measure_usefulness(
    parts: Parts,
    classifier: RealClassifier,
    rng: np.random.Generator,
    *,
    seed: int,
    device: str | torch.device,
) -> Usefulness:
    """Train on synthetic rows only, and test on real ones (classification accuracy score).

    The floor is the same classifier trained on real rows. Without held-out rows it is trained on
    half of the training rows, and both are tested on the other half.
    """
    n = parts.n_classes
    if parts.holdout is not None:
        test, real_classifier = parts.holdout, classifier
    else:
        train_rows, test_rows = halves(parts.training.labels, rng)
        test = parts.training.take(test_rows)
        real_classifier = fit_classifier(
            *parts.training.take(train_rows), n, seed=seed, device=device
        )
    synthetic_classifier = fit_classifier(*parts.synthetic, n, seed=seed, device=device)
    reading = _predict(real_classifier, parts.synthetic.values)
    return Usefulness(
        on_synthetic=recall_scores(_predict(synthetic_classifier, test.values), test.labels, n),
        on_real=recall_scores(_predict(real_classifier, test.values), test.labels, n),
        agreement=recall_scores(reading, parts.synthetic.labels, n),
        read_as=np.bincount(reading, minlength=n),
        held_out=parts.holdout is not None,
    )


def halves(
    labels: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut the rows in two at random, class by class; of odd numbers the first half gets more."""
    first, second = [], []
    for code in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == code))
        middle = (len(order) + 1) // 2
        first.append(order[:middle])
        second.append(order[middle:])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def _predict(classifier: RealClassifier, values: NDArray[Any]) -> NDArray[np.int64]:
    predicted: NDArray[np.int64] = classifier.predict_proba(values).argmax(axis=1)
    return predicted


def describe_usefulness(parts: Parts, usefulness: Usefulness) -> dict[str, Any]:
    """Return overall and per-class scores as plain values."""
    on_synthetic, on_real = usefulness.on_synthetic, usefulness.on_real
    return {
        "test_rows": "held-out rows" if usefulness.held_out else "half of the training rows",
        "n_test": int(on_real.n_test.sum()),
        "trained_on_synthetic": _describe_acsa(on_synthetic),
        "trained_on_real": _describe_acsa(on_real),
        "per_class": {
            name: {
                "trained_on_synthetic": _describe_recall(on_synthetic, code, MIN_TEST_ROWS),
                "trained_on_real": _describe_recall(on_real, code, MIN_TEST_ROWS),
                "synthetic_rows_recognised": _describe_recall(usefulness.agreement, code, 1),
            }
            for code, name in enumerate(parts.class_names)
        },
    }


def _describe_acsa(scores: ClassScores) -> dict[str, Any]:
    if not scores.n_test.any():
        return {"reason": "no rows to test on"}
    low, high = scores.acsa_interval
    return {"value": scores.acsa, "low": low, "high": high}


def _describe_recall(scores: ClassScores, code: int, min_rows: int) -> dict[str, Any]:
    n = int(scores.n_test[code])
    if n < min_rows:
        return {"reason": f"{n} rows to test on; at least {min_rows} are needed"}
    value, low, high = (float(a[code]) for a in (scores.recall, scores.low, scores.high))
    return {"value": value, "low": low, "high": high, "n_rows": n}


# --- copying -----------------------------------------------------------------------------------


def screen_parts(parts: Parts, rng: np.random.Generator) -> CopyScreen:
    """Look for copies among the synthetic rows."""
    training, synthetic, holdout = parts.training, parts.synthetic, parts.holdout
    reference = training.values
    return screen_copies(
        comparison_space(synthetic.values, reference),
        synthetic.labels,
        comparison_space(training.values, reference),
        training.labels,
        holdout=None if holdout is None else comparison_space(holdout.values, reference),
        holdout_labels=None if holdout is None else holdout.labels,
        rng=rng,
    )


def describe_copying(parts: Parts, screen: CopyScreen) -> dict[str, Any]:
    """Return the screen's outcome as plain values."""
    n = len(screen.distances)
    identical = identical_rows(parts.synthetic.values, parts.training.values)
    return {
        "compared_by": _describe_space(parts),
        "distance_test": _describe_test(screen.distance_test),
        "near_copy_test": _describe_test(screen.near_copy_test),
        "membership_test": _describe_test(screen.membership_test),
        "n_identical": int(identical.sum()),
        "identical_share": float(identical.mean()),
        "real_identical_share": _repeated_share(parts.training.values),
        "n_near_copies": len(screen.near_copies),
        "n_near_duplicates": len(screen.near_duplicates),
        "near_duplicate_share": len(screen.near_duplicates) / n,
        "real_near_duplicate_share": _plain(screen.real_near_duplicate_share),
        "nearest_pairs": [
            _describe_pair(parts, screen, row) for row in nearest_first(parts, screen)
        ],
        "per_class": {
            parts.class_names[code]: {
                "compared_with": figures.reference,
                "n_synthetic": figures.n_synthetic,
                "n_reference": figures.n_reference,
                "median_distance": figures.median_synthetic,
                "median_real_distance": figures.median_reference,
                "distance_test": _describe_test(figures.distance_test),
                "n_near_copies": figures.n_near_copies,
                "n_near_duplicates": figures.n_near_duplicates,
            }
            for code, figures in screen.per_class.items()
        },
    }


def nearest_first(parts: Parts, screen: CopyScreen) -> list[int]:
    """Return the synthetic rows nearest to a training row, for their class; a few per class."""
    chosen: list[int] = []
    taken = dict.fromkeys(range(parts.n_classes), 0)
    for row in np.argsort(screen.relative_distances, kind="stable").tolist():  # NaN comes last
        code = int(parts.synthetic.labels[row])
        if len(chosen) < N_PAIRS and taken[code] < MAX_PAIRS_PER_CLASS:
            chosen.append(row)
            taken[code] += 1
    return chosen


def _describe_space(parts: Parts) -> str:
    if parts.training.values.ndim == 2:
        return "Euclidean distance of standardised columns"
    return "sqrt(2 - 2r), r the correlation of the images shrunk to at most 12 x 12"


def _describe_test(test: CopyTest | None) -> dict[str, float] | None:
    if test is None:
        return None
    return {"p_value": test.p_value, "effect": test.effect, "expected": test.expected}


def _describe_pair(parts: Parts, screen: CopyScreen, row: int) -> dict[str, Any]:
    nearest = int(screen.nearest[row])
    return {
        "synthetic_row": row,
        "training_row": nearest,
        "class": parts.class_names[parts.synthetic.labels[row]],
        "training_class": parts.class_names[parts.training.labels[nearest]],
        "distance": float(screen.distances[row]),
        "relative_distance": _plain(screen.relative_distances[row]),
    }


def _plain(value: float) -> float | None:
    """Return a float that JSON can hold."""
    return float(value) if np.isfinite(value) else None


# --- balance -----------------------------------------------------------------------------------


def describe_balance(parts: Parts, usefulness: Usefulness | None) -> dict[str, Any]:
    """Return class shares of real rows, synthetic rows, and of what these look like."""
    real, synthetic = parts.counts(parts.training), parts.counts(parts.synthetic)
    shares = {
        "real": parts.per_class(real / real.sum()),
        "synthetic": parts.per_class(synthetic / synthetic.sum()),
    }
    if usefulness is not None:
        shares["synthetic_read_as"] = parts.per_class(usefulness.read_as / synthetic.sum())
    return shares


def describe_rows(parts: Parts) -> dict[str, Any]:
    """Return rows per class of all parts."""
    holdout = None if parts.holdout is None else parts.per_class(parts.counts(parts.holdout))
    return {
        "training": parts.per_class(parts.counts(parts.training)),
        "holdout": holdout,
        "synthetic": parts.per_class(parts.counts(parts.synthetic)),
        "holdout_rows_left_out": parts.n_leaked,
    }


def plain_json(value: Any) -> Any:
    """Return nested plain values that JSON can hold, NumPy's own turned into Python's."""
    if hasattr(value, "items"):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain_json(item) for item in value]
    if isinstance(value, np.generic):
        return plain_json(value.item())
    if isinstance(value, float):
        return _plain(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _join(first: Labelled, second: Labelled) -> Labelled:
    return Labelled(
        np.concatenate([first.values, second.values]), np.concatenate([first.labels, second.labels])
    )
