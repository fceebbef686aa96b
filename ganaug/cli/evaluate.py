"""`ganaug evaluate`: whether synthetic samples help a classifier of DATA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ganaug.cli.parameters import (
    budget_options,
    data_options,
    device_option,
    json_option,
    quiet_option,
    seed_option,
)


@click.command("evaluate")
@data_options
@budget_options
@click.option("--max-seconds", type=click.FloatRange(0, min_open=True), help="Time box, in all.")
@click.option(
    "--folds", type=click.IntRange(4), help="Splits of the samples; 10, or as many as they allow."
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Split so often in all: narrower intervals, as many times as long.",
)
@device_option
@seed_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the verdict here (JSON)."
)
@json_option
@quiet_option
def command(
    data: str,
    data_dir: Path | None,
    download: bool,
    max_per_class: Mapping[str, int],
    resize: tuple[int, int] | None,
    image_shape: tuple[int, ...] | None,
    width: int | None,
    max_images: int | None,
    max_seconds: float | None,
    folds: int | None,
    repeats: int,
    device: str,
    seed: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell whether synthetic samples of DATA's classes help a small classifier.

    DATA is as for `fit`. A GAN is trained for each of the folds, and again in each repeat, so this
    takes as long as so many `fit`s. A .npz file may hold an array `groups` too: samples of one
    group (patient, site, ...) stay on one side of a split.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.terminal import progress_over_files
    from ganaug.gain.evaluate import evaluate_gain
    from ganaug.inputs.files import read_data
    from ganaug.outputs import check_creatable, write_text

    if out is not None:  # not found out about when all is done
        check_creatable(out)
    source = read_data(
        data,
        data_dir=data_dir,
        download=download,
        resize=resize,
        limits=max_per_class,
        seed=seed,
        progress=progress_over_files(quiet),
    )
    options: dict[str, Any] = {"device": device, "resize": resize, "image_shape": image_shape}
    options |= {} if width is None else {"width": width}
    options |= {} if max_images is None else {"max_images": max_images}
    verdict = evaluate_gain(
        GANAugmenter(verbose=int(not quiet), **options),
        source.X,
        source.y,
        cv=folds,
        n_repeats=repeats,
        groups=source.groups,
        max_seconds=max_seconds,
        random_state=seed,
    )
    if out is not None:
        write_text(out, verdict.to_json() + "\n")
    click.echo(verdict.to_json() if as_json else str(verdict))
