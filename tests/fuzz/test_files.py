"""Damaged and crafted files: refused by the package's own error, or as good as any other."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ganaug import GANAugmenter
from ganaug.cache import cached_training
from ganaug.exceptions import CheckpointError, GanaugError, ModelFileError, TrainingWarning
from ganaug.gan.checkpoints import read_checkpoint
from ganaug.gan.config import GANConfig
from ganaug.gan.training import train
from tests.fuzz.cases import crafted, damaged, packed, seeds

TINY = {"width": 4, "max_images": 64, "random_state": 0, "verbose": 0}
PART = 50
"""Cases of one test: few tests, and a message that names the case."""


def parts(short, long):
    """Seeds in parts, for one test each."""
    all_seeds = seeds(short, long)
    return [all_seeds[i : i + PART] for i in range(0, len(all_seeds), PART)]


def ids(part):
    return f"{part[0]}-{part[-1]}"


@pytest.fixture(scope="session")
def digits(all_digits):
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == code)[:n] for code, n in enumerate((40, 30, 20))])
    return X[index], y[index]


def fitted(digits, kind):
    X, y = digits
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "images":
            augmenter = GANAugmenter(image_shape=(8, 8), filter="classifier", **TINY)
        elif kind == "pandas":
            import pandas as pd

            X = pd.DataFrame(X[:, 20:26], columns=list("abcdef"))
            y = pd.Series(y, name="digit").map({0: "nought", 1: "one", 2: "two"})
            y = y.astype("category")
            augmenter = GANAugmenter(filter=None, **TINY)
        else:
            X = torch.from_numpy(X / 16).float().reshape(-1, 1, 8, 8).repeat(1, 3, 1, 1)
            y = torch.from_numpy(y)
            augmenter = GANAugmenter(conditioning="per_class", filter=None, **TINY)
        return augmenter.fit(X, y)


@pytest.fixture(scope="session", params=["images", "pandas", "tensors"])
def model(request, digits, tmp_path_factory):
    """A saved model: its file, what it says, its tensors."""
    path = tmp_path_factory.mktemp("fuzz") / "model"
    fitted(digits, request.param).save(path)
    return path, *parts_of(path / "model.safetensors")


def parts_of(file):
    with safe_open(file, framework="np") as opened:
        described = json.loads(opened.metadata()["ganaug"])
    return described, load_file(file)


def config():
    return GANConfig(
        class_counts=(40, 30, 20),
        image_shape=(1, 8, 8),
        width=4,
        latent_dim=4,
        batch_size=16,
        max_images=64,
        n_evaluations=2,
    )


@pytest.fixture(scope="session")
def checkpoint(digits, tmp_path_factory):
    images = torch.from_numpy((digits[0] * 15).astype(np.uint8)).reshape(-1, 1, 8, 8)
    labels = torch.from_numpy(digits[1])
    path = tmp_path_factory.mktemp("fuzz") / "network.safetensors"
    train(config(), images, labels, seed=0, checkpoint=path)
    return path, images, labels


# --- models ------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", parts(40, 2000), ids=ids)
def test_a_damaged_model_is_never_loaded(part, model, tmp_path):
    content = (model[0] / "model.safetensors").read_bytes()
    for seed in part:
        (tmp_path / "model.safetensors").write_bytes(damaged(content, seed))
        try:
            GANAugmenter.load(tmp_path, device="cpu")
        except ModelFileError:
            continue
        pytest.fail(f"damage {seed} was loaded")


@pytest.mark.parametrize("part", parts(50, 4000), ids=ids)
def test_a_crafted_model_is_refused_or_works(part, model, tmp_path):
    _, described, tensors = model
    for seed in part:
        (tmp_path / "model.safetensors").write_bytes(crafted(described, tensors, seed))
        try:
            use(GANAugmenter.load(tmp_path, device="cpu"), tmp_path / f"again-{seed}")
        except GanaugError:
            continue
        except BaseException as error:
            raise AssertionError(f"craft {seed} raised {type(error).__name__}") from error


def use(augmenter, path):
    """Do with a model from a stranger what people do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y = augmenter.sample(3)
        assert len(X) == len(y) == 3
        augmenter.save(path)
        again, labels = GANAugmenter.load(path, device="cpu").sample(3)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(X))
    assert list(labels) == list(y)


def test_what_is_written_back_unchanged_is_taken(model, tmp_path):
    # else the crafted files would be refused for a reason of their own
    _, described, tensors = model
    (tmp_path / "model.safetensors").write_bytes(packed(described, tensors))

    use(GANAugmenter.load(tmp_path, device="cpu"), tmp_path / "again")


# --- checkpoints -------------------------------------------------------------------------------


@pytest.mark.parametrize("part", parts(50, 2000), ids=ids)
def test_a_damaged_checkpoint_is_never_resumed_from(part, checkpoint, tmp_path):
    content, path = checkpoint[0].read_bytes(), tmp_path / "network.safetensors"
    for seed in part:
        path.write_bytes(damaged(content, seed))
        try:
            read_checkpoint(path, config(), ":0")
        except CheckpointError:
            continue
        pytest.fail(f"damage {seed} was read")


@pytest.mark.parametrize("part", parts(40, 2000), ids=ids)
def test_a_crafted_checkpoint_is_refused_or_resumed_from(part, checkpoint, tmp_path):
    source, images, labels = checkpoint
    described, tensors = parts_of(source)
    path = tmp_path / "network.safetensors"
    for seed in part:
        path.write_bytes(crafted(described, tensors, seed))
        try:
            train(config(), images, labels, seed=0, checkpoint=path)
        except GanaugError:
            continue
        except BaseException as error:
            raise AssertionError(f"craft {seed} raised {type(error).__name__}") from error


# --- the cache ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", parts(40, 2000), ids=ids)
def test_a_damaged_entry_of_the_cache_is_trained_anew(part, digits, tmp_path):
    model = fitted(digits, "tensors").model_
    cached_training(tmp_path, "key", lambda: model)
    entry = tmp_path / "key.safetensors"
    content = entry.read_bytes()
    for seed in part:
        entry.write_bytes(damaged(content, seed))
        with pytest.warns(TrainingWarning, match="trained anew"):
            assert cached_training(tmp_path, "key", lambda: model) is model, seed
        assert entry.read_bytes() == content
