"""What a record is shown as, by mime type: its card, or for measurements their figure with its table."""

from __future__ import annotations

from typing import Any

from labkernel._cards import Card, Tabular, card_of, shown_kinds, timings_card
from labkernel._fire import Run
from labkernel._sandbox.tracing import Trace
from labkernel._timing import Timings

__all__ = ["beneath", "beneath_run", "bundle_of", "kinds_shown"]


def bundle_of(record: Any) -> dict[str, Any]:
    """Return a record's forms by mime type, `text/plain` always among them."""
    if isinstance(record, Timings):
        from labkernel import _plot as plot

        return dict(plot.bundle(record, html_table=timings_card(record).html()))
    return dict(card_of(record).bundle())


def beneath(record: Any) -> dict[str, Any]:
    """Return what is shown under a record: a measurement's figures in words, folded; a trace's picture.

    JupyterLab shows one form of each output, and takes a figure before a card: so they are two outputs.
    """
    if isinstance(record, Timings):
        return {"text/html": timings_card(record, is_folded=True).html(), "text/plain": ""}
    if isinstance(record, Trace):
        from labkernel import _plot as plot

        return dict(plot.trace_bundle(record))
    return {}


def beneath_run(run: Run, kind: str) -> dict[str, Any]:
    """Return what is shown under a figure of a run: the same as a table, folded."""
    from labkernel import _plot as plot

    if kind == "latency":
        return beneath(plot.run_timings(run))
    section = Tabular("Means of each row", plot.run_table(run))
    card = Card("Timeline, as a table", kind="Run", sections=(section,), is_folded=True)
    return {"text/html": card.html(), "text/plain": ""}


def kinds_shown() -> list[type]:
    """Return the classes that the notebook's formatters are told of."""
    return [*shown_kinds(), Timings]
