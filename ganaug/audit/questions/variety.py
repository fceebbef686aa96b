"""Whether synthetic samples vary as real samples of their class do."""

from __future__ import annotations

from functools import partial

import numpy as np

from ganaug.audit.content import (
    Block,
    Drawing,
    Paragraph,
    Plot,
    Series,
    charts_of,
    figure_table,
    join,
    percent,
)
from ganaug.audit.context import Context
from ganaug.audit.judging import REPEATS, class_findings, judge_ratio, judge_repeats, quote
from ganaug.audit.results import Figures, Finding, Level, Measure, Missing, worst
from ganaug.audit.samples import Labelled
from ganaug.audit.scores import share_of

NAME = "variety"
TITLE = "Variety: do they vary as real ones do?"
PLACE = 40

MAX_MAP_SAMPLES = 600
"""Most real, and most synthetic samples on the map."""
_LABELS = {
    "coverage": "Coverage",
    "variety": "Variety",
    "recall": "Recall",
    "near_duplicates": "Near-duplicates",
}
_MEANING = (
    "Coverage is the share of real samples that have a synthetic one in their neighbourhood; "
    "recall is a stricter form of it. Variety is the mean distance between the synthetic samples "
    "of a class over that between its real ones. Near-duplicates are the share of synthetic "
    "samples that nearly repeat another one; {usual} of real samples do."
)
_DEFECTS = (
    "miss part of what real samples show",
    "vary less than real samples",
    "nearly repeat one another",
)
_MAP = (
    "By t-SNE of their features: distances between far-apart groups mean little. Real samples "
    "without synthetic ones around them are missed; synthetic samples apart from all real ones "
    "look like none."
)


def measure(context: Context) -> Measure:
    """Measure recall, coverage, spread and near-duplicates, per class and overall."""
    screen = context.screen
    overall, per_class = context.compared(("coverage", "variety", "recall"))
    usual = screen.usual_near_duplicates
    n_near = sum(found.n_near_duplicates for found in screen.per_class.values())
    all_repeats = share_of(n_near, len(screen.relative_distances))
    overall["near_duplicates"] = all_repeats
    levels, quotes, defects = {}, {}, {}
    for code, name in context.names():
        found = per_class[name]
        coverage, variety = found["coverage"], found["variety"]
        repeats = found["near_duplicates"] = screen.share(code, "n_near_duplicates")
        judged = (judge_ratio(coverage), judge_ratio(variety), judge_repeats(repeats, usual))
        levels[name] = worst(judged)
        share = 0.0 if isinstance(repeats, Missing) else repeats.value
        quoted = [
            quote(name, "coverage", coverage),
            quote(name, "variety", variety),
            [(1 - share, f"{name}: {share:.0%} near-duplicates")],
        ]
        at = [i for i, level in enumerate(judged) if level is levels[name]]
        defects[name] = "synthetic samples " + join([_DEFECTS[i] for i in at])
        quotes[name] = [one for i in at for one in quoted[i]]
    levels = context.told(levels)
    findings = class_findings(
        "Variety",
        levels,
        quotes,
        fine="synthetic samples vary as real samples do",
        defects=defects,
        advice={Level.DOUBTFUL: "Use few synthetic samples of {classes}, or train longer."},
        unfit=True,
    )
    figures = Figures(overall, per_class)
    blocks: tuple[Block, ...] = (
        Paragraph(_MEANING.format(usual=percent(usual))),
        *charts_of(_LABELS, figures),
        figure_table("Variety, with the interval and the floor.", _LABELS, figures),
        Drawing(partial(_draw_map, context)),
    )
    findings += _repeats(all_repeats.value, usual or 0.0)
    measured = {"overall": overall, "per_class": per_class, "usual_near_duplicates": usual}
    return Measure(measured, findings, blocks, levels)


def _repeats(share: float, usual: float) -> tuple[Finding, ...]:
    if share <= REPEATS:
        return ()
    text = (
        f"Duplicates: {share:.0%} of the synthetic samples nearly repeat another one; "
        f"{usual:.1%} of real samples do."
    )
    return (Finding(Level.DOUBTFUL, text),)


def _draw_map(context: Context) -> Plot | None:
    """Lay some samples out on a plane (t-SNE), alike ones near one another."""
    from sklearn.manifold import TSNE

    rng = np.random.default_rng([context.seed, 1])
    real, synthetic = (
        _spread(features, rng) for features in (context.real_features, context.synthetic_features)
    )
    points = np.concatenate([real.values, synthetic.values])
    if len(points) < 40:
        return None
    plane = TSNE(
        perplexity=min(30.0, len(points) / 4),
        max_iter=500,
        init="pca",
        random_state=context.seed % 2**32,
        n_jobs=1,
    ).fit_transform(points)
    n = len(real.labels)
    names = context.samples.class_names
    medians = [
        (*np.median(plane[:n][real.labels == code], axis=0).tolist(), names[code])
        for code in np.unique(real.labels)
    ]
    return Plot(
        "Map of real and synthetic samples",
        f"Map of {n} real and {len(plane) - n} synthetic samples by their features; those that "
        "look alike lie near one another.",
        (
            Series("real samples", "real", "dots", *plane[:n].T.tolist()),
            Series("synthetic samples", "synthetic", "dots", *plane[n:].T.tolist()),
        ),
        names=tuple(medians),
        has_axes=False,
        caption=_MAP,
    )


def _spread(samples: Labelled, rng: np.random.Generator) -> Labelled:
    """Draw samples, as many of each class as there are, up to an even share of the map."""
    codes = np.unique(samples.labels)
    per_class = max(2, MAX_MAP_SAMPLES // len(codes))
    chosen = [rng.permutation(np.flatnonzero(samples.labels == code))[:per_class] for code in codes]
    return samples.take(np.concatenate(chosen))
