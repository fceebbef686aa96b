"""A training's state in one safetensors file: written whole or not at all, never a pickle.

The file is that of `ganaug.tensorfile`, with a checksum of all its bytes. What is in it is checked
against the networks of the config before anything is taken up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from ganaug import tensorfile
from ganaug.exceptions import CheckpointError, ModelFileError
from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import Alarm
from ganaug.gan.networks import outline_discriminator, outline_generator
from ganaug.gan.records import EvaluationRecord, check_records
from ganaug.jsonable import SchemaError, from_marked, marked, read_as
from ganaug.tensorfile import Layout, check_layouts, layouts_of

__all__ = ["read_checkpoint", "write_checkpoint"]

CHECKPOINT_VERSION = 2
KIND = "checkpoint"
N_STATISTICS = 4
RANDOM_STATES = (5056, 16)
"""Bytes of the state of torch's generators on the CPU, and on CUDA."""


class PlainState(TypedDict):
    """Everything about a state but its tensors."""

    images_seen: int
    seconds: float
    steps_in_statistics: int
    history: list[EvaluationRecord]
    best_distance: float
    best_alarms: tuple[Alarm, ...]


def write_checkpoint(
    path: Path,
    config: GANConfig,
    identity: str,
    tensors: dict[str, Tensor],
    plain: dict[str, Any],
) -> None:
    """Write beside `path`, then rename: an interrupted write leaves the old checkpoint.

    `identity` is "data:seed", what `read_checkpoint` is asked for.

    Raises OSError when the disk is full or not writable.
    """
    content = {"config": config.to_json(), "identity": identity, "plain": plain}
    path.parent.mkdir(parents=True, exist_ok=True)
    tensorfile.write(path, KIND, CHECKPOINT_VERSION, content, tensors)


def read_checkpoint(
    path: Path, config: GANConfig, identity: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint of the same data and parameters; refuse any other with the reason.

    Raises CheckpointError when the file is damaged, or is not a state of this training.
    """

    def check(content: Any, layouts: dict[str, Layout]) -> dict[str, Any]:
        header = _read_header(content)
        _check_same_training(path, header, config, identity)
        plain = _check_plain(header["plain"], config)
        check_layouts(layouts, _expected_layouts(config, layouts))
        return plain

    try:
        read = tensorfile.read(path, KIND, CHECKPOINT_VERSION, check)
    except ModelFileError as error:
        raise CheckpointError(
            f"{path} is not a readable checkpoint ({error}). Delete it to start anew."
        ) from error
    return read.tensors, read.content


def _read_header(content: Any) -> dict[str, Any]:
    """Check that a content has the parts of a checkpoint, whatever is in them."""
    if not isinstance(content, dict) or content.keys() != {"config", "identity", "plain"}:
        raise SchemaError("it must have the keys 'config', 'identity' and 'plain'.")
    if not isinstance(content["config"], dict):
        raise SchemaError("`config` must be a JSON object.")
    read_as(str, content["identity"], "identity")
    return content


def _check_same_training(
    path: Path, header: dict[str, Any], config: GANConfig, identity: str
) -> None:
    advice = "Use another `checkpoint_dir`, or delete the file to start anew."
    if header["identity"] != identity:
        data, _, seed = header["identity"].rpartition(":")
        if data == identity.rpartition(":")[0]:
            raise CheckpointError(
                f"{path} belongs to a training with another seed ({seed}): pass an integer as "
                f"`random_state`, the same one each time. {advice}"
            )
        raise CheckpointError(f"{path} belongs to a training on other data. {advice}")
    old, new = header["config"], from_marked(marked(config.to_json()))
    changed = [
        f"{key} (was {old.get(key)}, now {new.get(key)})"
        for key in (new | old)
        if old.get(key) != new.get(key)
    ]
    if changed:
        raise CheckpointError(
            f"{path} was made with other parameters: {', '.join(changed)}. {advice}"
        )


def _check_plain(plain: Any, config: GANConfig) -> dict[str, Any]:
    """Check the plain values against their declaration; return them as they are."""
    read: PlainState = read_as(PlainState, plain, "plain")
    check_records(read["history"], read["best_alarms"], config.n_classes, "plain")
    counters = read["images_seen"], read["steps_in_statistics"], read["seconds"]
    if not all(0 <= counter < float("inf") for counter in counters):
        raise SchemaError(f"`plain` must have counters of 0 or more. Got {counters} instead.")
    checked: dict[str, Any] = plain
    return checked


def _expected_layouts(config: GANConfig, found: Mapping[str, Layout]) -> dict[str, Layout]:
    """Give the layouts of a state's tensors; there may be no best weights yet."""
    generator, discriminator = outline_generator(config), outline_discriminator(config)
    networks: dict[str, nn.Module] = {
        "generator": generator,
        "ema": generator,
        "discriminator": discriminator,
    }
    if any(name.startswith("best_") for name in found):
        networks |= {"best_generator": generator, "best_discriminator": discriminator}
    random_states = [Layout((n,), torch.uint8) for n in RANDOM_STATES]
    random = found.get("random")
    expected = {
        "random": random if random in random_states else random_states[0],
        "statistics": Layout((N_STATISTICS,), torch.float32),
        "real_anchor": Layout((), torch.float32),
        "fake_anchor": Layout((), torch.float32),
    }
    for name, network in networks.items():
        expected |= _prefixed(name, layouts_of(network.state_dict()))
    for name in ("generator", "discriminator"):
        for index, parameter in enumerate(networks[name].parameters()):
            expected |= _prefixed(f"{name}_optimizer/{index}", _moments_of(parameter))
    return expected


def _moments_of(parameter: Tensor) -> dict[str, Layout]:
    """Give the layouts of what Adam keeps of a parameter."""
    like_it = Layout(tuple(parameter.shape), torch.float32)
    return {"step": Layout((), torch.float32), "exp_avg": like_it, "exp_avg_sq": like_it}


def _prefixed(prefix: str, layouts: Mapping[str, Layout]) -> dict[str, Layout]:
    return {f"{prefix}/{name}": layout for name, layout in layouts.items()}
