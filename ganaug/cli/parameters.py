"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ganaug.inputs.files import LabelledData

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


class Place(click.Path):
    """A path as shells leave it in ``--out=~/model`` and ``"$UNSET"``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path, and put the home directory in the place of a ``~``."""
        if not str(value):
            self.fail("must not be empty: is a variable of the shell unset?", param, ctx)
        return super().convert(os.path.expanduser(value), param, ctx)


def as_size(
    _ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Read '64x48' as (64, 48); an image shape also from '3x64x48'."""
    if text is None:
        return None
    sides = text.lower().split("x")
    lengths = (2, 3) if param.name == "image_shape" else (2,)
    if len(sides) not in lengths or not all(side.isdecimal() for side in sides):
        raise click.BadParameter(f"must look like 64x64 (height x width). Got {text!r} instead.")
    return tuple(map(int, sides))


def as_counts(
    _ctx: click.Context, _param: click.Parameter, texts: Iterable[str]
) -> Mapping[str, int]:
    """Read ('bag=500', 'boot=900') as {'bag': 500, 'boot': 900}."""
    counts: dict[str, int] = {}
    for text in texts:
        label, equals, number = text.rpartition("=")
        if not equals or not label or not number.isdecimal():
            raise click.BadParameter(f"{text!r} must look like LABEL=N, such as bag=500.")
        if label in counts:
            raise click.BadParameter(f"{label!r} is given twice.")
        counts[label] = int(number)
    return counts


def as_range(_ctx: click.Context, _param: click.Parameter, text: str | None) -> range | None:
    """Read '0:50' as range(0, 50)."""
    if text is None:
        return None
    start, colon, stop = text.partition(":")
    if not colon or not start.isdecimal() or not stop.isdecimal() or int(start) >= int(stop):
        raise click.BadParameter(f"must look like 0:50 (from 0 to 49). Got {text!r} instead.")
    return range(int(start), int(stop))


def all_of(*decorators: Decorator) -> Decorator:
    """Join decorators to one, the first of them on top."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


max_per_class_option = click.option(
    "--max-per-class",
    metavar="LABEL=N",
    multiple=True,
    callback=as_counts,
    help="Use at most N samples of a class (to try an imbalance); may be repeated.",
)


@dataclass(frozen=True)
class Data:
    """What the options of `data_options` say."""

    data: str
    max_per_class: Mapping[str, int]
    resize: tuple[int, int] | None
    image_shape: tuple[int, ...] | None

    def read(self, seed: int, quiet: bool) -> LabelledData:
        """Read the samples, with a bar where there are many files."""
        from ganaug.cli.terminal import progress_over_files
        from ganaug.inputs.files import read_data

        return read_data(
            self.data,
            resize=self.resize,
            limits=self.max_per_class,
            seed=seed,
            progress=progress_over_files(quiet),
        )


def _with_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its options of DATA as one."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        own = {name: options.pop(name) for name in Data.__dataclass_fields__}
        command(*arguments, data=Data(**own), **options)

    return run


data_options = all_of(
    click.argument("data", type=str),
    max_per_class_option,
    click.option(
        "--resize",
        metavar="HxW",
        callback=as_size,
        help="Scale all images to this size, such as 64x64.",
    ),
    click.option(
        "--image-shape",
        metavar="HxW",
        callback=as_size,
        help="Shape of the images that lie flat in a .npz: 28x28, 32x32x3, 3x32x32, ...",
    ),
    _with_data,
)
budget_options = all_of(
    click.option(
        "--generators", "n_generators", type=click.IntRange(1), help="GANs trained side by side."
    ),
    click.option("--width", type=click.IntRange(4), help="Channels at half resolution."),
    click.option("--max-images", type=click.IntRange(1), help="Budget of a GAN in images shown."),
)


def as_jobs(_ctx: click.Context, _param: click.Parameter, n: int | None) -> int | None:
    """Refuse no jobs at all."""
    if n == 0:
        raise click.BadParameter("must be 1 or more, or -1 for all cores. Got 0 instead.")
    return n


def n_jobs_of(jobs: int | None, device: str) -> int | None:
    """Give `n_jobs` of what `--jobs` says: by default all cores, but a GPU is not shared."""
    from ganaug.devices import resolve_device

    return -1 if jobs is None and resolve_device(device).type == "cpu" else jobs


jobs_option = click.option(
    "--jobs",
    type=int,
    callback=as_jobs,
    help="Processes at a time, of one thread each; 1: one after another; -1: all cores, the "
    "default without a GPU. The results are the same for any number.",
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ..."
)
seed_option = click.option("--seed", type=int, default=0, show_default=True)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace what ganaug has written to --out before."
)


def check_free(out: Path, file: Path, overwrite: bool) -> None:
    """Refuse an --out whose file is there, unless it may be replaced."""
    from ganaug.exceptions import InvalidInputError
    from ganaug.naming import printable

    if file.exists() and not overwrite:
        raise InvalidInputError(
            f"{printable(out)} is there already: replace it with --overwrite, or choose another "
            "place."
        )


allow_distrusted_option = click.option(
    "--allow-distrusted",
    is_flag=True,
    help="Go on though a classifier of the real samples takes those of no class for their class.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress.")
