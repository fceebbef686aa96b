"""`ganaug evaluate`: which remedy is best for a classifier of DATA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ganaug.cli import parameters

ESTIMATORS = ("cnn", "rf", "svc", "knn", "logistic", "mlp")


@click.command("evaluate")
@parameters.data_options
@click.option(
    "--estimator",
    type=click.Choice(ESTIMATORS),
    default="cnn",
    show_default=True,
    help="Whose scores count: a small network that augments its images, or scikit-learn's.",
)
@parameters.budget_options
@click.option("--max-seconds", type=click.FloatRange(0, min_open=True), help="Time box, in all.")
@click.option(
    "--folds", type=click.IntRange(2), default=5, show_default=True, help="Splits of the samples."
)
@parameters.jobs_option
@click.option("--dry-run", is_flag=True, help="Only estimate what it takes.")
@parameters.device_option
@parameters.seed_option
@click.option(
    "--out",
    type=parameters.Place(dir_okay=False),
    help="Write the verdict here (JSON), for `ganaug augment --verdict`.",
)
@click.option(
    "--plot",
    type=parameters.Place(dir_okay=False),
    help="Draw all scores here (.png, .svg, ...).",
)
@parameters.json_option
@parameters.quiet_option
def command(
    data: parameters.Data,
    estimator: str,
    max_seconds: float | None,
    folds: int,
    jobs: int | None,
    dry_run: bool,
    device: str,
    seed: int,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
    **budget: Any,
) -> None:
    """Tell which remedy for DATA's rare classes is best for a classifier.

    DATA is as for `fit`. From 5,000 samples on, or where one of the GANs' options is given, GANs
    are trained for three to five of the folds, where they may win, which takes as long as so many
    `fit`s. A .npz file may hold an array `groups` too: samples of one group (patient, site, ...)
    stay on one side of a split.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.arrays import arrays_of
    from ganaug.cli.classifiers import classifier_of
    from ganaug.gain.cost import CostEstimate
    from ganaug.gain.evaluate import evaluate_gain
    from ganaug.gain.plot import check_picture_path
    from ganaug.gain.remedies import FEW_FOR_A_GAN, SAMPLERS
    from ganaug.storage import check_writable

    for place in filter(None, (out, plot)):  # not found out about when all is done
        check_writable(place.parent)
    if plot is not None:
        check_picture_path(plot)
    source = data.read(seed, quiet)
    arrays = arrays_of(source, data.image_shape, data.resize)
    options = {name: value for name, value in budget.items() if value is not None}
    is_asked_for = bool(options) or len(arrays.y) >= FEW_FOR_A_GAN
    options |= {"device": device, "image_shape": arrays.image_shape, "verbose": int(not quiet)}
    augmenter: Any = GANAugmenter(**options) if is_asked_for else None
    found = evaluate_gain(
        classifier_of(estimator),
        arrays.X,
        arrays.y,
        image_shape=None if is_asked_for else arrays.image_shape,
        augmenter=augmenter,
        remedies=SAMPLERS,  # which `ganaug augment` can carry out
        cv=folds,
        groups=source.groups,
        n_jobs=parameters.n_jobs_of(jobs, device),
        max_seconds=max_seconds,
        random_state=seed,
        verbose=int(not quiet),
        dry_run=dry_run,  # type: ignore[call-overload]
    )
    if isinstance(found, CostEstimate):
        click.echo(json.dumps(vars(found)) if as_json else str(found))
        return
    if out is not None:
        found.save(out)
    if plot is not None:
        found.plot(plot)
    click.echo(found.to_json() if as_json else str(found))
