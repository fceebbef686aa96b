"""ganaug/cli/, through `main`: what is printed, written, and the exit code"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tqdm.auto import tqdm

import ganaug
import ganaug.augmenter
import ganaug.fitting
from ganaug import GANAugmenter
from ganaug.cli import COMMANDS, cli, main
from ganaug.exceptions import TrainingWarning
from ganaug.gan.networks import ImageGenerator
from ganaug.gan.training import Trainer
from ganaug.inputs.files import read_data
from ganaug.naming import MANIFEST_NAME
from ganaug.progress import bar_options
from ganaug.sampler import TrainedSampler

# Trainings here are far too short to be any good; what they give is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

SMALL = ("--generators", "1", "--width", "4", "--max-images", "128", "-q")
NAMES = np.array(["bag", "boot"])


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command and give exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ganaug", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch):
    """The filter's classifier need not be good here either."""
    fit_classifier = functools.partial(ganaug.fitting.fit_classifier, max_steps=5)
    monkeypatch.setattr(ganaug.fitting, "fit_classifier", fit_classifier)


@pytest.fixture(scope="module")
def pictures(all_digits):
    """40 bags and 25 boots (digits 0 and 1), uint8 (n, 8, 8), and their names."""
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:40], np.flatnonzero(y == 1)[:25]]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), NAMES[y[rows]]


@pytest.fixture
def tree(pictures, tmp_path):
    """A directory of images, one subdirectory per class."""
    for index, (picture, name) in enumerate(zip(*pictures, strict=True)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{index:03d}.png")
    return tmp_path / "images"


@pytest.fixture
def npz(pictures, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "data.npz", X=X, y=y)
    return tmp_path / "data.npz"


@pytest.fixture
def mnist(pictures, tmp_path):
    """MNIST's own files, in small: 40 noughts and 25 ones to train, 10 rows to test."""
    raw = tmp_path / "downloads" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images, names = pictures
    labels = (names == "boot").astype(np.uint8)
    for part, rows in (("train", slice(None)), ("t10k", slice(0, None, 7))):
        n = len(labels[rows])
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4i", 0x803, n, 8, 8) + images[rows].tobytes()
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 0x801, n) + labels[rows].tobytes()
        )
    return tmp_path / "downloads"


