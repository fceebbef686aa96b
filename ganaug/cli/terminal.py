"""What is shown on the terminal while a command runs."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from ganaug.progress import bar_options

MANY = 500  # fewer files or samples are done before one has read a bar


def progress_bar(total: int, description: str, quiet: bool) -> tqdm:
    """Make a bar for what takes long enough to be shown."""
    hidden = quiet or total < MANY
    return tqdm(total=total, desc=description, disable=hidden, **bar_options())


def progress_over_files(quiet: bool) -> Callable[[range], Iterable[int]]:
    """Give what shows a bar while files are looked at, and another while they are read."""
    titles = itertools.cycle(("Looking at images", "Reading images"))

    def show(positions: range) -> Iterator[int]:
        with progress_bar(len(positions), next(titles), quiet) as bar:
            for position in positions:
                yield position
                bar.update()

    return show


@contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """List the signals of Ctrl-C instead of ending: what is short and must not be lost is first."""
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield held  # signals go to the main thread alone
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, before)
