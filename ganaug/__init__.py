"""Class-conditional GAN data augmentation for small and imbalanced labelled image sets.

The public names load when they are first used, so that the command line can answer `--help` and
mistakes without waiting for torch.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from ganaug._version import __version__

if TYPE_CHECKING:
    from ganaug.augmenter import GANAugmenter
    from ganaug.dataset import AugmentedDataset
    from ganaug.features import GANFeatureExtractor
    from ganaug.gain.evaluate import evaluate_gain
    from ganaug.gain.verdict import Verdict
    from ganaug.oversampler import GANOverSampler

__all__ = [
    "AugmentedDataset",
    "GANAugmenter",
    "GANFeatureExtractor",
    "GANOverSampler",
    "Verdict",
    "__version__",
    "evaluate_gain",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())

_MODULES = {
    "AugmentedDataset": "ganaug.dataset",
    "GANAugmenter": "ganaug.augmenter",
    "GANFeatureExtractor": "ganaug.features",
    "GANOverSampler": "ganaug.oversampler",
    "Verdict": "ganaug.gain.verdict",
    "evaluate_gain": "ganaug.gain.evaluate",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
