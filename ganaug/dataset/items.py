"""What the items of a wrapped dataset look like, and making more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from ganaug.dataset.labels import probe_positions
from ganaug.exceptions import GanaugError, InvalidInputError
from ganaug.inputs import DataSpec, without_transforms
from ganaug.inputs.datasets import MapDataset, find_keys, split_item, transform_owner
from ganaug.inputs.pixels import READ_AS, Array, pil_mode_of, pixels_of
from ganaug.inputs.sources import open_source

Transform = Callable[[Any], Any]


class ItemFormat:
    """What a dataset's items look like: takes them apart, and makes more of them.

    A few items (of a torchvision dataset: before its transforms) are looked at: they may differ
    from `spec`, of the data given to ``fit``, in container, layout and width of the dtype, but not
    in shape and scale. `labels`: of each class code; as an attribute, of the type that the items
    have, and shared by all synthetic items of a class.
    """

    def __init__(
        self,
        dataset: MapDataset,
        spec: DataSpec,
        labels: Sequence[Any],
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.transform, self.target_transform = transform, target_transform
        self._own_transforms = OwnTransforms(dataset)
        raw = without_transforms(dataset)
        items = {i: raw[i] for i in probe_positions(len(raw))}
        self._keys = find_keys(raw, items[0], spec.image_key, spec.label_key, "item 0")
        parts = [self._split(item, f"item {i}") for i, item in items.items()]
        images, labels_of_items = zip(*parts, strict=True)
        self._has_further_keys = isinstance(items[0], Mapping) and len(items[0]) > 2
        self._empty_item = self._with_parts(items[0], None, None)
        self._spec = _spec_of(list(images), spec)
        are_as_read = not self._own_transforms.exist()
        self._read_as = _mode_to_read(images) if are_as_read else None
        if transform is None and are_as_read:
            _refuse_two_sizes(images[0], self._spec)
        self._tensor_type = type(images[0]) if isinstance(images[0], Tensor) else Tensor
        self.labels = _labels_like(labels_of_items[0], labels)

    def make(self, values: Array, codes: npt.NDArray[np.int64]) -> list[Any]:
        """Make items such as the dataset returns, its own transforms applied."""
        images: Iterable[Any] = self._spec.decode(values)
        if self._tensor_type is not Tensor:  # such as torchvision's tv_tensors.Image
            images = [image.as_subclass(self._tensor_type) for image in images]
        labels = [self.labels[code] for code in codes.tolist()]
        pairs: Iterable[tuple[Any, Any]] = zip(images, labels, strict=True)
        if self._own_transforms.exist():
            pairs = (self._own_transforms(image, label) for image, label in pairs)
        if type(self._empty_item) is tuple:
            return list(pairs)
        return [self._with_parts(self._empty_item, *pair) for pair in pairs]

    def finish(self, items: list[Any]) -> list[Any]:
        """Make real and synthetic items alike.

        That is: transform both, drop what stands under further keys, of which synthetic items have
        none, and convert images of palettes as ``fit`` does.
        """
        further = self.transform, self.target_transform, self._read_as
        if not self._has_further_keys and all(step is None for step in further):
            return items
        return [self._finish(item) for item in items]

    def _finish(self, item: Any) -> Any:
        image, label = self._split(item, "an item")
        if self._read_as is not None and image.mode != self._read_as:
            image = image.convert(self._read_as)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return self._with_parts(item, apply_transform(self.transform, image), label)

    def _split(self, item: Any, name: str) -> tuple[Any, Any]:
        return split_item(item, *self._keys, f"{name} of the dataset")

    def _with_parts(self, item: Any, image: Any, label: Any) -> Any:
        """Give an item like another, with its image and label replaced."""
        if isinstance(item, Mapping):
            return {self._keys[0]: image, self._keys[1]: label}
        if hasattr(item, "_make"):  # a named tuple
            return item._make((image, label))
        return type(item)((image, label))


class OwnTransforms:
    """The transforms of a torchvision dataset, for items that it has not made itself.

    They are looked up at each use, as the dataset does: users may exchange them at any time.
    Datasets that `without_transforms` gives as they are have none.
    """

    def __init__(self, dataset: MapDataset) -> None:
        self._dataset = transform_owner(dataset)
        raw_dataset = without_transforms(dataset)
        raw = transform_owner(raw_dataset)
        self._is_vision = raw_dataset is not dataset
        # what is still on where raw labels are read has made the labels seen in fit
        self._target_is_done = getattr(raw, "target_transform", None) is not None

    def exist(self) -> bool:
        """Tell whether there is anything to apply."""
        names = ("transform", "target_transform", "transforms")
        found = (getattr(self._dataset, name) for name in names)
        return self._is_vision and any(transform is not None for transform in found)

    def __call__(self, image: Any, label: Any) -> tuple[Any, Any]:
        """Transform one raw item."""
        dataset = self._dataset
        if dataset.transform is None and dataset.target_transform is None:
            both: tuple[Any, Any] = dataset.transforms(image, label)
            return both
        if dataset.target_transform is not None and not self._target_is_done:
            label = dataset.target_transform(label)
        return apply_transform(dataset.transform, image), label


def apply_transform(transform: Transform | None, image: Any) -> Any:
    """Apply a transform of any of the customary kinds to an image."""
    if transform is None:
        return image
    if any(kind.__module__.startswith("albumentations.") for kind in type(transform).__mro__):
        return transform(image=image)["image"]  # type: ignore[call-arg]
    return transform(image)


def _mode_to_read(images: Iterable[object]) -> str | None:
    """Name the mode that `fit` reads palettes and the like in; None for other images."""
    pil_images = (image for image in images if isinstance(image, Image.Image))
    return next((pil_mode_of(image) for image in pil_images if image.mode in READ_AS), None)


def _spec_of(images: list[Any], spec: DataSpec) -> DataSpec:
    """Describe a dataset's images; refuse those that are not like the fitted ones."""
    try:
        pixels = [
            pixels_of(image, f"item {i} of those looked at") for i, image in enumerate(images)
        ]
        are_rows = pixels[0].ndim == 1
        X: Any = np.stack(pixels) if are_rows else images
        if are_rows and isinstance(images[0], Tensor):
            X = torch.stack(images)
        row_shape = spec.row_shape if are_rows else None
        source = open_source(X, row_shape, spec.resize)
        spec.encode_source(source, is_set=True)
    except GanaugError as error:
        raise type(error)(
            f"The wrapped dataset's items are not like the data seen in fit. {error} Scaling that "
            "it does itself may be passed as `transform` instead, for all images alike."
        ) from None
    return DataSpec(**vars(source.format), value_range=spec.value_range, levels=spec.levels)


def _refuse_two_sizes(image: Any, spec: DataSpec) -> None:
    """Refuse images that `resize` has brought to another size than the dataset returns."""
    if spec.resize is None:
        return
    example = spec.decode(spec.empty(1))[0]
    found, made = pixels_of(image, "the dataset").shape, pixels_of(example, "").shape
    if found != made:
        raise InvalidInputError(
            f"Synthetic images have shape {made}, by the `resize` of fit, those of the wrapped "
            f"dataset {found}. Pass a `transform` that brings both to one size."
        )


def _labels_like(example: Any, labels: Sequence[Any]) -> list[Any]:
    """Give labels the type of an example."""
    if isinstance(example, Tensor):
        return list(torch.tensor(labels, dtype=example.dtype).reshape(-1, *example.shape))
    if isinstance(example, np.generic | np.ndarray):
        array = np.asarray(labels)
        array = array if array.dtype.kind in "US" else array.astype(example.dtype)
        if isinstance(example, np.ndarray):
            return [np.full(example.shape, label) for label in array]
        return list(array)
    if isinstance(example, list | tuple):
        return [type(example)([label]) for label in _labels_like(example[0], labels)]
    return [type(example)(label) for label in labels]
