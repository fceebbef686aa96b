"""The benchmark of the search for a warp."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import warps
from benchmarks.__main__ import main
from benchmarks.results import read
from ganaug import GANOverSampler
from ganaug.warping import AFFINE, SLIGHT

FEW = (SLIGHT, AFFINE)


def test_every_warp_is_scored_beside_the_one_that_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(warps, "CANDIDATES", FEW)
    out = tmp_path / "warps.json"

    main(["warps", "--tasks", "digits", "--sizes", "120", "--draws", "2", "--out", str(out),
          "--classifiers", "nearest neighbours", "forest"])  # fmt: skip

    values = read(out)["values"]
    assert len(values) == 4
    for record in values.values():
        assert list(record["halves"]) == ["slight", "affine"]
        assert record["found"] in record["halves"]
        assert all(0.5 < half <= 1 for halves in record["halves"].values() for half in halves)
    assert "| scikit-learn's digits |" in capsys.readouterr().out


def test_a_warp_stands_in_the_place_of_the_one_that_would_be_found(imbalanced_digits):
    X, y = (np.asarray(part) for part in imbalanced_digits)
    sampler = GANOverSampler(image_shape=(8, 8), synthetic_share=0, augmentation="fitted")

    for warp in (AFFINE, warps.CANDIDATES[-1]):  # one that mirrors, too
        with warps.by_warp(warp):
            sampler.fit_resample(X.reshape(len(X), -1), y)
        assert sampler.augmented_by_ == str(warp)


def test_what_is_lost_is_told_of_the_one_that_was_found():
    def record(found, slight, affine):
        halves = {"slight": [slight] * 2, "affine": [affine] * 2}
        return {"found": found, "halves": halves, "seconds": 1.0}

    values = {
        "digits, 100, 0, forest": record("affine", 0.5, 0.7),
        "digits, 100, 0, SVC": record("affine", 0.6, 0.6),
        "digits, 100, 1, forest": record("slight", 0.8, 0.8),
        "digits, 100, 1, SVC": record("slight", 0.8, 0.8),
    }

    cells = warps.cells_of({"values": values})
    result = {
        "values": values,
        "seeds": [0, 1],
        "settings": {"warps": {"slight": "", "affine": ""}},
    }
    line = warps.describe(result).splitlines()[2].split(" | ")

    assert cells["digits", "100", "0"]["halves"]["affine"] == pytest.approx([0.65, 0.65])
    assert [cell.split(" ")[0] for cell in line[1:4]] == ["+5.00", "+0.00", "+0.00"]
