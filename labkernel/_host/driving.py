"""The request `drive`: many events at one instance, fired inside the engine by the driver in front of it.

A batch is one call of the driver, of about 50 ms: between batches samples leave, budgets and interrupts act. Samples
and results are read straight from the driver's linear memory, also after a trap, when nothing in the instance
can be entered any more, so that the event that trapped is known without firing anything twice.
"""

from __future__ import annotations

import ctypes
import secrets
import statistics
import time
from array import array
from math import inf
from typing import TYPE_CHECKING, Any, Final

from labkernel._errors import CapabilityDenied, GuestError, LabError
from labkernel._host import protocol
from labkernel._host.driver_memory import (
    CLOCK,
    DRIVE,
    DRY,
    HEADER_AT,
    KEPT,
    MAGIC,
    MARK,
    OFFSETS,
    REAL,
    RESERVE,
    ROW_STATE,
    SAMPLES_AT,
    TABLE_AT,
    TableData,
)
from labkernel._host.memory import linear_memories
from labkernel._host.watch import Job, Stopped

if TYPE_CHECKING:
    from labkernel._host.engine import Instance
    from labkernel._host.output import Run
    from labkernel._host.serving import Service

__all__ = ["Driving"]

BATCH_S: Final = 0.05
_SINGLES: Final = 64
"""Events timed one by one before it is decided how the others are timed."""
_LONG_ENOUGH: Final = 10
"""A call of so many clock reads' time is timed alone."""
_CLOCK_SHARE: Final = 20
"""A group of calls takes at least so many clock reads' time."""
_MOST_GROUP: Final = 256
_CALIBRATIONS: Final = 200
_MOST_RESULTS: Final = 64 << 20
_OUTPUT_EVENTS: Final = 1000
"""The output of a batch is bounded by that of so many events."""
_MOST_OUTPUT: Final = 16 << 20
"""Characters of output that a drive sends to the notebook."""
_RESULT_ROOM: Final = 1 << 16
_MOST_AT_ONCE: Final = (1 << 31) - 1


class DriverMemory:
    """The linear memory of one driver, found by a mark that only the host knows."""

    def __init__(self, base: int) -> None:
        self._base = base

    @classmethod
    def find(cls, mark: tuple[int, int]) -> DriverMemory | None:
        """Return the memory that bears the mark, or `None`."""
        low, high = OFFSETS["mark_low"][1].pack(mark[0]), OFFSETS["mark_high"][1].pack(mark[1])
        wanted = MAGIC + low + high
        for base, size in linear_memories().items():
            if size >= TABLE_AT and ctypes.string_at(base + HEADER_AT, len(wanted)) == wanted:
                return cls(base)
        return None

    def get(self, field: str) -> int:
        """Return a field of the header."""
        at, form = OFFSETS[field]
        value: int = form.unpack(self.read(at, form.size))[0]
        return value

    def set(self, **fields: int) -> None:
        """Set fields of the header."""
        for field, value in fields.items():
            at, form = OFFSETS[field]
            self.write(at, form.pack(value))

    def read(self, at: int, count: int) -> bytes:
        """Return bytes of the memory."""
        return ctypes.string_at(self._base + at, count)

    def write(self, at: int, data: bytes) -> None:
        """Write bytes into the memory."""
        ctypes.memmove(self._base + at, data, len(data))


