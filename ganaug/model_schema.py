"""What a saved model consists of, and what a file must say to be taken for one.

`describe` turns a model into plain values and tensors, `read_content` checks what a file holds
against the declarations here, before anything is allocated, and `rebuild` makes the model of it.
From a file come names of built-in things and numbers only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from ganaug.classifier import ClassifierConfig, RealClassifier
from ganaug.gan.config import GANConfig
from ganaug.gan.monitor import Alarm
from ganaug.gan.networks import outline_discriminator, outline_generator
from ganaug.gan.records import EvaluationRecord, Rung, check_records
from ganaug.gan.scaling import ColumnScaler
from ganaug.gan.training import TrainedGAN
from ganaug.inputs import DataSpec, LabelKind
from ganaug.inputs.pixels import PIL_MODES
from ganaug.inputs.training_set import FEW_LEVELS
from ganaug.jsonable import SchemaError, read_as
from ganaug.model import FittedModel
from ganaug.tensorfile import Layout, check_layouts, layouts_of

MAX_CLASS_BYTES = 2**23
"""Of the array of class names; fixed-width texts take four bytes a letter."""

_NUMPY_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64|128)|bfloat16")
_COLUMN_DTYPE = re.compile(
    r"bool(ean)?|category|object|([uU]?[iI]nt(8|16|32|64)|[fF]loat(16|32|64))|"
    r"(bool|u?int(8|16|32|64)|halffloat|float|double)\[pyarrow\]|"
    r"Sparse\[(bool|u?int(8|16|32|64)|float(16|32|64)), [\w.+-]{1,30}\]"
)
_CLASS_DTYPE = re.compile(r"[<>|=](b1|O|[iu][1248]|f[248]|f16|U\d{1,6})")
_SERIES_DTYPE = re.compile(
    r"bool(ean)?|category|object|str|string(\[\w{1,20}\])?|(large_)?string\[pyarrow\]|"
    r"[uU]?[iI]nt(8|16|32|64)(\[pyarrow\])?|[fF]loat(16|32|64)|(float|double|bool)\[pyarrow\]"
)
_MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch, NumPy, pandas and Pillow raise for declarations that do not fit one another."""


class GANContent(TypedDict):
    """One network, its weights aside."""

    config: GANConfig
    images_seen: int
    seconds: float
    interrupted: bool
    history: list[EvaluationRecord]
    alarms: tuple[Alarm, ...]
    rungs: tuple[Rung, ...]


class DataContent(TypedDict):
    """What the model was trained on."""

    spec: DataSpec
    classes: list[object]
    label_kind: LabelKind
    class_counts: list[int]
    fingerprint: str


class OriginContent(TypedDict):
    """Versions and hardware of the training."""

    versions: dict[str, str]
    hardware: dict[str, object]


class ModelContent(TypedDict):
    """Everything about a model but its weights."""

    data: DataContent
    seed: int
    is_filtered: bool
    n_generators: int
    generator_trust: list[list[float]] | None
    classifier: ClassifierConfig | None
    gans: list[GANContent]
    origin: OriginContent


# --- from a model --------------------------------------------------------------------------------


def describe(model: FittedModel) -> dict[str, Any]:
    """Describe a model in plain values that `read_content` takes back."""
    return {
        "data": {
            "spec": asdict(model.spec),
            "classes": model.classes.tolist(),
            "label_kind": asdict(model.label_kind),
            "class_counts": model.class_counts.tolist(),
            "fingerprint": model.fingerprint,
        },
        "seed": model.seed,
        "is_filtered": model.is_filtered,
        "n_generators": model.n_generators,
        "generator_trust": model.generator_trust,
        "classifier": None if model.classifier is None else model.classifier.config.to_json(),
        "gans": [_describe_gan(gan) for gan in model.gans],
        "origin": model.origin,
    }


def tensors_of(model: FittedModel) -> dict[str, Tensor]:
    """Give all tensors of a model by the names that they have in a file."""
    tensors: dict[str, Tensor] = {}
    for index, gan in enumerate(model.gans):
        tensors |= _prefixed(f"gan/{index}/generator", gan.generator_state)
        tensors |= _prefixed(f"gan/{index}/discriminator", gan.discriminator_state)
    if model.classifier is not None:
        tensors |= _prefixed("classifier", model.classifier.state_dict())
    if model.scaler is not None:
        tensors |= _prefixed("scaler", model.scaler.tensors())
    if model.lookups is not None:
        tensors["lookups"] = torch.from_numpy(model.lookups)
    return tensors


def _describe_gan(gan: TrainedGAN) -> dict[str, Any]:
    return {
        "config": gan.config.to_json(),
        "images_seen": gan.images_seen,
        "seconds": gan.seconds,
        "interrupted": gan.interrupted,
        "history": gan.history,
        "alarms": [asdict(alarm) for alarm in gan.alarms],
        "rungs": [asdict(rung) for rung in gan.rungs],
    }


# --- from a file ---------------------------------------------------------------------------------


