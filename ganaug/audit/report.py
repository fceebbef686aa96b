"""An audit of synthetic rows as a report: plain values, JSON, Markdown, one-file HTML."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganaug.audit.audit import (
    Labelled,
    check_parts,
    describe_balance,
    describe_copying,
    describe_rows,
    describe_usefulness,
    mean_variety,
    measure_classes,
    measure_overall,
    measure_usefulness,
    plain_json,
    realism_scores,
    screen_parts,
)
from ganaug.audit.findings import judge_class, judge_copying, summarise
from ganaug.audit.groups import measure_groups
from ganaug.classifier import fit_classifier
from ganaug.exceptions import InvalidInputError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from ganaug.audit.audit import Extractor, Parts
    from ganaug.audit.copying import CopyScreen

__all__ = ["AuditReport", "build_audit"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class AuditArrays:
    """What the report's pictures are drawn from."""

    parts: Parts
    real_features: Labelled
    synthetic_features: Labelled
    realism: NDArray[np.float64]
    screen: CopyScreen
    interpolations: dict[int, NDArray[np.uint8]]
    seed: int


class AuditReport:
    """Quality, variety, copying and balance of synthetic rows, beside real rows.

    Made by `build_audit`, which ``GANAugmenter.audit`` calls.

    Parameters
    ----------
    figures : dict
        Everything measured, as `to_dict` returns it.
    arrays : AuditArrays
        What the pictures of `to_html` are drawn from.
    """

    def __init__(self, figures: dict[str, Any], arrays: AuditArrays) -> None:
        self._figures = figures
        self._arrays = arrays

    def __repr__(self) -> str:
        summary = self._figures["summary"]
        return f"<AuditReport: {summary['level']}. {summary['headline']}>"

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as nested dicts of plain values.

        Returns
        -------
        dict
            `summary` (level, headline, sentences), `rows`, `overall`, `classes` (by name:
            measures, usefulness, levels), `copying`, `balance`, `groups`, `history`, `alarms`,
            `notes`, `model_card`, `verdict`, `settings`. A measure is a dict of `value`, `low`,
            `high`, the same of real rows (`floor`, `floor_low`, `floor_high`), the interval of
            their difference (`gap_low`, `gap_high`) and `n_rows` per side; or of a `reason` why
            there is no figure.
        """
        copy: dict[str, Any] = plain_json(self._figures)
        return copy

    def to_json(self, *, indent: int | None = 1) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self._figures, indent=indent, allow_nan=False, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return the report without its pictures as Markdown."""
        from ganaug.audit.markdown import render_markdown

        return render_markdown(self._figures)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the report with its pictures as one HTML file that needs no network.

        Parameters
        ----------
        path : str or path-like
            File to write; its directory is made if need be.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        MissingDependencyError
            Without jinja2 and matplotlib, which come with ``pip install "ganaug[report]"``.
        """
        from ganaug.audit.page import render_html

        text = render_html(self._figures, self._arrays)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


def build_audit(
    training: NDArray[Any],
    training_labels: NDArray[np.int64],
    synthetic: NDArray[Any],
    synthetic_labels: NDArray[np.int64],
    *,
    class_names: Sequence[Any],
    holdout: NDArray[Any] | None = None,
    holdout_labels: NDArray[np.int64] | None = None,
    groups: Any = None,
    history: Sequence[Mapping[str, Any]] = (),
    alarms: Sequence[Mapping[str, Any]] = (),
    model_card: Mapping[str, Any] | None = None,
    verdict: Any = None,
    notes: Sequence[str] = (),
    interpolations: Mapping[int, NDArray[np.uint8]] | None = None,
    extractor: Extractor | None = None,
    title: str = "Audit of synthetic rows",
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> AuditReport:
    """Measure synthetic rows against real ones.

    Parameters
    ----------
    training, synthetic, holdout : numpy.ndarray
        Rows: uint8 (n, C, H, W), or float32 (n, d). Held-out rows are real rows that the
        generator was not trained on; those that are training rows all the same are left out.
    training_labels, synthetic_labels, holdout_labels : numpy.ndarray
        Class codes int64 (n,), positions in `class_names`.
    class_names : sequence
        Names of the classes, by code; their text is shown.
    groups : array-like of shape (n,), optional
        Group (site, device, ...) of each training row: adds how well each group is served.
    history : sequence of dict, optional
        The training's records: `images_seen`, any numbers, and `alarms`.
    alarms : sequence of dict, optional
        What is wrong with the model by its own monitor: `kind`, `class`, `value`, `remedy`.
    model_card : dict, optional
        Shown as it is: versions, seeds, fingerprint, recipe, ... Nested dicts become tables.
    verdict : optional
        Outcome of a measured gain: a dict, or an object with ``to_dict()``, with `text` and `gan`,
        which is "chosen" where a GAN is worth its training; `per_class` (dicts of `gain`, `low`,
        `high` in recall, by class name) is shown as a table.
    notes : sequence of str, optional
        Sentences about what is doubtful, for the summary.
    interpolations : dict of int to numpy.ndarray, optional
        By class code, images uint8 (k, C, H, W) on the way between two latent points.
    extractor : callable, optional
        Rows -> features (n, d) in which distances mean something. By default those of a small
        classifier trained here on the training rows.
    title : str
        Heading of the report.
    seed : int, default 0
        Fixes the report on one machine.
    device : str or torch.device, default "cpu"
        Where classifiers are trained.

    Returns
    -------
    AuditReport

    Raises
    ------
    InvalidInputError
        When rows, labels, or groups do not fit one another, or all held-out rows are training
        rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from ganaug.audit.report import build_audit
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> X = (X * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    >>> rows = np.random.default_rng(0).permutation(len(X))
    >>> real, others = rows[:200], rows[200:]  # real rows, in the place of synthetic ones
    >>> audit = build_audit(X[real], y[real], X[others], y[others], class_names=[0, 1])
    >>> audit.to_dict()["summary"]["level"]
    'fine'
    """
    names = tuple(map(str, class_names))
    if len(set(names)) < len(names):
        raise InvalidInputError(f"`class_names` must differ as text. Got {list(names)} instead.")
    parts = check_parts(
        Labelled(training, training_labels),
        Labelled(synthetic, synthetic_labels),
        _labelled_or_none(holdout, holdout_labels),
        names,
    )
    audit = _Audit(parts, extractor, seed, device)
    figures = {
        "format_version": FORMAT_VERSION,
        "title": title,
        "rows": describe_rows(parts),
        **audit.measure(),
        "groups": None if groups is None else audit.measure_groups(groups),
        "history": list(history),
        "alarms": list(alarms),
        "notes": list(notes),
        "model_card": dict(model_card or {}),
        "verdict": verdict.to_dict() if hasattr(verdict, "to_dict") else verdict,
        "settings": {
            "seed": seed,
            "n_features": audit.real.values.shape[1],
            "features": "of a classifier trained on the training rows"
            if extractor is None
            else "of the extractor passed in",
        },
    }
    return AuditReport(_with_findings(plain_json(figures)), audit.arrays(interpolations or {}))


class _Audit:
    """One audit under way: the classifier, the features, and a random stream for each part."""

    def __init__(
        self, parts: Parts, extractor: Extractor | None, seed: int, device: str | torch.device
    ) -> None:
        self.parts = parts
        self.seed = seed % 2**63  # NumPy takes no negative seeds
        self.device = device
        self.classifier = fit_classifier(
            *parts.training, parts.n_classes, seed=self.seed, device=device
        )
        extract = self.classifier.features if extractor is None else extractor
        self.real = _extract(extract, parts.real)
        self.synthetic = _extract(extract, parts.synthetic)
        self.screen = screen_parts(parts, self.stream("copying"))

    def stream(self, part: str) -> np.random.Generator:
        """Return the random stream of one part, which no other part disturbs."""
        return np.random.default_rng([self.seed, *part.encode()])

    def measure(self) -> dict[str, Any]:
        """Measure everything but groups."""
        parts, real, synthetic = self.parts, self.real, self.synthetic
        usefulness = measure_usefulness(
            parts, self.classifier, self.stream("halves"), seed=self.seed + 1, device=self.device
        )
        scores = describe_usefulness(parts, usefulness)
        scores_by_class = scores.pop("per_class")
        measures = measure_classes(parts, real, synthetic, self.stream("classes"))
        overall = measure_overall(parts, real, synthetic, self.stream("overall"))
        if "reason" not in overall:
            overall["variety"] = mean_variety(measures)
        return {
            "overall": {"measures": overall, "usefulness": scores},
            "classes": {
                name: {"measures": measures[name], "usefulness": scores_by_class[name]}
                for name in parts.class_names
            },
            "copying": describe_copying(parts, self.screen),
            "balance": describe_balance(parts, usefulness),
        }

    def measure_groups(self, groups: Any) -> dict[str, Any]:
        """Measure how well each group is served."""
        training = np.arange(len(self.parts.training.labels))
        return measure_groups(
            self.parts,
            groups,
            self.real.take(training),
            self.synthetic,
            self.stream("groups"),
            seed=self.seed + 2,
            device=self.device,
        )

    def arrays(self, interpolations: Mapping[int, NDArray[np.uint8]]) -> AuditArrays:
        """Return what pictures are drawn from."""
        return AuditArrays(
            self.parts,
            self.real,
            self.synthetic,
            realism_scores(self.parts, self.real, self.synthetic),
            self.screen,
            dict(interpolations),
            self.seed,
        )


def _labelled_or_none(
    values: NDArray[Any] | None, labels: NDArray[np.int64] | None
) -> Labelled | None:
    if (values is None) != (labels is None):
        missing = "holdout_labels" if labels is None else "holdout"
        raise InvalidInputError(
            f"`holdout` and `holdout_labels` must come together. Got no `{missing}`."
        )
    return None if values is None or labels is None else Labelled(values, labels)


def _extract(extract: Extractor, rows: Labelled) -> Labelled:
    features = np.asarray(extract(rows.values), dtype=np.float32)
    if features.ndim != 2 or len(features) != len(rows.labels):
        raise InvalidInputError(
            "`extractor` must return one feature vector per row, an array of shape (n, d). Got "
            f"shape {features.shape} for {len(rows.labels)} rows instead."
        )
    return Labelled(features, rows.labels)


def _with_findings(figures: dict[str, Any]) -> dict[str, Any]:
    """Judge the figures, and put the judgement in front of them."""
    copying = figures["copying"]
    copying["level"] = judge_copying(copying)
    for name, one_class in figures["classes"].items():
        one_class["levels"] = judge_class(
            name, one_class["measures"], one_class["usefulness"], copying
        )
    return {"summary": summarise(figures).to_json(), **figures}
