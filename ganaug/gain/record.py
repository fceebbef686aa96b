"""A verdict as a file. It may come from a stranger: everything in it is checked, nothing is run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganaug.exceptions import ModelFileError

__all__ = ["read_record"]

MAX_BYTES = 2**22
MAX_TEXT = 1000
MAX_NUMBER = 1e15

Check = Callable[[Any], Any]


def read_record(path: Path) -> dict[str, Any]:
    """Read and check a verdict's file: exactly the fields of `CHECKS`; null numbers are NaN.

    Raises
    ------
    ModelFileError
        When the file is missing or not a verdict.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        _require(len(content) <= MAX_BYTES, f"at most {MAX_BYTES:,} bytes", "more")
        record: dict[str, Any] = _fields(CHECKS)(json.loads(content.decode("utf-8")))
        named = {"nothing", record["choice"]} <= record["scores"].keys()
        _require(named, "`scores` of the choice and of 'nothing'", list(record["scores"]))
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:  # of JSON, of UTF-8, or of a check
        raise ModelFileError(
            f"{path} must be a file that Verdict.save wrote. It is not: {str(error)[:MAX_TEXT]}."
        ) from None
    return record


def _require(is_right: bool, expected: str, value: object) -> None:
    if not is_right:
        raise ValueError(f"expected {expected}, got {value!r:.60}")


def _boolean(value: Any) -> bool:
    _require(isinstance(value, bool), "true or false", value)
    return bool(value)


def _count(value: Any, least: int = 0, most: float = MAX_NUMBER) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    _require(is_whole and least <= value <= most, f"a whole number, {least} to {most:g}", value)
    return int(value)


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number and abs(value) <= MAX_NUMBER, f"a number up to {MAX_NUMBER:g}", value)
    return float(value)


def _text(value: Any) -> str:
    """Accept one printable line: no control characters, which terminals act on."""
    is_line = isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
    _require(is_line, f"a line of at most {MAX_TEXT} characters", value)
    return str(value)


def _one_of(*options: str) -> Check:
    def check(value: Any) -> str:
        _require(value in options, f"one of {', '.join(options)}", value)
        return str(value)

    return check


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _list_of(check: Check) -> Check:
    def check_list(value: Any) -> list[Any]:
        _require(isinstance(value, list), "a list", value)
        return [check(item) for item in value]

    return check_list


def _dict_of(check: Check) -> Check:
    def check_dict(value: Any) -> dict[str, Any]:
        _require(isinstance(value, dict), "an object", value)
        return {_text(name): check(item) for name, item in value.items()}

    return check_dict


def _fields(checks: dict[str, Check]) -> Check:
    def check_fields(value: Any) -> dict[str, Any]:
        _require(isinstance(value, dict), "an object", value)
        _require(value.keys() == checks.keys(), f"the fields {', '.join(checks)}", list(value))
        checked = {}
        for name, check in checks.items():
            try:
                checked[name] = check(value[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return checked

    return check_fields


def _image_shape(value: Any) -> tuple[int, ...]:
    shape = tuple(_list_of(lambda size: _count(size, 1, 1024))(value))
    _require(len(shape) in (2, 3), "2 or 3 sizes", value)
    return shape


_INTERVAL: dict[str, Check] = {"mean": _number, "low": _number, "high": _number, "n": _count}

CHECKS: dict[str, Check] = {
    "choice": _text,
    "is_decided": _boolean,
    "gain": _fields(_INTERVAL),
    "gain_over_best_without_gan": _fields(_INTERVAL),
    "gain_of_gan": _optional(_fields(_INTERVAL)),
    "gan": _one_of("chosen", "not worth it", "not shown", "not tried"),
    "gan_reason": _text,
    "agreement": _number,
    "scores": _dict_of(_list_of(_number)),
    "per_class": _dict_of(
        _fields(
            {"n_samples": _count, "gain": _number, "low": _number, "high": _number, "n": _count}
        )
    ),
    "needed": _dict_of(_count),
    "scoring": _text,
    "n_samples": _count,
    "n_splits": _count,
    "notes": _list_of(_text),
    "seconds": _number,
    "needs_augmenter": _boolean,
    "task": _fields(
        {
            "seed": lambda value: _count(value, 0, 2**32 - 1),
            "is_image": _boolean,
            "n_axes": lambda value: _count(value, 2, 4),
            "image_shape": _optional(_image_shape),
            "max_images": _optional(lambda value: _count(value, 1, 1e9)),
        }
    ),
    "text": str,  # for readers: it is written anew from the rest
}
