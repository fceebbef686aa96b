"""Training and sampling speed, and memory, beside a textbook loop with the same networks.

The textbook loop has the structure of PyTorch's DCGAN tutorial: float data through a DataLoader,
two discriminator passes, an Adam that is not fused, ``.item()`` in every step. It and ganaug's
loop take turns in one process, so the ratio holds where the single figures, on a shared machine,
do not. Networks are taken from `ganaug.gan`, which is where both loops must take them from.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm

from benchmarks.results import Result, Store, markdown
from ganaug import GANAugmenter
from ganaug.gan.config import GANConfig, classic_options
from ganaug.gan.losses import LOSS_FUNCTIONS
from ganaug.gan.networks import build_discriminator, build_generator
from ganaug.gan.sampling import BLOCK_SIZE
from ganaug.gan.training import Trainer
from ganaug.sampler import TrainedSampler

N_DRAWS = 7  # repeats
N_CLASSES = 10
N_IMAGES = 10_000
MEMORY_IMAGES = 60_000
BATCH_SIZE = GANConfig.batch_size
ALLOWED_GROWTH = 1.5  # times the uint8 data, beside the networks
MEASURE_MEMORY = """
import json
from benchmarks.throughput import measure_memory_here
print(json.dumps(measure_memory_here()))
"""
SHAPES = {"28x28x1": (1, 28, 28), "32x32x3": (3, 32, 32)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add where, and on how many threads."""
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--width", type=int, default=GANAugmenter().width)
    parser.add_argument("--steps", type=int, default=8, help="steps per repeat")
    parser.add_argument("--threads", type=int, default=None, help="torch threads")


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What repeats must have in common."""
    names = ("device", "width", "steps", "threads")
    return {name: getattr(options, name) for name in names} | {"batch_size": BATCH_SIZE}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Run all measurements, one after another."""
    if options.threads:
        torch.set_num_threads(options.threads)
    cases = [(shape, recipe) for shape in SHAPES for recipe in ("default", "classic")]
    values: dict[str, Any] = {
        "training": [
            store.once(f"{shape}-{recipe}", partial(compare_training, shape, recipe, options))
            for shape, recipe in tqdm(cases, desc="training")
        ]
    }
    values["sampling"] = [
        case
        for shape in SHAPES
        for case in store.once(f"sampling-{shape}", partial(measure_sampling, shape, options))
    ]
    if options.device == "cpu":
        values["memory"] = store.once("memory", measure_memory_apart)
    return {"values": values}


# --- training ----------------------------------------------------------------------------------


def random_images(shape: tuple[int, int, int], n: int = N_IMAGES) -> tuple[Tensor, Tensor]:
    """Noise: the speed of a training does not depend on what is in the images."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=generator)
    return images, torch.arange(n) % N_CLASSES


def compare_training(shape: str, recipe: str, options: argparse.Namespace) -> dict[str, Any]:
    """Time both loops in turn; images/s are real images through the discriminator."""
    images, labels = random_images(SHAPES[shape])
    config = GANConfig(
        class_counts=(N_IMAGES // N_CLASSES,) * N_CLASSES,
        image_shape=SHAPES[shape],
        width=options.width,
        batch_size=BATCH_SIZE,
        **(classic_options() if recipe == "classic" else {}),
    )
    device = torch.device(options.device)
    trainer = Trainer(config, images, labels, seed=0, device=device)
    textbook = textbook_steps(config, images, labels, device)
    loops: dict[str, Callable[[], Any]] = {
        "ganaug": trainer.step,
        "textbook": lambda: next(textbook),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for repeat in range(options.draws + 1):
        for name, step in loops.items():
            elapsed = time_steps(step, options.steps, device)
            if repeat:  # the first round warms up
                seconds[name].append(elapsed / options.steps)
    ratios = [b / a for a, b in zip(seconds["ganaug"], seconds["textbook"], strict=True)]
    return {
        "shape": shape,
        "recipe": recipe,
        "width": options.width,
        "images_per_second": {
            name: BATCH_SIZE / statistics.median(values) for name, values in seconds.items()
        },
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
    }


def time_steps(step: Callable[[], Any], n: int, device: torch.device) -> float:
    """Seconds of n steps."""
    started = seconds_of(device)
    for _ in range(n):
        step()
    return seconds_of(device) - started


def seconds_of(device: torch.device | str) -> float:
    """Read the clock: of a CPU its own seconds, since machines are shared; of a GPU when done."""
    if torch.device(device).type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def textbook_steps(
    config: GANConfig, images: Tensor, labels: Tensor, device: torch.device
) -> Iterator[tuple[float, float]]:
    """Train as PyTorch's DCGAN tutorial does, made conditional; one step per `next`."""
    seeded = torch.Generator().manual_seed(0)
    generator = build_generator(config, seeded, device)
    discriminator = build_discriminator(config, seeded, device)
    discriminator_loss, generator_loss = LOSS_FUNCTIONS[config.loss]
    optimizer_g, optimizer_d = (
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=False)
        for network in (generator, discriminator)
    )
    data = TensorDataset(images.float() / 127.5 - 1.0, labels)
    loader = DataLoader(
        data, config.batch_size, shuffle=True, drop_last=True, generator=torch.Generator()
    )
    while True:
        for real_cpu, real_labels_cpu in loader:
            real, real_labels = real_cpu.to(device), real_labels_cpu.to(device)
            noise = torch.randn(len(real), generator.latent_dim, device=device)
            discriminator.zero_grad()
            real_logits = discriminator(real, real_labels)
            zero = torch.zeros((), device=device)
            # each half of the loss is taken and differentiated by itself, as in the tutorial
            loss_real = discriminator_loss(real_logits, zero - 1e9)
            loss_real.backward()
            fake = generator(noise, real_labels)
            fake_logits = discriminator(fake.detach(), real_labels)
            loss_fake = discriminator_loss(zero + 1e9, fake_logits)
            loss_fake.backward()
            optimizer_d.step()
            generator.zero_grad()
            loss_g = generator_loss(discriminator(fake, real_labels))
            loss_g.backward()
            optimizer_g.step()
            yield loss_real.item() + loss_fake.item(), loss_g.item()


