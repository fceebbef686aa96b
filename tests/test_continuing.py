"""A saved model trained on: `ganaug fit --continue`, and `warm_start_from` on the same samples."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from ganaug import GANAugmenter
from ganaug.cli import main
from ganaug.exceptions import InvalidInputError
from ganaug.gan.training import Trainer

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")

TINY = {"n_generators": 2, "max_images": 128, "width": 4, "filter": None, "verbose": 0}


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:40], np.flatnonzero(y == 1)[:25]]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), np.array(["bag", "boot"])[y[rows]]


@pytest.fixture(scope="module")
def before(digits):
    return GANAugmenter(**TINY, random_state=3).fit(*digits)


@pytest.fixture
def run(monkeypatch, capsys, digits, before, tmp_path):
    """Continue the saved model on the digits, or on a part of them; give code, stdout, stderr."""
    before.save(tmp_path / "model")
    np.savez(tmp_path / "digits.npz", X=digits[0], y=digits[1])

    def run(*arguments):
        command = ["ganaug", "fit", str(tmp_path / "digits.npz"), "-q", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_a_model_is_trained_further_by_so_many_images(run, before, tmp_path):
    model, out = tmp_path / "model", tmp_path / "more"
    bytes_before = (model / "model.safetensors").read_bytes()

    code, text, _ = run("--continue", model, "--max-images", 192, "--out", out, "--json")

    assert code == 0
    summary = json.loads(text)
    assert summary["images_seen"] == 2 * (128 + 192)
    assert (summary["seed"], summary["n_generators"], summary["width"]) == (3, 2, 4)
    after = GANAugmenter.load(out)
    assert after.max_images == 128 + 192
    assert (
        after.history_[: len(before.history_) // 2] == before.history_[: len(before.history_) // 2]
    )
    assert [record["images_seen"] for record in after.history_ if record["generator"] == 1][
        -1
    ] == 320
    assert after.fit_seconds_ > before.fit_seconds_
    assert (model / "model.safetensors").read_bytes() == bytes_before
    assert run("--continue", model, "--max-images", 192, "--out", tmp_path / "again")[0] == 0
    assert (
        after.sample(9)[0].tobytes() == GANAugmenter.load(tmp_path / "again").sample(9)[0].tobytes()
    )


def test_a_model_may_be_replaced_by_what_becomes_of_it(run, tmp_path):
    model = tmp_path / "model"
    more = ("--continue", model, "--max-images", 64, "--out", model)

    code, _, err = run(*more)

    assert code == 1
    assert "replace it with --overwrite" in err
    assert GANAugmenter.load(model).n_images_seen_ == 2 * 128
    assert run(*more, "--overwrite")[0] == 0
    assert GANAugmenter.load(model).n_images_seen_ == 2 * (128 + 64)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "Say how much further"),
        (("--max-images", 64, "--width", 8, "--seed", 4), 2, "--width, --seed is MODEL's"),
        (
            ("--max-images", 64, "--max-per-class", "bag=30"),
            1,
            "DATA must be the samples that MODEL",
        ),
    ],
)
def test_what_does_not_go_with_the_model_is_refused(
    options, code, said, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(GANAugmenter, "fit", None)
    out = tmp_path / "more"

    found, _, err = run("--continue", tmp_path / "model", "--out", out, *options)

    assert (found, out.exists()) == (code, False)
    assert said in err


def test_weights_are_kept_where_further_training_spoils_them(before, digits):
    spoils = {**TINY, "gan_options": {"learning_rate": 1.0}, "random_state": 3}
    after = GANAugmenter(**spoils, warm_start_from=before).fit(*digits)

    assert after.n_images_seen_ == 2 * before.n_images_seen_
    for gan, old in zip(after.model_.gans, before.model_.gans, strict=True):
        for name, tensor in old.generator_state.items():
            assert torch.equal(gan.generator_state[name], tensor)


def test_a_model_of_other_samples_is_only_started_from(before, digits):
    X, y = digits
    after = GANAugmenter(**TINY, warm_start_from=before, random_state=3).fit(X[5:], y[5:])

    assert after.n_images_seen_ == before.n_images_seen_
    assert len(after.history_) == len(before.history_)


def gans_of(path):
    return GANAugmenter.load(path).model_.gans


@pytest.mark.parametrize("images_seen", [0, 64])
def test_ctrl_c_leaves_networks_that_were_not_reached_as_they_were(
    images_seen, run, before, tmp_path, monkeypatch
):
    def interrupted(trainer):
        if trainer.images_seen >= images_seen:
            raise KeyboardInterrupt
        step(trainer)

    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", interrupted)
    more = ("--continue", tmp_path / "model", "--out", tmp_path / "more", "--json")
    code, text, _ = run(*more, "--max-images", 640)

    assert (code, json.loads(text)["interrupted"]) == (130, True)
    first, second = gans_of(tmp_path / "more.partial")
    assert (first.images_seen, second.images_seen) == (128 + images_seen, 128)
    assert second.history == before.model_.gans[1].history
    for name, tensor in before.model_.gans[1].generator_state.items():
        assert torch.equal(second.generator_state[name], tensor)


@pytest.mark.parametrize("options", [{"n_jobs": 2}, {"conditioning": "per_class"}])
def test_ctrl_c_in_worker_processes_or_between_classes_loses_no_network(
    options, digits, monkeypatch
):
    start = GANAugmenter(**TINY, **options | {"n_jobs": None}, random_state=3).fit(*digits)

    def interrupted(self, tasks):  # the first is done
        function, arguments, keywords = next(iter(tasks))
        yield function(*arguments, **keywords)
        raise KeyboardInterrupt

    monkeypatch.setattr("joblib.Parallel.__call__", interrupted)
    further = {**TINY, **options, "n_jobs": 2, "warm_start_from": start}
    after = GANAugmenter(**further, random_state=3)
    with pytest.raises(KeyboardInterrupt):
        after.fit(*digits)

    seen = [gan.images_seen for gan in start.model_.gans]
    assert after.model_.n_generators == 2
    assert [gan.images_seen for gan in after.model_.gans] == [2 * seen[0], *seen[1:]]
    assert after.model_.interrupted
    assert not start.model_.interrupted


def test_a_further_training_has_checkpoints_of_its_own(run, digits, tmp_path):
    place, names = tmp_path / "state", lambda: sorted(file.name for file in place.iterdir())
    first = GANAugmenter(**TINY, random_state=3, checkpoint_dir=place).fit(*digits)
    files = names()
    first.save(tmp_path / "model")
    more = ("--continue", tmp_path / "model", "--max-images", 64, "--checkpoint-dir", place)

    assert run(*more, "--out", tmp_path / "more")[0] == 0
    assert len(names()) == 2 * len(files)
    assert run(*more, "--out", tmp_path / "again")[0] == 0  # resumed, where all is done
    for gan, again in zip(gans_of(tmp_path / "more"), gans_of(tmp_path / "again"), strict=True):
        assert gan.history == again.history


@pytest.mark.parametrize(
    ("budget", "further", "whole"),
    [
        ({}, {"max_images": None, "max_seconds": 0.2}, ("seen", None)),
        ({"max_seconds": 60.0}, {"max_images": 64}, (192, None)),
        ({"max_seconds": 60.0}, {"max_images": 64, "max_seconds": 9.0}, (192, 69.0)),
        ({"max_images": 101, "conditioning": "per_class"}, {"max_images": 64}, (165, None)),
    ],
)
def test_the_budget_that_is_saved_is_of_the_kinds_that_all_trainings_had(
    budget, further, whole, run, digits, tmp_path
):
    options = {**TINY, "n_generators": 1, "random_state": 3, **budget}
    GANAugmenter(**options).fit(*digits).save(tmp_path / "model")
    given = [f"--{name.replace('_', '-')}={n}" for name, n in further.items() if n is not None]

    assert run("--continue", tmp_path / "model", "--out", tmp_path / "more", *given)[0] == 0
    after = GANAugmenter.load(tmp_path / "more")
    images = after.n_images_seen_ if whole[0] == "seen" else whole[0]
    assert (after.max_images, after.max_seconds) == (images, whole[1])


def test_more_generators_than_the_model_has_are_refused_by_their_name(before, digits):
    more = GANAugmenter(**{**TINY, "n_generators": 3}, warm_start_from=before)

    with pytest.raises(InvalidInputError, match=r"`n_generators` must be at most .*, 2 .*Got 3"):
        more.fit(*digits)
