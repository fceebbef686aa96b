"""What a result was measured on, in generic words, and the processor's seconds."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sklearn
import torch

from ganaug import __version__
from ganaug.persistence import processor_name


def describe_machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, threads and GPU; no names or paths."""
    gpu = torch.cuda.get_device_name(0) if device.startswith("cuda") else None
    described = {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }
    return {name: value for name, value in described.items() if value is not None}


def versions() -> dict[str, str]:
    """What decides bytes and speed."""
    return {
        "ganaug": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
    }


def cpu_seconds() -> float:
    """Processor seconds so far, of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that results do not depend on what else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global state, which layers are initialised from, and put it back at the end."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        yield
