"""Synthetic samples where torch training loops read: behind the items of a Dataset.

- :mod:`ganaug.dataset.augmented`: :class:`AugmentedDataset`, the wrapper
- :mod:`ganaug.dataset.bank`: :class:`SyntheticBank`, memory-mapped samples that processes share
- :mod:`ganaug.dataset.items`: what items look like, and making more of them
- :mod:`ganaug.dataset.labels`: the labels of a Dataset, with as few items read as possible
"""

from ganaug.dataset.augmented import AugmentedDataset
from ganaug.dataset.bank import SyntheticBank
from ganaug.dataset.labels import DatasetLabels, read_dataset_labels

__all__ = ["AugmentedDataset", "DatasetLabels", "SyntheticBank", "read_dataset_labels"]
