"""ganaug/persistence.py: a model is saved and loaded whole or not at all, and never as a pickle."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import pickle
import shutil
import signal
import warnings
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save
from sklearn.base import clone

import ganaug
from ganaug import GANAugmenter, persistence, storage
from ganaug.exceptions import ModelFileError, NotFittedError, TrainingWarning
from ganaug.gan.training import Trainer

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")

TINY = {
    "n_generators": 1,
    "synthetic_share": 0.5,
    "width": 4,
    "max_images": 128,
    "filter": None,
    "random_state": 0,
    "verbose": 0,
}


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
        {"gan_options": {"loss": "bce", "diffaugment": True, "lecam": 0.0}},
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
    assert loaded.model_.is_filtered


def test_a_model_of_a_training_that_diverged_comes_back(rows, tmp_path, monkeypatch):
    step = Trainer.step

    def poisoned(trainer):
        if trainer.images_seen >= 64:
            next(trainer.generator.parameters()).data.fill_(torch.nan)
        step(trainer)

    monkeypatch.setattr(Trainer, "step", poisoned)
    augmenter = GANAugmenter(**{**TINY, "max_images": 640}, image_shape=(8, 8)).fit(*rows)
    assert "distance" not in augmenter.history_[-1]
    augmenter.save(tmp_path / "model")

    loaded = GANAugmenter.load(tmp_path / "model")

    assert loaded.alarms_[-1]["kind"] == "diverged"
    assert_same_samples(augmenter, loaded)


def test_a_model_that_could_not_be_loaded_is_not_saved(fitted, tmp_path):
    odd = copy.copy(fitted)
    odd.model_ = copy.copy(fitted.model_)
    odd.model_.class_counts = fitted.model_.class_counts[:2]

    with pytest.raises(ModelFileError, match="could not be loaded.*class_counts"):
        odd.save(tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


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
        "gan_options": {"diffaugment": True, "learning_rate": np.float32(0.0005)},
        "sampling_strategy": {"one": 50, "two": 40},
        "width": np.int64(8),
        "max_seconds": 1e6,
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
        **TINY, image_shape=(8, 8), cache_dir=tmp_path / "cache", checkpoint_dir=tmp_path / "state"
    ).fit(*rows)
    augmenter.save(tmp_path / "model")

    loaded = GANAugmenter.load(tmp_path / "model")

    assert loaded.cache_dir is None
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


@pytest.mark.parametrize("name", ["digit", 64, None, ("a", 1), True], ids=str)
@pytest.mark.parametrize("ordered", [False, True])
def test_a_categorical_series_comes_back_with_name_and_order(name, ordered, rows, tmp_path):
    categories = pd.CategoricalDtype(["two", "one", "nought", "three"], ordered=ordered)
    y = pd.Series(rows[1], name=name).astype(categories)
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8)).fit(rows[0], y)
    augmenter.save(tmp_path / "model")

    _, y_new = GANAugmenter.load(tmp_path / "model").sample(3)

    assert y_new.name == name
    assert type(y_new.name) is type(name)
    assert y_new.dtype == y.dtype
    assert y_new.tolist() == augmenter.sample(3)[1].tolist()


# --- what is on the disk -------------------------------------------------------------------------


def test_the_files_are_safetensors_and_json(saved, fitted):
    assert sorted(content_of(saved)) == ["README.md", "config.json", "model.safetensors"]
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
    augmenter = GANAugmenter(**TINY, image_shape=(8, 8), max_seconds=1e6).fit(X, y)
    augmenter.save(tmp_path / "model")

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "model" / "config.json").read_text()
    json.loads(text, parse_constant=refuse)
    loaded = GANAugmenter.load(tmp_path / "model")
    assert loaded.max_seconds == 1e6
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


def described_in(path):
    """What the file says of the model, as it stands in the header."""
    with safe_open(path / "model.safetensors", framework="np") as file:
        return json.loads(file.metadata()["ganaug"])


def craft(path, change=None, change_tensors=None):
    """Write the file anew as an attacker can: with a checksum that is right."""
    described = described_in(path)
    tensors = load_file(path / "model.safetensors")
    content = change(described["content"]) if change else described["content"]
    tensors = change_tensors(tensors) if change_tensors else tensors
    version = described["format_version"]
    write_described(path, {**described, "content": content, "format_version": version}, tensors)


def write_described(path, described, tensors):
    text = json.dumps({**described, "sha256": "0" * 64})
    packed = save(tensors, metadata={"ganaug": text})
    digest = hashlib.sha256(packed).hexdigest()
    (path / "model.safetensors").write_bytes(packed.replace(b"0" * 64, digest.encode(), 1))


def put(keys, value):
    """Make a change of a description: the value at a place in it."""

    def change(content):
        place = content
        *path, last = keys
        for key in path:
            place = place[key]
        place[last] = value
        return content

    return change


def rewrite(change):
    def harm(path):
        file = path / "model.safetensors"
        file.write_bytes(change(file.read_bytes()))

    return harm


def with_described(**changes):
    def harm(path):
        described = {**described_in(path), **changes}
        write_described(path, described, load_file(path / "model.safetensors"))

    return harm


def a_pipe(path):
    (path / "model.safetensors").unlink()
    os.mkfifo(path / "model.safetensors")


BROKEN = {
    "no directory": (shutil.rmtree, "is missing"),
    "no file": (lambda path: (path / "model.safetensors").unlink(), "is missing"),
    "half a file": (rewrite(lambda b: b[: len(b) // 2]), "must hold .* bytes of tensors"),
    "half a header": (rewrite(lambda b: b[:1000]), "header is longer than the file"),
    "an empty file": (rewrite(lambda b: b""), "truncated"),
    "more at the end": (rewrite(lambda b: b + b"x"), "must hold .* bytes of tensors"),
    "a flipped bit": (rewrite(lambda b: b[:-1] + bytes([b[-1] ^ 1])), "checksum"),
    "a flipped bit in the middle": (
        rewrite(lambda b: b[: len(b) // 2] + bytes([b[len(b) // 2] ^ 8]) + b[len(b) // 2 + 1 :]),
        "checksum",
    ),
    "a header past the file": (rewrite(lambda b: b"\xff" * 8 + b[8:]), "header is longer"),
    "zeros": (rewrite(lambda b: bytes(len(b))), "damaged, or not a model"),
    "a pipe": (a_pipe, "regular file"),
    "a directory": (
        lambda path: (path / "model.safetensors").unlink() or (path / "model.safetensors").mkdir(),
        "regular file",
    ),
    "another library's model": (
        lambda path: (path / "model.safetensors").write_bytes(save({"x": torch.ones(2)})),
        "kind must be 'model'",
    ),
    "another kind": (with_described(kind="checkpoint"), "kind must be 'model'"),
    "newer format": (
        with_described(format_version=persistence.FORMAT_VERSION + 1),
        r"format version \d+.*Upgrade",
    ),
    "format 0": (with_described(format_version=0), "format_version.*Got 0"),
    "format -1": (with_described(format_version=-1), "format_version.*Got -1"),
    "format true": (with_described(format_version=True), "format_version.*Got True"),
    "format as text": (with_described(format_version="2"), "format_version.*Got '2'"),
    "no content": (with_described(content=None), "parameters.*missing"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_model_is_refused_and_the_file_named(what, saved, monkeypatch):
    harm, said = BROKEN[what]
    harm(saved)
    monkeypatch.setattr(persistence, "rebuild", None)  # nothing is built from a part

    with pytest.raises(ModelFileError, match=said) as caught:
        GANAugmenter.load(saved)

    assert str(saved / "model.safetensors") in str(caught.value)
    assert isinstance(caught.value, OSError)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


CONFIG = ("gans", 0, "config")
CRAFTED = {
    "a cache directory": (put(("parameters", "cache_dir"), "cache"), "cache_dir"),
    "a checkpoint directory": (put(("parameters", "checkpoint_dir"), "/tmp/x"), "checkpoint_dir"),
    "a model to start from": (put(("parameters", "warm_start_from"), "/x"), "warm_start_from"),
    "a device": (put(("parameters", "device"), "meta"), "device"),
    "an unknown parameter": (put(("parameters", "memory"), "cache"), "'memory'"),
    "a parameter of another type": (put(("parameters", "width"), [4]), "parameters.width"),
    "a parameter out of range": (put(("parameters", "width"), 10**9), "`width` must be"),
    "parameters that are no dict": (put(("parameters",), [1]), "parameters"),
    "a huge width": (put((*CONFIG, "width"), 10**6), "tensor 'gan/0/generator/.* must be"),
    "a width past int64": (put((*CONFIG, "width"), 2**63), "impossible sizes|must be"),
    "a negative width": (put((*CONFIG, "width"), -4), r"gans\[0\].config.width"),
    "a width of true": (put((*CONFIG, "width"), True), r"width.*whole number. Got True"),
    "a width as text": (put((*CONFIG, "width"), "4"), r"width.*whole number. Got '4'"),
    "a huge embedding": (put((*CONFIG, "embedding_dim"), 10**12), "tensor|impossible sizes"),
    "a huge latent": (put((*CONFIG, "latent_dim"), 10**12), "tensor|impossible sizes"),
    "a huge image": (put((*CONFIG, "image_shape"), [1, 10**6, 10**6]), "8 to 128"),
    "an image of nothing": (put((*CONFIG, "image_shape"), []), "image_shape"),
    "another image's size": (put((*CONFIG, "image_shape"), [1, 16, 16]), "of the data's shape"),
    "no class counts": (put((*CONFIG, "class_counts"), []), "gans"),
    "class counts of 0": (put((*CONFIG, "class_counts"), [0, 0, 0]), "class_counts"),
    "an unknown recipe": (put((*CONFIG, "recipe"), "os.system"), "recipe"),
    "an unknown augmentation": (put((*CONFIG, "diffaugment"), ["eval"]), "diffaugment"),
    "an unknown option": (put((*CONFIG, "hook"), "eval"), "unknown key 'hook'"),
    "no networks": (put(("gans",), []), "gans"),
    "networks that are no list": (put(("gans",), {"0": 1}), "gans"),
    "an unknown filter": (put(("filters",), ["eval"]), "filters"),
    "a filter without its part": (put(("filters",), ["classifier"]), "filters"),
    "an unknown key": (put(("__reduce__",), ["os.system", "id"]), "unknown key '__reduce__'"),
    "a huge seed": (put(("seed",), 2**64 - 1), "seed"),
    "a negative seed": (put(("seed",), -1), "seed"),
    "a dtype that is a function": (put(("data", "spec", "dtype"), "load"), "spec.dtype"),
    "a huge dtype": (put(("data", "spec", "dtype"), "V1000000000"), "spec.dtype"),
    "an unknown container": (put(("data", "spec", "container"), "jax"), "container"),
    "an odd PIL mode": (put(("data", "spec", "container"), "pil"), "pil_mode"),
    "a range of nothing": (put(("data", "spec", "value_range"), [1, 1]), "value_range|contra"),
    "no range": (put(("data", "spec", "value_range"), None), "spec"),
    "other columns": (put(("data", "spec", "n_columns"), 10**12), "spec"),
    "huge class names": (put(("data", "label_kind", "class_dtype"), "<U999999"), "shorter texts"),
    "class names of a structure": (
        put(("data", "label_kind", "class_dtype"), "f4,f4"),
        "class_dtype",
    ),
    "labels of another kind": (put(("data", "classes"), [1, [2], 3]), "classes"),
    "equal classes": (put(("data", "classes"), ["a", "a", "b"]), "classes"),
    "fewer classes": (put(("data", "classes"), ["a", "b"]), "class_names"),
    "an odd trust": (put(("trust",), [2.0, 0.1, 0.1]), "trust"),
    "a classifier of nothing": (put(("classifier",), {"kind": "image"}), "classifier"),
    "an alarm of no class": (
        put(("gans", 0, "alarms"), [{"kind": "collapsed", "class_code": 9, "value": 0.1}]),
        "alarms",
    ),
    "an unknown alarm": (
        put(("gans", 0, "alarms"), [{"kind": "eval", "class_code": 0, "value": 0.1}]),
        "alarms",
    ),
    "a mark that is none": (put(("seed",), {"float": "eval"}), "float"),
    "a list as a key": (put(("trust",), {"pairs": [[[1], 2]]}), "pairs key"),
    "deep nesting": (put(("trust",), nested(800)), "trust|recursion"),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_crafted_model_is_refused_before_anything_is_allocated(what, saved, monkeypatch):
    change, said = CRAFTED[what]
    craft(saved, change)
    monkeypatch.setattr("ganaug.tensorfile.safetensors.torch.load", None)

    with pytest.raises(ModelFileError, match=said) as caught:
        GANAugmenter.load(saved)

    assert str(saved / "model.safetensors") in str(caught.value)


def renamed(tensors):
    name = next(iter(tensors))
    return {f"{name}/x" if key == name else key: value for key, value in tensors.items()}


CRAFTED_TENSORS = {
    "one missing": (lambda t: dict(list(t.items())[1:]), "is missing"),
    "one too many": (lambda t: {**t, "x": torch.ones(1)}, "unknown tensor, 'x'"),
    "one by another name": (renamed, "is missing"),
    "another dtype": (lambda t: {k: v.double() for k, v in t.items()}, "must be float32"),
    "another shape": (lambda t: {k: v[None].clone() for k, v in t.items()}, "must be"),
    "NaN": (lambda t: {k: v + torch.tensor(torch.nan).to(v) for k, v in t.items()}, "be finite"),
}


@pytest.mark.parametrize("what", CRAFTED_TENSORS)
def test_tensors_that_are_not_those_of_the_model_are_refused(what, saved):
    change, said = CRAFTED_TENSORS[what]
    craft(saved, change_tensors=change)

    with pytest.raises(ModelFileError, match=said):
        GANAugmenter.load(saved)


def header_with(changes):
    """Make a file of the right size whose header says something else of its tensors."""

    def harm(path):
        file = path / "model.safetensors"
        packed = file.read_bytes()
        n = int.from_bytes(packed[:8], "little")
        header = json.loads(packed[8 : 8 + n])
        changes(header)
        text = json.dumps(header).encode()
        changed = len(text).to_bytes(8, "little") + text + packed[8 + n :]
        old, zeros = described_in(path)["sha256"].encode(), b"0" * 64
        new = hashlib.sha256(changed.replace(old, zeros)).hexdigest().encode()
        file.write_bytes(changed.replace(old, new))

    return harm


def overlapping(header):
    names = [name for name in header if name != "__metadata__"]
    twins = [n for n in names if header[n] != header[names[0]]]
    same = [n for n in twins if header[n]["shape"] == header[twins[0]]["shape"]]
    header[same[1]]["data_offsets"] = header[same[0]]["data_offsets"]


def set_first(key, value):
    def change(header):
        header[next(name for name in header if name != "__metadata__")][key] = value

    return change


HEADERS = {
    "overlapping tensors": (overlapping, "invalid offset|bytes of tensors"),
    "a shape past memory": (set_first("shape", [2**40, 2**20]), "must be .*Got"),
    "a negative shape": (set_first("shape", [-1]), "no negative side"),
    "offsets past the file": (
        set_first("data_offsets", [0, 2**60]),
        "invalid shape|invalid offset",
    ),
    "offsets backwards": (set_first("data_offsets", [8, 0]), "invalid offset"),
    "an unknown dtype": (set_first("dtype", "OBJECT"), "dtype among"),
    "a shape as text": (set_first("shape", "big"), "shape"),
    "a float shape": (set_first("shape", [1.5]), "shape"),
    "metadata of numbers": (lambda h: h.update(__metadata__={"ganaug": 1}), "a text"),
    "no metadata": (lambda h: h.pop("__metadata__"), "kind must be"),
    "metadata that is no JSON": (lambda h: h.update(__metadata__={"ganaug": "{"}), "JSON"),
    "nesting": (lambda h: h.update(__metadata__={"ganaug": "[" * 100_000}), "JSON"),
    "NaN": (lambda h: h.update(__metadata__={"ganaug": '{"kind": NaN}'}), "Got NaN"),
    "1e400": (lambda h: h.update(__metadata__={"ganaug": '{"kind": 1e400}'}), "within float64"),
    "a long number": (
        lambda h: h.update(__metadata__={"ganaug": '{"kind": ' + "9" * 5000 + "}"}),
        "within 64 bits",
    ),
    "a key twice": (
        lambda h: h.update(__metadata__={"ganaug": '{"kind": "model", "kind": 1}'}),
        "must differ",
    ),
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_contradicts_itself_or_the_file_is_refused(what, saved):
    changes, said = HEADERS[what]
    header_with(changes)(saved)

    with pytest.raises(ModelFileError, match=said):
        GANAugmenter.load(saved)


def test_a_header_of_a_hundred_thousand_brackets_is_refused(saved):
    text = b"[" * 100_000
    (saved / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)

    with pytest.raises(ModelFileError, match="JSON"):
        GANAugmenter.load(saved)


def test_a_sparse_file_of_a_terabyte_is_refused_unread(saved):
    def claims_a_terabyte(header):
        entries = [entry for name, entry in header.items() if name != "__metadata__"]
        end = max(entry["data_offsets"][1] for entry in entries)
        header["x"] = {"dtype": "U8", "shape": [2**40], "data_offsets": [end, end + 2**40]}

    header_with(claims_a_terabyte)(saved)
    file = saved / "model.safetensors"
    os.truncate(file, file.stat().st_size + 2**40)

    with pytest.raises(ModelFileError, match="unknown tensor, 'x'"):
        GANAugmenter.load(saved)


def test_what_stands_in_the_files_for_people_is_not_read(saved, fitted):
    (saved / "config.json").write_text("[" * 1000)
    (saved / "README.md").unlink()

    assert_same_samples(GANAugmenter.load(saved), fitted)


def test_a_file_that_changes_after_loading_changes_nothing(saved, fitted):
    loaded = GANAugmenter.load(saved)

    with (saved / "model.safetensors").open("r+b") as file:
        file.write(bytes(50_000))
        file.truncate(60_000)

    assert_same_samples(loaded, fitted)


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
    raise OSError(errno.ENOSPC, "No space left on device")


def ctrl_c(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("when", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("fails", "error"),
    [(full_disk, ModelFileError), (ctrl_c, KeyboardInterrupt)],
    ids=["full", "ctrl-c"],
)
def test_a_failed_save_leaves_the_old_model_and_nothing_else(
    when, fails, error, saved, newer, monkeypatch
):
    before = content_of(saved)

    with monkeypatch.context() as patch:
        patch.setattr(os, when, fails)
        with pytest.raises(error):
            newer.save(saved)

    assert content_of(saved) == before
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_a_disk_too_full_for_the_model_is_found_out_before_writing(saved, newer, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    before = content_of(saved)

    with pytest.raises(ModelFileError, match=r"needs 0\.\d MB, and its disk has 0\.0 MB left"):
        newer.save(saved)

    assert content_of(saved) == before


@pytest.mark.parametrize("place", ["a file", "under a file", "/proc/model"])
def test_a_path_that_cannot_be_written_to_is_refused_before_training(place, tmp_path):
    (tmp_path / "file").write_text("mine")
    path = {"a file": tmp_path / "file", "under a file": tmp_path / "file" / "model"}

    with pytest.raises(ModelFileError, match="not replaced|cannot be written to"):
        persistence.check_can_save(path.get(place, place))


def test_a_path_is_checked_without_making_anything(tmp_path):
    persistence.check_can_save(tmp_path / "a" / "b")

    assert list(tmp_path.iterdir()) == []


def in_a_child(work):
    """Do something in a fork of this process; return how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(n, name):
    """Make the process kill itself in the n-th call of a function of `os`."""
    real, calls = getattr(os, name), []

    def kill(*args, **kwargs):
        calls.append(name)
        if len(calls) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(os, name, kill)


