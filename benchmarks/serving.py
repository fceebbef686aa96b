"""What serving synthetic rows costs: DataLoader time, workers' memory, and the import.

    python -m benchmarks.serving --data-dir DATA --out benchmarks/results/serving-cpu.json

The wrapped and the bare dataset take turns, epoch by epoch, in one process, so the ratio of their
times per item holds where the single figures, on a shared machine, do not. Processor time, that of
the workers included, stands beside the time on the clock: other load hardly disturbs it. The
synthetic rows are noise, half as many as there are real ones: what serving them costs does not
depend on what they show. Without ``--data-dir``, scikit-learn's digits take the place of
Fashion-MNIST.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import datasets
from torchvision.transforms.functional import to_tensor
from tqdm.auto import tqdm

from benchmarks.machine import describe_machine
from ganaug.dataset import AugmentedDataset
from ganaug.inputs import read_training_set

N_CLASSES = 10
BATCH_SIZE = 256
SYNTHETIC_SHARE = 0.5
BANK_ROWS = (20_000, 200_000)
N_MEMORY_WORKERS = 4
CLOCKS = ("elapsed", "processor")
IMPORTS = """
import time, torch, imblearn
started = time.perf_counter(), time.process_time()
import ganaug
print(time.perf_counter() - started[0], time.process_time() - started[1])
"""


def main() -> None:
    """Run the measurements, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data-dir", type=Path, help="torchvision's root of FashionMNIST")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--items", type=int, default=20_000, help="real items")
    parser.add_argument("--repeats", type=int, default=9, help="epochs of each dataset")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bare = {"TensorDataset": random_tensors(options.items), **pil_dataset(options)}
    results: dict[str, Any] = {"machine": describe_machine(options.device), "loading": []}
    results["machine"]["load_average"] = os.getloadavg()[0]
    cases = [(name, n_workers) for name in bare for n_workers in (0, 2)]
    for name, n_workers in tqdm(cases, desc="loading"):
        loaded = {"dataset": name, **compare_loading(bare[name], n_workers, options)}
        results["loading"].append(loaded)
    results["memory"] = [measure_workers(n_rows) for n_rows in tqdm((0, *BANK_ROWS), desc="memory")]
    results["import"] = measure_import(options.repeats)
    print(describe(results))
    out = options.out or Path(f"benchmarks/results/serving-{options.device}.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


# --- datasets ----------------------------------------------------------------------------------


class PilDigits(datasets.VisionDataset):
    """scikit-learn's digits, repeated, as PIL images: a small stand-in for Fashion-MNIST."""

    def __init__(self, n: int) -> None:
        super().__init__(transform=to_tensor)
        X, y = load_digits(return_X_y=True)
        self.data = np.resize((X * 15).astype(np.uint8).reshape(-1, 8, 8), (n, 8, 8))
        self.targets = np.resize(y, n).tolist()

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self.data[index])
        return self.transform(image), self.targets[index]

    def __len__(self) -> int:
        return len(self.data)


def random_tensors(n: int) -> TensorDataset:
    """Noise images as float tensors."""
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.rand(n, 1, 28, 28, generator=generator), torch.arange(n) % N_CLASSES)


def pil_dataset(options: argparse.Namespace) -> dict[str, Dataset[Any]]:
    """Fashion-MNIST with ToTensor where it is there, else digits."""
    if options.data_dir is None:
        return {"digits + ToTensor": PilDigits(options.items)}
    dataset = datasets.FashionMNIST(options.data_dir, transform=to_tensor)
    dataset.data, dataset.targets = (x[: options.items] for x in (dataset.data, dataset.targets))
    return {"FashionMNIST + ToTensor": dataset}


def wrapped_with_noise(dataset: Any, n_synthetic: int) -> AugmentedDataset:
    """Wrap a dataset with synthetic rows of noise, spread over all classes."""
    fitted = read_training_set(dataset)
    shape = n_synthetic, *fitted.values.shape[1:]
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    rows = values, np.arange(n_synthetic) % len(fitted.classes)
    return AugmentedDataset(dataset, rows, spec=fitted.spec, classes=fitted.classes)


# --- time --------------------------------------------------------------------------------------


