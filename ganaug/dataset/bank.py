"""Synthetic rows in memory-mapped files, shared by all processes of one machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.exceptions import GanaugError, InvalidInputError, ModelFileError

Array = npt.NDArray[Any]


class SyntheticBank:
    """Rows and their class codes in memory-mapped files.

    Made by :meth:`create`. It pickles as the path of its folder, so that DataLoader workers share
    the pages of one file instead of getting a copy each. The object that :meth:`create` gave owns
    the folder: it alone can :meth:`publish` other rows, and the folder goes when it dies. Rows that
    a worker has open stay readable until it has finished with them.

    Parameters
    ----------
    folder : path-like
        Of an existing bank.

    Attributes
    ----------
    labels : ndarray of int64, shape (m,), read-only
        Class codes.

    Raises
    ------
    ModelFileError
        When the folder, or a file in it, is gone.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> images = np.zeros((5, 1, 8, 8), dtype=np.uint8)
    >>> bank = SyntheticBank.create(images, np.arange(5))
    >>> len(pickle.dumps(bank)) < 200
    True
    >>> pickle.loads(pickle.dumps(bank)).values[2:4].shape
    (2, 1, 8, 8)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._remove_at_end: weakref.finalize[Any, Any] | None = None
        self._owner_pid: int | None = None
        try:
            self.labels = _map(self._folder / "labels.npy")
            # the page of this one number is how the owner tells workers of another epoch
            self._shared_epoch = _map(self._folder / "epoch.npy")
        except FileNotFoundError:
            raise _gone(self._folder) from None
        self._open_epoch, self._values = self._open_current()

    @classmethod
    def create(
        cls,
        values: Array,
        labels: npt.NDArray[np.int64],
        directory: str | os.PathLike[str] | None = None,
    ) -> SyntheticBank:
        """Write rows to a new folder.

        Parameters
        ----------
        values : ndarray, shape (m, ...)
            uint8 images (m, C, H, W), or float32 rows (m, d).
        labels : ndarray of int64, shape (m,)
            Class codes.
        directory : path-like, optional
            Where to make the folder; by default where the system keeps temporary files.

        Returns
        -------
        SyntheticBank
            The owner of the folder.

        Raises
        ------
        InvalidInputError
            When values and labels differ in length.
        """
        if len(values) != len(labels):
            raise InvalidInputError(
                "`values` and `labels` must have the same length. "
                f"Got {len(values)} and {len(labels)} instead."
            )
        folder = Path(tempfile.mkdtemp(prefix="ganaug-bank-", dir=directory))
        try:
            np.save(folder / "labels.npy", np.asarray(labels, dtype=np.int64))
            np.save(_values_file(folder, 0), values)
            np.save(folder / "epoch.npy", np.zeros(1, dtype=np.int64))
            bank = cls(folder)
        except BaseException:  # a full disk or Ctrl-C: leave nothing behind
            shutil.rmtree(folder, ignore_errors=True)
            raise
        bank._shared_epoch = _map(folder / "epoch.npy", mode="r+")
        bank._owner_pid = os.getpid()
        bank._remove_at_end = weakref.finalize(bank, _remove, folder, bank._owner_pid)
        return bank

    def __len__(self) -> int:
        return len(self.labels)

    def __reduce__(self) -> tuple[Any, ...]:
        return SyntheticBank, (str(self._folder),)

    @property
    def is_owner(self) -> bool:
        """Whether this object may :meth:`publish`: false in pickled copies and forked workers."""
        return self._owner_pid == os.getpid()

    @property
    def epoch(self) -> int:
        """Epoch whose rows all processes read now."""
        return int(self._shared_epoch[0])

    @property
    def values(self) -> Array:
        """Rows of the current epoch, shape (m, ...), read-only."""
        if self._open_epoch != self.epoch:
            self._open_epoch, self._values = self._open_current()
        return self._values

    def publish(self, values: Array, epoch: int) -> None:
        """Replace the rows, in this process and in all that have the bank open.

        Parameters
        ----------
        values : ndarray
            Of the shape and dtype of the present rows: the class codes stay as they are.
        epoch : int
            What to call them.

        Raises
        ------
        GanaugError
            When called on a copy, such as a worker's.
        InvalidInputError
            When shape or dtype differ.
        """
        if not self.is_owner:
            raise GanaugError(
                "Only the process that made a SyntheticBank can put other rows into it. This is "
                "a copy, such as a DataLoader worker's: call it on the original object."
            )
        present = self.values
        if (values.shape, values.dtype) != (present.shape, present.dtype):
            raise InvalidInputError(
                f"`values` must be {present.dtype} of shape {present.shape}, as the rows they "
                f"replace. Got {values.dtype} of shape {values.shape} instead."
            )
        if epoch == self.epoch:
            return
        old = _values_file(self._folder, self.epoch)
        np.save(_values_file(self._folder, epoch), values)
        self._shared_epoch[0] = epoch  # only now do others look for the new file
        with contextlib.suppress(OSError):  # Windows keeps files that are open
            old.unlink()

    def _open_current(self) -> tuple[int, Array]:
        """Open the current epoch's rows; the owner may move on at any moment."""
        while True:
            epoch = self.epoch
            try:
                return epoch, _map(_values_file(self._folder, epoch))
            except FileNotFoundError:
                if epoch == self.epoch:
                    raise _gone(self._folder) from None


def _map(file: Path, mode: Any = "r") -> Array:
    # as a plain ndarray: indexing a np.memmap is several times slower
    mapped: Array = np.load(file, mmap_mode=mode, allow_pickle=False).view(np.ndarray)
    return mapped


def _values_file(folder: Path, epoch: int) -> Path:
    return folder / f"values-{epoch}.npy"


def _remove(folder: Path, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # a forked worker inherits the finaliser
        shutil.rmtree(folder, ignore_errors=True)


def _gone(folder: Path) -> ModelFileError:
    return ModelFileError(
        f"The synthetic rows in {folder} are gone. They live as long as the object that made them, "
        "and no longer than its process: make them anew, for example with GANAugmenter.wrap."
    )
