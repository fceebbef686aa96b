"""A saved model trained on: `ganaug fit --continue`, and `warm_start_from` on the same samples."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from ganaug import GANAugmenter
from ganaug.cli import main
from ganaug.cli.parameters import as_counts

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


def test_a_dry_run_tells_what_the_further_training_takes(run, tmp_path, monkeypatch):
    monkeypatch.setattr(GANAugmenter, "fit", None)
    more = ("--continue", tmp_path / "model", "--max-images", 6400, "--out", tmp_path / "more")

    cost = json.loads(run(*more, "--dry-run", "--json")[1])

    assert cost["classes"] == as_counts(None, None, ["bag=40", "boot=25"])
    assert cost["seconds"] > 0


def test_weights_are_kept_where_further_training_spoils_them(before, digits):
    spoils = {**TINY, "learning_rate": 1.0, "random_state": 3}
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
