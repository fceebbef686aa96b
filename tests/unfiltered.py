"""Samples as a generator makes them: for tests whose GANs are trained far too shortly to pass."""

from __future__ import annotations

from dataclasses import replace

import ganaug.augmenter


def leave_unfiltered(monkeypatch):
    """Train no classifier of the real samples, so that none rejects synthetic ones."""
    training_options = ganaug.augmenter.training_options

    def unfiltered(*arguments):
        return replace(training_options(*arguments), is_filtered=False)

    monkeypatch.setattr(ganaug.augmenter, "training_options", unfiltered)
