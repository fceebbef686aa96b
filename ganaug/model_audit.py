"""The audit of a fitted model: its samples, and the record of its training, beside real samples."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganaug.audit import MIN_SAMPLES, AuditReport, Labelled, ModelRecord, build_audit
from ganaug.checks import check_count
from ganaug.exceptions import InvalidInputError, SamplingError
from ganaug.history import alarm_in_words, alarms_of, history_of, ladder_in_words, trust_of
from ganaug.inputs import TrainingSet, read_labelled
from ganaug.model import FittedModel
from ganaug.persistence import library_versions
from ganaug.sampler import TrainedSampler

N_STEPS = 10
"""Between two latent points, for the page."""


def audit_model(
    sampler: TrainedSampler,
    X: Any,
    y: Any,
    *,
    X_holdout: Any,
    y_holdout: Any,
    groups: Any,
    n_samples: int,
    verdict: Any,
    extractor: Any,
    device: str,
    title: str | None,
) -> AuditReport:
    """Measure a model's samples; see `GANAugmenter.audit` for the parameters."""
    n = check_count("n_samples", n_samples)
    if n < MIN_SAMPLES:
        raise InvalidInputError(
            f"`n_samples` must be {MIN_SAMPLES} or more for a class to be measured. Got {n} "
            "instead."
        )
    if X_holdout is None and y_holdout is not None:
        raise InvalidInputError("`y_holdout` came without `X_holdout`: pass both or none.")
    model = sampler.model
    training = _read_training_samples(sampler, X, y)
    _check_verdict(verdict, model)
    holdout = None if X_holdout is None else _read_labelled(sampler, X_holdout, y_holdout)
    synthetic, notes = _sample_what_passes(sampler, n)
    unfiltered = None
    if sampler.is_filtered:
        counts = dict.fromkeys(range(len(model.classes)), n)
        unfiltered = Labelled(*TrainedSampler(model, device, False).sample_values(counts))
    alarms = alarms_of(model)
    if alarms and (tried := ladder_in_words(model)):
        notes.append(f"Training: {tried}")
    record = ModelRecord(
        history=history_of(model),
        alarms=alarms,
        card=_describe(sampler),
        verdict=verdict,
        notes=notes,
        interpolations=_interpolations(sampler),
        trust=trust_of(model),
        unfiltered=unfiltered,
    )
    return build_audit(
        training,
        synthetic,
        holdout,
        class_names=model.class_names,
        model=record,
        groups=groups,
        extractor=extractor,
        title="Audit of synthetic samples" if title is None else title,
        facts=_facts(model, holdout),
        seed=model.seed,
        device=device,
    )


def _read_training_samples(sampler: TrainedSampler, X: Any, y: Any) -> Labelled:
    """Read X and y, and refuse others than those that the model was trained on."""
    model, read = sampler.model, _read_labelled(sampler, X, y)
    training = TrainingSet(model.spec, *read, model.classes, model.label_kind)
    if training.fingerprint != model.fingerprint:
        raise InvalidInputError(
            "X and y must be the samples that the model was trained on, in their order. Their "
            f"fingerprint is {training.fingerprint[:12]}..., the model's "
            f"{model.fingerprint[:12]}...."
        )
    return read


def _read_labelled(sampler: TrainedSampler, X: Any, y: Any) -> Labelled:
    names = sampler.label_kind.class_names
    read = read_labelled(X, y, spec=sampler.spec, classes=sampler.classes, class_names=names)
    return Labelled(*read)