class Driving:
    """The request `drive`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._memories: dict[Instance, DriverMemory | None] = {}

    def drive(
        self, job: Job, number: int, table: list[Any], events: int, duration_s: float | None,
        timeout_s: float | None, keep: bool,
    ) -> list[Any]:  # fmt: skip
        """Fire the rows of a table in turn, `events` in all; the reply tells how it was timed and what was kept.

        `duration_s` ends it after that time, at the end of a batch.
        """
        service = self._service
        instance = service.live(number)
        with service.finishing(number, instance):
            fired = _Drive(service, job, number, TableData(*table), timeout_s)
            fired.duration_s = inf if duration_s is None else duration_s
            memory = self._memory(job, instance)
            if memory is None:
                return ["the driver's memory is not found in this process"]
            if not fired.place(memory, events):
                return ["the table of events does not fit the memory budget beside the kept results"]
        return fired.run(keep=keep)

    def _memory(self, job: Job, instance: Instance) -> DriverMemory | None:
        for known in [known for known in self._memories if not known.store]:
            del self._memories[known]
        if instance not in self._memories:
            mark = (secrets.randbits(64), secrets.randbits(64))
            self._service.enter(job, instance, MARK, list(mark), instance.start.timeout_s)
            self._memories[instance] = DriverMemory.find(mark)
        return self._memories[instance]


class _Drive:
    """One table being fired."""

    def __init__(
        self, service: Service, job: Job, number: int, table: TableData, timeout_s: float | None
    ) -> None:
        self._service, self._job, self._number, self._table = service, job, number, table
        self._instance = instance = service.live(number)
        self._limit_s = instance.start.timeout_s if timeout_s is None else timeout_s
        self._batch_s = min(BATCH_S, self._limit_s / 4)
        self.duration_s = inf
        self._clock_ns = self._dry_ns = 0
        self._group, self._asked, self._busy_ns = 1, 0, 0
        self._last: list[Any] | None = None
        self._keep = self._is_told = False
        self._output: Run | None = None

    def place(self, memory: DriverMemory, events: int) -> bool:
        """Write table and header; return whether there is room."""
        table, self._memory, self._asked = self._table, memory, events
        if not self._service.enter(
            self._job, self._instance, RESERVE, [table.result + _RESULT_ROOM], self._limit_s
        ):
            return False
        memory.write(TABLE_AT, table.data)
        memory.write(table.result, bytes(_RESULT_ROOM))
        memory.set(
            done=0, varied=0, unchecked=0, rows=TABLE_AT, row=TABLE_AT, rows_end=table.rows_end,
            stride=table.stride, result=table.result, kept_next=table.kept, kept_end=table.kept_end, samples=0,
        )  # fmt: skip
        return True

    def run(self, *, keep: bool) -> list[Any]:
        """Fire everything. The reply also holds what came before an error, an interrupt or a guest that got stuck."""
        from labkernel._host.settling import stopped_error

        service, job, self._keep = self._service, self._job, keep
        self._output = service.begin(job, self._instance.start, most=_MOST_OUTPUT)
        ending: LabError | None = None

        def answer_abandoned() -> None:
            service.output.end(job.output)
            self._send(REAL, 0)
            service.link.send(job, [protocol.REPLY, job.id, self._reply(stopped_error(job))], last=True)

        job.on_abandon = answer_abandoned
        try:
            with service.finishing(self._number, self._instance):
                self._fire()
        except Stopped:
            ending = stopped_error(job)
        except (GuestError, CapabilityDenied) as failed:
            ending = failed
        service.output.end(job.output)
        self._instance.calls += self._state()[0]
        reply = self._reply(ending)
        if ending is not None:  # an interrupt takes the reply away, but no chunk
            self._tell(["", reply])
        return reply

    def _tell(self, chunk: list[Any]) -> None:
        self._service.link.send(self._job, [protocol.CHUNK, self._job.id, chunk])

    def _fire(self) -> None:
        self._clock_ns = self._calibrate(CLOCK, 1)
        ends = time.monotonic() + self.duration_s
        times = self._batch(REAL, min(self._asked, _SINGLES), 1)
        if self._left():
            self._choose_group(times)
        while (left := self._left()) and time.monotonic() < ends:
            self._batch(REAL, min(left, _MOST_AT_ONCE), self._group)

    def _left(self) -> int:
        return max(0, self._asked - self._memory.get("done"))

    def _choose_group(self, times: array[int]) -> None:
        """Time calls alone where they are long enough beside a clock read, otherwise in groups."""
        clock = max(1, self._clock_ns)
        call = max(1, int(statistics.median(times[len(times) // 4 :])) - clock)
        if call < _LONG_ENOUGH * clock:
            self._group = min(_MOST_GROUP, -(-_CLOCK_SHARE * clock // call), self._left())
            self._dry_ns = self._calibrate(DRY, self._group)

    def _calibrate(self, mode: int, group: int) -> int:
        """Return the median time of a sample in which nothing is called."""
        memory, table = self._memory, self._table
        row, done = memory.get("row"), memory.get("done")
        fired = min(table.rows_end, TABLE_AT + table.stride * _SINGLES)
        memory.set(row=TABLE_AT, rows_end=fired)
        times = self._batch(mode, group * _CALIBRATIONS, group)
        memory.set(row=row, done=done, rows_end=table.rows_end)
        return int(statistics.median(times))

    def _batch(self, mode: int, count: int, group: int) -> array[int]:
        """Call the driver once, send what it has measured, and return that."""
        service, job, instance, memory = self._service, self._job, self._instance, self._memory
        budget_ns = int(self._batch_s * 1e9)
        memory.set(mode=mode, count=count, group=group, samples=0, budget_ns=budget_ns)
        bound = instance.bind(DRIVE)
        assert self._output is not None
        service.output.allow(self._output, instance.start.output_bytes * min(count, _OUTPUT_EVENTS))

        def keep_state() -> None:
            self._send(mode, group)
            self._last = self._state()

        spent = service.timed(
            job, instance, bound, bound.codec.lower([]), self._limit_s + self._batch_s, on_error=keep_state
        )
        self._busy_ns += spent if mode == REAL else 0
        return self._send(mode, group)

    def _send(self, mode: int, group: int) -> array[int]:
        """Send the times of the last batch: events done, calls in each, nanoseconds to take off, nanoseconds.

        The first results follow once every row has been fired: then a lost process takes none of them away.
        """
        memory = self._memory
        found = array("Q")
        found.frombytes(memory.read(SAMPLES_AT, 8 * memory.get("samples")))
        if mode == REAL:
            group = group or memory.get("group")
            off = self._clock_ns if group == 1 else self._dry_ns
            done, varied = memory.get("done"), memory.get("varied")
            self._tell([done, self._asked, group, off, varied, found.tobytes()])
            if (
                self._keep
                and not self._is_told
                and done * self._table.stride >= self._table.rows_end - TABLE_AT
            ):
                self._is_told = True
                self._tell([self._state()[3]])
        return found

    def _state(self) -> list[Any]:
        """Return counts and kept results, as they were before the store was closed."""
        if self._last is not None:
            return self._last
        memory, left = self._memory, _MOST_RESULTS
        varied, results = array("I"), list[bytes | None]()
        for row in range(TABLE_AT, self._table.rows_end, self._table.stride):
            at, count, state, differing = ROW_STATE.unpack(memory.read(row, ROW_STATE.size))
            varied.append(differing)
            left -= count
            if self._keep:
                results.append(memory.read(at, count) if state == KEPT and left >= 0 else None)
        return [memory.get("done"), varied.tobytes(), memory.get("unchecked"), results]

    def _reply(self, error: LabError | None) -> list[Any]:
        told = None if error is None else protocol.encode_error(error)
        cut = self._output is not None and self._output.cut
        return ["", told, *self._state(), self._group, self._clock_ns, self._dry_ns, self._busy_ns, cut]
