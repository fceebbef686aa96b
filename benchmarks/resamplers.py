"""The arms of `benchmarks.pipelines`: what a classifier is trained on.

All of a draw share its images and its GANs, which are trained once and kept.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from imblearn.combine import SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from sklearn.frozen import FrozenEstimator

from benchmarks.data import Array, Images, Labels, Parts, augmented, first_of_each
from benchmarks.deepsmote import deepsmote
from benchmarks.machine import cpu_seconds
from ganaug import GANAugmenter, GANOverSampler
from ganaug.options import MIN_TRUST
from ganaug.resampling import ENLARGE, default_share, plan

NOTHING, DUPLICATES = "nothing", "duplicates"
UNMATCHED, MATCHED = "augmented, unmatched", "augmented, matched"
MIXED, FITTED = "mixed, no GAN", "augmented, fitted"
GANAUG, CEILING = "ganaug", "further real images"
ENLARGED = "enlarged"
DUPLICATES_ENLARGED, SMOTE_ENLARGED = "duplicates, enlarged", "SMOTE, enlarged"
IMBALANCED_LEARN: dict[str, Callable[..., Any]] = {
    DUPLICATES: RandomOverSampler,
    "SMOTE": SMOTE,
    "BorderlineSMOTE": BorderlineSMOTE,
    "ADASYN": ADASYN,
    "SMOTETomek": SMOTETomek,
}
GANS: dict[str, dict[str, Any]] = {
    GANAUG: {},
    "per class": {"conditioning": "per_class"},
    "2015 recipe": {"recipe": "classic"},
}
"""Parameters of the GANs, by the name of their arm."""
AUTOENCODER = "DeepSMOTE-like"
AUTOENCODER_STEPS = 2000
ARMS = (NOTHING, *IMBALANCED_LEARN, UNMATCHED, MATCHED, MIXED, GANAUG, CEILING)
"""What is run unless arms are named."""


class Training(NamedTuple):
    """Flat images (n, d), their labels, and of which kind each is."""

    X: Array
    y: Labels
    kinds: Array


@dataclass
class Draw:
    """One draw of a task, and what its arms share.

    Parameters
    ----------
    task : str
    seed : int
    parts : Parts
    fill : int or None
        Classes below so many images are filled up to them; None: up to the largest class.
    cache_dir : Path
        Where trained GANs are kept.
    gans : dict
        Parameters of `GANAugmenter` by name.
    """

    task: str
    seed: int
    parts: Parts
    fill: int | None
    cache_dir: Path
    gans: dict[str, dict[str, Any]] = field(default_factory=lambda: GANS)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return self.parts.train.X.shape[1:]

    @property
    def X(self) -> Array:  # noqa: N802 - the field's name for data
        """Flat training images."""
        return self.parts.train.X.reshape(len(self.parts.train.X), -1)

    @property
    def y(self) -> Labels:
        """Training labels."""
        return self.parts.train.y

    @property
    def totals(self) -> dict[int, int]:
        """Images per class after filling."""
        counts = np.bincount(self.y)
        target = counts.max() if self.fill is None else min(self.fill, counts.max())
        return {code: int(max(n, target)) for code, n in enumerate(counts)}

    # --- GANs ---

    def gan(self, name: str) -> GANAugmenter:
        """Load a GAN of this draw; train it first where that has not been done."""
        folder = self._folder(name)
        if not (folder / "cpu_seconds.json").exists():
            before = cpu_seconds()
            augmenter = GANAugmenter(
                image_shape=self.image_shape,
                random_state=self.seed,
                device="cpu",
                verbose=0,
                **self.gans[name],
            ).fit(self.X, self.y)
            augmenter.save(folder / "model")
            spent = json.dumps(round(cpu_seconds() - before, 1))
            (folder / "cpu_seconds.json").write_text(spent, encoding="utf-8")
        return GANAugmenter.load(folder / "model", device="cpu")

    def gan_cpu_seconds(self, name: str) -> float:
        """Say what a GAN's training took."""
        path = self._folder(name) / "cpu_seconds.json"
        return float(json.loads(path.read_text(encoding="utf-8")))

    def _folder(self, name: str) -> Path:
        described = json.dumps(self.gans[name], sort_keys=True)
        key = hashlib.sha256(described.encode()).hexdigest()[:8]
        folder = self.cache_dir / self.task / f"{self.seed}-{name.replace(' ', '-')}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


