"""An audit of synthetic samples as a report: plain values, JSON, Markdown, one-file HTML."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ganaug.audit.context import Context, Extractor, ModelRecord
from ganaug.audit.markdown import render_markdown
from ganaug.audit.page import render_html
from ganaug.audit.questions import find_questions
from ganaug.audit.results import Json, Measure, Missing, plain
from ganaug.audit.samples import Labelled, check_samples
from ganaug.audit.summary import Document, Section
from ganaug.checks import check_groups, check_path
from ganaug.exceptions import InvalidInputError
from ganaug.storage import write_text

FORMAT_VERSION = 4


class AuditReport:
    """Quality, variety, copying and balance of synthetic samples, beside real ones.

    Made by `build_audit`, which ``GANAugmenter.audit`` calls.

    Parameters
    ----------
    document : Document
        Title, summary and the answers to all questions.
    settings : mapping
        What the figures depend on, beside the samples.
    """

    def __init__(self, document: Document, settings: Mapping[str, Json]) -> None:
        self._document = document
        self._settings = settings

    def __repr__(self) -> str:
        summary = self._document.summary
        return f"<AuditReport: {summary.level}. {summary.headline}>"

    def to_dict(self) -> dict[str, Json]:
        """Return all figures as nested dicts of plain values.

        Returns
        -------
        dict
            `title`, `summary` (level, headline, sentences), `classes` (by name, the level by
            question and `overall`), `questions` (by name, what was measured) and `settings`. A
            measure is a dict of `value`, `low`, `high`, the same of real samples (`floor`,
            `floor_low`, `floor_high`), the interval of their difference (`gap_low`, `gap_high`)
            and `n_samples` per side; or of a `reason` why there is no figure.
        """
        document = self._document
        figures = {
            "format_version": FORMAT_VERSION,
            "title": document.title,
            "summary": document.summary,
            "classes": document.levels,
            "questions": {part.name: _figures(part.answer) for part in document.sections},
            "settings": self._settings,
        }
        return {key: plain(value) for key, value in figures.items()}

    def to_json(self, *, indent: int | None = 1) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return the report without its pictures as Markdown."""
        return render_markdown(self._document)

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
            Without jinja2, which comes with ``pip install "ganaug[report]"``.
        """
        path = check_path(path)
        write_text(path, render_html(self._document))
        return path


def build_audit(
    training: Labelled,
    synthetic: Labelled,
    holdout: Labelled | None = None,
    *,
    class_names: Sequence[object],
    model: ModelRecord | None = None,
    groups: object = None,
    extractor: Extractor | None = None,
    title: str = "Audit of synthetic samples",
    facts: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> AuditReport:
    """Measure synthetic samples against real ones.

    - `training`, `synthetic`, `holdout`: samples, uint8 (n, C, H, W) or float32 (n, d), and class
      codes int64 (n,), positions in `class_names`. Held-out ones are real samples that the
      generator was not trained on; those that are training samples all the same are left out.
    - `class_names`: names of the classes, by code; their text is shown.
    - `model`: what is known of the model beside its samples.
    - `groups` (array-like of shape (n,), optional): group (site, device, ...) of each training
      sample: adds how well each group is served.
    - `extractor`: samples -> features (n, d) in which distances mean something. By default those of
      a small classifier trained here on the training samples.
    - `title`: heading of the report.
    - `facts` (dict of str to str): date, data, budget, ...: stand under the title.
    - `seed`: fixes the report on one machine.
    - `device`: where classifiers are trained.

    Raises InvalidInputError when samples, labels, or groups do not fit one another, trust is in
    other classes, or all held-out samples are training samples.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from ganaug.audit import Labelled, build_audit
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> X = (X * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    >>> order = np.random.default_rng(0).permutation(len(X))
    >>> real, others = (Labelled(X[rows], y[rows]) for rows in (order[:200], order[200:]))
    >>> audit = build_audit(real, others, class_names=[0, 1])  # real ones for synthetic ones
    >>> audit.to_dict()["summary"]["level"]
    'fine'
    """
    names = tuple(map(str, class_names))
    model = model or ModelRecord()
    for name in model.trust:
        if name not in names:
            raise InvalidInputError(
                f"`trust` must have class names as keys, of {list(names)}. Got {name!r} instead: "
                "name classes as in `class_names`."
            )
    context = Context(
        check_samples(training, synthetic, holdout, names),
        model,
        seed % 2**63,  # NumPy takes no negative seeds
        device,
        extractor,
        None if groups is None else check_groups(groups, len(training.labels)),
    )
    asked = ((question, question.measure(context)) for question in find_questions())
    sections = [Section(q.NAME, q.TITLE, answer) for q, answer in asked if answer is not None]
    settings: dict[str, Json] = {
        "seed": seed,
        "n_features": context.real_features.values.shape[1],
        "features": "of a classifier trained on the training samples"
        if extractor is None
        else "of the extractor passed in",
    }
    return AuditReport(Document.of(title, sections, names, facts or {}), settings)


def _figures(answer: Measure | Missing) -> Json:
    if isinstance(answer, Missing):
        return plain(answer)
    figures = plain(answer.figures)
    assert isinstance(figures, dict)
    return figures if answer.level is None else {"level": answer.level.value, **figures}
