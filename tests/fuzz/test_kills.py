"""Processes that are killed at any moment: what they wrote is whole, or as it was before."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from ganaug import GANAugmenter
from ganaug.outputs import Origin, Row, open_output
from tests.fuzz.cases import seeds

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

TINY = {"image_shape": (8, 8), "width": 4, "filter": None, "verbose": 0}


@pytest.fixture(autouse=True)
def one_thread():
    """A fork of a process that has used several threads may wait for them for ever."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == code)[:40] for code in range(2)])
    return X[index], y[index]


def killed_after(seconds, work, meanwhile=lambda: None):
    """Fork, work, and kill the child after a while; True when it was done by then."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        meanwhile()
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return True
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def weights_of(augmenter):
    state = augmenter.model_.gans[0].generator_state
    return augmenter.seed_, b"".join(state[name].numpy().tobytes() for name in sorted(state))


def test_a_model_survives_kills_of_those_who_save_it_and_readers_beside(digits, tmp_path):
    old, new = (
        GANAugmenter(**TINY, max_images=64, random_state=seed).fit(*digits) for seed in (0, 1)
    )
    known = {weights_of(old), weights_of(new)}
    path = tmp_path / "model"
    old.save(path)

    def save_again_and_again():
        while True:
            for augmenter in (new, old):
                augmenter.save(path)

    def read():
        assert weights_of(GANAugmenter.load(path, device="cpu")) in known

    for seed in seeds(5, 300):
        rng = random.Random(f"kill {seed}")
        killed_after(rng.uniform(0.01, 0.15), save_again_and_again, meanwhile=read)
        read()
        assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    new.save(path)

    assert sorted(entry.name for entry in path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("training", seeds(1, 20))
def test_a_training_that_is_killed_again_and_again_ends_as_one_that_is_not(
    training, digits, tmp_path
):
    parameters = {**TINY, "max_images": 1024, "random_state": training}
    whole = GANAugmenter(**parameters).fit(*digits)
    parameters |= {"checkpoint_dir": tmp_path / "state", "cache_dir": tmp_path / "cache"}

    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            GANAugmenter(**parameters).fit(*digits)

    rng = random.Random(f"training {training}")
    for _ in range(8):
        if killed_after(rng.uniform(0.05, 0.4), fit):
            break
    again = GANAugmenter(**parameters).fit(*digits)

    assert weights_of(again) == weights_of(whole)
    assert again.n_images_seen_ == whole.n_images_seen_


def test_samples_are_whole_or_recognisable_when_those_who_write_them_are_killed(digits, tmp_path):
    augmenter = GANAugmenter(**TINY, max_images=64, random_state=0).fit(*digits)
    out = tmp_path / "new"
    written = [augmenter.sample(n) for n in (6, 14)]

    def write(X, y):
        with open_output(out, augmenter.spec_, Origin(len(y), "digest"), overwrite=True) as output:
            output.add(X, [Row(str(name), "synthetic", i) for i, name in enumerate(y)])

    def write_again_and_again():
        while True:
            for X, y in written:
                write(X, y)

    for seed in seeds(5, 100):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            killed_after(random.Random(f"writer {seed}").uniform(0.005, 0.1), write_again_and_again)
        kept = [entry for entry in tmp_path.iterdir() if entry.suffix != ".partial"]
        for folder in [out] if out.exists() else kept:  # or moved aside for the next one
            lines = (folder / "manifest.jsonl").read_text().splitlines()
            files = {folder / json.loads(line)["file"] for line in lines}
            assert len(files) in (0, 6, 14)
            assert files == set(folder.rglob("*.png"))
            assert all(np.asarray(Image.open(file)).shape == (8, 8) for file in files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(*written[0])
        write(*written[1])

    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]
