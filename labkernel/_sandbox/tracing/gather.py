"""What a membrane has told, put together: entries of its ledger, calls kept whole, and which event they belong to."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from labkernel._capability import Grants
from labkernel._host import Ledger
from labkernel._host.membrane_layout import ENTRY
from labkernel._sandbox.ledger import entries
from labkernel._sandbox.membrane import Wrapped
from labkernel._sandbox.tracing.follow import Names
from labkernel._sandbox.tracing.least import least
from labkernel._sandbox.tracing.records import Event, HostCall, Trace
from labkernel._sandbox.tracing.seen import Seen, plain_name
from labkernel._sandbox.tracing.uses import Uses
from labkernel._wit import World

__all__ = ["Gathering"]

_NUMBER: Final = struct.Struct(f"<H{ENTRY - 2}x")
"""The function of an entry."""


class Gathering:
    """The host calls of one instance, from its start on, in their order.

    The k-th call of a function that was kept whole is the k-th entry of that function: a membrane keeps both in the
    order of the calls. Entries beyond `most` are counted, in `lost`.
    """

    def __init__(self, table: Sequence[Wrapped], *, most: int) -> None:
        self._table, self._most = tuple(table), most
        self._raw: list[tuple[int, Ledger]] = []
        self._kept = 0
        self._seen: list[Seen] = []
        self._whole: dict[int, list[list[Any]]] = defaultdict(list)
        self.recorded: list[list[Any]] = []
        self.events: list[Event] = []
        self.lost = 0

    def add(self, ledger: Ledger, event: int) -> int:
        """Take in what a membrane has told since the last time, and return how many calls those were."""
        told = len(ledger.entries) // ENTRY
        room = min(told, max(0, self._most - self._kept))
        if room:
            self._raw.append((event, Ledger(ledger.entries[: room * ENTRY])))
            self._kept += room
            for call in ledger.guard or ():
                self._whole[call[0]].append(call)
                self.recorded.append(call)
        self.lost += ledger.lost + told - room
        return told + ledger.lost

    def end(self, event: Event) -> None:
        """Note an event that is over."""
        self.events.append(event)

    def seen(self) -> list[Seen]:
        """Return the calls. They are decoded when they are asked for, which takes longer than keeping them."""
        counts: dict[int, int] = defaultdict(int)
        for call in self._seen:
            counts[call.entry.number] += 1
        for event, ledger in self._raw:
            for entry in entries(ledger, self._table, first=len(self._seen)):
                at, whole = counts[entry.number], self._whole.get(entry.number, ())
                counts[entry.number] += 1
                _, args, value = whole[at] if at < len(whole) else (0, None, None)
                self._seen.append(Seen(entry, event, args, value[0] if value else None))
        self._raw.clear()
        return self._seen

    def counts(self, event: int) -> dict[str, int]:
        """Return how often each function was called in an event, most often first, by name without version.

        Read from the ledger's numbers alone, with nothing decoded.
        """
        numbers: Counter[int] = Counter()
        for told, ledger in self._raw:
            if told == event:
                numbers.update(number for (number,) in _NUMBER.iter_unpack(ledger.entries))
        numbers.update(seen.entry.number for seen in self._seen if seen.event == event)
        named: Counter[str] = Counter()
        for number, count in numbers.items():
            named[plain_name(self._table[number].function)] += count
        return dict(named.most_common())

    def least(self, grants: Grants, world: World, behind: Mapping[str, str]) -> Grants:
        """Return the smallest of these grants with which the run would have worked; see `least`."""
        uses = Uses(grants)
        for call in self.seen():
            uses.add(call)
        return least(uses, grants, world, behind)

    def trace(self, facts: Trace) -> Trace:
        """Return the trace; `facts` bring all but calls, events and their number."""
        calls = self.seen()
        names = Names()
        began = calls[0].entry.began_ns if calls else 0
        made = [_host_call(number, call, names.about(call), began) for number, call in enumerate(calls)]
        return replace(facts, calls=tuple(made), events=tuple(self.events), lost=self.lost)


def _host_call(number: int, call: Seen, about: str, began: int) -> HostCall:
    entry = call.entry
    return HostCall(
        number=number,
        event=call.event,
        interface=entry.function.interface,
        function=entry.function.name,
        arguments=entry.arguments,
        result=entry.result,
        about=about,
        verdict=call.verdict,
        start_ns=entry.began_ns - began,
        ns=entry.ns,
    )
