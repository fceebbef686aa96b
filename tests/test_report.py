"""The audit: honest findings, no wrong figure, and a page that everybody can read."""

from __future__ import annotations

import functools
import itertools
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import fields, replace
from datetime import date
from html.parser import HTMLParser
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ganaug import GANAugmenter
from ganaug.audit import Labelled, ModelRecord, build_audit, page, questions
from ganaug.audit.content import name_classes
from ganaug.audit.copies import CopyTest
from ganaug.audit.questions.copying import CopyingFigures, judge_copying
from ganaug.classifier import fit_classifier
from ganaug.cli import digits as demo
from ganaug.exceptions import (
    InvalidInputError,
    MissingDependencyError,
    NotFittedError,
    SamplingError,
)
from ganaug.gain.verdict import ClassGain
from ganaug.gan.monitor import REMEDIES, Alarm
from ganaug.model_audit import _check_verdict
from ganaug.sampler import TrainedSampler
from tests.stand_ins import verdict_of

N_CLASSES = 4
NAMES = ("zero", "one", "two", "three")


@pytest.fixture(scope="module")
def parts():
    """Digits in three parts: training, held out, and fresh ones that play an ideal generator."""
    X, y = load_digits(n_class=N_CLASSES, return_X_y=True)
    images = (X * (255 / 16)).round().astype(np.uint8).reshape(-1, 1, 8, 8)
    rng = np.random.default_rng(0)
    rows = {"training": [], "holdout": [], "synthetic": []}
    for code in range(N_CLASSES):
        order = rng.permutation(np.flatnonzero(y == code))
        for name, part in zip(rows, np.split(order, [70, 110]), strict=True):
            rows[name].append(part)
    together = {name: np.concatenate(part) for name, part in rows.items()}
    return {name: (images[part], y[part].astype(np.int64)) for name, part in together.items()}


def audit(parts, *, table=False, with_holdout=True, **options):
    """Audit; as a table the same rows train in a tenth of the time."""

    def values(name):
        images = parts[name][0]
        return images.reshape(len(images), -1).astype(np.float32) if table else images

    def labelled(name):
        return Labelled(values(name), parts[name][1])

    known = {field.name: options.pop(field.name) for field in fields(ModelRecord)
             if field.name in options}  # fmt: skip
    return build_audit(
        labelled("training"),
        labelled("synthetic"),
        options.pop("holdout", labelled("holdout") if with_holdout else None),
        **{"class_names": NAMES, "model": ModelRecord(**known), **options},
    )


def changed(parts, name, code, change):
    """Return the parts with the images of one class changed."""
    images, labels = parts[name]
    images = images.copy()
    images[labels == code] = change(images[labels == code])
    return {**parts, name: (images, labels)}


def kept(parts, name, keep):
    images, labels = parts[name]
    return {**parts, name: (images[keep(labels)], labels[keep(labels)])}


HISTORY = [
    {
        "images_seen": 1000 * step,
        "generator_loss": 1.0 / step,
        "discriminator_loss": 1.0,
        "distance": 0.5 / step,
        "variety": dict.fromkeys(NAMES, 0.2 * step),
        "alarms": [{"kind": "collapsed", "class": "one", "value": 0.3, "remedy": "Train longer."}]
        if step == 1
        else [],
    }
    for step in range(1, 4)
]


@pytest.fixture(scope="module")
def ideal_page(ideal):
    return render(ideal)


@pytest.fixture(scope="module")
def ideal(parts):
    steps = dict.fromkeys(range(N_CLASSES), parts["training"][0][:6])
    return audit(
        parts,
        history=HISTORY,
        card={"Recipe": "default", "Versions": {"torch": "2.15.0"}, "Filters": []},
        interpolations=steps,
        title="Digits & others",
    )


# --- findings ----------------------------------------------------------------------------------


def test_an_ideal_generator_is_not_flagged(ideal):
    figures = ideal.to_dict()
    assert figures["summary"]["level"] == "fine"
    assert figures["summary"]["doubtful"] == []
    assert figures["questions"]["copying"]["level"] == "fine"
    assert {levels["overall"] for levels in figures["classes"].values()} == {"fine"}
    assert "All 4 classes measured fine" in figures["summary"]["headline"]


def measures(figures, name=None):
    """Figures of a class, or of all together, of the questions that measure classes."""
    found = {}
    for question in ("fidelity", "variety", "usefulness"):
        by_class = figures["questions"][question]
        found |= by_class["overall"] if name is None else by_class["per_class"][name]
    return found


def test_every_figure_stands_beside_its_floor_with_an_interval(ideal):
    figures = ideal.to_dict()
    for name in (None, *NAMES):
        for scores in (scores for scores in measures(figures, name).values() if "value" in scores):
            assert scores["low"] <= scores["value"] <= scores["high"]
            if "floor" in scores:
                assert scores["floor_low"] <= scores["floor"] <= scores["floor_high"]
            else:
                assert 0 <= scores["low"] <= scores["high"] <= 1


