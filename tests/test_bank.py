"""ganaug/dataset/bank.py: what processes that end without a word leave, and who may remove it."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from ganaug.dataset import SyntheticBank, bank
from ganaug.exceptions import ModelFileError

VALUES, LABELS = np.arange(4 * 64, dtype=np.uint8).reshape(4, 1, 8, 8), np.arange(4)


def make(place):
    return SyntheticBank.create(VALUES, LABELS, place)


def in_a_child(work):
    """Do something in a fork; return its id, after it has said that it is ready."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it
            kept = work()  # noqa: F841 - lives as long as the process
            os.write(write, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    assert os.read(read, 1) == b"x"
    os.close(read)
    return pid


def end(pid, by):
    os.kill(pid, by)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP], ids=str)
def test_the_banks_of_a_killed_process_go_when_the_next_one_is_made(by, tmp_path):
    pid = in_a_child(lambda: [make(tmp_path) for _ in range(3)])
    assert end(pid, by) == -by
    assert len(list(tmp_path.iterdir())) == 3

    bank = make(tmp_path)

    assert len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(bank.values, VALUES)


def test_the_bank_of_a_process_that_lives_stays(tmp_path):
    pid = in_a_child(lambda: make(tmp_path))
    (folder,) = tmp_path.iterdir()

    make(tmp_path)

    assert np.array_equal(SyntheticBank(folder).values, VALUES)
    end(pid, signal.SIGKILL)


def test_several_banks_of_one_process_stay(tmp_path):
    banks = [make(tmp_path) for _ in range(3)]

    assert len(list(tmp_path.iterdir())) == 3
    assert all(np.array_equal(bank.values, VALUES) for bank in banks)


def test_a_bank_stays_while_a_forked_worker_of_its_killed_owner_uses_it(tmp_path):
    def with_a_worker():
        bank = make(tmp_path)
        return bank, in_a_child(lambda: (tmp_path / "worker").write_text(str(os.getpid())))

    owner = in_a_child(with_a_worker)
    worker = int((tmp_path / "worker").read_text())
    end(owner, signal.SIGKILL)

    second = make(tmp_path)
    assert len(list(tmp_path.glob("ganaug-bank-*"))) == 2

    os.kill(worker, signal.SIGKILL)
    while os.path.exists(f"/proc/{worker}") and "Z" not in state_of(worker):
        pass
    del second
    make(tmp_path)
    assert len(list(tmp_path.glob("ganaug-bank-*"))) == 0


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_what_is_not_this_users_folder_is_not_swept(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.tex").write_text("mine")
    (tmp_path / "ganaug-bank-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "ganaug-bank-file").write_text("mine")
    make(tmp_path)
    assert (tmp_path / "elsewhere" / "thesis.tex").exists()
    assert (tmp_path / "ganaug-bank-file").exists()

    (tmp_path / "ganaug-bank-other").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: -5)
    make(tmp_path)
    assert (tmp_path / "ganaug-bank-other").exists()


def test_without_locks_banks_work_and_nothing_is_swept(tmp_path, monkeypatch):
    (tmp_path / "ganaug-bank-other").mkdir()
    monkeypatch.setattr(bank, "lock_folder", lambda folder: None)

    made = make(tmp_path)

    assert np.array_equal(made.values, VALUES)
    assert len(list(tmp_path.iterdir())) == 2


def test_no_signal_is_handled_for_it(tmp_path):
    before = [signal.getsignal(number) for number in signal.valid_signals()]

    kept = make(tmp_path)

    assert [signal.getsignal(number) for number in signal.valid_signals()] == before
    assert len(kept) == 4


def test_a_full_disk_is_told_of_and_leaves_nothing(tmp_path, monkeypatch):
    bank = make(tmp_path)
    before, folders = bank.values.copy(), list(tmp_path.iterdir())

    def save(file, array):
        file.write_bytes(b"a part")
        raise OSError("17664 requested and 1872 written")  # as NumPy says it

    monkeypatch.setattr(np, "save", save)

    with pytest.raises(ModelFileError, match=r"could not be written to .*`directory`"):
        make(tmp_path)
    with pytest.raises(ModelFileError, match=r"could not be written to .*`directory`"):
        bank.publish(before + 1, 1)

    assert list(tmp_path.iterdir()) == folders
    assert len(list(folders[0].iterdir())) == 3
    assert bank.epoch == 0
    assert (bank.values == before).all()
