"""`ganaug augment`: DATA with its classes balanced."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganaug.cli import parameters
from ganaug.naming import printable

if TYPE_CHECKING:
    from ganaug.cli.arrays import Arrays
    from ganaug.gain.verdict import Verdict
    from ganaug.outputs import Origin


@click.command("augment")
@parameters.data_options
@click.option(
    "--out",
    type=parameters.Place(),
    required=True,
    help="Directory for PNG files by class, or a .npz file for arrays X, y and kind.",
)
@click.option(
    "--verdict",
    "verdict_file",
    type=parameters.Place(dir_okay=False),
    help="Do what `ganaug evaluate --out` has found best, in place of GANOverSampler's default.",
)
@parameters.overwrite_option
@parameters.allow_distrusted_option
@click.option(
    "--share",
    "synthetic_share",
    type=click.FloatRange(0, 1),
    help="Of what a class gets, this share is synthetic; the rest vary real ones. The default is "
    "0.25 from 5,000 images on, and else 0.",
)
@click.option(
    "--enlarge",
    is_flag=True,
    help="Bring every class to eight times the size of the largest, as far as that makes 10,000 "
    "samples in all, and at least to its size.",
)
@parameters.budget_options
@parameters.jobs_option
@parameters.device_option
@parameters.seed_option
@parameters.json_option
@parameters.quiet_option
def command(
    data: parameters.Data,
    out: Path,
    verdict_file: Path | None,
    overwrite: bool,
    allow_distrusted: bool,
    enlarge: bool,
    jobs: int | None,
    device: str,
    seed: int,
    as_json: bool,
    quiet: bool,
    **budget: Any,
) -> None:
    """Write DATA with its classes balanced, or enlarged.

    DATA is as for `fit`. All real samples are written, and more of each class until it has as many
    as the largest: how many of them are synthetic, and which classes get none, is ganaug's default,
    or what a verdict says. Files are called CLASS/real-00000.png, CLASS/synthetic-00000.png, ...; a
    manifest.jsonl lists every one. OUT is called OUT.partial until all is written.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.arrays import arrays_of
    from ganaug.gain.verdict import Verdict
    from ganaug.outputs import check_output
    from ganaug.oversampler import GANOverSampler

    check_output(out, overwrite=overwrite)
    n_jobs = parameters.n_jobs_of(jobs, device)
    here: dict[str, Any] = {"device": device, "verbose": int(not quiet), "n_jobs": n_jobs}
    given = {name: value for name, value in budget.items() if value is not None}
    if verdict_file is not None and (given or enlarge):
        raise click.UsageError(
            "--share, --enlarge, --generators, --width and --max-images are the verdict's: leave "
            "them out."
        )
    image_shape, model_seed, verdict = data.image_shape, seed, None
    if verdict_file is None:
        augmenter = GANAugmenter(image_shape=image_shape, **given, **here)
        strategy = "enlarge" if enlarge else "auto"
        sampler: Any = GANOverSampler(augmenter, sampling_strategy=strategy, random_state=seed)
    else:
        verdict = Verdict.load(verdict_file)
        image_shape, model_seed = image_shape or verdict.task.image_shape, verdict.task.seed
        sampler = _sampler_of(verdict, here)
    source = data.read(seed, quiet)
    arrays = arrays_of(source, image_shape, data.resize)
    if verdict is not None:
        _check_alike(verdict, arrays)
    X, y = sampler.fit_resample(arrays.X, arrays.y)
    origin = _origin(sampler, model_seed, allow_distrusted)
    written = _write(out, arrays, X, y, sampler, source.files, origin, overwrite)
    how = getattr(sampler, "augmented_by_", "")
    result = {"out": str(out), "written": written, "augmented_by": how}
    click.echo(json.dumps(result) if as_json else _describe(out, written, how))


def _sampler_of(verdict: Verdict, here: dict[str, Any]) -> Any:
    from ganaug.exceptions import InvalidInputError

    sampler = verdict.make_sampler()
    if sampler == "passthrough":
        raise InvalidInputError("The verdict says to add nothing: use DATA as it is.")
    if not hasattr(sampler, "make_augmenter"):
        return sampler
    own = dict.fromkeys(("image_shape", "n_generators", "max_images"))
    return sampler.set_params(augmenter=sampler.make_augmenter().set_params(**here), **own)


def _check_alike(verdict: Verdict, arrays: Arrays) -> None:
    """Refuse data of another kind than those that were evaluated."""
    from ganaug.exceptions import InvalidInputError

    here, there = (
        f"{'images' if is_image else 'feature rows'} in arrays of {n_axes} axes"
        for is_image, n_axes in (
            (arrays.spec.kind == "image", arrays.X.ndim),
            (verdict.task.is_image, verdict.task.n_axes),
        )
    )
    if here != there:
        raise InvalidInputError(
            f"DATA must be as those that the verdict was measured on, {there}. Got {here} instead."
        )


def _origin(sampler: Any, seed: int, allow_distrusted: bool) -> Origin:
    """Describe where the samples come from: the model's digest is that of its file."""
    from ganaug.cli.trust import check_trust, origin_of
    from ganaug.outputs import Origin

    augmenter = getattr(sampler, "augmenter_", None)
    if augmenter is None or not augmenter.__sklearn_is_fitted__():
        return Origin(seed, "")
    if "synthetic" in sampler.kinds_ or allow_distrusted:
        check_trust(augmenter, [], allow_distrusted)
    with tempfile.TemporaryDirectory() as directory:
        augmenter.save(Path(directory, "model"))
        return origin_of(augmenter, Path(directory, "model"))


def _write(
    out: Path,
    arrays: Arrays,
    X: Any,
    y: Any,
    sampler: Any,
    files: Sequence[Any],
    origin: Origin,
    overwrite: bool,
) -> Mapping[str, Mapping[str, int]]:
    from ganaug.gain.remedies import provenance
    from ganaug.outputs import Row, open_output

    names = [str(label) for label in y]
    kinds, sources = (of.tolist() for of in provenance(sampler, len(arrays.y), len(X)))
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    rows = []  # the samples of each class and kind are numbered from 0
    for name, kind, i in zip(names, kinds, sources, strict=True):
        source = str(files[i]) if 0 <= i < len(files) else ""
        rows.append(Row(name, kind, counts[name][kind], source))
        counts[name][kind] += 1
    with open_output(out, arrays.spec, origin, overwrite=overwrite) as output:
        output.add(arrays.decode(X), rows)
    return counts


def _describe(out: Path, written: Mapping[str, Mapping[str, int]], augmented_by: str) -> str:
    total = sum(n for kinds in written.values() for n in kinds.values())
    lines = [f"Wrote {total} samples to {printable(out)}"]
    for name, kinds in written.items():
        listed = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        lines.append(f"  {printable(name)}: {listed}")
    if augmented_by:
        lines.append(f"Augmented by: {augmented_by}.")
    return "\n".join(lines)
