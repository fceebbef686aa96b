"""Exact, seeded, per-class generation, with a filter that keeps its quota.

Samples are made in whole blocks of fixed size, each from its own random stream keyed by
(seed, class, block): the same samples come back whatever was asked for before, in whatever order
or batch. (A convolution's last bits depend on the batch size, so the blocks must not.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganaug.exceptions import SamplingError
from ganaug.gan.config import GANConfig
from ganaug.gan.networks import Generator, build_generator
from ganaug.gan.scaling import images_from_network
from ganaug.gan.training import TrainedGAN
from ganaug.seeds import stream

BLOCK_SIZE = 128
MIN_ACCEPTANCE = 0.01
"""A class of whose candidates less than this share passes the filter is an error."""
MAX_CANDIDATES_BEFORE_VERDICT = 20 * BLOCK_SIZE

SampleFilter = Callable[[Tensor, int], Tensor]
"""(samples of one class in the data's own units, class code) -> bool mask of those to keep."""


@dataclass(frozen=True)
class _Part:
    """One trained model: its generator on the device, in evaluation mode."""

    config: GANConfig
    generator: Generator

    def make(self, z: Tensor, label: int) -> Tensor:
        """Make samples of one class, in the data's own units, on the CPU."""
        values = self.generator(z, torch.full((len(z),), label, device=z.device))
        values = images_from_network(values) if self.config.is_image else values.float()
        return values.cpu().contiguous()


class Sampler:
    """Makes samples of any class from one joint model, or from one model per class.

    `models`: a single joint model, or one single-class model per class, in the order of the codes.
    `accepts`: only samples that it accepts are returned. `n_candidates`, `n_accepted` (dict of int
    to int): per class code: candidates made and accepted so far.
    """

    def __init__(
        self,
        models: Sequence[TrainedGAN],
        device: torch.device | str = "cpu",
        accepts: SampleFilter | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.parts = [_load_part(model, self.device) for model in models]
        self.per_class = len(models) > 1 or models[0].config.n_classes == 1
        self.accepts = accepts
        self.n_candidates: dict[int, int] = {}
        self.n_accepted: dict[int, int] = {}

    def sample(self, counts: Mapping[int, int], *, seed: int, start: int = 0) -> Tensor:
        """Make exactly `counts[code]` samples of each class, in the order of `counts`.

        `counts` (mapping of int to int): samples by class code. `start`: how many accepted samples
        of each class to pass over: ``start=n`` goes on where a call for n samples ended. Returns:
        Tensor of shape (sum of counts, C, H, W), uint8, or (sum of counts, n_features), float32.
        Raises SamplingError when the filter accepts less than `MIN_ACCEPTANCE` of a class's
        candidates.
        """
        chunks = [
            chunk
            for code, n in counts.items()
            for chunk in self._sample_class(code, n, seed, start)
        ]
        return torch.cat(chunks) if chunks else self._empty()

    def _sample_class(self, code: int, n: int, seed: int, start: int) -> Iterator[Tensor]:
        """Yield chunks of exactly n accepted samples of one class, after the first `start`."""
        if n == 0:
            return
        to_skip, to_make = start, n
        block = 0
        if self.accepts is None:  # nothing is rejected, so whole blocks can be passed over unseen
            block, to_skip = divmod(start, BLOCK_SIZE)
        n_seen = n_kept = 0
        while to_make > 0:
            samples = self.block(code, seed, block)
            kept = samples if self.accepts is None else samples[self.accepts(samples, code)]
            n_seen, n_kept, block = n_seen + len(samples), n_kept + len(kept), block + 1
            if n_seen >= MAX_CANDIDATES_BEFORE_VERDICT and n_kept < MIN_ACCEPTANCE * n_seen:
                raise AcceptanceError(code, n_kept, n_seen)
            chunk = kept[to_skip : to_skip + to_make]
            to_skip = max(0, to_skip - len(kept))
            to_make -= len(chunk)
            yield chunk
        self.n_candidates[code] = self.n_candidates.get(code, 0) + n_seen
        self.n_accepted[code] = self.n_accepted.get(code, 0) + n_kept

    @torch.no_grad()
    def block(self, code: int, seed: int, block: int) -> Tensor:
        """Make the `BLOCK_SIZE` unfiltered candidates of one block."""
        part, label = self._part_of(code)
        z = part.generator.draw_latents(BLOCK_SIZE, stream(seed, code, block), self.device)
        return part.make(z, label)

    @torch.no_grad()
    def interpolate(self, code: int, *, seed: int, n_steps: int) -> Tensor:
        """Make n_steps unfiltered samples of one class on the way between two latent points.

        The way is along the sphere (White, 2016), on which a normal latent vector's mass lies.
        """
        part, label = self._part_of(code)
        random = stream(seed, code, "interpolation")
        ends = part.generator.draw_latents(2, random, torch.device("cpu"))
        angle = torch.acos(torch.cosine_similarity(ends[:1], ends[1:]).clamp(-0.999, 0.999))
        share = torch.linspace(0, 1, n_steps)[:, None]
        z = torch.sin((1 - share) * angle) * ends[:1] + torch.sin(share * angle) * ends[1:]
        return part.make((z / torch.sin(angle)).to(self.device), label)

    def _part_of(self, code: int) -> tuple[_Part, int]:
        return (self.parts[code], 0) if self.per_class else (self.parts[0], code)

    def _empty(self) -> Tensor:
        config = self.parts[0].config
        if config.image_shape is not None:
            return torch.empty((0, *config.image_shape), dtype=torch.uint8)
        assert config.n_features is not None
        return torch.empty((0, config.n_features))


class AcceptanceError(SamplingError):
    """The filter rejected nearly everything of one class (by its code; callers name it)."""

    def __init__(self, code: int, n_accepted: int, n_candidates: int) -> None:
        self.code, self.n_accepted, self.n_candidates = code, n_accepted, n_candidates
        super().__init__(
            f"Class code {code}: the filter accepted {n_accepted} of {n_candidates} candidates."
        )


def _load_part(model: TrainedGAN, device: torch.device) -> _Part:
    unused = torch.Generator()  # the initial weights are overwritten at once
    generator = build_generator(model.config, unused, device)
    generator.load_state_dict(model.generator_state)
    generator.to(memory_format=torch.channels_last)  # faster on CPUs by a fifth
    return _Part(model.config, generator.eval().requires_grad_(False))
