"""Chunks of results taken together in bounded memory: every event up to a number, all of them in counts."""

from __future__ import annotations

import marshal
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from labkernel._fire.counting import OTHERS
from labkernel._fire.timeline import Timeline
from labkernel._host import Chunk
from labkernel._timing import Counts, Histogram, format_count, format_ns

__all__ = ["KEPT", "Collector", "ErrorKind", "Live", "Point"]

KEPT: Final = 100_000
"""Events of which every time and result is kept; all beyond are counted."""
_KEPT_BYTES: Final = 32 << 20
_VALUES: Final = 4096
_LONGEST_KEY: Final = 256
_POINTS: Final = 4000
_SECOND: Final = 1e9


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """Errors of one kind: its name (`GuestTrap`, `BudgetExceeded: timeout`), the first one's words, and its event."""

    name: str
    message: str
    count: int
    index: int

    def to_json(self) -> dict[str, Any]:
        """Return the kind as plain data."""
        return {"name": self.name, "message": self.message, "count": self.count, "index": self.index}


@dataclass(frozen=True, slots=True)
class Point:
    """How things stood at a moment of a run: events done, waiting ones, instances that live."""

    at_ns: int
    done: int
    waiting: int
    live: int


@dataclass(frozen=True, slots=True)
class Live:
    """A run while it goes on, for a line of progress."""

    done: int
    asked: int | None
    rate: float
    errors: int
    dropped: int
    waiting: int
    p50_ns: int | None
    p99_ns: int | None

    @property
    def text(self) -> str:
        """The state in one line."""
        of = f" of {self.asked:,}".replace(",", " ") if self.asked else ""
        parts = [
            f"{self.done:,}{of} events".replace(",", " "),
            f"{self.rate:,.0f}/s".replace(",", " "),
            format_count(self.errors, "error") if self.errors else "no errors",
        ]
        parts += [
            f"{name} {format_ns(ns)}" for name, ns in (("p50", self.p50_ns), ("p99", self.p99_ns)) if ns
        ]
        parts += [f"{self.waiting:,} waiting".replace(",", " ")] if self.waiting else []
        parts += [f"{self.dropped:,} dropped".replace(",", " ")] if self.dropped else []
        return ", ".join(parts)


