"""The card of a recording that was played again."""

from __future__ import annotations

from typing import Final

from labkernel._cards.model import Badge, Card, Fact, Listing, Section, Tabular
from labkernel._lab import Replayed
from labkernel._timing import Table, format_ns

__all__ = ["replayed_card"]

_ROWS: Final = 20
_WIDEST: Final = 90


def replayed_card(replayed: Replayed) -> Card:
    """Return the card: the answers, whether they are those recorded, and how many host calls the file answered."""
    shown = replayed.answers[:_ROWS]
    rows = tuple((_cut(a.call), _cut(a.wave or "done"), format_ns(a.ns)) for a in shown)
    facts = [
        Fact("host calls", str(replayed.host_calls), "all answered from the file; nothing was granted"),
        Fact("recording", replayed.path),
    ]
    if replayed.error is not None:
        facts.append(Fact("ended by", f"{type(replayed.error).__name__}: {replayed.error}", "as recorded"))
    sections: list[Section] = [Tabular("Answers", Table("", ("call", "result", "time"), rows), code=(0, 1))]
    if replayed.output:
        sections.append(Listing("Printed", tuple(replayed.output.splitlines()[:_ROWS])))
    if replayed.differences:
        sections.append(Listing("Where it differs", replayed.differences[:_ROWS]))
    badge = Badge("as recorded", "good") if replayed.is_same else Badge("differs", "bad")
    return Card(
        title=replayed.target, kind="Replay", badges=(badge,), facts=tuple(facts), sections=tuple(sections)
    )


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
