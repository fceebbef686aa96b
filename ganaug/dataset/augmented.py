"""The wrapper of a torch Dataset that adds synthetic samples."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ganaug.dataset.bank import SyntheticBank
from ganaug.dataset.items import ItemFormat, Transform
from ganaug.dataset.labels import DatasetLabels, innermost, read_dataset_labels
from ganaug.exceptions import GanaugError, InvalidInputError, InvalidTypeError
from ganaug.inputs import DataSpec
from ganaug.inputs.class_names import declared_classes, names_in_dataset
from ganaug.inputs.datasets import MapDataset, check_map_dataset
from ganaug.inputs.pixels import Array

Made = tuple[Array, npt.NDArray[np.int64]]  # values and class codes of synthetic samples


class AugmentedDataset(Dataset[Any]):
    """A dataset and, behind its items, synthetic ones that look the same.

    ``GANAugmenter.wrap`` makes one. Items come in the order: all of the dataset, made ones
    (synthetic, then classically augmented ones of the dataset's), duplicates of the dataset's. An
    item of the dataset is what the dataset returns, untouched but for `transform` and
    `target_transform`, for images of palettes, which are converted as in ``fit``, and for dicts,
    which keep image and label only: a synthetic item has nothing to put under further keys.
    Synthetic items get the transforms of a torchvision dataset, its own ones, just as its real
    items do. Random access, samplers, ``Subset``, ``ConcatDataset`` and DataLoader workers (fork
    and spawn) work as with the dataset itself.

    Parameters
    ----------
    dataset : map-style Dataset
        Items are (image, label), or dicts with the keys named in `spec`.
    synthetic : callable or (values, codes)
        ``synthetic(epoch) -> (values, codes)``, which is called in the process that makes this
        object and never in a worker: first for epoch 0, then by :meth:`set_epoch`. The same epoch
        must give the same samples, and every epoch the same codes. values: uint8 (m, C, H, W), or
        float32 (m, d) for tables; codes: int64 (m,), positions in `classes`.
    spec : DataSpec
        What the data given to ``fit`` looked like.
    classes : ndarray, shape (n_classes,)
        Sorted classes seen in ``fit``.
    labels : DatasetLabels, optional
        What :func:`read_dataset_labels` gave for the dataset, to spare reading it again.
    kinds : ndarray of str, shape (m,), optional
        Of the samples made: "synthetic", which is the default, "augmented" or "interpolated".
    sources : ndarray of int64, shape (m,), optional
        Positions in `dataset` of the items that they were made from; -1, which is the default, for
        synthetic ones.
    duplicates : sequence of int, optional
        Positions in `dataset` of items to repeat.
    transform : callable, optional
        Applied to the image of every item, real and synthetic alike (for a torchvision dataset,
        after its own). An albumentations transform is called as it wants to be.
    target_transform : callable, optional
        Applied to the label of every item.
    refresh : bool, default=False
        Whether :meth:`set_epoch` brings new synthetic samples.
    synthetic_weight : float, default=1.0
        Weight of a synthetic sample; real ones have 1.
    return_weight : bool, default=False
        Return (image, label, weight); in dicts, under the key "weight".
    return_is_synthetic : bool, default=False
        Return (image, label, is_synthetic), after the weight where both are asked for; in dicts,
        under the key "is_synthetic".
    directory : path-like, optional
        Where the synthetic samples are kept as a memory-mapped file while this object lives; by
        default where the system keeps temporary files.

    Attributes
    ----------
    dataset : Dataset
        The wrapped one.
    targets : list, Tensor or ndarray, length n
        Label of every item before any target transform, in the container of the dataset's own
        ``targets`` if it has them, else an ndarray. For ``WeightedRandomSampler`` and the like.
    source_index : ndarray of int64, shape (n,)
        Position in the dataset of the item that stands there, or is augmented or repeated; -1 if
        synthetic.
    kinds : ndarray of str, shape (n,)
        "real", "synthetic", "augmented", "interpolated" or "duplicate".
    classes : list
        The dataset's own ``classes``, else the names that it has for labels from 0, in their order,
        else the classes seen in ``fit``.
    class_to_idx : dict
        The dataset's own, where it has one.
    is_synthetic : ndarray of bool, shape (n,)
    weights : ndarray of float32, shape (n,)
        Weight of every item.
    n_real, n_synthetic, n_augmented, n_interpolated, n_duplicates : int
    bank : SyntheticBank
        The samples that were made.

    Raises
    ------
    InvalidInputError
        When the dataset has labels that were not seen in ``fit`` (says which; all labels are looked
        at now, not when an item is read), or images unlike those seen in ``fit``.
    InvalidTypeError
        When its items are neither (image, label) nor dicts.

    Notes
    -----
    To read the labels costs no image where the dataset declares them, see
    :func:`read_dataset_labels`. Pickled copies, such as workers', hold the path of the synthetic
    samples and no generator; they see a new epoch as soon as the original is told of it. In
    distributed training, wrap in each process: the same seed gives all of them the same samples.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> from ganaug.inputs import read_training_set
    >>> images, labels = torch.rand(40, 1, 8, 8), torch.arange(40) % 2
    >>> fitted = read_training_set(images, labels)
    >>> made = np.zeros((5, 1, 8, 8), dtype=np.uint8), np.ones(5, dtype=np.int64)
    >>> train = AugmentedDataset(
    ...     TensorDataset(images, labels), made, spec=fitted.spec, classes=fitted.classes
    ... )
    >>> len(train), train.is_synthetic.sum().item()
    (45, 5)
    >>> image, label = train[44]
    >>> image.shape, label
    (torch.Size([1, 8, 8]), tensor(1))
    """

    def __init__(
        self,
        dataset: MapDataset,
        synthetic: Callable[[int], Made] | Made,
        *,
        spec: DataSpec,
        classes: npt.NDArray[Any],
        labels: DatasetLabels | None = None,
        kinds: npt.NDArray[np.str_] | None = None,
        sources: npt.NDArray[np.int64] | None = None,
        duplicates: Sequence[int] | npt.NDArray[np.int64] = (),
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        refresh: bool = False,
        synthetic_weight: float = 1.0,
        return_weight: bool = False,
        return_is_synthetic: bool = False,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        check_map_dataset(dataset)
        _check_callable("transform", transform)
        _check_callable("target_transform", target_transform)
        _check_directory(directory)
        weight = _checked_weight(synthetic_weight)
        if labels is None:
            labels = read_dataset_labels(
                dataset, classes, image_key=spec.image_key, label_key=spec.label_key
            )
        self.dataset = dataset
        self.refresh = refresh
        self.return_weight, self.return_is_synthetic = return_weight, return_is_synthetic
        self._format = ItemFormat(dataset, spec, labels.by_code, transform, target_transform)
        if refresh and not callable(synthetic):
            raise InvalidInputError(
                "`synthetic` must be a function of the epoch for refresh=True. Got fixed ones "
                "instead."
            )
        self._synthetic = synthetic if refresh and callable(synthetic) else None
        values, codes = synthetic(0) if callable(synthetic) else synthetic
        self.bank = SyntheticBank.create(_checked(values, spec), codes, directory)
        self._duplicates = np.asarray(duplicates, dtype=np.int64)
        sources = np.full(len(codes), -1) if sources is None else np.asarray(sources)
        self.n_real, self.n_duplicates = len(labels.codes), len(self._duplicates)
        self.source_index = np.concatenate([np.arange(self.n_real), sources, self._duplicates])
        made = np.full(len(codes), "synthetic") if kinds is None else kinds
        repeated = np.full(self.n_duplicates, "duplicate")
        self.kinds = np.concatenate([np.full(self.n_real, "real"), made, repeated])
        self.n_synthetic, self.n_augmented, self.n_interpolated = (
            int(np.count_nonzero(made == kind))
            for kind in ("synthetic", "augmented", "interpolated")
        )
        all_codes = np.concatenate([labels.codes, codes, labels.codes[self._duplicates]])
        self.is_synthetic = self.kinds == "synthetic"
        self.weights = np.where(self.is_synthetic, weight, 1).astype(np.float32)
        inner = innermost(dataset)
        item_labels = np.asarray(self._format.labels).reshape(-1)[all_codes]
        self.targets = _targets_like(getattr(inner, "targets", None), item_labels)
        names = names_in_dataset(dataset, spec.label_key)
        known = [names[code] for code in sorted(names)] if {*names} == {*range(len(names))} else []
        self.classes = declared_classes(inner) or known or classes.tolist()
        if isinstance(codes_of := getattr(inner, "class_to_idx", None), Mapping):
            self.class_to_idx = dict(codes_of)

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def _end_of_made(self) -> int:
        return self.n_real + len(self.bank.labels)

    def __getitem__(self, index: int) -> Any:
        try:
            position = operator.index(index)
        except TypeError:
            raise InvalidTypeError(
                f"Indices must be integers. Got a {type(index).__name__} instead: for several "
                "items use torch.utils.data.Subset(dataset, indices)."
            ) from None
        return self.__getitems__([position])[0]

    def get_labels(self) -> Any:
        """Give `targets`, under the name by which samplers such as torchsampler ask for them."""
        return self.targets

    @property
    def transform(self) -> Transform | None:
        """What is applied to the image of every item; loaders such as timm's set it."""
        return self._format.transform

    @transform.setter
    def transform(self, transform: Transform | None) -> None:
        _check_callable("transform", transform)
        self._format.transform = transform

    @property
    def target_transform(self) -> Transform | None:
        """What is applied to the label of every item."""
        return self._format.target_transform

    @target_transform.setter
    def target_transform(self, transform: Transform | None) -> None:
        _check_callable("target_transform", transform)
        self._format.target_transform = transform

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Give several items at once, as DataLoader asks for them.

        `indices`: negative ones count from the end.
        """
        n_real, end, n = self.n_real, self._end_of_made, len(self)
        if len(indices) and (min(indices) < 0 or max(indices) >= n):
            every = range(n)
            indices = [every[i] for i in indices]  # refuses what is out of range
        places = [i - n_real for i in indices if n_real <= i < end]
        items = self._read_real([i for i in indices if i < n_real or i >= end])
        if places:  # one pass, since this is the loader's inner loop
            made = iter(self._format.make(self.bank.values[places], self.bank.labels[places]))
            real = iter(items)
            items = [next(made if n_real <= i < end else real) for i in indices]
        items = self._format.finish(items)
        if self.return_weight or self.return_is_synthetic:
            return [self._with_provenance(item, i) for item, i in zip(items, indices, strict=True)]
        return items

    def __repr__(self) -> str:
        return (
            f"AugmentedDataset({self.n_real} real + {self.n_synthetic} synthetic + "
            f"{self.n_augmented} augmented + {self.n_interpolated} interpolated + "
            f"{self.n_duplicates} duplicate items of "
            f"{type(self.dataset).__name__})"
        )

    @property
    def epoch(self) -> int:
        """Epoch whose synthetic samples are served."""
        return self.bank.epoch

    def set_epoch(self, epoch: int) -> None:
        """Bring the synthetic samples of another epoch; without `refresh`, do nothing.

        Call it in the main process before iterating over the DataLoader, as
        ``DistributedSampler.set_epoch``. The samples are made here, once; workers, persistent ones
        too, read them from the bank. Counts and labels stay the same.

        Parameters
        ----------
        epoch : int
            From 0. The same epoch brings the same samples again.

        Raises
        ------
        GanaugError
            With `refresh`, when called on a pickled copy or in a worker.
        """
        if not self.refresh or epoch == self.epoch:
            return
        if self._synthetic is None or not self.bank.is_owner:
            raise GanaugError(
                "set_epoch must be called on the AugmentedDataset that was wrapped, in its own "
                "process. Got called on a copy, such as a DataLoader worker's, instead."
            )
        values, codes = self._synthetic(epoch)
        if not np.array_equal(codes, self.bank.labels):
            raise InvalidInputError("`synthetic` must return the same codes in every epoch.")
        self.bank.publish(values, epoch)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_synthetic": None}  # no generator in workers

    def _read_real(self, indices: list[int]) -> list[Any]:
        """Read items of the dataset: its own, and those to be repeated."""
        if self.n_duplicates:
            end = self._end_of_made
            indices = [i if i < end else int(self._duplicates[i - end]) for i in indices]
        if indices and getattr(self.dataset, "__getitems__", None):
            return list(self.dataset.__getitems__(indices))
        return [self.dataset[i] for i in indices]

    def _with_provenance(self, item: Any, index: int) -> Any:
        further = {}
        if self.return_weight:
            further["weight"] = self.weights[index]
        if self.return_is_synthetic:
            further["is_synthetic"] = self.is_synthetic[index]
        return {**item, **further} if isinstance(item, Mapping) else (*item, *further.values())


def _checked(values: Array, spec: DataSpec) -> Array:
    wanted = spec.empty(0)
    if values.shape[1:] != wanted.shape[1:] or values.dtype != wanted.dtype:
        raise InvalidInputError(
            f"`synthetic` must give {wanted.dtype} samples of shape {wanted.shape[1:]}. "
            f"Got {values.dtype} of shape {values.shape[1:]} instead."
        )
    return values


def _check_callable(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise InvalidTypeError(f"`{name}` must be callable or None. Got {value!r} instead.")


def _check_directory(directory: object) -> None:
    if directory is not None and not (
        isinstance(directory, str | os.PathLike) and os.path.isdir(directory)
    ):
        raise InvalidInputError(
            f"`directory` must be a directory that exists, or None. Got {directory!r} instead."
        )


def _checked_weight(weight: object) -> float:
    if not isinstance(weight, int | float | np.number) or not 0 <= weight < float("inf"):
        raise InvalidInputError(
            f"`synthetic_weight` must be 0 or more, and finite. Got {weight!r} instead."
        )
    return float(weight)


def _targets_like(own: Any, labels: Array) -> Any:
    """Give labels in the container of a dataset's own ``targets``."""
    if isinstance(own, list):
        return labels.tolist()
    return torch.from_numpy(labels).to(own.dtype) if isinstance(own, torch.Tensor) else labels
