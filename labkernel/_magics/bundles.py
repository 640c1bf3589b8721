"""What a record is shown as, by mime type: its card, or for measurements their figure with its table."""

from __future__ import annotations

from typing import Any

from labkernel._cards import card_of, shown_kinds, timings_card
from labkernel._sandbox.tracing import Trace
from labkernel._timing import Timings

__all__ = ["beneath", "bundle_of", "kinds_shown"]


def bundle_of(record: Any) -> dict[str, Any]:
    """Return a record's forms by mime type, `text/plain` always among them."""
    if isinstance(record, Timings):
        from labkernel import _plot as plot

        return dict(plot.bundle(record, html_table=timings_card(record).html()))
    card = card_of(record)
    if isinstance(record, Trace):
        from labkernel import _plot as plot

        return dict(plot.trace_bundle(record, html_card=card.html(), text=card.text()))
    return dict(card.bundle())


def beneath(record: Any) -> dict[str, Any]:
    """Return what is shown under a record: for a measurement its figures in words, folded, for screen readers."""
    if isinstance(record, Timings):
        return {"text/html": timings_card(record, is_folded=True).html(), "text/plain": ""}
    return {}


def kinds_shown() -> list[type]:
    """Return the classes that the notebook's formatters are told of."""
    return [*shown_kinds(), Timings]
