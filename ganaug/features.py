"""`GANFeatureExtractor`: what a GAN's discriminator has learnt to see, as a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn import functional

from ganaug.augmenter import GANAugmenter
from ganaug.exceptions import InvalidInputError, InvalidTypeError, NotFittedError
from ganaug.gan.networks import Discriminator, build_discriminator
from ganaug.gan.scaling import images_to_network
from ganaug.inputs.containers import refuse_dataset
from ganaug.replacing import check_rows
from ganaug.settings import own_settings

__all__ = ["GANFeatureExtractor"]

POOLED = 4
"""Feature maps are pooled to at most this height and width."""
BATCH = 256


class GANFeatureExtractor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of samples from the discriminators of conditional GANs.

    The use that the DCGAN paper made of its discriminator (Radford et al., 2015): the maps of all
    convolutions, max-pooled to a grid of 4 by 4, for a linear classifier. Of feature rows, the
    responses of both hidden layers. Standardised, they were worth 6 to 8 points to logistic
    regression over pixels on two of four image sets, 2 to 3 that do not show on the others, little
    to an SVC, and half of it or more by the network's form (docs/results.md).

    Parameters
    ----------
    augmenter : GANAugmenter or FrozenEstimator, optional
        What is trained; a FrozenEstimator of a fitted one is used as it is. By default a
        `GANAugmenter` with its defaults, without a filter.
    image_shape : tuple (H, W), (H, W, C) or (C, H, W), optional
        Shape of the images that the columns of 2-D X hold, instead of the augmenter's own.

    Attributes
    ----------
    augmenter_ : GANAugmenter
        The fitted one.
    n_features_in_ : int
        Columns of X; only for 2-D X.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ganaug import GANAugmenter, GANFeatureExtractor
    >>> X, y = load_digits(return_X_y=True)
    >>> augmenter = GANAugmenter(max_images=512, filter=None, random_state=0, verbose=0)
    >>> extractor = GANFeatureExtractor(augmenter, image_shape=(8, 8)).fit(X, y)
    >>> extractor.transform(X).shape
    (1797, 1536)
    """

    augmenter_: GANAugmenter

    def __init__(
        self,
        augmenter: GANAugmenter | FrozenEstimator | None = None,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.augmenter = augmenter
        self.image_shape = image_shape

    def fit(self, X: Any, y: Any = None) -> GANFeatureExtractor:
        """Train the GANs on labelled samples.

        Parameters
        ----------
        X, y : as in `GANAugmenter.fit`
            No Dataset.

        Returns
        -------
        GANFeatureExtractor
            Itself.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            For data or parameters that cannot work; before any training.
        """
        refuse_dataset(X)
        if isinstance(self.augmenter, FrozenEstimator):
            frozen = self.augmenter.estimator
            if not isinstance(frozen, GANAugmenter) or not frozen.__sklearn_is_fitted__():
                raise InvalidInputError(
                    "`augmenter` must be frozen after its fit, and a GANAugmenter. Got "
                    f"{self.augmenter!r} instead: fit it first."
                )
            if self.image_shape is not None:
                raise InvalidInputError(
                    "`image_shape` must be None beside a frozen augmenter, which has its own. Got "
                    f"{self.image_shape!r} instead."
                )
            self.augmenter_ = frozen
        elif self.augmenter is None or isinstance(self.augmenter, GANAugmenter):
            augmenter = GANAugmenter(filter=None) if self.augmenter is None else self.augmenter
            augmenter = clone(augmenter)
            if self.image_shape is not None:
                augmenter.set_params(image_shape=self.image_shape)
            self.augmenter_ = augmenter.fit(X, y)
        else:
            raise InvalidTypeError(
                "`augmenter` must be a GANAugmenter, a FrozenEstimator of a fitted one, or None. "
                f"Got {self.augmenter!r} instead."
            )
        if self.augmenter_.spec_.layout == "rows":
            validate_data(self, X, skip_check_array=True)
        config = self.augmenter_.model_.gans[0].config
        shape = config.image_shape or (config.n_features,)
        self._n_features_out = self._features(torch.zeros((1, *shape))).shape[1]
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float64]:
        """Give the features of samples, labelled or not.

        Parameters
        ----------
        X : samples as in `fit`

        Returns
        -------
        ndarray of shape (n_samples, n_features), float64
            Those of a sample do not depend on the others.
        """
        try:
            check_is_fitted(self, "augmenter_")
        except ValueError as error:
            raise NotFittedError(str(error)) from None
        model = self.augmenter_.model_
        if model.spec.layout == "rows" and not isinstance(X, torch.Tensor):
            X = check_rows(self, X)
        values = torch.from_numpy(model.spec.encode(X))
        parts = [values[i : i + BATCH] for i in range(0, max(1, len(values)), BATCH)]
        scaler = model.scaler
        to_network = images_to_network if scaler is None else scaler.to_network
        return np.concatenate([self._features(to_network(part)) for part in parts])

    @own_settings()
    @torch.no_grad()
    def _features(self, samples: Tensor) -> npt.NDArray[np.float64]:
        """Give the features of samples as the networks see them."""
        samples = samples.double()  # so that the batch does not show in the last digits
        found = [
            _pooled(maps)
            for network in self._discriminators()
            for maps in network.responses(samples)
        ]
        features: npt.NDArray[np.float64] = torch.cat(found, dim=1).numpy()
        return features

    def _discriminators(self) -> list[Discriminator]:
        networks = []
        for gan in self.augmenter_.model_.gans:
            network = build_discriminator(gan.config, torch.Generator())
            network.load_state_dict(gan.discriminator_state)
            networks.append(network.double().eval())
        return networks

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        return tags


def _pooled(maps: Tensor) -> Tensor:
    if maps.ndim == 2:
        return maps
    size = [min(POOLED, side) for side in maps.shape[2:]]
    return functional.adaptive_max_pool2d(maps, size).flatten(1)
