"""benchmarks/data.py: the readers, and draws whose parts never overlap."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.data import (
    TASKS,
    Images,
    content_hashes,
    distinct,
    draw_parts,
    first_of_each,
    load_test,
    load_train,
    log_mel,
    split_parts,
    without,
)

NOWHERE = Path("digits come with scikit-learn")


def test_parts_of_a_draw_share_no_image():
    parts = draw_parts("digits", NOWHERE, seed=3)
    test = load_test("digits", NOWHERE)

    pieces = (parts.train, parts.development, parts.further, test)
    together = [image for part in pieces for image in content_hashes(part.X)]

    assert len(set(together)) == len(together)
    assert len(together) - len(test.y) == len(load_train("digits", NOWHERE).y)
    assert np.bincount(parts.train.y).tolist() == list(TASKS["digits"].counts)
    assert np.bincount(parts.development.y).tolist() == [20] * 10


def test_equal_images_do_not_come_into_two_parts():
    X = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    images = Images(X[[0, 1, 1, 2, 0]], np.array([0, 1, 0, 1, 0]))

    kept = distinct(images)
    left = without(Images(X, np.zeros(6, dtype=np.int64)), kept)

    assert sorted(zip(kept.X.ravel(), kept.y, strict=True)) == [(0, 0), (1, 0), (2, 1)]
    assert left.X.ravel().tolist() == [3, 4, 5]


def test_the_order_of_a_copy_does_not_change_the_draw():
    images = load_train("digits", NOWHERE)
    order = np.random.default_rng(0).permutation(len(images.y))

    shuffled = distinct(Images(images.X[order], images.y[order]))

    assert np.array_equal(shuffled.X, images.X)
    assert np.array_equal(shuffled.y, images.y)


def test_another_seed_is_another_draw():
    first, again, other = (draw_parts("digits", NOWHERE, seed).train.X for seed in (0, 0, 1))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_development_part_comes_before_the_training_images():
    images = Images(np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1), np.repeat([0, 1], [6, 3]))

    parts = split_parts(images, (5, 1), 2, seed=0)

    assert np.bincount(parts.train.y).tolist() == [4, 1]
    with pytest.raises(ValueError, match="Class 1 must have more than the 3 images"):
        split_parts(images, (2, 1), 3, seed=0)


def test_the_ceiling_takes_what_there_is_of_a_class():
    further = Images(np.arange(5)[:, None, None, None], np.array([0, 0, 0, 1, 1]))

    taken = first_of_each(further, [2, 4])

    assert np.bincount(taken.y).tolist() == [2, 2]


# --- readers -----------------------------------------------------------------------------------


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_mnists_format_is_read(tmp_path):
    X, y = np.arange(2 * 28 * 28).reshape(2, 28, 28) % 256, np.array([7, 3])
    write_idx(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte", X)
    write_idx(tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte", y)

    images = TASKS["mnist"].load(tmp_path, True)

    assert np.array_equal(images.X[:, 0], X)
    assert images.y.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("task", "shape"), [("cifar10", (3, 32, 32)), ("cifar10-grey", (1, 16, 16))]
)
def test_folders_of_pictures_are_read(tmp_path, task, shape):
    for code, name in enumerate(("cat", "dog")):
        folder = tmp_path / "cifar10" / "train" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (32, 32), (100 * code, 0, 0)).save(folder / "0000.png")

    images = TASKS[task].load(tmp_path, True)

    assert images.X.shape == (2, *shape)
    assert images.y.tolist() == [0, 1]
    assert images.X[0].max() == 0 < images.X[1].max()
    with pytest.raises(FileNotFoundError, match="check --data-dir"):
        TASKS[task].load(tmp_path / "elsewhere", True)


def tone(frequency, n=4000):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(n) / 8000)


def test_a_high_tone_is_higher_in_the_image_than_a_low_one_and_silence_is_dark():
    low, high = (log_mel(tone(frequency), 32).astype(float) for frequency in (300, 3000))

    loudest = [image[:, :10].mean(axis=1).argmax() for image in (low, high)]

    assert loudest[1] < loudest[0]
    assert low.max() == 255
    assert low[:, -10:].max() == 0  # half a second, padded


def test_recordings_are_split_by_their_index(tmp_path):
    folder = tmp_path / "spoken-digits" / "recordings"
    folder.mkdir(parents=True)
    for index in (0, 4, 5, 12):
        with wave.open(str(folder / f"3_ada_{index}.wav"), "wb") as recording:
            recording.setparams((1, 2, 8000, 0, "NONE", ""))
            recording.writeframes((tone(500 + index) * 2**15).astype("<i2").tobytes())

    train, test = (TASKS["spoken-digits"].load(tmp_path, part) for part in (True, False))

    assert train.X.shape == test.X.shape == (2, 1, 32, 32)
    assert train.y.tolist() == [3, 3]
    assert not {*content_hashes(train.X)} & {*content_hashes(test.X)}
