"""Plain values: to JSON that every reader takes, and back, believing nothing that a file says."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, TypeVar, Union

import numpy as np

from ganaug.checks import did_you_mean

T = TypeVar("T")

_FLOAT, _PAIRS = "float", "pairs"
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1
"""What int64 or uint64 hold, and other languages than Python."""


class SchemaError(ValueError):
    """A value from a file is not of its declared kind; says which, what was expected, what came."""


def jsonable(value: Any) -> Any:
    """Turn figures into what any JSON reader takes: for results that are read, not loaded again.

    NumPy's become Python's; NaN and infinity are None, keys are texts.

    Examples
    --------
    >>> jsonable({1: np.float32(0.5), "gap": (float("nan"), np.arange(2))})
    {'1': 0.5, 'gap': [None, [0, 1]]}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(plain_scalar(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def marked(value: Any) -> Any:
    """Turn into what any JSON reader takes, so that `from_marked` gives it back.

    NaN and infinity become ``{"float": "nan"}``, mappings with other keys than texts
    ``{"pairs": [[key, value], ...]}``. Only the difference of tuples and lists is lost.

    Examples
    --------
    >>> from_marked(marked({3: float("inf")}))
    {3: inf}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, list | tuple):
        return [marked(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if all(isinstance(key, str) and key not in (_FLOAT, _PAIRS) for key in value):
        return {key: marked(item) for key, item in value.items()}
    return {_PAIRS: [[marked(key), marked(item)] for key, item in value.items()]}


def from_marked(value: Any) -> Any:
    """Undo `marked`, or raise SchemaError for a mark that it does not make."""
    if isinstance(value, list):
        return [from_marked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_FLOAT}:
        return _non_finite(value[_FLOAT])
    if value.keys() == {_PAIRS}:
        return _pairs(value[_PAIRS])
    return {key: from_marked(item) for key, item in value.items()}


def as_read_back(value: Any) -> Any:
    """Give what would come back of a value that is written, marked, to JSON."""
    try:
        return from_marked(loads_strictly(dumps(marked(value))))
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"it must be what JSON can hold: {error}") from None


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Give JSON in ASCII, without Python's own NaN and Infinity, which other readers refuse."""
    return json.dumps(value, indent=indent, allow_nan=False)


def loads_strictly(text: str | bytes) -> Any:
    """Read JSON of unknown origin, without NaN, numbers past 64 bits, or keys that occur twice."""
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
            object_pairs_hook=_without_repeats,
        )
    except SchemaError:
        raise
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"it must be JSON. Got an error instead ({error}).") from None


