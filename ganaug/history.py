"""What happened in the trainings of a model, told by the user's labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ganaug.gan.monitor import REMEDIES
from ganaug.model import FittedModel
from ganaug.naming import printable
from ganaug.options import MIN_TRUST


def attributes_of(model: FittedModel) -> dict[str, Any]:
    """Give what an estimator shows of its model, by the names of its fitted attributes."""
    labels = model.classes.tolist()
    return {
        "classes_": model.classes,
        "class_names_": model.class_names,
        "class_counts_": dict(zip(labels, model.class_counts.tolist(), strict=True)),
        "trust_": dict(zip(labels, model.trust or [], strict=False)),
        "history_": history_of(model),
        "alarms_": alarms_of(model),
        "ladder_": ladder_of(model),
        "n_images_seen_": model.images_seen,
        "fit_seconds_": model.seconds,
        "value_range_": model.spec.value_range,
        "spec_": model.spec,
        "data_fingerprint_": model.fingerprint,
        "origin_": model.origin,
        "seed_": model.seed,
    }


def trust_of(model: FittedModel) -> dict[str, float]:
    """Give the trust in each class by its name; empty where it is unknown."""
    return dict(zip(model.class_names, model.trust, strict=True)) if model.trust else {}


def history_of(model: FittedModel) -> list[dict[str, Any]]:
    """Give the record of every evaluation, network by network, with names in place of codes."""
    history = []
    for index, gan in enumerate(model.gans):
        labels = _labels(model, index)
        for record in gan.history:
            named = dict(record, alarms=[_named(alarm, labels) for alarm in record["alarms"]])
            if model.n_generators > 1:
                named["generator"] = index * model.n_generators // len(model.gans)
            if "variety" in record:
                named["variety"] = dict(zip(labels, record["variety"], strict=True))
            history.append(named)
    return history


def alarms_of(model: FittedModel) -> list[dict[str, Any]]:
    """Give what is wrong with the weights that were kept: kind, class, value, remedy."""
    return [
        _named(vars(alarm), _labels(model, index))
        for index, gan in enumerate(model.gans)
        for alarm in gan.alarms
    ]


def ladder_of(model: FittedModel) -> list[dict[str, Any]]:
    """Give what was tried after alarms, rung by rung, and what each did."""
    ladder = []
    for index, gan in enumerate(model.gans):
        labels = _labels(model, index)
        for rung in gan.rungs:
            named = {
                key: [_named(vars(alarm), labels) for alarm in getattr(rung, key)]
                for key in ("alarms_before", "alarms")
            }
            ladder.append({"network": index, **vars(rung), **named})
    return ladder


def ladder_in_words(model: FittedModel) -> str:
    """Say in one line what was tried after alarms; empty where nothing was."""
    tried = []
    for rung in ladder_of(model):
        kinds = dict.fromkeys(alarm["kind"].replace("_", " ") for alarm in rung["alarms"])
        left = f"still {' and '.join(kinds)}" if kinds else "no alarm left"
        tried.append(f"{rung['name']}: {left}{', kept' if rung['kept'] else ''}")
    return f"Tried after the alarm: {'; '.join(tried)}." if tried else ""


def alarm_in_words(alarm: Mapping[str, Any]) -> str:
    """Say in one line what an alarm means, and what to do."""
    where = "" if alarm["class"] is None else f" in class {printable(alarm['class'])}"
    return f"{alarm['kind'].replace('_', ' ')}{where}: {alarm['remedy']}"


def describe_distrust(model: FittedModel) -> str:
    """Name the classes whose synthetic samples plans do not use; empty where there are none."""
    found = [
        f"{printable(label)} ({f'{share:.0%}' if share else 'collapsed, or 0%'})"
        for label, share in trust_of(model).items()
        if share < MIN_TRUST
    ]
    if not found:
        return ""
    return (
        f"Distrusted: {', '.join(found)}. A classifier of the real samples takes so few of the "
        "synthetic ones for their class; none are added to it."
    )


def describe_troubles(model: FittedModel) -> str:
    """Say what a user should be warned of after a training; empty where all went well."""
    lines = []
    if model.interrupted:
        lines.append(
            f"training was interrupted after {model.images_seen:,} images; the best weights "
            "so far are kept."
        )
    alarms = alarms_of(model)
    for kind, remedy in REMEDIES.items():
        raised = [alarm for alarm in alarms if alarm["kind"] == kind]
        classes = [printable(alarm["class"]) for alarm in raised if alarm["class"] is not None]
        if raised:
            where = f" in class {', '.join(dict.fromkeys(classes))}" if classes else ""
            lines.append(f"{kind}{where}: {remedy}")
    if alarms:
        lines.append(ladder_in_words(model))
    return " ".join(filter(None, lines))


def _labels(model: FittedModel, index: int) -> list[Any]:
    """Name the classes that the network at this position of `gans` makes."""
    names = model.label_kind.class_names or model.classes.tolist()
    return [names[code] for code in model.codes_of(index)]


def _named(alarm: Mapping[str, Any], labels: list[Any]) -> dict[str, Any]:
    code, value = alarm["class_code"], alarm["value"]
    return {
        "kind": alarm["kind"],
        "class": None if code is None else labels[code],
        "value": None if value is None or math.isnan(value) else value,
        "remedy": REMEDIES[alarm["kind"]],
    }
