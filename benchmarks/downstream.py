"""Markdown of what `benchmarks.run` has written: pure functions, results in, text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.arms import ARMS
from benchmarks.scores import SCORES

N_RAREST = 3
SHORT_ARMS = (
    "none",
    "ros",
    "ros-classic",
    "mixup-drw",
    "deepsmote",
    "ganaug",
    "ganaug-ros-classic",
    "ganaug-mixup-drw",
    "placebo-duplicates",
    "placebo-augmented",
    "ceiling",
)
"""Arms of the README's tables; `docs/results.md` has all."""


def short_table(results: dict[str, Any]) -> str:
    """Give a task's ACSA, recall of the rarest classes and difference to the baseline."""
    part = results["parts"][-1]
    counts = results["counts"]
    has_rarest = len(set(counts)) > 1
    task = results["title"]
    if has_rarest:
        task += f", {counts[0]:,} to {counts[-1]:,} rows per class"
    columns = [
        f"{task}, {scale_and_seeds(results)}, {rows_of(results, part)}",
        "ACSA, %",
        f"recall of the {N_RAREST} rarest classes, %",
        f"difference to {ARMS[results['baseline']].title} (95% interval)",
    ]
    rows = []
    for name in [name for name in SHORT_ARMS if name in results["arms"]]:
        arm = results["arms"][name]
        if arm["seeds"]:
            rare = arm[part]["mean_recall"][-N_RAREST:]
            recall = percent(sum(rare) / N_RAREST) if has_rarest else ""
            cells = [percent(arm[part]["mean"]["acsa"]), recall, difference(results, name, part)]
        else:
            cells = ["failed", "", ""]
        rows.append([title_of(results, name), *cells])
    return "\n".join([table(columns, rows), *footnotes(results, SHORT_ARMS)])


def full_tables(results: dict[str, Any]) -> str:
    """Give everything about a task: scores, recall per class, exchange rate, synthetic rows."""
    blocks = [describe_run(results)]
    for part in results["parts"]:
        name = "Development set" if part == "dev" else "Official test set"
        blocks += [f"**{name}**, {rows_of(results, part)}:"]
        blocks += [score_table(results, part), recall_table(results, part)]
        blocks += [describe_exchange(results, part)]
    blocks += footnotes(results, ARMS)
    if results["gans"]:
        blocks += [synthetic_table(results), *missing_rows(results)]
    return "\n\n".join(block.strip() for block in blocks)


def describe_run(results: dict[str, Any]) -> str:
    """Say what was run on what."""
    machine, versions = results["machine"], results["versions"]
    counts = ", ".join(str(n) for n in results["n_rows"]["train"])
    gan = "its own budget of images"
    if "max_images" in results["gan"]:
        gan = f"{results['gan']['max_images']:,} images"
    where = machine["gpu"] or f"{machine['processor']}, {machine['torch_threads']} thread per arm"
    return (
        f"{scale_and_seeds(results).capitalize()}. Training rows per class: {counts}. Classifier: "
        f"{results['network']}, {results['classifier_steps']:,} steps of 128 rows. GAN: {gan}; at "
        f"most {100 * results['caps']['max_share']:g}% of an equalised class synthetic. "
        f"{where}; torch {versions['torch']}; {machine['date']}."
    )


def scale_and_seeds(results: dict[str, Any]) -> str:
    """Name the scale and the number of seeds."""
    n = results["n_seeds"]
    return f"scale {results['scale']}, {n} seed{'s' if n > 1 else ''}"


def rows_of(results: dict[str, Any], part: str) -> str:
    """Count the rows that a score is taken on."""
    n = sum(results["n_rows"][part])
    return f"n = {n:,} {'development' if part == 'dev' else 'test'} rows"


def score_table(results: dict[str, Any], part: str) -> str:
    """Give all scores, mean and standard deviation over seeds, and differences in ACSA."""
    baseline = ARMS[results["baseline"]].title
    columns = ["arm", "ACSA, % (sd)", f"difference to {baseline} (95% interval)"]
    columns += ["G-mean of recalls, %", "mean class G-mean, %", "macro F1, %"]
    rows = []
    for name in ordered(results):
        arm = results["arms"][name]
        cells = ["failed"] + [""] * 4
        if arm["seeds"]:
            mean, sd = arm[part]["mean"], arm[part]["sd"]
            spread = "" if sd["acsa"] is None else f" ({100 * sd['acsa']:.2f})"
            cells = [f"{100 * mean['acsa']:.2f}{spread}", difference(results, name, part)]
            cells += [percent(mean[score]) for score in list(SCORES)[1:]]
        rows.append([title_of(results, name), *cells])
    return table(columns, rows)


