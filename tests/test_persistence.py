"""ganaug/persistence.py: a model is saved and loaded whole or not at all, and never as a pickle."""

from __future__ import annotations

import copy
import errno
import json
import pickle
import shutil
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from safetensors import safe_open
from sklearn.base import clone

import ganaug
from ganaug import GANAugmenter, persistence
from ganaug.exceptions import ModelFileError, NotFittedError, TrainingWarning

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

TINY = {"width": 4, "max_images": 128, "filter": None, "random_state": 0, "verbose": 0}


def fit_quietly(augmenter, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # the training is far too short
        return augmenter.fit(X, y)


@pytest.fixture(scope="module")
def rows(all_digits):
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == code)[:30] for code in range(3)])
    return X[index], np.array(["nought", "one", "two"])[y[index]]


@pytest.fixture(scope="module")
def fitted(rows):
    return fit_quietly(GANAugmenter(image_shape=(8, 8), **TINY), *rows)


@pytest.fixture
def saved(fitted, tmp_path):
    path = tmp_path / "model"
    fitted.save(path)
    return path


def content_of(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


# --- round trips -------------------------------------------------------------------------------


def assert_same_samples(first, second, counts=5):
    for options in ({}, {"random_state": 9}, {"start": 200}):
        X, y = first.sample(counts, **options)
        X_again, y_again = second.sample(counts, **options)
        assert type(X_again) is type(X)
        assert type(y_again) is type(y)
        assert np.asarray(X_again).tobytes() == np.asarray(X).tobytes()
        assert list(y_again) == list(y)


KINDS = {
    "rows of images": lambda X: (X, {"image_shape": (8, 8)}),
    "float32 images": lambda X: ((X / 16).astype(np.float32).reshape(-1, 8, 8), {}),
    "uint8 with channels": lambda X: (
        (X * 15).astype(np.uint8).reshape(-1, 8, 8, 1).repeat(3, axis=3),
        {},
    ),
    "tensors": lambda X: (torch.from_numpy(X / 8 - 1).float().reshape(-1, 1, 8, 8), {}),
    "pictures": lambda X: (
        [Image.fromarray(x) for x in (X * 15).astype(np.uint8).reshape(-1, 8, 8)],
        {},
    ),
    "a table": lambda X: (X[:, 20:26] - 3.5, {}),
    "a data frame": lambda X: (
        pd.DataFrame(X[:, 20:26] - 3.5, columns=[f"column {i}" for i in range(6)]),
        {},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_samples_the_same_bytes(kind, rows, tmp_path):
    X, options = KINDS[kind](rows[0])
    augmenter = GANAugmenter(**TINY, **options).fit(X, rows[1])

    augmenter.save(tmp_path / "model")
    loaded = GANAugmenter.load(tmp_path / "model")

    assert_same_samples(augmenter, loaded)
    assert loaded.spec_ == augmenter.spec_


@pytest.mark.parametrize(
    "options",
    [
        {"recipe": "classic"},
        {"conditioning": "per_class"},
        {"loss": "bce", "diffaugment": False, "lecam": 0.0},
    ],
    ids=["classic", "per class", "engine options"],
)
def test_models_of_every_kind_come_back(options, rows, tmp_path):
    augmenter = GANAugmenter(**{**TINY, "image_shape": (8, 8), **options}).fit(*rows)

    augmenter.save(tmp_path / "model")

    assert_same_samples(augmenter, GANAugmenter.load(tmp_path / "model"))


def test_the_classifier_of_the_filter_comes_back(rows, tmp_path):
    augmenter = fit_quietly(
        GANAugmenter(**{**TINY, "image_shape": (8, 8), "filter": "classifier"}), *rows
    )
    augmenter.save(tmp_path / "model")

    loaded = GANAugmenter.load(tmp_path / "model")

    values = augmenter.spec_.encode(rows[0])
    assert_array_equal(
        loaded.model_.classifier.predict_proba(values),
        augmenter.model_.classifier.predict_proba(values),
    )
    assert loaded.model_.filters == ("classifier",)


def test_fitted_attributes_come_back(fitted, saved):
    loaded = GANAugmenter.load(saved)

    names = {name for name in vars(fitted) if name.endswith("_") and name != "model_"}
    assert {name for name in vars(loaded) if name.endswith("_") and name != "model_"} == names
    for name in sorted(names):
        assert_array_equal(getattr(loaded, name), getattr(fitted, name), err_msg=name)
    assert loaded.classes_.dtype == fitted.classes_.dtype


def test_parameters_come_back(rows, tmp_path):
    parameters = {
        **TINY,
        "image_shape": (8, 8),
        "value_range": (0.0, 16.0),
        "diffaugment": False,
        "sampling_strategy": {"one": 50, "two": 40},
        "width": np.int64(8),
        "learning_rate": np.float32(0.0005),
        "max_ratio": np.inf,
    }
    augmenter = GANAugmenter(**parameters).fit(*rows)
    augmenter.save(tmp_path / "model")

    loaded = GANAugmenter.load(tmp_path / "model", device="cpu")

    assert loaded.get_params() == {**augmenter.get_params(), "device": "cpu"}
    assert [plan.n_total for plan in _reports(loaded, rows)] == [30, 50, 40]


def _reports(augmenter, rows):
    augmenter.augment(*rows)
    return augmenter.resampling_report_


def test_parameters_of_this_process_are_left_out(rows, tmp_path):
    augmenter = GANAugmenter(
        **TINY, image_shape=(8, 8), memory=tmp_path / "cache", checkpoint_dir=tmp_path / "state"
    ).fit(*rows)
    augmenter.save(tmp_path / "model")

    loaded = GANAugmenter.load(tmp_path / "model")

    assert loaded.memory is None
    assert loaded.checkpoint_dir is None
    assert str(tmp_path) not in (tmp_path / "model" / "config.json").read_text()


def test_a_loaded_model_transforms_augments_and_saves_again(saved, rows, tmp_path):
    X, y = rows
    loaded = GANAugmenter.load(saved)

    assert loaded.transform(X) is X
    assert len(loaded.augment(X, y)[0]) == 90
    loaded.save(tmp_path / "again")
    assert content_of(tmp_path / "again") == content_of(saved)


@pytest.mark.parametrize("columns", [list("abcdef"), list(range(6))], ids=["names", "numbers"])
def test_a_loaded_model_takes_the_frames_that_it_was_fitted_on(columns, rows, tmp_path):
    X = pd.DataFrame(rows[0][:, 20:26] - 3.5, columns=columns)
    fitted = GANAugmenter(**TINY).fit(X, rows[1])
    fitted.save(tmp_path / "model")

    loaded = GANAugmenter.load(tmp_path / "model")

    assert loaded.transform(X) is X
    assert loaded.sample(1)[0].columns.tolist() == columns
    with pytest.raises(ValueError, match="feature"):
        loaded.transform(X.iloc[:, :5])


@pytest.mark.parametrize(
    "labels",
    [np.array([3, 7]), np.array([False, True]), np.array([1.0, 2.0]), np.array(["a", "b"], object)],
    ids=["int", "bool", "float", "object"],
)
def test_labels_of_any_type_come_back(labels, rows, tmp_path):
    y = labels[(rows[1] == "one").astype(int)]
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(rows[0], y)
    augmenter.save(tmp_path / "model")

    _, y_new = GANAugmenter.load(tmp_path / "model").sample({labels[1]: 2})

    assert y_new.dtype == y.dtype
    assert y_new.tolist() == [labels[1].item() if hasattr(labels[1], "item") else labels[1]] * 2


# --- what is on the disk -------------------------------------------------------------------------


def test_the_files_are_safetensors_and_json(saved, fitted):
    assert sorted(content_of(saved)) == ["config.json", "model.safetensors"]
    with safe_open(saved / "model.safetensors", framework="np") as file:
        names = list(file.keys())
        assert all(np.isfinite(file.get_tensor(name)).all() for name in names)
    assert any(name.startswith("gan/0/generator/") for name in names)

    config = json.loads((saved / "config.json").read_text())
    assert config["format_version"] == persistence.FORMAT_VERSION
    assert {"ganaug", "torch", "numpy"} <= config["versions"].keys()
    assert config["data"]["classes"] == ["nought", "one", "two"]
    assert config["data"]["class_counts"] == [30, 30, 30]
    assert config["data"]["value_range"] == [0.0, 16.0]
    assert config["data"]["fingerprint"] == fitted.data_fingerprint_
    assert config["gans"][0]["history"]


def test_the_config_is_json_that_other_languages_read_too(rows, tmp_path):
    # NaN and Infinity are Python's own; a class of equal rows has NaN variety
    X, y = rows[0].copy(), rows[1]
    X[y == "one"] = X[y == "one"][0]
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), max_ratio=float("inf")).fit(X, y)
    augmenter.save(tmp_path / "model")

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "model" / "config.json").read_text()
    json.loads(text, parse_constant=refuse)
    loaded = GANAugmenter.load(tmp_path / "model")
    assert loaded.max_ratio == float("inf")
    assert np.isnan(loaded.history_[0]["variety"]["one"])