def compare_loading(
    bare: Dataset[Any], n_workers: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Time epochs of both datasets in turn, after one of each that starts the workers."""
    wrapped = wrapped_with_noise(bare, int(SYNTHETIC_SHARE * options.items))
    loaders = {
        name: DataLoader(
            dataset,
            batch_size=BATCH_SIZE,
            shuffle=True,
            num_workers=n_workers,
            persistent_workers=n_workers > 0,
            pin_memory=options.device == "cuda",
            generator=torch.Generator().manual_seed(0),
        )
        for name, dataset in (("bare", bare), ("wrapped", wrapped))
    }
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in loaders}
    for repeat in range(options.repeats + 1):
        # the other one first each time: neither always comes after the same thing
        for name in sorted(loaders, reverse=bool(repeat % 2)):
            times = time_epoch(loaders[name])
            if repeat:
                seconds[name].append(times)
    pairs = list(zip(seconds["wrapped"], seconds["bare"], strict=True))
    return {
        "n_workers": n_workers,
        "n_items": {"bare": options.items, "wrapped": len(wrapped)},
        "microseconds_per_item": {
            name: {clock: 1e6 * statistics.median(t[clock] for t in times) for clock in CLOCKS}
            for name, times in seconds.items()
        },
        "ratio": {clock: spread(w[clock] / b[clock] for w, b in pairs) for clock in CLOCKS},
    }


def time_epoch(loader: DataLoader[Any]) -> dict[str, float]:
    """Seconds per item of one epoch, on the clock and of processors."""
    started, used = time.perf_counter(), processor_seconds()
    n_items = sum(len(labels) for _, labels in loader)
    return {
        "elapsed": (time.perf_counter() - started) / n_items,
        "processor": (processor_seconds() - used) / n_items,
    }


def processor_seconds() -> float:
    """Processor time so far of this process and, on Linux, of its living children."""
    nanoseconds = 0
    for child in multiprocessing.active_children():
        for thread in Path(f"/proc/{child.pid}/task").glob("*/schedstat"):
            nanoseconds += int(thread.read_text().split()[0])
    return time.process_time() + nanoseconds / 1e9


def measure_import(repeats: int) -> dict[str, Any]:
    """Seconds that `import ganaug` adds after `import torch, imblearn`, in fresh processes.

    The first, which compiles ganaug as its installation would have done, is left out.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", IMPORTS]
    runs = [subprocess.check_output(command, env=environment) for _ in range(repeats + 1)]
    columns = zip(*(map(float, run.split()) for run in runs[1:]), strict=True)
    return {clock: spread(values) for clock, values in zip(CLOCKS, columns, strict=True)}


def spread(values: Iterable[float]) -> dict[str, Any]:
    """Median, extremes and number of repeats."""
    values = list(values)
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "n": len(values),
    }


# --- memory ------------------------------------------------------------------------------------


def measure_workers(n_rows: int) -> dict[str, Any]:
    """Read a whole bank with spawn workers, and look at what each holds then.

    Anonymous memory is what a worker has of its own, mostly what this script imports; proportional
    memory (PSS) also has its share of file pages that processes use together, such as the bank's.
    Without rows, the bare dataset is read. Linux only.
    """
    bare = random_tensors(1000)
    dataset: Any = wrapped_with_noise(bare, n_rows) if n_rows else bare
    with warnings.catch_warnings():  # that four are more than there are cores is no matter here
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader = DataLoader(
            dataset,
            batch_size=BATCH_SIZE,
            shuffle=True,
            num_workers=N_MEMORY_WORKERS,
            multiprocessing_context="spawn",
            persistent_workers=True,
            generator=torch.Generator().manual_seed(0),
        )
        time_epoch(loader)
    workers = [memory_of(process.pid) for process in multiprocessing.active_children()]
    return {
        "bank_mb": dataset.bank.values.nbytes / 1e6 if n_rows else 0.0,
        "n_workers": len(workers),
        "anonymous_mb": spread(worker["Anonymous"] for worker in workers),
        "pss_mb": spread(worker["Pss"] for worker in workers),
        "rss_mb": spread(worker["Rss"] for worker in workers),
    }


def memory_of(pid: int | None) -> dict[str, float]:
    """What Linux says of a process's memory, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(kilobytes) / 1e3 for name, kilobytes, _ in fields}


# --- report ------------------------------------------------------------------------------------


def describe(results: dict[str, Any]) -> str:
    """The results as text."""
    lines = [f"{'DataLoader, per item':<28}workers  bare    wrapped     ratio (min to max)"]
    for case in results["loading"]:
        for clock in CLOCKS:
            bare, wrapped = (times[clock] for times in case["microseconds_per_item"].values())
            lines.append(
                f"{case['dataset']:<28}{case['n_workers']}     {bare:7.1f} {wrapped:7.1f} us "
                f"  {show(case['ratio'][clock], '.3f')} {clock}"
            )
    lines.append(f"\n{'4 spawn workers':<28}MB in each: own, proportional (PSS), resident (RSS)")
    for case in results["memory"]:
        sizes = (f"{case[name]['median']:.0f}" for name in ("anonymous_mb", "pss_mb", "rss_mb"))
        bank = f"bank of {case['bank_mb']:.0f} MB" if case["bank_mb"] else "bare dataset"
        lines.append(f"{bank:<28}{', '.join(sizes)}")
    lines.append("\nimport ganaug after torch, imblearn, seconds")
    lines += [f"{clock:<28}{show(results['import'][clock], '.3f')}" for clock in CLOCKS]
    return "\n".join(lines)


def show(values: dict[str, Any], form: str) -> str:
    """Median and extremes as text."""
    return f"{values['median']:{form}} ({values['min']:{form}} to {values['max']:{form}})"


if __name__ == "__main__":
    main()
