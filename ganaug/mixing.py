"""Real samples and added ones in one, in the container that the user handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Subset

from ganaug.augmentation import Augmentation
from ganaug.checks import check_values, one_of
from ganaug.dataset import AugmentedDataset
from ganaug.dataset.labels import DatasetLabels
from ganaug.inputs import DataSpec, encode_dataset
from ganaug.inputs.containers import Samples, take_samples
from ganaug.inputs.labels import read_labels
from ganaug.resampling import Added, ClassPlan, carry_out
from ganaug.sampler import TrainedSampler
from ganaug.seeds import derived_seed

__all__ = ["Mixed", "mix", "plans_by_code", "wrap_dataset"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Mixed:
    """Samples of several kinds: the real ones first and untouched, then those added.

    Attributes
    ----------
    X, y : like the user's
    kinds : ndarray of str, shape (n,)
        "real", "synthetic", "augmented" or "duplicate".
    sources : ndarray of int64, shape (n,)
        Which of the user's samples each is, repeats, or was made from; -1 for synthetic ones.
    """

    X: Samples
    y: Samples
    kinds: npt.NDArray[np.str_]
    sources: npt.NDArray[np.int64]


def mix(X: Samples, y: Samples, added: Added, spec: DataSpec, classes: Array) -> Mixed:
    """Put added samples behind real ones.

    Parameters
    ----------
    X, y : the user's samples and labels
    added : Added
        As `ganaug.resampling.carry_out` gives it.
    spec : DataSpec
        What X looks like.
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    Mixed
    """
    X_out = spec.concatenate(X, spec.decode(added.values))
    if len(added.repeated):
        X_out = spec.concatenate(X_out, take_samples(X, added.repeated))
    label_kind = read_labels(y)[2]  # which need not be that of fit
    y_out = label_kind.concatenate(y, label_kind.decode(added.codes, classes))
    n_real = len(X_out) - len(added.codes)
    return Mixed(
        X_out,
        y_out,
        np.concatenate([np.full(n_real, "real"), added.kinds]),
        np.concatenate([np.arange(n_real), added.sources]),
    )


def wrap_dataset(
    dataset: Any,
    labels: DatasetLabels,
    plans: Mapping[int, ClassPlan],
    *,
    sampler: TrainedSampler,
    augmentation: Augmentation | None,
    refresh: bool,
    **options: Any,
) -> AugmentedDataset:
    """Put what a plan asks for behind a Dataset's own items.

    Parameters
    ----------
    dataset : map-style Dataset
    labels : DatasetLabels
        Of its items.
    plans : mapping of class code to ClassPlan
    sampler : TrainedSampler
    augmentation : Augmentation or None
    refresh : bool
        Whether each epoch brings other samples.
    **options
        Of `AugmentedDataset`.

    Returns
    -------
    AugmentedDataset
    """
    flags = one_of(True, False)
    switches = {"refresh": refresh} | {k: v for k, v in options.items() if k.startswith("return_")}
    check_values(dict.fromkeys(switches, flags), switches)
    # only what is to be augmented is read
    augmented = [code for code, plan in plans.items() if plan.n_augmented]
    read = np.flatnonzero(np.isin(labels.codes, augmented))
    values = encode_dataset(Subset(dataset, read.tolist()), sampler.spec)
    codes = labels.codes if not len(read) else labels.codes[read]

    def make(epoch: int) -> Added:
        seed = derived_seed(sampler.seed, "epoch", epoch) if epoch else sampler.seed
        return carry_out(
            plans,
            values,
            codes,
            sampler=sampler.reseeded(seed),
            augmentation=augmentation,
            seed=sampler.seed,
            epoch=epoch,
        )

    def made(added: Added) -> tuple[Array, npt.NDArray[np.int64]]:
        return added.values, added.codes[: added.n_made]

    first = make(0)
    sources = first.sources[: first.n_made]
    if len(read):
        sources = np.where(sources < 0, -1, read[sources])
    return AugmentedDataset(
        dataset,
        (lambda epoch: made(make(epoch))) if refresh else made(first),
        spec=sampler.spec,
        classes=sampler.classes,
        labels=labels,
        sources=sources,
        duplicates=first.repeated,
        refresh=refresh,
        **options,
    )


def plans_by_code(plans: Mapping[Any, ClassPlan], classes: Array) -> dict[int, ClassPlan]:
    """Key plans by class code in place of label."""
    code_of = {label: code for code, label in enumerate(classes.tolist())}
    return {code_of[label]: plan for label, plan in plans.items()}
