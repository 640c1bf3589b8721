"""The card of a measurement: its table, verdicts and warnings, for readers without the figure."""

from __future__ import annotations

from labkernel._cards.model import Card, Listing, Tabular
from labkernel._timing import Timings, report_notes, report_table, report_title

__all__ = ["timings_card"]


def timings_card(
    timings: Timings, *, next_line: str = "", next_why: str = "", is_folded: bool = False
) -> Card:
    """Return the facts of a measurement as a card: what the figure shows, in figures; folded under one."""
    notes = report_notes(timings)
    return Card(
        title=f"{report_title(timings)}{', as a table' if is_folded else ''}",
        kind="Timings",
        sections=(
            Tabular("Measured", report_table(timings)),
            *((Listing("How to read it", notes),) if notes else ()),
        ),
        warnings=timings.all_warnings,
        next_line=next_line,
        next_why=next_why,
        is_folded=is_folded,
    )
