"""Data sets, how imbalanced they are made, and the draws that all benchmarks share.

All images are uint8 (n, C, H, W). Images are ordered by content hash before anything is drawn, so
that a seed draws the same ones from any copy of a data set, whatever its order, and equal images
never come into two parts.
"""

from __future__ import annotations

import hashlib
import struct
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.datasets import load_digits

from ganaug.warping import AFFINE

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
Loader = Callable[[Path, bool], "Images"]
"""(data directory, official training or test set) -> images."""

PROTOCOL_COUNTS = (4000, 2000, 1000, 750, 500, 350, 200, 100, 60, 40)
"""Training images per class in the protocol of DeepSMOTE (Dablain et al., 2022)."""
SMALL_COUNTS = (800, 400, 200, 150, 100, 80, 70, 60, 50, 40)
CIFAR10_COUNTS = (4500, 2000, 1000, 800, 600, 500, 400, 250, 150, 80)
LONG_TAIL_COUNTS = tuple(int(5000 * 0.01 ** (c / 9)) for c in range(10))
SPOKEN_COUNTS = (200, 155, 120, 93, 72, 56, 43, 33, 26, 20)
DIGITS_COUNTS = (60, 50, 40, 30, 25, 20, 15, 12, 10, 10)
EVEN_COUNTS = (30,) * 10
N_TEST_RECORDINGS = 5
"""Of each speaker and digit, the first so many are the test set of the spoken digits."""


class Images(NamedTuple):
    """uint8 images (n, C, H, W) and their labels."""

    X: Array
    y: Labels


@dataclass(frozen=True)
class Task:
    """One data set in one imbalance.

    Parameters
    ----------
    title : str
        As tables call it.
    counts : tuple of int
        Training images drawn per class.
    development_per_class : int
        Images per class of the development part.
    load : callable
        Reads the official training or test set.
    test_per_class : int, optional
        Images per class of the official test set that are used; None: all.
    """

    title: str
    counts: tuple[int, ...]
    development_per_class: int
    load: Loader
    test_per_class: int | None = None


@dataclass(frozen=True)
class Parts:
    """What a draw takes from the official training set; no image is in two of them."""

    train: Images
    development: Images
    """Balanced; on which things are chosen."""
    further: Images
    """All that is left: real images for the ceiling."""


# --- reading -----------------------------------------------------------------------------------


def read_idx(path: Path) -> Array:
    """Read a file of MNIST's format: bytes behind a header of sizes."""
    content = path.read_bytes()
    n_dimensions = content[3]
    shape = struct.unpack(f">{n_dimensions}I", content[4 : 4 + 4 * n_dimensions])
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_dimensions).reshape(shape)


def _idx(name: str) -> Loader:
    def load(data_dir: Path, train: bool) -> Images:
        stem = data_dir / name / "raw" / ("train" if train else "t10k")
        X, y = (read_idx(Path(f"{stem}-{kind}-ubyte")) for kind in ("images-idx3", "labels-idx1"))
        return Images(X[:, None], y.astype(np.int64))

    return load


def _cifar10(mode: str, size: int) -> Loader:
    def load(data_dir: Path, train: bool) -> Images:
        folder = data_dir / "cifar10" / ("train" if train else "test")
        classes = sorted(path for path in folder.glob("*") if path.is_dir())
        if not classes:
            raise FileNotFoundError(
                f"{folder} must hold one folder of images per class. Found none: check --data-dir."
            )
        files = [(path, code) for code, c in enumerate(classes) for path in sorted(c.iterdir())]
        X = np.stack([_read_picture(path, mode, size) for path, _ in files])
        return Images(X, np.array([code for _, code in files], dtype=np.int64))

    return load


def _read_picture(path: Path, mode: str, size: int) -> Array:
    """Read a picture as (C, H, W)."""
    with Image.open(path) as picture:
        small = picture.convert(mode).resize((size, size), Image.Resampling.BOX)
    return np.atleast_3d(np.asarray(small)).transpose(2, 0, 1)


def _spoken_digits(size: int) -> Loader:
    def load(data_dir: Path, train: bool) -> Images:
        folder = data_dir / "spoken-digits" / "recordings"
        X, y = [], []
        for path in sorted(folder.glob("*.wav")):
            digit, _, index = path.stem.split("_")
            if (int(index) >= N_TEST_RECORDINGS) == train:
                X.append(log_mel(read_wave(path), size))
                y.append(int(digit))
        if not X:
            raise FileNotFoundError(f"{folder} must hold WAV files. Found none: check --data-dir.")
        return Images(np.stack(X)[:, None], np.array(y, dtype=np.int64))

    return load