def recall_table(results: dict[str, Any], part: str) -> str:
    """Give the recall of each class, mean over seeds."""
    counts = results["n_rows"]["train"]
    columns = ["recall per class, %"] + [f"{code} ({n:,})" for code, n in enumerate(counts)]
    rows = [
        [title_of(results, name), *map(percent, results["arms"][name][part]["mean_recall"])]
        for name in ordered(results)
        if results["arms"][name]["seeds"]
    ]
    return table(columns, rows)


def describe_exchange(results: dict[str, Any], part: str) -> str:
    """Say what a synthetic row is worth in further real rows."""
    exchange = results["exchange_rate"][part]
    gains = ""
    if "gain_real" in exchange:
        gains = (
            " Gain over duplicates in their place, in points of ACSA: synthetic rows "
            f"{interval(exchange['gain_synthetic'])}, as many further real rows "
            f"{interval(exchange['gain_real'])}."
        )
    if "undefined" in exchange:
        return f"Exchange rate: undefined ({exchange['undefined']}).{gains}"
    return (
        f"Exchange rate: one synthetic row was worth {exchange['ratio']:.2f} further real rows "
        f"(95% interval by Fieller {exchange['low']:.2f} to {exchange['high']:.2f}).{gains}"
    )


def synthetic_table(results: dict[str, Any]) -> str:
    """Give the synthetic rows per class in each seed, and how many were recognised unfiltered."""
    counts = results["n_rows"]["train"]
    columns = ["synthetic rows per class"] + [f"{c} ({n:,})" for c, n in enumerate(counts)]
    rows = []
    for seed, gan in results["gans"].items():
        if gan["status"] != "ok":
            rows.append([f"seed {seed}: failed ({one_line(gan['reason'])})"] + [""] * len(counts))
            continue
        rows.append([f"seed {seed}", *(f"{n:,}" for n in gan["n_synthetic"])])
        trust = gan.get("trust", gan.get("agreement"))  # its name in older results
        if trust:
            rows.append([f"seed {seed}, taken for their class", *map(percent, trust)])
    return table(columns, rows)


def missing_rows(results: dict[str, Any]) -> list[str]:
    """Say where the ceiling had fewer real rows than there were synthetic ones."""
    lines = []
    for seed, gan in results["gans"].items():
        missing = gan.get("further_rows_missing", [])
        short = [f"class {code}: {n:,} fewer" for code, n in enumerate(missing) if n]
        if short:
            lines.append(
                f"Ceiling, seed {seed}: further real rows ran out ({', '.join(short)}); duplicates "
                "fill the rest."
            )
    return lines


def footnotes(results: dict[str, Any], names: Sequence[str] | dict[str, Any]) -> list[str]:
    """Say which arms failed, in which seeds and why."""
    lines = []
    for name in [name for name in names if name in results["arms"]]:
        for seed, reason in results["arms"][name]["failed"].items():
            lines.append(f"\n{ARMS[name].title}, seed {seed}, failed: {one_line(reason)}")
    return lines


def ordered(results: dict[str, Any]) -> list[str]:
    """The arms that were run, in the order of `ARMS`."""
    return [name for name in ARMS if name in results["arms"]]


def title_of(results: dict[str, Any], name: str) -> str:
    """Name an arm; with the number of seeds where some failed."""
    failed, seeds = results["arms"][name]["failed"], results["arms"][name]["seeds"]
    note = f" ({len(seeds)} of {len(seeds) + len(failed)} seeds)" if failed else ""
    return ARMS[name].title + note


def difference(results: dict[str, Any], name: str, part: str) -> str:
    """Format an arm's paired difference in ACSA to the baseline."""
    if name == results["baseline"]:
        return "baseline"
    found = results["arms"][name][part]["difference_to_baseline"]["acsa"]
    return "" if found is None else interval(found)


def interval(found: dict[str, Any]) -> str:
    """Format a difference in points with its interval."""
    text = f"{100 * found['mean']:+.2f}"
    if found["low"] is None:
        return f"{text} (one seed)"
    return f"{text} ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"


def percent(share: float) -> str:
    """Format a share."""
    return f"{100 * share:.1f}"


def one_line(text: str) -> str:
    """Fit a message into a table."""
    return " ".join(text.split()).replace("|", "/")


def steps_table(searches: Sequence[dict[str, Any]], title_of_task: Callable[[str], str]) -> str:
    """Give the searches for the classifier's number of steps."""
    columns = ["task, scale", "steps", "ACSA on the development set, % (each seed)", "CPU s", ""]
    rows = []
    for search in searches:
        for row in search["search"]:
            each = ", ".join(f"{100 * value:.2f}" for value in row["acsa"])
            seconds = sum(row["cpu_seconds"]) / len(row["cpu_seconds"])
            chosen = "chosen" if row["steps"] == search["chosen"] else ""
            task = f"{title_of_task(search['task'])}, {search['scale']}"
            score = f"{100 * row['mean']:.2f} ({each})"
            rows.append([task, f"{row['steps']:,}", score, f"{seconds:.0f}", chosen])
    return table(columns, rows)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
