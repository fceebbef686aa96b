"""What is classified: data sets, rows per class, and how they are drawn.

All images are uint8 (n, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.data import (
    DEEPSMOTE_COUNTS,
    DEEPSMOTE_COUNTS_CIFAR10,
    Rows,
    distinct,
    load_image_folder,
    load_torchvision_part,
    without,
)

Loader = Callable[[Path, bool], Rows]
"""(data directory, official training set or test set) -> rows."""


@dataclass(frozen=True)
class Task:
    """One data set in one imbalance.

    Parameters
    ----------
    title : str
        As tables call it.
    counts : tuple of int
        Training rows drawn per class.
    development_per_class : int
        Rows per class of the development set.
    flips : bool
        Whether a mirrored image keeps its label.
    shift : int
        Pixels by which classic augmentation shifts at most.
    load : callable
        Reads the official training or test set.
    """

    title: str
    counts: tuple[int, ...]
    development_per_class: int
    flips: bool
    shift: int
    load: Loader

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.counts)


def _torchvision(name: str) -> Loader:
    def load(data_dir: Path, train: bool) -> Rows:
        X, y = load_torchvision_part(name, data_dir, train)
        return Rows(X[:, None], y)

    return load


def _cifar10(data_dir: Path, train: bool) -> Rows:
    X, y = load_image_folder(data_dir / "cifar10" / ("train" if train else "test"))
    return Rows(np.ascontiguousarray(X.transpose(0, 3, 1, 2)), y)


def _digits(data_dir: Path, train: bool) -> Rows:  # noqa: ARG001 - they come with scikit-learn
    """Take scikit-learn's digits; 30% of each class serve as the official test set."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    rows = distinct(Rows((X * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y.astype(np.int64)))
    index = []
    for code in range(10):
        members = np.flatnonzero(rows.y == code)
        n_test = round(0.3 * len(members))
        index.append(members[n_test:] if train else members[:n_test])
    chosen = np.concatenate(index)
    return Rows(rows.X[chosen], rows.y[chosen])


LONG_TAIL_COUNTS = tuple(int(5000 * 0.01 ** (c / 9)) for c in range(10))
_CIFAR10 = "CIFAR-10 (JPEG copy)"

TASKS: dict[str, Task] = {
    "mnist": Task("MNIST", DEEPSMOTE_COUNTS, 500, False, 2, _torchvision("MNIST")),
    "fashion-mnist": Task(
        "Fashion-MNIST", DEEPSMOTE_COUNTS, 500, True, 2, _torchvision("FashionMNIST")
    ),
    "cifar10": Task(_CIFAR10, DEEPSMOTE_COUNTS_CIFAR10, 500, True, 4, _cifar10),
    # the largest class is cut to what the development set leaves of it
    "cifar10-lt": Task(f"{_CIFAR10}, long tail", LONG_TAIL_COUNTS, 200, True, 4, _cifar10),
    **{
        f"few-shot-{n}": Task(
            f"Fashion-MNIST, {n} per class", (n,) * 10, 500, True, 2, _torchvision("FashionMNIST")
        )
        for n in (20, 50, 100)
    },
    "digits": Task("digits", (60, 50, 40, 30, 25, 20, 15, 12, 10, 10), 20, False, 1, _digits),
}


@lru_cache(maxsize=1)  # a process works on one task
def load_training_rows(task_name: str, data_dir: Path) -> Rows:
    """Load the official training set, ordered by content, each image once."""
    return distinct(TASKS[task_name].load(data_dir, True))


@lru_cache(maxsize=1)
def load_test_rows(task_name: str, data_dir: Path) -> Rows:
    """Load the official test set without the images that the training set holds as well."""
    test = TASKS[task_name].load(data_dir, False)
    return without(test, load_training_rows(task_name, data_dir))
