"""`ganaug sample`: write synthetic samples of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganaug.cli.parameters import as_counts, device_option, json_option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from ganaug.augmenter import GANAugmenter


@click.command("sample")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--class",
    "counts",
    metavar="LABEL=N",
    multiple=True,
    callback=as_counts,
    required=True,
    help="How many samples of a class; may be repeated.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory for PNG files by class, or a .npz file for arrays X and y.",
)
@click.option("--seed", type=int, help="Another seed than the model's own: other samples.")
@click.option(
    "--start", type=click.IntRange(0), default=0, show_default=True, help="Samples to skip."
)
@device_option
@json_option
def command(
    model: Path,
    counts: Mapping[str, int],
    out: Path,
    seed: int | None,
    start: int,
    device: str,
    as_json: bool,
) -> None:
    """Write synthetic samples of MODEL: exactly as many of each class as asked for."""
    import numpy as np

    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.data import labels_of_names

    augmenter = GANAugmenter.load(model, device=device)
    wanted = labels_of_names(counts, augmenter.classes_)
    if out.suffix == ".npz":
        X, y = augmenter.sample(wanted, random_state=seed, start=start)
        labels = np.asarray(y)
        labels = labels.astype(str) if labels.dtype == object else labels  # never a pickle
        out.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(out, X=np.asarray(X), y=labels)
    else:
        write_png_tree(augmenter, wanted, out, seed, start)
    written = {"out": str(out), "written": {str(label): n for label, n in wanted.items()}}
    total = sum(wanted.values())
    click.echo(json.dumps(written) if as_json else f"Wrote {total} synthetic samples to {out}")


def write_png_tree(
    augmenter: GANAugmenter, wanted: dict[Any, int], out: Path, seed: int | None, start: int
) -> None:
    """Write OUT/label/synthetic-00000.png, named by the samples' positions."""
    from ganaug.exceptions import InvalidInputError

    if augmenter.spec_.kind != "image":
        raise InvalidInputError("This model makes feature rows, not images: give a .npz as --out.")
    codes = {label: code for code, label in enumerate(augmenter.classes_.tolist())}
    for label, n in wanted.items():
        name = str(label)  # a model that others have made may name its classes '../..'
        if name in ("", ".", "..") or Path(name).name != name:
            raise InvalidInputError(
                f"Class {label!r} cannot name a directory: give a .npz as --out."
            )
        values, _ = augmenter._sample_values({codes[label]: n}, seed=seed, start=start)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(values):
            picture = to_picture(image)
            picture.save(folder / f"synthetic-{start + index:05d}.png")


def to_picture(image: npt.NDArray[np.uint8]) -> Image.Image:
    """Turn one uint8 image (C, H, W) into a PIL image."""
    import numpy as np
    from PIL import Image

    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    return Image.fromarray(pixels)  # L, LA, RGB or RGBA by the number of channels
