"""`ganaug fit`: train on DATA and save the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from ganaug.augmenter import GANAugmenter


@click.command("fit")
@data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory for the model; an older one there is replaced when the training is complete.",
)
@click.option("--recipe", type=click.Choice(RECIPES), default="default", show_default=True)
@click.option(
    "--conditioning", type=click.Choice(CONDITIONINGS), default="joint", show_default=True
)
@budget_options
@click.option("--max-seconds", type=click.FloatRange(0), help="Budget in seconds.")
@click.option("--checkpoint-dir", type=click.Path(path_type=Path), help="Save and resume here.")
@click.option("--dry-run", is_flag=True, help="Read DATA and say what training would take.")
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
    max_images: int | None,
    max_seconds: float | None,
    dry_run: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train on DATA and save the model.

    DATA is a directory of images, one subdirectory per class; a .npz file with arrays X and y; or
    the name of a torchvision data set (with --data-dir).

    Ctrl-C ends the training early; what has been learnt is then saved as OUT.partial.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.summary import describe_cost, describe_model, estimate_cost, summarise
    from ganaug.cli.terminal import interrupts_held, progress_over_files
    from ganaug.inputs.files import read_data
    from ganaug.outputs import partial_of
    from ganaug.persistence import check_can_save, read_config

    partial = partial_of(out)
    for place in (out, partial):  # not found out about when all is done
        check_can_save(place)
    source = read_data(
        data,
        data_dir=data_dir,
        download=download,
        resize=resize,
        limits=max_per_class,
        seed=seed,
        progress=progress_over_files(quiet),
    )
    options = {name: value for name, value in options.items() if value is not None}
    if max_images is not None or max_seconds is not None:
        options |= {"max_images": max_images, "max_seconds": max_seconds}
    augmenter = GANAugmenter(
        resize=resize, image_shape=image_shape, random_state=seed, verbose=int(not quiet), **options
    )
    if dry_run:
        arrays = source.as_arrays()
        cost = estimate_cost(augmenter, arrays.X, arrays.y)
        click.echo(json.dumps(cost) if as_json else describe_cost(cost))
        return
    was_interrupted = _fit(augmenter, source.X, source.y)
    is_complete = not augmenter.model_.interrupted
    saved = out if is_complete else partial  # never in place of a complete model
    with interrupts_held() as held:
        augmenter.save(saved)
    summary = summarise(read_config(saved), saved)
    click.echo(json.dumps(summary) if as_json else describe_model(summary))
    if not is_complete:
        click.echo(f"Interrupted: the model so far is {saved}, not {out}.", err=True)
    if not is_complete or was_interrupted or held:
        raise click.exceptions.Exit(INTERRUPTED)  # a script should know


def _fit(augmenter: GANAugmenter, X: Any, y: Any) -> bool:
    """Fit; tell whether Ctrl-C came when there was a model to be saved already."""
    try:
        augmenter.fit(X, y)
    except KeyboardInterrupt:
        if not hasattr(augmenter, "model_"):
            raise
        return True
    return False
