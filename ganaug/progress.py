"""Progress on a terminal; nothing is shown when `verbose=0`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm.auto import tqdm

from ganaug.gan.callbacks import Progress


def readable_seconds(seconds: float) -> str:
    """Format a duration: '40 s', '3.5 min', '2.1 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


class _LogLines:
    """Writes what a bar shows as lines: a log cannot go back to a line's start."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        if line:
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


def bar_options() -> dict[str, Any]:
    """Options of tqdm for stderr: where it is no terminal, at most a line a minute."""
    if sys.stderr is None:  # a program without a console
        return {"disable": True}
    is_notebook = type(sys.stderr).__module__.startswith("ipykernel")
    if is_notebook or sys.stderr.isatty():
        return {}
    return {"file": _LogLines(sys.stderr), "mininterval": 60, "maxinterval": 120}


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[Progress], None]]:
    """Show a bar on stderr: share of the budget, images seen and per second, losses, ETA."""
    bar_format = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    options = {"leave": None, **bar_options()}  # below another bar it goes when it is done
    with tqdm(total=1.0, desc=description, bar_format=bar_format, **options) as bar:

        def show(progress: Progress) -> None:
            bar.set_postfix_str(
                f"{progress.images_seen:,} images, "
                f"{progress.images_seen / max(progress.seconds, 1e-9):,.0f}/s, "
                f"loss D {progress.discriminator_loss:.2f} G {progress.generator_loss:.2f}",
                refresh=False,
            )
            bar.update(progress.share - bar.n)

        yield show


@contextmanager
def trials_bar(n_most: int, *, is_shown: bool) -> Iterator[Callable[[str, int, float], None]]:
    """Count trials on stderr, of at most so many; beside them the last remedy, fold and score."""
    options = bar_options() if is_shown else {"disable": True}
    with tqdm(total=n_most, desc="remedies", unit="fit", **options) as bar:

        def show(name: str, fold: int, score: float) -> None:
            bar.set_postfix_str(f"'{name}', fold {fold + 1}: {score:.3f}", refresh=False)
            bar.update()

        yield show
        bar.total = bar.n  # what was not worth trying is no work left
        bar.refresh()


def write_line(text: str) -> None:
    """Write a line to stderr, where the bar is."""
    tqdm.write(text, file=sys.stderr)