def _check_verdict(verdict: Any, model: FittedModel) -> None:
    """Refuse a verdict that was measured on other data, or with a GAN of other settings."""
    if not isinstance(verdict, Mapping):
        return
    per_class, counts = verdict.get("per_class") or {}, model.class_counts.tolist()
    is_of_classes = isinstance(per_class, Mapping)
    if not (is_of_classes and all(isinstance(of, Mapping) for of in per_class.values())):
        raise InvalidInputError(
            "`verdict` must be one that `evaluate_gain` gave, or its `to_dict()`. Got a dict whose "
            f"'per_class' is {per_class!r:.80} instead."
        )
    known = [of.get("n_samples") for of in per_class.values()]
    if known and None not in known and known != counts:
        raise InvalidInputError(
            "`verdict` must be of the samples that the model was trained on, of each class "
            f"{counts}. Got one of {known} instead: measure the gain on these samples, or pass "
            "`verdict=None`."
        )
    if verdict.get("gan") == "not tried":
        return
    measured, config = verdict.get("augmenter") or {}, model.gans[0].config
    own = {"width": config.width}
    if not model.interrupted:
        own["n_generators"] = model.n_generators
    # a network of one class has its share of the budget only, a model trained on has the sum of two
    budget = measured.get("max_images")
    if model.is_joint and config.max_images and isinstance(budget, int):
        own["max_images"] = min(config.max_images, budget)
    for name, value in own.items():
        if isinstance(measured.get(name), int) and measured[name] != value:
            raise InvalidInputError(
                f"`verdict` must be of a GAN like the model, with {name}={value}. Got one of "
                f"{name}={measured[name]} instead: fit with these settings, measure the gain with "
                "`augmenter` set as for the model, or pass `verdict=None`."
            )


def _facts(model: FittedModel, holdout: Labelled | None) -> dict[str, str]:
    """Say of what the report is: date, data and budget."""
    counts, images = model.class_counts.tolist(), model.spec.image_shape
    looks = f"{images[1]} x {images[2]} pixels, " if images else ""
    held_out = "none" if holdout is None else f"{len(holdout.labels):,}"
    return {
        "Date": dt.date.today().isoformat(),
        "Data": f"{sum(counts):,} training samples of {len(counts)} classes, {looks}"
        f"{held_out} held out; fingerprint {model.fingerprint[:12]}",
        "Budget": f"{model.images_seen:,} images in {model.seconds:,.0f} s of training, "
        f"generators: {model.n_generators}",
    }


def _sample_what_passes(sampler: TrainedSampler, n: int) -> tuple[Labelled, list[str]]:
    """Make n samples of each class; note which classes the filter rejects."""
    made, rejected = [], []
    for code, name in enumerate(sampler.model.class_names):
        try:
            made.append(sampler.sample_values({code: n}))
        except SamplingError:
            rejected.append(name)
            if len(rejected) == len(sampler.classes):
                raise
    synthetic = Labelled(*map(np.concatenate, zip(*made, strict=True)))
    if not rejected:
        return synthetic, []
    note = (
        "Sampling: the filters reject nearly all synthetic samples of class "
        f"{', '.join(rejected)}, so that there is nothing to measure."
    )
    return synthetic, [note]


def _interpolations(sampler: TrainedSampler) -> dict[int, NDArray[np.uint8]]:
    if sampler.spec.kind == "table":
        return {}
    codes = range(len(sampler.classes))
    return {code: sampler.interpolate(code, n_steps=N_STEPS) for code in codes}


def _describe(sampler: TrainedSampler) -> dict[str, Any]:
    """Describe how the model came about."""
    model, names = sampler.model, sampler.class_names
    return {
        "samples per class": {names[label]: n for label, n in sampler.class_counts.items()},
        "data fingerprint": model.fingerprint,
        "seed": model.seed,
        "recipe": model.gans[0].config.recipe,
        "conditioning": "joint" if model.is_joint else "per_class",
        "generators": model.n_generators,
        "images seen": model.images_seen,
        "training seconds": round(model.seconds, 1),
        "hardware of the training": model.origin["hardware"],
        "versions at the training": model.origin["versions"],
        "filters": "classifier" if sampler.is_filtered else "none",
        "acceptance by the filters": {
            names[label]: round(share, 3) for label, share in sampler.acceptance().items()
        },
        "alarms and remedies": [alarm_in_words(alarm) for alarm in alarms_of(model)],
        "tried after alarms": ladder_in_words(model) or "nothing",
        "options": model.gans[0].config.to_json(),
        "versions at the audit": library_versions(),
    }
