"""What an audit's figures mean, in words: what is fine, what is doubtful, what to do.

A measure counts against a class only when it is clearly worse than its floor (the interval of the
difference excludes 0) *and* the difference is large enough to matter. The limits below are
conventions, not laws; the report shows every figure beside its floor so that readers can differ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ganaug.audit.audit import MIN_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FINE, DOUBTFUL, POOR, UNKNOWN = "fine", "doubtful", "poor", "not measured"
LEVELS = (UNKNOWN, FINE, DOUBTFUL, POOR)
ASPECTS = ("fidelity", "variety", "usefulness", "copying")

DOUBTFUL_SHARE, POOR_SHARE = 0.8, 0.4
"""Shares of the floor below which precision, coverage, variety are doubtful, or poor."""
DOUBTFUL_LOSS, POOR_LOSS = 0.1, 0.3
"""Losses of recall, against training on real rows, above which usefulness is doubtful, or poor."""
ALPHA = 0.01
"""Level of the copy tests."""
NEARER = 0.6
"""Chance to be nearer to training rows than real rows are (0.5 expected) that is doubtful."""
REPEATS = 0.02
"""Share of near-copies or near-duplicates, beyond what is usual among real rows, that is doubtful;
ten times that is poor."""
MEMORISED = 0.02
"""Excess share of rows nearer to training than to held-out rows that is doubtful."""


@dataclass
class Summary:
    """The report's summary.

    Attributes
    ----------
    level : str
        "fine", "doubtful", "poor" or "not measured": the worst of all findings.
    headline : str
        One sentence.
    fine, doubtful, to_do : list of str
        Sentences.
    """

    level: str
    headline: str
    fine: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    to_do: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


def worst(levels: Iterable[str]) -> str:
    """Return the worst level; what was not measured counts least."""
    return max(levels, key=LEVELS.index, default=UNKNOWN)


# --- per class ---------------------------------------------------------------------------------


def judge_class(
    name: str,
    measures: Mapping[str, Any],
    usefulness: Mapping[str, Any],
    copying: Mapping[str, Any],
) -> dict[str, str]:
    """Judge one class by aspects; `overall` is the worst of them."""
    on_synthetic, on_real = usefulness["trained_on_synthetic"], usefulness["trained_on_real"]
    fidelity = [
        _judge_ratio(measures.get("precision")),
        _judge_recall(usefulness["synthetic_rows_recognised"], on_real),
    ]
    variety = [
        _judge_ratio(measures.get("coverage")),
        _judge_ratio(measures.get("variety")),
        _judge_repeats(near_duplicate_share(name, copying), copying["real_near_duplicate_share"]),
    ]
    copies = near_copy_share(name, copying)
    usual_copies = (copying["near_copy_test"] or {}).get("expected")
    levels = {
        "fidelity": worst(fidelity),
        "variety": worst(variety),
        "usefulness": _judge_recall(on_synthetic, on_real),
        "copying": _judge_repeats(copies, usual_copies),
    }
    return {**levels, "overall": worst(levels.values())}


def near_copy_share(name: str, copying: Mapping[str, Any]) -> float | None:
    """Return the share of near-copies of training rows in a class; None where unknown."""
    return _share(name, copying, "n_near_copies")


def near_duplicate_share(name: str, copying: Mapping[str, Any]) -> float | None:
    """Return the share of near-duplicates of other synthetic rows; None where unknown."""
    return _share(name, copying, "n_near_duplicates")


def _share(name: str, copying: Mapping[str, Any], key: str) -> float | None:
    figures = copying["per_class"].get(name)
    if figures is None or figures["median_real_distance"] is None:
        return None
    return float(figures[key] / figures["n_synthetic"])


def _judge_ratio(comparison: Mapping[str, Any] | None) -> str:
    """Judge a measure of which more is better by its share of the floor."""
    if not comparison or "reason" in comparison or not comparison["floor"]:
        return UNKNOWN
    if comparison["gap_high"] >= 0:
        return FINE
    return _level(-comparison["value"] / comparison["floor"], -DOUBTFUL_SHARE, -POOR_SHARE)


def _judge_recall(scores: Mapping[str, Any] | None, floor: Mapping[str, Any] | None) -> str:
    """Judge a recall by what it loses against the recall of training on real rows."""
    if not scores or not floor or "reason" in scores or "reason" in floor:
        return UNKNOWN
    if scores["high"] >= floor["low"]:
        return FINE
    return _level(floor["value"] - scores["value"], DOUBTFUL_LOSS, POOR_LOSS)


def _judge_repeats(share: float | None, usual: float | None) -> str:
    """Judge a share of near-copies or near-duplicates by what is usual among real rows."""
    if share is None or usual is None:
        return UNKNOWN
    return _level(share - usual, REPEATS, 10 * REPEATS)


def _level(value: float, doubtful: float, poor: float) -> str:
    if value > poor:
        return POOR
    return DOUBTFUL if value > doubtful else FINE


# --- overall -----------------------------------------------------------------------------------


def judge_copying(copying: Mapping[str, Any]) -> str:
    """Judge the copy screen over all classes."""
    levels = [UNKNOWN if copying["distance_test"] is None else FINE]
    if copying["identical_share"] > copying["real_identical_share"]:
        levels.append(POOR)
    if _rejects(copying["near_copy_test"]):
        levels.append(POOR)
    membership = copying["membership_test"]
    if _rejects(membership):
        excess = membership["effect"] - membership["expected"]
        levels.append(_level(excess, MEMORISED, 5 * MEMORISED))
    distances = copying["distance_test"]
    if _rejects(distances) and distances["effect"] > NEARER:
        levels.append(DOUBTFUL)
    return worst(levels)


def _rejects(test: Mapping[str, Any] | None) -> bool:
    return test is not None and test["p_value"] < ALPHA and test["effect"] > test["expected"]


def summarise(audit: Mapping[str, Any]) -> Summary:
    """Put the audit's figures into words."""
    classes = audit["classes"]
    by_aspect = {
        aspect: {
            level: [name for name, figures in classes.items() if figures["levels"][aspect] == level]
            for level in LEVELS
        }
        for aspect in ASPECTS
    }
    summary = Summary(UNKNOWN, "")
    for aspect in ("fidelity", "variety", "usefulness"):
        _describe_aspect(summary, aspect, by_aspect[aspect], audit)
    summary.to_do += _advise(by_aspect, classes)
    _describe_copying(summary, audit)
    _describe_groups(summary, audit["groups"])
    _describe_alarms(summary, audit["alarms"])
    summary.doubtful += audit["notes"]
    _describe_gaps(summary, audit)
    _describe_verdict(summary, audit["verdict"])
    levels = [figures["levels"]["overall"] for figures in classes.values()]
    levels += [audit["copying"]["level"], DOUBTFUL if summary.doubtful else UNKNOWN]
    summary.level = worst(levels)
    summary.headline = _headline(audit, summary.level)
    return summary