@pytest.fixture(scope="module")
def augmenter(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return GANAugmenter(
            n_generators=1, width=4, max_images=64, filter=None, random_state=0, verbose=0
        ).fit(*pictures)


@pytest.fixture
def model(augmenter, tmp_path):
    augmenter.save(tmp_path / "model")
    return tmp_path / "model"


# --- fit -----------------------------------------------------------------------------------------


def test_fit_takes_a_directory_of_images(run, tree, tmp_path):
    code, out, err = run("fit", tree, "--out", tmp_path / "model", *SMALL)

    assert (code, err) == (0, "")
    assert "bag" in out
    assert "40 real samples" in out
    loaded = GANAugmenter.load(tmp_path / "model")
    assert loaded.class_counts_ == {"bag": 40, "boot": 25}
    assert isinstance(loaded.spec_.decode(np.zeros((1, 1, 8, 8), np.uint8))[0], Image.Image)


def test_fit_takes_arrays_in_a_npz_file(run, npz, pictures, tmp_path):
    code, out, _ = run("fit", npz, "--out", tmp_path / "model", *SMALL, "--json", "--seed", 3)

    summary = json.loads(out)
    assert code == 0
    assert summary["classes"] == {"bag": 40, "boot": 25}
    assert summary["image_shape"] == [1, 8, 8]
    assert summary["seed"] == 3
    assert summary["images_seen"] == 128
    assert not summary["interrupted"]
    # what the command trains is what the library trains
    same = GANAugmenter(n_generators=1, width=4, max_images=128, random_state=3, verbose=0).fit(
        *pictures
    )
    loaded = GANAugmenter.load(tmp_path / "model").set_params(filter=None)
    X_new, X_same = (a.sample(4)[0] for a in (loaded, same.set_params(filter=None)))
    assert X_new.tobytes() == X_same.tobytes()


def test_fit_takes_a_torchvision_set_by_name(run, mnist, tmp_path):
    code, out, _ = run(
        "fit", "MNIST", "--data-dir", mnist, "--out", tmp_path / "model", *SMALL, "--json"
    )

    assert code == 0
    assert json.loads(out)["classes"] == {"0 - zero": 40, "1 - one": 25}


def test_a_torchvision_set_is_found_where_its_own_directory_lies(run, mnist, tmp_path, monkeypatch):
    monkeypatch.chdir(mnist)  # ./MNIST is torchvision's, not a directory of classes

    code, out, _ = run("fit", "MNIST", "--data-dir", ".", "--out", tmp_path / "m", *SMALL, "--json")

    assert code == 0
    assert json.loads(out)["classes"] == {"0 - zero": 40, "1 - one": 25}


@pytest.mark.parametrize(
    ("data", "limits", "counts"),
    [
        ("npz", ["boot=22"], {"bag": 40, "boot": 22}),
        ("tree", ["boot=22", "bag=30"], {"bag": 30, "boot": 22}),
        ("mnist", ["1=22"], {"0 - zero": 40, "1 - one": 22}),
        ("mnist", ["1 - one=22"], {"0 - zero": 40, "1 - one": 22}),
    ],
)
def test_an_imbalance_can_be_made(data, limits, counts, run, request, tmp_path):
    source = request.getfixturevalue(data)
    where = ("MNIST", "--data-dir", source) if data == "mnist" else (source,)
    options = [text for limit in limits for text in ("--max-per-class", limit)]

    code, out, err = run("fit", *where, "--out", tmp_path / "m", *SMALL, *options, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)["classes"] == counts


def test_options_reach_the_augmenter(run, npz, tmp_path):
    code, out, _ = run(
        *("fit", npz, "--out", tmp_path / "m", "-q", "--json", "--resize", "12x16"),
        *("--recipe", "classic", "--conditioning", "per_class", "--width", 8, "--seed", 5),
        *(
            "--generators",
            2,
            "--max-images",
            200,
            "--checkpoint-dir",
            tmp_path / "state",
            "--device",
            "cpu",
        ),
    )

    summary = json.loads(out)
    assert code == 0
    assert summary["image_shape"] == [1, 12, 16]
    assert (summary["recipe"], summary["conditioning"]) == ("classic", "per_class")
    assert (summary["width"], summary["seed"]) == (8, 5)
    assert summary["n_generators"] == 2
    assert len(list((tmp_path / "state").iterdir())) == 4


def test_seconds_alone_are_a_budget(run, npz, tmp_path):
    code, out, _ = run(
        "fit", npz, "--out", tmp_path / "m", "--width", 4, "-q", "--json", "--max-seconds", 0.1
    )

    assert code == 0
    assert json.loads(out)["seconds"] >= 0.1


def test_progress_is_on_stderr_and_can_be_silenced(run, npz, tmp_path):
    options = ("fit", npz, "--out", tmp_path / "m", "--width", 4, "--max-images", 128, "--json")

    _, out, err = run(*options)

    assert "estimated" in err
    assert "images" in err
    assert json.loads(out)
    assert run(*options, "-q", "--overwrite")[2] == ""


@pytest.mark.filterwarnings("default::ganaug.exceptions.SmallClassWarning")
def test_a_warning_is_one_line(run, npz, tmp_path):
    code, _, err = run("fit", npz, "--out", tmp_path / "m", *SMALL, "--max-per-class", "boot=10")

    assert code == 0
    assert err.startswith("Warning: Too few samples (under 20)")
    assert err.count("\n") == 1
    assert ".py" not in err


# --- sample --------------------------------------------------------------------------------------


def test_sample_writes_exactly_these_pictures_by_class(run, model, augmenter, tmp_path):
    code, out, _ = run(
        *("sample", model, "--class", "bag=3", "--class", "boot=131"),
        *("--out", tmp_path / "new", "--json"),
    )

    assert code == 0
    assert json.loads(out)["written"] == {"bag": 3, "boot": 131}
    for name, n in (("bag", 3), ("boot", 131)):
        files = sorted((tmp_path / "new" / name).iterdir())
        assert [file.name for file in files] == [f"synthetic-{i:05d}.png" for i in range(n)]
        pixels = np.stack([np.asarray(Image.open(file)) for file in files])
        assert np.array_equal(pixels, augmenter.sample({name: n})[0])


def test_sample_goes_on_with_start_and_changes_with_the_seed(run, model, tmp_path):
    def pixels(*options):
        out = ("--out", tmp_path / "x.npz", "--overwrite")
        run("sample", model, "--class", "bag=4", *out, *options)
        with np.load(tmp_path / "x.npz") as arrays:
            return arrays["X"]

    assert np.array_equal(pixels("--start", 2)[:2], pixels()[2:])
    assert not np.array_equal(pixels("--seed", 1), pixels())
    assert np.array_equal(pixels("--seed", 0), pixels())


def test_start_names_the_files_too(run, model, tmp_path):
    run("sample", model, "--class", "bag=2", "--start", 5, "--out", tmp_path / "new")

    files = sorted(file.name for file in (tmp_path / "new" / "bag").iterdir())
    assert files == ["synthetic-00005.png", "synthetic-00006.png"]


def test_sample_writes_arrays_that_hold_no_pickle(run, pictures, tmp_path):
    X = pd.DataFrame(pictures[0].reshape(-1, 64))
    y = pd.Series(pictures[1].astype(object))
    augmenter = GANAugmenter(
        image_shape=(8, 8),
        n_generators=1,
        width=4,
        max_images=64,
        filter=None,
        random_state=0,
        verbose=0,
    )
    augmenter.fit(X, y).save(tmp_path / "model")

    code, _, _ = run(
        "sample", tmp_path / "model", "--class", "boot=3", "--out", tmp_path / "a" / "b.npz"
    )

    assert code == 0
    with np.load(tmp_path / "a" / "b.npz", allow_pickle=False) as arrays:
        assert arrays["X"].shape == (3, 64)
        assert arrays["y"].tolist() == ["boot"] * 3


@pytest.mark.filterwarnings("ignore:.*was written by ganaug")
def test_what_sample_writes_can_be_fitted_again(run, model, tmp_path):
    counts = ("--class", "bag=25", "--class", "boot=20")
    for out in ("new.npz", "new"):
        assert run("sample", model, *counts, "--out", tmp_path / out)[0] == 0
        code, _, err = run("fit", tmp_path / out, "--out", tmp_path / f"again-{out}", *SMALL)
        assert (code, err) == (0, "")


def test_integer_classes_are_named_by_their_digits(run, pictures, tmp_path):
    X, y = pictures
    GANAugmenter(
        n_generators=1, width=4, max_images=64, filter=None, random_state=0, verbose=0
    ).fit(X, (y == "boot") * 10).save(tmp_path / "model")

    code, _, _ = run("sample", tmp_path / "model", "--class", "10=2", "--out", tmp_path / "new")

    assert code == 0
    assert [entry.name for entry in sorted((tmp_path / "new").iterdir())] == ["10", MANIFEST_NAME]


@pytest.mark.filterwarnings("ignore:.*was written by ganaug")
@pytest.mark.parametrize("label", ["n/a", "..", ".hidden", "../bag", "/bag", "a\\b", "a\nb%"])
def test_a_label_never_leads_out_of_the_directory_and_comes_back(label, run, pictures, tmp_path):
    X, y = pictures
    GANAugmenter(
        n_generators=1, width=4, max_images=64, filter=None, random_state=0, verbose=0
    ).fit(X, np.where(y == "boot", label, "bag")).save(tmp_path / "deep" / "model")
    out = tmp_path / "deep" / "new"
    before = {path for path in tmp_path.rglob("*") if out not in path.parents}

    code, _, err = run(
        *("sample", tmp_path / "deep" / "model", "--class", f"{label}=1", "--class", "bag=1"),
        *("--out", out),
    )

    assert (code, err) == (0, "")
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} == {*before, out}
    assert len(list(out.glob("[!.]*/synthetic-00000.png"))) == 2
    assert set(read_data(str(out)).y) == {label, "bag"}


