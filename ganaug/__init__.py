"""Class-conditional GAN data augmentation for small and imbalanced labelled image sets."""

from __future__ import annotations

__version__ = "0.1.0"

from ganaug.augmenter import GANAugmenter
from ganaug.dataset import AugmentedDataset
from ganaug.oversampler import GANOverSampler

__all__ = ["AugmentedDataset", "GANAugmenter", "GANOverSampler", "__version__"]
