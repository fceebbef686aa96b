"""ganaug/inputs/containers.py: samples taken and replaced in what holds them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs import read_training_set
from ganaug.inputs.containers import (
    extendable_samples,
    refuse_dataset,
    refuse_non_finite,
    replace_samples,
    take_samples,
)

VALUES = np.arange(24.0).reshape(6, 4)
KINDS = {
    "array": np.asarray,
    "tensor": torch.from_numpy,
    "list": list,
    "frame": lambda values: pd.DataFrame(values, index=list("uvwxyz")[: len(values)]),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_samples_are_taken_in_any_order_and_repeated(make):
    X = make(VALUES)

    taken = take_samples(X, np.array([4, 0, 4]))

    assert type(taken) is type(X)
    assert np.array_equal(np.asarray(taken), VALUES[[4, 0, 4]])


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_replaced_samples_stand_in_a_copy(make):
    X, others = make(VALUES), make(-VALUES[:2] - 1)

    out = replace_samples(X, np.array([5, 1]), others)

    assert type(out) is type(X)
    assert np.array_equal(np.asarray(out)[[5, 1]], -VALUES[:2] - 1)
    assert np.array_equal(np.asarray(out)[[0, 2, 3, 4]], VALUES[[0, 2, 3, 4]])
    assert np.array_equal(np.asarray(X), VALUES)


def test_replaced_samples_take_the_dtypes_and_names_of_those_around_them():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}, index=["x", "y", "z"])

    out = replace_samples(frame, np.array([1]), pd.DataFrame({"a": [9], "b": [9.0]}))

    assert (out.dtypes == frame.dtypes).all()
    assert out.index.tolist() == ["x", "y", "z"]
    tensor = replace_samples(torch.zeros(3, 2), np.array([1]), torch.ones(1, 2).double())
    assert tensor.dtype == torch.float32


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, np.nan], [np.nan, np.inf]]),
        torch.tensor([[1, torch.nan], [torch.nan, torch.inf]]),
        pd.DataFrame([[1, np.nan], [np.nan, np.inf]]),
    ],
    ids=["array", "tensor", "frame"],
)
def test_non_finite_values_are_counted(X):
    with pytest.raises(InvalidInputError, match="2 NaN and 1 infinite"):
        refuse_non_finite(X)


def test_finite_values_of_any_container_pass():
    for X in (
        VALUES,
        torch.ones(2, dtype=torch.int8),
        pd.DataFrame(VALUES),
        [Image.new("L", (8, 8))],
    ):
        refuse_non_finite(X)


def test_a_dataset_is_not_rewritten():
    with pytest.raises(InvalidTypeError, match="Got a Dataset"):
        refuse_dataset(TensorDataset(torch.ones(2, 3)))


IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
FITTED = {
    "array": IMAGES,
    "tensor": torch.from_numpy(IMAGES),
    "list": list(IMAGES),
    "frame": pd.DataFrame(IMAGES[:, 0] - 1.0),
}


@pytest.mark.parametrize("kind", FITTED)
def test_samples_of_the_fitted_container_can_be_extended(kind):
    X = FITTED[kind]
    spec = read_training_set(X, [0, 1] * 20).spec

    assert extendable_samples(X, spec) is X
    for other in set(FITTED) - {kind, "array"}:
        if other == "list" and kind != "list":
            assert isinstance(extendable_samples(FITTED[other], spec), np.ndarray)
            continue
        with pytest.raises(InvalidTypeError, match="as in fit. Got a"):
            extendable_samples(FITTED[other], spec)