def read_wave(path: Path) -> npt.NDArray[np.float64]:
    """Read a mono recording of 16 bits, -1 to 1."""
    with wave.open(str(path)) as recording:
        frames = recording.readframes(recording.getnframes())
    return np.frombuffer(frames, dtype="<i2") / 2**15


def log_mel(
    sound: npt.NDArray[np.float64], size: int, sampling_rate: int = 8000
) -> npt.NDArray[np.uint8]:
    """Make a log-mel image (size, size): low frequencies at the bottom, time to the right.

    A second of sound, longer ones cut and shorter ones padded; from 60 dB under the loudest value
    (0) up to it (255).
    """
    hop = -(-sampling_rate // size)
    window = 2 * hop
    padded = np.zeros(hop * (size + 1))
    kept = sound[: len(padded)]
    padded[: len(kept)] = kept
    frames = np.stack([padded[i * hop : i * hop + window] for i in range(size)])
    power = np.abs(np.fft.rfft(frames * np.hanning(window), n=4 * window)) ** 2
    mel = power @ _mel_filters(size, power.shape[1], sampling_rate).T
    decibels = 10 * np.log10(mel + 1e-12)
    relative = np.clip((decibels - decibels.max()) / 60 + 1, 0, 1)
    return np.ascontiguousarray(np.rint(255 * relative).astype(np.uint8).T[::-1])


def _mel_filters(n_filters: int, n_frequencies: int, sampling_rate: int) -> Array:
    """Make triangles of equal width on the mel scale."""
    top = 2595 * np.log10(1 + sampling_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_filters + 2) / 2595) - 1)
    frequencies = np.linspace(0, sampling_rate / 2, n_frequencies)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (frequencies - left) / (middle - left)
    falling = (right - frequencies) / (right - middle)
    filters: Array = np.maximum(0, np.minimum(rising, falling))
    return filters