def test_feature_rows_go_into_a_npz_file(run, pictures, tmp_path):
    X, y = pictures
    GANAugmenter(n_generators=1, width=4, max_images=64, random_state=0, verbose=0).fit(
        X.reshape(-1, 64)[:, 20:25].astype(float) - 100, y
    ).save(tmp_path / "model")
    sample = ("sample", tmp_path / "model", "--class", "bag=3", "--out")

    code, _, err = run(*sample, tmp_path / "new")
    assert code == 1
    assert "Feature rows" in err

    assert run(*sample, tmp_path / "new.npz")[0] == 0
    with np.load(tmp_path / "new.npz") as arrays:
        assert arrays["X"].shape == (3, 5)


def records(folder):
    lines = (folder / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_manifest_lists_every_file_and_where_it_comes_from(run, model, augmenter, tmp_path):
    out = tmp_path / "new"
    run("sample", model, "--class", "bag=2", "--class", "boot=1", "--start", 5, "--out", out)

    listed = records(out)

    digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    assert {record["file"] for record in listed} == {
        file.relative_to(out).as_posix() for file in out.rglob("*.png")
    }
    assert listed[1] == {
        "file": "bag/synthetic-00006.png",
        "class": "bag",
        "kind": "synthetic",
        "index": 6,
        "seed": 0,
        "model": digest,
    }


def test_arrays_say_where_they_come_from(run, model, tmp_path):
    run("sample", model, "--class", "bag=2", "--seed", 4, "--out", tmp_path / "NEW.NPZ")

    with np.load(tmp_path / "NEW.NPZ") as arrays:
        assert arrays["kind"].tolist() == ["synthetic"] * 2
        assert arrays["index"].tolist() == [0, 1]
        assert arrays["seed"] == 4
        assert len(str(arrays["model"])) == 64


@pytest.mark.parametrize("name", ["new", "new.npz"])
def test_an_older_output_is_only_replaced_when_asked_for_and_whole(name, run, model, tmp_path):
    out = tmp_path / name
    sample = ("sample", model, "--out", out)
    run(*sample, "--class", "bag=5", "--class", "boot=1")

    code, _, err = run(*sample, "--class", "bag=2")

    assert code == 1
    assert_one_line(err, "--overwrite")
    assert run(*sample, "--class", "bag=2", "--overwrite")[0] == 0
    if name == "new":
        assert len(list(out.rglob("*.png"))) == len(records(out)) == 2
    else:
        with np.load(out) as arrays:
            assert len(arrays["X"]) == 2
    assert sorted(tmp_path.iterdir()) == sorted([model, out])


@pytest.mark.parametrize("theirs", ["photo.png", "bag/photo.png", "manifest.jsonl"])
def test_what_ganaug_has_not_written_is_never_replaced(theirs, run, model, tmp_path):
    sample = ("sample", model, "--class", "bag=1", "--out", tmp_path / "new", "--overwrite")
    own = tmp_path / "own"
    write(tmp_path / "new" / theirs, b"{}")
    assert run(*sample[:-2], own)[0] == 0
    write(own / "bag" / "photo.png", b"mine")

    for out in (tmp_path / "new", own):
        code, _, err = run(*sample[:-2], out, "--overwrite")
        assert code == 1
        assert_one_line(err, "replaced")

    assert (tmp_path / "new" / theirs).read_bytes() == b"{}"
    assert (own / "bag" / "photo.png").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["new", "new.npz"])
