"""benchmarks/planted.py: generators of known worth, and how their verdicts are told."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from benchmarks import planted
from ganaug.gain.remedies import Task


@pytest.mark.parametrize("kind", planted.GENERATORS)
def test_half_of_what_is_added_is_a_generators(kind, imbalanced_digits):
    X, y = imbalanced_digits
    X_pool, y_pool = X[1::2] + 0.5, y[1::2]  # told from the others by their halves
    task = Task(seed=0, is_image=True, n_axes=2, image_shape=(8, 8))
    sampler = planted.Planted(kind, X_pool, y_pool).make_sampler(task)

    X_out, y_out = sampler.fit_resample(X, y)
    plain, y_plain = sampler.enlarging.fit_resample(X, y)

    assert np.array_equal(X_out[: len(X)], X)
    assert np.array_equal(y_out, y_plain)
    changed = (X_out != plain).any(axis=1)
    for code in np.unique(y):
        n_added = np.count_nonzero(y_out == code) - np.count_nonzero(y == code)
        assert np.count_nonzero(changed & (y_out == code)) <= round(planted.SHARE * n_added)
    made = X_out[changed]
    sources, labels = (X, y) if kind == planted.DUPLICATES else (X_pool, y_pool)
    found = [np.flatnonzero((sources == image).all(axis=1)) for image in made]
    assert all(len(of) for of in found)
    kept = np.mean([label in labels[of] for of, label in zip(found, y_out[changed], strict=True)])
    assert kept < 0.7 if kind == planted.SHUFFLED else kept == 1


def test_a_planted_generator_is_a_remedy_of_the_costly_kind():
    assert planted.Planted("duplicates", None, None).uses_gan
    assert planted.Planted("duplicates", None, None).prepare(SVC(), None).C == 1


def test_choices_are_counted_by_generator_and_size():
    def record(finding, worth):
        return {"choice": "x", "finding": finding, "reason": "", "worth": worth}

    values = {
        "mnist, 600, 0, SVC": dict.fromkeys(planted.GENERATORS, record("chosen", 0.03)),
        "mnist, 600, 1, SVC": dict.fromkeys(planted.GENERATORS, record("not shown", -0.01)),
    }

    lines = planted.describe({"n": {"600": [1]}, "values": values}).splitlines()

    assert len(lines) == 5
    expected = "| 600 | +1.0 | 1 of 2 (1 to 99%) | 1 of 1 (3 to 100%) | 0 of 1 (0 to 98%) | +1.50 |"
    assert lines[2] == f"| real images {expected}"
