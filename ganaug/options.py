"""Names that options take; imports nothing, so that the command line offers them without torch."""

from __future__ import annotations

RECIPES = ("default", "classic")
CONDITIONINGS = ("joint", "per_class")
