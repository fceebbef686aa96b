"""The command line: parses arguments, calls the public names, and nothing else.

Exit codes: 0 done, 1 an error (one line on stderr), 2 wrong usage, 130 Ctrl-C.
"""

from __future__ import annotations

import json
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from ganaug._version import __version__
from ganaug.augmenter import GANAugmenter
from ganaug.checks import did_you_mean, require_extra
from ganaug.cli import demo as demo_module
from ganaug.exceptions import GanaugError, InvalidInputError
from ganaug.gain.evaluate import evaluate_gain
from ganaug.gan.config import RECIPES
from ganaug.model import CONDITIONINGS
from ganaug.persistence import check_can_save, read_config

INTERRUPTED = 130  # what a shell reports of a command that Ctrl-C has ended
TORCHVISION_SETS = ("MNIST", "FashionMNIST", "KMNIST", "QMNIST", "CIFAR10", "SVHN")


class _Commands(click.Group):
    """Suggests the intended command for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            suggestion = did_you_mean(args[0], self.commands)
            raise click.UsageError(f"{error.message}{suggestion}", ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ganaug")
def cli() -> None:
    """Conditional-GAN augmentation for small and imbalanced image sets."""


@cli.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Directory for results.json, the sample grid and the model.",
)
@click.option("--seeds", type=click.IntRange(3), default=5, show_default=True, help="Repeats.")
@click.option("--max-images", type=click.IntRange(1), help="Training budget of each GAN.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def demo(out: Path, seeds: int, max_images: int | None, as_json: bool, quiet: bool) -> None:
    """Train, rebalance and measure on scikit-learn's digits, made imbalanced."""
    options = {} if max_images is None else {"max_images": max_images}
    results = demo_module.run_demo(out, n_seeds=seeds, verbose=int(not quiet), **options)
    click.echo(json.dumps(results, indent=1) if as_json else demo_module.describe(results, out))


