"""`ganaug fit`: train on DATA and save the model."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganaug.cli import INTERRUPTED, parameters
from ganaug.options import CONDITIONINGS, RECIPES

if TYPE_CHECKING:
    from ganaug.augmenter import GANAugmenter


@click.command("fit")
@parameters.data_options
@click.option("--out", type=parameters.Place(), required=True, help="Directory for the model.")
@click.option(
    "--continue",
    "model",
    type=parameters.Place(),
    metavar="MODEL",
    help="Train this model on, with the DATA that it has learnt, by --max-images or --max-seconds.",
)
@click.option("--recipe", type=click.Choice(RECIPES), default="default", show_default=True)
@click.option(
    "--conditioning", type=click.Choice(CONDITIONINGS), default="joint", show_default=True
)
@parameters.budget_options
@click.option("--max-seconds", type=click.FloatRange(0), help="Budget in seconds.")
@click.option("--checkpoint-dir", type=parameters.Place(), help="Save and resume here.")
@parameters.overwrite_option
@parameters.jobs_option
@parameters.device_option
@parameters.seed_option
@parameters.json_option
@parameters.quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    data: parameters.Data,
    out: Path,
    model: Path | None,
    max_images: int | None,
    max_seconds: float | None,
    overwrite: bool,
    jobs: int | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train on DATA and save the model.

    DATA is a directory of images, one subdirectory per class; a .csv of file names and labels; or
    a .npz file with arrays X and y.

    Ctrl-C ends the training early; what has been learnt is then saved as OUT.partial.

    With --continue, networks, seed and sizes are those of MODEL, and the best weights of both
    trainings are kept.
    """
    from ganaug.augmenter import GANAugmenter
    from ganaug.cli.summary import describe_model, summarise
    from ganaug.cli.terminal import interrupts_held
    from ganaug.outputs import partial_of
    from ganaug.persistence import MODEL_NAME, check_can_save

    for place in (out, partial_of(out)):  # not found out about when all is done
        check_can_save(place)
    parameters.check_free(out, out / MODEL_NAME, overwrite)
    budget: dict[str, Any] = {"max_images": max_images, "max_seconds": max_seconds}
    is_limited = any(value is not None for value in budget.values())
    options = {name: value for name, value in options.items() if value is not None}
    here: dict[str, Any] = {
        "verbose": int(not quiet),
        "n_jobs": parameters.n_jobs_of(jobs, options["device"]),
    }
    if model is not None:
        if not is_limited:
            raise click.UsageError("Say how much further: by --max-images or by --max-seconds.")
        _refuse_what_is_the_models(ctx)
        here |= {name: options[name] for name in ("device", "checkpoint_dir") if name in options}
        augmenter = _to_continue(model).set_params(**here, **budget)
    else:
        options |= here | (budget if is_limited else {})
        augmenter = GANAugmenter(
            resize=data.resize, image_shape=data.image_shape, random_state=seed, **options
        )
    source = replace(data, resize=augmenter.resize).read(augmenter.random_state, quiet)
    if model is not None:
        before = augmenter.warm_start_from.estimator
        source = source.in_labels(before.classes_, before.class_names_)
        _check_alike(augmenter, source.X, source.y)
    was_interrupted = _fit(augmenter, source.X, source.y)
    is_complete = not augmenter.model_.interrupted
    saved = out if is_complete else partial_of(out)  # never in place of a complete model
    if model is not None:
        augmenter.set_params(**_whole_budget(augmenter))
    with interrupts_held() as held:
        augmenter.save(saved)
    summary = summarise(augmenter.model_, saved)
    click.echo(json.dumps(summary) if as_json else describe_model(summary))
    if not is_complete:
        click.echo(f"Interrupted: the model so far is {saved}, not {out}.", err=True)
    if not is_complete or was_interrupted or held:
        raise click.exceptions.Exit(INTERRUPTED)  # a script should know


def _refuse_what_is_the_models(ctx: click.Context) -> None:
    names = ("recipe", "conditioning", "n_generators", "width", "seed", "resize", "image_shape")
    given = [
        parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name in names
        and ctx.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"With --continue, {', '.join(given)} is MODEL's: leave it out.")


def _to_continue(model: Path) -> GANAugmenter:
    from sklearn.base import clone
    from sklearn.frozen import FrozenEstimator

    from ganaug.augmenter import GANAugmenter

    before = GANAugmenter.load(model, device="cpu")
    augmenter: GANAugmenter = clone(before)
    return augmenter.set_params(
        device="auto",
        random_state=before.seed_,
        n_generators=before.model_.n_generators,  # fewer than asked for, after Ctrl-C
        warm_start_from=FrozenEstimator(before),
    )


def _check_alike(augmenter: GANAugmenter, X: Any, y: Any) -> None:
    from ganaug.exceptions import GanaugWarning, InvalidInputError
    from ganaug.parameters import read_for_training

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GanaugWarning)  # `fit` gives them
        here = read_for_training(augmenter, X, y).fingerprint
    there = augmenter.warm_start_from.estimator.data_fingerprint_
    if here != there:
        raise InvalidInputError(
            "With --continue, DATA must be the samples that MODEL was trained on (with the same "
            f"--max-per-class, if any). Got samples of fingerprint {here[:12]}... instead of "
            f"{there[:12]}...: train a model of its own on them. (One that was fitted in Python on "
            "images read otherwise is trained on there, by `warm_start_from`.)"
        )


def _whole_budget(augmenter: GANAugmenter) -> dict[str, Any]:
    """Give the budget of a training and those that it went on from."""
    from ganaug.gan.training import added

    model = augmenter.model_
    images = added(gan.config.max_images for gan in model.generator(0))
    seconds = added(gan.config.max_seconds for gan in model.gans)
    return {"max_images": images, "max_seconds": seconds}


def _fit(augmenter: GANAugmenter, X: Any, y: Any) -> bool:
    """Fit; tell whether Ctrl-C came when there was a model to be saved already."""
    try:
        augmenter.fit(X, y)
    except KeyboardInterrupt:
        if not hasattr(augmenter, "model_"):
            raise
        return True
    return False
