"""ganaug/verdict.py: the rule of the four outcomes, and what users read."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganaug.gain.intervals import PairedInterval
from ganaug.gain.verdict import OUTCOMES, Verdict, decide, needed_to_tell

NAN = math.nan


def interval(low, high):
    return PairedInterval((low + high) / 2, low, high, 10)


@pytest.mark.parametrize(
    ("gain", "over_placebo", "prefers_none", "outcome"),
    [
        ((0.01, 0.03), (0.02, 0.04), False, "use"),
        ((0.01, 0.03), (0.02, 0.04), True, "cannot tell"),  # the best setting did not gain
        ((0.01, 0.03), (-0.01, 0.02), False, "cannot tell"),  # duplicates may do as well
        ((0.01, 0.03), (-0.004, 0.004), False, "equivalent"),  # duplicates do as well
        ((-0.004, 0.004), (-0.02, 0.03), False, "equivalent"),
        ((-0.03, -0.01), (-0.03, 0.02), False, "do not use"),
        ((0.01, 0.03), (-0.03, -0.01), False, "do not use"),
        ((0.0, 0.0), (-0.03, -0.01), False, "do not use"),  # clear harm outweighs equivalence
        ((-0.02, 0.004), (-0.02, 0.02), False, "do not use"),  # no gain that would matter
        ((-0.02, 0.02), (-0.02, 0.02), False, "cannot tell"),
        ((NAN, NAN), (NAN, NAN), False, "cannot tell"),
    ],
)
def test_two_intervals_make_an_outcome(gain, over_placebo, prefers_none, outcome):
    unclear = interval(-1, 1)

    assert decide(interval(*gain), interval(*over_placebo), unclear, 0.005, prefers_none) == outcome


@pytest.mark.parametrize(
    ("gain", "of_most", "outcome"),
    [
        ((-0.03, 0.02), (-0.2, -0.1), "do not use"),
        ((-0.02, 0.03), (-0.2, -0.1), "do not use"),
        ((0.0, 0.0), (-0.2, -0.1), "do not use"),
        ((-0.03, 0.02), (-0.2, 0.1), "cannot tell"),
        ((0.01, 0.03), (-0.2, -0.1), "use"),
    ],
)
def test_harm_in_quantity_decides_where_no_gain_is_shown(gain, of_most, outcome):
    assert decide(interval(*gain), interval(*gain), interval(*of_most), 0.005, False) == outcome


BOUNDS = st.floats(-1, 1).map(lambda x: round(x, 3))


@given(BOUNDS, BOUNDS, BOUNDS, BOUNDS, st.booleans())
def test_use_is_never_said_where_an_interval_reaches_down_to_0(a, b, c, d, prefers_none):
    gain, over_placebo = interval(min(a, b), max(a, b)), interval(min(c, d), max(c, d))

    outcome = decide(gain, over_placebo, interval(-1, 1), 0.005, prefers_none)

    assert outcome in OUTCOMES
    if outcome == "use":
        assert gain.low > 0
        assert over_placebo.low > 0
        assert not prefers_none


def test_what_is_needed_to_tell_would_narrow_the_interval_to_the_gain():
    gain = PairedInterval(0.01, -0.02, 0.04, 10)  # three times as wide as it may be

    needed = needed_to_tell(gain, 0.25, 0.005, 1000)

    assert needed == {"rows": 9000}  # no number of splits will do: their training parts overlap


def test_more_splits_are_advised_where_they_suffice():
    gain = PairedInterval(0.01, -0.001, 0.021, 4)

    needed = needed_to_tell(gain, 0.1, 0.005, 1000)

    assert set(needed) == {"splits", "rows"}
    assert 4 < needed["splits"] <= 10
    assert 1000 < needed["rows"] < 1300


@pytest.mark.parametrize(
    "gain", [PairedInterval(0.01, NAN, NAN, 1), PairedInterval(0.03, 0.01, 0.05, 5)]
)
def test_nothing_is_needed_where_nothing_can_be_said_or_all_is_said(gain):
    assert needed_to_tell(gain, 0.25, 0.005, 100) is None


def make_verdict(**changes):
    found = {"rows": 20, "gain": 0.05, "low": 0.01, "high": 0.09, "finding": "better"}
    worse = {"rows": 90, "gain": -0.05, "low": -0.09, "high": -0.01, "finding": "worse"}
    values = {
        "outcome": "use",
        "gain": interval(0.01, 0.03),
        "gain_over_placebo": interval(0.02, 0.04),
        "gain_of_most": interval(-0.09, -0.07),
        "baseline": "over-sampling",
        "setting": "1 synthetic rows per real row",
        "classes_served": [7, 8],
        "setting_totals": {7: 40, 8: 40},
        "sampling_strategy": {7: 40, 8: 40},
        "per_class": {7: found, 8: worse},
        "scores": {"nothing": [0.8, 0.9], "over-sampling": [0.85, 0.9]},
        "gains_by_setting": {"1 synthetic rows per real row": 0.02},
        "needed": None,
        "scoring": "balanced_accuracy",
        "margin": 0.005,
        "n_rows": 110,
        "n_splits": 10,
    }
    return Verdict(**{**values, **changes})


def test_the_text_says_what_to_do_how_much_and_where():
    text = make_verdict().text

    assert text.startswith("Use synthetic rows.")
    assert "+0.0200 (+0.0100 to +0.0300) against 'over-sampling'" in text
    assert "Class 7 seems to gain." in text
    assert "Class 8 seems to lose." in text


@pytest.mark.parametrize(
    ("changes", "opening"),
    [
        ({"outcome": "equivalent"}, "Synthetic rows make no difference that matters"),
        ({"outcome": "do not use"}, "Do not use synthetic rows: they do not help here."),
        (
            {"outcome": "do not use", "gain": interval(-0.03, -0.01)},
            "Do not use synthetic rows: they do harm here.",
        ),
        (
            {"outcome": "do not use", "classes_served": []},
            "Do not use synthetic rows: there are none that could be trusted.",
        ),
        ({"outcome": "cannot tell"}, "These data cannot tell whether synthetic rows help"),
    ],
)
def test_every_outcome_opens_with_advice(changes, opening):
    assert make_verdict(**changes).text.startswith(opening)


def test_harm_by_the_most_rows_is_told_where_it_decided():
    text = make_verdict(outcome="do not use", gain=interval(-0.03, 0.02)).text

    assert "The most synthetic rows that were tried change it by -0.0800" in text
    assert "The most" not in make_verdict().text


def test_cannot_tell_says_what_would_settle_it():
    text = make_verdict(outcome="cannot tell", needed={"splits": 30, "rows": 4000}).text

    assert text.endswith("About 30 splits or 4,000 rows would be needed to tell.")


def test_the_json_holds_everything_and_no_nan():
    verdict = make_verdict(gain=PairedInterval(NAN, NAN, NAN, 0))

    plain = json.loads(verdict.to_json())

    assert plain["gain"] == {"mean": None, "low": None, "high": None, "n": 0}
    assert plain["per_class"]["7"]["gain"] == 0.05
    assert plain["sampling_strategy"] == {"7": 40, "8": 40}
    assert plain["text"] == verdict.text


def test_printing_shows_arms_and_classes():
    text = str(make_verdict(notes=["a GAN raised the alarm 'collapsed'"]))

    assert "over-sampling  0.8750" in text
    assert "+0.0500 (+0.0100 to +0.0900)  better" in text
    assert text.endswith("note: a GAN raised the alarm 'collapsed'")
