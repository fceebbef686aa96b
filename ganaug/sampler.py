"""`TrainedSampler`: exactly as many synthetic samples of each class as are asked for.

The small public interface of a trained model: what adapters, the over-sampler, banks, the audit and
the command line need of it. Counts and labels are the user's, values on request the networks'.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganaug.checks import check_count, did_you_mean
from ganaug.devices import available_device
from ganaug.exceptions import InvalidInputError, SamplingError
from ganaug.gan.sampling import BLOCK_SIZE, AcceptanceError, Sampler
from ganaug.inputs import DataSpec, LabelKind
from ganaug.matching import PixelStatistics, apply_lookup
from ganaug.model import FittedModel
from ganaug.resampling import is_trusted
from ganaug.seeds import draw_seed
from ganaug.settings import own_settings

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

CALIBRATION_BLOCKS = 4
"""Blocks of unfiltered samples on which trust and pixel values are measured."""


class TrainedSampler:
    """Serves the synthetic samples of a fitted model.

    ``GANAugmenter.sampler_`` is one.

    Parameters
    ----------
    model : FittedModel
    device : torch.device or str, default="cpu"
    is_filtered : bool, optional
        Whether samples that the classifier of the real ones takes for another class are rejected
        and redrawn; by default as the model was fitted.

    Attributes
    ----------
    model : FittedModel
    seed : int
        The seed that samples are drawn from by default.
    device : str
    """

    @own_settings()
    def __init__(
        self,
        model: FittedModel,
        device: torch.device | str = "cpu",
        is_filtered: bool | None = None,
    ) -> None:
        self.model = model
        self.seed = model.seed
        self.device = str(device)
        self.is_filtered = model.is_filtered if is_filtered is None else is_filtered
        if self.is_filtered and model.classifier is None:
            raise InvalidInputError(
                "filter='classifier' needs the classifier that `fit` trains when it is set before. "
                "Fit again."
            )
        self._members = [self._build_member(index) for index in range(model.n_generators)]

    def _build_member(self, index: int) -> Sampler:
        accepts = partial(self._accepts, index) if self.is_filtered else None
        return Sampler(self.model.generator(index), self.device, accepts)

    def reseeded(self, seed: int) -> TrainedSampler:
        """Give the same sampler with another `seed`."""
        other = TrainedSampler.__new__(TrainedSampler)
        vars(other).update(vars(self), seed=seed)  # of the same networks
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the networks on the device out: they are rebuilt from the model's weights."""
        return _rebuilt, (self.model, self.device, self.is_filtered, self.seed)

    # --- what the model is ---

    @property
    def spec(self) -> DataSpec:
        """What the data looked like."""
        return self.model.spec

    @property
    def label_kind(self) -> LabelKind:
        """What the labels looked like."""
        return self.model.label_kind

    @property
    def classes(self) -> Array:
        """Sorted labels, shape (n_classes,)."""
        return self.model.classes

    @property
    def class_names(self) -> dict[Any, str]:
        """By label, the name that the data have for it, else the label as text."""
        return self._by_label(list(self.model.class_names))

    @property
    def class_counts(self) -> dict[Any, int]:
        """Real samples by label."""
        return self._by_label(self.model.class_counts.tolist())

    @property
    def trust(self) -> dict[Any, float]:
        """By label, the share of unfiltered samples that a classifier of the real ones agrees with.

        Empty without a classifier.
        """
        return self._by_label(self.model.trust or [])

    @property
    def distrusted(self) -> list[Any]:
        """Labels of the classes whose synthetic samples plans do not use."""
        return [label for label, share in self.trust.items() if not is_trusted(share)]

    def acceptance(self) -> dict[Any, float]:
        """Share of candidates that the filter has accepted so far, by label."""
        labels, found = self.classes.tolist(), {}
        for code, label in enumerate(labels):
            n = sum(member.n_candidates.get(code, 0) for member in self._members)
            if n:
                found[label] = sum(m.n_accepted.get(code, 0) for m in self._members) / n
        return found

    def _by_label(self, values: list[Any]) -> dict[Any, Any]:
        return dict(zip(self.classes.tolist(), values, strict=False))

    # --- samples ---

    def sample(
        self, n_samples: int | Mapping[Any, int], *, random_state: int | None = None, start: int = 0
    ) -> tuple[Any, Any]:
        """Make synthetic samples in the user's own units, as `GANAugmenter.sample` does."""
        seed = None if random_state is None else draw_seed(random_state)
        counts = self.counts_by_code(n_samples)
        values, codes = self.sample_values(counts, seed=seed, start=start)
        return self.spec.decode(values), self.label_kind.decode(codes, self.classes)

    @own_settings()
    def sample_values(
        self, counts: Mapping[int, int], *, seed: int | None = None, start: int = 0
    ) -> tuple[Array, Codes]:
        """Make synthetic samples as the networks see them.

        Parameters
        ----------
        counts : mapping of class code to int
        seed : int, optional
            By default `seed`.
        start : int, default=0
            How many samples of each class to pass over: ``start=n`` goes on where a call for n
            samples ended.

        Returns
        -------
        values : ndarray of shape (n, C, H, W), uint8, or (n, n_features), float32
        codes : ndarray of shape (n,), int64

        Raises
        ------
        SamplingError
            When the filter rejects nearly everything of a class.
        """
        start = check_count("start", start)
        seed = self.seed if seed is None else seed
        made = [self._of_class(code, n, seed, start) for code, n in counts.items()]
        values = np.concatenate([self._members[0].sample({}, seed=seed).numpy(), *made])
        codes = np.repeat(list(counts.keys()), list(counts.values())).astype(np.int64)
        return values, codes

    def counts_by_code(self, n_samples: int | Mapping[Any, int]) -> dict[int, int]:
        """Turn a total, or counts by label or name, into counts by class code."""
        n_classes = len(self.classes)
        if not isinstance(n_samples, Mapping):
            n = check_count("n_samples", n_samples)
            return {code: n // n_classes + (code < n % n_classes) for code in range(n_classes)}
        code_of = {label: code for code, label in enumerate(self.classes.tolist())}
        counts = {}
        for label, n in self.model.by_label(n_samples).items():
            plain = label.item() if isinstance(label, np.generic | torch.Tensor) else label
            if plain not in code_of:
                known = [*dict.fromkeys([*code_of, *(self.model.label_kind.class_names or ())])]
                raise InvalidInputError(
                    f"`n_samples` names the unknown class {label!r}. Known classes: "
                    f"{known}.{did_you_mean(plain, known)}"
                )
            counts[code_of[plain]] = check_count(f"n_samples[{label!r}]", n)
        return counts

    @own_settings()
    def interpolate(self, code: int, *, n_steps: int) -> Array:
        """Make unfiltered samples of one class on the way between two latent points."""
        steps = self._members[0].interpolate(code, seed=self.seed, n_steps=n_steps)
        return self._finish(steps, 0, code)

    def _of_class(self, code: int, n: int, seed: int, start: int) -> Array:
        """Draw from the class's generators in turn: sample i comes from the (i mod n_makers)th."""
        makers = self.model.makers(code)
        order, made = np.arange(start, start + n) % len(makers), []
        for place, index in enumerate(makers):
            # positions start, ..., start + n - 1 whose turn it is
            first = -(-(start - place) // len(makers))
            count = -(-(start + n - place) // len(makers)) - first
            made.append(self._of_generator(index, code, count, seed, first))
        out: Array = np.empty((n, *made[0].shape[1:]), dtype=made[0].dtype)
        for place, values in enumerate(made):
            out[order == place] = values
        return out

    def _of_generator(self, index: int, code: int, n: int, seed: int, start: int) -> Array:
        try:
            samples = self._members[index].sample({code: n}, seed=seed + index, start=start)
        except AcceptanceError as error:
            raise self._name_class(error) from error
        return self._finish(samples, index, code)

    def _finish(self, samples: Tensor, index: int, code: int) -> Array:
        """Bring a generator's samples to the units and pixel statistics of the real ones."""
        if self.model.scaler is not None:
            return self.model.scaler.from_network(samples).numpy()
        lookups = self.model.lookups
        values: Array = samples.numpy()
        return values if lookups is None else apply_lookup(lookups[index, code], values)

    def _accepts(self, index: int, samples: Tensor, code: int) -> Tensor:
        """Keep samples that, as they are served, a classifier of the real ones takes for theirs."""
        classifier = self.model.classifier
        assert classifier is not None
        values = self._finish(samples, index, code)
        return torch.from_numpy(classifier.predict_proba(values).argmax(axis=1) == code)

    def _name_class(self, error: AcceptanceError) -> SamplingError:
        label = (self.model.label_kind.class_names or self.classes.tolist())[error.code]
        share = error.n_accepted / error.n_candidates
        return SamplingError(
            f"Class {label!r} ({self.model.class_counts[error.code]} real samples): the filter "
            f"(classifier) accepted only {error.n_accepted} of {error.n_candidates} synthetic "
            f"samples ({share:.1%}), too few to be trusted. Use augmented real samples for this "
            "class, train longer (`max_images`), or set `filter=None`."
        )

    # --- calibration, once, after a training ---

    @own_settings()
    def measure_trust(self) -> list[list[float]]:
        """Measure `generator_trust` on samples of a stream that `sample` does not use."""
        codes = range(self.model.n_classes)
        return [[self._share_accepted(i, c) for c in codes] for i in range(len(self._members))]

    def _share_accepted(self, index: int, code: int) -> float:
        accepted = self._accepts(index, self._calibration(index, code), code)
        return float(accepted.float().mean())

    @own_settings()
    def measure_lookups(self, values: Array, codes: Codes) -> npt.NDArray[np.uint8]:
        """Find what each pixel value must become, by generator, class and channel.

        Parameters
        ----------
        values : ndarray of shape (n, C, H, W), uint8
            The real images.
        codes : ndarray of shape (n,), int64
        """
        statistics = PixelStatistics.fit(values)
        found = [
            statistics.lookup(self._as_served(index, code), values[codes == code])
            for index in range(len(self._members))
            for code in range(self.model.n_classes)
        ]
        return np.stack(found).reshape(len(self._members), self.model.n_classes, -1, 256)

    def _as_served(self, index: int, code: int) -> Array:
        """Give calibration samples that the filter accepts, or all where these are few."""
        samples = self._calibration(index, code)
        if self.is_filtered:
            accepted = samples[self._accepts(index, samples, code)]
            samples = accepted if len(accepted) >= BLOCK_SIZE // 4 else samples
        values: Array = samples.numpy()
        return values

    def _calibration(self, index: int, code: int) -> Tensor:
        member = self._members[index]
        return torch.cat([member.block(code, ~self.seed, b) for b in range(CALIBRATION_BLOCKS)])


def _rebuilt(model: FittedModel, device: str, is_filtered: bool, seed: int) -> TrainedSampler:
    """Rebuild a pickled sampler, on the CPU where its device is not there."""
    return TrainedSampler(model, available_device(device), is_filtered).reseeded(seed)
