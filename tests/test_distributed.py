"""GANs and folds over the processes of a Dask cluster, by joblib: the bytes of one process."""

from __future__ import annotations

import os
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from ganaug import GANAugmenter, evaluate_gain, warping, workers
from ganaug.gain import trials

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,  # each worker imports torch
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning"),
    pytest.mark.filterwarnings("default"),  # a cluster's own, of sockets and slow disks
]


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:40], np.flatnonzero(y == 1)[:25]]
    return X[rows], y[rows]


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


TASKS = {"gans": workers._on_one_thread, "folds": trials._try}


def recorded(folder, judges, kind, *arguments, **options):
    """Do a task with the caller's judges of warps, and leave the number of the process."""
    (folder / f"{kind} {os.getpid()}").touch()
    vars(warping).update(judges)
    return TASKS[kind](*arguments, **options)


@pytest.mark.works_with("distributed", "GANs and folds on the workers of a Dask cluster")
def test_members_and_folds_on_a_cluster_have_the_bytes_of_one_process(
    client, digits, tmp_path, monkeypatch
):
    def samples(n_jobs):
        tiny = {"n_generators": 2, "max_images": 128, "width": 4, "filter": None, "verbose": 0}
        augmenter = GANAugmenter(**tiny, image_shape=(8, 8), n_jobs=n_jobs, random_state=0)
        return augmenter.fit(*digits).sample(20)[0].tobytes()

    def scores():
        remedies = ["nothing", "duplicates", "augmented"]
        options = {"image_shape": (8, 8), "remedies": remedies, "cv": 2, "random_state": 0}
        return evaluate_gain(KNeighborsClassifier(), *digits, n_jobs=2, **options).scores

    judges = {name: getattr(warping, name) for name in ("CANDIDATES", "MAX_PER_CLASS", "N_TREES")}
    record = partial(recorded, tmp_path, judges)
    with joblib.parallel_config("dask"), monkeypatch.context() as patch:
        patch.setattr(workers, "_on_one_thread", partial(record, "gans"))
        patch.setattr(trials, "_try", partial(record, "folds"))
        there = samples(2), samples(1), scores()

    processes = {f"{kind} {pid}" for pid in client.run(os.getpid).values() for kind in TASKS}
    found = {file.name for file in tmp_path.iterdir()}
    assert found <= processes
    assert {name.split()[0] for name in found} == {*TASKS}
    assert there == (samples(None), samples(None), scores())
