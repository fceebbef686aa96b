"""Labelled data of any supported kind as what the networks train on."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch

from ganaug.checks import warn_user
from ganaug.exceptions import GanaugWarning, InvalidInputError
from ganaug.inputs.class_names import match_by_name, names_of_classes
from ganaug.inputs.containers import Samples
from ganaug.inputs.labels import (
    Codes,
    LabelKind,
    as_labels,
    check_class_sizes,
    encode_labels,
    read_labels,
)
from ganaug.inputs.orders import warn_if_disordered, warn_if_flattened
from ganaug.inputs.pixels import (
    MAX_SIDE,
    MIN_SIDE,
    Array,
    chw_shape,
    count_non_finite,
    layout_of,
    raise_if_non_finite,
    slices_of,
)
from ganaug.inputs.sources import Source, open_source
from ganaug.inputs.spec import DataSpec, numpy_dtype

FEW_LEVELS = 64
"""Up to this many distinct values in all images are a grid, which what is made keeps to."""


@dataclass
class TrainingSet:
    """Everything that training needs to know of the user's data."""

    spec: DataSpec
    values: Array
    """uint8 (n, C, H, W), contiguous, or float32 (n, d) for tables. May share memory with X: read
    it, never write to it."""
    labels: Codes
    """Class codes 0..K-1: positions in `classes`."""
    classes: Array
    """Sorted distinct labels in the user's dtype."""
    label_kind: LabelKind

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The name of each class, where the data carry names or the labels are some."""
        return self.label_kind.class_names

    @property
    def counts(self) -> Codes:
        """Samples per class, int64 (K,)."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of values, labels and classes."""
        digest = hashlib.sha256(f"{self.values.dtype} {self.values.shape} ".encode())
        for array in (self.values, self.labels):
            digest.update(np.ascontiguousarray(array).data)
        digest.update(repr(self.classes.tolist()).encode())
        return digest.hexdigest()


def read_training_set(
    X: Samples,
    y: Samples = None,
    *,
    image_shape: tuple[int, ...] | None = None,
    value_range: tuple[float, float] | None = None,
    resize: tuple[int, int] | None = None,
    image_key: str | None = None,
    label_key: str | None = None,
) -> TrainingSet:
    """Read labelled images, or feature rows, of any supported kind.

    The parameters are those of `GANAugmenter` and of its `fit`. Values of a Dataset other than
    uint8 are read twice: once for their range.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)  # 64 columns, values 0 to 16
    >>> data = read_training_set(X, y, image_shape=(8, 8))
    >>> data.values.shape, data.values.dtype, data.spec.value_range
    ((1797, 1, 8, 8), dtype('uint8'), (0.0, 16.0))
    """
    _check_options(image_shape, value_range, resize)
    source = open_source(X, image_shape, resize, image_key, label_key)
    if source.labels is None:  # their mistakes show before a long look at images
        labelled = _learnable_labels(source, y)
    spec = _with_value_range(source, value_range)
    values = spec.encode_source(source)
    if source.labels is not None:  # which the long look has filled
        labelled = _learnable_labels(source, y)
    if spec.kind == "table":
        warn_if_flattened(values)
    else:
        _refuse_one_value(values, spec)
        _warn_of_lost_levels(values, spec)
        if spec.row_shape is not None:
            warn_if_disordered(values, spec)
    return TrainingSet(spec, values, *labelled)


def read_labelled(
    X: Samples,
    y: Samples = None,
    *,
    spec: DataSpec,
    classes: Array,
    class_names: Sequence[str] | None = None,
) -> tuple[Array, Codes]:
    """Read further labelled samples that look like the fitted data, such as a held-out part.

    `spec`, `classes`, `class_names`: of the fitted data. Not every class need occur; the names tell
    which is which where a Dataset has names for its integer labels, too.
    """
    source = spec.open(X)
    values = spec.encode_source(source, is_set=True)
    labels = _labels_for(source, y)
    if source.class_names:
        labels, classes, _ = match_by_name(
            as_labels(labels).tolist(), source.class_names, classes, class_names or ()
        )
    return values, encode_labels(labels, classes)


def encode_dataset(dataset: Samples, spec: DataSpec) -> Array:
    """Read the items, if there are any, of a Dataset that look like the fitted data."""
    return spec.encode(dataset) if len(dataset) else spec.empty(0)


def _learnable_labels(source: Source, y: Samples) -> tuple[Codes, Array, LabelKind]:
    codes, classes, kind = read_labels(_labels_for(source, y))
    names = names_of_classes(classes, source.class_names)
    check_class_sizes(codes, names or classes.tolist())
    kind = dataclasses.replace(kind, class_names=names)
    if source.labels is not None and kind.container == "list":  # gathered here, not the user's
        kind = dataclasses.replace(kind, container="numpy")
    return codes, classes, kind


def _labels_for(source: Source, y: Samples) -> Samples:
    """Give the labels of a source's samples: y, or what the items of a Dataset had."""
    if source.labels is not None:
        if y is not None:
            raise InvalidInputError("y must be None for a Dataset: its items hold the labels.")
        if all(isinstance(label, torch.Tensor) for label in source.labels):
            return torch.stack(source.labels)  # type: ignore[arg-type]  # tensors, all of them
        return source.labels
    if y is None:
        raise InvalidInputError(
            "Learning by class requires y to be passed, but the target y is None. Pass one label "
            "per sample, or a Dataset of (image, label)."
        )
    n_labels = len(as_labels(y))
    if n_labels != source.n:
        raise InvalidInputError(
            f"X and y must have the same length. Got {source.n} and {n_labels} instead."
        )
    return y


