"""`ganaug info`: what a model is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganaug.cli import parameters


@click.command("info")
@click.argument("model", type=parameters.Place())
@parameters.json_option
def command(model: Path, as_json: bool) -> None:
    """Show what MODEL was trained on, and how it went."""
    from ganaug.cli.summary import describe_model, summarise
    from ganaug.persistence import load_model

    summary = summarise(load_model(model).model, model)
    click.echo(json.dumps(summary) if as_json else describe_model(summary))