def read_as(kind: Any, value: Any, where: str) -> Any:
    """Read a value from JSON as what it is declared to be, or refuse it, called `where`.

    Lists become the tuples that are declared; whole numbers are taken for floats. `object` is a
    number, a text or None, and `Any` a tuple of these, too.

    Examples
    --------
    >>> read_as(tuple[int, ...] | None, [8, 8], "resize")
    (8, 8)
    """
    if isinstance(kind, typing.ForwardRef):  # the inner part of a kind that contains itself
        kind = Any
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value, where)
    if origin is Literal:
        if any(type(value) is type(option) and value == option for option in arguments):
            return value
        raise _expected(f"one of {', '.join(map(repr, arguments))}", value, where)
    if origin is tuple:
        return _read_tuple(arguments, value, where)
    if origin is list:
        listed = _of_type(list, value, where)
        return [read_as(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(listed)]
    if origin is dict:
        of_key, of_item = arguments
        return {
            read_as(of_key, key, f"{where} key"): read_as(of_item, item, f"{where}.{key}")
            for key, item in _of_type(dict, value, where).items()
        }
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if typing.is_typeddict(kind):
        return _read_fields(kind, _required_keys(kind), value, where)
    return _read_plain(kind, value, where)


def plain_scalar(value: Any) -> Any:
    """Give a NumPy scalar or an Enum's member, as labels may be, as Python's; else as it is."""
    value = value.value if isinstance(value, Enum) else value
    return value.item() if isinstance(value, np.generic) else value


def _non_finite(name: Any) -> float:
    if isinstance(name, str) and name in _NON_FINITE:
        return _NON_FINITE[name]
    raise _expected(f"one of {', '.join(_NON_FINITE)}", name, _FLOAT)


def _pairs(pairs: Any) -> dict[Any, Any]:
    read: dict[Any, Any] = {}
    for pair in _of_type(list, pairs, _PAIRS):
        if not isinstance(pair, list) or len(pair) != 2:
            raise _expected("a pair of key and value", pair, _PAIRS)
        read[read_as(object, from_marked(pair[0]), f"{_PAIRS} key")] = from_marked(pair[1])
    return read


def _refuse_constant(name: str) -> Any:
    raise SchemaError(f"it must hold numbers that JSON knows. Got {name} instead.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise SchemaError(f"it must hold numbers within float64. Got {text[:40]} instead.")
    return number


def _bounded(text: str) -> int:
    if len(text) > 20 or not MIN_INTEGER <= int(text) <= MAX_INTEGER:
        raise SchemaError(f"it must hold whole numbers within 64 bits. Got {text[:40]} instead.")
    return int(text)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise SchemaError(
            f"its keys must differ. Got one twice instead, of {str(list(read))[:80]}."
        )
    return read


def _expected(what: str, value: Any, where: str) -> SchemaError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return SchemaError(f"`{where}` must be {what}. Got {shown} instead.")


def _of_type(kind: type[T], value: Any, where: str) -> T:
    if isinstance(value, kind):
        return value
    raise _expected(f"a {kind.__name__}", value, where)


def _read_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    """Read as the first option that takes the value; the last one's complaint is raised."""
    # None first: its complaint says least
    *others, last = sorted(options, key=lambda option: option is not type(None))
    for option in others:
        with contextlib.suppress(SchemaError):
            return read_as(option, value, where)
    return read_as(last, value, where)


def _read_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    items = value if isinstance(value, tuple) else _of_type(list, value, where)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(items)
    if len(items) != len(kinds):
        raise _expected(f"a list of {len(kinds)}", value, where)
    pairs = zip(kinds, items, strict=True)
    return tuple(read_as(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def _required_keys(kind: Any) -> frozenset[str]:
    """Give a TypedDict's required keys; its own list of them misses postponed annotations."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return frozenset(k for k, v in hints.items() if typing.get_origin(v) is not typing.NotRequired)


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    """Read all fields, those with defaults included, and let the class check them, too."""
    names = frozenset(field.name for field in dataclasses.fields(kind))
    read = _read_fields(kind, names, value, where)
    try:
        return kind(**read)
    except ValueError as error:
        raise SchemaError(f"`{where}`: {error}") from None


def _read_fields(kind: Any, required: frozenset[str], value: Any, where: str) -> dict[str, Any]:
    hints, fields = typing.get_type_hints(kind), _of_type(dict, value, where)
    for name in fields:
        if name not in hints:
            raise SchemaError(
                f"`{where}` has the unknown key {name!r:.80}.{did_you_mean(name, hints)}"
            )
    if missing := sorted(required - fields.keys()):
        raise SchemaError(f"`{where}` must have the key {missing[0]!r}, which is missing.")
    return {name: read_as(hints[name], item, f"{where}.{name}") for name, item in fields.items()}


_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((float, int), "a number"),
    str: ((str,), "a text"),
    type(None): ((type(None),), "null"),
    object: ((bool, int, float, str, type(None)), "a number, a text or null"),
}


def _read_plain(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        if isinstance(value, list):
            return _read_tuple((object, ...), value, where)
        kind = object
    types_, what = _PLAIN[type(None) if kind is None else kind]
    if type(value) in types_:  # not isinstance: True is no number
        return value
    raise _expected(what, value, where)
