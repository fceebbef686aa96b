"""Image files, read one at a time: few formats, checked headers, scaled while they are read.

Pillow goes by a file's contents, whatever its name, and knows formats that start other programs
(PostScript). Only those of `FORMATS` are opened, and only regular files of at most `MAX_PIXELS`.
"""

from __future__ import annotations

import stat
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ganaug.checks import warn_user
from ganaug.exceptions import GanaugWarning, InvalidInputError
from ganaug.inputs.pixels import MAX_SIDE, READ_AS
from ganaug.naming import printable

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pbm", ".pgm", ".ppm")
)
MAX_PIXELS = 120_000_000
"""An image of more is taken for a decompression bomb; cameras reach about 100 million."""

_EIGHT_BIT = ("1", "L", "LA", "RGB", "RGBA")


class _Header(NamedTuple):
    """What a file says of itself, known before anything is decoded."""

    file: Path
    mode: str
    n_frames: int


def read_pictures(
    files: Sequence[Path],
    resize: tuple[int, int] | None = None,
    progress: Callable[[range], Iterable[int]] | None = None,
) -> list[Image.Image]:
    """Read image files as images of one mode, and of one size.

    With `resize` each image is scaled as it is read, JPEGs decoded at a fraction of their size.
    `progress` wraps the range of files, as a progress bar does: twice, for headers and for images.

    Images come upright, whatever a camera's orientation tag says; palettes, CMYK and the like as
    RGB. Mixtures of grey, colour and transparency are all brought to RGB, or to grey where no file
    has colour.
    """
    over = progress or iter
    headers = [_header(files[index], resize) for index in over(range(len(files)))]
    mode = _common_mode(headers)
    images: list[Image.Image] = []
    for index in over(range(len(files))):
        image = _read(files[index], mode, resize)
        if images and image.size != images[0].size:
            raise InvalidInputError(
                f"All images must have one size. {printable(files[0])} is {_size(images[0])}, "
                f"{printable(files[index])} {_size(image)} (height x width): bring all to one, "
                f"such as with --resize {_size(images[0])}."
            )
        images.append(image)
    return images


def is_regular(file: Path) -> bool:
    """Tell whether this is, or links to, an ordinary file: a pipe would be waited for for ever."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """Open an image; whatever is wrong with it is one error that names the file."""
    try:
        if not is_regular(file):
            raise OSError("there is no such ordinary file")
        # warnings of odd tags; the limit of size is checked here
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=FORMATS) as image:
            yield image
    except InvalidInputError:
        raise
    except Exception as error:  # decoders raise whatever they stumble over
        reason = printable(error).replace(printable(file), file.name)
        raise InvalidInputError(
            f"{printable(file)} is not a readable image of the formats {', '.join(FORMATS)}: "
            f"{reason}."
        ) from error


def _header(file: Path, resize: tuple[int, int] | None) -> _Header:
    with _opened(file) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise InvalidInputError(
                f"{printable(file)} has {height} x {width} pixels, more than {MAX_PIXELS:,}: it is "
                "not decoded. Scale it down, or remove it."
            )
        if resize is None and max(width, height) > MAX_SIDE:
            raise InvalidInputError(
                f"{printable(file)} has {height} x {width} pixels (height x width), but at most "
                f"{MAX_SIDE} x {MAX_SIDE} can be learnt: scale all images, such as with "
                "--resize 64x64."
            )
        mode = READ_AS.get(image.mode, image.mode)
        if image.mode == "P" and "transparency" in image.info:
            mode = "RGBA"
        if mode == "1" and resize is not None:  # half a black pixel is grey
            mode = "L"
        has_preview = image.format == "MPO"  # a phone's photo with a smaller copy of itself
        return _Header(file, mode, 1 if has_preview else getattr(image, "n_frames", 1))


def _common_mode(headers: Sequence[_Header]) -> str | None:
    """Choose the mode to read all files in, and say which are converted to it."""
    counts = Counter(header.mode for header in headers)
    if not counts:
        return None
    usual = counts.most_common(1)[0][0]
    odd = [header for header in headers if header.mode != usual]
    frames = [header for header in headers if header.n_frames > 1]
    if frames:
        _warn("Several frames or pages, of which the first is used", frames)
    if not odd:
        return usual
    deep = [header for header in headers if header.mode not in _EIGHT_BIT]
    if deep:
        first = odd[0]
        raise InvalidInputError(
            f"All images must have one depth. {printable(first.file)} is of Pillow's mode "
            f"{first.mode}, {counts[usual]} others of {usual}: bring them to one scale."
        )
    colour = "RGB" if counts.keys() & {"RGB", "RGBA"} else "L"
    mode = f"{colour}A" if counts.keys() <= {"LA", "RGBA"} else colour
    meaning = "grey L, colour RGB, A transparency"
    _warn(f"Not {usual} as the others ({meaning}), so that all are read as {mode}", odd)
    return mode


def _warn(what: str, headers: Sequence[_Header]) -> None:
    files = [printable(header.file) for header in headers]
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    warn_user(f"{what}: {', '.join(files[:5])}{more}.", GanaugWarning)


def _read(file: Path, mode: str | None, resize: tuple[int, int] | None) -> Image.Image:
    with _opened(file) as image:
        if resize is not None:
            side = 2 * max(resize)  # the last halving is left to the better filter
            image.draft(image.mode if image.mode in ("L", "RGB") else None, (side, side))
        upright: Image.Image = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):  # in the order of this machine's bytes
            upright = Image.fromarray(np.asarray(upright).astype(np.uint16))
        elif mode is not None and upright.mode != mode:
            upright = upright.convert(mode)
        if resize is not None and upright.size != (resize[1], resize[0]):
            upright = _scaled(upright, (resize[1], resize[0]))
        upright.load()
        return upright.copy() if upright is image else upright


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    dtype = {"I;16": np.uint16, "I": np.int32}.get(image.mode)
    if dtype is None:
        return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    exact = Image.fromarray(np.asarray(image, dtype=np.float32))
    plane = np.asarray(exact.resize(size, Image.Resampling.BILINEAR))
    return Image.fromarray(np.rint(plane).astype(dtype))


def _size(image: Image.Image) -> str:
    return f"{image.height}x{image.width}"
