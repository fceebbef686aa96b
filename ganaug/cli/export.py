"""`ganaug export`: a model as one file that runs without ganaug."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganaug.cli import parameters


@click.command("export")
@click.argument("model", type=parameters.Place())
@click.option(
    "--out",
    type=parameters.Place(),
    required=True,
    help="A .onnx file, or a .pt2 file for torch.export.load.",
)
@parameters.overwrite_option
@parameters.allow_distrusted_option
@parameters.json_option
def command(model: Path, out: Path, overwrite: bool, allow_distrusted: bool, as_json: bool) -> None:
    """Write MODEL as one graph: noise and class codes in, samples in the data's own units out.

    The file's metadata (under "ganaug") name the classes, the inputs and the outputs.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.trust import check_trust
    from ganaug.export import check_export

    check_export(out)
    parameters.check_free(out, out, overwrite)
    augmenter = GANAugmenter.load(model, device="cpu")
    check_trust(augmenter, [], allow_distrusted)
    augmenter.export(out)
    written = {"out": str(out), "bytes": out.stat().st_size}
    click.echo(json.dumps(written) if as_json else f"Wrote {out} ({written['bytes']:,} bytes)")
