"""What a host process is told to fire and what it tells in return: plain records. It knows no engine."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["COLUMNS", "Chunk", "Order"]

COLUMNS: Final = (
    ("index", "Q"), ("intended_ns", "q"), ("began_ns", "q"), ("cold_ns", "Q"), ("call_ns", "Q"),
    ("instance", "I"), ("outcome", "B"),
)  # fmt: skip
"""What is told of each event, with its `array` code. Times count from the run's start; outcome 0 is an answer, k > 0
the error of number k - 1."""


@dataclass(frozen=True, slots=True)
class Order:
    """One host process's share of a run: every `step`-th event from `first` on.

    `policy` is `cold`, `kept` (with `instances` made beforehand) or `keep-alive` (with `idle_s`). Without
    `arrivals` (plain data of `Arrivals`) `in_flight` events are on their way at any time, the next following
    the one that was answered. `queue` bounds how many may wait. What still waits `drain_s` after `duration_s`
    is left.
    """

    policy: str = "kept"
    instances: int = 1
    idle_s: float = 0.0
    in_flight: int = 1
    arrivals: list[Any] | None = None
    seed: int = 0
    first: int = 0
    step: int = 1
    n: int | None = None
    duration_s: float | None = None
    drain_s: float = 1.0
    queue: int = 100_000
    stop_on_error: bool = False

    def to_data(self) -> list[Any]:
        """Return the order as plain data, in the order of the fields."""
        return [getattr(self, name) for name in self.__dataclass_fields__]

    @classmethod
    def from_data(cls, data: list[Any]) -> Order:
        """Return the order that `to_data` gave this data for."""
        return cls(*data)


@dataclass(slots=True)
class Chunk:
    """What came of some events since the last chunk: columns, the answers, new kinds of errors, and counts.

    `results` are those of the rows with outcome 0, in order. `errors` holds `[number, name, message, index]`.
    `waiting`, `live` and `at_ns` are as of now; `dropped`, `left`, `started` and `evicted` count from the start.
    """

    columns: dict[str, array[int]]
    results: list[Any]
    errors: list[list[Any]]
    at_ns: int = 0
    waiting: int = 0
    live: int = 0
    dropped: int = 0
    left: int = 0
    started: int = 0
    evicted: int = 0
    switches: int = 0

    @classmethod
    def empty(cls) -> Chunk:
        """Return a chunk of no event."""
        return cls({name: array(code) for name, code in COLUMNS}, [], [])

    def __len__(self) -> int:
        """Return how many events it tells of."""
        return len(self.columns["index"])

    def to_data(self) -> list[Any]:
        """Return the chunk as plain data."""
        counts = [getattr(self, name) for name in _COUNTS]
        return [[column.tobytes() for column in self.columns.values()], self.results, self.errors, counts]

    @classmethod
    def from_data(cls, data: list[Any]) -> Chunk:
        """Return the chunk that `to_data` gave this data for. Raises `ValueError` for other data."""
        columns, results, errors, counts = data
        chunk = cls.empty()
        for column, found in zip(chunk.columns.values(), columns, strict=True):
            column.frombytes(found)
        chunk.results, chunk.errors = results, errors
        for name, count in zip(_COUNTS, counts, strict=True):
            setattr(chunk, name, count)
        if len({len(column) for column in chunk.columns.values()}) != 1:
            raise ValueError("columns of a chunk have different lengths")
        if len(results) != chunk.columns["outcome"].tobytes().count(0):
            raise ValueError(f"{len(results)} results do not match the events that were answered")
        return chunk


_COUNTS: Final = (
    "at_ns", "waiting", "live", "dropped", "left", "started", "evicted", "switches",
)  # fmt: skip
