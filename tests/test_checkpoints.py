"""ganaug/gan/checkpoints.py, and resuming by ganaug/gan/training.py"""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ganaug.exceptions import CheckpointError, TrainingWarning
from ganaug.gan import checkpoints
from ganaug.gan.checkpoints import read_checkpoint, write_checkpoint
from ganaug.gan.config import GANConfig, classic_options
from ganaug.gan.training import Trainer, train
from ganaug.jsonable import from_marked

COUNTS = (30, 20, 10)
BATCH = 16


@pytest.fixture
def data(all_digits):
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == code)[:n] for code, n in enumerate(COUNTS)])
    images = (X[rows] * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    return torch.from_numpy(images), torch.from_numpy(y[rows])


def config_of(**options):
    sizes = {"width": 4, "latent_dim": 4, "batch_size": BATCH, "max_images": 10 * BATCH}
    return GANConfig(
        **{"class_counts": COUNTS, "image_shape": (1, 8, 8), "n_evaluations": 5, **sizes, **options}
    )


@pytest.fixture
def crash(monkeypatch):
    """Make training die (not by Ctrl-C) once so many images have been seen."""

    def plan(images_seen):
        step = Trainer.step

        def dying(trainer):
            if trainer.images_seen >= images_seen:
                monkeypatch.setattr(Trainer, "step", step)  # it dies once
                raise MemoryError
            step(trainer)

        monkeypatch.setattr(Trainer, "step", dying)

    return plan


def assert_same_training(first, second):
    for name in ("generator_state", "discriminator_state"):
        old, new = getattr(first, name), getattr(second, name)
        assert old.keys() == new.keys()
        for key in old:
            assert torch.equal(old[key], new[key]), key
    assert first.alarms == second.alarms
    assert first.images_seen == second.images_seen
    without_time = [
        [{k: v for k, v in record.items() if k != "seconds"} for record in trained.history]
        for trained in (first, second)
    ]
    assert without_time[0] == without_time[1]


@pytest.mark.parametrize("recipe", ["default", "classic"])
@pytest.mark.parametrize("images_seen", [2 * BATCH, 7 * BATCH], ids=["at one", "between two"])
def test_a_resumed_training_ends_with_the_bytes_of_an_uninterrupted_one(
    images_seen, recipe, data, tmp_path, crash
):
    config = config_of(**(classic_options() if recipe == "classic" else {}))
    whole = train(config, *data, seed=3)
    path = tmp_path / "deep" / "network.safetensors"

    crash(images_seen)
    with pytest.raises(MemoryError):
        train(config, *data, seed=3, checkpoint=path)
    assert path.exists()
    resumed = train(config, *data, seed=3, checkpoint=path)

    assert_same_training(resumed, whole)


def test_a_training_of_feature_rows_resumes_too(tmp_path, crash):
    labels = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    rows = torch.randn((60, 4), generator=torch.Generator().manual_seed(0))
    config = config_of(image_shape=None, n_features=4)
    whole = train(config, rows, labels, seed=0)
    path = tmp_path / "network.safetensors"

    crash(4 * BATCH)
    with pytest.raises(MemoryError):
        train(config, rows, labels, seed=0, checkpoint=path)

    assert_same_training(train(config, rows, labels, seed=0, checkpoint=path), whole)


def test_ctrl_c_can_be_resumed_and_ends_with_the_same_bytes(data, tmp_path, monkeypatch):
    whole = train(config_of(), *data, seed=0)
    path = tmp_path / "network.safetensors"
    step = Trainer.step

    def interrupted(trainer):
        if trainer.images_seen >= 5 * BATCH:
            raise KeyboardInterrupt
        step(trainer)

    monkeypatch.setattr(Trainer, "step", interrupted)
    assert train(config_of(), *data, seed=0, checkpoint=path).interrupted
    monkeypatch.setattr(Trainer, "step", step)
    resumed = train(config_of(), *data, seed=0, checkpoint=path)

    assert not resumed.interrupted
    assert_same_training(resumed, whole)


def test_a_finished_training_is_taken_up_without_a_step(data, tmp_path, monkeypatch):
    path = tmp_path / "network.safetensors"
    finished = train(config_of(), *data, seed=0, checkpoint=path)
    monkeypatch.setattr(Trainer, "step", None)

    again = train(config_of(), *data, seed=0, checkpoint=path, on_progress=lambda progress: None)

    assert_same_training(again, finished)
    assert again.seconds >= finished.history[-1]["seconds"]


def test_resumed_moments_lie_in_memory_as_their_weights_do(data):
    # With channels_last weights (CUDA) the fused optimiser would read a checkpoint's contiguous
    # moments in another order, silently: weights would be updated by other weights' moments.
    rows = data[0].repeat(1, 3, 1, 1)
    trainer = Trainer(
        config_of(image_shape=(3, 8, 8)), rows, data[1], seed=0, device=torch.device("cpu")
    )
    trainer.discriminator.to(memory_format=torch.channels_last)
    trainer.step()
    tensors, plain = trainer.state()

    trainer.load_state(({name: t.contiguous() for name, t in tensors.items()}, plain))

    for parameter, values in trainer.discriminator_optimizer.state.items():
        assert values["exp_avg"].stride() == parameter.stride()
        assert values["exp_avg_sq"].stride() == parameter.stride()


def test_a_diverged_training_leaves_the_last_good_checkpoint(data, tmp_path, monkeypatch):
    path = tmp_path / "network.safetensors"
    step = Trainer.step

    def poisoned(trainer):
        if trainer.images_seen >= 3 * BATCH:
            next(trainer.generator.parameters()).data.fill_(torch.nan)
        step(trainer)

    monkeypatch.setattr(Trainer, "step", poisoned)
    train(config_of(), *data, seed=0, checkpoint=path)

    with safe_open(path, framework="pt") as file:
        assert all(torch.isfinite(file.get_tensor(name)).all() for name in file.keys())  # noqa: SIM118


# --- refusals --------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(data, tmp_path):
    path = tmp_path / "network.safetensors"
    train(config_of(), *data, seed=0, checkpoint=path, fingerprint="these rows")
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fingerprint": "those rows"}, "other data"),
        ({"seed": 1}, r"another seed \(0\).*random_state"),
        ({"config": config_of(width=8)}, r"other parameters: width \(was 4, now 8\)"),
        (
            {"config": config_of(learning_rate=0.5, lecam=0.7)},
            r"lecam \(was .*, now 0.7\), learning_rate \(was .*, now 0.5\)",
        ),
    ],
    ids=["data", "seed", "width", "two parameters"],
)
def test_a_checkpoint_of_something_else_is_refused_with_the_reason(
    changes, said, checkpoint, data, monkeypatch
):
    monkeypatch.setattr(Trainer, "step", None)  # before any training
    before = checkpoint.read_bytes()
    options = {"config": config_of(), "seed": 0, "fingerprint": "these rows", **changes}

    with pytest.raises(CheckpointError, match=said) as caught:
        train(options.pop("config"), *data, checkpoint=checkpoint, **options)

    assert str(checkpoint) in str(caught.value)
    assert "checkpoint_dir" in str(caught.value)
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, -1])
def test_a_truncated_checkpoint_is_named(kept, checkpoint):
    content = checkpoint.read_bytes()
    kept = int(kept * len(content)) if isinstance(kept, float) else kept
    checkpoint.write_bytes(content[:kept])

    with pytest.raises(CheckpointError, match=r"network\.safetensors.*not a readable.*Delete it"):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


