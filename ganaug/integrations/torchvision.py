"""Synthetic images in a torchvision batch, before MixUp and CutMix.

Needs torchvision: ``pip install "ganaug[torchvision]"``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganaug.augmenter import GANAugmenter
from ganaug.checks import check_values, number, require_extra, whole_number
from ganaug.dataset import SyntheticBank
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs import encode_labels
from ganaug.inputs.pixels import is_off_scale
from ganaug.integrations.common import codes_to_leave_alone, to_dtype, value_range_for
from ganaug.seeds import stream

v2: Any = require_extra("torchvision.transforms.v2", "torchvision")

N_KEYED_VALUES = 65_536
"""At most this many of a batch's pixel values decide what is drawn for it."""


class SyntheticMix(v2.Transform):
    """Replace images of a batch by synthetic ones of the same label.

    A transform of batches, for a DataLoader's ``collate_fn``, before ``MixUp`` or ``CutMix``. All
    synthetic images are made when this object is: workers only read them from a memory-mapped
    bank, and never use a GPU.

    Parameters
    ----------
    augmenter : GANAugmenter
        Fitted on images.
    p : float
        Probability for each image to be replaced; distrusted classes are left alone. There is no
        default: for convolutional networks trained with augmentation no value was worth it where
        it was measured, and a quarter did harm (docs/experiments.md).
    n_per_class : int, default=500
        Synthetic images of each class to draw from.
    transform : callable, optional
        Makes of a synthetic image, looking as those given to the augmenter's `fit`, what the
        batches hold: your dataset's own transform. By default images are scaled as those in `fit`;
        integers after fractions or the reverse as by ``v2.ToDtype(scale=True)``.
    class_to_idx : mapping of label, or class name, to int, optional
        The label in a batch of each class. Needed where the augmenter's classes are no integers;
        ``ImageFolder`` has it as an attribute.
    return_is_synthetic : bool, default=False
        Return (images, labels, is_synthetic), the last a bool tensor (n,).
    seed : int, default=0
        Which images are replaced, and by what.

    Raises
    ------
    NotFittedError
        When the augmenter is not fitted.
    InvalidInputError
        For tables, unknown classes, or parameters out of range.

    Warns
    -----
    GanaugWarning
        When classes are left alone.

    Notes
    -----
    Draws are keyed by the seed and the batch: the same batch gets the same synthetic images, in
    whatever process or order, and batches that differ get others.

    Examples
    --------
    >>> import torch
    >>> from torchvision.transforms import v2
    >>> from ganaug import GANAugmenter
    >>> images, labels = torch.rand(80, 1, 8, 8), torch.arange(80) % 2
    >>> augmenter = GANAugmenter(max_images=128, filter=None, verbose=0).fit(images, labels)
    >>> batch_transform = v2.Compose([SyntheticMix(augmenter, p=0.1), v2.MixUp(num_classes=2)])
    >>> mixed, soft_labels = batch_transform(images[:16], labels[:16])
    >>> mixed.shape, soft_labels.shape
    (torch.Size([16, 1, 8, 8]), torch.Size([16, 2]))
    """

    def __init__(
        self,
        augmenter: GANAugmenter,
        *,
        p: float,
        n_per_class: int = 500,
        transform: Callable[[Any], Tensor] | None = None,
        class_to_idx: Mapping[Any, int] | None = None,
        return_is_synthetic: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_augmenter(augmenter)
        checks = {"p": number(0, 1), "n_per_class": whole_number(1, 10**6), "seed": whole_number(0)}
        check_values(checks, {"p": p, "n_per_class": n_per_class, "seed": seed})
        self.p = p
        self.n_per_class = n_per_class
        self.return_is_synthetic = return_is_synthetic
        self.seed = seed
        self._image_transform = transform
        sampler = augmenter.sampler_
        classes, self._spec = sampler.classes, sampler.spec
        if self._spec.kind != "image":
            raise InvalidInputError("SyntheticMix is for images. The augmenter has learnt a table.")
        self._labels = _labels_in_batches(classes, sampler.model.class_names, class_to_idx)
        self._is_left_alone = np.isin(
            np.arange(len(classes)), codes_to_leave_alone(augmenter, "SyntheticMix")
        )
        counts = dict(enumerate(np.where(self._is_left_alone, 0, n_per_class).tolist()))
        self._first_row = np.cumsum([0, *counts.values()])  # rows of the bank stand class by class
        self._bank = SyntheticBank.create(*sampler.sample_values(counts))

    def forward(self, *inputs: Any) -> tuple[Tensor, ...]:
        """Replace some of a batch's images.

        Parameters
        ----------
        images : Tensor, shape (n, C, H, W)
        labels : Tensor of integers, shape (n,)
            As two arguments or as one pair.

        Returns
        -------
        images, labels : Tensor
            The labels unchanged, the batch that came in not modified.

        Raises
        ------
        InvalidTypeError
            When the batch is no pair of tensors.
        InvalidInputError
            For soft labels, labels that are not the augmenter's, and images of another shape or
            scale.
        """
        images, labels = _checked_batch(inputs[0] if len(inputs) == 1 else inputs)
        codes = encode_labels(labels, self._labels)
        key = stream(self.seed, _digest(images), *codes.tolist())
        is_synthetic = torch.rand(len(codes), generator=key) < self.p
        is_synthetic &= ~torch.from_numpy(self._is_left_alone[codes])
        mixed = images.clone()
        if is_synthetic.any():
            made = self._draw(codes[is_synthetic.numpy()], key, images)
            mixed[is_synthetic.to(images.device)] = made
        return (mixed, labels, is_synthetic) if self.return_is_synthetic else (mixed, labels)

    def _draw(self, codes: npt.NDArray[np.int64], key: torch.Generator, like: Tensor) -> Tensor:
        """Draw images of some classes, such as a batch holds."""
        within = torch.randint(self.n_per_class, (len(codes),), generator=key).numpy()
        values = self._bank.values[self._first_row[codes] + within]
        if self._image_transform is not None:
            made = torch.stack(
                [self._image_transform(image) for image in self._spec.decode(values)]
            )
        else:
            self._check_scale(like)
            made = torch.from_numpy(to_dtype(values, self._spec, _numpy_dtype(like)))
        if made.shape[1:] != like.shape[1:]:
            raise InvalidInputError(
                "Images of a batch must have the shape of synthetic ones, "
                f"{tuple(made.shape[1:])}. Got {tuple(like.shape[1:])} instead: pass your "
                "dataset's `transform`."
            )
        return made.to(like)

    def _check_scale(self, images: Tensor) -> None:
        """Refuse images that a transform has plainly brought to another scale."""
        low, high = value_range_for(self._spec, _numpy_dtype(images))
        lowest, highest = images.min().item(), images.max().item()
        can_be_dark = not images.is_floating_point()
        if is_off_scale((lowest, highest), (low, high), can_be_dark=can_be_dark):
            raise InvalidInputError(
                f"Images of a batch must have values from {low:g} to {high:g}, as synthetic ones. "
                f"Got {lowest:g} to {highest:g} instead: pass your dataset's `transform`."
            )


def _check_augmenter(augmenter: object) -> None:
    if not isinstance(augmenter, GANAugmenter):
        kind = type(augmenter).__name__
        raise InvalidTypeError(f"`augmenter` must be a GANAugmenter. Got a {kind} instead.")


def _labels_in_batches(
    classes: npt.NDArray[Any], class_names: Sequence[str], class_to_idx: Any
) -> npt.NDArray[np.int64]:
    """Give the integer by which a batch calls each class; `class_to_idx` has labels or names."""
    names = classes.tolist()
    if class_to_idx is not None:
        if not isinstance(class_to_idx, Mapping):
            kind = type(class_to_idx).__name__
            raise InvalidTypeError(f"`class_to_idx` must be a dict. Got a {kind} instead.")
        if any(name in class_to_idx for name in class_names):
            names = list(class_names)
        missing = [name for name in names if name not in class_to_idx]
        if missing:
            raise InvalidInputError(
                f"`class_to_idx` must name all classes seen in fit. {missing} are not in it."
            )
        return np.array([class_to_idx[name] for name in names], dtype=np.int64)
    if classes.dtype.kind not in "biuf":
        raise InvalidInputError(
            "`class_to_idx` is needed, because the labels of batches are integers, and the "
            f"augmenter's classes are {names}. ImageFolder has it as an attribute."
        )
    return classes.astype(np.int64)


def _checked_batch(batch: Any) -> tuple[Tensor, Tensor]:
    is_pair = isinstance(batch, tuple | list) and len(batch) == 2
    if not is_pair or not all(isinstance(part, Tensor) for part in batch):
        raise InvalidTypeError(
            "SyntheticMix takes a batch (images, labels) of two tensors. Got "
            f"{type(batch).__name__} instead."
        )
    images, labels = batch
    if labels.ndim != 1 or labels.is_floating_point():
        raise InvalidInputError(
            "SyntheticMix takes labels as integers of shape (n,). Got soft labels, "
            f"{labels.dtype} of shape {tuple(labels.shape)}, instead: put it before MixUp, CutMix "
            "and one-hot encoding."
        )
    if images.ndim != 4 or len(images) != len(labels):
        raise InvalidInputError(
            f"SyntheticMix takes images of shape (n, C, H, W) and one label for each. Got shape "
            f"{tuple(images.shape)} and {len(labels)} labels instead."
        )
    return images, labels


def _numpy_dtype(images: Tensor) -> np.dtype[Any]:
    """Give NumPy's dtype to convert by; half precision is rounded afterwards."""
    if images.is_floating_point():
        return np.dtype("float64" if images.dtype == torch.float64 else "float32")
    return np.dtype(str(images.dtype).removeprefix("torch."))


def _digest(images: Tensor) -> str:
    """Give a text that tells a batch from others."""
    flat = images.detach().reshape(-1)
    some = flat[:: max(1, len(flat) // N_KEYED_VALUES)].contiguous().cpu()
    return hashlib.blake2b(some.view(torch.uint8).numpy().data).hexdigest()
