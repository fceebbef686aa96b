"""Names and figures that all parts know; it imports nothing, so that `--help` needs no torch."""

from __future__ import annotations

RECIPES = ("default", "classic")
CONDITIONINGS = ("joint", "per_class")

MIN_TRUST = 0.8
"""A class is distrusted when a classifier of the real samples takes less than this share of its
synthetic samples for their class."""