class Collector:
    """Takes chunks from any thread. `kept` bounds the events that are kept one by one."""

    def __init__(self, *, asked: int | None = None, kept: int = KEPT) -> None:
        self.asked, self._room = asked, kept
        self._lock = threading.Lock()
        self._latency, self._call, self._cold = Counts(), Counts(), Counts()
        self._columns = Timeline()
        self._results: list[Any] = []
        self._bytes = 0
        self._values: dict[bytes, Any] = {}
        self._kinds: Counter[bytes] = Counter()
        self._numbers: dict[tuple[int, int], int] = {}
        self._errors: list[tuple[str, str, int]] = []
        self._error_counts: Counter[int] = Counter()
        self._last: dict[int, Chunk] = {}
        self._step = 1
        self._heard = 0
        self.points: list[Point] = []
        self.fired = self.answered = self.colds = 0

    def add(self, worker: int, chunk: Chunk) -> None:
        """Take a chunk of one host process in."""
        with self._lock:
            for number, name, error, index in chunk.errors:
                self._learn(worker, number, name, error, index)
            outcomes = array(
                "B", (self._numbers.get((worker, k), 1) if k else 0 for k in chunk.columns["outcome"])
            )
            self._count(chunk, outcomes)
            self._keep(worker, chunk, outcomes)
            self._last[worker] = chunk
            self._mark(chunk.at_ns)

    def _learn(self, worker: int, number: int, name: str, error: list[Any], index: int) -> None:
        message = str(error[1])
        known = next((i for i, e in enumerate(self._errors) if e[:2] == (name, message)), None)
        if known is None:
            self._errors.append((name, message, index))
            known = len(self._errors) - 1
        self._numbers[worker, number] = min(known + 1, 255)

    def _count(self, chunk: Chunk, outcomes: array[int]) -> None:
        columns = chunk.columns
        rows = zip(
            columns["intended_ns"], columns["began_ns"], columns["cold_ns"], columns["call_ns"], strict=True
        )
        self._latency.add([max(0, began - meant) + cold + call for meant, began, cold, call in rows])
        self._call.add(columns["call_ns"])
        colds = [cold for cold in columns["cold_ns"] if cold]
        self._cold.add(colds)
        self.colds += len(colds)
        self._error_counts.update(outcome for outcome in outcomes if outcome)
        self.fired += len(outcomes)
        self.answered += len(chunk.results)

    def _keep(self, worker: int, chunk: Chunk, outcomes: array[int]) -> None:
        results = iter([self._known(result) for result in chunk.results])
        room = 0 if self._bytes > _KEPT_BYTES else max(0, self._room - len(self._columns))
        if not room:
            return
        for name, column in chunk.columns.items():
            getattr(self._columns, name).extend(outcomes[:room] if name == "outcome" else column[:room])
        rows = min(room, len(outcomes))
        self._columns.worker.extend([worker] * rows)
        self._results += [next(results) if outcome == 0 else None for outcome in outcomes[:room]]

    def count(self, times: Mapping[int, int], results: Iterable[tuple[Any, int]], *, others: int = 0) -> None:
        """Count answered events that are not kept: how many took so many nanoseconds, how often each result came.

        `others` are results that are not known one by one.
        """
        with self._lock:
            self._latency.add(times)
            self._call.add(times)
            done = others
            for result, n in results:
                self._known(result, n)
                done += n
            self._kinds[b"\0" + OTHERS.encode()] += others
            self._kinds += Counter()
            self.fired += done
            self.answered += done

    def _known(self, result: Any, n: int = 1) -> Any:
        """Count a result, and return it or its equal: most functions have few answers, kept once each."""
        key = marshal.dumps(result, 2)
        if len(key) > _LONGEST_KEY or (key not in self._kinds and len(self._kinds) >= _VALUES):
            self._bytes += len(key)
            self._kinds[_case_of(result)] += n
            return result
        self._kinds[key] += n
        return self._values.setdefault(key, result)

    def _mark(self, at_ns: int) -> None:
        """Keep how things stand, more seldom the longer the run is."""
        self._heard += 1
        if self._heard % self._step:
            return
        chunks = self._last.values()
        waiting, live = sum(c.waiting for c in chunks), sum(c.live for c in chunks)
        self.points.append(Point(at_ns, self.fired, waiting, live))
        if len(self.points) >= _POINTS:
            self.points = self.points[::2]
            self._step *= 2

    def total(self, name: str) -> int:
        """Return a count that the host processes keep, such as `dropped`, over all of them."""
        return sum(getattr(chunk, name) for chunk in self._last.values())

    @property
    def wall_ns(self) -> int:
        """How long the run has gone on."""
        return max((chunk.at_ns for chunk in self._last.values()), default=0)

    def live(self) -> Live:
        """Return how the run stands."""
        with self._lock:
            times = self._latency.histogram()
            now = self.points[-1] if self.points else Point(0, 0, 0, 0)
            before = next(
                (p for p in reversed(self.points) if p.at_ns <= now.at_ns - _SECOND), Point(0, 0, 0, 0)
            )
            seconds = (now.at_ns - before.at_ns) / _SECOND
            rate = (now.done - before.done) / seconds if seconds > 0 else 0.0
            return Live(
                self.fired, self.asked, rate, self._error_counts.total(), self.total("dropped"), now.waiting,
                times.quantile(50), times.quantile(99),
            )  # fmt: skip

    # ----------------------------------------------------------------------------------------- at the end

    def timeline(self) -> tuple[Timeline, tuple[Any, ...]]:
        """Return the kept events in the order they began, and the results of those that answered."""
        began = self._columns.began_ns
        rows = sorted(range(len(began)), key=began.__getitem__)
        line = self._columns.picked(rows)
        results = tuple(self._results[row] for row in rows if self._columns.outcome[row] == 0)
        return line, results

    def histograms(self) -> dict[str, Histogram]:
        """Return the times of all events: latency, call, cold starts."""
        return {
            "latency": self._latency.histogram(),
            "call": self._call.histogram(),
            "cold": self._cold.histogram(),
        }

    def errors(self) -> tuple[ErrorKind, ...]:
        """Return the errors by kind, in the order of the numbers that the timeline's outcomes give them."""
        return tuple(
            ErrorKind(name, message, self._error_counts[number], index)
            for number, (name, message, index) in enumerate(self._errors, 1)
        )

    def kinds(self) -> list[tuple[bool, Any, int]]:
        """Return the results that came, each with how often; of rare or long ones only the case, as text (True)."""
        return [
            (True, key[1:].decode(), n) if key[:1] == b"\0" else (False, marshal.loads(key), n)
            for key, n in self._kinds.items()
        ]


def _case_of(result: Any) -> bytes:
    """Return a key for results of one case: `ok`, `err`, or that it is one of many values."""
    match result:
        case [str(case), _]:
            return b"\0" + f"{case}(…)".encode()
        case _:
            return b"\0" + OTHERS.encode()
