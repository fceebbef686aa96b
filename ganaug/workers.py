"""Work in worker processes of one thread each: how far it is, and how Ctrl-C ends it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from ganaug.gan.callbacks import REPORT_SECONDS, Progress

OnProgress = Callable[[Progress], None]


def in_workers(tasks: Iterable[Any], n_tasks: int, n_jobs: int) -> Iterator[Any]:
    """Run joblib's delayed tasks in worker processes of one thread, taken as workers get free."""
    most = min(effective_n_jobs(n_jobs), max(2, n_tasks))
    # joblib runs n_jobs=1 in this process, with its threads: two workers fed one at a time do not
    workers = {"n_jobs": 2, "pre_dispatch": 1} if n_jobs == 1 else {"n_jobs": most}
    parallel = Parallel(**{"pre_dispatch": "n_jobs"} | workers, return_as="generator")
    caller = os.getpid()
    with on_ctrl_c(signal.SIG_IGN):  # by the processes that start here, too, as they wait for work
        results: Iterator[Any] = parallel(delayed(_on_one_thread)(task, caller) for task in tasks)
    return results


@contextlib.contextmanager
def on_ctrl_c(handler: Any) -> Iterator[None]:
    """Set what Ctrl-C does in the block; other code's own way with it is left alone."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _on_one_thread(task: Any, caller: int) -> Any:
    """Run in a worker process, whose threads, and what Ctrl-C does, are its own business."""
    if os.getpid() != caller and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the caller acts
    function, arguments, keywords = task
    with threadpool_limits(1):
        return function(*arguments, **keywords)


class Reports:
    """What workers on this machine say of their trainings, and whether they are to stop.

    In files, since signals reach some of the processes or all, depending on who sends them.
    """

    def __init__(self, directory: str, n_tasks: int) -> None:
        self.directory, self.n_tasks = Path(directory), n_tasks
        self._began = time.perf_counter()
        self._parent: int | None = None
        self._has_ended = False

    def report(self, task: int, progress: Progress) -> None:
        """Say how far a training is; raises KeyboardInterrupt when it is to end."""
        self._write(task, progress)
        self._parent = self._parent or os.getppid()
        is_orphan = os.getppid() != self._parent  # whoever waits for the training was killed
        if (self.stopped or is_orphan) and not self._has_ended:
            self._has_ended = True  # there is a last report to come
            raise KeyboardInterrupt

    def stop(self) -> None:
        """End all trainings; they give the best weights so far."""
        (self.directory / "stop").touch()

    @property
    def stopped(self) -> bool:
        """Whether all are to end."""
        return (self.directory / "stop").exists()

    def together(self) -> Progress:
        """Sum up what has been said."""
        texts = [file.read_text(encoding="utf-8") for file in self.directory.glob("*.json")]
        found = [Progress(**json.loads(text)) for text in texts]
        losses = [(each.discriminator_loss, each.generator_loss) for each in found]
        return Progress(
            sum(each.images_seen for each in found),
            sum(each.share for each in found) / self.n_tasks,
            time.perf_counter() - self._began,
            *(np.mean(losses, axis=0).tolist() if losses else (np.nan, np.nan)),
        )

    def note_done(self, task: int, images_seen: int) -> None:
        """Say that a training is done, where it has not: one on another machine cannot."""
        if not (self.directory / f"{task}.json").exists():
            self._write(task, Progress(images_seen, 1.0, 0.0, np.nan, np.nan))

    def _write(self, task: int, progress: Progress) -> None:
        part = self.directory / f"{task}.part"
        with contextlib.suppress(OSError):  # on another machine, or nobody waits any more
            part.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            os.replace(part, part.with_suffix(".json"))

    @contextlib.contextmanager
    def shown(self, show: OnProgress | None) -> Iterator[None]:
        """Show all trainings' progress, about twice a second and at the end of the block."""
        if show is None:
            yield
            return
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(REPORT_SECONDS):
                show(self.together())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            show(self.together())

    def note_ctrl_c(self, *_: object) -> None:
        """Handle the signal: the first one ends all trainings early, a second one raises."""
        if self.stopped:
            raise KeyboardInterrupt
        self.stop()