def _headline(audit: Mapping[str, Any], level: str) -> str:
    classes = audit["classes"]
    poor, doubtful, fine, unknown = (
        [name for name, figures in classes.items() if figures["levels"]["overall"] == wanted]
        for wanted in (POOR, DOUBTFUL, FINE, UNKNOWN)
    )
    if not (poor or doubtful or fine):
        return "Nothing could be measured: there are too few rows."
    if audit["copying"]["level"] == POOR:
        opening = "Synthetic rows copy training rows: do not pass them on as if they were new."
    elif level == POOR:
        opening = "Not fit for use as it is."
    elif level == DOUBTFUL:
        opening = "Use with care."
    else:
        opening = "No defect found."
    n = len(classes)
    for names, words in ((fine, "measured fine"), (doubtful, "are doubtful"), (poor, "are poor")):
        if len(names) == n:
            return f"{opening} All {n} classes {words}."
    parts = [
        f"{len(names)} {words}"
        for names, words in (
            (fine, "measured fine"),
            (doubtful, "doubtful"),
            (poor, "poor"),
            (unknown, "not measured"),
        )
        if names
    ]
    return f"{opening} Of {n} classes, {_join(parts)}."


_MEANING = {
    "fidelity": "synthetic rows look like real rows of their class",
    "variety": "synthetic rows vary as real rows do",
    "usefulness": "a classifier trained on synthetic rows alone recognises real rows nearly as "
    "well as one trained on real rows",
}
_DEFECT = {
    "fidelity": "many synthetic rows do not look like real rows of their class",
    "variety": "synthetic rows vary less than real rows, or miss part of them",
    "usefulness": "a classifier trained on synthetic rows alone recognises real rows clearly less "
    "often than one trained on real rows",
}
_REMEDY = {
    ("fidelity", DOUBTFUL): "Look at the least realistic rows of {classes}; train longer "
    "(`max_images`), or add a filter (`filter=`).",
    ("variety", DOUBTFUL): "Use few synthetic rows of {classes} (a lower `max_ratio`), or train "
    "longer (`max_images`).",
    ("usefulness", DOUBTFUL): "Keep real rows in the majority in {classes}.",
    ("usefulness", POOR): "Never train on synthetic rows of {classes} alone.",
}