# --- sampling ----------------------------------------------------------------------------------


def measure_sampling(shape: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time the default ensemble's `sample` without and with the filter: medians of repeats.

    The filter looks at every image, and is made to accept it: how many it rejects is the model's.
    """
    images, labels = random_images(SHAPES[shape], 1000)
    X = images.permute(0, 2, 3, 1).numpy()
    augmenter = GANAugmenter(max_images=256, device=options.device, random_state=0, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model of noise is of course a bad one
        augmenter.fit(X, labels.numpy())
    # whole blocks for every class and generator
    n = 2 * BLOCK_SIZE * N_CLASSES * augmenter.n_generators
    cases = []
    for is_filtered in (False, True):
        sampler = TrainedSampler(augmenter.model_, augmenter.sampler_.device, is_filtered)
        for member in sampler._members if is_filtered else ():
            member.accepts = partial(_accept_all, member.accepts)
        sampler.sample(n)
        rates = []
        for repeat in range(options.draws):
            started = seconds_of(options.device)
            sampler.sample(n, random_state=repeat)
            rates.append(n / (seconds_of(options.device) - started))
        cases.append(
            {
                "shape": shape,
                "width": augmenter.width,
                "filtered": is_filtered,
                "images_per_second": statistics.median(rates),
                "min": min(rates),
                "max": max(rates),
            }
        )
    return cases


def _accept_all(accepts: Any, samples: Tensor, code: int) -> Tensor:
    return torch.ones_like(accepts(samples, code))


# --- memory ------------------------------------------------------------------------------------


def resident_bytes() -> int:
    """Resident memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure_memory_apart() -> dict[str, Any]:
    """Measure in a fresh process, whose memory nothing else has touched."""
    command = [sys.executable, "-c", MEASURE_MEMORY]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    return measured


def measure_memory_here() -> dict[str, Any]:
    """Growth of resident memory while fitting 60,000 images of 28x28."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (MEMORY_IMAGES, 28, 28), dtype=np.uint8)
    y = np.arange(MEMORY_IMAGES) % N_CLASSES
    small = GANAugmenter(max_images=128, random_state=0, verbose=0)
    warnings.simplefilter("ignore")
    small.fit(X[:400, :8, :8], y[:400])  # what the first use of every library takes, once
    before = resident_bytes()
    peak = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    augmenter = GANAugmenter(max_images=128 * 40, random_state=0, verbose=0).fit(X, y)
    done.set()
    watcher.join()
    gans = augmenter.model_.gans
    states = [state for gan in gans for state in (gan.generator_state, gan.discriminator_state)]
    networks = sum(t.numel() * t.element_size() for state in states for t in state.values())
    return {
        "images": MEMORY_IMAGES,
        "data_bytes": X.nbytes,
        "network_bytes": networks,
        "growth_bytes": peak[0] - before,
        "growth_over_data": (peak[0] - before) / X.nbytes,
        "allowed_bytes": int(ALLOWED_GROWTH * X.nbytes) + networks,
    }


# --- table -------------------------------------------------------------------------------------


def describe(result: Result) -> str:
    """Give speed beside the textbook loop, sampling, and memory."""
    machine, values = result["machine"], result["values"]
    training = []
    for case in values["training"]:
        rate, ratio = case["images_per_second"], case["ratio"]
        shown = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
        rates = [f"{rate[loop]:,.0f}" for loop in ("ganaug", "textbook")]
        name = f"{case['shape']} {case['recipe']}"
        training.append([name, str(case["width"]), *rates, shown])
    sampling = []
    for case in values["sampling"]:
        shown = f"{case['images_per_second']:,.0f} ({case['min']:,.0f} to {case['max']:,.0f})"
        name = f"{case['shape']}{', filtered' if case['filtered'] else ''}"
        sampling.append([name, str(case["width"]), shown])
    where = f"{machine['processor']}, {machine['threads']} threads"
    blocks = [
        f"Speed on {where}; on a CPU per second of its own:",
        markdown(["training", "width", "ganaug images/s", "textbook", "ratio (range)"], training),
        markdown(["sampling", "width", "images/s (range)"], sampling),
    ]
    if "memory" in values:
        memory = values["memory"]
        blocks.append(
            f"Memory: fitting {memory['images']:,} x 28x28 grows by "
            f"{memory['growth_bytes'] / 1e6:.0f} MB = {memory['growth_over_data']:.2f} x the uint8 "
            f"data (networks: {memory['network_bytes'] / 1e6:.1f} MB; allowed: "
            f"{memory['allowed_bytes'] / 1e6:.0f} MB)."
        )
    return "\n\n".join(blocks)
