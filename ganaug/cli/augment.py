"""`ganaug augment`: DATA with its classes balanced."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganaug.cli.parameters import (
    allow_distrusted_option,
    budget_options,
    data_options,
    device_option,
    json_option,
    overwrite_option,
    quiet_option,
    seed_option,
)
from ganaug.naming import printable

if TYPE_CHECKING:
    from ganaug.augmenter import GANAugmenter
    from ganaug.outputs import Origin


@click.command("augment")
@data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory for PNG files by class, or a .npz file for arrays X, y and kind.",
)
@overwrite_option
@allow_distrusted_option
@budget_options
@device_option
@seed_option
@json_option
@quiet_option
def command(
    data: str,
    out: Path,
    data_dir: Path | None,
    download: bool,
    max_per_class: Mapping[str, int],
    resize: tuple[int, int] | None,
    image_shape: tuple[int, ...] | None,
    overwrite: bool,
    allow_distrusted: bool,
    width: int | None,
    max_images: int | None,
    device: str,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train on DATA, and write it with its classes balanced.

    DATA is as for `fit`. All real samples are written, and as many more of each class as the
    largest has: how many of them are synthetic, and which classes get none, is ganaug's default.
    Files are called CLASS/real-00000.png, CLASS/synthetic-00000.png, ...; a manifest.jsonl lists
    every one. OUT is called OUT.partial until all is written.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.terminal import progress_over_files
    from ganaug.cli.trust import check_trust
    from ganaug.inputs.files import read_data
    from ganaug.outputs import check_output, open_output

    check_output(out, overwrite=overwrite)
    source = read_data(
        data,
        data_dir=data_dir,
        download=download,
        resize=resize,
        limits=max_per_class,
        seed=seed,
        progress=progress_over_files(quiet),
    ).as_arrays()
    options: dict[str, Any] = {"device": device, "resize": resize, "image_shape": image_shape}
    options |= {} if width is None else {"width": width}
    options |= {} if max_images is None else {"max_images": max_images}
    augmenter = GANAugmenter(random_state=seed, verbose=int(not quiet), **options)
    augmenter.fit(source.X, source.y)
    if any(gan.interrupted for gan in augmenter.model_.gans):
        raise KeyboardInterrupt  # an output of a half-trained model was not asked for
    check_trust(augmenter, [], allow_distrusted)
    X, y = augmenter.augment(source.X, source.y)
    names = [str(label) for label in y]
    kinds = _kinds(augmenter, len(source.y))
    files = [str(file) for file in source.files]
    sources = files + [""] * (len(names) - len(files))
    with open_output(out, augmenter.spec_, _origin(augmenter), overwrite=overwrite) as output:
        output.add(X, names, kinds, _indices(names, kinds), sources)
    written = _counted(names, kinds)
    result = {"out": str(out), "written": written}
    click.echo(json.dumps(result) if as_json else _describe(out, written))


def _kinds(augmenter: GANAugmenter, n_real: int) -> list[str]:
    """Give the kind of each sample that `augment` returned."""
    rest = augmenter.synthetic_mask_[n_real:]
    return ["real"] * n_real + ["synthetic" if each else "duplicate" for each in rest]


def _indices(names: Sequence[str], kinds: Sequence[str]) -> list[int]:
    """Number the samples of each class and kind from 0."""
    seen: Counter[tuple[str, str]] = Counter()
    indices = []
    for key in zip(names, kinds, strict=True):
        indices.append(seen[key])
        seen[key] += 1
    return indices


def _origin(augmenter: GANAugmenter) -> Origin:
    """Describe where the samples come from: the model's digest is that of its file."""
    from ganaug.cli.trust import origin_of

    with tempfile.TemporaryDirectory() as directory:
        augmenter.save(Path(directory, "model"))
        return origin_of(augmenter, Path(directory, "model"))


def _counted(names: Sequence[str], kinds: Sequence[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for name, kind in zip(names, kinds, strict=True):
        of_class = counts.setdefault(name, {})
        of_class[kind] = of_class.get(kind, 0) + 1
    return counts


def _describe(out: Path, written: Mapping[str, Mapping[str, int]]) -> str:
    total = sum(n for kinds in written.values() for n in kinds.values())
    lines = [f"Wrote {total} samples to {printable(out)}"]
    for name, kinds in written.items():
        listed = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        lines.append(f"  {printable(name)}: {listed}")
    return "\n".join(lines)