def _advise(by_aspect: Mapping[str, Mapping[str, list[str]]], names: Iterable[str]) -> list[str]:
    """Say what to do class by class; about classes to be left out nothing more is said."""
    unfit = {*by_aspect["fidelity"][POOR], *by_aspect["variety"][POOR]}
    left_out = [name for name in names if name in unfit]
    advice = []
    if left_out:
        advice.append(
            f"Leave synthetic rows of {_name(left_out)} out; duplicates with classic augmentation "
            "serve better there. Or train longer (`max_images`), on more rows."
        )
    for (aspect, level), remedy in _REMEDY.items():
        concerned = [name for name in by_aspect[aspect][level] if name not in unfit]
        if concerned:
            advice.append(remedy.format(classes=_name(concerned)))
    return advice


def _describe_aspect(
    summary: Summary, aspect: str, names: Mapping[str, list[str]], audit: Mapping[str, Any]
) -> None:
    n_measured = sum(len(names[level]) for level in (FINE, DOUBTFUL, POOR))
    if names[FINE]:
        where = (
            "in every class measured"
            if len(names[FINE]) == n_measured
            else f"in {len(names[FINE])} of {n_measured} classes"
        )
        summary.fine.append(f"{aspect.capitalize()}: {where}, {_MEANING[aspect]}.")
    for level in (POOR, DOUBTFUL):
        if names[level]:
            classes = _name(names[level])
            evidence = _worst_figure(aspect, names[level], audit)
            summary.doubtful.append(
                f"{aspect.capitalize()}, {level} in {classes}: {_DEFECT[aspect]} ({evidence})."
            )


def _worst_figure(aspect: str, names: list[str], audit: Mapping[str, Any]) -> str:
    """Quote the figure behind a finding, of the class where it is worst."""
    return min(figure for name in names for figure in _evidence(aspect, name, audit))[1]


def _evidence(aspect: str, name: str, audit: Mapping[str, Any]) -> list[tuple[float, str]]:
    """List figures of a class as (share of what real rows reach, words)."""
    measures, scores = audit["classes"][name]["measures"], audit["classes"][name]["usefulness"]
    on_real = scores["trained_on_real"]
    pairs = {
        "fidelity": {
            "precision": _with_floor(measures.get("precision")),
            "share recognised": (scores["synthetic_rows_recognised"], on_real),
        },
        "variety": {
            "coverage": _with_floor(measures.get("coverage")),
            "variety": _with_floor(measures.get("variety")),
        },
        "usefulness": {"recall": (scores["trained_on_synthetic"], on_real)},
    }[aspect]
    figures = []
    for measure, (synthetic, real) in pairs.items():
        if "value" in synthetic and "value" in real:
            share = synthetic["value"] / max(real["value"], 1e-9)
            words = f"{name}: {measure} {synthetic['value']:.2f}, real rows {real['value']:.2f}"
            figures.append((share, words))
    duplicates = near_duplicate_share(name, audit["copying"])
    if aspect == "variety" and duplicates is not None:
        figures.append((1 - duplicates, f"{name}: {duplicates:.0%} near-duplicates"))
    return figures


