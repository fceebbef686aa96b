"""`ganaug sample`: write synthetic samples of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from ganaug.cli.parameters import (
    allow_distrusted_option,
    as_counts,
    device_option,
    json_option,
    overwrite_option,
    quiet_option,
)


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
@overwrite_option
@allow_distrusted_option
@device_option
@json_option
@quiet_option
def command(
    model: Path,
    counts: Mapping[str, int],
    out: Path,
    seed: int | None,
    start: int,
    overwrite: bool,
    allow_distrusted: bool,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write synthetic samples of MODEL: exactly as many of each class as asked for.

    A folder gets CLASS/synthetic-00000.png and a manifest.jsonl that lists every file. It is called
    OUT.partial until all is written.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.terminal import progress_bar
    from ganaug.cli.trust import check_trust, origin_of
    from ganaug.inputs.files import labels_of_names
    from ganaug.outputs import check_output, open_output

    check_output(out, overwrite=overwrite)
    augmenter = GANAugmenter.load(model, device=device)
    wanted = labels_of_names(counts, augmenter.classes_)
    check_trust(augmenter, list(wanted), allow_distrusted)
    origin = origin_of(augmenter, model, seed)
    total = sum(wanted.values())
    bar = progress_bar(total, "Sampling", quiet)
    with bar, open_output(out, augmenter.spec_, origin, overwrite=overwrite) as output:
        for label, n in wanted.items():
            X, _ = augmenter.sample({label: n}, random_state=seed, start=start)
            output.add(X, [str(label)] * n, ["synthetic"] * n, range(start, start + n))
            bar.update(n)
    written = {"out": str(out), "written": {str(label): n for label, n in wanted.items()}}
    text = f"Wrote {total} synthetic samples to {out}"
    click.echo(json.dumps(written) if as_json else text)