def test_a_collapsed_class_is_flagged_and_named(parts):
    collapsed = changed(parts, "synthetic", 2, lambda images: np.resize(images[:4], images.shape))
    report = audit(collapsed, table=True)
    figures = report.to_dict()
    levels = {name: c["variety"] for name, c in figures["classes"].items()}
    assert levels == {"zero": "fine", "one": "fine", "two": "poor", "three": "fine"}
    coverage = measures(figures, "two")["coverage"]
    assert coverage["high"] < coverage["floor_low"]
    assert any("Variety, poor in class two" in text for text in figures["summary"]["doubtful"])
    assert any("class two" in text for text in figures["summary"]["to_do"])
    assert "`" not in report.to_markdown()  # people who decide know no parameters


def test_what_is_said_of_variety_is_what_was_found(parts):
    def narrowed(images):
        middle = images.mean(axis=0)
        return (middle + 0.1 * (images - middle)).astype(np.uint8)

    found = changed(parts, "synthetic", 2, narrowed)
    found = changed(found, "synthetic", 3, lambda images: 255 - images)  # varied, and elsewhere
    report = audit(found, table=True)
    variety = [t for t in report.to_dict()["summary"]["doubtful"] if t.startswith("Variety")]

    assert ["vary less" in text for text in variety] == ["class two" in text for text in variety]
    assert sorted(name for name in NAMES for t in variety if f"class {name}" in t) == [
        "three",
        "two",
    ]


def test_classes_are_named_in_full_or_by_those_that_are_left():
    names = [f"class of a long name {i}" for i in range(20)]

    assert all(name in name_classes(names[:12], of=names) for name in names[:12])
    assert name_classes(names[1:], of=names) == f"all classes but {names[0]}"


def test_rows_that_look_like_another_class_are_flagged(parts):
    images, labels = parts["synthetic"]
    ones = images[labels == 1]
    wrong = changed(parts, "synthetic", 3, lambda images: np.resize(ones, images.shape))
    figures = audit(wrong, table=True).to_dict()
    assert figures["classes"]["three"]["fidelity"] == "poor"
    assert measures(figures, "three")["recognised"]["value"] < 0.2
    assert figures["summary"]["level"] == "poor"


def test_a_classifier_trained_on_mislabelled_samples_recognises_nothing(parts):
    images, labels = parts["synthetic"]
    figures = audit({**parts, "synthetic": (images, (labels + 1) % N_CLASSES)}, table=True)
    found = measures(figures.to_dict())
    assert found["trained_on_synthetic"]["value"] < 0.1 < 0.9 < found["trained_on_real"]["value"]


def test_planted_copies_are_found_shown_and_called_by_name(parts):
    training, labels = parts["training"]
    copied = training[labels == 1]
    copies = changed(parts, "synthetic", 1, lambda images: np.resize(copied, images.shape))
    figures = audit(copies, table=True).to_dict()
    copying = figures["questions"]["copying"]
    assert copying["level"] == "poor"
    assert copying["n_identical"] >= 60
    assert copying["near_copy_test"]["p_value"] < 1e-6
    first = copying["nearest_pairs"][0]
    assert first["class_name"] == first["training_class"] == "one"
    assert first["distance"] == 0
    assert figures["classes"]["one"]["copying"] == "poor"
    assert "copy training samples" in figures["summary"]["headline"]


def test_planted_duplicates_are_found(parts):
    def repeat(images):
        images = images.copy()
        images[:30] = images[0]
        return images

    figures = audit(changed(parts, "synthetic", 0, repeat), table=True).to_dict()
    assert figures["questions"]["copying"]["per_class"]["zero"]["n_near_duplicates"] >= 30
    assert figures["classes"]["zero"]["variety"] == "poor"
    assert any("Duplicates" in text for text in figures["summary"]["doubtful"])


def test_nearness_without_copying_is_doubtful_and_told_apart_by_held_out_samples():
    nearer, nothing = CopyTest(1e-9, 0.8, 0.5), CopyTest(0.5, 0.5, 0.5)
    assert judge_copying(CopyingFigures("", nearer, nothing, nothing)) == "doubtful"
    assert judge_copying(CopyingFigures("", nearer, nothing, nearer)) == "poor"
    assert judge_copying(CopyingFigures("", None, nothing, nothing)) == "not measured"


def test_rows_that_real_data_repeat_are_no_copies_when_repeated_again():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 2, (600, 6)).astype(np.float32)  # 64 different rows
    labels = rng.integers(0, 2, 600)
    training, synthetic = (
        Labelled(coarse[half], labels[half]) for half in (slice(300), slice(300, None))
    )
    figures = build_audit(training, synthetic, class_names="ab").to_dict()
    assert figures["questions"]["copying"]["n_identical"] > 250
    assert figures["questions"]["copying"]["level"] != "poor"


def test_one_row_per_class_leaves_gaps_and_no_figures():
    rows, labels = np.eye(4, 5, dtype=np.float32), np.arange(4)
    report = build_audit(Labelled(rows, labels), Labelled(rows + 0.1, labels), class_names="abcd")
    figures = report.to_dict()
    headline = "Cannot tell: there are too few samples."
    assert figures["summary"]["headline"] == headline
    found = measures(figures)
    assert "reason" in found["precision"]
    assert "reason" in found["trained_on_real"]
    assert "no samples to test on" in render(report)
    assert report.to_markdown()


def test_without_held_out_rows_the_report_says_what_it_cannot_tell(parts):
    figures = audit(parts, table=True, with_holdout=False).to_dict()
    found = figures["questions"]
    assert found["balance"]["holdout"] is None
    assert found["copying"]["membership_test"] is None
    assert {c["reference"] for c in found["copying"]["per_class"].values()} == {"training"}
    assert found["usefulness"]["test_samples"] == "half of the training samples"
    assert any("Hold real samples out" in text for text in figures["summary"]["to_do"])


