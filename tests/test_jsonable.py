"""ganaug/jsonable.py: plain values there, and back without belief."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
import pytest

from ganaug.jsonable import (
    SchemaError,
    dumps,
    from_marked,
    jsonable,
    loads_strictly,
    marked,
    read_as,
)


def test_figures_become_what_every_reader_takes():
    figures = {
        1: np.float32(0.5),
        np.int64(2): (np.nan, np.inf, [np.arange(3)]),
        "c": {True: np.bool_(True), None: None},
    }

    plain = jsonable(figures)

    assert plain == {"1": 0.5, "2": [None, None, [[0, 1, 2]]], "c": {"True": True, "None": None}}
    assert json.loads(dumps(plain)) == plain


@pytest.mark.parametrize(
    "value",
    [
        {3: math.inf, -2.5: -math.inf, True: "x"},
        {"float": 1, "pairs": [1]},
        {"a": [None, {"b": {0: 1}}]},
        [[], {}, ""],
        {},
    ],
    ids=str,
)
def test_marked_values_come_back(value):
    assert from_marked(loads_strictly(dumps(marked(value)))) == value


def test_a_marked_nan_comes_back():
    assert math.isnan(from_marked(loads_strictly(dumps(marked(np.float64("nan"))))))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"float": "eval"}, "float"),
        ({"float": 1.0}, "float"),
        ({"pairs": 1}, "a list"),
        ({"pairs": [[1]]}, "a pair"),
        ({"pairs": [[[1], 2]]}, "pairs key"),
        ({"pairs": [[{}, 2]]}, "pairs key"),
    ],
    ids=str,
)
def test_other_marks_are_refused(value, said):
    with pytest.raises(SchemaError, match=said):
        from_marked(value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, "NaN", "-Infinity", "1e400", "9" * 30, "9" * 6000, '{"a": 1, "a": 1}'],
    ids=lambda text: text[:10],
)
def test_text_past_any_sense_is_refused(text):
    with pytest.raises(SchemaError):
        loads_strictly(text)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(SchemaError):
        loads_strictly(b"\xff\xfe\x00")


def test_the_largest_whole_numbers_are_taken():
    assert loads_strictly(f"[{2**64 - 1}, {-(2**63)}]") == [2**64 - 1, -(2**63)]


@dataclasses.dataclass(frozen=True)
class Size:
    height: int
    width: int = 8

    def __post_init__(self):
        if self.height > 128:
            raise ValueError("too high")


class Person(TypedDict):
    name: str
    sizes: list[Size]
    age: NotRequired[float | None]


GOOD = [
    (int, 3, 3),
    (float, 3, 3),
    (float, 0.5, 0.5),
    (str | None, None, None),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (Literal["a", 1], 1, 1),
    (dict[str, list[bool]], {"a": [True]}, {"a": [True]}),
    (tuple[float, float] | None, [0, 1], (0, 1)),
    (object, "a", "a"),
    (Any, [1, "a"], (1, "a")),
    (Size, {"height": 8, "width": 9}, Size(8, 9)),
    (
        Person,
        {"name": "x", "sizes": [{"height": 1, "width": 2}]},
        {"name": "x", "sizes": [Size(1, 2)]},
    ),
]


@pytest.mark.parametrize(("kind", "value", "expected"), GOOD, ids=str)
def test_values_of_the_declared_kind_are_read(kind, value, expected):
    read = read_as(kind, value, "it")

    assert read == expected
    assert type(read) is type(expected)


BAD = [
    (int, True, "`it` must be a whole number. Got True"),
    (int, 1.0, "a whole number"),
    (int, "1", "a whole number"),
    (float, True, "a number"),
    (bool, 1, "true or false"),
    (str, None, "a text"),
    (str | int, [1], "a whole number"),
    (tuple[int, int], [1], "a list of 2"),
    (tuple[int, ...], "ab", "a list"),
    (tuple[int, ...], [1, [2]], r"`it\[1\]` must be a whole number"),
    (Literal["a", 1], True, "one of 'a', 1"),
    (dict[str, int], {"a": "b"}, "`it.a` must be a whole number"),
    (dict[str, int], [1], "a dict"),
    (object, [1], "a number, a text or null"),
    (Any, [[1]], "a number, a text or null"),
    (Size, {"height": 8}, "'width', which is missing"),
    (Size, {"height": 8, "widht": 9}, "unknown key 'widht'. Did you mean 'width'"),
    (Size, {"height": 999, "width": 9}, "too high"),
    (Size, [8, 9], "a dict"),
    (Person, {"name": "x", "sizes": [{}]}, r"`it.sizes\[0\]` must have"),
    (Person, {"name": "x", "sizes": [], "age": "9"}, "`it.age` must be a number"),
]


@pytest.mark.parametrize(("kind", "value", "said"), BAD, ids=str)
def test_other_values_are_refused_and_the_place_named(kind, value, said):
    with pytest.raises(SchemaError, match=said):
        read_as(kind, value, "it")


def test_a_long_value_is_shown_in_short():
    with pytest.raises(SchemaError) as caught:
        read_as(int, "x" * 10_000, "it")

    assert len(str(caught.value)) < 200
