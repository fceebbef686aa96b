"""`ganaug sample`: write synthetic samples of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganaug.cli import parameters

if TYPE_CHECKING:
    from ganaug.augmenter import GANAugmenter


@click.command("sample")
@click.argument("model", type=parameters.Place())
@click.option(
    "--class",
    "counts",
    metavar="LABEL=N",
    multiple=True,
    callback=parameters.as_counts,
    help="How many samples of a class; may be repeated.",
)
@click.option("--count", type=click.IntRange(1), help="How many in all, evenly over the classes.")
@click.option(
    "--out",
    type=parameters.Place(),
    help="Directory for PNG files by class, or a .npz file for arrays X and y.",
)
@click.option(
    "--shards",
    type=parameters.Place(),
    help="Directory for tar files in WebDataset's format; what is there is not made again.",
)
@click.option(
    "--shard-size", type=click.IntRange(1), default=5_000, show_default=True, help="At most."
)
@click.option(
    "--only", metavar="A:B", callback=parameters.as_range, help="Only the shards from A to B - 1."
)
@parameters.jobs_option
@click.option("--seed", type=int, help="Another seed than the model's own: other samples.")
@click.option(
    "--start", type=click.IntRange(0), default=0, show_default=True, help="Samples to skip."
)
@parameters.overwrite_option
@parameters.allow_distrusted_option
@parameters.device_option
@parameters.json_option
@parameters.quiet_option
def command(
    model: Path,
    counts: Mapping[str, int],
    count: int | None,
    out: Path | None,
    shards: Path | None,
    shard_size: int,
    only: range | None,
    jobs: int | None,
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

    With --shards, each tar file is made by itself, with the same bytes by any process on machines
    of one kind: several may share the work by --only.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.trust import check_trust, origin_of
    from ganaug.inputs.files import labels_of_names
    from ganaug.outputs import check_output

    if (count is None) == (not counts):
        got = "both" if counts else "neither"
        raise click.UsageError(f"Say how many samples by --class or by --count. Got {got}.")
    if (out is None) == (shards is None):
        raise click.UsageError("Say where to write samples: by --out or by --shards.")
    if shards is not None and (start or overwrite):
        raise click.UsageError("--start and --overwrite go with --out.")
    if out is not None:
        check_output(out, overwrite=overwrite)
    augmenter = GANAugmenter.load(model, device=device)
    names = augmenter.sampler_.class_names
    wanted = labels_of_names(counts, augmenter.classes_, list(names.values()))
    if count is not None:
        by_code = augmenter.sampler_.counts_by_code(count)
        wanted = {augmenter.classes_.tolist()[code]: n for code, n in by_code.items()}
    check_trust(augmenter, list(wanted), allow_distrusted)
    origin = origin_of(augmenter, model, seed)
    written: dict[str, Any] = {"written": {names[label]: n for label, n in wanted.items()}}
    total = sum(wanted.values())
    if out is not None:
        _write(augmenter, out, wanted, origin, seed, start, overwrite, quiet)
        written, text = {"out": str(out), **written}, f"Wrote {total} synthetic samples to {out}"
    else:
        assert shards is not None
        n_jobs = parameters.n_jobs_of(jobs, device) or 1
        n_made, n_there = _write_shards(
            augmenter, shards, wanted, origin, shard_size, only, n_jobs, quiet
        )
        written |= {"shards": str(shards), "made": n_made, "there": n_there}
        text = f"Wrote {n_made} shards to {shards}; {n_there} were there"
    click.echo(json.dumps(written) if as_json else text)


def _write(
    augmenter: GANAugmenter,
    out: Path,
    wanted: Mapping[Any, int],
    origin: Any,
    seed: int | None,
    start: int,
    overwrite: bool,
    quiet: bool,
) -> None:
    from ganaug.cli.terminal import progress_bar
    from ganaug.outputs import Row, open_output

    names = augmenter.sampler_.class_names
    bar = progress_bar(sum(wanted.values()), "Sampling", quiet)
    with bar, open_output(out, augmenter.spec_, origin, overwrite=overwrite) as output:
        for label, n in wanted.items():
            X, _ = augmenter.sample({label: n}, random_state=seed, start=start)
            output.add(X, [Row(names[label], "synthetic", start + i) for i in range(n)])
            bar.update(n)


def _write_shards(
    augmenter: GANAugmenter,
    directory: Path,
    wanted: Mapping[Any, int],
    origin: Any,
    size: int,
    only: range | None,
    n_jobs: int,
    quiet: bool,
) -> tuple[int, int]:
    """Write shards; give how many were made, and how many were there."""
    from ganaug.cli.terminal import progress_bar
    from ganaug.shards import open_shards, write_shards

    plan = open_shards(directory, augmenter, origin, wanted, size)
    shards = range(plan.n_shards)
    if only is not None:
        if only.stop > plan.n_shards:
            raise click.BadParameter(f"there are {plan.n_shards} shards.", param_hint="--only")
        shards = only
    n_made = 0
    with progress_bar(sum(plan.size_of(shard) for shard in shards), "Sampling", quiet) as bar:
        for n in write_shards(directory, augmenter, plan, shards, n_jobs=n_jobs):
            n_made += 1
            bar.update(n)
    return n_made, len(shards) - n_made