def test_a_broken_output_keeps_the_name_of_one_and_the_older_stays(
    name, run, model, tmp_path, monkeypatch
):
    out, partial = tmp_path / name, tmp_path / f"{name}.partial"
    sample = ("sample", model, "--class", "bag=3", "--out", out)
    run(*sample)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", full)
        patch.setattr(np, "savez_compressed", full)
        code, _, err = run(*sample, "--overwrite")

    assert code == 1
    assert_one_line(err, "No space left")
    assert out.exists()
    assert partial.exists()
    assert run(*sample, "--overwrite")[0] == 0  # clears it
    assert not partial.exists()


def test_who_is_killed_while_a_broken_output_is_cleared_leaves_one_that_can_be(
    run, model, tmp_path, monkeypatch
):
    sample = ("sample", model, "--class", "bag=3", "--out", tmp_path / "new")
    run(*sample)
    (tmp_path / "new").rename(tmp_path / "new.partial")

    def killed(folder, **_options):
        for file in (entry for entry in folder.iterdir() if entry.is_file()):
            file.unlink()
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        assert run(*sample)[0] == 1

    assert run(*sample)[0] == 0
    assert [entry.name for entry in tmp_path.glob("new*")] == ["new"]


def test_permissions_follow_the_umask(run, model, tmp_path):
    before = os.umask(0o027)
    try:
        run("sample", model, "--class", "bag=1", "--out", tmp_path / "new")
        run("sample", model, "--class", "bag=1", "--out", tmp_path / "new.npz")
    finally:
        os.umask(before)

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*.*")}
    assert modes == {0o640}
    assert (tmp_path / "new.npz").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new" / "bag").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (lambda X: Image.fromarray(X.astype(np.uint16) * 200 + 3000), "I;16"),
        (lambda X: Image.fromarray(X > 100), "1"),
        (lambda X: Image.fromarray(X).convert("CMYK"), "RGB"),
    ],
)
def test_pictures_come_out_on_the_scale_of_the_data(values, expected, run, pictures, tmp_path):
    suffix = "jpg" if expected == "RGB" else "png"
    for index, (pixels, name) in enumerate(zip(*pictures, strict=True)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        values(pixels).save(folder / f"{index:03d}.{suffix}")
    run("fit", tmp_path / "images", "--out", tmp_path / "model", *SMALL)

    code, _, err = run(
        *("sample", tmp_path / "model", "--class", "bag=2", "--out", tmp_path / "new"),
        "--allow-distrusted",
    )

    assert code == 0, err
    with Image.open(tmp_path / "new" / "bag" / "synthetic-00000.png") as made:
        assert made.mode == expected
        assert expected != "I;16" or np.asarray(made).min() >= 3000


@pytest.mark.filterwarnings("default::ganaug.exceptions.GanaugWarning")
def test_values_that_a_picture_cannot_hold_are_told(run, pictures, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "data.npz", X=X / np.float32(255), y=y)
    run("fit", tmp_path / "data.npz", "--out", tmp_path / "model", *SMALL)

    _, _, err = run(
        *("sample", tmp_path / "model", "--class", "bag=2", "--out", tmp_path / "new"),
        "--allow-distrusted",
    )

    assert "PNG files hold 0 to 255 in place of the data's 0 to 1 (float32)" in err


# --- augment -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["tree", "npz", "mnist"])
@pytest.mark.parametrize("out", ["new", "new.npz"])
def test_augment_balances_data_and_tells_the_kinds_apart(data, out, run, request, tmp_path):
    source, out = request.getfixturevalue(data), tmp_path / out
    where = ("MNIST", "--data-dir", source) if data == "mnist" else (source,)

    code, text, err = run(
        *("augment", *where, "--out", out, "--share", 0.5, *SMALL, "--allow-distrusted", "--json")
    )

    assert (code, err) == (0, "")
    written = json.loads(text)["written"]
    rare, frequent = ("1 - one", "0 - zero") if data == "mnist" else ("boot", "bag")
    assert written[frequent] == {"real": 40}
    assert written[rare]["real"] == 25
    assert sum(written[rare].values()) == 40
    assert set(written[rare]) <= {"real", "synthetic", "augmented", "interpolated"}
    if out.suffix == ".npz":
        with np.load(out) as arrays:
            assert np.unique(arrays["y"], return_counts=True)[1].tolist() == [40, 40]
            assert np.count_nonzero(arrays["kind"] == "real") == 65
        return
    listed = records(out)
    assert len(listed) == len({record["file"] for record in listed}) == 80
    assert len(list(out.rglob("*.png"))) == 80
    if data == "tree":  # real ones untouched
        real = [record for record in listed if record["kind"] == "real"]
        assert len({record["source"] for record in real}) == 65
        pixels = [np.asarray(Image.open(out / record["file"])) for record in real]
        assert np.array_equal(pixels[30], np.asarray(Image.open(real[30]["source"])))


def test_augment_enlarges_all_classes(run, npz, tmp_path):
    code, text, err = run("augment", npz, "--enlarge", "--out", tmp_path / "new.npz", "--json")

    assert (code, err) == (0, "")
    written = json.loads(text)["written"]
    assert {name: sum(kinds.values()) for name, kinds in written.items()} == dict.fromkeys(
        written, 320
    )
    assert sorted(kinds["real"] for kinds in written.values()) == [25, 40]


def test_augment_replaces_nothing_and_refuses_before_training(run, npz, tree, monkeypatch):
    monkeypatch.setattr(GANAugmenter, "fit", None)

    code, _, err = run("augment", npz, "--out", tree, "--overwrite", "--share", 0.5, *SMALL)

    assert code == 1
    assert_one_line(err, "never replaced")


def test_augment_exports_nothing_of_a_model_that_knows_no_class(run, npz, tmp_path, monkeypatch):
    monkeypatch.setattr(TrainedSampler, "measure_trust", lambda self: [[0.1, 0.3]])

    code, out, _ = run("augment", npz, "--out", tmp_path / "new", "--share", 0.5, "--json", *SMALL)

    assert code == 0
    assert json.loads(out)["written"]["boot"] == {"real": 25, "augmented": 8, "interpolated": 7}
    assert "shifted left or right by up to" in json.loads(out)["augmented_by"]


# --- what it would take --------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["tree", "npz", "mnist"])
def test_a_dry_run_tells_size_and_time_and_trains_nothing(data, run, request, monkeypatch):
    monkeypatch.setattr(GANAugmenter, "fit", None)
    source = request.getfixturevalue(data)
    where = ("MNIST", "--data-dir", source) if data == "mnist" else (source,)
    fit = ("fit", *where, *SMALL, "--dry-run")

    code, text, _ = run(*fit)
    cost = json.loads(run(*fit, "--json")[1])

    assert code == 0
    assert "65 samples of 2 classes" in text
    assert "Nothing is trained" in text
    assert sorted(cost["classes"].values()) == [25, 40]
    assert cost["data_bytes"] == 65 * 64
    assert cost["seconds"] > 0


def test_fit_wants_a_place_for_the_model_before_it_reads_anything(run, tmp_path):
    code, _, err = run("fit", tmp_path / "no-such-data")

    assert code == 2
    assert "--out" in err
    assert "no-such-data" not in err


def test_a_log_gets_lines_and_few_of_them(capsys):
    with tqdm(total=1000, **bar_options()) as bar:  # pytest's stderr is no terminal
        for _ in range(1000):
            bar.update()

    err = capsys.readouterr().err
    assert "\r" not in err
    assert err.endswith("\n")
    assert 1 <= err.count("\n") <= 2
    assert "1000/1000" in err


# --- trust ---------------------------------------------------------------------------------------


@pytest.fixture
def model_of_trust(augmenter, tmp_path, monkeypatch):
    """A model whose classes are trusted as one says."""

    def save(bag, boot):
        monkeypatch.setattr(augmenter.model_, "generator_trust", [[bag, boot]])
        augmenter.save(tmp_path / "model")
        return tmp_path / "model"

    return save


def test_a_model_of_noise_is_not_handed_out_in_silence(run, model_of_trust, tmp_path):
    sample = ("sample", model_of_trust(0.1, 0.2), "--class", "bag=1", "--out", tmp_path / "new")

    code, _, err = run(*sample, "--overwrite")  # which is no consent to this

    assert code == 1
    assert_one_line(err, "--allow-distrusted")
    assert "20%" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("boot", "options"), [(0.95, ()), (0.2, ("--allow-distrusted",))])
