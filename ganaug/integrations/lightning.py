"""New synthetic samples in each epoch of a Lightning training.

Needs Lightning: ``pip install "ganaug[lightning]"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ganaug.checks import require_extra
from ganaug.dataset import AugmentedDataset
from ganaug.exceptions import InvalidInputError

pl: Any = require_extra("lightning.pytorch", "lightning")


class SetEpoch(pl.Callback):
    """Call `set_epoch` of every `AugmentedDataset` that is trained on, before each epoch.

    For datasets wrapped with ``refresh=True``. The dataset may lie within Subsets,
    ConcatDatasets and collections of DataLoaders; workers may be persistent.

    Raises
    ------
    InvalidInputError
        At the first epoch, when the training reads from no `AugmentedDataset`.

    Notes
    -----
    When a training is resumed, the few batches that workers have read ahead before its first epoch
    still hold the synthetic samples of epoch 0.

    Examples
    --------
    >>> from lightning.pytorch import Trainer
    >>> trainer = Trainer(callbacks=[SetEpoch()], logger=False, enable_checkpointing=False)
    """

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Tell the datasets which epoch begins."""
        datasets = list(_augmented_datasets(trainer.train_dataloader))
        if not datasets:
            raise InvalidInputError(
                "SetEpoch must train on an AugmentedDataset, as GANAugmenter.wrap makes it. Got "
                "DataLoaders without any: wrap the dataset, or leave the callback out."
            )
        for dataset in datasets:
            dataset.set_epoch(trainer.current_epoch)


def _augmented_datasets(source: Any) -> Iterator[AugmentedDataset]:
    """Find augmented datasets in DataLoaders, collections of them, Subsets and ConcatDatasets."""
    if isinstance(source, AugmentedDataset):
        yield source
        return
    if isinstance(source, Mapping):
        parts: Iterable[Any] = source.values()
    elif isinstance(source, list | tuple):
        parts = source
    else:
        parts = [*getattr(source, "datasets", ()), getattr(source, "dataset", ())]
    for part in parts:
        yield from _augmented_datasets(part)
