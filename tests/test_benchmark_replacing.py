"""benchmarks/replacing.py: what replacing real rows does, and what is told of it."""

from __future__ import annotations

import json

from benchmarks import replacing


def test_rows_are_replaced_and_removed_for_every_share_and_classifier(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(replacing, "SHARES", (0.5,))
    seen = []

    class Spy(replacing.GANAugmenter):
        def fit_transform(self, X, y=None, **fit_params):
            self.set_params(width=4, filter=None)
            mixed = super().fit_transform(X, y)
            seen.append((X, mixed, self.synthetic_mask_))
            return mixed

    monkeypatch.setattr(replacing, "GANAugmenter", Spy)
    out = tmp_path / "replacing.json"

    tiny = f"--task digits --seeds 1 --max-images 128 --data-dir {tmp_path}"
    replacing.main([*tiny.split(), "--out", str(out)])

    results = json.loads(out.read_text(encoding="utf-8"))
    ((X, mixed, is_synthetic),) = seen
    assert is_synthetic.sum() == 500  # half of 100 rows of each class
    assert (mixed[~is_synthetic] == X[~is_synthetic]).all()
    for scores in results["seeds"][0].values():
        assert set(scores) == {"all real", "replaced 0.5", "removed 0.5"}
        assert scores["all real"] > 0.8
        assert scores["replaced 0.5"] != scores["all real"]
    table = capsys.readouterr().out
    assert "| 50% replaced | " in table
    assert "| 50% removed | " in table


def test_differences_are_paired_over_seeds():
    scores = [
        {"svc": {"all real": a, "replaced 0.1": a - d}} for a, d in ((0.9, 0.02), (0.8, 0.04))
    ]
    results = {"seeds": scores}

    assert replacing._difference(results, "svc", "replaced 0.1") == "-3.00 (-15.71 to +9.71)"
