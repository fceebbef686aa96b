"""`ganaug audit`: a report on a model's samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ganaug.cli import parameters

SUFFIXES = (".html", ".md", ".json")


def _check_suffix(_ctx: click.Context, _param: click.Parameter, out: Path) -> Path:
    if out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out must end in .html, .md or .json. Got {out.name!r} instead.")
    return out


@click.command("audit")
@click.argument("model", type=parameters.Place())
@click.option("--train", "train", required=True, help="The DATA that the model was fitted on.")
@click.option("--holdout", help="Real samples that it was not fitted on: DATA as for `fit`.")
@parameters.max_per_class_option
@parameters.seed_option
@click.option(
    "--out",
    type=parameters.Place(dir_okay=False),
    required=True,
    callback=_check_suffix,
    help="Report to write: .html, .md or .json.",
)
@click.option(
    "--verdict",
    "verdict_file",
    type=parameters.Place(dir_okay=False, exists=True),
    help="What `evaluate --out` wrote: the gains stand in the report, too.",
)
@click.option(
    "--n-samples",
    type=click.IntRange(20),
    default=500,
    show_default=True,
    help="Synthetic samples per class.",
)
@parameters.device_option
@parameters.json_option
@parameters.quiet_option
def command(
    model: Path,
    train: str,
    holdout: str | None,
    max_per_class: Mapping[str, int],
    seed: int,
    out: Path,
    verdict_file: Path | None,
    n_samples: int,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Report quality, variety and copying of MODEL's samples, per class.

    With the same --max-per-class and --seed as for `fit`, the same samples of --train are drawn.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.terminal import progress_over_files
    from ganaug.gain.verdict import Verdict
    from ganaug.inputs.files import LabelledData, read_data
    from ganaug.storage import check_writable, write_text

    check_writable(out.parent)
    verdict = None if verdict_file is None else Verdict.load(verdict_file)
    augmenter = GANAugmenter.load(model, device=device)
    resize, bar = augmenter.spec_.resize, progress_over_files(quiet)
    options: dict[str, Any] = {"resize": resize, "progress": bar}
    real = read_data(train, limits=max_per_class, seed=seed, **options)
    held_out = LabelledData(None, None)
    if holdout is not None:  # of a .npz in parts the test part: the model has not seen it
        held_out = read_data(holdout, train=False, **options)
    names = augmenter.classes_, augmenter.class_names_
    real, held_out = real.in_labels(*names), held_out.in_labels(*names)
    report = augmenter.audit(
        real.X,
        real.y,
        X_holdout=held_out.X,
        y_holdout=held_out.y,
        n_samples=n_samples,
        verdict=verdict,
        title=f"Audit of {model.resolve().name}, trained on {Path(train).name or train}",
    )
    if out.suffix == ".html":
        report.to_html(out)
    else:
        text = report.to_markdown() if out.suffix == ".md" else report.to_json()
        write_text(out, text)
    click.echo(report.to_json() if as_json else f"{report!r}\nWritten to {out}")