def read_content(content: Any, layouts: Mapping[str, Layout]) -> ModelContent:
    """Check a file's content, and the layouts of its tensors, against what is declared here."""
    read: ModelContent = read_as(ModelContent, content, "model")
    data, gans = read["data"], read["gans"]
    _check_classes(data)
    _check_spec(data)
    for index, gan in enumerate(gans):
        _check_gan(gan, f"gans[{index}]")
    _check_against_data(read)
    configs = [gan["config"] for gan in gans]
    n_classes = len(data["classes"])
    expected = expected_layouts(configs, read["classifier"], read["n_generators"], n_classes)
    check_layouts(layouts, expected)
    _try_out(data, configs[0])
    return read


def expected_layouts(
    configs: list[GANConfig],
    classifier: ClassifierConfig | None,
    n_generators: int,
    n_classes: int,
) -> dict[str, Layout]:
    """Give the layouts of all tensors that a model has, without allocating any."""
    try:
        outlines: dict[str, Tensor] = {}
        for index, config in enumerate(configs):
            generator, discriminator = outline_generator(config), outline_discriminator(config)
            outlines |= _prefixed(f"gan/{index}/generator", generator.state_dict())
            outlines |= _prefixed(f"gan/{index}/discriminator", discriminator.state_dict())
        if classifier is not None:
            outlines |= _prefixed("classifier", RealClassifier.outline(classifier))
    except _MISFITS as error:
        raise SchemaError(f"`gans` or `classifier` are of impossible sizes ({error}).") from None
    if configs and configs[0].n_features is not None:
        column = Layout((configs[0].n_features,), torch.float32)
        return layouts_of(outlines) | {f"scaler/{f.name}": column for f in fields(ColumnScaler)}
    n_channels = (configs[0].image_shape or (0,))[0]
    lookups = Layout((n_generators, n_classes, n_channels, 256), torch.uint8)
    return layouts_of(outlines) | {"lookups": lookups}


def rebuild(
    content: ModelContent, tensors: Mapping[str, Tensor], device: torch.device | str
) -> FittedModel:
    """Make the model of a checked content and its tensors, unless a weight is not finite."""
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise SchemaError(f"the tensor {name!r} must be finite. Got NaN or infinity instead.")
    data, classifier = content["data"], content["classifier"]
    scaler, lookups = _with_prefix(tensors, "scaler"), tensors.get("lookups")
    return FittedModel(
        spec=data["spec"],
        classes=data["label_kind"].restore_classes(data["classes"]),
        label_kind=data["label_kind"],
        class_counts=np.asarray(data["class_counts"], dtype=np.int64),
        fingerprint=data["fingerprint"],
        seed=content["seed"],
        is_filtered=content["is_filtered"],
        n_generators=content["n_generators"],
        generator_trust=content["generator_trust"],
        gans=[_rebuild_gan(index, gan, tensors) for index, gan in enumerate(content["gans"])],
        classifier=None
        if classifier is None
        else RealClassifier.from_state(
            classifier, _with_prefix(tensors, "classifier"), device=device
        ),
        scaler=ColumnScaler(**scaler) if scaler else None,
        lookups=None if lookups is None else lookups.numpy(),
        origin={**content["origin"]},
    )


def _rebuild_gan(index: int, gan: GANContent, tensors: Mapping[str, Tensor]) -> TrainedGAN:
    told: dict[str, Any] = {**gan}
    return TrainedGAN(
        generator_state=_with_prefix(tensors, f"gan/{index}/generator"),
        discriminator_state=_with_prefix(tensors, f"gan/{index}/discriminator"),
        **told,
    )


# --- checks of values --------------------------------------------------------------------------


def _check_classes(data: DataContent) -> None:
    classes, class_dtype = data["classes"], data["label_kind"].class_dtype
    _match(_CLASS_DTYPE, class_dtype, "label_kind.class_dtype")
    if np.dtype(class_dtype).itemsize * len(classes) > MAX_CLASS_BYTES:
        raise SchemaError(f"`label_kind.class_dtype` must be of shorter texts. Got {class_dtype}.")
    try:
        sound = data["label_kind"].restore_classes(classes).tolist() == classes
    except _MISFITS:
        sound = False
    sound = sound and len({type(label) for label in classes}) == 1
    _require(
        sound and len(set(classes)) == len(classes) >= 2,
        "data.classes",
        f"two or more different labels of dtype {class_dtype}",
        classes,
    )
    categories = data["label_kind"].categories
    if categories is not None:
        sound = {*classes} <= {*categories} and len({*categories}) == len(categories)
        _require(sound, "data.label_kind.categories", "different, the classes too", categories)
    names = data["label_kind"].class_names
    sound = names is None or len({*names}) == len(names) == len(classes)
    _require(sound, "data.label_kind.class_names", "a name for each class, all different", names)
    counts = data["class_counts"]
    sound = len(counts) == len(classes) and all(0 < n < 2**62 for n in counts)
    _require(sound, "data.class_counts", "a positive number for each class", counts)


