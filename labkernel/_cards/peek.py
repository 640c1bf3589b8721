"""The card of a look into a guest's memory."""

from __future__ import annotations

from labkernel._cards.model import Card, Fact, Section, Tabular
from labkernel._lab import Peek
from labkernel._timing import Table, format_bytes

__all__ = ["peek_card"]

_SHOWN = 60


def peek_card(peek: Peek) -> Card:
    """Return the card: where a text lies in the guest's memory and in the process, and what the sandbox is for."""
    memories = ", ".join(f"{format_bytes(size)} at 0x{base:x}" for base, size in peek.memories)
    facts = (
        Fact("linear memory", memories, f"in the host process {peek.pid}"),
        Fact(
            "looked for", repr(peek.wanted) if peek.wanted else "readable texts", f"found {len(peek.places)}"
        ),
        Fact("remember", "the sandbox protects the host from the guest, not the guest from its host"),
    )
    rows = tuple(
        (str(place.memory), f"0x{place.offset:x}", f"0x{place.address:x}", _cut(place.around))
        for place in peek.places
    )
    headers = ("memory", "offset in it", "address in the process", "around it")
    sections: tuple[Section, ...] = (Tabular("Found", Table("", headers, rows), code=(3,)),) if rows else ()
    return Card(title=peek.target, kind="Peek", facts=facts, sections=sections)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
