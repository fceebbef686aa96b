"""Class-conditional GAN data augmentation for small and imbalanced labelled image sets."""

from __future__ import annotations

__version__ = "0.1.0"

from ganaug.augmenter import GANAugmenter
from ganaug.dataset import AugmentedDataset
from ganaug.gain import evaluate_gain
from ganaug.oversampler import GANOverSampler
from ganaug.verdict import Verdict

__all__ = [
    "AugmentedDataset",
    "GANAugmenter",
    "GANOverSampler",
    "Verdict",
    "__version__",
    "evaluate_gain",
]
