"""Seeds and generators: every random number comes from one of these, none from global state."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from ganaug.exceptions import InvalidInputError

MAX_SEED = 2**62


def draw_seed(random_state: Any) -> int:
    """Turn scikit-learn's `random_state` into one seed; None is fresh entropy, not global state."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if not 0 <= random_state <= MAX_SEED:
            raise InvalidInputError(
                f"`random_state` must be from 0 to {MAX_SEED}. Got {random_state} instead."
            )
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    raise InvalidInputError(
        f"`random_state` must be an int, a RandomState, a Generator or None. Got "
        f"{random_state!r} instead."
    )


def derived_seed(seed: int, *key: int | str) -> int:
    """Return a seed of its own for one purpose."""
    return int(torch.randint(2**62, (), generator=stream(seed, *key), device="cpu"))


def stream(seed: int, *key: int | str) -> torch.Generator:
    """Return a CPU generator keyed by a seed and further values, independent of all others."""
    text = ":".join(map(str, (seed, *key))).encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest) >> 1)
