"""What a result was measured on."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

from ganaug.persistence import library_versions


def describe_machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, threads, GPU, versions and date; no names or paths."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": device,
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if device.startswith("cuda") else None,
        "system": platform.system(),
        "versions": library_versions(),
    }


def processor_name() -> str:
    """Model name as Linux knows it, else the architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