def test_a_class_too_small_says_so_instead_of_showing_a_number(parts):
    small = kept(parts, "training", lambda labels: (labels != 2) | (np.cumsum(labels == 2) <= 6))
    small = kept(small, "holdout", lambda labels: (labels != 2) | (np.cumsum(labels == 2) <= 5))
    report = audit(small, table=True)
    figures = report.to_dict()
    two = measures(figures, "two")
    reason = "11 real and 67 synthetic samples; at least 20 of each are needed"
    assert two["precision"] == two["coverage"] == {"reason": reason}
    assert "5 samples to test on" in two["trained_on_real"]["reason"]
    levels = figures["classes"]["two"]
    assert levels["fidelity"] == levels["copying"] == "not measured"
    summary = figures["summary"]
    assert any("Not measured: class two" in text for text in summary["doubtful"])
    assert summary["headline"].endswith("and 1 not measured.")
    text = render(report)
    assert reason in text
    assert text.count(">too few samples</abbr>") >= 4 + 2  # its measures, and its recalls
    rows = [line for line in report.to_markdown().splitlines() if line.startswith("| two |")]
    assert sum(row.count("too few samples") for row in rows) >= 4 + 2


def test_a_class_without_synthetic_rows_is_a_gap(parts):
    report = audit(kept(parts, "synthetic", lambda labels: labels != 1), table=True)
    figures = report.to_dict()
    assert measures(figures, "one")["precision"]["reason"].startswith("110 real and 0")
    assert "one" not in figures["questions"]["copying"]["per_class"]
    assert "0%" in report.to_markdown()
    render(report)


def test_training_rows_in_the_holdout_are_left_out_and_counted(parts):
    training, held = parts["training"], parts["holdout"]
    leaky = {**parts, "holdout": tuple(np.concatenate([a[:25], b])
                                       for a, b in zip(training, held, strict=True))}  # fmt: skip
    figures = audit(leaky, table=True).to_dict()
    balance = figures["questions"]["balance"]
    assert balance["holdout_left_out"] == 25
    assert sum(balance["holdout"].values()) == len(held[1])
    assert any("25 of them are training samples" in text for text in figures["summary"]["doubtful"])


def test_alarms_of_the_monitor_and_a_verdict_reach_the_summary(parts):
    report = audit(
        parts,
        table=True,
        alarms=[{"kind": "discriminator_won", "class": None, "remedy": "Add rows."}],
        verdict={
            "gan": "not worth it",
            "text": "No gain: -0.4 points.",
            "per_class": {"one": {"gain": -0.004, "low": -0.009, "high": 0.001}},
        },
    )
    summary = report.to_dict()["summary"]
    assert summary["level"] == "doubtful"
    assert any("discriminator won" in text for text in summary["doubtful"])
    assert "Downstream gain: No gain: -0.4 points." in summary["doubtful"]
    assert not any("Measure the gain" in text for text in summary["to_do"])
    assert '<td class="n">−0.4</td><td class="n">−0.9</td>' in re.sub(
        r">\s+<", "><", render(report)
    )
    assert "| one | −0.4 | −0.9 | +0.1 |" in report.to_markdown()


@pytest.mark.parametrize(
    ("trust", "opening"),
    [
        (dict.fromkeys(NAMES, 0.1), "Do not use: all classes are distrusted. "),
        (
            {**dict.fromkeys(NAMES, 1.0), "two": 0.79},
            "Do not use as it is. Distrusted: class two. ",
        ),
        (dict.fromkeys(NAMES, 0.8), "No defect found. "),
    ],
)
@pytest.mark.usefixtures("quick")
def test_classes_that_are_distrusted_are_named_first(trust, opening, parts):
    summary = audit(parts, table=True, trust=trust).to_dict()["summary"]

    assert summary["headline"].startswith(opening)
    assert (summary["level"] == "poor") == (min(trust.values()) < 0.8)
    assert any("Leave synthetic" in text for text in summary["to_do"]) == ("istrusted" in opening)


def test_trust_in_unknown_classes_is_refused(parts):
    with pytest.raises(
        InvalidInputError, match=r"`trust` must have class names.*Got 'ten' instead"
    ):
        audit(parts, table=True, trust=dict.fromkeys(NAMES, 1.0) | {"ten": 0.9})


def test_unfiltered_figures_stand_beside_filtered_ones(parts):
    images, labels = parts["synthetic"]
    unfiltered = 255 - images.reshape(len(images), -1).astype(np.float32), labels
    trust = dict.fromkeys(NAMES, 0.9)
    report = audit(parts, table=True, trust=trust, unfiltered=Labelled(*unfiltered))
    figures = report.to_dict()

    found = figures["questions"]["trust"]
    assert found["shares"] == trust
    assert figures["format_version"] == 4
    served = measures(figures, "two")["precision"]["value"]
    assert found["unfiltered"]["two"]["precision"]["value"] < served / 2
    assert "| Precision, unfiltered | as served |" in report.to_markdown()