def test_a_distrusted_class_is_named(boot, options, run, model_of_trust, tmp_path):
    sample = ("sample", model_of_trust(0.1, boot), "--class", "bag=1", "--class", "boot=1")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, _, err = run(*sample, "--out", tmp_path / "new", *options)

    assert code == 0
    assert "Distrusted" in err
    assert "bag (10%)" in err
    assert ("boot (" in err) == (boot < 0.5)
    listed = {record["class"]: record["trust"] for record in records(tmp_path / "new")}
    assert listed == {"bag": 0.1, "boot": boot}
    names = "bag, boot" if boot < 0.5 else "bag"
    assert f"distrusted    {names}\n" in run("info", tmp_path / "model")[1]


def test_a_trusted_class_of_a_model_is_not_warned_of(run, model_of_trust, tmp_path):
    sample = ("sample", model_of_trust(0.1, 0.95), "--class", "boot=1", "--out", tmp_path / "new")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run(*sample)[::2] == (0, "")


# --- info ----------------------------------------------------------------------------------------


def test_info_tells_what_a_model_is(run, model):
    code, out, _ = run("info", model)

    assert code == 0
    for text in ("default, joint", "64 images", "bag      40 real samples", "(1, 8, 8)", "seed 0"):
        assert text.replace("  ", " ") in " ".join(out.split()) or text in out


def test_info_is_json_for_machines(run, model, augmenter):
    code, out, _ = run("info", model, "--json")

    summary = json.loads(out)
    assert code == 0
    assert summary["fingerprint"] == augmenter.data_fingerprint_
    assert summary["versions"]["ganaug"] == ganaug.__version__
    assert {alarm["class"] for alarm in summary["alarms"]} <= {"bag", "boot", None}


def test_alarms_of_per_class_networks_name_their_classes(run, pictures, tmp_path, monkeypatch):
    forward = ImageGenerator.forward
    monkeypatch.setattr(
        ImageGenerator, "forward", lambda self, z, labels: forward(self, 0 * z, labels)
    )
    GANAugmenter(
        n_generators=1,
        width=4,
        max_images=64,
        filter=None,
        random_state=0,
        verbose=0,
        conditioning="per_class",
    ).fit(*pictures).save(tmp_path / "model")

    _, out, _ = run("info", tmp_path / "model")

    assert "collapsed in class bag" in out
    assert "collapsed in class boot" in out


