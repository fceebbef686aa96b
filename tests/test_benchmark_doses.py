"""benchmarks/doses.py: which synthetic rows a dose allows, and what is told of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import doses
from benchmarks.doses import DOSES, Dose
from benchmarks.tasks import TASKS
from ganaug import GANAugmenter

COUNTS = [1000, 500, 100, 40]


@pytest.mark.parametrize(
    ("dose", "expected"),
    [
        (Dose(0.25), [0, 250, 250, 200]),
        (Dose(0.1), [0, 100, 100, 100]),
        (Dose(0.25, 1.0), [0, 250, 100, 40]),
        (Dose(0.5, None, 0.1), [0, 0, 500, 500]),
        (Dose(0.9), [0, 500, 500, 200]),  # never beyond the largest class
    ],
)
def test_a_dose_keeps_to_its_limits(dose, expected):
    assert dose.n_rows(COUNTS, [True] * 4) == expected
    assert dose.n_rows(COUNTS, [True, True, False, True])[2] == 0


def test_the_default_is_among_the_doses():
    default = GANAugmenter()
    assert Dose(default.max_share, default.max_ratio) in DOSES


@pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")
def test_all_doses_of_a_seed_are_judged_by_the_development_rows(tmp_path, monkeypatch, capsys):
    out = tmp_path / "doses.json"
    monkeypatch.setattr(doses, "DOSES", [Dose(0.25), Dose(0.25, real=True)])

    tiny = f"--task digits --seeds 2 --scale tiny --steps 4 --device cpu --data-dir {tmp_path}"
    doses.main([*tiny.split(), "--out", str(out)])

    results = json.loads(out.read_text(encoding="utf-8"))
    counts = np.array(TASKS["digits"].counts)
    for seed in results["seeds"]:
        assert len(seed["arms"]) == 4  # nothing, twice, and the doses
        assert seed["plans"][0] == seed["plans"][1]
        assert 0 < sum(seed["plans"][0]) <= 0.25 * 60 * 10
        assert (np.array(seed["plans"][0]) <= 5 * counts).all()
        accuracies = [n * 20 for n in seed["arms"][0]["recall"]]
        assert np.allclose(accuracies, np.round(accuracies), atol=1e-3)  # of 20 development rows
    table = capsys.readouterr().out
    assert "| nothing, other duplicates | " in table
    assert "| further real rows: share 0.25, at most 5 per real row | " in table