def test_noise_is_not_to_be_used(parts):
    images, labels = parts["synthetic"]
    noise = np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)

    summary = audit({**parts, "synthetic": (noise, labels)}, table=True).to_dict()["summary"]

    assert summary["level"] == "poor"
    assert summary["headline"].startswith("Do not use")


def test_of_few_real_samples_nothing_is_called_fine(parts):
    few = {
        name: (images[keep], labels[keep])
        for name, (images, labels) in parts.items()
        for keep in [np.concatenate([np.flatnonzero(labels == c)[:20] for c in range(N_CLASSES)])]
    }

    figures = audit(few, table=True, with_holdout=False, trust=dict.fromkeys(NAMES, 1.0)).to_dict()

    assert "fine" not in {level for of in figures["classes"].values() for level in of.values()}
    assert "classes measured fine" not in figures["summary"]["headline"]
    assert figures["summary"]["level"] != "fine"


# --- questions ---------------------------------------------------------------------------------

QUESTION = """
from ganaug.audit.content import Paragraph, Table
from ganaug.audit.results import Estimate, Finding, Level, Measure


NAME = "brightness"
TITLE = "Brightness: are they as bright?"
PLACE = 35


def measure(context):
    share = float(context.samples.synthetic.values.mean())
    lines = [["All", f"{share:.3f}"]]
    return Measure(
        {"mean": Estimate(share, share, share, 1)},
        (Finding(Level.POOR, "Brightness: too dark.", "Add light to {classes}.", ("two",)),),
        (Paragraph("Their mean."), Table.of("Brightness.", ("Samples", "Mean"), lines)),
        dict.fromkeys(context.samples.class_names, Level.FINE) | {"two": Level.POOR},
        Level.POOR,
    )
"""


def test_a_new_question_is_one_file(parts, monkeypatch, tmp_path):
    (tmp_path / "brightness.py").write_text(QUESTION, encoding="utf-8")
    monkeypatch.setattr(questions, "__path__", [*questions.__path__, str(tmp_path)])
    report = audit(parts, table=True)
    figures = report.to_dict()
    mean = figures["questions"]["brightness"]["mean"]["value"]
    assert mean == pytest.approx(parts["synthetic"][0].mean(), rel=1e-5)
    assert figures["questions"]["brightness"]["level"] == figures["summary"]["level"] == "poor"
    assert list(figures["questions"])[1:4] == ["fidelity", "brightness", "variety"]
    assert figures["classes"]["two"]["brightness"] == figures["classes"]["two"]["overall"] == "poor"
    assert "Brightness: too dark." in figures["summary"]["doubtful"]
    assert "Add light to class two." in figures["summary"]["to_do"]
    text = report.to_markdown()
    assert "## Brightness: are they as bright?\n\nTheir mean.\n\nBrightness." in text
    assert f"| All | {mean:.3f} |" in text
    page_text = render(report)
    check_page(page_text)
    assert '<a href="#brightness">Brightness</a>' in page_text
    assert f'<td class="text">{mean:.3f}</td>' in page_text


def test_questions_answer_to_their_own_name_and_come_in_order():
    found = questions.find_questions()
    modules = {question.__name__.rpartition(".")[2] for question in found}
    assert modules == {module.name for module in pkgutil.iter_modules(questions.__path__)}
    assert len({question.NAME for question in found}) == len(found)
    assert [q.PLACE for q in found] == sorted({q.PLACE for q in found})


# --- groups ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_sites(parts):
    """Half of the training and synthetic rows from a site with a brighter background."""

    def brighten(images, at):
        images = images.astype(int)
        images[at] = images[at] * 0.5 + 100
        return images.astype(np.uint8)

    rng = np.random.default_rng(0)
    at_b = {name: rng.random(len(parts[name][1])) < 0.5 for name in ("training", "synthetic")}
    images = {name: brighten(parts[name][0], at_b[name]) for name in at_b}
    parts = {**parts, **{name: (images[name], parts[name][1]) for name in at_b}}
    return parts, np.where(at_b["training"], "B", "A"), at_b["synthetic"]


def test_groups_that_are_served_alike_are_not_flagged(two_sites):
    parts, groups, _ = two_sites
    figures = audit(parts, table=True, with_holdout=False, groups=groups).to_dict()["questions"][
        "groups"
    ]
    assert figures["recognised"]["value"] > 0.9
    assert not any(group["under_served"] for group in figures["per_group"].values())
    for group in figures["per_group"].values():
        assert group["shares"]["gap_low"] < 0 < group["shares"]["gap_high"]


def test_an_under_served_group_is_found(two_sites):
    parts, groups, at_b = two_sites
    images, labels = parts["synthetic"]
    parts = {**parts, "synthetic": (images[~at_b], labels[~at_b])}
    report = audit(parts, table=True, with_holdout=False, groups=groups)
    figures = report.to_dict()["questions"]["groups"]["per_group"]
    assert figures["B"]["under_served"]
    assert not figures["A"]["under_served"]
    assert figures["B"]["shares"]["synthetic"] < 0.1 < figures["B"]["shares"]["expected"]
    assert figures["B"]["reach"]["value"] < figures["B"]["reach"]["floor_low"]
    assert any("group B" in text for text in report.to_dict()["summary"]["doubtful"])
    assert "under-served" in render(report)
    assert "under-served" in report.to_markdown()


