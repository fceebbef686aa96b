"""What held the user's data: the facts that are known before any value of it is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ganaug.exceptions import InvalidTypeError
from ganaug.inputs.pixels import Layout
from ganaug.jsonable import plain_scalar

PlainName: TypeAlias = str | bool | int | float | tuple["PlainName", ...] | None


@dataclass(frozen=True)
class DataFormat:
    """Container, dtype, axes and sizes of images, or of feature rows.

    Every field is a plain value, so that a format can be saved.
    """

    kind: Literal["image", "table"]
    """Images, or plain feature rows."""
    container: Literal["numpy", "torch", "pil", "pandas"]
    """What holds the values. PIL images come in a list; pandas is for 2-D data."""
    dtype: str
    """Name of the dtype of one value, such as ``"uint8"`` or ``"float32"`` (torch's names for
    tensors). Integers come back rounded."""
    layout: Literal["HW", "HWC", "CHW", "rows"]
    """Order of the axes of one image; ``"rows"`` is 2-D data, flattened images or a table."""
    image_shape: tuple[int, int, int] | None = None
    """Of the uint8 images that the networks see. None for tables."""
    as_list: bool = False
    """Whether images came in a list (or in a Dataset of PIL images) and go out in one."""
    pil_mode: str | None = None
    """Mode of PIL images, such as ``"L"`` or ``"RGB"``."""
    row_shape: tuple[int, ...] | None = None
    """The `image_shape` parameter that rows of flattened images came with."""
    row_layout: Layout | None = None
    """Order of the values within such a row."""
    resize: tuple[int, int] | None = None
    """The size that images were brought to."""
    n_columns: int | None = None
    """Columns of 2-D data, as it came in."""
    column_names: tuple[PlainName, ...] | None = None
    """Of a data frame."""
    column_dtypes: tuple[str, ...] | None = None
    """Of a data frame."""
    image_key: str | None = None
    label_key: str | None = None
    """Where the items of a Dataset of dicts keep image and label; None where nothing is known."""


def plain_names(names: Iterable[object], what: str) -> tuple[PlainName, ...]:
    """Give the names that `what`, such as columns or categories, bear as values to be saved."""
    return tuple(_plain_name(name, what) for name in names)


def _plain_name(name: object, what: str) -> PlainName:
    name = plain_scalar(name)
    if isinstance(name, tuple):
        return plain_names(name, what)
    if name is None or isinstance(name, str | int | float):
        return name
    raise InvalidTypeError(
        f"{what} must be named by strings or numbers. Got {name!r}, a {type(name).__name__}, "
        "instead: rename, for example by .astype(str)."
    )