def _with_floor(
    comparison: Mapping[str, Any] | None,
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if not comparison or "reason" in comparison:
        return {}, {}
    return comparison, {"value": comparison["floor"]}


def _describe_copying(summary: Summary, audit: Mapping[str, Any]) -> None:
    copying = audit["copying"]
    if copying["level"] == FINE:
        distances = copying["distance_test"]
        summary.fine.append(
            "Copying: the screen found no sign of it (synthetic rows are no nearer to training "
            f"rows than real rows are: p {format_p(distances['p_value'])}). A screen, not a "
            "guarantee."
        )
    else:
        summary.doubtful += _copying_findings(copying)
    if copying["level"] == POOR:
        summary.to_do.append(
            "Look at the nearest pairs. Do not treat synthetic rows as anonymous. Train on more "
            "rows, or for less time, and keep `diffaugment` switched on."
        )
    if copying["near_duplicate_share"] > REPEATS:
        summary.doubtful.append(
            f"Duplicates: {copying['near_duplicate_share']:.0%} of the synthetic rows nearly "
            f"repeat another one; {copying['real_near_duplicate_share'] or 0:.1%} of real rows do."
        )


def _copying_findings(copying: Mapping[str, Any]) -> list[str]:
    findings = []
    if copying["identical_share"] > copying["real_identical_share"]:
        n = copying["n_identical"]
        findings.append(f"Copying: {n} synthetic rows are byte for byte training rows.")
    if _rejects(copying["near_copy_test"]):
        test = copying["near_copy_test"]
        findings.append(
            f"Copying: {test['effect']:.1%} of the synthetic rows nearly repeat a training row; "
            f"{test['expected']:.1%} of real rows do (p {format_p(test['p_value'])})."
        )
    membership, distances = copying["membership_test"], copying["distance_test"]
    if _rejects(membership):
        findings.append(
            f"Copying: {membership['effect']:.0%} of the synthetic rows lie nearest to a training "
            f"row rather than a held-out one; {membership['expected']:.0%} would be expected "
            f"(p {format_p(membership['p_value'])})."
        )
    if _rejects(distances) and distances["effect"] > NEARER:
        text = (
            "Copying: synthetic rows lie nearer to training rows than real rows do "
            f"(p {format_p(distances['p_value'])})"
        )
        if membership is None:
            text += ". Smooth or little varied rows do too; held-out rows would tell which it is."
        elif _rejects(membership):
            text += "."
        else:
            text += ", but no nearer than to held-out rows: smoothness rather than copying."
        findings.append(text)
    if not findings:
        findings.append("Copying: too few rows to say anything.")
    return findings


def _describe_groups(summary: Summary, groups: Mapping[str, Any] | None) -> None:
    if not groups or "reason" in groups:
        return
    under_served = [name for name, g in groups["per_group"].items() if g["under_served"]]
    if under_served:
        names = _name(under_served, "group")
        summary.doubtful.append(f"Bias: the generator under-serves {names}.")
        summary.to_do.append(
            f"Do not use synthetic rows to make up for few rows of {names}: it serves them worst."
        )
    else:
        summary.fine.append("Bias: no group was found to be under-served.")


def _describe_alarms(summary: Summary, alarms: Iterable[Mapping[str, Any]]) -> None:
    for alarm in alarms:
        where = "" if alarm.get("class") is None else f" in class {alarm['class']}"
        kind = str(alarm["kind"]).replace("_", " ")
        summary.doubtful.append(f"Training: the monitor's alarm '{kind}'{where}.")


def _describe_gaps(summary: Summary, audit: Mapping[str, Any]) -> None:
    """Say what is missing for a full picture."""
    rows = audit["rows"]
    gaps = [n for n, figures in audit["classes"].items() if "reason" in figures["measures"]]
    held_out = rows["holdout"] or {}
    small = [n for n in gaps if rows["training"][n] + held_out.get(n, 0) < MIN_ROWS]
    unsampled = [n for n in gaps if n not in small]
    if small:
        summary.doubtful.append(f"Not measured: {_name(small)}, for too few real rows.")
        summary.to_do.append(f"Collect more real rows of {_name(small)} before trusting any.")
    if unsampled:
        summary.doubtful.append(f"Not measured: {_name(unsampled)}, for too few synthetic rows.")
        summary.to_do.append(
            f"Use duplicates of real rows, not synthetic ones, in {_name(unsampled)}, unless more "
            "synthetic rows can be made and measured."
        )
    if rows["holdout_rows_left_out"]:
        summary.doubtful.append(
            f"Held-out rows: {rows['holdout_rows_left_out']} of them are training rows too and "
            "were left out."
        )
    if rows["holdout"] is None:
        summary.to_do.append(
            "Pass held-out rows (`X_holdout`, `y_holdout`): without them usefulness is tested on "
            "rows that the generator has seen, and copying cannot be told from smoothness."
        )


def _describe_verdict(summary: Summary, verdict: Mapping[str, Any] | None) -> None:
    if verdict is None:
        summary.to_do.append(
            "Measure the gain of your own classifier on real rows that neither it nor the "
            "generator has seen: none of the figures here predicts it."
        )
        return
    target = summary.fine if verdict["gan"] == "chosen" else summary.doubtful
    target.append(f"Downstream gain: {verdict['text']}")


# --- formatting --------------------------------------------------------------------------------


def format_p(p_value: float) -> str:
    """Format a p-value, with its sign.

    Examples
    --------
    >>> format_p(0.0312), format_p(1e-9)
    ('= 0.031', '< 0.001')
    """
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.2g}"


def _name(names: list[str], noun: str = "class") -> str:
    """Name classes in a sentence, at most eight of them."""
    plural = {"class": "classes"}.get(noun, f"{noun}s")
    shown = names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"]
    return f"{noun if len(names) == 1 else plural} {_join(shown)}"


def _join(parts: list[str]) -> str:
    """Join with commas and 'and'.

    Examples
    --------
    >>> _join(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
