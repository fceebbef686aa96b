"""Save and load a model: a directory of `model.safetensors` and `config.json`, never a pickle.

A save is written beside its target and renamed into place, so that a full disk or Ctrl-C leaves
an older model as it was. On loading, both files are checked against checksums before anything is
built from them: a model is loaded whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import sklearn
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganaug._version import __version__
from ganaug.classifier import RealClassifier
from ganaug.exceptions import ModelFileError
from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import Alarm
from ganaug.gan.scaling import ColumnScaler
from ganaug.gan.training import TrainedGAN
from ganaug.inputs import DataSpec, LabelKind
from ganaug.model import FittedModel

FORMAT_VERSION = 1
TENSORS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"


def save_model(
    model: FittedModel,
    parameters: dict[str, Any],
    path: str | os.PathLike[str],
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Write a model directory, whole or not at all.

    Parameters
    ----------
    model : FittedModel
    parameters : dict
        Constructor parameters to come back with `load_model`: numbers, texts, None, and
        sequences and dicts of these.
    path : str or path-like
        Directory to make; an existing model there is replaced.
    origin : mapping, optional
        Versions and hardware of the training, as `describe_origin` gives them; by default those
        of this process.

    Raises
    ------
    ModelFileError
        When `path` exists and is not a model directory.
    OSError
        When the disk is full or not writable.
    """
    target = check_replaceable(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    beside.mkdir()
    try:
        save_file(_tensors(model), beside / TENSORS_NAME)
        config = _to_json(_describe(model, parameters, origin))
        config["tensors_sha256"] = _file_digest(beside / TENSORS_NAME)
        config["config_sha256"] = _config_digest(config)
        (beside / CONFIG_NAME).write_text(json.dumps(config, indent=1, allow_nan=False), "utf-8")
        _move_into_place(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def load_model(
    path: str | os.PathLike[str], device: torch.device | str = "cpu"
) -> tuple[FittedModel, dict[str, Any]]:
    """Read a model directory; return the model and its constructor parameters.

    Parameters
    ----------
    path : str or path-like
    device : torch.device or str, default="cpu"
        Where the filter's classifier goes; the networks are moved when sampling starts.

    Raises
    ------
    ModelFileError
        When a file is missing, truncated, altered, or of a newer format; names the file.
    """
    directory = Path(path)
    config = read_config(directory)
    tensors_path = directory / TENSORS_NAME
    if not tensors_path.is_file():
        raise ModelFileError(f"{tensors_path} is missing. Save the model again.")
    if _file_digest(tensors_path) != config["tensors_sha256"]:
        raise ModelFileError(
            f"{tensors_path} is truncated or was altered: its checksum is not the one in "
            f"{CONFIG_NAME}. Save the model again."
        )
    config = _from_json(config)
    parameters = {k: _tuple_if_list(v) for k, v in config["parameters"].items()}
    return _rebuild(config, load_file(tensors_path), device), parameters


def read_config(directory: Path) -> dict[str, Any]:
    """Read and check `config.json` alone: what `ganaug info` shows."""
    path = directory / CONFIG_NAME
    if not path.is_file():
        raise ModelFileError(f"{path} is missing: {directory} is not a saved ganaug model.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        version = int(config["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is truncated or not a ganaug config ({error}).") from error
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version}; this ganaug ({__version__}) reads up "
            f"to {FORMAT_VERSION}. Upgrade: pip install --upgrade ganaug"
        )
    if config.get("config_sha256") != _config_digest(config):
        raise ModelFileError(f"{path} was altered: its checksum does not match its contents.")
    checked: dict[str, Any] = config
    return checked


# --- what is in the files --------------------------------------------------------------------


def _tensors(model: FittedModel) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for index, gan in enumerate(model.gans):
        tensors |= {f"gan/{index}/generator/{k}": v for k, v in gan.generator_state.items()}
        tensors |= {f"gan/{index}/discriminator/{k}": v for k, v in gan.discriminator_state.items()}
    if model.classifier is not None:
        tensors |= {f"classifier/{k}": v for k, v in model.classifier.state_dict().items()}
    if model.scaler is not None:
        tensors |= {f"scaler/{k}": v for k, v in model.scaler.tensors().items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _describe(
    model: FittedModel, parameters: dict[str, Any], origin: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        **(describe_origin("unknown") if origin is None else origin),
        "parameters": parameters,
        "data": {
            "spec": model.spec.to_json(),
            "classes": model.classes.tolist(),
            "label_kind": model.label_kind.to_json(),
            "class_counts": model.class_counts.tolist(),
            "value_range": model.spec.value_range,
            "fingerprint": model.fingerprint,
        },
        "seed": model.seed,
        "filters": list(model.filters),
        "trust": model.trust,
        "classifier": None if model.classifier is None else model.classifier.config.to_json(),
        "gans": [_describe_gan(gan) for gan in model.gans],
    }


def _describe_gan(gan: TrainedGAN) -> dict[str, Any]:
    return {
        "config": gan.config.to_json(),
        "images_seen": gan.images_seen,
        "seconds": gan.seconds,
        "interrupted": gan.interrupted,
        "history": gan.history,
        "alarms": [asdict(alarm) for alarm in gan.alarms],
    }


def _rebuild(
    config: dict[str, Any], tensors: dict[str, Tensor], device: torch.device | str
) -> FittedModel:
    data = config["data"]
    label_kind = LabelKind.from_json(data["label_kind"])
    classifier_config = config["classifier"]
    scaler = _with_prefix(tensors, "scaler/")
    return FittedModel(
        spec=DataSpec.from_json(data["spec"]),
        classes=label_kind.restore_classes(data["classes"]),
        label_kind=label_kind,
        class_counts=np.asarray(data["class_counts"], dtype=np.int64),
        fingerprint=data["fingerprint"],
        seed=config["seed"],
        filters=tuple(config["filters"]),
        trust=config["trust"],
        gans=[_rebuild_gan(index, gan, tensors) for index, gan in enumerate(config["gans"])],
        classifier=None
        if classifier_config is None
        else RealClassifier.from_state(
            classifier_config, _with_prefix(tensors, "classifier/"), device=device
        ),
        scaler=ColumnScaler(**scaler) if scaler else None,
    )


def _rebuild_gan(index: int, gan: dict[str, Any], tensors: dict[str, Tensor]) -> TrainedGAN:
    return TrainedGAN(
        GANConfig.from_json(gan["config"]),
        _with_prefix(tensors, f"gan/{index}/generator/"),
        _with_prefix(tensors, f"gan/{index}/discriminator/"),
        gan["history"],
        tuple(Alarm(**alarm) for alarm in gan["alarms"]),
        gan["images_seen"],
        gan["seconds"],
        gan["interrupted"],
    )


def read_origin(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Read versions and hardware of the training from a saved model."""
    config = read_config(Path(directory))
    return {"versions": config["versions"], "hardware": config.get("hardware", {})}


def describe_origin(device: str) -> dict[str, Any]:
    """Versions and hardware of a training on a device, in this process."""
    hardware: dict[str, Any] = {
        "device": device,
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.startswith("cuda"):
        hardware["GPU"] = torch.cuda.get_device_name(device)
    return {"versions": library_versions(), "hardware": hardware}


def _processor_name() -> str:
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


_FLOAT, _PAIRS = "float", "pairs"


def _to_json(value: Any) -> Any:
    """Turn into what any JSON reader takes, so that `_from_json` gives it back.

    NaN and infinity become ``{"float": "nan"}``, dicts with other keys than texts
    ``{"pairs": [[key, value], ...]}``.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if all(isinstance(key, str) and key not in (_FLOAT, _PAIRS) for key in value):
        return {key: _to_json(item) for key, item in value.items()}
    return {_PAIRS: [[_to_json(key), _to_json(item)] for key, item in value.items()]}


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_FLOAT}:
        return float(value[_FLOAT])
    if value.keys() == {_PAIRS}:
        return {_from_json(key): _from_json(item) for key, item in value[_PAIRS]}
    return {key: _from_json(item) for key, item in value.items()}


def _tuple_if_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


# --- files -----------------------------------------------------------------------------------


def check_replaceable(path: str | os.PathLike[str]) -> Path:
    """Refuse to replace anything but an earlier model, and with it whatever else lies there.

    Models of other libraries consist of a `config.json` and a `model.safetensors` too.

    Returns
    -------
    Path
        Where to save: of a link what it points to, "." by its name.

    Raises
    ------
    ModelFileError
        When `path` exists and is not a model directory.
    """
    target = Path(path).resolve()
    if not target.exists():
        return target
    names = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    foreign = sorted(names - {TENSORS_NAME, CONFIG_NAME})
    if foreign:
        raise ModelFileError(
            f"{target} is not replaced: it is not only a saved ganaug model (there is "
            f"{', '.join(foreign[:3])}). Choose another path, or move these away."
        )
    if names and not _is_ganaug_config(target / CONFIG_NAME):
        raise ModelFileError(
            f"{target} is not replaced: it is not a saved ganaug model. Choose another path, or "
            "remove it."
        )
    return target


def _is_ganaug_config(path: Path) -> bool:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return bool({"format_version", "tensors_sha256"} <= config.keys())
    except (OSError, ValueError, AttributeError):
        return False


def _move_into_place(beside: Path, target: Path) -> None:
    """Rename a finished directory to its target; an older one there goes only afterwards."""
    if not target.exists():
        beside.rename(target)
        return
    old = _beside(target)
    try:
        target.rename(old)
        beside.rename(target)
    except BaseException:  # Ctrl-C too, and also right after a rename
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path) -> Path:
    """Return an unused hidden name in the same directory, so that renaming stays on one disk."""
    return target.with_name(f".{target.name}-{uuid.uuid4().hex}")


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config_digest(config: dict[str, Any]) -> str:
    content = {key: value for key, value in config.items() if key != "config_sha256"}
    # through JSON once, so that tuples and lists digest alike
    canonical = json.dumps(json.loads(json.dumps(content)), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
