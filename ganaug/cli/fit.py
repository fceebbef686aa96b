"""`ganaug fit`: train on DATA and save the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ganaug.cli import INTERRUPTED
from ganaug.cli.parameters import (
    budget_options,
    data_options,
    device_option,
    json_option,
    quiet_option,
    seed_option,
)
from ganaug.options import CONDITIONINGS, RECIPES


@click.command("fit")
@data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory for the model; an older model there is replaced at the end.",
)
@click.option("--recipe", type=click.Choice(RECIPES), default="default", show_default=True)
@click.option(
    "--conditioning", type=click.Choice(CONDITIONINGS), default="joint", show_default=True
)
@budget_options
@click.option("--max-seconds", type=click.FloatRange(0), help="Budget in seconds.")
@click.option("--checkpoint-dir", type=click.Path(path_type=Path), help="Save and resume here.")
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
    max_images: int | None,
    max_seconds: float | None,
    width: int | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train on DATA and save the model.

    DATA is a directory of images, one subdirectory per class; a .npz file with arrays X and y; or
    the name of a torchvision data set (with --data-dir).
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.data import load_limited
    from ganaug.cli.summary import describe_model, summarise
    from ganaug.persistence import check_can_save, read_config

    check_can_save(out)
    X, y = load_limited(data, data_dir, download, max_per_class, seed)
    if width is not None:
        options["width"] = width
    if max_images is not None or max_seconds is not None:
        options |= {"max_images": max_images, "max_seconds": max_seconds}
    augmenter = GANAugmenter(resize=resize, random_state=seed, verbose=int(not quiet), **options)
    augmenter.fit(X, y).save(out)
    summary = summarise(read_config(out), out)
    click.echo(json.dumps(summary) if as_json else describe_model(summary))
    if summary["interrupted"]:  # the best weights so far are saved, but a script should know
        raise click.exceptions.Exit(INTERRUPTED)
