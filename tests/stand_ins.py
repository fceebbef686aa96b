"""For tests of gain: a verdict, and an over-sampler that keeps GANOverSampler's contract and trains
in no time."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.svm import SVC

from ganaug import Verdict
from ganaug.gain.intervals import PairedInterval
from ganaug.gain.remedies import Task, find_remedy
from ganaug.gain.verdict import ClassGain
from ganaug.resampling import ENLARGE, plan


class StandInGAN(BaseEstimator):
    """Makes 'synthetic' images of the kind that a test wants.

    `kind` "oracle" gives unused real images, "duplicates" the training images, "shuffled" unused
    images of any class.
    """

    seen: ClassVar[list] = []  # what any of them was trained on
    pool: ClassVar[tuple] = ()

    def __init__(self, kind="duplicates", max_images=1000, random_state=0, verbose=0):
        self.kind = kind
        self.max_images = max_images
        self.random_state = random_state
        self.verbose = verbose

    def estimate_fit_seconds(self, X, y):
        return 0.0

    def fit(self, X, y):
        StandInGAN.seen.append((np.array(X), np.array(y), self.max_images))
        self.X_, self.y_ = np.asarray(X), np.asarray(y)
        return self

    def make(self, label, n):
        X, y = (self.X_, self.y_) if self.kind == "duplicates" else self.pool
        rng = np.random.default_rng([self.random_state, int(label), self.max_images])
        of_class = np.arange(len(y)) if self.kind == "shuffled" else np.flatnonzero(y == label)
        return np.asarray(X)[np.resize(rng.permutation(of_class), n)]


class StandInSampler(BaseOverSampler):
    """Fills classes with duplicates and 'synthetic' samples; see GANOverSampler."""

    kind: ClassVar[str] = "duplicates"

    def __init__(
        self,
        augmenter=None,
        *,
        image_shape=None,
        synthetic_share=0.25,
        augmentation=None,
        max_images=None,
        sampling_strategy="auto",
        random_state=None,
        n_jobs=None,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.augmenter = augmenter
        self.image_shape = image_shape
        self.synthetic_share = synthetic_share
        self.augmentation = augmentation
        self.max_images = max_images
        self.random_state = random_state
        self.n_jobs = n_jobs

    def make_augmenter(self):
        budget = 1000 if self.max_images is None else self.max_images
        return StandInGAN(self.kind, budget, self.random_state)

    def fit_resample(self, X, y):
        if self.sampling_strategy != ENLARGE:
            return super().fit_resample(X, y)
        totals = {label: p.n_total for label, p in plan(y, ENLARGE, synthetic_share=0).items()}
        return clone(self).set_params(sampling_strategy=totals).fit_resample(X, y)

    def _fit_resample(self, X, y):
        frozen = isinstance(self.augmenter, FrozenEstimator)
        self.augmenter_ = None
        if self.synthetic_share:
            self.augmenter_ = self.augmenter.estimator if frozen else self.make_augmenter()
            if not frozen:
                self.augmenter_ = clone(self.augmenter_).fit(X, y)
        X_parts, y_parts = [X], [y]
        for label, n in self.sampling_strategy_.items():
            n_synthetic = int(n * self.synthetic_share)
            rng = np.random.default_rng([self.random_state, int(label)])
            X_parts.append(X[rng.choice(np.flatnonzero(y == label), n - n_synthetic)])
            if n_synthetic:
                X_parts.append(self.augmenter_.make(label, n_synthetic))
            y_parts.append(np.full(n, label))
        return np.concatenate(X_parts), np.concatenate(y_parts)


def interval(low, high):
    return PairedInterval((low + high) / 2, low, high, 5)


def verdict_of(choice="smote", **changes):
    fields = {
        "choice": choice,
        "is_decided": True,
        "gain": interval(0.01, 0.03),
        "gain_over_best_without_gan": interval(0.0, 0.0),
        "gain_of_gan": interval(-0.02, 0.01),
        "gan": "not worth it",
        "gan_reason": "",
        "agreement": 0.8,
        "scores": {
            "nothing": [0.8, 0.82, 0.84],
            "smote": [0.83, 0.84, 0.85],
            "ganaug": [0.82, 0.83, math.nan],
        },
        "per_class": {
            "bag": ClassGain(90, 0.0, -0.01, 0.01),
            "7": ClassGain(4, 0.5, 0.0, 1.0),
        },
        "needed": {},
        "scoring": "balanced_accuracy",
        "classifier": "SVC()",
        "n_samples": 94,
        "n_splits": 3,
        "notes": ["few samples: 3 folds"],
        "seconds": 12.5,
        "task": Task(seed=5, is_image=True, n_axes=2, image_shape=(8, 8)),
        "remedy": find_remedy(choice),
        "estimator": SVC(random_state=5),
    }
    fields["scores"].setdefault(choice, [0.81, 0.82, 0.83])
    return Verdict(**{**fields, **changes})
