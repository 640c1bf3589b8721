"""What a guest asked of its host, call by call: `HostCall`, `Event` and `Trace`, as frozen records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Event", "HostCall", "Trace"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class HostCall:
    """One call of an import.

    `arguments` and `result` are short WAVE-like text; `about` says what the first handle stands for, such as
    `stdout` or `/data/a.txt`. `verdict` is `allowed`, `refused` (by grants or by the system's permissions),
    `virtual` (answered by a made-up clock or generator), `replayed` or `trapped` (it never returned). Times are
    nanoseconds from the trace's first call. `event` is the number of the guest's call it belongs to, -1 while the guest
    was started.
    """

    number: int
    event: int
    interface: str
    function: str
    arguments: str = ""
    result: str = ""
    about: str = ""
    verdict: str = "allowed"
    start_ns: int = 0
    ns: int = 0

    @property
    def name(self) -> str:
        """Interface and function, without the version."""
        return f"{self.interface.partition('@')[0]}#{self.function}" if self.interface else self.function

    def to_json(self) -> dict[str, Any]:
        """Return the call as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Event:
    """One call of the guest by the lab: what it used of its budgets. `None` is what was not counted.

    `memory_bytes` is the guest's linear memory when the call was over, `disk_bytes` what it wrote to directories.
    """

    number: int
    call: str
    ns: int
    calls: int = 0
    output_bytes: int = 0
    fuel_used: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the event as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Trace:
    """An ordered ledger of every host call of an instance since it was started.

    `least` are the options of the smallest set of grants with which this run would have worked; `lost` counts calls
    beyond what the ledger keeps. `cost_ns` is what tracing itself added to each call, measured here. `budgets` are the
    limits that events are held to, as text by name.
    """

    target: str
    component: str
    calls: tuple[HostCall, ...]
    events: tuple[Event, ...] = ()
    least: str = ""
    lost: int = 0
    cost_ns: float | None = None
    budgets: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return how many calls were kept."""
        return len(self.calls)

    @property
    def refused(self) -> tuple[HostCall, ...]:
        """The calls that were refused, or ended the guest."""
        return tuple(c for c in self.calls if c.verdict in ("refused", "trapped"))

    @property
    def counts(self) -> Counter[str]:
        """How often each function was called, by name without version."""
        return Counter(c.name for c in self.calls)

    def of(self, event: int) -> Sequence[HostCall]:
        """Return the calls of one event; -1 is the guest's start."""
        return [c for c in self.calls if c.event == event]

    def to_json(self) -> dict[str, Any]:
        """Return the trace as plain data."""
        return {
            "version": _VERSION,
            "target": self.target,
            "component": self.component,
            "lost": self.lost,
            "cost_ns": self.cost_ns,
            "least": self.least,
            "budgets": self.budgets,
            "events": [e.to_json() for e in self.events],
            "calls": [c.to_json() for c in self.calls],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return the trace as JSON text."""
        return json.dumps(self.to_json(), ensure_ascii=False, indent=1)

    def __repr__(self) -> str:
        return f"Trace({self.target!r}, {len(self.calls)} host calls in {len(self.events)} events)"
