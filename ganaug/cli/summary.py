"""What a saved model is, in a few lines: of `ganaug info`, and after `ganaug fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def summarise(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """Pick out of a model's config what people ask for."""
    data, gans = config["data"], config["gans"]
    first = gans[0]["config"]
    return {
        "model": str(path),
        "classes": dict(zip(map(str, data["classes"]), data["class_counts"], strict=True)),
        "image_shape": first["image_shape"],
        "n_features": first["n_features"],
        "value_range": data["value_range"],
        "recipe": first["recipe"],
        "conditioning": "joint" if len(gans) == 1 else "per_class",
        "width": first["width"],
        "filters": config["filters"],
        "seed": config["seed"],
        "images_seen": sum(gan["images_seen"] for gan in gans),
        "interrupted": any(gan["interrupted"] for gan in gans),
        "seconds": round(sum(gan["seconds"] for gan in gans), 1),
        "alarms": [
            {"kind": alarm["kind"], "class": _alarm_class(alarm, index, config)}
            for index, gan in enumerate(gans)
            for alarm in gan["alarms"]
        ],
        "fingerprint": data["fingerprint"],
        "versions": config["versions"],
    }


def _alarm_class(alarm: dict[str, Any], index: int, config: dict[str, Any]) -> str | None:
    if alarm["class_code"] is None:
        return None
    code = alarm["class_code"] if len(config["gans"]) == 1 else index
    return str(config["data"]["classes"][code])


def describe_model(summary: dict[str, Any]) -> str:
    """Format a summary for people."""
    lines = [f"ganaug model  {summary['model']}"]
    width = max(map(len, summary["classes"]), default=0)
    shape = summary["image_shape"]
    rows = f"images (C, H, W) = {tuple(shape)}" if shape else f"{summary['n_features']} features"
    lines.append(f"rows          {rows}, values {summary['value_range']}")
    lines.append(
        f"training      {summary['recipe']}, {summary['conditioning']}, width {summary['width']}, "
        f"{summary['images_seen']:,} images in {summary['seconds']} s, seed {summary['seed']}"
    )
    lines.append(f"filters       {', '.join(summary['filters']) or 'none'}")
    lines += [f"  {label:>{width}}  {n:6d} real rows" for label, n in summary["classes"].items()]
    if summary["interrupted"]:
        lines.append("training was interrupted; these are the best weights until then")
    for alarm in summary["alarms"]:
        where = "" if alarm["class"] is None else f" in class {alarm['class']}"
        lines.append(f"alarm         {alarm['kind']}{where}")
    return "\n".join(lines)
