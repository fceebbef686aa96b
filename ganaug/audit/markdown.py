"""The audit as Markdown: all figures, no pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganaug.audit.findings import ASPECTS
from ganaug.audit.wording import (
    MEASURES,
    TESTS,
    describe_test,
    figure,
    number,
    percent,
    points,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def render_markdown(audit: Mapping[str, Any]) -> str:
    """Return the audit as Markdown text."""
    sections = [
        f"# {_escape(audit['title'])}",
        *_summary(audit),
        *_gains(audit["verdict"]),
        "## Classes",
        _classes(audit),
        "## Fidelity and variety",
        "Value (middle 95% of repeats); the same for real rows against other real rows.",
        _measures(audit),
        "\n".join(f"- **{words.label}**: {words.meaning}." for words in MEASURES),
        "## Usefulness",
        _usefulness(audit),
        "## Copying",
        "A screen, not a guarantee. Distance: " + audit["copying"]["compared_by"] + ".",
        _copying(audit["copying"]),
        *_groups(audit["groups"]),
        *_card(audit["model_card"]),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(audit: Mapping[str, Any]) -> list[str]:
    summary = audit["summary"]
    parts = [f"**{_escape(summary['headline'])}**"]
    for key, heading in (("fine", "Fine"), ("doubtful", "Doubtful"), ("to_do", "To do")):
        if summary[key]:
            items = "\n".join(f"- {_escape(sentence)}" for sentence in summary[key])
            parts.append(f"**{heading}**\n\n{items}")
    return parts


def _gains(verdict: Mapping[str, Any] | None) -> list[str]:
    if not verdict or not verdict.get("per_class"):
        return []
    rows = [
        [name, points(gain["gain"]), points(gain.get("low")), points(gain.get("high"))]
        for name, gain in verdict["per_class"].items()
    ]
    caption = "Change in recall when synthetic rows are added, in percentage points."
    return ["## Measured gain", caption, _table(["class", "change", "low", "high"], rows)]


def _classes(audit: Mapping[str, Any]) -> str:
    rows, shares = audit["rows"], audit["balance"]
    holdout = rows["holdout"] or {}
    header = ["class", "training rows", "held-out rows", "synthetic rows", "real share",
              "synthetic share", *ASPECTS]  # fmt: skip
    return _table(
        header,
        (
            [
                name,
                rows["training"][name],
                holdout.get(name, "–"),
                rows["synthetic"][name],
                percent(shares["real"][name]),
                percent(shares["synthetic"][name]),
                *(figures["levels"][aspect] for aspect in ASPECTS),
            ]
            for name, figures in audit["classes"].items()
        ),
    )


def _measures(audit: Mapping[str, Any]) -> str:
    per_class = {name: figures["measures"] for name, figures in audit["classes"].items()}
    rows = [
        [
            name,
            *(
                figure(measures if "reason" in measures else measures.get(words.key))
                for words in MEASURES
            ),
        ]
        for name, measures in {"all classes": audit["overall"]["measures"], **per_class}.items()
    ]
    return _table(["class", *(words.label for words in MEASURES)], rows)


def _usefulness(audit: Mapping[str, Any]) -> str:
    overall = audit["overall"]["usefulness"]
    rows = [["all classes (mean)", figure(overall["trained_on_synthetic"]),
             figure(overall["trained_on_real"]), "–"]]  # fmt: skip
    for name, figures in audit["classes"].items():
        scores = figures["usefulness"]
        rows.append(
            [
                name,
                figure(scores["trained_on_synthetic"]),
                figure(scores["trained_on_real"]),
                figure(scores["synthetic_rows_recognised"]),
            ]
        )
    intro = f"Recall on {overall['n_test']} real rows ({overall['test_rows']}), 95% intervals."
    header = ["class", "trained on synthetic", "trained on real", "synthetic rows recognised"]
    return f"{intro}\n\n{_table(header, rows)}"


def _copying(copying: Mapping[str, Any]) -> str:
    tests = _table(
        ["question", "found", "expected", "p-value"],
        ([TESTS[key][0], *describe_test(copying[key])] for key in TESTS),
    )
    n = f"{copying['n_identical']} identical to a training row"
    counts = (
        f"{n}; {copying['n_near_copies']} near-copies of training rows; "
        f"{copying['n_near_duplicates']} near-duplicates of other synthetic rows "
        f"({percent(copying['near_duplicate_share'])}; real rows: "
        f"{percent(copying['real_near_duplicate_share'])})."
    )
    per_class = _table(
        ["class", "median distance", "of real rows", "compared with", "p-value", "near-copies",
         "near-duplicates"],
        (
            [
                name,
                number(c["median_distance"]),
                number(c["median_real_distance"]),
                f"{c['n_reference']} {c['compared_with'] or 'rows: too few'}",
                describe_test(c["distance_test"])[2],
                c["n_near_copies"],
                c["n_near_duplicates"],
            ]
            for name, c in copying["per_class"].items()
        ),
    )  # fmt: skip
    return f"{tests}\n\n{counts}\n\n{per_class}"


def _groups(groups: Mapping[str, Any] | None) -> list[str]:
    if groups is None:
        return []
    if "reason" in groups:
        return ["## Groups", f"Not measured: {groups['reason']}."]
    rows = []
    for name, g in groups["per_group"].items():
        shares = g["shares"]
        known = "reason" not in shares
        rows.append(
            [
                name,
                g["n_rows"],
                figure(g["reach"]),
                percent(shares["synthetic"]) if known else "–",
                percent(shares["expected"]) if known else "–",
                figure(g["kernel_distance"]),
                "under-served" if g["under_served"] else "served",
            ]
        )
    header = ["group", "rows", "reach", "synthetic share", "expected share", "kernel distance", ""]
    return ["## Groups", _table(header, rows)]


def _card(card: Mapping[str, Any]) -> list[str]:
    if not card:
        return []
    lines = [f"- **{_escape(key)}**: {_escape(_inline(value))}" for key, value in card.items()]
    return ["## Model card", "\n".join(lines)]


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_inline(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(_inline, value)) or "none"
    return str(value)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_escape, line)) + " |" for line in lines)


def _escape(text: Any) -> str:
    """Keep text from being read as Markdown's or HTML's own signs."""
    flat = " ".join(str(text).split())
    return flat.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*")
