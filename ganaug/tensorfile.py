"""One safetensors file of tensors and a description of them, believed only after checks.

The file is an ordinary safetensors file whose metadata has one entry, ``"ganaug"``: JSON of a kind
(what the file is for), a format version, a SHA-256 checksum of the whole file, and the content that
its owner described. The checksum is taken with its own 64 digits as zeros, so that it covers every
byte. It shows damage, not an attacker, who can compute it, too: that is what the other checks are
for. They look at the header alone, before anything of the size that it names is allocated.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ganaug._version import __version__
from ganaug.exceptions import ModelFileError
from ganaug.jsonable import SchemaError, dumps, from_marked, loads_strictly, marked, read_as
from ganaug.storage import write_atomically

T = TypeVar("T")

MAX_HEADER = 32 * 2**20
"""Bytes; 32,000 columns' names and a thousand classes' history take a tenth."""
CHECKSUM_DIGITS = 64
METADATA = "ganaug"
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


@dataclass(frozen=True)
class Layout:
    """Shape and dtype of a tensor, without its values."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_bytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')} {self.shape}"


@dataclass(frozen=True)
class TensorFile:
    """What a checked file holds; `content` is what its owner's check made of it."""

    content: Any
    tensors: dict[str, Tensor]


def layouts_of(tensors: Mapping[str, Tensor]) -> dict[str, Layout]:
    """Give the layouts of tensors, those on the meta device included."""
    return {name: Layout(tuple(t.shape), t.dtype) for name, t in tensors.items()}


def pack(
    kind: str, version: int, content: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> bytes:
    """Give the bytes of a file, the same for the same content.

    `version`: of the format of `content`, plain values, and of the tensors' names.
    """
    placeholder = "0" * CHECKSUM_DIGITS
    described = {"sha256": placeholder, "kind": kind, "format_version": version}
    text = dumps(described | {"content": marked(content)})
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    packed = bytearray(safetensors.torch.save(on_cpu, metadata={METADATA: text}))
    start = packed.index(placeholder.encode())
    digest = hashlib.sha256(packed).hexdigest()
    packed[start : start + CHECKSUM_DIGITS] = digest.encode()
    return bytes(packed)


def write(
    path: Path, kind: str, version: int, content: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write a file whole or not at all; see `pack` and `storage.write_atomically`."""
    write_atomically(path, pack(kind, version, content, tensors))


def read(
    path: Path, kind: str, version: int, check: Callable[[Any, dict[str, Layout]], T]
) -> TensorFile:
    """Read a file once, into memory.

    `check`: gets the content and the tensors' layouts, and returns what it made of the content, or
    raises SchemaError. ModelFileError names the file and what is wrong.
    """
    try:
        with _open_regular(path) as file:
            header = _read_header(file)
            described, layouts = _parse_header(header)
            content = check(_content_of(described, kind, version), layouts)
            n_bytes, found = sum(layout.n_bytes for layout in layouts.values()), _size(file)
            if found != len(header) + n_bytes:
                raise SchemaError(
                    f"it must hold {n_bytes} bytes of tensors. Got {found - len(header)} instead: "
                    "it is truncated, or was altered."
                )
            packed = header + file.read(n_bytes)
        _check_checksum(packed, described.get("sha256"))
        tensors = safetensors.torch.load(packed)
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing.") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (SchemaError, SafetensorError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged, or not a {kind} that ganaug {__version__} wrote: {error}"
        ) from None
    return TensorFile(content, tensors)


def is_kind(path: Path, kind: str) -> bool:
    """Tell whether a file says that it is of a kind, whatever its version and state."""
    try:
        with _open_regular(path) as file:
            text = loads_strictly(_read_header(file)[8:])["__metadata__"][METADATA]
        return bool(loads_strictly(text)["kind"] == kind)
    except (OSError, SchemaError, LookupError, TypeError):
        return False


def check_layouts(layouts: Mapping[str, Layout], expected: Mapping[str, Layout]) -> None:
    """Refuse tensors that are missing, too many, or of another shape or dtype than expected."""
    for name, wanted in expected.items():
        if name not in layouts:
            raise SchemaError(f"the tensor {name!r} is missing.")
        if layouts[name] != wanted:
            raise SchemaError(f"the tensor {name!r} must be {wanted}. Got {layouts[name]} instead.")
    if unknown := sorted(layouts.keys() - expected.keys()):
        raise SchemaError(f"there is an unknown tensor, {unknown[0][:80]!r}.")


def _open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, and never wait for another kind, such as a pipe."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise SchemaError("it must be a regular file.")


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _read_header(file: BinaryIO) -> bytes:
    length = file.read(8)
    n = int.from_bytes(length, "little")
    if len(length) < 8 or n > _size(file) - 8:
        raise SchemaError("it is truncated: its header is longer than the file.")
    if n > MAX_HEADER:
        raise SchemaError(f"its header must be of at most {MAX_HEADER} bytes. Got {n} instead.")
    return length + file.read(n)


class _Entry(TypedDict):
    """What safetensors says of a tensor."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]  # which safetensors checks itself, when it loads


def _parse_header(header: bytes) -> tuple[dict[str, Any], dict[str, Layout]]:
    entries = _as_dict(loads_strictly(header[8:]), "header")
    metadata = _as_dict(entries.pop("__metadata__", {}), "header.__metadata__")
    text = read_as(str, metadata.get(METADATA, "{}"), f"header.__metadata__.{METADATA}")
    described = _as_dict(loads_strictly(text), METADATA)
    return described, {name: _layout(entry, name) for name, entry in entries.items()}


def _layout(told: Any, name: str) -> Layout:
    entry: _Entry = read_as(_Entry, told, f"tensor {name:.80}")
    if entry["dtype"] not in DTYPES or any(n < 0 for n in entry["shape"]):
        raise SchemaError(
            f"the tensor {name!r:.80} must have a dtype among {', '.join(DTYPES)} and no negative "
            f"side. Got {entry['dtype']!r:.40} and {entry['shape']!r:.40} instead."
        )
    return Layout(entry["shape"], DTYPES[entry["dtype"]])


def _content_of(described: dict[str, Any], kind: str, version: int) -> Any:
    if described.get("kind") != kind:
        raise SchemaError(f"its kind must be {kind!r}. Got {described.get('kind')!r:.80} instead.")
    found = read_as(int, described.get("format_version"), "format_version")
    if found > version:
        raise SchemaError(
            f"it has format version {found}, and this ganaug reads {version}. Upgrade: pip install "
            "--upgrade ganaug"
        )
    if found != version:
        raise SchemaError(f"`format_version` must be {version}. Got {found} instead.")
    return from_marked(described.get("content"))


def _check_checksum(packed: bytes, claimed: Any) -> None:
    digits = str(claimed).encode()
    if len(digits) == CHECKSUM_DIGITS and packed.count(digits, 0, MAX_HEADER) == 1:
        without = packed.replace(digits, b"0" * CHECKSUM_DIGITS, 1)
        if hashlib.sha256(without).hexdigest() == claimed:
            return
    raise SchemaError("its checksum does not match its bytes: it was altered.")


def _as_dict(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise SchemaError(f"`{where}` must be a JSON object. Got {value!r:.80} instead.")
