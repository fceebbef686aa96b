"""What is shown on the terminal while a command runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ganaug.progress import bar_options

MANY_FILES = 500


def progress_over_files(quiet: bool) -> Callable[[range], Iterable[int]] | None:
    """Give what shows a bar while many files are read; None where there shall be none."""
    if quiet:
        return None

    def show(positions: range) -> Iterable[int]:
        from tqdm.auto import tqdm

        few = len(positions) < MANY_FILES
        bar: Iterable[int] = tqdm(
            positions, desc="Reading images", unit=" files", disable=few, **bar_options()
        )
        return bar

    return show


@contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Note Ctrl-C instead of ending: what is short and must not be lost comes first.

    Yields
    ------
    list of int
        The signals that came.
    """
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield held  # signals go to the main thread alone
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, before)