# --- audit ---------------------------------------------------------------------------------------


def test_the_holdout_of_a_torchvision_set_is_its_test_part(
    run, mnist, model, tmp_path, monkeypatch
):
    parts = {}

    class Report:
        def to_json(self):
            return "{}"

    def audit(self, X, y, *, X_holdout, **_options):
        parts.update(train=len(X), holdout=len(X_holdout))
        return Report()

    monkeypatch.setattr(GANAugmenter, "audit", audit)

    code, _, _ = run(
        *("audit", model, "--train", "MNIST", "--holdout", "MNIST", "--data-dir", mnist),
        *("--out", tmp_path / "report.json"),
    )

    assert code == 0
    assert parts == {"train": 65, "holdout": 10}


@pytest.fixture
def archive_of_pictures(pictures, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "pictures.npz", X=X, y=y)
    return tmp_path / "pictures.npz"


def test_the_rows_of_a_limited_fit_are_drawn_again(run, archive_of_pictures, tmp_path, quick_audit):
    limit = ("--max-per-class", "bag=30", "--seed", "3")
    report = tmp_path / "report.md"
    run("fit", archive_of_pictures, "--out", tmp_path / "m", *limit, *SMALL)

    code, _, err = run(
        *("audit", tmp_path / "m", "--train", archive_of_pictures, "--out", report, *limit),
        *("--n-samples", "20"),
    )

    assert code == 0, err
    assert report.read_text(encoding="utf-8").startswith("# ")


# --- mistakes ------------------------------------------------------------------------------------