def test_a_safetensors_file_of_another_kind_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "network.safetensors")

    with pytest.raises(CheckpointError, match="kind must be 'checkpoint'"):
        read_checkpoint(tmp_path / "network.safetensors", config_of(), "these rows:0")


def test_a_checkpoint_of_another_version_is_refused(checkpoint, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_VERSION", 99)

    with pytest.raises(CheckpointError, match="format_version.*must be 99. Got 2"):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


# --- files -----------------------------------------------------------------------------------


def test_a_checkpoint_is_safetensors_and_never_a_pickle(checkpoint, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, name in ((torch, "load"), (pickle, "load"), (pickle, "loads")):
        monkeypatch.setattr(module, name, refuse)

    tensors, plain = read_checkpoint(checkpoint, config_of(), "these rows:0")

    with safe_open(checkpoint, framework="pt") as file:
        described = json.loads(file.metadata()["ganaug"])
    assert from_marked(described["content"])["plain"] == plain
    assert plain["images_seen"] == 10 * BATCH
    assert {"random", "statistics"} <= tensors.keys()
    assert {name.partition("/")[0] for name in tensors if "/" in name} == {
        "generator",
        "ema",
        "discriminator",
        "generator_optimizer",
        "discriminator_optimizer",
        "best_generator",
        "best_discriminator",
    }


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_checkpoint_and_nothing_else(
    where, error, checkpoint, monkeypatch
):
    before = checkpoint.read_bytes()

    def failing(*args, **kwargs):
        raise error

    monkeypatch.setattr(os, where, failing)
    with pytest.raises(type(error)):
        write_checkpoint(checkpoint, config_of(), "these rows:0", {"x": torch.ones(1)}, {})

    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_a_checkpoint_that_cannot_be_written_is_told_of_once_and_training_goes_on(
    error, data, tmp_path, monkeypatch
):
    whole = train(config_of(), *data, seed=0)

    def failing(*args, **kwargs):
        raise OSError(error, "it is not possible")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.warns(TrainingWarning, match=r"could not be written \(it is not") as caught:
        trained = train(config_of(), *data, seed=0, checkpoint=tmp_path / "network.safetensors")

    assert len(caught) == 1
    assert_same_training(trained, whole)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_directory_that_has_gone_is_made_again(data, tmp_path, crash):
    path = tmp_path / "state" / "network.safetensors"

    crash(7 * BATCH)
    with pytest.raises(MemoryError):
        train(config_of(), *data, seed=0, checkpoint=path)
    shutil.rmtree(path.parent)
    train(config_of(), *data, seed=0, checkpoint=path)

    assert path.exists()


# --- damages -----------------------------------------------------------------------------------


def flipped(content, place, bit):
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


@pytest.mark.parametrize("share", np.linspace(0, 1, 40, endpoint=False).tolist())
def test_a_flipped_bit_anywhere_is_refused(share, checkpoint):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(flipped(content, int(share * len(content)), int(share * 1000) % 8))

    with pytest.raises(CheckpointError, match=r"network\.safetensors"):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


@pytest.mark.parametrize("name", ["random", "real_anchor", "ema/embedding.weight"])
def test_zeros_in_place_of_a_tensor_are_refused(name, checkpoint):
    content = checkpoint.read_bytes()
    n = 8 + int.from_bytes(content[:8], "little")
    start, end = json.loads(content[8:n])[name]["data_offsets"]
    checkpoint.write_bytes(content[: n + start] + bytes(end - start) + content[n + end :])

    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


CRAFTED = {
    "no history": (lambda plain: plain.pop("history"), "history"),
    "an unknown key": (lambda plain: plain.update(hook="os.system"), "unknown key 'hook'"),
    "images seen of -1": (lambda plain: plain.update(images_seen=-1), "0 or more"),
    "images seen of true": (lambda plain: plain.update(images_seen=True), "images_seen"),
    "seconds of NaN": (lambda plain: plain.update(seconds=math.nan), "0 or more"),
    "a history of texts": (lambda plain: plain.update(history=["x"]), "history"),
    "an unknown alarm": (
        lambda p: p.update(best_alarms=[{"kind": "eval", "class_code": 0, "value": 1.0}]),
        "alarms",
    ),
    "an alarm of no class": (
        lambda p: p.update(best_alarms=[{"kind": "collapsed", "class_code": 7, "value": 1.0}]),
        "alarms",
    ),
    "another variety": (lambda plain: plain["history"][0].update(variety=[1.0]), "variety"),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_crafted_state_is_refused(what, checkpoint):
    change, said = CRAFTED[what]
    tensors, plain = read_checkpoint(checkpoint, config_of(), "these rows:0")
    change(plain)
    write_checkpoint(checkpoint, config_of(), "these rows:0", tensors, plain)

    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("x", torch.ones(1), "unknown tensor"),
        ("random", torch.zeros(5, dtype=torch.uint8), "'random' must be"),
        ("statistics", torch.zeros(9), "'statistics' must be"),
        ("generator/embedding.weight", torch.zeros(2, 2), "must be"),
        ("generator_optimizer/0/exp_avg", torch.zeros(1), "must be"),
        ("discriminator_optimizer/9000/step", torch.zeros(()), "unknown tensor"),
    ],
)
def test_tensors_that_are_not_those_of_the_state_are_refused(name, value, said, checkpoint):
    tensors, plain = read_checkpoint(checkpoint, config_of(), "these rows:0")
    write_checkpoint(checkpoint, config_of(), "these rows:0", {**tensors, name: value}, plain)

    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


def test_a_random_state_that_torch_does_not_take_is_refused(checkpoint, data):
    tensors, plain = read_checkpoint(checkpoint, config_of(), "these rows:0")
    tensors["random"] = torch.full_like(tensors["random"], 255)
    write_checkpoint(checkpoint, config_of(), "these rows:0", tensors, plain)

    with pytest.raises(CheckpointError, match="cannot be resumed"):
        train(config_of(), *data, seed=0, checkpoint=checkpoint, fingerprint="these rows")
