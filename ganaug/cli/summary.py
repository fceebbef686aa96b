"""What a saved model is, in a few lines: of `ganaug info`, and after `ganaug fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganaug.history import alarms_of, trust_of
from ganaug.model import FittedModel
from ganaug.naming import printable
from ganaug.options import MIN_TRUST


def summarise(model: FittedModel, path: Path) -> dict[str, Any]:
    """Pick out of a model what people ask for."""
    first = model.gans[0].config
    return {
        "model": str(path),
        "classes": dict(zip(model.class_names, model.class_counts.tolist(), strict=True)),
        "image_shape": first.image_shape,
        "n_features": first.n_features,
        "value_range": model.spec.value_range,
        "recipe": first.recipe,
        "conditioning": "joint" if model.is_joint else "per_class",
        "n_generators": model.n_generators,
        "width": first.width,
        "is_filtered": model.is_filtered,
        "distrusted": [name for name, share in trust_of(model).items() if share < MIN_TRUST],
        "seed": model.seed,
        "images_seen": model.images_seen,
        "interrupted": model.interrupted,
        "seconds": round(model.seconds, 1),
        "alarms": [
            {"kind": alarm["kind"], "class": None if (c := alarm["class"]) is None else str(c)}
            for alarm in alarms_of(model)
        ],
        "tried": [
            {"remedy": rung.name, "alarms": len(rung.alarms), "kept": rung.kept}
            for gan in model.gans
            for rung in gan.rungs
        ],
        "fingerprint": model.fingerprint,
        "versions": model.origin["versions"],
    }


def describe_model(summary: dict[str, Any]) -> str:
    """Format a summary for people."""
    lines = [f"ganaug model  {printable(summary['model'])}"]
    classes = {printable(label): n for label, n in summary["classes"].items()}
    width = max(map(len, classes), default=0)
    shape = summary["image_shape"]
    rows = f"images (C, H, W) = {tuple(shape)}" if shape else f"{summary['n_features']} features"
    lines.append(f"data          {rows}, values {summary['value_range']}")
    lines.append(
        f"training      {summary['recipe']}, {summary['conditioning']}, "
        f"{summary['n_generators']} generators of width {summary['width']}, "
        f"{summary['images_seen']:,} images in {summary['seconds']} s, seed {summary['seed']}"
    )
    lines.append(f"filter        {'classifier' if summary['is_filtered'] else 'none'}")
    lines += [f"  {label:>{width}}  {n:6d} real samples" for label, n in classes.items()]
    if summary["distrusted"]:
        lines.append(f"distrusted    {printable(', '.join(summary['distrusted']))}")
    if summary["interrupted"]:
        lines.append("training was interrupted; these are the best weights until then")
    for alarm in summary["alarms"]:
        where = "" if alarm["class"] is None else f" in class {printable(alarm['class'])}"
        lines.append(f"alarm         {alarm['kind']}{where}")
    for rung in summary["tried"]:
        kept = ", kept" if rung["kept"] else ""
        lines.append(f"tried         {rung['remedy']}: {rung['alarms']} alarms{kept}")
    return "\n".join(lines)
