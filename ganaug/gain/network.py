"""The built-in classifier, `"cnn"`: a small network that augments its images while it trains."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from ganaug.classifier import fit_classifier
from ganaug.exceptions import GanaugWarning
from ganaug.inputs import read_training_set
from ganaug.warping import AFFINE

Array = npt.NDArray[Any]


def network_steps(n_samples: int) -> int:
    """Steps of about 40 passes; set once, so that added samples do not buy longer training."""
    return int(np.clip(40 * n_samples / 128, 200, 1000))


class SmallNetworkClassifier(ClassifierMixin, BaseEstimator):
    """A small convolutional network (for tables a dense one) as a scikit-learn classifier.

    `image_shape`: of the images that 2-D X holds, which else is a table of features. `n_steps`: of
    128 samples; images are turned, scaled and shifted.
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_steps: int = 400,
        random_state: int = 0,
    ) -> None:
        self.image_shape = image_shape
        self.n_steps = n_steps
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> SmallNetworkClassifier:
        """Train on images, or feature rows, as `GANAugmenter.fit` takes them."""
        with warnings.catch_warnings():  # of small classes: the network learns them all the same
            warnings.simplefilter("ignore", GanaugWarning)
            data = read_training_set(X, y, image_shape=self.image_shape)
        self.classes_, self.spec_ = data.classes, data.spec
        self.network_ = fit_classifier(
            data.values,
            data.labels,
            len(data.classes),
            seed=self.random_state,
            max_steps=self.n_steps,
            balanced=False,
            augmentation=AFFINE,
        )
        return self

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, float32 (n, n_classes), in the order of `classes_`."""
        return self.network_.predict_proba(self.spec_.encode(X))

    def predict(self, X: Any) -> Array:
        """Labels, shape (n,)."""
        labels: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels
