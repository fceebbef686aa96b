"""ganaug/gan/checkpoints.py, and resuming by ganaug/gan/training.py"""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ganaug.exceptions import CheckpointError
from ganaug.gan import checkpoints
from ganaug.gan.checkpoints import read_checkpoint, write_checkpoint
from ganaug.gan.config import GANConfig, classic_options
from ganaug.gan.training import Trainer, train

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

    with pytest.raises(CheckpointError, match="version None"):
        read_checkpoint(tmp_path / "network.safetensors", config_of(), "these rows:0")


def test_a_checkpoint_of_another_version_is_refused(checkpoint, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_VERSION", 99)

    with pytest.raises(CheckpointError, match="version 1, expected 99"):
        read_checkpoint(checkpoint, config_of(), "these rows:0")


# --- files -----------------------------------------------------------------------------------


def test_a_checkpoint_is_safetensors_and_never_a_pickle(checkpoint, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, name in ((torch, "load"), (pickle, "load"), (pickle, "loads")):
        monkeypatch.setattr(module, name, refuse)

    tensors, plain = read_checkpoint(checkpoint, config_of(), "these rows:0")

    with safe_open(checkpoint, framework="pt") as file:
        header = json.loads(file.metadata()["ganaug"])
    assert header["plain"] == plain
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
@pytest.mark.parametrize("where", ["save_file", "os.replace"])
def test_a_failed_write_leaves_the_old_checkpoint_and_nothing_else(
    where, error, checkpoint, monkeypatch
):
    before = checkpoint.read_bytes()

    def failing(*args, **kwargs):
        if where == "save_file":  # a part of it is on the disk already
            args[1].write_bytes(b"half")
        raise error

    if where == "save_file":
        monkeypatch.setattr(checkpoints, "save_file", failing)
    else:
        monkeypatch.setattr(checkpoints.os, "replace", failing)
    with pytest.raises(type(error)):
        write_checkpoint(checkpoint, config_of(), "these rows:0", {"x": torch.ones(1)}, {})

    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]
