"""A fitted model as one file that runs without ganaug: ONNX, or torch's own exported program.

The graph holds everything between noise and a sample in the user's units: all generators, the
matched pixel values, the classifier of the real samples, and the way back into the data's dtype
and layout. It draws nothing: noise comes from the caller.
"""

from __future__ import annotations

import copy
import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganaug.checks import check_path, require_extra, warn_user
from ganaug.exceptions import InvalidInputError, TrainingWarning
from ganaug.gan.sampling import Sampler
from ganaug.gan.scaling import images_from_network
from ganaug.inputs.pixels import cast_rounded
from ganaug.inputs.spec import numpy_dtype
from ganaug.model import FittedModel
from ganaug.naming import printable
from ganaug.outputs import partial_of
from ganaug.resampling import is_trusted
from ganaug.settings import own_settings
from ganaug.storage import check_writable

__all__ = ["SUFFIXES", "check_export", "export_model"]

SUFFIXES = (".onnx", ".pt2")
INPUTS = {
    "z": "(n, latent_dim), float32: standard normal noise",
    "label": "(n,), int64: positions in `classes`",
    "index": "(n,), int64: number of the sample within its class; generators take turns by it",
}
OUTPUTS = {
    "samples": "as the training data: dtype, layout and range of values",
    "accepted": "(n,), bool: whether a classifier of the real samples takes them for their class",
}


class SampleGraph(nn.Module):
    """From noise, class codes and running numbers to samples in the user's units."""

    lookups: Tensor
    units: Tensor
    makers: Tensor
    n_makers: Tensor

    def __init__(self, model: FittedModel) -> None:
        super().__init__()
        spec, codes = model.spec, range(model.n_classes)
        self.networks = nn.ModuleList(part.generator for part in Sampler(model.gans).parts)
        classifier = model.classifier  # copied: the model's own may be on a GPU, and stays there
        self.classifier = None if classifier is None else copy.deepcopy(classifier.network).cpu()
        self.is_joint, self.n_classes, self.scaler = model.is_joint, model.n_classes, model.scaler
        self.layout, self.is_flat = spec.row_layout or spec.layout, spec.layout == "rows"
        self.dtype = getattr(torch, spec.dtype)
        makers = [model.makers(code) for code in codes]
        self.register_buffer("n_makers", torch.tensor([len(m) for m in makers]))
        rows = [[m[i % len(m)] for i in range(model.n_generators)] for m in makers]
        self.register_buffer("makers", torch.tensor(rows))
        if spec.kind == "image":
            units = cast_rounded(spec.units(), numpy_dtype(spec.dtype))
            self.register_buffer("units", torch.from_numpy(units).double())
        if model.lookups is not None:
            self.register_buffer("lookups", torch.from_numpy(model.lookups))
        else:
            self.lookups = torch.empty(0)

    def forward(self, z: Tensor, label: Tensor, index: Tensor | None = None) -> tuple[Tensor, ...]:
        """Map z (n, latent_dim), label (n,) and index (n,) to samples, and which are accepted."""
        turn = torch.zeros_like(label) if index is None else index % self.n_makers[label]
        maker = self.makers[label, turn]
        own_label = label if self.is_joint else torch.zeros_like(label)
        of_all = torch.stack([network(z, own_label) for network in self.networks])
        chosen = maker if self.is_joint else maker * self.n_classes + label
        values = of_all[chosen, torch.arange(z.shape[0])]
        values = self._in_training_units(values, maker, label)
        samples = self._in_units_of_the_user(values)
        if self.classifier is None:
            return (samples,)
        return samples, self.classifier(values.float()).argmax(dim=1) == label

    def _in_training_units(self, values: Tensor, maker: Tensor, label: Tensor) -> Tensor:
        if self.scaler is not None:
            return self.scaler.from_network(values)
        codes = images_from_network(values).long()
        if not len(self.lookups):
            return codes
        n_channels = codes.shape[1]
        channel = (maker * self.n_classes + label)[:, None] * n_channels + torch.arange(n_channels)
        return self.lookups.flatten()[channel[:, :, None, None] * 256 + codes].long()

    def _in_units_of_the_user(self, values: Tensor) -> Tensor:
        if self.scaler is not None:
            return (values if self.dtype.is_floating_point else values.round()).to(self.dtype)
        images = self.units[values].to(self.dtype)
        if self.layout == "HW":
            images = images[:, 0]
        elif self.layout == "HWC":
            images = images.permute(0, 2, 3, 1)
        return images.flatten(1) if self.is_flat else images


