"""Class names that strangers may have chosen, shown and as folders; names of ganaug's own files."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

MANIFEST_NAME = "manifest.jsonl"
"""The list of what ganaug has written into a folder."""
PARTIAL_SUFFIX = ".partial"
"""Ends the name of what ganaug has not finished."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f%/\\:*?"<>|\ud800-\udfff]|^[. ]|[. ]$')
_ESCAPED = re.compile("((?:%[0-9A-F]{2})+)")
_EMPTY = "%"


def printable(text: object) -> str:
    r"""Show control characters as escapes, so that a name cannot steer a terminal.

    Examples
    --------
    >>> print(printable("a\x1b[31mb\n"))
    a\x1b[31mb\n
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def normalised(name: str) -> str:
    """Compose letters and accents (Unicode's NFC): Macs write 'é' as two characters."""
    return unicodedata.normalize("NFC", name)


def folder_of_class(label: object) -> str:
    """Give a name that is safe for a folder; `class_of_folder` turns it back.

    Characters that separate paths, are forbidden on some system or steer terminals, and dots and
    spaces at the ends, become the percent escapes of URLs.

    `label`: compared by its ``str``. Returns: at most 255 bytes for names of up to 80 characters.

    Examples
    --------
    >>> folder_of_class("../n/a")
    '%2E.%2Fn%2Fa'
    >>> class_of_folder('%2E.%2Fn%2Fa')
    '../n/a'
    """
    return _UNSAFE.sub(_escape, str(label)) or _EMPTY


def class_of_folder(name: str) -> str:
    """Give the class whose folder `folder_of_class` has named so."""
    return "" if name == _EMPTY else _ESCAPED.sub(_unescape, name)


def is_output_folder(folder: Path) -> bool:
    """Tell whether ganaug has written a folder, by its manifest; others use this name, too."""
    try:
        with (folder / MANIFEST_NAME).open(encoding="utf-8") as manifest:
            first = json.loads(manifest.readline(10_000))
        return bool({"file", "class", "kind", "seed", "model"} <= first.keys())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _unescape(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")
