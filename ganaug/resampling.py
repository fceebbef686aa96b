"""How many rows each class gets, and of which kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from imblearn.utils import check_sampling_strategy

from ganaug.checks import check_option, did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs import as_labels

__all__ = ["ClassPlan", "plan_resampling"]


STRATEGIES = ("auto", "minority", "not minority", "not majority", "all")


@dataclass(frozen=True)
class ClassPlan:
    """What one class gets.

    Parameters
    ----------
    label : hashable
        The class.
    n_real : int
        Rows that it has.
    n_synthetic : int
        New rows from the generator.
    n_duplicates : int
        New rows that repeat real ones.
    note : str
        Why a class gets duplicates where the cap would allow synthetic rows; mostly empty.
    """

    label: Hashable
    n_real: int
    n_synthetic: int
    n_duplicates: int
    note: str = ""

    @property
    def n_total(self) -> int:
        """Rows after resampling."""
        return self.n_real + self.n_synthetic + self.n_duplicates


def plan_resampling(
    y_or_counts: Any,
    sampling_strategy: str
    | float
    | Mapping[Any, int]
    | Callable[[Any], Mapping[Any, int]] = "auto",
    *,
    max_ratio: float = 5.0,
    max_share: float = 1.0,
) -> dict[Any, ClassPlan]:
    """Decide how many synthetic rows and how many duplicates each class gets.

    Parameters
    ----------
    y_or_counts : labels, shape (n,), or dict of label to count
        The real rows. In a dict classes may have 0 rows.
    sampling_strategy : str, float, dict or callable
        As in imbalanced-learn, for over-sampling:

        - ``"minority"``, ``"not minority"``, ``"not majority"``, ``"all"`` or ``"auto"`` (= ``"not
          majority"``): bring these classes to the size of the largest;
        - float in (0, 1], two classes only: minority rows / majority rows afterwards;
        - dict: rows of each class named in it afterwards, real ones included;
        - callable: takes y, returns such a dict.
    max_ratio : float
        With a string or a float a class gets at most ``floor(max_ratio * n_real)`` synthetic rows;
        the remainder are duplicates. ``math.inf`` for no limit, 0 for duplicates only. A dict or
        a callable is followed exactly, by synthetic rows alone.
    max_share : float
        With a string or a float at most ``floor(max_share * n_total)`` rows of a class, after
        resampling, are synthetic.

    Returns
    -------
    dict of label to ClassPlan
        Every class, also those that get nothing; labels as plain Python values, sorted if they
        came as y and in the dict's order otherwise.

    Raises
    ------
    InvalidInputError
        For an unknown strategy or class, or a target below the rows that a class has.
    InvalidTypeError
        When `sampling_strategy` is of another type.

    Notes
    -----
    Classes of 0 rows are passed over by strings and floats: there is nothing to duplicate.

    Examples
    --------
    >>> plan = plan_resampling({"bag": 900, "boot": 100}, "auto", max_ratio=5)
    >>> plan["boot"]
    ClassPlan(label='boot', n_real=100, n_synthetic=500, n_duplicates=300, note='')
    """
    counts, y = _count(y_or_counts)
    _check_max_ratio(max_ratio)
    if callable(sampling_strategy):
        sampling_strategy = _called(sampling_strategy, y)
    if isinstance(sampling_strategy, Mapping):
        n_new, cap = _new_by_targets(counts, sampling_strategy), None
    else:
        n_new, cap = _new_by_rule(counts, sampling_strategy), max_ratio
    plan = {}
    for label, n_real in counts.items():
        n = n_new.get(label, 0)
        n_synthetic = n
        if cap is not None:
            n_synthetic = math.floor(min(n, cap * n_real, max_share * (n_real + n)))
        plan[label] = ClassPlan(label, n_real, n_synthetic, n - n_synthetic)
    return plan


def _called(strategy: Callable[[Any], Mapping[Any, int]], y: Any) -> Mapping[Any, int]:
    targets = strategy(y)
    if not isinstance(targets, Mapping):
        raise InvalidTypeError(
            "A callable `sampling_strategy` must return a dict of label to count. "
            f"Got {targets!r} instead."
        )
    return targets


def _count(y_or_counts: Any) -> tuple[dict[Any, int], Any]:
    """Give rows per class, and labels to hand to a callable."""
    if not isinstance(y_or_counts, Mapping):
        y = as_labels(y_or_counts)
        labels, n = np.unique(y, return_counts=True)
        return dict(zip(labels.tolist(), n.tolist(), strict=True)), y
    counts = {_plain(label): _whole(n, label, "y_or_counts") for label, n in y_or_counts.items()}
    return counts, np.repeat(np.array(list(counts)), list(counts.values()))


def _new_by_targets(counts: dict[Any, int], targets: Mapping[Any, Any]) -> dict[Any, int]:
    """Give new rows per class for totals asked for."""
    n_new = {}
    for label, value in targets.items():
        if label not in counts:
            listed = ", ".join(repr(known) for known in counts)
            raise InvalidInputError(
                f"`sampling_strategy` must name classes of y ({listed}). Got {label!r} instead."
                + did_you_mean(label, counts)
            )
        target = _whole(value, label, "sampling_strategy")
        if target < counts[label]:
            raise InvalidInputError(
                "`sampling_strategy` must give each class its total, not below the rows it has. "
                f"Got {target} for class {label!r} of {counts[label]} rows instead: over-sampling "
                "removes none."
            )
        n_new[_plain(label)] = target - counts[label]
    return n_new


def _new_by_rule(counts: dict[Any, int], strategy: Any) -> dict[Any, int]:
    """Give new rows per class by imbalanced-learn's rule for a string or a float."""
    if isinstance(strategy, str):
        check_option("sampling_strategy", strategy, STRATEGIES)
    elif isinstance(strategy, bool) or not isinstance(strategy, int | float | np.number):
        raise InvalidTypeError(
            "`sampling_strategy` must be a string, a float in (0, 1], a dict or a callable. "
            f"Got {strategy!r} instead."
        )
    present = [label for label, n in counts.items() if n]
    codes = np.repeat(np.arange(len(present)), [counts[label] for label in present])
    try:
        n_new = check_sampling_strategy(strategy, codes, "over-sampling")
    except ValueError as error:
        raise InvalidInputError(
            f"`sampling_strategy`={strategy!r} cannot be used: {error}"
        ) from None
    return {present[code]: int(n) for code, n in n_new.items()}


def _check_max_ratio(max_ratio: Any) -> None:
    is_number = isinstance(max_ratio, int | float | np.number) and not isinstance(max_ratio, bool)
    if not is_number or not max_ratio >= 0:
        raise InvalidInputError(f"`max_ratio` must be a number >= 0. Got {max_ratio!r} instead.")


def _whole(n: Any, label: Any, parameter: str) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise InvalidInputError(
            f"`{parameter}` must give each class a whole number >= 0. "
            f"Got {n!r} for class {label!r} instead."
        )
    return int(n)


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
