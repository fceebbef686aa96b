"""Where networks run."""

from __future__ import annotations

from typing import Any

import torch

from ganaug.exceptions import InvalidInputError


def resolve_device(device: Any) -> torch.device:
    """Turn the `device` parameter into one that is there.

    Raises InvalidInputError: lists those that are there.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"`device` must be 'auto' or a torch device such as 'cpu' or 'cuda'. Got {device!r} "
            "instead."
        ) from error
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    wanted = f"cuda:{resolved.index or 0}" if resolved.type == "cuda" else str(resolved)
    if wanted not in available:
        raise InvalidInputError(
            f"`device` must be one that is there ({', '.join(available)}) or 'auto'. Got "
            f"{device!r} instead."
        )
    return resolved


def available_device(device: str) -> str:
    """Give a device of another machine if there is one such here, else the CPU."""
    try:
        return str(resolve_device(device))
    except InvalidInputError:
        return "cpu"