def test_groups_that_rows_do_not_show_get_no_shares(parts):
    groups = np.random.default_rng(0).integers(0, 2, len(parts["training"][1]))
    report = audit(parts, table=True, groups=groups)
    figures = report.to_dict()["questions"]["groups"]
    assert not figures["are_told_apart"]
    assert "cannot be told apart" in figures["per_group"]["0"]["shares"]["reason"]
    assert not any(group["under_served"] for group in figures["per_group"].values())
    render(report)


def test_groups_too_small_to_compare_are_a_gap(parts):
    groups = np.arange(len(parts["training"][1]))  # say, one patient per row
    report = audit(parts, table=True, groups=groups)
    assert "0 of 280 groups" in report.to_dict()["questions"]["groups"]["reason"]
    assert "0 of 280 groups" in render(report)
    assert "0 of 280 groups" in report.to_markdown()


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"holdout": Labelled(np.zeros((5, 3), np.float32), np.zeros(5, np.int64))},
         "`holdout` must look like the training samples"),
        ({"holdout": Labelled(np.zeros((5, 64), np.float32), np.full(5, 4))},
         "`holdout_labels` must be class codes from 0 to 3"),
        ({"holdout": Labelled(np.zeros((5, 64), np.float32), np.zeros(4, np.int64))},
         "`holdout_labels` must hold one class code per sample"),
        ({"holdout": Labelled(np.zeros((0, 64), np.float32), np.zeros(0, np.int64))},
         "at least two"),
        ({"groups": ["a", "b"]}, "`groups` must have one value per sample, 280"),
        ({"extractor": lambda values: np.zeros((3, 2))}, "`extractor` must return one feature"),
        ({"extractor": lambda values: values * np.nan}, "`extractor` must return finite"),
        ({"class_names": ("zero", "one")}, "from 0 to 1"),
        ({"class_names": ("zero", "one", "two", 2)}, None),
        ({"class_names": ("zero", "one", "2", 2)}, "`class_names` must differ"),
    ],
)  # fmt: skip
def test_input_that_cannot_be_audited_is_refused(parts, options, message):
    if message is None:
        assert audit(parts, table=True, with_holdout=False, **options).to_dict()["classes"]["2"]
        return
    with pytest.raises(InvalidInputError, match=message):
        audit(parts, table=True, with_holdout=False, **options)


def test_training_rows_as_holdout_are_refused(parts):
    with pytest.raises(InvalidInputError, match="all among the training samples"):
        audit({**parts, "holdout": parts["training"]}, table=True)


# --- output ------------------------------------------------------------------------------------


def test_json_is_strict_and_says_the_same_as_the_dict(ideal):
    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(ideal.to_json(), parse_constant=refuse) == ideal.to_dict()


def test_changing_the_dict_leaves_the_report_alone(ideal):
    ideal.to_dict()["summary"]["level"] = "changed"
    assert ideal.to_dict()["summary"]["level"] == "fine"


def test_markdown_holds_headline_tables_and_card(ideal):
    text = ideal.to_markdown()
    assert ideal.to_dict()["summary"]["headline"] in text
    rows = [line for line in text.splitlines() if line.startswith("| three |")]
    assert len(rows) == 6  # classes, fidelity, variety, usefulness, copying, balance
    assert [row.endswith("| fine |") for row in rows] == [True] * 4 + [False] * 2
    assert "| torch | 2.15.0 |" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_class_names_cannot_break_the_page_or_the_table(parts):
    names = ("<script>alert(1)</script>", "a|b", "$5 & more", "x" * 60)
    report = audit(parts, class_names=names, table=True)
    text = render(report)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert r"a\|b" in report.to_markdown()
    check_page(text)


def test_the_audit_is_seeded_and_leaves_global_random_state_alone(parts):
    state = torch.get_rng_state(), str(np.random.get_state(legacy=False))  # noqa: NPY002
    first, again = (audit(parts, table=True) for _ in range(2))
    other = audit(parts, table=True, seed=-1)
    assert first.to_json() == again.to_json() != other.to_json()
    assert render(first) == render(again)  # pictures and ids of charts too
    assert torch.equal(torch.get_rng_state(), state[0])
    assert str(np.random.get_state(legacy=False)) == state[1]  # noqa: NPY002


def test_another_extractor_can_be_passed_in(parts):
    asked = []

    def extractor(values):
        asked.append(len(values))
        return values[:, :5]

    figures = audit(parts, table=True, extractor=extractor).to_dict()
    assert figures["settings"] == {
        "seed": 0, "n_features": 5, "features": "of the extractor passed in"
    }  # fmt: skip
    assert sorted(asked) == sorted([280 + 160, len(parts["synthetic"][1])])


