"""`ganaug demo`: the main job on scikit-learn's digits."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganaug.cli import parameters


@click.command("demo")
@click.option(
    "--out",
    type=parameters.Place(file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Directory for results, plot, report and model.",
)
@click.option("--draws", type=click.IntRange(1), help="Repeats with other training images; 2.")
@click.option("--max-images", type=click.IntRange(1), help="Training budget of each GAN; 60000.")
@parameters.jobs_option
@parameters.json_option
@parameters.quiet_option
def command(
    out: Path,
    draws: int | None,
    max_images: int | None,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Choose remedies for scikit-learn's digits, made imbalanced, and see what they give.

    For a linear model, neighbours, a forest and an SVC, each remedy for rare classes is tried, one
    chosen from the training images, and all are scored on untouched images. Takes up to four
    minutes on two cores.
    """
    from ganaug.cli import digits

    options = {"n_draws": draws, "max_images": max_images}
    given = {name: value for name, value in options.items() if value is not None}
    n_jobs = parameters.n_jobs_of(jobs, "auto")
    results = digits.run_demo(out, n_jobs=n_jobs, verbose=int(not quiet), **given)
    click.echo(json.dumps(results, indent=1) if as_json else digits.describe(results, out))
