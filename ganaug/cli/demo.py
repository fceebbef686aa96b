"""`ganaug demo`: the main job on scikit-learn's digits."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganaug.cli.parameters import json_option, quiet_option


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Directory for results.json, the sample grid and the model.",
)
@click.option("--seeds", type=click.IntRange(3), default=5, show_default=True, help="Repeats.")
@click.option("--max-images", type=click.IntRange(1), help="Training budget of each GAN.")
@json_option
@quiet_option
def command(out: Path, seeds: int, max_images: int | None, as_json: bool, quiet: bool) -> None:
    """Train, rebalance and measure on scikit-learn's digits, made imbalanced."""
    from ganaug.cli import digits

    options = {} if max_images is None else {"max_images": max_images}
    results = digits.run_demo(out, n_seeds=seeds, verbose=int(not quiet), **options)
    click.echo(json.dumps(results, indent=1) if as_json else digits.describe(results, out))
