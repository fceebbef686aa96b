"""A training's state in one safetensors file: written whole or not at all, never a pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganaug.exceptions import CheckpointError
from ganaug.gan.config import GANConfig

CHECKPOINT_VERSION = 1


def write_checkpoint(
    path: Path,
    config: GANConfig,
    identity: str,
    tensors: dict[str, Tensor],
    plain: dict[str, Any],
) -> None:
    """Write beside `path`, then rename: an interrupted write leaves the old checkpoint.

    `identity` is "data:seed", what `read_checkpoint` is asked for.
    """
    header = {
        "version": CHECKPOINT_VERSION,
        "config": config.to_json(),
        "identity": identity,
        "plain": plain,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(contiguous, beside, metadata={"ganaug": json.dumps(header)})
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_checkpoint(
    path: Path, config: GANConfig, identity: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint of the same data and parameters; refuse any other with the reason."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("ganaug", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} is not a readable checkpoint ({error}). Delete it to start anew."
        ) from error
    _check_header(path, header, config, identity)
    return tensors, header["plain"]


def _check_header(path: Path, header: dict[str, Any], config: GANConfig, identity: str) -> None:
    advice = "Use another `checkpoint_dir`, or delete the file to start anew."
    if header.get("version") != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint version {header.get('version')}, expected "
            f"{CHECKPOINT_VERSION}. {advice}"
        )
    if header["identity"] != identity:
        data, _, seed = header["identity"].rpartition(":")
        if data == identity.rpartition(":")[0]:
            raise CheckpointError(
                f"{path} belongs to a training with another seed ({seed}): pass an integer as "
                f"`random_state`, the same one each time. {advice}"
            )
        raise CheckpointError(f"{path} belongs to a training on other data. {advice}")
    old, new = header["config"], json.loads(json.dumps(config.to_json()))
    changed = [
        f"{key} (was {old.get(key)}, now {new[key]})" for key in new if old.get(key) != new[key]
    ]
    if changed:
        raise CheckpointError(
            f"{path} was made with other parameters: {', '.join(changed)}. {advice}"
        )