def _data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command DATA and the options by which it is read."""
    decorators = (
        click.argument("data", type=str),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where torchvision keeps a data set that is given by name.",
        ),
        click.option(
            "--download", is_flag=True, help="Let torchvision download a data set given by name."
        ),
        click.option(
            "--max-per-class",
            metavar="LABEL=N",
            multiple=True,
            help="Use at most N rows of a class (to try an imbalance); may be repeated.",
        ),
        click.option(
            "--resize", metavar="HxW", help="Scale all images to this size, such as 64x64."
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@cli.command()
@_data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory for the model; an older model there is replaced at the end.",
)
@click.option("--recipe", type=click.Choice(RECIPES), default="default", show_default=True)
@click.option(
    "--conditioning", type=click.Choice(CONDITIONINGS), default="joint", show_default=True
)
@click.option("--width", type=click.IntRange(4), default=None, help="Channels at half resolution.")
@click.option("--max-images", type=click.IntRange(1), help="Budget in real images shown.")
@click.option("--max-seconds", type=click.FloatRange(0), help="Budget in seconds.")
@click.option("--checkpoint-dir", type=click.Path(path_type=Path), help="Save and resume here.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was trained as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def fit(
    data: str,
    out: Path,
    data_dir: Path | None,
    download: bool,
    max_per_class: Sequence[str],
    resize: str | None,
    max_images: int | None,
    max_seconds: float | None,
    width: int | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train on DATA and save the model.

    DATA is a directory of images, one subdirectory per class; a .npz file with arrays X and y; or
    the name of a torchvision data set (with --data-dir).
    """
    check_can_save(out)
    X, y = load_limited(data, data_dir, download, max_per_class, seed)
    if width is not None:
        options["width"] = width
    if max_images is not None or max_seconds is not None:
        options |= {"max_images": max_images, "max_seconds": max_seconds}
    augmenter = GANAugmenter(
        resize=parse_size(resize), random_state=seed, verbose=int(not quiet), **options
    )
    augmenter.fit(X, y).save(out)
    summary = summarise(read_config(out), out)
    click.echo(json.dumps(summary) if as_json else describe_model(summary))
    if summary["interrupted"]:  # the best weights so far are saved, but a script should know
        raise click.exceptions.Exit(INTERRUPTED)


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--class",
    "counts",
    metavar="LABEL=N",
    multiple=True,
    required=True,
    help="How many rows of a class; may be repeated.",
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
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def sample(
    model: Path,
    counts: Sequence[str],
    out: Path,
    seed: int | None,
    start: int,
    device: str,
    as_json: bool,
) -> None:
    """Write synthetic rows of MODEL: exactly as many of each class as asked for."""
    augmenter = GANAugmenter.load(model, device=device)
    wanted = labels_of_names(parse_counts(counts), augmenter.classes_)
    if out.suffix == ".npz":
        X, y = augmenter.sample(wanted, random_state=seed, start=start)
        labels = np.asarray(y)
        labels = labels.astype(str) if labels.dtype == object else labels  # never a pickle
        out.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(out, X=np.asarray(X), y=labels)
    else:
        write_png_tree(augmenter, wanted, out, seed, start)
    written = {"out": str(out), "written": {str(label): n for label, n in wanted.items()}}
    total = sum(wanted.values())
    click.echo(json.dumps(written) if as_json else f"Wrote {total} synthetic rows to {out}")


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info(model: Path, as_json: bool) -> None:
    """Show what MODEL was trained on, and how it went."""
    summary = summarise(read_config(model), model)
    click.echo(json.dumps(summary) if as_json else describe_model(summary))


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--train", "train", required=True, help="The DATA that the model was fitted on.")
@click.option("--holdout", help="Real rows that it was not fitted on: DATA as for `fit`.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="As for `fit`.")
@click.option(
    "--max-per-class",
    metavar="LABEL=N",
    multiple=True,
    help="As it was for `fit`: the same rows of --train are drawn again.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="As for `fit`.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Report to write: .html, .md or .json.",
)
@click.option(
    "--verdict",
    "verdict_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="What `evaluate --out` wrote: the gains stand in the report, too.",
)
@click.option(
    "--n-samples", type=click.IntRange(20), default=500, show_default=True, help="Rows per class."
)
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, too.")
def audit(
    model: Path,
    train: str,
    holdout: str | None,
    data_dir: Path | None,
    max_per_class: Sequence[str],
    seed: int,
    out: Path,
    verdict_file: Path | None,
    n_samples: int,
    device: str,
    as_json: bool,
) -> None:
    """Report quality, variety and copying of MODEL's rows, per class."""
    if out.suffix not in (".html", ".md", ".json"):
        raise click.UsageError(f"--out must end in .html, .md or .json. Got {out.name!r} instead.")
    augmenter = GANAugmenter.load(model, device=device)
    X, y = load_limited(train, data_dir, False, max_per_class, seed)
    X_holdout, y_holdout = None, None
    if holdout is not None:  # of a torchvision set its test part: the model has not seen it
        X_holdout, y_holdout = load_data(holdout, data_dir, train=False)
    report = augmenter.audit(
        X,
        y,
        X_holdout=X_holdout,
        y_holdout=y_holdout,
        n_samples=n_samples,
        verdict=None if verdict_file is None else load_verdict(verdict_file),
    )
    if out.suffix == ".html":
        report.to_html(out)
    else:
        text = report.to_markdown() if out.suffix == ".md" else report.to_json()
        out.write_text(text, encoding="utf-8")
    click.echo(report.to_json() if as_json else f"{report!r}\nWritten to {out}")


@cli.command()
@_data_options
@click.option("--width", type=click.IntRange(4), default=None, help="Channels at half resolution.")
@click.option("--max-images", type=click.IntRange(1), help="Budget of each GAN in real images.")
@click.option("--max-seconds", type=click.FloatRange(0, min_open=True), help="Time box, in all.")
@click.option(
    "--folds", type=click.IntRange(4), help="Splits of the rows; 10, or as many as they allow."
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Split so often in all: narrower intervals, as many times as long.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the verdict here (JSON)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def evaluate(
    data: str,
    data_dir: Path | None,
    download: bool,
    max_per_class: Sequence[str],
    resize: str | None,
    width: int | None,
    max_images: int | None,
    max_seconds: float | None,
    folds: int | None,
    repeats: int,
    device: str,
    seed: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell whether synthetic rows of DATA's classes help a small classifier.

    DATA is as for `fit`. A GAN is trained for each of the folds, and again in each repeat, so this
    takes as long as so many `fit`s. A .npz file may hold an array `groups` too: rows of one group
    (patient, site, ...) stay on one side of a split.
    """
    X, y = load_limited(data, data_dir, download, max_per_class, seed)
    if out is not None:  # not found out about when all is done
        out.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"device": device, "resize": parse_size(resize)}
    options |= {} if width is None else {"width": width}
    options |= {} if max_images is None else {"max_images": max_images}
    verdict = evaluate_gain(
        GANAugmenter(verbose=int(not quiet), **options),
        X,
        y,
        cv=folds,
        n_repeats=repeats,
        groups=load_groups(data, max_per_class, seed),
        max_seconds=max_seconds,
        random_state=seed,
    )
    if out is not None:
        out.write_text(verdict.to_json() + "\n", encoding="utf-8")
    click.echo(verdict.to_json() if as_json else str(verdict))


# --- data --------------------------------------------------------------------------------------


def load_limited(
    data: str, data_dir: Path | None, download: bool, max_per_class: Sequence[str], seed: int
) -> tuple[Any, Any]:
    """Load DATA, with at most so many rows of the classes that `--max-per-class` names."""
    X, y = load_data(data, data_dir, download)
    if max_per_class:
        X, y = limit_classes(X, y, parse_counts(max_per_class), seed)
    return X, y


def load_groups(data: str, max_per_class: Sequence[str], seed: int) -> Any:
    """Load the array `groups` of a .npz file that has one: of the rows that are used."""
    path = Path(data)
    if path.suffix != ".npz":
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            groups, y = arrays.get("groups", None), arrays["y"]
    except ValueError as error:
        raise InvalidInputError(f"`groups` in {path} must be numbers or text: {error}") from error
    if groups is None or not max_per_class:
        return groups
    if len(groups) != len(y):
        raise InvalidInputError(
            f"`groups` in {path} must have one value per row, {len(y)}. Got {len(groups)} instead."
        )
    return limit_classes(groups, y, parse_counts(max_per_class), seed)[0]


def load_data(
    data: str, data_dir: Path | None, download: bool = False, train: bool = True
) -> tuple[Any, Any]:
    """Load an image directory, a .npz file, or a torchvision set by name."""
    path = Path(data)
    # a set's name first: torchvision keeps it in a directory of that name
    if data in TORCHVISION_SETS and (data_dir is not None or not path.is_dir()):
        return load_torchvision(data, data_dir, download, train)
    if path.suffix == ".npz":
        return load_npz(path)
    if path.is_dir():
        return load_image_directory(path)
    raise InvalidInputError(
        f"DATA must be a directory of images by class, a .npz file with X and y, or one of "
        f"{', '.join(TORCHVISION_SETS)}. Got {data!r} instead, which is none of these."
        f"{did_you_mean(data, TORCHVISION_SETS)}"
    )


def load_npz(path: Path) -> tuple[Any, Any]:
    """Load arrays X and y (never pickled objects)."""
    if not path.is_file():
        raise InvalidInputError(f"{path} does not exist.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInputError(
            f"{path} must be a .npz file with arrays X and y: {error}"
        ) from error


def load_verdict(path: Path) -> dict[str, Any]:
    """Load what `evaluate --out` wrote."""
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(f"{path} is not a readable verdict: {error}") from error
    if not isinstance(verdict, dict) or not {"outcome", "text", "per_class"} <= verdict.keys():
        raise InvalidInputError(f"{path} must be what `ganaug evaluate --out` wrote, and is not.")
    return verdict


def load_image_directory(directory: Path) -> tuple[list[Image.Image], list[str]]:
    """Load a tree of images with one subdirectory per class, sorted by name.

    Hidden files and directories are passed over.
    """
    images, labels = [], []
    for folder in sorted(entry for entry in directory.iterdir() if entry.is_dir()):
        for file in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(directory).parts)
            if not hidden and file.suffix.lower() in Image.registered_extensions():
                images.append(load_image(file))
                labels.append(folder.name)
    if not images:
        raise InvalidInputError(
            f"{directory} must hold one subdirectory of images per class. Found no image there."
        )
    return images, labels


def load_image(file: Path) -> Image.Image:
    """Load one image; name the file that is none."""
    try:
        with Image.open(file) as image:
            return image.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInputError(f"{file} is not a readable image: {error}") from error


def load_torchvision(
    name: str, data_dir: Path | None, download: bool, train: bool = True
) -> tuple[Any, None]:
    """Load the training (or test) part of a torchvision set."""
    if data_dir is None:
        raise InvalidInputError(
            f"{name} is a torchvision data set: say where it is with --data-dir."
        )
    kind = getattr(require_extra("torchvision.datasets", "torchvision"), name)
    part = {"split": "train" if train else "test"} if name == "SVHN" else {"train": train}
    try:
        return kind(data_dir, download=download, **part), None
    except RuntimeError as error:
        raise InvalidInputError(f"{name} in {data_dir}: {error} (or pass --download).") from error


def limit_classes(X: Any, y: Any, limits: dict[str, int], seed: int) -> tuple[Any, Any]:
    """Keep at most so many rows of the named classes, drawn by `seed`."""
    if y is None:
        names = getattr(X, "classes", None)
        X, y = X.data, np.asarray(X.targets if hasattr(X, "targets") else X.labels)
    else:
        names = None
    labels = np.asarray(y)
    classes = np.unique(labels)
    wanted = labels_of_names(limits, classes, names)
    rng = np.random.default_rng(seed)
    keep = [
        np.sort(rng.permutation(np.flatnonzero(labels == label))[: wanted.get(label, len(labels))])
        for label in classes.tolist()
    ]
    rows = np.concatenate(keep)
    if isinstance(X, list):
        return [X[row] for row in rows], labels[rows]
    return np.asarray(X)[rows], labels[rows]


def parse_counts(pairs: Sequence[str]) -> dict[str, int]:
    """Parse ('bag=500', 'boot=900')."""
    counts = {}
    for pair in pairs:
        label, equals, number = pair.rpartition("=")
        if not equals or not label or not number.isdecimal():
            raise click.UsageError(f"{pair!r} must look like LABEL=N, such as bag=500.")
        if label in counts:
            raise click.UsageError(f"{label!r} is given twice.")
        counts[label] = int(number)
    return counts


def labels_of_names(
    counts: dict[str, int], classes: Any, names: Sequence[str] | None = None
) -> dict[Any, int]:
    """Turn the texts of the command line into the labels they stand for."""
    labels = np.asarray(classes).tolist()
    label_of = {str(label): label for label in labels}
    if names is not None:
        label_of = dict(zip(map(str, names), labels, strict=False)) | label_of
    for text in counts:
        if text not in label_of:
            raise InvalidInputError(
                f"{text!r} is not one of the classes {', '.join(label_of)}."
                f"{did_you_mean(text, label_of)}"
            )
    return {label_of[text]: n for text, n in counts.items()}


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Parse '64x48' (height x width)."""
    if text is None:
        return None
    height, x, width = text.lower().partition("x")
    if not (x and height.isdecimal() and width.isdecimal()):
        raise click.UsageError(
            f"--resize must look like 64x64 (height x width). Got {text!r} instead."
        )
    return int(height), int(width)


# --- output ------------------------------------------------------------------------------------


def write_png_tree(
    augmenter: GANAugmenter, wanted: dict[Any, int], out: Path, seed: int | None, start: int
) -> None:
    """Write OUT/label/synthetic-00000.png, named by the samples' positions."""
    if augmenter.spec_.kind != "image":
        raise InvalidInputError("This model makes feature rows, not images: give a .npz as --out.")
    codes = {label: code for code, label in enumerate(augmenter.classes_.tolist())}
    for label, n in wanted.items():
        name = str(label)  # a model that others have made may name its classes '../..'
        if name in ("", ".", "..") or Path(name).name != name:
            raise InvalidInputError(
                f"Class {label!r} cannot name a directory: give a .npz as --out."
            )
        values, _ = augmenter._sample_values({codes[label]: n}, seed=seed, start=start)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(values):
            picture = to_picture(image)
            picture.save(folder / f"synthetic-{start + index:05d}.png")


def to_picture(image: np.ndarray[Any, Any]) -> Image.Image:
    """Turn one uint8 image (C, H, W) into a PIL image."""
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    return Image.fromarray(pixels)  # L, LA, RGB or RGBA by the number of channels


def summarise(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """Pick out of a model's config what people ask for."""
    data, gans = config["data"], config["gans"]
    first = gans[0]["config"]
    return {
        "model": str(path),
        "classes": dict(zip(map(str, data["classes"]), data["class_counts"], strict=True)),
        "image_shape": first["image_shape"],
        "n_features": first["n_features"],
        "value_range": data["value_range"],
        "recipe": first["recipe"],
        "conditioning": "joint" if len(gans) == 1 else "per_class",
        "width": first["width"],
        "filters": config["filters"],
        "seed": config["seed"],
        "images_seen": sum(gan["images_seen"] for gan in gans),
        "interrupted": any(gan["interrupted"] for gan in gans),
        "seconds": round(sum(gan["seconds"] for gan in gans), 1),
        "alarms": [
            {"kind": alarm["kind"], "class": _alarm_class(alarm, index, config)}
            for index, gan in enumerate(gans)
            for alarm in gan["alarms"]
        ],
        "fingerprint": data["fingerprint"],
        "versions": config["versions"],
    }


def _alarm_class(alarm: dict[str, Any], index: int, config: dict[str, Any]) -> str | None:
    if alarm["class_code"] is None:
        return None
    code = alarm["class_code"] if len(config["gans"]) == 1 else index
    return str(config["data"]["classes"][code])


def describe_model(summary: dict[str, Any]) -> str:
    """Format a summary for people."""
    lines = [f"ganaug model  {summary['model']}"]
    width = max(map(len, summary["classes"]), default=0)
    shape = summary["image_shape"]
    rows = f"images (C, H, W) = {tuple(shape)}" if shape else f"{summary['n_features']} features"
    lines.append(f"rows          {rows}, values {summary['value_range']}")
    lines.append(
        f"training      {summary['recipe']}, {summary['conditioning']}, width {summary['width']}, "
        f"{summary['images_seen']:,} images in {summary['seconds']} s, seed {summary['seed']}"
    )
    lines.append(f"filters       {', '.join(summary['filters']) or 'none'}")
    lines += [f"  {label:>{width}}  {n:6d} real rows" for label, n in summary["classes"].items()]
    if summary["interrupted"]:
        lines.append("training was interrupted; these are the best weights until then")
    for alarm in summary["alarms"]:
        where = "" if alarm["class"] is None else f" in class {alarm['class']}"
        lines.append(f"alarm         {alarm['kind']}{where}")
    return "\n".join(lines)


def main() -> None:
    """Run the command line; turn errors and warnings into one line each, and an exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            sys.exit(cli(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except (GanaugError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, *_: object) -> None:
    click.echo(f"Warning: {message}", err=True)
