"""Real samples and added ones in one, in the container that the user handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Subset

from ganaug.augmentation import Augmentation, augments, interpolated_share
from ganaug.checks import check_values, number, one_of, warn_user
from ganaug.dataset import AugmentedDataset
from ganaug.dataset.labels import DatasetLabels
from ganaug.exceptions import GanaugWarning, InvalidInputError, TrainingWarning
from ganaug.inputs import DataSpec, encode_dataset, read_labelled
from ganaug.inputs.containers import (
    Samples,
    extendable_samples,
    refuse_two_looks,
    take_samples,
)
from ganaug.inputs.labels import read_labels
from ganaug.options import MIN_TRUST
from ganaug.resampling import (
    NETWORK_SHARE,
    Added,
    ClassPlan,
    carry_out,
    default_share,
    is_enlarging,
    plan,
)
from ganaug.sampler import TrainedSampler
from ganaug.seeds import derived_seed

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Mixed:
    """Samples of several kinds: the real ones first and untouched, then those added.

    `kinds` (str (n,)): "real", "synthetic", "augmented", "interpolated" or "duplicate".
    `sources` (int64 (n,)): which of the user's samples each is, repeats, or was made from; -1 for
    synthetic ones. `augmented_by`: how the augmented ones were made; empty where none were.
    """

    X: Samples
    y: Samples
    kinds: npt.NDArray[np.str_]
    sources: npt.NDArray[np.int64]
    augmented_by: str


def read_real(
    X: Samples, y: Samples, *, spec: DataSpec, classes: Array
) -> tuple[Samples, Any, Any]:
    """Give samples to which others can be added, their values as the networks see them, and codes.

    Raises InvalidInputError, InvalidTypeError for samples that synthetic ones would not look like,
    and for unknown labels.
    """
    X = extendable_samples(X, spec)
    if spec.kind == "image":
        refuse_two_looks(X, spec.resize)
    return X, *read_labelled(X, y, spec=spec, classes=classes)


def plan_by_code(
    codes: Array,
    strategy: Any,
    share: float | None,
    augmentation: Any,
    *,
    sampler: TrainedSampler,
    trust: Mapping[Any, float],
    for_network: bool = False,
) -> dict[int, ClassPlan]:
    """Decide what a fitted model's classes get; warn where that is nothing synthetic.

    `codes` (int64 (n,)): class codes of the real samples. `strategy`, `trust`: as in
    `ganaug.resampling.plan`. `share`, `augmentation`: the estimator's parameters; None is what was
    best where it was measured. `for_network`: whether the samples are for a network trained with
    augmentation. Returns: dict of class code to ClassPlan.
    """
    if mistake := number(0, 1, None)("synthetic_share", share):
        raise InvalidInputError(mistake)
    kind, classes = sampler.spec.kind, sampler.classes
    usual = NETWORK_SHARE if for_network else default_share(len(codes), kind)
    plans = plan(
        classes[codes],
        sampler.model.by_label(strategy) if isinstance(strategy, Mapping) else strategy,
        synthetic_share=usual if share is None else share,
        trust=trust,
        interpolated_share=interpolated_share(augmentation, kind, enlarges=is_enlarging(strategy)),
        augments=augments(augmentation),
    )
    noted = [p.label for p in plans.values() if p.note]
    if noted and not any(p.n_synthetic for p in plans.values()):
        warn_that_all_are_distrusted(trust, noted, "are filled up with real ones")
    if share is None and not usual and any(p.n_added for p in plans.values()):
        reason = (
            "a convolutional network trained with augmentation gained nothing from them"
            if for_network
            else "GANs of tables, or of so few images, were not shown to be worth their training"
        )
        warn_user(
            f"GANAugmenter adds samples made of real ones and no synthetic ones: {reason} where it "
            "was measured. Pass synthetic_share=0.25 to add them all the same.",
            GanaugWarning,
        )
    return plans_by_code(plans, classes)


def plans_by_code(plans: Mapping[Any, ClassPlan], classes: Array) -> dict[int, ClassPlan]:
    """Key plans by class code in place of label."""
    code_of = {label: code for code, label in enumerate(classes.tolist())}
    return {code_of[label]: plan for label, plan in plans.items()}


def warn_that_all_are_distrusted(
    trust: Mapping[Any, float], labels: list[Any], what_they_do: str
) -> None:
    """Warn that a model adds nothing to the classes that were to get synthetic samples."""
    best = max(trust[label] for label in labels)
    warn_user(
        f"GANAugmenter adds no synthetic samples: all classes {what_they_do}. A classifier of the "
        f"real samples takes at most {best:.0%} of the synthetic ones of any of them for their "
        f"class, less than {MIN_TRUST:.0%}. Train longer (`max_images`), on a GPU if need be, or "
        "leave the GAN out.",
        TrainingWarning,
    )


def add_samples(
    X: Samples,
    y: Samples,
    values: Array,
    codes: Array,
    plans: Mapping[int, ClassPlan],
    *,
    spec: DataSpec,
    classes: Array,
    **options: Any,
) -> Mixed:
    """Make what a plan asks for, and put it behind the real samples.

    `values`, `codes`: the same as the networks see them. `plans`: mapping of class code to
    ClassPlan. `spec`: what X looks like. `classes`: array (n_classes,). `**options`: of
    `ganaug.resampling.carry_out`.
    """
    added = carry_out(plans, values, codes, **options)
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
        added.augmented_by,
    )


def _read_and_fit(
    dataset: Any,
    labels: DatasetLabels,
    read: npt.NDArray[np.int64],
    sampler: TrainedSampler,
    augmentation: Augmentation,
) -> tuple[Array, Augmentation]:
    """Give the values of the items that are `read`, and the augmentation.

    Where a warp is to be found, all items are read once and judge it, as in `augment`.
    """
    if augmentation.transform is not None:
        return encode_dataset(Subset(dataset, read.tolist()), sampler.spec), augmentation
    values = encode_dataset(dataset, sampler.spec)
    return values[read], augmentation.fitted_to(values, labels.codes, sampler.seed)


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

    `labels`: of its items. `plans`: mapping of class code to ClassPlan. `refresh`: whether each
    epoch brings other samples. `**options`: of `AugmentedDataset`.
    """
    flags = one_of(True, False)
    switches = {"refresh": refresh} | {k: v for k, v in options.items() if k.startswith("return_")}
    check_values(dict.fromkeys(switches, flags), switches)
    # nothing is read where none is varied; else also what is repeated, which is drawn from the same
    varied = any(plan.n_augmented or plan.n_interpolated for plan in plans.values())
    of_real = [code for code, plan in plans.items() if varied and plan.n_added > plan.n_synthetic]
    if varied and sampler.spec.kind == "table":
        raise InvalidInputError(
            "`synthetic_share` must be 1 to wrap a Dataset of feature rows, whose own rows are not "
            "interpolated. Got less instead: pass 1, or use `augment` with arrays."
        )
    read = np.flatnonzero(np.isin(labels.codes, of_real))
    if augmentation is not None and any(plan.n_augmented for plan in plans.values()):
        values, augmentation = _read_and_fit(dataset, labels, read, sampler, augmentation)
    else:
        values = encode_dataset(Subset(dataset, read.tolist()), sampler.spec)
    positions = read if varied else np.arange(len(labels.codes))
    codes = labels.codes[positions]

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
    sources = np.where(sources < 0, -1, positions[sources])
    return AugmentedDataset(
        dataset,
        (lambda epoch: made(make(epoch))) if refresh else made(first),
        spec=sampler.spec,
        classes=sampler.classes,
        labels=labels,
        kinds=first.kinds[: first.n_made],
        sources=sources,
        duplicates=positions[first.repeated],
        refresh=refresh,
        **options,
    )
