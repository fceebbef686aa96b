"""What is shown on the terminal while a command runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
