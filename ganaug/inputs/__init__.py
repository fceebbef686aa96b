"""Reading what users have, and giving back what looks the same.

:func:`read_training_set` turns arrays, tensors, lists of images, data frames and Datasets into what
the networks train on: uint8 images shaped (n, C, H, W), or float32 feature rows, with integer class
codes. :class:`DataSpec` and :class:`LabelKind` remember what came in (container, dtype, layout,
value range, label type), so that synthetic samples go out the same way.
"""

from ganaug.inputs.datasets import without_transforms
from ganaug.inputs.labels import LabelKind, as_labels, encode_labels
from ganaug.inputs.spec import DataSpec
from ganaug.inputs.training_set import TrainingSet, read_labelled, read_training_set

__all__ = [
    "DataSpec",
    "LabelKind",
    "TrainingSet",
    "as_labels",
    "encode_labels",
    "read_labelled",
    "read_training_set",
    "without_transforms",
]