def assert_one_line(err, said):
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("smaple",), "Did you mean 'sample'"),
        (("fit",), "DATA"),
        (("fit", "x.npz"), "--out"),
        (("fit", "x.npz", "--out", "m", "--recipe", "clasic"), "classic"),
        (("fit", "x.npz", "--out", "m", "--widht", "8"), "--width"),
        (("fit", "x.npz", "--out", "m", "--width", "2"), "--width"),
        (("fit", "x.npz", "--out", "m", "--resize", "64"), "height x width"),
        (("fit", "x.npz", "--out", "m", "--max-images", "0"), "--max-images"),
        (("sample", "m", "--out", "x"), "--class"),
        (("sample", "m", "--class", "bag", "--out", "x"), "LABEL=N"),
        (("sample", "m", "--class", "bag=-5", "--out", "x"), "LABEL=N"),
        (("sample", "m", "--class", "bag=²", "--out", "x"), "LABEL=N"),
        (("sample", "m", "--class", "=5", "--out", "x"), "LABEL=N"),
        (("sample", "m", "--class", "bag=5", "--start", "-1", "--out", "x"), "--start"),
        (("demo", "--draws", "0"), "--draws"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(
    arguments, said, run, npz, model, monkeypatch
):
    monkeypatch.chdir(npz.parent)
    arguments = [
        {"x.npz": str(npz), "m": str(model)}.get(argument, argument) for argument in arguments
    ]

    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("Did you mean") <= 1


def test_a_class_given_twice_is_wrong_usage(run, model, tmp_path):
    code, _, err = run(
        "sample", model, "--class", "bag=5", "--class", "bag=7", "--out", tmp_path / "x"
    )

    assert code == 2
    assert "'bag' is given twice" in err


def test_a_mistyped_class_ends_with_1_and_a_suggestion(run, model, tmp_path):
    code, _, err = run("sample", model, "--class", "bot=5", "--out", tmp_path / "x")

    assert code == 1
    assert_one_line(err, "Did you mean 'boot'")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("command", ["info", "sample"])
def test_a_missing_model_is_named(command, run, tmp_path):
    options = ("--class", "bag=1", "--out", tmp_path / "x") if command == "sample" else ()

    code, _, err = run(command, tmp_path / "nowhere", *options)

    assert code == 1
    assert_one_line(err, "nowhere")


def write(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


BAD_DATA = {
    "nothing there": (lambda path: "imagse", "Got 'imagse'"),
    "a mistyped set": (lambda path: "MINST", "Did you mean 'MNIST'"),
    "a set without a place": (lambda path: "CIFAR10", "--data-dir"),
    "a npz that is not there": (lambda path: path / "x.npz", "does not exist"),
    "an empty npz": (lambda path: write(path / "x.npz"), "X and y"),
    "half a npz": (lambda path: write(path / "x.npz", b"PK\x03\x04abc"), "X and y"),
    "a text": (lambda path: write(path / "x.npz", b"hello"), "X and y"),
    "a npz without y": (lambda path: write_npz(path / "x.npz", X=np.zeros((3, 8, 8))), "y"),
    "pickles in a npz": (
        lambda path: write_npz(path / "x.npz", X=np.array([{}], dtype=object), y=[1]),
        "pickled and never read",
    ),
    "an empty directory": (lambda path: path, "one subdirectory of images per class"),
    "images without classes": (
        lambda path: write(path / "a.png", b"x").parent,
        "one subdirectory of images per class",
    ),
    "an image that is none": (
        lambda path: write(path / "bag" / "a.png", b"hello").parents[1],
        "a.png is not a readable image",
    ),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_data_that_cannot_be_read_end_with_1_and_one_line(what, run, tmp_path):
    make, said = BAD_DATA[what]
    (tmp_path / "data").mkdir()
    data = make(tmp_path / "data")

    code, _, err = run("fit", data, "--out", tmp_path / "model", *SMALL)

    assert code == 1
    assert_one_line(err, said)
    assert not (tmp_path / "model").exists()


@pytest.mark.filterwarnings("default::ganaug.exceptions.GanaugWarning")
def test_hidden_files_are_passed_over_and_others_counted(run, tree, tmp_path):
    write(tree / "bag" / "._000.png", b"a Mac's notes")
    write(tree / "bag" / ".ipynb_checkpoints" / "000.png", b"a notebook's")
    write(tree / ".thumbnails" / "000.png", b"a viewer's")
    write(tree / "bag" / "readme.txt", b"no image")

    code, out, err = run("fit", tree, "--out", tmp_path / "model", *SMALL, "--json")

    assert code == 0
    assert json.loads(out)["classes"] == {"bag": 40, "boot": 25}
    assert err.startswith("Warning: Files of ")
    assert "left out (1): 1 .txt." in err


def test_a_set_that_is_not_there_asks_for_download(run, tmp_path):
    code, _, err = run("fit", "MNIST", "--data-dir", tmp_path, "--out", tmp_path / "m", *SMALL)

    assert code == 1
    assert "--download" in err


def test_bad_data_end_with_1(run, pictures, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "data.npz", X=X, y=y[:-1])

    code, _, err = run("fit", tmp_path / "data.npz", "--out", tmp_path / "m", *SMALL)

    assert code == 1
    assert_one_line(err, "same length")


def test_an_unwritable_place_ends_with_1(run, model, tmp_path):
    (tmp_path / "file").write_text("mine")

    code, _, err = run("sample", model, "--class", "bag=1", "--out", tmp_path / "file" / "new")

    assert code == 1
    assert_one_line(err, "file")


def test_what_is_no_model_is_not_replaced(run, npz, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("mine")

    code, _, err = run("fit", npz, "--out", tmp_path / "thesis", *SMALL)

    assert code == 1
    assert_one_line(err, "not replaced")
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "mine"


def test_a_model_that_cannot_be_saved_is_told_before_training(run, npz, tmp_path, monkeypatch):
    monkeypatch.setattr(GANAugmenter, "fit", None)
    (tmp_path / "file").write_text("mine")

    code, _, err = run("fit", npz, "--out", tmp_path / "file", *SMALL)

    assert code == 1
    assert_one_line(err, "not replaced")


# --- Ctrl-C, help --------------------------------------------------------------------------------


def test_ctrl_c_ends_with_130(run, npz, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(GANAugmenter, "fit", interrupted)

    code, out, err = run("fit", npz, "--out", tmp_path / "model", *SMALL)

    assert (code, out, err.strip()) == (130, "", "Interrupted.")


def test_ctrl_c_during_training_saves_the_best_weights_and_ends_with_130(
    run, npz, tmp_path, monkeypatch
):
    step = Trainer.step

    def interrupted(trainer):
        if trainer.images_seen >= 64:
            raise KeyboardInterrupt
        step(trainer)

    monkeypatch.setattr(Trainer, "step", interrupted)

    code, out, _ = run("fit", npz, "--out", tmp_path / "model", *SMALL, "--json")

    assert code == 130
    assert json.loads(out)["interrupted"]
    assert GANAugmenter.load(tmp_path / "model.partial").n_images_seen_ == 64
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("command", [None, *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_tells_what_there_is(command, flag, run):
    code, out, _ = run(*([] if command is None else [command]), flag)

    assert code == 0
    expected = None if command is None else cli.get_command(None, command)
    names = COMMANDS if expected is None else [p.opts[-1] for p in expected.params]
    assert all(name.lower() in out.lower() for name in names)


def test_version(run):
    assert run("--version")[:2] == (0, f"ganaug, version {ganaug.__version__}\n")


ANSWERED_AT_ONCE = [
    ("--help",),
    ("--version",),
    *((command, "--help") for command in COMMANDS),
    ("smaple",),
    ("fit",),
    ("fit", "x.npz", "--out", "m", "--recipe", "clasic"),
    ("fit", "x.npz", "--out", "m", "--resize", "64"),
    ("fit", "x.npz", "--out", "m", "--max-per-class", "bag"),
    ("sample", "m", "--class", "bag", "--out", "x"),
    ("sample", "m", "--class", "bag=1", "--class", "bag=2", "--out", "x"),
    ("audit", "m", "--train", "x.npz", "--out", "x.pdf"),
    ("demo", "--draws", "0"),
]


def test_help_and_wrong_usage_do_not_wait_for_heavy_libraries():
    code = f"""
import sys
from ganaug.cli import main
for arguments in {ANSWERED_AT_ONCE}:
    sys.argv = ["ganaug", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert ended.code in (None, 0, 2), arguments
    heavy = {{"torch", "sklearn", "imblearn", "numpy", "PIL"}} & sys.modules.keys()
    assert not heavy, (arguments, heavy)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert run.returncode == 0, run.stderr


@pytest.mark.filterwarnings("default::ganaug.exceptions.FlattenedImagesWarning")
@pytest.mark.filterwarnings("default::ganaug.exceptions.GanaugWarning")
def test_advice_is_that_of_the_command_line(run, pictures, tree, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "flat.npz", X=X.reshape(len(X), -1), y=y)
    np.savez(tmp_path / "large.npz", X=np.zeros((len(X), 200, 200), np.uint8), y=y)

    _, _, flat = run("fit", tmp_path / "flat.npz", "--out", tmp_path / "m", *SMALL)
    code, out, _ = run(
        *("fit", tmp_path / "flat.npz", "--out", tmp_path / "m2", *SMALL, "--json"),
        *("--image-shape", "8x8"),
    )
    _, _, large = run("fit", tmp_path / "large.npz", "--out", tmp_path / "m3", *SMALL)

    assert "--image-shape 8x8" in flat
    assert (code, json.loads(out)["image_shape"]) == (0, [1, 8, 8])
    assert "--resize HEIGHTxWIDTH" in large
    assert "resize=" not in large


def test_names_of_classes_cannot_steer_the_terminal(run, pictures, tmp_path):
    X, y = pictures
    np.savez(tmp_path / "data.npz", X=X, y=np.where(y == "bag", "\x1b[31mred\n", "boot"))

    code, out, _ = run("fit", tmp_path / "data.npz", "--out", tmp_path / "m", *SMALL)
    _, _, err = run("sample", tmp_path / "m", "--class", "\x1b[31mre=1", "--out", tmp_path / "x")

    assert code == 0
    assert "\\x1b[31mred\\n  " in out
    assert "\x1b" not in out + err
    assert_one_line(err, "Did you mean")


# --- places that cannot be written, and Ctrl-C ----------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "evaluate", "audit", "sample", "augment"])
@pytest.mark.parametrize("place", ["data.npz/new.json", "/proc/new.json"])
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    command, place, run, npz, model, monkeypatch
):
    monkeypatch.setattr(GANAugmenter, "fit", None)
    monkeypatch.setattr(GANAugmenter, "load", None)
    monkeypatch.chdir(npz.parent)
    arguments = {
        "fit": (npz, *SMALL),
        "evaluate": (npz, *SMALL),
        "augment": (npz, *SMALL),
        "audit": (model, "--train", npz),
        "sample": (model, "--class", "bag=1"),
    }

    code, _, err = run(command, *arguments[command], "--out", place)

    assert code == 1
    assert_one_line(err, "cannot be written")


def test_an_interrupted_training_does_not_replace_a_complete_model(
    run, npz, model, augmenter, monkeypatch
):
    step = Trainer.step

    def interrupted(trainer):
        if trainer.images_seen >= 64:
            raise KeyboardInterrupt
        step(trainer)

    monkeypatch.setattr(Trainer, "step", interrupted)

    code, _, err = run("fit", npz, "--out", model, *SMALL, "--seed", 7, "--overwrite")

    assert code == 130
    assert "model.partial, not" in err
    assert GANAugmenter.load(model).seed_ == augmenter.seed_
    assert GANAugmenter.load(f"{model}.partial").seed_ == 7


@pytest.fixture
def usual_sigint():
    """SIGINT as in a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("moment", ["after the training", "while saving"])
@pytest.mark.usefixtures("usual_sigint")
def test_ctrl_c_after_the_training_does_not_lose_it(moment, run, npz, tmp_path, monkeypatch):
    name = {"after the training": "_take_up", "while saving": "save"}[moment]
    method = getattr(GANAugmenter, name)

    def interrupted(self, *args):
        method(self, *args)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # where it is noticed

    monkeypatch.setattr(GANAugmenter, name, interrupted)

    code, out, _ = run("fit", npz, "--out", tmp_path / "model", *SMALL, "--json")

    monkeypatch.undo()
    assert code == 130
    assert not json.loads(out)["interrupted"]
    assert GANAugmenter.load(tmp_path / "model").n_images_seen_ == 128


@pytest.mark.filterwarnings("default::ganaug.exceptions.GanaugWarning")
@pytest.mark.parametrize("out", ["out", "out.npz"])
def test_what_ganaug_has_added_is_not_taken_for_real_without_a_word(out, tree, tmp_path, run):
    assert run("augment", tree, "--out", tmp_path / out, "-q")[0] == 0

    code, _, said = run("fit", tmp_path / out, "--out", tmp_path / "m", *SMALL, "--dry-run")

    assert code == 0
    assert "Warning" in said
    assert "was written by ganaug: 15 of its samples" in said


@pytest.mark.parametrize("arguments", [("", "--out", "model"), ("images", "--out", "")])
def test_an_unset_variable_of_the_shell_is_not_the_present_folder(
    arguments, tree, tmp_path, run, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    code, _, said = run("fit", *arguments, *SMALL)

    assert code
    assert "must not be empty" in said or "Got '' instead, which does not exist" in said
    assert [entry.name for entry in tmp_path.iterdir()] == [tree.name]


def test_a_tilde_that_the_shell_has_left_is_the_home_directory(tree, tmp_path, run, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert run("fit", f"~/{tree.name}", "--out=~/model", *SMALL)[0] == 0

    assert {entry.name for entry in tmp_path.iterdir()} == {tree.name, "model"}
