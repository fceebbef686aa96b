"""benchmarks/verdicts.py: how recorded verdicts are told."""

from __future__ import annotations

from benchmarks import verdicts


def test_following_the_verdict_is_weighed_against_never_and_always():
    outcomes = ["use", "use", "do not use", "cannot tell"]
    gans = {"outcome": outcomes, "gain": [2.0, -1.0, -10.0, 3.0]}

    text = verdicts.describe({"values": {"gans": gans}})

    assert "| use | 2 | 1 (1 to 99%) | 0 (0 to 84%) | 1 (1 to 99%) | +0.50" in text
    assert "| do not use | 1 | 0 (0 to 98%) | 0 (0 to 98%) | 1 (3 to 100%) | -10.00" in text
    # followed: +2, -1, 0, 0; always: +2, -1, -10, +3; missed: the last one's 3
    assert "by +0.25 (-1.75 to +2.25) points, at worst by -1.00" in text
    assert "at worst -10.00" in text
    assert "0.75 on average, at most 3.00" in text


def test_planted_generators_are_counted_by_outcome():
    group = {"generator": "oracle", "data": "digits", "classifier": "svc, 10 x 1"}
    planted = [group | {"outcomes": [1, 0, 0, 1], "gain": 1.52}]

    text = verdicts.describe_planted({"values": {"planted": planted}})

    assert text.splitlines()[2] == "| oracle | digits | svc, 10 x 1 | 1/2 |  |  | 1/2 | +1.5 |"
