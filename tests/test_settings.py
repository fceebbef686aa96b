"""Other code's torch settings: the results do not depend on them, and they stay as they are."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from ganaug import GANAugmenter
from ganaug.exceptions import TrainingWarning
from ganaug.settings import own_settings

TINY = {
    "n_generators": 1,
    "synthetic_share": 0.5,
    "width": 4,
    "max_images": 192,
    "random_state": 0,
    "verbose": 0,
}


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "the meta device": lambda: default_device("meta"),
    "the meta device in a block": lambda: torch.device("meta"),
    "no grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "NumPy's errors raised": lambda: np.errstate(all="raise"),
}


def all_settings():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_num_threads(),
        torch.get_num_interop_threads(),
        torch.are_deterministic_algorithms_enabled(),
        np.geterr(),
    )


@pytest.fixture(scope="module")
def rows(all_digits):
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((60, 40, 30))])
    return X[index], y[index]


USES = {
    "images": {"image_shape": (8, 8), "filter": None},
    "images behind a filter": {"image_shape": (8, 8), "filter": "classifier"},
    "a table": {"filter": None},
}


def use(rows, path, kind):
    """Fit, sample, augment, save and load; give the bytes of all that comes of it."""
    X, y = rows
    X = X[:, 20:26] if kind == "a table" else X
    options = {**USES[kind], **TINY}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # the training is far too short
        augmenter = GANAugmenter(**options).fit(X, y)
        augmenter.filter = None
        augmenter.save(path)
        loaded = GANAugmenter.load(path)
        made = [augmenter.sample(9), loaded.sample(9), augmenter.augment(X, y)]
    trust = np.array(list(augmenter.trust_.values()))
    return [trust, *(np.asarray(part) for pair in made for part in pair)]


@pytest.fixture(scope="module")
def expected(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("expected")
    return {kind: use(rows, path / kind, kind) for kind in USES}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, "images") for name in SETTINGS],
        ("float64", "images behind a filter"),
        ("the meta device", "images behind a filter"),
        ("float64", "a table"),
        ("the meta device", "a table"),
    ],
)
def test_settings_of_others_change_nothing_and_are_not_changed(
    name, kind, rows, expected, tmp_path
):
    with SETTINGS[name]():
        before = all_settings()
        made = use(rows, tmp_path / "model", kind)
        after = all_settings()

    assert after == before
    for one, other in zip(made, expected[kind], strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["float64", "the meta device", "inference mode"])
def test_tensors_are_learnt_under_settings_of_others(name, rows, tmp_path):
    images = torch.from_numpy(rows[0] / 16).float().reshape(-1, 1, 8, 8)
    labels = torch.from_numpy(rows[1])
    options = {"filter": None, **TINY}
    whole = GANAugmenter(**options).fit(images, labels).sample(6)

    with SETTINGS[name]():
        made = GANAugmenter(**options).fit(images, labels).sample(6)

    for one, other in zip(made, whole, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one.clone(), other)


@pytest.mark.parametrize("name", SETTINGS)
def test_inside_the_block_torch_is_as_in_a_fresh_process(name):
    with SETTINGS[name](), own_settings():
        made = [
            torch.rand(3),
            torch.tensor([0.5]),
            torch.full((2,), 0.5),
            torch.arange(0.0, 1.0, 0.5),
            torch.as_tensor(0.5),
            torch.nn.Linear(2, 2).weight,
        ]
        assert {tensor.dtype for tensor in made} == {torch.float32}
        assert {tensor.device.type for tensor in made} == {"cpu"}
        assert torch.tensor([1]).dtype == torch.arange(3).dtype == torch.int64
        assert torch.full((2,), 3).dtype == torch.int64
        assert torch.tensor(np.ones(2)).dtype == torch.float64
        torch.ones(2, requires_grad=True).sum().backward()
        assert not torch.is_autocast_enabled("cpu")
