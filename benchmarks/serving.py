"""What serving synthetic samples costs: DataLoader time, workers' memory, and the import.

The wrapped and the bare dataset take turns, epoch by epoch, in one process, so the ratio of their
times per item holds where the single figures, on a shared machine, do not. Processor time, that of
the workers included, stands beside the time on the clock: other load hardly disturbs it. The
synthetic samples are noise, half as many as there are real ones: what serving them costs does not
depend on what they show.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from functools import partial
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

from benchmarks.results import Result, Store, markdown
from ganaug.dataset import AugmentedDataset
from ganaug.inputs import read_training_set

N_DRAWS = 9  # repeats
N_CLASSES = 10
BATCH_SIZE = 256
SYNTHETIC_SHARE = 0.5
BANK_SAMPLES = (20_000, 200_000)
N_MEMORY_WORKERS = 4
CLOCKS = ("elapsed", "processor")
IMPORTS = """
import time, torch, imblearn
started = time.perf_counter(), time.process_time()
import ganaug
print(time.perf_counter() - started[0], time.process_time() - started[1])
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which items, and how many."""
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--items", type=int, default=20_000, help="real items")
    parser.add_argument("--digits", action="store_true", help="in the place of Fashion-MNIST")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What repeats must have in common."""
    return {name: getattr(options, name) for name in ("device", "items", "digits")}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Run all measurements, one after another."""
    bare = {"TensorDataset": random_tensors(options.items), **pil_dataset(options)}
    cases = [(name, n_workers) for name in bare for n_workers in (0, 2)]
    loading = [
        {"dataset": name}
        | store.once(f"{name}-{n}", partial(compare_loading, bare[name], n, options))
        for name, n in tqdm(cases, desc="loading")
    ]
    memory = [measure_workers(n) for n in tqdm((0, *BANK_SAMPLES), desc="memory")]
    imports = measure_import(options.draws)
    return {"values": {"loading": loading, "memory": memory, "import": imports}}


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
        if self.transform is not None:  # ganaug reads a copy without it
            image = self.transform(image)
        return image, self.targets[index]

    def __len__(self) -> int:
        return len(self.data)


def random_tensors(n: int) -> TensorDataset:
    """Noise images as float tensors."""
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.rand(n, 1, 28, 28, generator=generator), torch.arange(n) % N_CLASSES)


def pil_dataset(options: argparse.Namespace) -> dict[str, Dataset[Any]]:
    """Fashion-MNIST with ToTensor where it is there, else digits."""
    if options.digits:
        return {"digits + ToTensor": PilDigits(options.items)}
    dataset = datasets.FashionMNIST(options.data_dir, transform=to_tensor)
    dataset.data, dataset.targets = (x[: options.items] for x in (dataset.data, dataset.targets))
    return {"FashionMNIST + ToTensor": dataset}


def wrapped_with_noise(dataset: Any, n_synthetic: int) -> AugmentedDataset:
    """Wrap a dataset with synthetic samples of noise, spread over all classes."""
    fitted = read_training_set(dataset)
    shape = n_synthetic, *fitted.values.shape[1:]
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    samples = values, np.arange(n_synthetic) % len(fitted.classes)
    return AugmentedDataset(dataset, samples, spec=fitted.spec, classes=fitted.classes)


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
    for repeat in range(options.draws + 1):
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


def measure_workers(n_samples: int) -> dict[str, Any]:
    """Read a whole bank with spawn workers, and look at what each holds then.

    Anonymous memory is what a worker has of its own, mostly what this script imports; proportional
    memory (PSS) also has its share of file pages that processes use together, such as the bank's.
    Without samples, the bare dataset is read. Linux only.
    """
    bare = random_tensors(1000)
    dataset: Any = wrapped_with_noise(bare, n_samples) if n_samples else bare
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
        "bank_mb": dataset.bank.values.nbytes / 1e6 if n_samples else 0.0,
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


# --- table -------------------------------------------------------------------------------------


def describe(result: Result) -> str:
    """Give times, memory and the import."""
    values = result["values"]
    loading = []
    for case in values["loading"]:
        times = case["microseconds_per_item"]
        for clock in CLOCKS:
            each = [f"{times[kind][clock]:.1f}" for kind in ("bare", "wrapped")]
            ratio = show(case["ratio"][clock])
            loading.append([case["dataset"], str(case["n_workers"]), clock, *each, ratio])
    columns = ["DataLoader, us per item", "workers", "time", "bare", "wrapped", "ratio (range)"]
    memory = []
    for case in values["memory"]:
        sizes = [f"{case[kind]['median']:.0f}" for kind in ("anonymous_mb", "pss_mb", "rss_mb")]
        bank = f"bank of {case['bank_mb']:.0f} MB" if case["bank_mb"] else "bare dataset"
        memory.append([bank, *sizes])
    sizes = ["4 spawn workers, MB in each", "own", "proportional (PSS)", "resident (RSS)"]
    imports = [[clock, show(values["import"][clock])] for clock in CLOCKS]
    after = ["`import ganaug` after torch and imblearn", "seconds (range)"]
    blocks = [markdown(columns, loading), markdown(sizes, memory), markdown(after, imports)]
    return "\n\n".join(blocks)


def show(values: dict[str, Any]) -> str:
    """Format the median and the extremes."""
    return f"{values['median']:.3f} ({values['min']:.3f} to {values['max']:.3f})"
