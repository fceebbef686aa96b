"""Synthetic samples in memory-mapped files, shared by all processes of one machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganaug.exceptions import GanaugError, InvalidInputError, ModelFileError
from ganaug.inputs.pixels import Array
from ganaug.storage import lock_folder

PREFIX = "ganaug-bank-"
LOCKING_ATTEMPTS = 5


class SyntheticBank:
    """Samples and their class codes in memory-mapped files.

    Made by :meth:`create`. It pickles as the path of its folder, so that DataLoader workers share
    the pages of one file instead of getting a copy each. The object that :meth:`create` gave owns
    the folder: it alone can :meth:`publish` other samples, and the folder goes when it dies. Those
    that a worker has open stay readable until it has finished with them. Folders of processes that
    were killed go when the next bank is made beside them: each is locked while its owner lives.

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
        """Write samples to a new folder, by default where the system keeps temporary files."""
        if len(values) != len(labels):
            raise InvalidInputError(
                "`values` and `labels` must have the same length. "
                f"Got {len(values)} and {len(labels)} instead."
            )
        place = Path(tempfile.gettempdir() if directory is None else directory)
        _sweep(place)
        try:
            folder, lock = _locked_folder(place)
        except OSError as error:
            raise _not_written(place, error) from error
        try:
            np.save(folder / "labels.npy", np.asarray(labels, dtype=np.int64))
            np.save(_values_file(folder, 0), values)
            np.save(folder / "epoch.npy", np.zeros(1, dtype=np.int64))
            bank = cls(folder)
        except BaseException as error:  # a full disk or Ctrl-C: leave nothing behind
            _remove(folder, lock, os.getpid())
            if isinstance(error, OSError):
                raise _not_written(place, error) from error
            raise
        bank._shared_epoch = _map(folder / "epoch.npy", mode="r+")
        bank._owner_pid = os.getpid()
        bank._remove_at_end = weakref.finalize(bank, _remove, folder, lock, bank._owner_pid)
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
        """Epoch whose samples all processes read now."""
        return int(self._shared_epoch[0])

    @property
    def values(self) -> Array:
        """Samples of the current epoch, shape (m, ...), read-only."""
        if self._open_epoch != self.epoch:
            self._open_epoch, self._values = self._open_current()
        return self._values

    def publish(self, values: Array, epoch: int) -> None:
        """Replace the samples, in this process and in all that have the bank open.

        The class codes stay as they are.
        """
        if not self.is_owner:
            raise GanaugError(
                "Only the process that made a SyntheticBank can put other samples into it. This is "
                "a copy, such as a DataLoader worker's: call it on the original object."
            )
        present = self.values
        if (values.shape, values.dtype) != (present.shape, present.dtype):
            raise InvalidInputError(
                f"`values` must be {present.dtype} of shape {present.shape}, as the samples they "
                f"replace. Got {values.dtype} of shape {values.shape} instead."
            )
        if epoch == self.epoch:
            return
        old = _values_file(self._folder, self.epoch)
        try:
            np.save(_values_file(self._folder, epoch), values)
        except OSError as error:
            _values_file(self._folder, epoch).unlink(missing_ok=True)
            raise _not_written(self._folder.parent, error) from error
        self._shared_epoch[0] = epoch  # only now do others look for the new file
        with contextlib.suppress(OSError):  # Windows keeps files that are open
            old.unlink()

    def _open_current(self) -> tuple[int, Array]:
        """Open the current epoch's samples; the owner may move on at any moment."""
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


def _locked_folder(place: Path) -> tuple[Path, int | None]:
    """Make a folder and lock it; where the system or the disk knows no locks, without."""
    for _ in range(LOCKING_ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        lock = lock_folder(folder)
        if lock is not None:
            return folder, lock
        # no locks here, or another process has just taken it for a killed one's and is sweeping it
        shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)), None


def _sweep(place: Path) -> None:
    """Remove the folders of this user's processes that have ended without removing them."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if not _is_ours(folder):
                continue
            lock = lock_folder(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder is this user's: in a place that all share, others have theirs."""
    status = folder.lstat()
    is_users = sys.platform == "win32" or status.st_uid == os.geteuid()
    return stat.S_ISDIR(status.st_mode) and is_users


def _remove(folder: Path, lock: int | None, owner_pid: int) -> None:
    if os.getpid() != owner_pid:  # a forked worker inherits the finaliser
        return
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _not_written(place: Path, error: OSError) -> ModelFileError:
    return ModelFileError(
        f"The synthetic samples could not be written to {place}: {error.strerror or error}. Make "
        "room there, or pass `directory`, one on another disk."
    )


def _gone(folder: Path) -> ModelFileError:
    return ModelFileError(
        f"The synthetic samples in {folder} are gone. They live as long as the object that made "
        "them, and no longer than its process: make them anew, for example with GANAugmenter.wrap."
    )
