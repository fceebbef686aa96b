"""benchmarks/verdicts.py: what is measured of `evaluate_gain`, and how it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks import verdicts
from benchmarks.verdicts import Setting, agreement_settings, control_settings, draw, run_kept

NOWHERE = Path("digits come with scikit-learn")


def settings_result(outcome, without, with_synthetic, generator="gan"):
    return {
        "setting": asdict(Setting("digits", ((0, 30), (1, 20)), 0, generator=generator)),
        "n_rows": 50,
        "verdict": {"outcome": outcome, "gain": {"mean": with_synthetic - without}},
        "development": {"without": without, "with": with_synthetic},
    }


def test_there_are_as_many_settings_as_promised():
    settings = agreement_settings()

    assert len(settings) >= 40
    assert sum(setting.task != "digits" for setting in settings) >= 10
    draws = {(setting.task, setting.counts, setting.seed) for setting in settings}
    assert len(draws) == len({setting.key for setting in settings}) == len(settings)
    assert len({setting.key for setting in control_settings()}) == len(control_settings())


def test_drawn_rows_and_development_rows_share_nothing():
    setting = Setting("digits", ((3, 20), (1, 30)), seed=0)

    train, others = draw(setting, NOWHERE)

    assert np.bincount(train.y).tolist() == [0, 30, 0, 20]
    assert set(others.y.tolist()) == {1, 3}
    assert not {row.tobytes() for row in train.X} & {row.tobytes() for row in others.X}


def test_following_the_verdict_is_weighed_against_never_and_always():
    results = {
        "margin": 0.005,
        "settings": [
            settings_result("use", 0.90, 0.92),
            settings_result("use", 0.90, 0.89),
            settings_result("do not use", 0.90, 0.80),
            settings_result("cannot tell", 0.90, 0.93),
        ],
    }

    text = verdicts.describe(results)

    assert "| use | 2 | 1 (1 to 99%) | 0 (0 to 84%) | 1 (1 to 99%) | +0.50" in text
    assert "| do not use | 1 | 0 (0 to 98%) | 0 (0 to 98%) | 1 (3 to 100%) | -10.00 |" in text
    # followed: +2, -1, 0, 0; always: +2, -1, -10, +3; missed: the last one's 3
    assert "by +0.25 (-1.75 to +2.25) points, at worst by -1.00" in text
    assert "at worst -10.00" in text
    assert "0.75 on average, at most 3.00" in text


def test_controls_are_counted_by_generator_and_data():
    results = {
        "settings": [
            settings_result("use", 0.90, 0.92, "oracle"),
            settings_result("cannot tell", 0.90, 0.91, "oracle"),
            settings_result("do not use", 0.90, 0.80, "shuffled labels"),
        ]
    }

    lines = verdicts.describe_controls(results).splitlines()

    data = "digits, 30 to 20 rows per class (50) | svc, 10 x 1"
    assert lines[2] == f"| oracle | {data} | 1/2 |  |  | 1/2 | +1.5 |"
    assert lines[3].startswith(f"| shuffled labels | {data} |  |  | 1/1")


@pytest.mark.parametrize(
    "generator", ["oracle", "swapped classes", "shuffled labels", "duplicates"]
)
@pytest.mark.filterwarnings("ignore::ganaug.exceptions.SmallClassWarning")
def test_a_finished_setting_is_not_run_again(tmp_path, monkeypatch, generator):
    setting = Setting("digits", ((1, 24), (8, 20)), 0, generator=generator, folds=4)

    first = run_kept(setting, NOWHERE, tmp_path)
    monkeypatch.setattr(verdicts, "run_setting", None)
    second = run_kept(setting, NOWHERE, tmp_path)

    assert json.loads(json.dumps(first)) == second
    assert first["n_rows"] == 44
    assert first["verdict"]["n_splits"] == 4


def test_settings_run_in_several_processes_from_the_command_line(tmp_path):
    out = tmp_path / "controls.json"
    command = [sys.executable, "-m", "benchmarks.verdicts", "controls", "--jobs", "2"]
    command += ["--limit", "2", "--data-dir", str(tmp_path), "--out", str(out)]

    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parent.parent)

    results = json.loads(out.read_text(encoding="utf-8"))
    assert [result["setting"]["seed"] for result in results["settings"]] == [0, 1]
