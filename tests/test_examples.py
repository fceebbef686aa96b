"""Every example runs as it stands, in an empty folder."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ganaug.augmenter

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def one_gan(monkeypatch):
    """Train one GAN for half of the images, and not three."""
    training_options = ganaug.augmenter.training_options

    def of_one(*arguments):
        options = training_options(*arguments)
        budget = {"max_images": options.config_options["max_images"] // 2}
        return replace(options, n_generators=1, config_options=options.config_options | budget)

    monkeypatch.setattr(ganaug.augmenter, "training_options", of_one)


def run(name, capsys):
    """Run an example in this process, which spares importing torch; return what it prints."""
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_an_example_is_short_enough_to_read_at_once(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


def test_wrap_dataset_balances_the_classes(capsys):
    out = run("wrap_dataset.py", capsys)
    assert "after: Counter({0: 150, 1: 150, 2: 150})" in out
    assert (
        "label=1, n_real=70, n_synthetic=20, n_augmented=60, n_interpolated=0, n_duplicates=0"
        in out
    )


def test_sklearn_pipeline_mixes_training_rows(capsys):
    mixed, score = run("sklearn_pipeline.py", capsys).splitlines()
    assert mixed == "81 of 402 training rows are synthetic"
    assert float(score.split()[-1]) > 0.9


def test_rebalance_imblearn_compares_shares(capsys):
    lines = run("rebalance_imblearn.py", capsys).splitlines()
    assert [line.split()[1] for line in lines] == ["{'sampler':"] + [
        "{'sampler__synthetic_share':"
    ] * 3
    assert all(float(line.split()[0]) > 0.9 for line in lines)


def test_mixup_synthetic_mix_trains_on_soft_labels(capsys):
    pytest.importorskip("torchvision")
    losses = [
        float(line.split()[-1]) for line in run("mixup_synthetic_mix.py", capsys).splitlines()
    ]
    assert losses[-1] < losses[0]


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")
def test_spoken_digits_finds_a_remedy_for_rare_words(tmp_path, monkeypatch, capsys):
    rng, time = np.random.default_rng(0), np.arange(4000) / 8000
    for word, hertz in enumerate([300, 400, 500]):  # tones of about so many
        for number in range(25):
            tone = np.sin(2 * np.pi * hertz * rng.normal(1, 0.1) * time)
            with wave.open(str(tmp_path / f"{word}_tone_{number}.wav"), "wb") as recording:
                recording.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
                recording.writeframes(np.int16(9000 * tone + rng.normal(0, 500, 4000)).tobytes())
    monkeypatch.setattr(sys, "argv", ["spoken_digits.py", str(tmp_path)])
    out = run("spoken_digits.py", capsys)
    assert "Measured with SVC() on 37 samples." in out
    before, after = (float(line.split()[-1]) for line in out.splitlines()[-2:])
    assert after >= before > 0.4


def test_albumentations_replace_saves_and_rebuilds_its_pipeline(capsys):
    pytest.importorskip("albumentations")
    out = run("albumentations_replace.py", capsys)
    assert "SyntheticReplace(p=0.5, model_path='digits-model'" in out


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_image_folder_makes_the_images_asked_for(tmp_path):
    # `ganaug` and `python3` as an installed environment has them on its path; one GAN will do
    python, one = sys.executable, '[ "$1" != fit ] || set -- "$@" --generators 1'
    commands = {"ganaug": f'{python} -m ganaug "$@"', "python3": f'{python} "$@"'}
    for name, command in commands.items():
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{one}\nexec {command}\n")
        script.chmod(0o755)
    paths = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLES.parent),
    }
    result = subprocess.run(
        ["sh", EXAMPLES / "image_folder.sh"],
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "one: 5 synthetic images" in result.stdout
    assert "two: 35 synthetic images" in result.stdout


@pytest.mark.works_with("keras", "arrays of `augment` in `fit`, on its torch backend")
@pytest.mark.filterwarnings("default")  # Keras's own
def test_keras_arrays_fills_classes_up_and_trains(capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    pytest.importorskip("keras")
    counts, accuracy = run("keras_arrays.py", capsys).splitlines()
    assert counts == "[120  60  30] images of each class, then [120 120 120]"
    assert float(accuracy.split()[-1]) > 0.9
