"""ganaug/cache.py: trained models are found again whole, or trained anew."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
import random
import shutil
import warnings

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import ganaug.cache
from ganaug import GANAugmenter, GANOverSampler, cache
from ganaug.exceptions import InvalidInputError, TrainingWarning
from ganaug.gan.config import GANConfig

TINY = {
    "n_generators": 1,
    "width": 4,
    "max_images": 64,
    "filter": None,
    "random_state": 0,
    "verbose": 0,
    "image_shape": (8, 8),
}


@pytest.fixture(scope="module")
def rows(all_digits):
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == code)[:30] for code in range(2)])
    return X[index], y[index]


@pytest.fixture
def n_trainings(monkeypatch):
    calls = []
    train_model = ganaug.cache.train_model

    def counted(*args, **kwargs):
        calls.append(1)
        return train_model(*args, **kwargs)

    monkeypatch.setattr("ganaug.cache.train_model", counted)
    return lambda: len(calls)


@pytest.fixture
def entry(rows, tmp_path):
    """The only file of a cache with one model."""
    GANAugmenter(**TINY, cache_dir=tmp_path / "cache").fit(*rows)
    (file,) = (tmp_path / "cache").iterdir()
    return file


def fit(rows, file, **options):
    return GANAugmenter(**{**TINY, **options}, cache_dir=file.parent).fit(*rows)


@pytest.fixture(scope="module")
def samples(rows):
    return GANAugmenter(**TINY).fit(*rows).sample(6)[0]


def test_a_model_from_the_cache_is_the_trained_one(rows, entry, samples, n_trainings):
    found = fit(rows, entry)

    assert n_trainings() == 0
    assert_array_equal(found.sample(6)[0], samples)
    assert found.origin_["hardware"]["device"] == "cpu"
    assert found.history_[0]["images_seen"] > 0


def test_the_filter_s_classifier_is_kept_too(rows, tmp_path):
    options = {**TINY, "filter": "classifier", "cache_dir": tmp_path}
    first, again = (GANAugmenter(**options).fit(*rows) for _ in range(2))

    assert again.trust_ == first.trust_
    values = first.spec_.encode(rows[0])
    assert_array_equal(
        again.model_.classifier.predict_proba(values), first.model_.classifier.predict_proba(values)
    )


def test_an_entry_is_a_file_of_tensors_and_nothing_is_unpickled(rows, entry, samples, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, names in {
        torch: ["load"],
        pickle: ["load", "loads", "Unpickler"],
        joblib: ["load"],
        np: ["load"],
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, refuse)

    assert entry.suffix == ".safetensors"
    assert_array_equal(fit(rows, entry).sample(6)[0], samples)


def damage(content, rng):
    """Flip a bit, cut the end off, or lose a block."""
    place, kind = rng.randrange(len(content)), rng.choice(["flip", "cut", "zero"])
    if kind == "cut":
        return content[:place]
    if kind == "flip":
        return (
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )
    block = content[place : place + 2000]
    return content[:place] + bytes(len(block)) + content[place + len(block) :]


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_entry_is_trained_anew_and_replaced(seed, rows, entry, samples, n_trainings):
    whole = entry.read_bytes()
    damaged = damage(whole, random.Random(seed))
    entry.write_bytes(damaged)
    if damaged == whole:  # zeros in place of zeros
        return

    with pytest.warns(TrainingWarning, match="cached model is not used, and trained anew"):
        again = fit(rows, entry)

    assert n_trainings() == 1
    assert_array_equal(again.sample(6)[0], samples)
    fit(rows, entry)
    assert n_trainings() == 1


def test_an_entry_under_the_name_of_another_is_not_taken_for_it(rows, entry, n_trainings):
    fit(rows, entry, random_state=1)
    (other,) = set(entry.parent.iterdir()) - {entry}
    shutil.copy(other, entry)

    with pytest.warns(TrainingWarning, match="of other data or parameters"):
        assert fit(rows, entry).seed_ == 0

    assert n_trainings() == 2


def test_a_saved_model_is_no_entry(rows, entry, n_trainings, tmp_path):
    fit(rows, entry).save(tmp_path / "model")
    shutil.copy(tmp_path / "model" / "model.safetensors", entry)

    with pytest.warns(TrainingWarning, match="kind must be 'cached model'"):
        fit(rows, entry)

    assert n_trainings() == 1


def test_another_version_trains_again(rows, entry, n_trainings, monkeypatch):
    monkeypatch.setattr(cache, "library_versions", lambda: {"torch": "another"})

    fit(rows, entry)

    assert n_trainings() == 1


def test_other_defaults_of_the_engine_train_again(rows, entry, n_trainings, monkeypatch):
    field = next(field for field in dataclasses.fields(GANConfig) if field.name == "diffaugment")
    monkeypatch.setattr(field, "default", True)

    fit(rows, entry)

    assert n_trainings() == 1


def test_a_full_disk_costs_the_entry_but_not_the_model(rows, tmp_path, samples, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(TrainingWarning, match="could not be kept.*No space left"):
        augmenter = GANAugmenter(**TINY, cache_dir=tmp_path / "cache").fit(*rows)

    assert_array_equal(augmenter.sample(6)[0], samples)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("kind", ["a file", "under a file", "a number", "a memory"])
def test_a_cache_dir_that_cannot_be_one_is_refused_before_training(
    kind, rows, tmp_path, n_trainings
):
    (tmp_path / "file").write_text("mine")
    cache_dir = {
        "a file": tmp_path / "file",
        "under a file": tmp_path / "file" / "cache",
        "a number": 3,
        "a memory": joblib.Memory(None),
    }[kind]

    for augmenter in (
        GANAugmenter(**TINY, cache_dir=cache_dir),
        GANOverSampler(
            GANAugmenter(**TINY),
            synthetic_share=0.25,
            cache_dir=cache_dir,
            sampling_strategy={0: 40},
        ),
    ):
        fit = augmenter.fit if isinstance(augmenter, GANAugmenter) else augmenter.fit_resample
        with pytest.raises(InvalidInputError, match="`cache_dir` must be a directory"):
            fit(*rows)
    assert n_trainings() == 0


def test_two_processes_share_a_cache(rows, tmp_path, samples):
    def train():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for seed in (0, 1, 0, 1):
                GANAugmenter(**{**TINY, "random_state": seed}, cache_dir=tmp_path).fit(*rows)
        os._exit(0)

    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                train()
            finally:
                os._exit(1)
        children.append(pid)

    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 2
    found = GANAugmenter(**TINY, cache_dir=tmp_path).fit(*rows)
    assert_array_equal(found.sample(6)[0], samples)
