"""`Timeline`: when each event was meant to come, began, had its instance and its answer, in columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from labkernel._errors import UsageError

__all__ = ["Moment", "Timeline"]

_CODES: Final = {
    "index": "Q", "worker": "B", "instance": "I", "intended_ns": "q", "began_ns": "q", "cold_ns": "Q",
    "call_ns": "Q", "outcome": "B",
}  # fmt: skip


class Moment(NamedTuple):
    """One event on the timeline; times in nanoseconds from the run's start, `outcome` 0 for an answer."""

    event: int
    worker: int
    instance: int
    intended_ns: int
    began_ns: int
    cold_ns: int
    call_ns: int
    outcome: int

    @property
    def queued_ns(self) -> int:
        """How long it waited before anything was done for it."""
        return max(0, self.began_ns - self.intended_ns)

    @property
    def latency_ns(self) -> int:
        """From when it was meant to come to its answer."""
        return self.queued_ns + self.cold_ns + self.call_ns


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in the order they began, a column per fact; the events' numbers are in `index`.

    `instance` counts from 1 in each host process (`worker`); 0 is the instance that was there before.
    """

    index: array[int] = field(default_factory=lambda: array("Q"), repr=False)
    worker: array[int] = field(default_factory=lambda: array("B"), repr=False)
    instance: array[int] = field(default_factory=lambda: array("I"), repr=False)
    intended_ns: array[int] = field(default_factory=lambda: array("q"), repr=False)
    began_ns: array[int] = field(default_factory=lambda: array("q"), repr=False)
    cold_ns: array[int] = field(default_factory=lambda: array("Q"), repr=False)
    call_ns: array[int] = field(default_factory=lambda: array("Q"), repr=False)
    outcome: array[int] = field(default_factory=lambda: array("B"), repr=False)

    def __len__(self) -> int:
        """Return how many events are on it."""
        return len(self.index)

    def __iter__(self) -> Iterator[Moment]:
        """Yield every event."""
        return map(Moment._make, zip(*(getattr(self, name) for name in _CODES), strict=True))

    @property
    def queued_ns(self) -> array[int]:
        """How long each event waited before anything was done for it."""
        pairs = zip(self.began_ns, self.intended_ns, strict=True)
        return array("Q", (max(0, began - meant) for began, meant in pairs))

    @property
    def latency_ns(self) -> array[int]:
        """From when each event was meant to come to its answer: waiting, cold start and call."""
        parts = zip(self.queued_ns, self.cold_ns, self.call_ns, strict=True)
        return array("Q", map(sum, parts))

    def picked(self, rows: Sequence[int]) -> Timeline:
        """Return the rows of these places, in this order."""
        columns = {
            name: array(code, (getattr(self, name)[row] for row in rows)) for name, code in _CODES.items()
        }
        return Timeline(**columns)

    def to_json(self) -> dict[str, list[int]]:
        """Return the columns as plain data."""
        return {name: list(getattr(self, name)) for name in _CODES}

    @classmethod
    def from_json(cls, data: Any) -> Timeline:
        """Return the timeline that `to_json` gave this data for; raises `UsageError` for other data."""
        try:
            columns = {name: array(code, data[name]) for name, code in _CODES.items()}
        except (TypeError, KeyError, OverflowError) as error:
            raise UsageError(f"The timeline of the file does not read ({error}); it is damaged.") from error
        if len({len(column) for column in columns.values()}) != 1:
            raise UsageError("The timeline's columns differ in length; the file is damaged.")
        return cls(**columns)
