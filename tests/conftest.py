"""What several test files share: real data, and the skip of tests that need a GPU."""

from __future__ import annotations

import functools
import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it looks for updates on import
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # all cores are one: no worker processes, slow to start

import hypothesis
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import ganaug.fitting
from ganaug import warping
from ganaug.audit import context
from ganaug.audit.questions import tell_tale

# The same examples in every run, however busy the machine
hypothesis.settings.register_profile("ganaug", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("ganaug")

FILTER_STEPS = 20


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device, and torch finds none")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True, scope="session")
def quick_judges():
    """Few warps are judged, on few images by small forests, but where that is what is tested, and
    the filter's classifier learns for a few steps: its training would be most of a tiny GAN's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warping, "CANDIDATES", warping.CANDIDATES[:2])
        patch.setattr(warping, "MAX_PER_CLASS", 10)
        patch.setattr(warping, "N_TREES", 2)
        few_steps = functools.partial(ganaug.fitting.fit_classifier, max_steps=FILTER_STEPS)
        patch.setattr(ganaug.fitting, "fit_classifier", few_steps)
        yield


@pytest.fixture
def quick_audit(monkeypatch):
    """Audits whose findings do not matter: the classifiers behind them learn next to nothing."""
    few_steps = functools.partial(context.fit_classifier, max_steps=FILTER_STEPS)
    monkeypatch.setattr(context, "fit_classifier", few_steps)
    monkeypatch.setattr(tell_tale, "N_FOLDS", 2)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    """No test finds warps that another has found."""
    monkeypatch.setattr(warping, "_FOUND", {})


@pytest.fixture(scope="session")
def all_digits():
    """scikit-learn's 1,797 digits: rows of 64 values from 0 to 16, and their labels."""
    return load_digits(return_X_y=True)


@pytest.fixture
def imbalanced_digits(all_digits):
    """Three classes of the digits, with 120, 60 and 25 rows, in mixed order."""
    X, y = all_digits
    counts = {0: 120, 1: 60, 2: 25}
    rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in counts.items()])
    rows = np.random.default_rng(0).permutation(rows)
    return X[rows], y[rows]