def _digits(data_dir: Path, train: bool) -> Images:  # noqa: ARG001 - they come with scikit-learn
    """Take scikit-learn's digits; 30% of each class serve as the official test set."""
    X, y = load_digits(return_X_y=True)
    images = distinct(Images((X * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y.astype(np.int64)))
    chosen: list[int] = []
    for code in range(10):
        members = np.flatnonzero(images.y == code).tolist()
        n_test = round(0.3 * len(members))
        chosen += members[n_test:] if train else members[:n_test]
    return Images(images.X[chosen], images.y[chosen])


TASKS: dict[str, Task] = {
    "digits": Task("scikit-learn's digits", DIGITS_COUNTS, 20, _digits),
    "mnist": Task("MNIST", PROTOCOL_COUNTS, 500, _idx("MNIST")),
    "fashion-mnist": Task("Fashion-MNIST", PROTOCOL_COUNTS, 500, _idx("FashionMNIST")),
    "mnist-small": Task("MNIST, 1,950 images", SMALL_COUNTS, 200, _idx("MNIST"), 300),
    "fashion-mnist-small": Task(
        "Fashion-MNIST, 1,950 images", SMALL_COUNTS, 200, _idx("FashionMNIST"), 300
    ),
    "spoken-digits": Task("spoken digits", SPOKEN_COUNTS, 40, _spoken_digits(32)),
    "spoken-digits-64": Task("spoken digits, 64x64", SPOKEN_COUNTS, 40, _spoken_digits(64)),
    "digits-even": Task("scikit-learn's digits, 30 a class", EVEN_COUNTS, 20, _digits),
    "mnist-even": Task("MNIST, 30 a class", EVEN_COUNTS, 200, _idx("MNIST"), 300),
    "fashion-mnist-even": Task(
        "Fashion-MNIST, 30 a class", EVEN_COUNTS, 200, _idx("FashionMNIST"), 300
    ),
    "spoken-digits-even": Task("spoken digits, 30 a class", EVEN_COUNTS, 40, _spoken_digits(32)),
    "cifar10-grey": Task("CIFAR-10, grey 16x16", CIFAR10_COUNTS, 500, _cifar10("L", 16)),
    "cifar10-grey-small": Task(
        "CIFAR-10, grey 16x16, 1,950 images", SMALL_COUNTS, 200, _cifar10("L", 16), 300
    ),
    "cifar10-small": Task(
        "CIFAR-10, colour 32x32, 1,950 images", SMALL_COUNTS, 200, _cifar10("RGB", 32), 300
    ),
    "cifar10": Task("CIFAR-10", CIFAR10_COUNTS, 500, _cifar10("RGB", 32)),
    # the largest class is cut to what the development part leaves of it
    "cifar10-lt": Task("CIFAR-10, long tail", LONG_TAIL_COUNTS, 200, _cifar10("RGB", 32)),
}


# --- drawing -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)  # a process works on one task at a time
def load_train(task: str, data_dir: Path) -> Images:
    """Load the official training set, ordered by content, each image once."""
    return distinct(TASKS[task].load(data_dir, True))


@lru_cache(maxsize=1)
def load_test(task: str, data_dir: Path) -> Images:
    """Load the official test set without the images that the training set holds as well."""
    images = without(TASKS[task].load(data_dir, False), load_train(task, data_dir))
    n = TASKS[task].test_per_class
    # ordered by content, the first ones are a random choice, the same for any copy of the data
    return images if n is None else first_of_each(distinct(images), [n] * len(TASKS[task].counts))


def draw_parts(task: str, data_dir: Path, seed: int) -> Parts:
    """Draw a seed's parts of a task's official training set."""
    images = load_train(task, data_dir)
    return split_parts(images, TASKS[task].counts, TASKS[task].development_per_class, seed)


def split_parts(
    images: Images, counts: tuple[int, ...], development_per_class: int, seed: int
) -> Parts:
    """Draw counts[c] training images of each class c, a development part, and keep the rest.

    Where a class has too few images for both, the training images are fewer.
    """
    rng = np.random.default_rng(seed)
    parts: list[list[Array]] = [[], [], []]
    for code, n in enumerate(counts):
        members = rng.permutation(np.flatnonzero(images.y == code))
        n_train = min(n, len(members) - development_per_class)
        if n_train < 1:
            raise ValueError(
                f"Class {code} must have more than the {development_per_class} images of the "
                f"development part. Got {len(members)}."
            )
        ends = (n_train, n_train + development_per_class)
        for part, chosen in zip(parts, np.split(members, ends), strict=True):
            part.append(chosen)
    indices = [np.concatenate(part) for part in parts]
    return Parts(*(Images(images.X[index], images.y[index]) for index in indices))


def content_hashes(X: Array) -> list[bytes]:
    """Hash each image's content."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in X]


def distinct(images: Images) -> Images:
    """Order by content hash and keep one of each set of equal images, with the lowest label."""
    hashes = content_hashes(images.X)
    order = sorted(range(len(hashes)), key=lambda i: (hashes[i], images.y[i]))
    pairs = zip(order, [None, *order], strict=False)
    kept = [i for i, before in pairs if before is None or hashes[i] != hashes[before]]
    return Images(images.X[kept], images.y[kept])


def without(images: Images, others: Images) -> Images:
    """Leave out the images that are among the others."""
    known = set(content_hashes(others.X))
    kept = [i for i, key in enumerate(content_hashes(images.X)) if key not in known]
    return Images(images.X[kept], images.y[kept])


def first_of_each(images: Images, counts: list[int]) -> Images:
    """Take the first counts[c] images of each class c; fewer where it has fewer."""
    index = [np.flatnonzero(images.y == code)[:n] for code, n in enumerate(counts)]
    chosen = np.concatenate(index)
    return Images(images.X[chosen], images.y[chosen])


def repeat(y: Labels, counts: list[int], rng: np.random.Generator) -> Array:
    """Name counts[c] images of each class c, every image equally often but for one."""
    order = [np.resize(rng.permutation(np.flatnonzero(y == c)), n) for c, n in enumerate(counts)]
    return np.concatenate(order).astype(np.int64)


def augmented(images: Images, counts: list[int], seed: int) -> Images:
    """Turn, shift and scale counts[c] images of each class c."""
    chosen = repeat(images.y, counts, np.random.default_rng((seed, 1)))
    generator = torch.Generator().manual_seed(seed)
    moved = AFFINE(torch.from_numpy(images.X[chosen]), generator).round().clamp(0, 255)
    return Images(moved.to(torch.uint8).numpy(), images.y[chosen])
