"""Class names that strangers may have chosen: as text to show, and as names of folders."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["class_of_folder", "folder_of_class", "normalised", "printable"]

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f%/\\:*?"<>|\ud800-\udfff]|^[. ]|[. ]$')
_ESCAPED = re.compile("((?:%[0-9A-F]{2})+)")
_EMPTY = "%"
MAX_BYTES = 240  # file systems allow 255


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

    Parameters
    ----------
    label : object
        Compared by its ``str``.

    Returns
    -------
    str
        At most 255 bytes for names of up to 80 characters.

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


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _unescape(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")
