"""The command line: one module per command, each parses arguments and calls public names.

Nothing here imports torch before a command runs: help, mistyped commands and wrong arguments are
answered at once. So command modules import `click` and `ganaug.cli.parameters` at their top, and
the rest inside the command.

Exit codes: 0 done, 1 an error (one line on stderr), 2 wrong usage, 130 Ctrl-C.
"""

from __future__ import annotations

import difflib
import importlib
import re
import sys
import warnings

import click

from ganaug._version import __version__
from ganaug.naming import printable

__all__ = ["COMMANDS", "INTERRUPTED", "cli", "main"]

COMMANDS = ("demo", "evaluate", "augment", "fit", "sample", "audit", "info", "export")
"""Modules of this package, each with its click command as `command`; in the order of the help."""
INTERRUPTED = 130  # what a shell reports of a command that Ctrl-C has ended


class _LazyCommands(click.Group):
    """Imports a command's module when it is asked for, and suggests one for a mistyped name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            suggestion = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"{error.message}{suggestion}", ctx) from None


@click.group(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ganaug")
def cli() -> None:
    """Conditional-GAN augmentation for small and imbalanced image sets."""


def main() -> None:
    """Run the command line; turn errors and warnings into one line each, and an exit code."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        code = _run()
    sys.exit(code)


def _run() -> int | None:
    try:
        code: int | None = cli(standalone_mode=False)
        return code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except _own_errors() as error:  # asked for only when there is an error
        click.echo(f"Error: {_one_line(error)}", err=True)
        return 1


def _own_errors() -> tuple[type[Exception], ...]:
    """Give the errors that are shown as a line rather than a traceback."""
    from ganaug.exceptions import GanaugError

    return GanaugError, OSError


def _show_warning(message: Warning | str, *_: object) -> None:
    click.echo(f"Warning: {_one_line(message)}", err=True)


_ADVICE = {
    r"image_shape=\((\d+), (\d+)\)": r"--image-shape \1x\2",
    r"image_shape=\((\d+), (\d+), (\d+)\)": r"--image-shape \1x\2x\3",
    r"resize=\(height, width\)": "--resize HEIGHTxWIDTH",
    "`(image_shape|resize|max_images|max_seconds)`": r"`--\1`",
}
"""What the library says to do, and how the command line does it."""


def _one_line(message: object) -> str:
    """Make a message safe for a terminal, and its advice that of the command line."""
    text = printable(message)
    for pattern, option in _ADVICE.items():
        text = re.sub(pattern, option, text)
    return re.sub("`--[a-z_]+`", lambda option: option[0].strip("`").replace("_", "-"), text)
