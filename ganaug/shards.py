"""Synthetic samples in bulk: tar files as WebDataset reads them, each made by itself.

A shard holds some samples of every class, in mixed order, from random streams of its own: keyed by
seed and shard, then by class and block. So any shard can be made alone, with the same bytes by any
process or machine of one kind. It is written beside its place and renamed; what is there is not
made again.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed

from ganaug.augmenter import GANAugmenter
from ganaug.exceptions import InvalidInputError
from ganaug.naming import printable
from ganaug.outputs import Origin, to_pictures, warn_of_scale
from ganaug.seeds import derived_seed
from ganaug.storage import PART_SUFFIX, check_writable, write_atomically
from ganaug.workers import in_workers

__all__ = ["PLAN_NAME", "ShardPlan", "open_shards", "write_shards"]

PLAN_NAME = "shards.json"
"""Says what all shards of a folder are; the same for every process that writes some of them."""


@dataclass(frozen=True)
class ShardPlan:
    """What decides the bytes of every shard.

    Examples
    --------
    >>> plan = ShardPlan("", 0, ("bag", "boot"), (7, 4), shard_size=4)
    >>> plan.n_shards, [plan.share(code, 0) for code in (0, 1)]
    (3, [range(0, 3), range(0, 1)])
    """

    model: str
    """SHA-256 of the model's file."""
    seed: int
    classes: tuple[str, ...]
    """Names by class index, as in the ``.cls`` files."""
    counts: tuple[int, ...]
    """Samples by class index, in all shards together."""
    shard_size: int
    """Samples of a shard, at most."""

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return -(-sum(self.counts) // self.shard_size)

    def share(self, code: int, shard: int) -> range:
        """Give which samples of a class, by number, stand in a shard."""
        # what is left over of one class goes on where that of the class before it ended
        n, more = divmod(self.counts[code], self.n_shards)
        first = sum(self.counts[:code]) % self.n_shards
        dealt = [(k - first) % self.n_shards < more for k in range(shard + 1)]
        start = shard * n + sum(dealt[:-1])
        return range(start, start + n + dealt[-1])

    def size_of(self, shard: int) -> int:
        """Give the number of samples of a shard."""
        return sum(len(self.share(code, shard)) for code in range(len(self.counts)))

    def to_json(self) -> str:
        """Give the text of `PLAN_NAME`."""
        return json.dumps(asdict(self) | {"n_shards": self.n_shards}, indent=1)


def open_shards(
    directory: Path, augmenter: GANAugmenter, origin: Origin, counts: Mapping[Any, int], size: int
) -> ShardPlan:
    """Make a folder ready for shards, or take up one that some of the same plan are in."""
    if augmenter.spec_.kind != "image":
        raise InvalidInputError("Feature rows cannot be written as pictures: give a .npz as --out.")
    labels = augmenter.classes_.tolist()
    names = tuple(augmenter.sampler_.class_names.values())
    by_code = tuple(counts.get(label, 0) for label in labels)
    plan = ShardPlan(origin.model, origin.seed, names, by_code, size)
    if not plan.n_shards:
        raise InvalidInputError("There must be samples to write. Got counts of 0 instead.")
    check_writable(directory)
    place = directory / PLAN_NAME
    _check_is_for_shards(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(place, plan.to_json().encode(), replace=False)
    if place.read_text(encoding="utf-8") != plan.to_json():
        raise InvalidInputError(
            f"{printable(directory)} holds shards of another model, seed, size, or other counts "
            f"(see {PLAN_NAME}). Choose another place."
        )
    warn_of_scale(augmenter.spec_)
    return plan


def _check_is_for_shards(directory: Path) -> None:
    is_folder = directory.is_dir() or not directory.exists()
    unfinished = (".partial", PART_SUFFIX)
    if is_folder and all(file.suffix in unfinished for file in directory.glob("*")):
        return
    if not (directory / PLAN_NAME).is_file():  # not before the look: another process may write it
        raise InvalidInputError(
            f"{printable(directory)} is there already, and holds no shards. Choose another place."
        )


def write_shards(
    directory: Path,
    augmenter: GANAugmenter,
    plan: ShardPlan,
    shards: Sequence[int],
    *,
    n_jobs: int,
) -> Iterator[int]:
    """Write those of the shards that are not there yet; tell how many samples each holds.

    `n_jobs`: worker processes, of one thread each; the bytes are the same for any number.
    """
    missing = [shard for shard in shards if not _path(directory, shard).exists()]
    names = augmenter.sampler_.class_names
    trust = {names[label]: share for label, share in augmenter.trust_.items()}
    origin = Origin(plan.seed, plan.model, trust)
    tasks = (delayed(_write_shard)(directory, augmenter, plan, k, origin) for k in missing)
    yield from in_workers(tasks, len(missing), n_jobs)


def _path(directory: Path, shard: int) -> Path:
    return directory / f"shard-{shard:06d}.tar"


def _write_shard(
    directory: Path, augmenter: GANAugmenter, plan: ShardPlan, shard: int, origin: Origin
) -> int:
    seed = derived_seed(plan.seed, "shard", shard)
    shares = {code: plan.share(code, shard) for code in range(len(plan.counts))}
    counts = {code: len(share) for code, share in shares.items() if len(share)}
    values, codes = augmenter.sampler_.sample_values(counts, seed=seed)
    numbers = np.concatenate([shares[code] for code in counts])
    order = np.random.default_rng(seed).permutation(len(codes))  # readers shuffle only nearby
    pictures = to_pictures(augmenter.spec_.decode(values[order]), augmenter.spec_)
    path = _path(directory, shard)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # others may make it as well
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
        for place, (picture, i) in enumerate(zip(pictures, order.tolist(), strict=True)):
            record = origin.record(plan.classes[codes[i]], "synthetic", numbers[i])
            png = io.BytesIO()
            picture.save(png, format="png")
            key = f"{shard:06d}-{place:06d}"
            _add(tar, f"{key}.png", png.getvalue())
            _add(tar, f"{key}.cls", str(codes[i]).encode())
            _add(tar, f"{key}.json", json.dumps(record).encode())
    with contextlib.suppress(FileNotFoundError):  # whoever made it as well was faster
        os.replace(partial, path)
    for left in directory.glob(f"{path.name}.*partial"):
        left.unlink(missing_ok=True)
    return len(codes)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that has no date and no owner: the same bytes whenever and whoever."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