def test_without_the_extra_html_says_how_to_install_it_and_the_rest_works(
    ideal, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "ganaug\[report\]"'):
        ideal.to_html(tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    assert ideal.to_markdown()
    assert ideal.to_json()


def test_the_repr_tells_the_outcome(ideal):
    assert repr(ideal).startswith("<AuditReport: fine. No defect found.")


# --- the estimator's audit ---------------------------------------------------------------------


def tiny_augmenter(**parameters):
    tiny = {"max_images": 256, "width": 4, "filter": None, "random_state": 0, "verbose": 0}
    return GANAugmenter(**{**tiny, **parameters})


@pytest.fixture(scope="module")
def rows():
    """Digits of three classes as rows to train on, and others to hold out, with their labels."""
    X, y = load_digits(n_class=3, return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, held_out = order[:300], order[300:]
    return {"X": X[train], "y": y[train], "X_holdout": X[held_out], "y_holdout": y[held_out]}


@pytest.fixture(scope="module")
def fitted(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tiny_augmenter(image_shape=(8, 8)).fit(rows["X"], rows["y"])


@pytest.fixture
def quick(monkeypatch):
    """Classifiers of ten steps: they take most of an audit's time."""
    few_steps = functools.partial(fit_classifier, max_steps=10)
    monkeypatch.setattr("ganaug.audit.context.fit_classifier", few_steps)


@pytest.fixture(scope="module")
def audited(fitted, rows):
    return fitted.audit(**rows, groups=np.arange(300) % 2, n_samples=60)


@pytest.fixture(scope="module")
def demo_page(tmp_path_factory):
    """The demo's own report, of a model that has hardly been trained."""
    X, y = load_digits(return_X_y=True)
    train = demo.draw_imbalanced(X, y, seed=0)
    path = tmp_path_factory.mktemp("demo") / "report.html"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        demo.write_report(tiny_augmenter(image_shape=demo.IMAGE_SHAPE).fit(*train), train, (X, y),
                          path)  # fmt: skip
    return path.read_text(encoding="utf-8")


def test_an_audit_measures_everything_per_class_and_overall_beside_its_floor(audited):
    figures = audited.to_dict()
    kinds = {"precision", "coverage", "kernel_distance"}
    for name in (None, *figures["classes"]):
        found = measures(figures, name)
        assert set(found) >= {*kinds, "trained_on_synthetic", "trained_on_real"}
        for kind in kinds:
            expected = {"value", "low", "high", "floor", "floor_low", "floor_high"}
            assert found[kind].keys() >= expected
    assert all("floor" in measures(figures, name)["variety"] for name in figures["classes"])
    found = figures["questions"]
    tests = (found["copying"][name] for name in ("distance_test", "membership_test"))
    assert all(0 < test["p_value"] <= 1 for test in tests)
    assert set(found["groups"]["per_group"]) == {"0", "1"}
    assert found["balance"]["synthetic"] == {"0": 60, "1": 60, "2": 60}
    assert found["balance"]["synthetic_share"]["0"] == pytest.approx(1 / 3)


@pytest.mark.usefixtures("quick")
def test_the_model_card_says_how_the_model_came_about(fitted, rows, tmp_path, monkeypatch):
    fitted.save(tmp_path / "model")
    monkeypatch.setattr("ganaug.persistence.library_versions", lambda: {"torch": "another"})
    monkeypatch.setattr("ganaug.model_audit.library_versions", lambda: {"torch": "another"})
    day = Mock(today=lambda: date(1999, 12, 31))
    monkeypatch.setattr("ganaug.model_audit.dt", Mock(date=day))
    loaded = GANAugmenter.load(tmp_path / "model")
    loaded.model_.gans[0].alarms = (Alarm("collapsed", 1, 0.2),)
    report = loaded.audit(**rows, n_samples=20, title="Audit of model")
    text = report.to_markdown()
    assert text.startswith("# Audit of model")
    assert re.search(r"Date: 1999-12-31\n\nData: .* 3 classes, .*\n\nBudget: 768 images", text)
    assert "1999-12-31" not in report.to_json()  # which is the same on any day
    card = report.to_dict()["questions"]["model_card"]
    assert card["samples per class"] == {str(k): n for k, n in fitted.class_counts_.items()}
    assert card["data fingerprint"] == fitted.data_fingerprint_
    assert (card["seed"], card["recipe"], card["images seen"]) == (0, "default", 3 * 256)
    assert card["training seconds"] > 0
    assert card["hardware of the training"]["device"] == "cpu"
    assert card["hardware of the training"]["processor"]
    assert card["versions at the training"]["torch"] == torch.__version__
    assert card["versions at the audit"] == {"torch": "another"}
    assert card["alarms and remedies"] == [f"collapsed in class 1: {REMEDIES['collapsed']}"]
    assert set(card["acceptance by the filters"]) == {"0", "1", "2"}
    assert "collapsed in class 1: " in report.to_markdown()


@pytest.mark.usefixtures("quick")
def test_an_extractor_and_a_verdict_reach_the_audit(fitted, rows):
    asked = []

    def extractor(values):
        asked.append((values.dtype, values.shape[1:]))
        return values.reshape(len(values), -1)[:, 20:25]

    counts = np.unique(rows["y"], return_counts=True)[1].tolist()
    gains = {str(label): ClassGain(n, -0.05, -0.09, -0.01) for label, n in enumerate(counts)}
    verdict = verdict_of(per_class=gains)

    report = fitted.audit(**rows, n_samples=20, extractor=extractor, verdict=verdict)
    figures = report.to_dict()
    assert set(asked) == {(np.dtype("uint8"), (1, 8, 8))}
    assert figures["settings"]["n_features"] == 5
    assert f"Downstream gain: {verdict.text}" in figures["summary"]["doubtful"]
    assert "| 1 | −5.0 | −9.0 | −1.0 |" in report.to_markdown()
    assert "−9.0</td>" in render(report)

    other = verdict_of(per_class={**gains, "1": ClassGain(90, -0.05, -0.09, -0.01)})
    with pytest.raises(InvalidInputError, match="`verdict` must be of the samples that"):
        fitted.audit(**rows, n_samples=20, verdict=other)
    other = verdict.to_dict() | {"augmenter": {"width": 99, "max_images": "auto"}}
    with pytest.raises(InvalidInputError, match="with width=.*Got .* width=99.*`verdict=None`"):
        fitted.audit(**rows, n_samples=20, verdict=other)


def test_a_verdict_is_refused_by_comparable_settings_only(fitted):
    def model(**config):
        gan = fitted.model_.gans[0]
        gan = replace(gan, config=replace(gan.config, **config))
        return replace(fitted.model_, gans=[gan], n_generators=1)

    def check(model, **measured):
        _check_verdict(verdict_of(per_class={}).to_dict() | {"augmenter": measured}, model)

    check(model(max_images=256), max_images=128)  # trained on
    check(replace(model(), gans=model().gans * 3), max_images=768)  # one network per class
    cut = model()
    cut.gans[0].interrupted = True
    check(cut, n_generators=3)
    with pytest.raises(InvalidInputError, match="n_generators=1. Got .*n_generators=3"):
        check(model(), n_generators=3)
    with pytest.raises(InvalidInputError, match="max_images=64. Got .*=128.*set as for the model"):
        check(model(max_images=64), max_images=128)


@pytest.mark.usefixtures("quick")
def test_a_class_that_the_filters_reject_is_a_marked_gap(fitted, rows, monkeypatch):
    sample = TrainedSampler.sample_values

    def rejecting(self, counts, **options):
        if counts.get(1):
            raise SamplingError("too few pass")
        return sample(self, counts, **options)

    monkeypatch.setattr(TrainedSampler, "sample_values", rejecting)
    figures = fitted.audit(**rows, n_samples=20).to_dict()
    assert figures["questions"]["balance"]["synthetic"] == {"0": 20, "1": 0, "2": 20}
    assert measures(figures, "1")["precision"]["reason"].endswith("are needed")
    summary = figures["summary"]
    assert any(
        "reject nearly all synthetic samples of class 1" in text for text in summary["doubtful"]
    )
    assert "Not measured: class 1, for too few synthetic samples." in summary["doubtful"]
    assert not any("Collect more real samples" in text for text in summary["to_do"])
    monkeypatch.setattr(
        TrainedSampler, "sample_values", lambda self, counts: rejecting(self, {1: 1})
    )
    with pytest.raises(SamplingError, match="too few pass"):
        fitted.audit(**rows, n_samples=20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": lambda X: X[::-1]}, "must be the samples that the model was trained on"),
        ({"X": lambda X: X[:-1], "y": lambda y: y[:-1]}, "must be the samples that the model was"),
        ({"y": lambda y: np.roll(y, 1)}, "must be the samples that the model was trained on"),
        ({"X_holdout": lambda X: X[:, :60]}, r"\(8, 8\)"),
        ({"X_holdout": lambda X: np.where(X == 3, np.nan, X)}, "NaN"),
        ({"y_holdout": lambda y: y + 1}, "Got 3 as well"),
        ({"y_holdout": lambda y: y[:-1]}, "same length"),
        ({"X_holdout": lambda X: None}, "`y_holdout` came without `X_holdout`"),
        ({"y_holdout": lambda y: None}, "y"),
        ({"n_samples": lambda _: 19}, "`n_samples` must be 20 or more"),
        ({"n_samples": lambda _: -1}, "`n_samples` must be a non-negative integer"),
    ],
    ids=["order", "missing row", "labels", "shape", "NaN", "unknown class", "lengths", "no X",
         "no y", "few samples", "negative"],
)  # fmt: skip
def test_what_cannot_be_audited_is_refused_before_anything_is_measured(
    fitted, rows, change, message, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("too late")

    monkeypatch.setattr("ganaug.audit.context.fit_classifier", refuse)
    options = {**rows, **{name: make(rows.get(name)) for name, make in change.items()}}
    with pytest.raises(InvalidInputError, match=message):
        fitted.audit(**options)


def test_an_augmenter_that_is_not_fitted_cannot_be_audited(rows):
    with pytest.raises(NotFittedError):
        tiny_augmenter().audit(**rows)


# --- the page ----------------------------------------------------------------------------------


def render(report):
    """Return the page's text without writing a file."""
    return page.render_html(report._document)


class Page(HTMLParser):
    """Collects what the checks below look at."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.captioned, self.text_of = [], [], 0, {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open:
            self.text_of.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def check_page(text):
    """Check what holds for every report: well-formed, self-contained, and readable by all."""
    parsed = Page(text)
    assert parsed.open == []
    names = [name for name, _ in parsed.elements]
    assert text.startswith("<!DOCTYPE html>")
    assert parsed.all("html")[0]["lang"] == "en"
    assert any("width=device-width" in meta.get("content", "") for meta in parsed.all("meta"))
    assert "".join(parsed.text_of["title"]).strip()

    # Nothing is fetched, nothing runs.
    assert not {"script", "iframe", "object", "embed"} & set(names)
    for _, attributes in parsed.elements:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in text
    assert not re.search(r"url\(\s*['\"]?(?!#|['\"]?data:)", text)

    # Landmarks, headings in order, links that lead somewhere, names for pictures.
    for landmark in ("header", "nav", "main", "footer"):
        assert names.count(landmark) == 1
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in parsed.all("a"):
        assert link["href"].removeprefix("#") in ids
    for _, attributes in parsed.elements:
        for reference in attributes.get("aria-labelledby", "").split():
            assert reference in ids
    for image in parsed.all("img"):
        assert image["alt"]
        assert image["src"].startswith("data:image/png;base64,")
    for drawing in parsed.all("svg"):
        assert drawing["role"] == "img"
        assert drawing["aria-label"]

    # Tables have captions and headers with scope; what scrolls can be reached by keyboard.
    assert names.count("caption") == names.count("table")
    assert all(cell.get("scope") in ("col", "row") for cell in parsed.all("th"))
    for region in parsed.all("div"):
        if region.get("class") == "scroll":
            assert region["tabindex"] == "0"
            assert region["role"] == "region"
    return parsed


def test_the_page_is_self_contained_and_readable_by_all(ideal_page):
    parsed = check_page(ideal_page)
    assert len(parsed.all("img")) > 4 * N_CLASSES
    assert len(parsed.all("svg")) == 4  # distances, losses, distance, variety
    assert "Digits &amp; others" in ideal_page
    for section in ("summary", "classes", "pictures", "fidelity", "variety", "usefulness",
                    "copying", "balance", "training", "model_card"):  # fmt: skip
        assert f'id="{section}"' in ideal_page
    assert ":focus-visible" in ideal_page
    assert "@media print" in ideal_page


def test_the_demos_report_holds_all_sections_and_its_pictures(demo_page):
    parsed = check_page(demo_page)
    assert len(parsed.all("img")) > 5 * 10  # strips of ten classes, interpolations, pairs
    for section in ("summary", "pictures", "copying", "balance", "model_card"):
        assert f'id="{section}"' in demo_page
    assert "Interpolations" in demo_page
    assert "Hardware of the training" in demo_page  # heading of a table


def test_a_table_has_a_page_without_pictures(parts):
    parsed = check_page(render(audit(parts, table=True)))
    assert parsed.all("img") == []
    assert parsed.all("svg")


def test_charts_take_their_colours_from_the_page(ideal_page):
    drawings = re.findall(r"<svg.*?</svg>", ideal_page, flags=re.DOTALL)
    assert drawings
    for drawing in drawings:
        # Any colour of its own would be wrong in one of light and dark mode.
        assert not re.search(r"""#[0-9a-fA-F]{3}|rgb|hsl|\b(fill|stroke|style|color)=""", drawing)
    rules = re.findall(r"^svg [^{]*\{(.*)\}$|^svg \{(.*)\}$", ideal_page, flags=re.MULTILINE)
    colours = re.findall(r"\b(?:fill|stroke): ([^;]+);", " ".join(map("".join, rules)))
    assert len(colours) >= 8
    assert all(colour == "none" or colour.startswith("var(--") for colour in colours)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_have_enough_contrast(ideal_page, mode):
    style = ideal_page.partition("<style>")[2].partition("</style>")[0]
    dark = style.index("@media (prefers-color-scheme: dark)")
    block = style[dark:] if mode == "dark" else style[:dark]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block.partition("--poor-bg")[0]))
    backgrounds = dict(re.findall(r"--(\w+-bg): (#[0-9a-f]{6})", block[:1200]))
    for name in ("ink", "muted", "link", "real", "synthetic", "fine", "doubtful", "poor"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert contrast(colours[name], colours["panel"]) >= 4.5, name
    for name, background in backgrounds.items():
        assert contrast(colours[name.removesuffix("-bg")], background) >= 4.5, name
        assert contrast(colours["ink"], background) >= 7


def contrast(first, second):
    """Contrast ratio by WCAG 2.1."""

    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_to_html_makes_the_directory_and_returns_the_file(ideal, ideal_page, monkeypatch, tmp_path):
    monkeypatch.setattr("ganaug.audit.report.render_html", lambda document: ideal_page)
    path = ideal.to_html(tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == ideal_page


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PROBE = """<script>
addEventListener("error", () => document.body.dataset.failed = "yes", true);
document.querySelectorAll("details").forEach(part => part.open = true);
const images = [...document.images];
images.forEach(image => image.loading = "eager");
Promise.all(images.map(image => image.decode().then(() => 1, () => 0))).then(ok => {
  document.body.dataset.images = ok.filter(Boolean).length + " of " + ok.length;
  const whole = document.documentElement;
  document.body.dataset.overflow = whole.scrollWidth - whole.clientWidth;
});
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
@pytest.mark.parametrize("width", [500, 1200])
@pytest.mark.parametrize("which", ["ideal_page", "demo_page"])
def test_a_browser_shows_all_pictures_without_errors_or_sideways_scrolling(
    which, width, tmp_path, request
):
    text = request.getfixturevalue(which)
    file = tmp_path / "report.html"
    file.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
             "--virtual-time-budget=10000", "--enable-logging=stderr", "--dump-dom"]  # fmt: skip
    result = subprocess.run(
        [str(BROWSER), *flags, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    body = re.search(r"<body[^>]*>", result.stdout)[0]
    n_images = len(Page(text).all("img"))
    assert f'data-images="{n_images} of {n_images}"' in body
    assert 'data-overflow="0"' in body
    assert "data-failed" not in body
    assert "CONSOLE" not in result.stderr
