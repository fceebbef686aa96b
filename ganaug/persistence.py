"""Save and load a model: one safetensors file that is read, and two files for people beside it.

All that `load_model` reads is ``model.safetensors``: the tensors, and everything else as JSON in
its metadata (see `ganaug.tensorfile` for the file, and `ganaug.model_schema` for what must be in
it). It is put in place by one rename, so a model is there whole or not at all, whatever happens
while it is saved. ``config.json`` and ``README.md`` beside it say the same for people, and are
never read.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import safetensors
import sklearn
import torch

from ganaug import tensorfile
from ganaug._version import __version__
from ganaug.checks import check_path
from ganaug.exceptions import InvalidInputError, ModelFileError
from ganaug.jsonable import SchemaError, as_read_back, dumps, jsonable, read_as
from ganaug.model import FittedModel, class_trust
from ganaug.model_card import model_card
from ganaug.model_schema import ModelContent, describe, read_content, rebuild, tensors_of
from ganaug.settings import own_settings
from ganaug.storage import check_room, check_writable, is_part_of, make_directory, write_atomically
from ganaug.tensorfile import Layout

FORMAT_VERSION = 5
KIND = "model"
MODEL_NAME, CONFIG_NAME, CARD_NAME = "model.safetensors", "config.json", "README.md"
NOT_FROM_A_FILE = frozenset({"cache_dir", "checkpoint_dir", "warm_start_from", "device", "n_jobs"})
"""Parameters that name places and devices of this machine: neither saved nor loaded."""

_Scalar = str | bool | int | float
_KINDS_OF_ANY: dict[str, Any] = {
    "random_state": int | None,
    "sampling_strategy": str | int | float | dict[_Scalar, int | float] | None,
    "augmentation": str | None,
}


@dataclass(frozen=True)
class SavedModel:
    """What was read from one file; `estimator` is what `build` made of the parameters."""

    model: FittedModel
    estimator: Any


@own_settings()
def save_model(
    model: FittedModel, parameters: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    """Write a model directory whole, with parameters from `plain_parameters`; or raise.

    Only an earlier model is replaced; after a ModelFileError, what was there stays as it was.
    """
    content, tensors = {**describe(model), "parameters": parameters}, tensors_of(model)
    try:
        _read_content(as_read_back(content), tensorfile.layouts_of(tensors), None)
    except SchemaError as error:
        raise ModelFileError(f"{path} is not written: it could not be loaded. {error}") from None
    packed = tensorfile.pack(KIND, FORMAT_VERSION, content, tensors)
    directory = check_can_save(path, n_bytes=len(packed))
    make_directory(directory)
    try:
        write_atomically(directory / MODEL_NAME, packed)
    except OSError as error:
        raise ModelFileError(
            f"The model could not be written to {directory}: {error.strerror or error}."
        ) from error
    with contextlib.suppress(OSError):  # the model is saved: a missing page is no failure
        _write_for_people(directory, model, content)


def load_model(
    path: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    build: Callable[[dict[str, Any]], Any] | None = None,
) -> SavedModel:
    """Read a model from its directory.

    `device`: where the filter's classifier goes; the networks are moved when sampling starts.
    `build`: makes an estimator of the saved parameters, or raises InvalidInputError or SchemaError
    where they are not what it takes.
    """
    file = _file_in(check_path(path))

    def check(content: Any, layouts: dict[str, Layout]) -> tuple[ModelContent, Any]:
        return _read_content(content, layouts, build)

    return SavedModel(*read_model(file, KIND, check, device))


@own_settings()
def read_model(
    file: Path,
    kind: str,
    check: Callable[[Any, dict[str, Layout]], tuple[ModelContent, Any]],
    device: torch.device | str,
) -> tuple[FittedModel, Any]:
    """Read a model from one file, and what else its `check` gives; nothing is allocated before.

    Raises ModelFileError when the file is missing, damaged, of another format, or says what no
    saved model says. Names the file, and what is wrong.
    """
    read = tensorfile.read(file, kind, FORMAT_VERSION, check)
    content, other = read.content
    try:
        return rebuild(content, read.tensors, device), other
    except SchemaError as error:
        raise ModelFileError(f"{file} cannot be used: {error}") from None


def check_can_save(path: str | os.PathLike[str], n_bytes: int = 0) -> Path:
    """Refuse a path that a model cannot be saved to, and give it resolved; nothing is changed.

    Only an earlier model of ganaug may be replaced, since models of other libraries consist of
    files with the same names.
    """
    target = check_path(path).resolve()
    if os.path.exists(target):  # unlike Path.exists, also of a name that is too long
        _refuse_what_is_no_model(target)
    check_writable(target, ModelFileError)
    check_room(target, n_bytes)
    return target


def _file_in(directory: Path) -> Path:
    if os.path.isfile(directory):
        raise ModelFileError(
            f"{directory} is a file: give the directory of a model, which holds {MODEL_NAME}."
        )
    return directory / MODEL_NAME


# --- parameters ----------------------------------------------------------------------------------


def plain_parameters(estimator: Any) -> dict[str, Any]:
    """Give an estimator's parameters but for this machine's, and what JSON cannot hold."""
    plain: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=False).items():
        with contextlib.suppress(SchemaError):
            plain |= read_parameters(type(estimator), {name: as_read_back(value)})
    return plain


def read_parameters(estimator_class: type, parameters: Any) -> dict[str, Any]:
    """Read constructor parameters from a file, only those that it may name, by annotation."""
    kinds = _parameter_kinds(estimator_class)
    if not isinstance(parameters, dict):
        raise SchemaError(f"`parameters` must be a JSON object. Got {parameters!r:.80} instead.")
    for name in parameters:
        if name not in kinds:
            raise SchemaError(f"`parameters` must not name {name!r:.80}.")
    return {
        name: read_as(kinds[name], value, f"parameters.{name}")
        for name, value in parameters.items()
    }


def _parameter_kinds(estimator_class: type) -> dict[str, Any]:
    hints = get_type_hints(inspect.unwrap(estimator_class.__init__))  # type: ignore[misc]
    hints |= {name: kind for name, kind in _KINDS_OF_ANY.items() if name in hints}
    return {k: v for k, v in hints.items() if k not in {"return", *NOT_FROM_A_FILE}}


# --- what is in the files ------------------------------------------------------------------------


def _read_content(
    content: Any, layouts: dict[str, Layout], build: Callable[[dict[str, Any]], Any] | None
) -> tuple[ModelContent, Any]:
    if not isinstance(content, dict) or "parameters" not in content:
        raise SchemaError("`model` must have the key 'parameters', which is missing.")
    about_model = {key: value for key, value in content.items() if key != "parameters"}
    checked = read_content(about_model, layouts)
    if build is None:
        return checked, None
    try:
        return checked, build(content["parameters"])
    except InvalidInputError as error:
        raise SchemaError(f"`parameters` are refused: {error}") from None


def _for_people(content: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = jsonable({"format_version": FORMAT_VERSION, **content})
    shown["data"]["value_range"] = shown["data"]["spec"]["value_range"]
    shown["trust"] = class_trust(content["generator_trust"])
    shown |= shown.pop("origin")
    return shown


def _write_for_people(directory: Path, model: FittedModel, content: Mapping[str, Any]) -> None:
    config = dumps(_for_people(content), indent=1) + "\n"
    write_atomically(directory / CONFIG_NAME, config.encode())
    write_atomically(directory / CARD_NAME, model_card(model).encode(errors="backslashreplace"))


def _refuse_what_is_no_model(target: Path) -> None:
    try:
        names = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    except OSError as error:
        raise ModelFileError(f"{target} cannot be read: {error.strerror or error}.") from error
    ours = (MODEL_NAME, CONFIG_NAME, CARD_NAME)
    parts = {name for name in names for file in ours if is_part_of(target / file, name)}
    if foreign := sorted(names - parts - {*ours}):
        raise ModelFileError(
            f"{target} is not replaced: it is not only a saved ganaug model (there is "
            f"{', '.join(foreign[:3])}). Choose another path, or move these away."
        )
    if names - parts and not tensorfile.is_kind(target / MODEL_NAME, KIND):
        raise ModelFileError(
            f"{target} is not replaced: it is not a saved ganaug model. Choose another path, or "
            "remove it."
        )


# --- versions and hardware -----------------------------------------------------------------------


def describe_origin(device: str) -> dict[str, Any]:
    """Versions and hardware of a training on a device, in this process."""
    hardware: dict[str, Any] = {
        "device": device,
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.startswith("cuda"):
        hardware["GPU"] = torch.cuda.get_device_name(device)
    return {"versions": library_versions(), "hardware": hardware}


def processor_name() -> str:
    """Give the model as Linux knows it, else the architecture."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def library_versions() -> dict[str, str]:
    """Versions of what made a model."""
    return {
        "ganaug": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "safetensors": safetensors.__version__,
    }