def _with_value_range(source: Source, value_range: tuple[float, float] | None) -> DataSpec:
    data = source.format
    if data.kind == "table":
        if value_range is not None:
            raise InvalidInputError(
                "`value_range` is for images. X is 2-D without `image_shape`: pass both or neither."
            )
        return DataSpec(**vars(data))
    if value_range is None and data.dtype == "uint8":
        return DataSpec(**vars(data), value_range=(0.0, 255.0))
    low, high, levels = _scan_values(source)
    if value_range is None:
        value_range = _inferred_range(numpy_dtype(data.dtype), low, high)
    slack = 1e-6 * (value_range[1] - value_range[0])
    if low < value_range[0] - slack or high > value_range[1] + slack:
        raise InvalidInputError(
            f"`value_range` must hold all values of X. Got {tuple(value_range)} for values from "
            f"{low:g} to {high:g} instead."
        )
    low, high = float(value_range[0]), float(value_range[1])
    spec = DataSpec(**vars(data), value_range=(low, high))
    if len(levels) > FEW_LEVELS:
        return spec
    within = {min(max(level, low), high) for level in levels}  # the slack is no part of the range
    return dataclasses.replace(spec, levels=tuple(sorted(within)))


def _scan_values(source: Source) -> tuple[float, float, set[float]]:
    """Give the smallest and the largest value, and all if they are few; refuse NaN, infinity."""
    low, high, non_finite = math.inf, -math.inf, np.zeros(2, dtype=np.int64)
    levels: set[float] = set()
    for chunk in source.chunks():
        non_finite += count_non_finite(chunk)
        low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
        if len(levels) <= FEW_LEVELS:
            levels.update(np.unique(chunk).astype(np.float64).tolist())
    raise_if_non_finite(non_finite)
    return low, high, levels


def _inferred_range(dtype: np.dtype[Any], low: float, high: float) -> tuple[float, float]:
    """Choose the customary range that the values lie in and use more than half of."""
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype.kind == "f":
        if low >= 0 and 0.5 < high <= 1:
            return 0.0, 1.0
        if -1 <= low < 0 and high <= 1 and max(-low, high) > 0.5:
            return -1.0, 1.0
        if low >= 0 and 128 < high <= 255:
            return 0.0, 255.0
    if low == high:
        _refuse_one_value_of(low)
    return low, high


def _refuse_one_value(values: Array, spec: DataSpec) -> None:
    """Refuse images without any difference, such as 16-bit files cut to 8 bits."""
    if values.min() == values.max():
        one = spec.decode(values[:1])
        _refuse_one_value_of(float(np.asarray(one[0] if spec.as_list else one).ravel()[0]))


def _refuse_one_value_of(value: float) -> NoReturn:
    raise InvalidInputError(
        f"X must hold images that differ. Got the value {value:g} everywhere instead: look how "
        "they were read, and at `value_range` if it was given."
    )


def _warn_of_lost_levels(values: Array, spec: DataSpec) -> None:
    """Tell when a few extreme values leave next to no levels for all the others."""
    if spec.dtype == "uint8" or spec.value_range is None:
        return
    counts = np.zeros(256, dtype=np.int64)
    for part in slices_of(len(values), values[0].nbytes):
        counts += np.bincount(values[part].ravel(), minlength=256)
    shares = counts / counts.sum()
    is_used, n_levels = shares > 1e-5, FEW_LEVELS + 1
    if spec.levels is not None:
        is_used, n_levels = shares > 0, len(spec.levels)
    low, high = spec.units()[np.searchsorted(np.cumsum(shares), [0.001, 0.999])]
    is_narrow = high - low < (spec.value_range[1] - spec.value_range[0]) / 4
    if is_used.sum() < n_levels / 2 and is_narrow:
        message = (
            f"X has many more values than the {is_used.sum()} that are left of them: images are "
            f"learnt in 256 levels, from {spec.value_range[0]:g} to {spec.value_range[1]:g} here, "
            f"and nearly all values are about {low:g} to {high:g}. np.clip X to those that matter."
        )
        warn_user(message, GanaugWarning)


def _check_options(
    image_shape: tuple[int, ...] | None,
    value_range: tuple[float, float] | None,
    resize: tuple[int, int] | None,
) -> None:
    if resize is not None and not (
        _are_sizes(resize, (2,)) and all(MIN_SIDE <= side <= MAX_SIDE for side in resize)
    ):
        _refuse("resize", f"None or (height, width), {MIN_SIDE} to {MAX_SIDE} pixels", resize)
    if image_shape is not None:
        if not _are_sizes(image_shape, (2, 3)):
            _refuse("image_shape", "None, (H, W), (H, W, C) or (C, H, W)", image_shape)
        shape = tuple(image_shape)
        chw_shape(shape, layout_of(shape, "HWC", "`image_shape`"), resize)
    if value_range is not None and not _is_range(value_range):
        _refuse("value_range", "None or (low, high), finite and low < high", value_range)


def _refuse(parameter: str, expected: str, value: object) -> NoReturn:
    raise InvalidInputError(f"`{parameter}` must be {expected}. Got {value!r} instead.")


def _are_sizes(value: object, lengths: tuple[int, ...]) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) in lengths
        and all(isinstance(size, int | np.integer) and size > 0 for size in value)
    )


def _is_range(value: Samples) -> bool:
    try:
        low, high = map(float, value)
    except (TypeError, ValueError):
        return False
    return math.isfinite(low) and math.isfinite(high) and low < high