# --- the arms ----------------------------------------------------------------------------------


def gan_of(arm: str) -> tuple[str, float | None]:
    """Split ``NAME@SHARE`` into a GAN's name and the share of synthetic samples among the added."""
    name, _, share = arm.partition("@")
    return name, float(share) if share else None


def make(arm: str, draw: Draw) -> Training:
    """Put an arm's training images together."""
    if arm == NOTHING:
        return Training(draw.X, draw.y, np.full(len(draw.y), "real"))
    if arm in IMBALANCED_LEARN:
        return by_imbalanced_learn(arm, draw)
    if arm in OTHERS:
        return OTHERS[arm](draw)
    name, share = gan_of(arm)
    return by_ganaug(draw, FrozenEstimator(draw.gan(name)), share)


def by_imbalanced_learn(
    arm: str, draw: Draw, sampling_strategy: dict[int, int] | None = None
) -> Training:
    """Use a sampler with its defaults; SMOTETomek also removes some of the real images."""
    totals = draw.totals if sampling_strategy is None else sampling_strategy
    sampler = IMBALANCED_LEARN[arm](random_state=draw.seed, sampling_strategy=totals)
    X, y = sampler.fit_resample(draw.X.astype(np.float32), draw.y)
    kind = "duplicate" if arm == DUPLICATES else "interpolated"
    return Training(X, y, np.where(np.arange(len(y)) < len(draw.y), "real", kind))


def by_ganaug(draw: Draw, augmenter: Any, share: float | None, **parameters: Any) -> Training:
    """Use the over-sampler, with a GAN that is trained already.

    Its share is the default, or a quarter where the default is to use no GAN.
    """
    if share is None:
        share = default_share(len(draw.y), "image") or 0.25
    options: dict[str, Any] = {
        "augmenter": augmenter,
        "synthetic_share": share,
        "sampling_strategy": draw.totals,
        "random_state": draw.seed,
    }
    sampler: Any = GANOverSampler(**options | parameters)
    X, y = sampler.fit_resample(draw.X, draw.y)
    return Training(X, y, np.asarray(sampler.kinds_))


def augmented_matched(draw: Draw) -> Training:
    """Let the over-sampler add augmented real images only: no GAN is trained."""
    return by_ganaug(draw, None, 0.0, image_shape=draw.image_shape, augmentation="affine")


def augmented_fitted(draw: Draw) -> Training:
    """Let the over-sampler add images that are warped as suits the data."""
    return by_ganaug(draw, None, 0.0, image_shape=draw.image_shape, augmentation="fitted")


def mixed(draw: Draw) -> Training:
    """Let the over-sampler add augmented and interpolated images, its default without a GAN."""
    return by_ganaug(draw, None, 0.0, image_shape=draw.image_shape)


def enlarged(draw: Draw, augmentation: str | None = None) -> Training:
    """Let the over-sampler bring all classes to more than the largest has, by warped images."""
    return by_ganaug(
        draw,
        None,
        0.0,
        image_shape=draw.image_shape,
        augmentation=augmentation,
        sampling_strategy=ENLARGE,
    )


def enlarged_by_gan(draw: Draw, share: float) -> Training:
    """Do the same with a share of what is added from GANs."""
    augmenter = FrozenEstimator(draw.gan(GANAUG))
    return by_ganaug(draw, augmenter, share, augmentation="fitted", sampling_strategy=ENLARGE)


def enlarged_by(arm: str, draw: Draw) -> Training:
    """Bring all classes to as many by a sampler of imbalanced-learn: the placebo."""
    plans = plan(draw.y, ENLARGE, synthetic_share=0)
    return by_imbalanced_learn(arm, draw, {code: p.n_total for code, p in plans.items()})


def augmented_unmatched(draw: Draw) -> Training:
    """Turn, shift and scale real images, and leave it at that."""
    return added_to(draw, augmented(draw.parts.train, missing_of(draw), draw.seed), "augmented")


