"""What the report's words and columns are, and how its figures are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ganaug.audit.findings import format_p

if TYPE_CHECKING:
    from collections.abc import Mapping


class MeasureWords(NamedTuple):
    """How one measure is presented."""

    key: str
    label: str
    meaning: str
    limits: tuple[float, float] | None


MEASURES = (
    MeasureWords(
        "precision",
        "Precision",
        "share of synthetic rows that lie where real rows lie: fidelity",
        (-0.02, 1.02),
    ),
    MeasureWords(
        "recall",
        "Recall",
        "share of real rows that lie where synthetic rows lie: variety; strict",
        (-0.02, 1.02),
    ),
    MeasureWords(
        "density",
        "Density",
        "how crowded with real rows the synthetic rows' places are: above 1, they keep to the "
        "middle of their class",
        None,
    ),
    MeasureWords(
        "coverage",
        "Coverage",
        "share of real rows that have a synthetic row in their neighbourhood: variety",
        (-0.02, 1.02),
    ),
    MeasureWords(
        "variety",
        "Variety",
        "mean distance between the synthetic rows of a class over that between its real rows",
        None,
    ),
    MeasureWords(
        "kernel_distance",
        "Kernel distance",
        "difference of the distributions, 0 is none; fair to small classes",
        None,
    ),
    MeasureWords(
        "frechet_distance",
        "Frechet distance",
        "difference of means and covariances, 0 is none; comparable only at the same number of "
        "rows",
        None,
    ),
)

TESTS = {
    "distance_test": (
        "Nearer to training rows than real rows are",
        "chance that a synthetic row is nearer to a training row than a real row of its class is",
    ),
    "near_copy_test": (
        "Near-copies",
        "share of rows at less than 0.3 of the usual distance to a training row",
    ),
    "membership_test": (
        "Nearer to training than to held-out rows",
        "share of synthetic rows whose nearest real row is a training row",
    ),
}


def number(value: float | None) -> str:
    """Write a number to about three digits.

    Examples
    --------
    >>> number(0.01234), number(1.5), number(123.4), number(None)
    ('0.01', '1.50', '123', '–')
    """
    if value is None:
        return "–"
    text = f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.{1 if abs(value) >= 10 else 2}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def points(share: float | None) -> str:
    """Write a difference of shares in percentage points.

    Examples
    --------
    >>> points(0.0123), points(-0.004), points(None)
    ('+1.2', '−0.4', '–')
    """
    return "–" if share is None else f"{100 * share:+.1f}".replace("-", "−")


def interval(low: float, high: float) -> str:
    """Write an interval.

    Examples
    --------
    >>> interval(0.1, 0.25)
    '0.10 to 0.25'
    """
    return f"{number(low)} to {number(high)}"


def percent(share: float | None) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.123), percent(0.0004), percent(0.0), percent(1)
    ('12%', '0.04%', '0%', '100%')
    """
    if share is None:
        return "–"
    value = 100 * share
    digits = 0 if value >= 10 or value == 0 else 1 if value >= 0.1 else 2
    return f"{value:.{digits}f}%"


def gap(reason: str) -> str:
    """Say in few words why there is no figure.

    Examples
    --------
    >>> gap("11 real and 67 synthetic rows; at least 20 of each are needed")
    'too few rows'
    >>> gap("the groups cannot be told apart by their rows")
    'not measurable'
    """
    return "not measurable" if "told apart" in reason else "too few rows"


def figure(scores: Mapping[str, Any] | None, floor: Mapping[str, Any] | None = None) -> str:
    """Write a measure with its interval and that of real rows, or why there is none."""
    if not scores:
        return "–"
    if "reason" in scores:
        return gap(scores["reason"])
    text = f"{number(scores['value'])} ({interval(scores['low'], scores['high'])})"
    if "floor" in scores:
        real = scores["floor"], scores["floor_low"], scores["floor_high"]
        return f"{text}; real {number(real[0])} ({interval(*real[1:])})"
    if floor and "reason" not in floor:
        return f"{text}; real {figure(floor)}"
    return text


def describe_test(test: Mapping[str, float] | None) -> tuple[str, str, str]:
    """Write a copy test's effect, expectation and p-value."""
    if test is None:
        return "–", "–", "–"
    return percent(test["effect"]), percent(test["expected"]), p_value(test["p_value"])


def p_value(value: float) -> str:
    """Write a p-value without its sign of equality.

    Examples
    --------
    >>> p_value(0.0312), p_value(1e-9)
    ('0.031', '< 0.001')
    """
    return format_p(value).removeprefix("= ")
