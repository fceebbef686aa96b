"""ganaug/inputs/labels.py"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs.labels import LabelKind, as_labels, encode_labels, read_labels
from ganaug.jsonable import read_as

STRINGS = ["boot", "bag", "coat", "bag"]


@pytest.mark.parametrize(
    "y",
    [
        np.array([5, 3, 5, 9]),
        np.array([5, 3, 5, 9], dtype=np.uint8),
        np.array([1.0, 0.0, 2.0]),
        np.array([True, False, True]),
        np.array(STRINGS),
        np.array(STRINGS, dtype=object),
        np.array([np.int64(5), 3], dtype=object),
        torch.tensor([4, 2, 4], dtype=torch.int32),
        [5, 3, 5],
        STRINGS,
        pd.Series([5, 3, 5], name="kind"),
        pd.Series(STRINGS, name="kind"),
        pd.Series(STRINGS, dtype="category"),
        pd.Series(STRINGS, dtype=object),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}",
)
def test_labels_come_back_alike_also_after_saving(y):
    codes, classes, kind = read_labels(y)
    saved = json.loads(json.dumps([dataclasses.asdict(kind), classes.tolist()]))
    kind = read_as(LabelKind, saved[0], "label_kind")

    back = kind.decode(codes, kind.restore_classes(saved[1]))

    assert type(back) is type(y)
    assert list(back) == list(y)
    assert getattr(back, "dtype", None) == getattr(y, "dtype", None)
    assert getattr(back, "name", None) == getattr(y, "name", None)
    assert codes.dtype == np.int64


@given(st.lists(st.integers(-5, 5), min_size=1))
def test_codes_are_positions_in_the_sorted_classes(y):
    codes, classes, _ = read_labels(y)

    assert classes.tolist() == sorted(set(y))
    assert classes[codes].tolist() == y
    assert (encode_labels(y, classes) == codes).all()


@pytest.mark.parametrize(
    ("y", "new"),
    [
        (np.array(STRINGS), ["bag"]),
        (torch.tensor([1, 2]), [2]),
        (STRINGS, ["bag"]),
        (pd.Series(STRINGS, dtype="category", name="kind"), ["bag"]),
        (pd.Series([3, 4], index=[10, 20], dtype="int8"), [4]),
    ],
    ids=["array", "tensor", "list", "category", "series"],
)
def test_new_labels_follow_the_users_own(y, new):
    _, classes, kind = read_labels(y)

    joined = kind.concatenate(y, kind.decode(encode_labels(new, classes), classes))

    assert type(joined) is type(y)
    assert list(joined) == [*y, *new]
    assert getattr(joined, "dtype", None) == getattr(y, "dtype", None)


def test_the_index_of_a_series_is_continued():
    y = pd.Series([3, 4], index=[10, 20], name="kind")
    _, classes, kind = read_labels(y)

    joined = kind.concatenate(y, kind.decode(np.array([0, 0]), classes))

    assert joined.index.tolist() == [10, 20, 21, 22]
    assert joined.name == "kind"


@pytest.mark.parametrize("values", [STRINGS, [5, 3, 5]], ids=["text", "numbers"])
def test_labels_in_an_arrow_dictionary_are_its_values(values):
    pa = pytest.importorskip("pyarrow")
    y = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values).dictionary_encode()))
    codes, classes, kind = read_labels(y)

    decoded = kind.decode(codes, classes)
    joined = kind.concatenate(y, decoded)

    assert classes.tolist() == sorted(set(values))
    assert decoded.tolist() == values
    assert joined.dtype == y.dtype
    assert joined.tolist() == [*values, *values]


def test_longer_new_strings_are_not_cut():
    _, classes, kind = read_labels(np.array(["boot", "umbrella"]))

    joined = kind.concatenate(np.array(["boot"]), kind.decode(np.array([1]), classes))

    assert joined.tolist() == ["boot", "umbrella"]


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32", "bool"])
@pytest.mark.parametrize("fitted", ["int64", "float64"])
def test_numbers_keep_their_dtype_whatever_was_fitted(dtype, fitted):
    _, classes, kind = read_labels(np.array([0, 1], dtype=fitted))

    joined = kind.concatenate(np.array([1, 0], dtype), kind.decode(np.array([1]), classes))

    assert joined.dtype == dtype
    assert joined.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "y", [np.array([[1], [0]]), pd.DataFrame({"kind": [1, 0]}), torch.tensor([[1], [0]])]
)
def test_a_single_column_is_labels_too(y):
    assert as_labels(y).tolist() == [1, 0]
    _, classes, kind = read_labels(y)
    assert list(kind.concatenate(y, kind.decode(np.array([1]), classes))) == [1, 0, 1]


@pytest.mark.parametrize(
    ("y", "new", "expected"),
    [
        ([["bag"], ["boot"]], 1, ["boot"]),
        ([("bag",), ("boot",)], 1, ("boot",)),
        ([[3], [4]], 0, [3]),
        ([(np.int8(3),), (np.int8(4),)], 1, (np.int8(4),)),
        ([np.array(["bag"]), np.array(["boot"])], 1, np.array(["boot"])),
    ],
    ids=["list of text", "tuple of text", "list", "tuple", "array of text"],
)
def test_new_labels_are_held_one_by_one_as_the_users_own(y, new, expected):
    _, classes, kind = read_labels(y)

    joined = kind.concatenate(y, kind.decode(np.array([new]), classes))

    assert joined[:2] == y
    assert type(joined[2]) is type(expected)
    assert type(joined[2][0]) is type(expected[0])
    assert joined[2] == expected


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([1.0, np.nan, np.nan], InvalidInputError, "2 missing"),
        (["a", None], InvalidInputError, "1 missing"),
        (pd.Series([1, None, 2], dtype="Int64"), InvalidInputError, "1 missing"),
        (pd.Series(["a", pd.NA]), InvalidInputError, "1 missing"),
        ([0.5, 1.0], InvalidInputError, "continuous"),
        (np.eye(3), InvalidInputError, r"\(3, 3\).*argmax"),
        (np.ones((3, 3)), InvalidInputError, r"\(3, 3\).*multi-label"),
        (3, InvalidTypeError, "must be a list, an array"),
        (["a", 1], InvalidTypeError, "str and int"),
        (np.array(["a", 1], dtype=object), InvalidTypeError, "str and int"),
        ([True, 1, 0], InvalidTypeError, "bool and int"),
        ([1, np.inf], InvalidInputError, "infinite"),
        (np.ma.masked_equal([1, 2, 1], 2), InvalidTypeError, "masked"),
        (["a" * 2000, "b"], InvalidInputError, "at most 1000 characters"),
        (["a\0", "b"], InvalidInputError, "valid text"),
        (["\ud800", "b"], InvalidInputError, "valid text"),
        (np.eye(3)[[0, 2]], InvalidInputError, r"pass y.argmax\(axis=1\)"),
        (pd.get_dummies(pd.Series([1, 2])), InvalidInputError, r"y.to_numpy\(\).argmax"),
        (np.eye(3).tolist(), InvalidInputError, r"np.asarray\(y\).argmax"),
        (np.array([1j, 2]), InvalidTypeError, "complex128"),
        (np.array([b"a", b"b"]), InvalidTypeError, "S1"),
        ([("a", 1), {"b": 2}], InvalidInputError, "one label per sample"),
        ([{"a": 1}, {"b": 2}], InvalidTypeError, "Got a dict"),
    ],
)
def test_what_cannot_be_a_label_is_refused(y, error, message):
    with pytest.raises(error, match=message):
        read_labels(y)


def test_classes_not_seen_in_fit_are_named():
    with pytest.raises(InvalidInputError, match="'bagg', 'x' as well. Did you mean 'bag'"):
        encode_labels(["bag", "bagg", "x", "bagg"], np.array(["bag", "boot"]))
