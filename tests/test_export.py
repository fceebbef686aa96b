"""ganaug/export.py: a model as one graph that makes the samples that ganaug makes"""

from __future__ import annotations

import functools
import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

import ganaug.cli
import ganaug.fitting
from ganaug import GANAugmenter
from ganaug.exceptions import InvalidInputError, MissingDependencyError, TrainingWarning
from ganaug.export import SampleGraph
from ganaug.sampler import TrainedSampler
from ganaug.seeds import stream

TINY = {"width": 4, "n_generators": 2, "max_images": 128, "random_state": 0, "verbose": 0}
N = 20


def fit(X, y, **parameters):
    quick = functools.partial(ganaug.fitting.fit_classifier, max_steps=5)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(ganaug.fitting, "fit_classifier", quick)
        return GANAugmenter(**{**TINY, **parameters}).fit(X, y)


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    return X[y < 3][:150], np.array(["bag", "boot", "hat"])[y[y < 3][:150]]


@pytest.fixture(scope="module")
def augmenter(digits):
    return fit(*digits, image_shape=(8, 8))


@pytest.fixture(scope="module")
def exported(augmenter, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    with pytest.warns(TrainingWarning, match="distrusted classes, .*boot"):
        augmenter.export(path)
    return path


def inputs_of(model, code):
    """The inputs of a class's first samples, as the sampler draws them."""
    makers, latent_dim = model.makers(code), model.gans[0].config.latent_dim
    sampler = TrainedSampler(model, is_filtered=False)
    z = []
    for i in range(N):
        member = makers[i % len(makers)]
        generator = sampler._members[member].parts[0].generator
        drawn = generator.draw_latents(128, stream(model.seed + member, code, 0), "cpu")
        z.append(drawn[i // len(makers), :latent_dim])
    inputs = {"z": torch.stack(z), "label": torch.full((N,), code)}
    return inputs if model.n_generators == 1 else inputs | {"index": torch.arange(N)}


def eager(model, code):
    """What the sampler makes: as the classifier sees it, and as the user gets it."""
    values, _ = TrainedSampler(model, is_filtered=False).sample_values({code: N})
    return values, model.spec.decode(values)


def differing(samples, wanted):
    """Share of values that differ; sums in another order may round to the next of 256 levels."""
    assert samples.shape == wanted.shape
    assert samples.dtype == wanted.dtype
    return (samples != wanted).mean()


PIXELS = (np.arange(150 * 64 * 3) % 251).astype(np.uint8).reshape(150, 8, 8, 3)
KINDS = {
    "rows": ({"image_shape": (8, 8)}, lambda X: X),
    "HW": ({}, lambda X: (X * 4000).astype(np.uint16).reshape(-1, 8, 8)),
    "HWC": ({"n_generators": 1, "filter": None}, lambda X: PIXELS),
    "CHW tensor": ({}, lambda X: torch.from_numpy(X).float().reshape(-1, 1, 8, 8) / 8 - 1),
    "one network per class": ({"conditioning": "per_class", "image_shape": (8, 8)}, lambda X: X),
    "classic": ({"recipe": "classic", "image_shape": (8, 8)}, lambda X: X),
    "table": ({}, lambda X: X[:, 10:14]),
    "whole numbers": ({}, lambda X: pd.DataFrame(X[:, 10:14].astype(np.int64))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_makes_the_samplers_samples_in_the_users_units(kind, digits):
    parameters, make = KINDS[kind]
    model = fit(make(digits[0]), digits[1], **parameters).model_
    graph = SampleGraph(model).eval()
    for code in range(3):
        values, wanted = eager(model, code)
        with torch.no_grad():
            samples, *accepted = graph(**inputs_of(model, code))
        if "table" in kind:
            np.testing.assert_allclose(samples, wanted, rtol=1e-4, atol=1e-4)
        else:
            assert differing(samples.numpy(), np.asarray(wanted)) < 0.002
        assert len(accepted) == (model.classifier is not None)
        if accepted:
            classes = model.classifier.predict_proba(values).argmax(axis=1)
            assert (accepted[0].numpy() == (classes == code)).mean() > 0.9


@pytest.mark.works_with("onnxruntime", "runs what `augmenter.export('model.onnx')` wrote")
@pytest.mark.slow
def test_onnx_makes_the_samples_of_ganaug(augmenter, exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for code in range(3):
        inputs = {
            name: tensor.numpy() for name, tensor in inputs_of(augmenter.model_, code).items()
        }
        samples, accepted = session.run(["samples", "accepted"], inputs)
        assert differing(samples, eager(augmenter.model_, code)[1]) < 0.002
        assert accepted.shape == (N,)
    one = {name: array[:1] for name, array in inputs.items()}  # any number of samples
    assert_array_equal(session.run(["samples"], one)[0], samples[:1])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["ganaug"])
    assert facts["classes"] == ["bag", "boot", "hat"]
    assert facts["latent_dim"] == inputs["z"].shape[1]
    assert set(facts["inputs"]) == set(inputs)


def test_an_exported_program_makes_the_samples_of_ganaug(augmenter, tmp_path):
    with pytest.warns(TrainingWarning, match="distrusted"):
        augmenter.export(tmp_path / "new" / "model.pt2")
    facts = {"ganaug.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        program = torch.export.load(tmp_path / "new" / "model.pt2", extra_files=facts).module()
    samples, _ = program(**inputs_of(augmenter.model_, 1))
    assert differing(samples.numpy(), eager(augmenter.model_, 1)[1]) < 0.002
    assert json.loads(facts["ganaug.json"])["class_counts"] == [50, 51, 49]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.pt2"]


@pytest.mark.parametrize("name", ["model.pth", "model", "taken.onnx"])
def test_other_files_are_refused(name, augmenter, tmp_path):
    (tmp_path / "taken.onnx").mkdir()
    with pytest.raises(InvalidInputError, match=name):
        augmenter.export(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.onnx"]


def test_a_missing_library_is_named(augmenter, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"ganaug\[onnx\]"):
        augmenter.export(tmp_path / "model.onnx")


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning")
def test_the_command_line_exports(augmenter, tmp_path, monkeypatch, capsys):
    augmenter.save(tmp_path / "model")
    out = str(tmp_path / "model.pt2")

    def run(*options):
        arguments = ["export", str(tmp_path / "model"), "--json", "--out", out, *options]
        monkeypatch.setattr(sys, "argv", ["ganaug", *arguments])
        with pytest.raises(SystemExit) as ended:
            ganaug.cli.main()
        return ended.value.code or 0, *capsys.readouterr()

    code, stdout, stderr = run()  # a model of seconds knows no class
    assert (code, stdout) == (1, "")
    assert "--allow-distrusted" in stderr
    code, stdout, _ = run("--allow-distrusted")
    assert code == 0
    assert json.loads(stdout)["bytes"] == (tmp_path / "model.pt2").stat().st_size
    code, _, stderr = run("--allow-distrusted")
    assert code == 1
    assert "--overwrite" in stderr
