"""`ganaug export`: a model as one file that runs without ganaug."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganaug.cli.parameters import Place, allow_distrusted_option, json_option, overwrite_option


@click.command("export")
@click.argument("model", type=Place(path_type=Path))
@click.option(
    "--out",
    type=Place(path_type=Path),
    required=True,
    help="A .onnx file, or a .pt2 file for torch.export.load.",
)
@overwrite_option
@allow_distrusted_option
@json_option
def command(model: Path, out: Path, overwrite: bool, allow_distrusted: bool, as_json: bool) -> None:
    """Write MODEL as one graph: noise and class codes in, samples in the data's own units out.

    The file's metadata (under "ganaug") name the classes, the inputs and the outputs.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.trust import check_trust
    from ganaug.exceptions import InvalidInputError
    from ganaug.export import check_export
    from ganaug.naming import printable

    check_export(out)
    if out.exists() and not overwrite:
        raise InvalidInputError(
            f"{printable(out)} is there already: replace it with --overwrite, or choose another "
            "place."
        )
    augmenter = GANAugmenter.load(model, device="cpu")
    check_trust(augmenter, [], allow_distrusted)
    augmenter.export(out)
    written = {"out": str(out), "bytes": out.stat().st_size}
    text = f"Wrote {out} ({written['bytes']:,} bytes)"
    click.echo(json.dumps(written) if as_json else text)
