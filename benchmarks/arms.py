"""The arms: which rows a classifier sees, how often, and how it is trained.

Over-sampling (ROS) repeats real rows physically, every real row of a class equally often but for
one. Drawing class-balanced batches instead would be the same for real rows alone; with synthetic
rows it would make them up to five sixths of a small class, where `GANAugmenter.augment` allows a
tenth.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from benchmarks.baselines import deepsmote, smote
from benchmarks.classifiers import Recipe, frozen_augmentation
from benchmarks.data import Array, Labels, Rows
from ganaug import GANAugmenter
from ganaug.exceptions import SamplingError

Source = Literal["smote", "deepsmote", "synthetic", "augmented", "further", "replica"]
BASELINE = "ros-classic"


@dataclass(frozen=True)
class Arm:
    """What is particular to an arm.

    Parameters
    ----------
    title : str
        As tables call it.
    recipe : Recipe
        How its classifier is trained.
    extra : str, optional
        Where rows beside the drawn ones come from.
    equalise : bool
        Whether duplicates of real rows then bring the classes to one size.
    alone : bool
        Whether the extra rows stand in the place of the drawn ones, not beside them.
    """

    title: str
    recipe: Recipe = field(default_factory=Recipe)
    extra: Source | None = None
    equalise: bool = False
    alone: bool = False


_CLASSIC = Recipe(classic=True)
_MIXUP = Recipe(classic=True, mixup=True)
_MIXUP_DRW = Recipe(classic=True, mixup=True, weights="deferred")

ARMS: dict[str, Arm] = {
    "none": Arm("none"),
    "class-weights": Arm("class weights", Recipe(weights="balanced")),
    "ros": Arm("ROS", equalise=True),
    "smote": Arm("SMOTE on pixels", extra="smote"),
    "deepsmote": Arm("DeepSMOTE-like", extra="deepsmote"),
    "classic": Arm("classic", _CLASSIC),
    "ros-classic": Arm("ROS + classic", _CLASSIC, equalise=True),
    "mixup": Arm("classic + MixUp", _MIXUP),
    "mixup-drw": Arm("classic + MixUp-DRW", _MIXUP_DRW),
    "ganaug": Arm("ganaug", extra="synthetic"),
    "ganaug-classic": Arm("ganaug + classic", _CLASSIC, "synthetic"),
    "ganaug-ros-classic": Arm("ganaug + ROS + classic", _CLASSIC, "synthetic", True),
    "ganaug-mixup-drw": Arm("ganaug + classic + MixUp-DRW", _MIXUP_DRW, "synthetic"),
    # classification accuracy score (Ravuri & Vinyals, 2019): what the GAN has kept of the real rows
    "cas": Arm("synthetic rows alone (CAS)", extra="replica", alone=True),
    # in the place of the synthetic rows of 'ganaug + ROS + classic':
    "placebo-duplicates": Arm("placebo: duplicates", _CLASSIC, equalise=True),
    "placebo-augmented": Arm("placebo: augmented real rows", _CLASSIC, "augmented", True),
    "ceiling": Arm("ceiling: further real rows", _CLASSIC, "further", True),
}
NEED_THE_GAN = (
    "ganaug",
    "ganaug-classic",
    "ganaug-ros-classic",
    "ganaug-mixup-drw",
    "cas",
    "placebo-duplicates",
    "placebo-augmented",
    "ceiling",
)
"""Arms that need the synthetic rows, or at least their number."""


class Plan(NamedTuple):
    """Rows per class that the ganaug arms add, and the size to which classes are brought."""

    n_synthetic: list[int]
    target: int


class TrainingRows(NamedTuple):
    """What a classifier is trained on: rows, and which of them, how often, make an epoch."""

    rows: Rows
    epoch: Labels
    composition: dict[str, list[int]]
    """Per class: real rows drawn, extra rows, duplicates of real rows."""


def equal_size(y: Labels, max_share: float) -> int:
    """Size to which classes are brought: the largest class's.

    Where all have as many, there is nothing to equalise, and every class grows by as many rows as
    make the share `max_share` of it.
    """
    counts = np.bincount(y)
    if len(set(counts.tolist())) > 1:
        return int(counts.max())
    return int(counts.max() / (1 - max_share))


def make_synthetic(augmenter: GANAugmenter, train: Rows) -> tuple[Rows, Plan]:
    """Take the synthetic rows, and no others, that ganaug's default caution gives.

    On balanced classes its default adds nothing. There each class that a classifier of the real
    rows recognises (`min_trust`) gets the largest share of synthetic rows that the default
    allows anywhere (`max_share`).
    """
    n_classes = int(train.y.max()) + 1
    target = equal_size(train.y, augmenter.max_share)
    counts = np.bincount(train.y)
    if target == counts.max():
        X, y = augmenter.augment(for_ganaug(train.X), train.y)
        made, labels = X[augmenter.synthetic_mask_], y[augmenter.synthetic_mask_]
    else:
        trusted = {
            label: target - int(counts[label])
            for label in range(n_classes)
            if augmenter.trust_.get(label, 1.0) >= augmenter.min_trust
        }
        made, labels = augmenter.sample(trusted)
    n_synthetic = np.bincount(labels, minlength=n_classes).tolist()
    return Rows(made.reshape(-1, *train.X.shape[1:]), labels.astype(np.int64)), Plan(
        n_synthetic, target
    )


def make_replica(augmenter: GANAugmenter, train: Rows) -> Rows:
    """Make as many synthetic rows of a class as it has real ones; none if they are rejected."""
    parts = []
    for label, n in enumerate(np.bincount(train.y).tolist()):
        with suppress(SamplingError):
            parts.append(augmenter.sample({label: n}))
    if not parts:
        return Rows(train.X[:0], train.y[:0])
    X, y = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Rows(X.reshape(-1, *train.X.shape[1:]), y.astype(np.int64))


def for_ganaug(X: Array) -> Array:
    """Drop the channel axis of greyscale images: (n, H, W)."""
    return X[:, 0] if X.shape[1] == 1 else X


def make_augmented(train: Rows, plan: Plan, flips: bool, shift: int, seed: int) -> Rows:
    """Augment as many real rows of each class once, as there are synthetic ones."""
    rng = np.random.default_rng((seed, 1))
    chosen = _repeat_rows(train.y, plan.n_synthetic, rng)
    return Rows(frozen_augmentation(train.X[chosen], flips, shift, seed), train.y[chosen])


def take_further(further: Rows, plan: Plan) -> Rows:
    """Take as many real rows of each class as there are synthetic ones; fewer where it runs out."""
    index = [np.flatnonzero(further.y == code)[:n] for code, n in enumerate(plan.n_synthetic)]
    chosen = np.concatenate(index)
    return Rows(further.X[chosen], further.y[chosen])


def make_extra(
    source: Source, train: Rows, target: int, n_steps: int, seed: int, device: str
) -> tuple[Rows, dict[str, Any]]:
    """Make the rows of the baselines that bring their own; the notes say how that went."""
    if source == "smote":
        return smote(train, target, seed), {}
    return deepsmote(train, target, n_steps, seed, device)


def compose(arm: Arm, train: Rows, extra: Rows | None, target: int, seed: int) -> TrainingRows:
    """Put an arm's rows together: real ones first, then extra ones; duplicates by index."""
    n_classes = int(train.y.max()) + 1
    rows = train
    if arm.alone and extra is not None:
        train = Rows(train.X[:0], train.y[:0])
        rows = extra
    elif extra is not None:
        rows = Rows(np.concatenate([train.X, extra.X]), np.concatenate([train.y, extra.y]))
    counts = np.bincount(rows.y, minlength=n_classes)
    n_duplicates = np.maximum(target - counts, 0) if arm.equalise else np.zeros_like(counts)
    rng = np.random.default_rng((seed, 2))
    duplicates = _repeat_rows(train.y, n_duplicates.tolist(), rng)
    n_real = np.bincount(train.y, minlength=n_classes)
    composition = {
        "real": n_real.tolist(),
        "extra": (counts - n_real).tolist(),
        "duplicates": n_duplicates.tolist(),
    }
    return TrainingRows(rows, np.concatenate([np.arange(len(rows.y)), duplicates]), composition)


def _repeat_rows(y: Labels, counts: list[int], rng: np.random.Generator) -> Labels:
    """Name counts[c] rows of each class c, every row equally often but for one."""
    order = [np.resize(rng.permutation(np.flatnonzero(y == c)), n) for c, n in enumerate(counts)]
    return np.concatenate(order).astype(np.int64)
