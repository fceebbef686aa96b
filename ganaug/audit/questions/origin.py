"""How the model came about: its card, as it was passed in, with nested values as tables."""

from __future__ import annotations

from collections.abc import Mapping

from ganaug.audit.content import Table
from ganaug.audit.context import Context
from ganaug.audit.results import Measure

NAME = "model_card"
TITLE = "Model card: how was it made?"
PLACE = 100


def measure(context: Context) -> Measure | None:
    """Show the card; nested values become tables of their own."""
    card = context.model.card
    if not card:
        return None
    nested = {key: item for key, item in card.items() if isinstance(item, Mapping) and item}
    flat = {key: item for key, item in card.items() if key not in nested}
    tables = [_table("The model and its training.", flat)] if flat else []
    tables += [_table(f"{key[:1].upper()}{key[1:]}.", item) for key, item in nested.items()]
    return Measure(card, blocks=tuple(tables))


def _table(caption: str, items: Mapping[str, object]) -> Table:
    return Table.of(caption, ("What", "Value"), ([str(k), _inline(v)] for k, v in items.items()))


def _inline(item: object) -> str:
    if isinstance(item, Mapping):
        return ", ".join(f"{key}: {_inline(inner)}" for key, inner in item.items()) or "none"
    if isinstance(item, list | tuple):
        return "; ".join(map(_inline, item)) or "none"
    return "–" if item is None else str(item)