def _check_spec(data: DataContent) -> None:
    """Let only rising ranges through, and dtypes of numbers and texts."""
    spec, label_kind = data["spec"], data["label_kind"]
    low, high = spec.value_range or (0, 1)
    _require(-math.inf < low < high < math.inf, "data.spec.value_range", "rising", (low, high))
    levels = spec.levels or ()
    sound = levels == tuple(sorted({*levels})) and all(low <= level <= high for level in levels)
    sound = sound and len(levels) <= FEW_LEVELS
    _require(sound, "data.spec.levels", f"at most {FEW_LEVELS}, rising, in the range", levels)
    modes = PIL_MODES if spec.container == "pil" else (None,)
    _require(spec.pil_mode in modes, "data.spec.pil_mode", f"one of {modes}", spec.pil_mode)
    _match(_NUMPY_DTYPE, spec.dtype, "data.spec.dtype")
    for name in spec.column_dtypes or ():
        _match(_COLUMN_DTYPE, name, "data.spec.column_dtypes")
    patterns = {"torch": _NUMPY_DTYPE, "pandas": _SERIES_DTYPE}
    pattern = patterns.get(label_kind.container, _CLASS_DTYPE)
    _match(pattern, label_kind.dtype, "data.label_kind.dtype")
    if label_kind.category_dtype is not None:
        _match(_SERIES_DTYPE, label_kind.category_dtype, "data.label_kind.category_dtype")


def _check_gan(gan: GANContent, where: str) -> None:
    config = gan["config"]
    for field in fields(config):
        value = getattr(config, field.name)
        least = 1 if field.type == "int" or field.name in _SIZES else 0
        for number in value if isinstance(value, tuple) else (value,):
            sound = isinstance(number, str | bool | None) or number >= least
            _require(sound, f"{where}.config.{field.name}", "a number in its range", value)
    for name in ("images_seen", "seconds"):
        _require(gan[name] >= 0, f"{where}.{name}", "0 or more", gan[name])
    check_records(gan["history"], gan["alarms"], config.n_classes, where, gan["rungs"])


_SIZES = ("class_counts", "image_shape", "n_features", "max_images")


def _check_against_data(content: ModelContent) -> None:
    """Refuse networks, a classifier or figures that are not of the declared data."""
    data, classifier, trust = content["data"], content["classifier"], content["generator_trust"]
    spec, n_classes, n_generators = data["spec"], len(data["classes"]), content["n_generators"]
    sizes = {gan["config"].n_classes for gan in content["gans"]}
    n_networks = n_generators * (1 if sizes == {n_classes} else n_classes)
    _require(
        sizes in ({1}, {n_classes}) and n_networks == len(content["gans"]) > 0,
        "gans",
        "networks of all classes, or one for each class, for each generator",
        sizes,
    )
    shape: object = spec.image_shape if spec.kind == "image" else (spec.n_columns,)
    for gan in content["gans"]:
        found: object = gan["config"].image_shape or (gan["config"].n_features,)
        _require(found == shape, "gans.config", f"of the data's shape, {shape}", found)
    sound = classifier is not None or not content["is_filtered"]
    _require(sound, "is_filtered", "false without a classifier", content["is_filtered"])
    if classifier is not None:
        found = (classifier.kind, classifier.input_shape, classifier.n_classes)
        _require(found == (spec.kind, shape, n_classes), "classifier", "of the data", found)
    sound = trust is None or len(trust) == n_generators
    sound = sound and all(len(shares) == n_classes for shares in trust or ())
    sound = sound and all(0 <= share <= 1 for shares in trust or () for share in shares)
    expected = "a share from 0 to 1 for each generator and class"
    _require(sound, "generator_trust", expected, trust)
    _require(0 <= content["seed"] <= 2**63 - 1, "seed", "from 0 to 2**63 - 1", content["seed"])


def _try_out(data: DataContent, config: GANConfig) -> None:
    """Turn one black image, or row of zeros, and one label into what the user had."""
    spec = data["spec"]
    values = (
        np.zeros((1, *config.image_shape), dtype=np.uint8)
        if config.image_shape is not None
        else np.zeros((1, config.n_features or 0), dtype=np.float32)
    )
    try:
        with np.errstate(over="raise", invalid="raise"):
            X = spec.decode(values)
            classes = data["label_kind"].restore_classes(data["classes"])
            data["label_kind"].decode(np.zeros(1, dtype=np.int64), classes)
        sound = "HW" not in (spec.layout, spec.row_layout) or values.shape[1] == 1
        if spec.n_columns is not None:
            sound = sound and tuple(X.shape) == (1, spec.n_columns) and spec.layout == "rows"
    except ImportError:  # pandas is not here, and neither is what needs it
        return
    except _MISFITS as error:
        raise SchemaError(f"`data.spec` or `data.label_kind` is contradictory ({error}).") from None
    _require(sound, "data.spec", "consistent", spec)


def _match(pattern: re.Pattern[str], name: str, where: str) -> None:
    _require(pattern.fullmatch(name) is not None, where, "a dtype of numbers or texts", name)


def _require(sound: bool, where: str, expected: str, value: object) -> None:
    if not sound:
        raise SchemaError(f"`{where}` must be {expected}. Got {value!r:.80} instead.")


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