@pytest.mark.parametrize(
    ("name", "n"), [("fsync", 2), ("replace", 1), ("fsync", 3), ("replace", 2)]
)
def test_a_killed_save_leaves_a_whole_model_and_the_next_one_tidies_up(name, n, saved, newer):
    def save_and_die():
        killed_at(n, name)
        newer.save(saved)

    assert in_a_child(save_and_die) == -signal.SIGKILL
    assert GANAugmenter.load(saved).seed_ in (0, 77)

    newer.save(saved)

    assert GANAugmenter.load(saved).seed_ == 77
    assert sorted(content_of(saved)) == ["README.md", "config.json", "model.safetensors"]
    assert [entry.name for entry in saved.parent.iterdir()] == ["model"]


def test_a_first_save_that_was_killed_can_be_repeated(newer, tmp_path):
    def save_and_die():
        killed_at(1, "replace")
        newer.save(tmp_path / "model")

    in_a_child(save_and_die)
    with pytest.raises(ModelFileError, match="is missing"):
        GANAugmenter.load(tmp_path / "model")

    newer.save(tmp_path / "model")

    assert GANAugmenter.load(tmp_path / "model").seed_ == 77


def test_a_file_that_another_process_writes_is_not_swept(tmp_path):
    part, handle = storage.locked_part(tmp_path / "model.safetensors")

    def sweep():
        storage.sweep_parts(tmp_path / "model.safetensors")
        os._exit(0)

    assert in_a_child(sweep) == 0
    assert part.exists()
    os.close(handle)
    storage.sweep_parts(tmp_path / "model.safetensors")
    assert not part.exists()


def test_readers_beside_writers_see_one_whole_model(saved, fitted, newer):
    def write():
        for _ in range(15):
            for augmenter in (newer, fitted):
                augmenter.save(saved)
        os._exit(0)

    pid = os.fork()
    if pid == 0:
        write()
    seen = []
    while not seen or os.waitpid(pid, os.WNOHANG) == (0, 0):
        model = persistence.load_model(saved).model
        weights = model.gans[0].generator_state["embedding.weight"]
        seen.append((model.seed, float(weights.sum())))

    assert {seed for seed, _ in seen} <= {0, 77}
    assert len(set(seen)) <= 2


def test_a_model_is_loaded_from_one_reading_of_one_file(saved, newer, monkeypatch):
    # a model that is replaced while it is read must not be mixed of both
    real = safetensors.torch.load

    def replace_first(packed):
        newer.save(saved)
        return real(packed)

    monkeypatch.setattr(safetensors.torch, "load", replace_first)

    loaded = persistence.load_model(saved)

    assert loaded.model.seed == 0
    assert persistence.load_model(saved).model.seed != 0


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
    assert persistence.load_model(saved).model.origin["versions"]["ganaug"] == ganaug.__version__
