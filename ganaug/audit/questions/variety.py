"""Whether synthetic samples vary as real samples of their class do."""

from __future__ import annotations

from dataclasses import dataclass
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
from ganaug.audit.results import Figure, Figures, Finding, Level, Measure, Missing, Question, worst
from ganaug.audit.samples import Labelled
from ganaug.audit.scores import share_of

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


@dataclass(frozen=True)
class VarietyFigures(Figures):
    """Measures, and the share of real samples that nearly repeat another one."""

    usual_near_duplicates: float | None


class Variety:
    """Recall, coverage, spread, and near-duplicates."""

    name = "variety"
    title = "Variety: do they vary as real ones do?"
    place = 40

    def measure(self, context: Context) -> Measure:
        """Measure it per class and overall."""
        figures = _figures(context)
        usual, levels, quotes, defects = figures.usual_near_duplicates, {}, {}, {}
        for name, found in figures.per_class.items():
            coverage, variety, repeats = (
                found[key] for key in ("coverage", "variety", "near_duplicates")
            )
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
        blocks: tuple[Block, ...] = (
            Paragraph(_MEANING.format(usual=percent(usual))),
            *charts_of(_LABELS, figures),
            figure_table("Variety, with the interval and the floor.", _LABELS, figures),
            Drawing(partial(_draw_map, context)),
        )
        return Measure(figures, findings + _repeats(figures), blocks, levels)


QUESTION: Question = Variety()


def _figures(context: Context) -> VarietyFigures:
    screen, kinds = context.screen, ("coverage", "variety", "recall")
    usual = screen.real_near_duplicate_share

    def near_duplicates(code: int) -> Figure:
        found = screen.per_class.get(code)
        if found is None or found.median_reference is None:
            return Missing("too few samples to know what is near")
        return share_of(found.n_near_duplicates, found.n_synthetic)

    return VarietyFigures(
        {
            **{kind: context.overall_comparisons[kind] for kind in kinds},
            "near_duplicates": share_of(len(screen.near_duplicates), len(screen.distances)),
        },
        {
            name: {
                **{kind: context.comparisons[name][kind] for kind in kinds},
                "near_duplicates": near_duplicates(code),
            }
            for code, name in context.names()
        },
        float(usual) if np.isfinite(usual) else None,
    )


def _repeats(figures: VarietyFigures) -> tuple[Finding, ...]:
    repeats = figures.overall["near_duplicates"]
    if isinstance(repeats, Missing) or repeats.value <= REPEATS:
        return ()
    text = (
        f"Duplicates: {repeats.value:.0%} of the synthetic samples nearly repeat another one; "
        f"{figures.usual_near_duplicates or 0:.1%} of real samples do."
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
