"""Class-conditional GAN data augmentation for small and imbalanced labelled image sets."""

from __future__ import annotations

from ganaug._version import __version__
from ganaug.augmenter import GANAugmenter
from ganaug.dataset import AugmentedDataset
from ganaug.gain.evaluate import evaluate_gain
from ganaug.gain.verdict import Verdict
from ganaug.oversampler import GANOverSampler

__all__ = [
    "AugmentedDataset",
    "GANAugmenter",
    "GANOverSampler",
    "Verdict",
    "__version__",
    "evaluate_gain",
]