def test_nothing_is_unpickled_on_loading(saved, fitted, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, names in {
        torch: ["load"],
        pickle: ["load", "loads", "Unpickler"],
        joblib: ["load"],
        np: ["load"],
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, refuse)

    assert_same_samples(GANAugmenter.load(saved), fitted)


def test_a_model_can_be_moved(saved, fitted, tmp_path):
    shutil.copytree(saved, tmp_path / "elsewhere" / "copy")

    assert_same_samples(GANAugmenter.load(tmp_path / "elsewhere" / "copy"), fitted)


# --- broken files --------------------------------------------------------------------------------


def break_config(path, **changes):
    file = path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


BROKEN = {
    "no directory": (shutil.rmtree, "config.json is missing"),
    "no config": (lambda path: (path / "config.json").unlink(), "config.json is missing"),
    "no tensors": (lambda path: (path / "model.safetensors").unlink(), "model.safetensors is miss"),
    "empty config": (lambda path: (path / "config.json").write_text(""), "config.json is truncat"),
    "half a config": (
        lambda path: (path / "config.json").write_bytes((path / "config.json").read_bytes()[:1000]),
        "config.json is truncated",
    ),
    "binary config": (
        lambda path: (path / "config.json").write_bytes(b"\xff\xfe\x00"),
        "config.json is truncated",
    ),
    "another list": (lambda path: (path / "config.json").write_text("[1]"), "not a ganaug config"),
    "another dict": (lambda path: (path / "config.json").write_text("{}"), "not a ganaug config"),
    "odd version": (
        lambda path: break_config(path, format_version="new"),
        "config.json is truncated or not a ganaug config",
    ),
    "altered config": (lambda path: break_config(path, seed=1), "config.json was altered"),
    "newer format": (
        lambda path: break_config(path, format_version=persistence.FORMAT_VERSION + 1),
        r"config.json has format version \d+.*Upgrade",
    ),
    "half the tensors": (
        lambda path: (path / "model.safetensors").write_bytes(
            (path / "model.safetensors").read_bytes()[:-100]
        ),
        "model.safetensors is truncated or was altered",
    ),
    "empty tensors": (
        lambda path: (path / "model.safetensors").write_bytes(b""),
        "model.safetensors is truncated or was altered",
    ),
    "a flipped bit": (
        lambda path: (path / "model.safetensors").write_bytes(
            (path / "model.safetensors").read_bytes()[:-1] + b"\x55"
        ),
        "model.safetensors is truncated or was altered",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_model_is_refused_and_the_file_named(what, saved, monkeypatch):
    harm, said = BROKEN[what]
    harm(saved)
    monkeypatch.setattr(persistence, "_rebuild", None)  # nothing is built from a part

    with pytest.raises(ModelFileError, match=said) as caught:
        GANAugmenter.load(saved)

    assert str(saved) in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_an_unfitted_augmenter_cannot_be_saved(tmp_path):
    with pytest.raises(NotFittedError, match="not fitted"):
        GANAugmenter().save(tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


# --- saving over an older model ------------------------------------------------------------------


@pytest.fixture
def newer(fitted):
    """Another model, to be saved over the first."""
    newer = copy.copy(fitted)
    newer.model_ = copy.copy(fitted.model_)
    newer.model_.seed = 77
    return newer


def full_disk(*args, **kwargs):
    Path(args[1]).write_bytes(b"half")  # a part has been written already
    raise OSError(errno.ENOSPC, "No space left on device")


def full_disk_at_the_config(self, *args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def ctrl_c(*args, **kwargs):
    raise KeyboardInterrupt


FAILURES = {
    "full disk": (persistence, "save_file", full_disk, OSError),
    "full disk later": (Path, "write_text", full_disk_at_the_config, OSError),
    "ctrl-c while writing": (persistence, "save_file", ctrl_c, KeyboardInterrupt),
    "ctrl-c before the rename": (Path, "rename", ctrl_c, KeyboardInterrupt),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_save_leaves_the_old_model_and_nothing_else(failure, saved, newer, monkeypatch):
    where, name, fails, error = FAILURES[failure]
    before = content_of(saved)

    with monkeypatch.context() as patch:
        patch.setattr(where, name, fails)
        with pytest.raises(error):
            newer.save(saved)

    assert content_of(saved) == before
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n_renames", [1, 2])
def test_ctrl_c_around_any_rename_leaves_a_whole_model(when, n_renames, saved, newer, monkeypatch):
    rename = Path.rename
    calls = []

    def interrupted(self, target):
        calls.append(target)
        if len(calls) == n_renames and when == "before":
            raise KeyboardInterrupt
        rename(self, target)
        if len(calls) == n_renames and when == "after":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            newer.save(saved)

    assert GANAugmenter.load(saved).seed_ in (0, 77)
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_a_newer_model_replaces_an_older_one(saved, newer):
    newer.save(saved)

    assert GANAugmenter.load(saved).seed_ == 77
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_an_empty_directory_is_used_and_parents_are_made(fitted, tmp_path):
    (tmp_path / "empty").mkdir()

    fitted.save(tmp_path / "empty")
    fitted.save(str(tmp_path / "a" / "b"))

    assert GANAugmenter.load(tmp_path / "empty").seed_ == 0
    assert GANAugmenter.load(tmp_path / "a" / "b").seed_ == 0


def test_the_current_directory_can_be_saved_to(fitted, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    fitted.save(".")

    assert GANAugmenter.load(tmp_path / "here").seed_ == 0


def test_a_link_to_a_model_stays_a_link(saved, newer, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(saved)

    newer.save(link)

    assert link.is_symlink()
    assert GANAugmenter.load(saved).seed_ == 77
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["latest", "model"]


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "mine"},
        {"config.json": '{"architectures": ["Bert"]}', "model.safetensors": "theirs"},
        {"config.json": "not json"},
        {"model.safetensors": "theirs"},
    ],
    ids=["notes", "another library's model", "a broken config", "tensors alone"],
)
def test_what_is_no_ganaug_model_is_not_replaced(files, fitted, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(ModelFileError, match="not replaced.*not.* a saved ganaug model"):
        fitted.save(tmp_path)

    assert {name: (tmp_path / name).read_text() for name in files} == files
    assert sorted(files) == sorted(entry.name for entry in tmp_path.iterdir())


def test_a_model_beside_which_something_else_lies_is_not_replaced(saved, newer):
    (saved / "notes.txt").write_text("mine")

    with pytest.raises(ModelFileError, match=r"notes\.txt"):
        newer.save(saved)

    assert (saved / "notes.txt").read_text() == "mine"


def test_a_file_is_not_replaced(fitted, tmp_path):
    file = tmp_path / "thesis.tex"
    file.write_text("mine")

    with pytest.raises(ModelFileError, match=r"thesis\.tex"):
        fitted.save(file)

    assert file.read_text() == "mine"


# --- joblib, pickle and clone ----------------------------------------------------------------


def test_joblib_and_pickle_work_where_they_are_trusted(fitted, tmp_path):
    fitted.sample(1)  # the networks on the device are made

    joblib.dump(fitted, tmp_path / "augmenter.joblib")
    assert_same_samples(joblib.load(tmp_path / "augmenter.joblib"), fitted)
    assert_same_samples(pickle.loads(pickle.dumps(fitted)), fitted)
    assert_same_samples(copy.deepcopy(fitted), fitted)


def test_a_pickle_holds_the_weights_once(fitted):
    fresh = pickle.loads(pickle.dumps(fitted))
    size = len(pickle.dumps(fresh))

    fresh.sample(1)

    assert len(pickle.dumps(fresh)) == size


def test_a_clone_has_the_parameters_and_is_not_fitted(fitted):
    cloned = clone(fitted)

    assert cloned.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        cloned.sample(1)


@pytest.mark.gpu
def test_a_model_trained_on_cuda_is_loaded_anywhere(rows, tmp_path):
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), device="cuda").fit(*rows)
    augmenter.save(tmp_path / "model")

    assert_same_samples(augmenter, GANAugmenter.load(tmp_path / "model", device="cuda"))
    assert len(GANAugmenter.load(tmp_path / "model", device="cpu").sample(5)[0]) == 5


def test_the_version_of_ganaug_is_written(saved):
    assert persistence.read_config(saved)["versions"]["ganaug"] == ganaug.__version__
