"""benchmarks/verdicts.py: how recorded verdicts are told."""

from __future__ import annotations

from benchmarks import verdicts


def settings_result(outcome, without, with_synthetic, generator="gan"):
    return {
        "setting": {
            "task": "digits",
            "counts": [[0, 30], [1, 20]],
            "classifier": "svc",
            "generator": generator,
            "folds": 10,
            "repeats": 1,
            "components": 0,
        },
        "n_rows": 50,
        "verdict": {"outcome": outcome, "gain": {"mean": with_synthetic - without}},
        "development": {"without": without, "with": with_synthetic},
    }


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
