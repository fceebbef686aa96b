"""Synthetic images in an albumentations pipeline.

Needs albumentations 2.0.x: ``pip install "ganaug[albumentations]"``. Import this module before
``A.from_dict`` is to rebuild a pipeline that holds a `SyntheticReplace`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ganaug.augmenter import GANAugmenter
from ganaug.checks import require_extra
from ganaug.exceptions import InvalidInputError
from ganaug.inputs import encode_labels
from ganaug.inputs.pixels import Array
from ganaug.integrations.common import codes_to_leave_alone, to_dtype

A: Any = require_extra("albumentations", "albumentations")
cv2: Any = require_extra("cv2", "albumentations")
pydantic: Any = require_extra("pydantic", "albumentations")

_TARGETS_OF_AN_IMAGE = ("mask", "masks", "bboxes", "keypoints", "volume", "mask3d", "masks3d")


class SyntheticReplace(A.ImageOnlyTransform):
    """Replace an image by a synthetic one of the same label.

    Called with ``image=`` and ``label=``. The synthetic images of a class are made on the CPU, in
    the process that first needs them, and the same in all processes.

    Parameters
    ----------
    model_path : str or path-like
        What `GANAugmenter.save` has written: a path, so that pipelines can be serialised.
    n_per_class : int, default=256
        Synthetic images of each class to draw from.
    p : float
        Probability to replace the image; distrusted classes are left alone. There is no default:
        for convolutional networks trained with augmentation no value was worth it where it was
        measured, and a quarter did harm (docs/experiments.md).

    Raises
    ------
    ModelFileError
        When there is no saved model at `model_path`.
    InvalidInputError
        For a model of a table. On each call, whether the transform fires or not: when there is no
        ``image`` or ``label``, when the model does not know the label, and for images that are
        neither uint8 nor float32, or of other channels than the model's.

    Warns
    -----
    GanaugWarning
        When classes are left alone.

    Notes
    -----
    Which image is drawn follows the seed of `A.Compose`. Synthetic images are resized to the
    incoming one, and scaled as it: uint8 from 0 to 255 and float32 from 0 to 1, but to the model's
    own range where it was fitted on integers or fractions likewise.

    Examples
    --------
    >>> import albumentations as A
    >>> import numpy as np
    >>> from ganaug import GANAugmenter
    >>> images, labels = np.random.default_rng(0).random((80, 8, 8)), np.arange(80) % 2
    >>> augmenter = GANAugmenter(max_images=128, filter=None, verbose=0).fit(images, labels)
    >>> augmenter.save("model")
    >>> pipeline = A.Compose([SyntheticReplace("model", p=1), A.HorizontalFlip()], seed=0)
    >>> pipeline(image=np.zeros((32, 32), dtype=np.uint8), label=1)["image"].shape
    (32, 32)
    """

    class InitSchema(A.BasicTransform.InitSchema):
        """What albumentations checks before `__init__` runs."""

        model_path: str | Path
        n_per_class: int = pydantic.Field(ge=1)

    def __init__(
        self, model_path: str | os.PathLike[str], n_per_class: int = 256, *, p: float
    ) -> None:
        super().__init__(p=p)
        self.model_path = str(model_path)
        self.n_per_class = n_per_class
        self._augmenter: GANAugmenter | None = None
        self._made: dict[int, Array] = {}
        if self.augmenter.spec_.kind != "image":
            raise InvalidInputError(f"`model_path` must be a model of images. {model_path} is not.")
        self._left_alone = codes_to_leave_alone(self.augmenter, "SyntheticReplace")

    @property
    def targets_as_params(self) -> list[str]:
        """What `get_params_dependent_on_data` reads."""
        return ["image", "label"]

    def __call__(self, *args: Any, force_apply: bool = False, **data: Any) -> Any:
        """Check the data on every call, and replace the image with probability `p`."""
        self._check(data)
        return super().__call__(*args, force_apply=force_apply, **data)

    def get_params_dependent_on_data(
        self,
        params: dict[str, Any],  # noqa: ARG002 - albumentations' signature, here and below
        data: dict[str, Any],
    ) -> dict[str, Any]:
        """Draw a synthetic image of the label."""
        code = self._code_of(data["label"])
        if code in self._left_alone:
            return {"synthetic": data["image"]}
        values = self._images_of(code)[self.py_random.randrange(self.n_per_class)]
        return {"synthetic": self._like(values, data["image"])}

    def apply(self, img: Array, synthetic: Array, **params: Any) -> Array:  # noqa: ARG002
        """Give the synthetic image in the place of the real one."""
        return synthetic

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the model: each process loads it."""
        return {**self.__dict__, "_augmenter": None, "_made": {}}

    # --- the model ---

    @property
    def augmenter(self) -> GANAugmenter:
        """The model; a pickled copy loads it on first use."""
        if self._augmenter is None:
            self._augmenter = GANAugmenter.load(self.model_path, device="cpu")
        return self._augmenter

    def _images_of(self, code: int) -> Array:
        """Make the synthetic images of a class, uint8 (n_per_class, C, H, W), once."""
        if code not in self._made:
            counts = {code: self.n_per_class}
            self._made[code], _ = self.augmenter.sampler_.sample_values(counts)
        return self._made[code]

    def _like(self, values: Array, image: Array) -> Array:
        """Bring values of the networks, (C, H, W), to an image's dtype, size and dimensions."""
        made = to_dtype(values, self.augmenter.spec_, image.dtype).transpose(1, 2, 0)
        height, width = image.shape[:2]
        if made.shape[:2] != (height, width):
            made = cv2.resize(np.ascontiguousarray(made), (width, height))
        return made.reshape(image.shape)

    # --- checks ---

    def _check(self, data: dict[str, Any]) -> None:
        missing = [name for name in ("image", "label") if data.get(name) is None]
        if missing:
            raise InvalidInputError(
                "SyntheticReplace must be called with `image` and `label`, for example "
                f"pipeline(image=image, label=label). Got no {' and no '.join(missing)}."
            )
        beside = [name for name in _TARGETS_OF_AN_IMAGE if data.get(name) is not None]
        if beside:
            raise InvalidInputError(
                f"SyntheticReplace must not be called with {', '.join(beside)}: they belong to the "
                "image that is replaced. Leave SyntheticReplace out of pipelines with masks, boxes "
                "or keypoints."
            )
        self._code_of(data["label"])
        image = data["image"]
        if image.dtype not in (np.uint8, np.float32):
            raise InvalidInputError(f"`image` must be uint8 or float32. Got {image.dtype} instead.")
        n_channels = 1 if image.ndim == 2 else image.shape[2]
        spec = self.augmenter.spec_
        assert spec.image_shape is not None  # the constructor has refused tables
        if n_channels != spec.image_shape[0]:
            raise InvalidInputError(
                f"`image` must have the channels that the model has learnt, {spec.image_shape[0]}. "
                f"Got {n_channels} instead (shape {image.shape})."
            )

    def _code_of(self, label: Any) -> int:
        if isinstance(label, str):  # a name of a class whose label is a number
            (label,) = self.augmenter.model_.by_label({label: None})
        return int(encode_labels([label], self.augmenter.classes_)[0])