def check_export(path: str | os.PathLike[str]) -> Path:
    """Refuse, before any work, a file that `export_model` cannot write."""
    place = check_path(path)
    if place.suffix not in SUFFIXES:
        raise InvalidInputError(
            f"`path` must end in {' or '.join(SUFFIXES)}. Got {printable(place)} instead."
        )
    if place.is_dir():
        raise InvalidInputError(
            f"`path` must be a file. Got the folder {printable(place)} instead."
        )
    check_writable(place.parent)
    if place.suffix == ".onnx":
        require_extra("onnx", "onnx")
        require_extra("onnxscript", "onnx")
    return place


def export_model(model: FittedModel, path: str | os.PathLike[str]) -> None:
    """Write a model as one graph; an older file is replaced when all has been written.

    Warns of distrusted classes: the graph makes their samples all the same.
    """
    path = check_export(path)
    facts = _facts(model)
    if facts["distrusted"]:
        names = dict(zip(facts["classes"], facts["class_names"], strict=True))
        listed = ", ".join(printable(names[label]) for label in facts["distrusted"])
        warn_user(
            f"The exported graph also makes samples of distrusted classes, {listed}: a classifier "
            "of the real samples takes too few of them for their class. Leave these classes out.",
            TrainingWarning,
        )
    partial = partial_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with own_settings(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, of its own insides
        inputs = _inputs(model)
        shapes = {name: {0: torch.export.Dim("n", min=1)} for name in inputs}
        graph = SampleGraph(model).eval()
        exported = torch.export.export(graph, (), inputs, dynamic_shapes=shapes)
        (_write_onnx if path.suffix == ".onnx" else _write_program)(exported, facts, partial)
    os.replace(partial, path)


def _inputs(model: FittedModel) -> dict[str, Tensor]:
    """Give an example of each input; with one generator there is no `index`."""
    n = torch.arange(2)
    inputs = {"z": torch.zeros((2, model.gans[0].config.latent_dim)), "label": n % model.n_classes}
    return inputs if model.n_generators == 1 else inputs | {"index": n}


def _facts(model: FittedModel) -> dict[str, Any]:
    """Say, for the file's metadata, what it is and how it is used."""
    labels, trust = model.classes.tolist(), model.trust or []
    return {
        "classes": labels,
        "class_names": model.class_names,
        "class_counts": model.class_counts.tolist(),
        "trust": trust,
        "distrusted": [c for c, share in zip(labels, trust, strict=False) if not is_trusted(share)],
        "latent_dim": model.gans[0].config.latent_dim,
        "value_range": model.spec.value_range,
        "data_fingerprint": model.fingerprint,
        "inputs": {name: INPUTS[name] for name in _inputs(model)},
        "outputs": OUTPUTS if model.classifier is not None else {"samples": OUTPUTS["samples"]},
    }


def _write_program(
    exported: torch.export.ExportedProgram, facts: dict[str, Any], path: Path
) -> None:
    with path.open("wb") as file:
        torch.export.save(exported, file, extra_files={"ganaug.json": json.dumps(facts)})


def _write_onnx(exported: torch.export.ExportedProgram, facts: dict[str, Any], path: Path) -> None:
    program = torch.onnx.export(
        exported,
        input_names=list(facts["inputs"]),
        output_names=list(facts["outputs"]),
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # as it is with dynamo
    program.model.metadata_props["ganaug"] = json.dumps(facts)
    program.save(path, external_data=False)
