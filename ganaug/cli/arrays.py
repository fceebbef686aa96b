"""DATA as arrays, for what takes nothing else: scikit-learn's classifiers, any over-sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.inputs import DataSpec, read_training_set
from ganaug.inputs.files import LabelledData


@dataclass(frozen=True)
class Arrays:
    """Samples and labels as arrays; image files, and what is resized, as uint8 (n, C, H, W)."""

    X: npt.NDArray[Any]
    y: npt.NDArray[Any]
    image_shape: tuple[int, ...] | None  # of the images that the columns of 2-D X hold
    spec: DataSpec  # what DATA looks like
    is_encoded: bool  # X has another form than DATA

    def decode(self, X: npt.NDArray[Any]) -> Any:
        """Give samples like those of `X` as DATA has them."""
        return self.spec.decode(X) if self.is_encoded else X


def arrays_of(
    source: LabelledData, image_shape: tuple[int, ...] | None, resize: tuple[int, int] | None
) -> Arrays:
    """Give what was read as arrays."""
    data = read_training_set(source.X, source.y, image_shape=image_shape, resize=resize)
    labels = data.classes[data.labels]
    if isinstance(source.X, np.ndarray) and resize is None:
        return Arrays(source.X, labels, image_shape, data.spec, False)
    return Arrays(data.values, labels, None, data.spec, True)