def further_real(draw: Draw) -> Training:
    """Put further real images into the places of ganaug's synthetic ones: the ceiling.

    Where they run out, variations of those that are there take their places.
    """
    made = make(GANAUG, draw)
    X, kinds = made.X.copy(), made.kinds.astype("U16")
    further = draw.parts.further
    for code, places in synthetic_places(made).items():
        real = further.X[further.y == code][: len(places)].reshape(-1, X.shape[1])
        X[places[: len(real)]], kinds[places[: len(real)]] = real, "further"
    return with_variations(Training(X, made.y, kinds), draw)


def half_by_gan(
    draw: Draw, *, min_trust: float = MIN_TRUST, most_per_real: float = math.inf
) -> Training:
    """Let the over-sampler take half of what it adds from GANs, within two limits.

    `min_trust`: classes below it get none. `most_per_real`: synthetic images for each real one of
    the class; variations of real ones take the places of the others.
    """
    with mock.patch("ganaug.resampling.MIN_TRUST", min_trust):
        made = by_ganaug(draw, FrozenEstimator(draw.gan(GANAUG)), 0.5)
    kinds = made.kinds.astype("U16")
    for code, places in synthetic_places(made).items():
        allowed = min(len(places), most_per_real * np.count_nonzero(draw.y == code))
        kinds[places[: int(allowed)]] = "kept"
    made = with_variations(made._replace(X=made.X.copy(), kinds=kinds), draw)
    return made._replace(kinds=np.where(made.kinds == "kept", "synthetic", made.kinds))


def synthetic_places(training: Training) -> dict[int, Array]:
    """Say where synthetic samples stand, by class."""
    is_synthetic = training.kinds == "synthetic"
    codes = np.unique(training.y[is_synthetic]).tolist()
    return {code: np.flatnonzero(is_synthetic & (training.y == code)) for code in codes}


def with_variations(training: Training, draw: Draw) -> Training:
    """Put variations of real images, in place, where synthetic ones stand."""
    spare = mixed(draw)
    for code, places in synthetic_places(training).items():
        varied = spare.X[(spare.kinds != "real") & (spare.y == code)]
        training.X[places] = varied[len(varied) - len(places) :]
        training.kinds[places] = "varied"
    return training


def autoencoder(draw: Draw) -> Training:
    """Fill with samples of an auto-encoder."""
    made, _ = deepsmote(draw.parts.train, max(draw.totals.values()), AUTOENCODER_STEPS, draw.seed)
    return added_to(draw, first_of_each(made, missing_of(draw)), "synthetic")


OTHERS: dict[str, Callable[[Draw], Training]] = {
    UNMATCHED: augmented_unmatched,
    MATCHED: augmented_matched,
    FITTED: augmented_fitted,
    MIXED: mixed,
    ENLARGED: enlarged,
    "enlarged, half interpolated": partial(enlarged, augmentation="mixed"),
    "enlarged, a quarter by GANs": partial(enlarged_by_gan, share=0.25),
    "enlarged, half by GANs": partial(enlarged_by_gan, share=0.5),
    DUPLICATES_ENLARGED: partial(enlarged_by, DUPLICATES),
    SMOTE_ENLARGED: partial(enlarged_by, "SMOTE"),
    CEILING: further_real,
    **{f"half, trust of {t}": partial(half_by_gan, min_trust=t) for t in (0, 0.8, 0.9)},
    **{f"half, {n} a real image": partial(half_by_gan, most_per_real=n) for n in (1, 5)},
    AUTOENCODER: autoencoder,
}


def missing_of(draw: Draw) -> list[int]:
    """Say how many samples each class is to get."""
    counts = np.bincount(draw.y).tolist()
    return [total - counts[code] for code, total in draw.totals.items()]


def added_to(draw: Draw, new: Images, kind: str) -> Training:
    """Put samples behind the real ones."""
    kinds = np.repeat(["real", kind], [len(draw.y), len(new.y)])
    X = np.concatenate([draw.X, new.X.reshape(len(new.X), -1)])
    return Training(X, np.concatenate([draw.y, new.y]), kinds)
