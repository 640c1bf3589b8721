"""Many events by a plan, in one request: in a closed or an open loop, under a policy, in chunks of results.

The loop runs here and not in the notebook, so that a time meant is a time kept: it sleeps until shortly
before an event is due and spins for the rest. In the open loop the clock of an event starts when it was meant
to come.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import resource
import time
from collections import deque
from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final

from labkernel._errors import BudgetExceeded, LabError
from labkernel._host import protocol, traps
from labkernel._host.engine import Bound, Component, Instance
from labkernel._host.handles import activate
from labkernel._host.order import Chunk, Order
from labkernel._host.pool import Cold, KeepAlive, Kept, Pool, Slot
from labkernel._host.settings import Start
from labkernel._host.watch import INTERRUPT, Job, Stopped
from labkernel._values import events_from_data

if TYPE_CHECKING:
    from labkernel._host.serving import Service

__all__ = ["Loads"]

_now: Final = time.perf_counter_ns
_SECOND: Final = 1_000_000_000
_SPIN_NS: Final = 150_000
_SPIN_EXACT_NS: Final = 30_000
_PR_SET_TIMERSLACK: Final = 29
_NAP_NS: Final = 50_000_000
_TELL_NS: Final = 100_000_000
_LARGEST_CHUNK: Final = 2_000
_KINDS: Final = 200
_POOLED: Final = 4096
_GARBAGE: Final = 50_000


class Loads:
    """The requests `load-ready`, which makes instances and fires nothing, and `load-go`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ready: dict[int, _Load] = {}
        self._last = 0

    def ready(
        self, job: Job, component: int, start_data: list[Any], own: int | None, function: str,
        events: list[Any], order_data: list[Any],
    ) -> int:  # fmt: skip
        """Make what the policy wants beforehand, and return the number of the load."""
        order, start = Order.from_data(order_data), Start.from_data(start_data)
        component_of = self._service.component(component)
        load = _Load(self._service, component_of, start, function, events_from_data(events), order)
        load.make_pool(job, own)
        self._last += 1
        self._ready[self._last] = load
        return self._last

    def go(self, job: Job, number: int, start_ns: int) -> list[Any] | None:
        """Fire from `start_ns` of the machine's monotonic clock on; return the error that ended it, if any."""
        return self._ready.pop(number).go(job, start_ns)

    def forget(self, job: Job, number: int) -> None:
        """End a load that will not go."""
        if load := self._ready.pop(number, None):
            load.pool.close()


class _Load:
    """One share of a run."""

    pool: Pool
    job: Job

    def __init__(
        self, service: Service, made: Component, start: Start, function: str, events: Sequence[list[Any]],
        order: Order,
    ) -> None:  # fmt: skip
        self._service, self._made, self._start, self._function = service, made, start, function
        self._events, self._order = events, order
        self._codec = made.export(function).codec
        self._linker = service.linker(made, start)
        activate(None)
        self._lowered: list[Any] = [None] * (len(events) if len(events) <= _POOLED else 1)
        self._lowered_at = -1
        self._kinds: dict[tuple[str, str], int] = {}
        self._chunk = Chunk.empty()
        self._rows: list[tuple[int, ...]] = []
        self._own = 0
        self._waiting = 0
        self._dropped = self._left = 0
        self._zero = self._next_tell = 0

    # --------------------------------------------------------------------------------------------- instances

    def make_pool(self, job: Job, own: int | None) -> None:
        """Make the pool of the policy, around the instance that is there already, if one is named."""
        self.job, self._own = job, own or 0
        self._offsets = self._arrivals()
        run = self._service.begin(job, self._start, most=self._start.output_bytes)
        order = self._order
        if order.policy == "cold":
            self.pool = Cold(self._make, self._make_again)
        elif order.policy == "keep-alive":
            self.pool = KeepAlive(self._make, order.idle_s)
        else:
            slot = None
            if own is not None:
                instance = self._service.live(own)
                slot = Slot(0, instance, instance.bind(self._function))
            self.pool = Kept(self._make, order.instances, slot)
        self._service.output.end(run)

    def _arrivals(self) -> Iterator[int]:
        """Return the times of an open loop; loading what makes them takes longer than a run's lead."""
        if self._order.arrivals is None:
            return iter(())
        from labkernel._events.arrivals import Arrivals  # late: a closed loop needs none

        return Arrivals.from_data(self._order.arrivals).offsets_ns(self._order.seed)

    def _make_again(self, instance: Instance, bound: Bound) -> None:
        instance.open()
        self._service.begun(self.job, instance, self._linker)
        instance.bind_again(bound)

    def _make(self) -> tuple[Instance, Bound]:
        instance = self._service.new_instance(self.job, self._made, self._linker, self._start)
        try:
            return instance, instance.bind(self._function)
        except BaseException:
            instance.close()
            raise

    # -------------------------------------------------------------------------------------------- the loops

    def go(self, job: Job, start_ns: int) -> list[Any] | None:
        """Fire, and send every chunk; return the error that ended the load, encoded."""
        self.job, self._zero, self._next_tell = job, start_ns, start_ns + _TELL_NS
        self._run = self._service.begin(job, self._start, most=self._start.output_bytes)
        job.on_abandon = self._answer_abandoned
        self._spin_ns = _SPIN_EXACT_NS if _exact_sleep() else _SPIN_NS
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        error: LabError | None = None
        try:
            self._wait(start_ns)
            error = self._open() if self._order.arrivals else self._closed()
        except Stopped:
            error = None
        except LabError as misfit:  # an event that does not fit the function: none of the guest's doing
            error = misfit
        finally:
            self.pool.close()
        self._service.output.end(self._run)
        self._chunk.switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches
        self._tell()
        return None if error is None else protocol.encode_error(error)

    def _indices(self) -> Iterator[int]:
        order = self._order
        if order.n is None:
            return itertools.count(order.first, order.step)
        return iter(range(order.first, order.n, order.step))

    def _closed(self) -> LabError | None:
        """Fire the next event once one is answered, with `in_flight` of them on their way."""
        order = self._order
        end = self._zero + int(order.duration_s * _SECOND) if order.duration_s is not None else inf
        alone = order.in_flight == 1
        meant: deque[int] = deque([self._zero] * order.in_flight)
        self._waiting = order.in_flight - 1
        for index in self._indices():
            now = _now()
            if now >= end:
                break
            self.pool.evict(now)
            error = self._fire(index, None if alone else meant.popleft())
            if error is not None and order.stop_on_error:
                return error
            meant.append(self._ended)
        return None

    def _open(self) -> LabError | None:
        """Fire events when they are due; those that come while one is being answered wait, as many as may."""
        order = self._order
        close = self._zero + int((order.duration_s or 0) * _SECOND) if order.duration_s is not None else inf
        last = close + order.drain_s * _SECOND
        due = self._due(close)
        queue: deque[tuple[int, int]] = deque()
        coming = next(due, None)
        free = self._zero
        while queue or coming is not None:
            while coming is not None and coming[1] < free:
                if len(queue) < order.queue:
                    queue.append(coming)
                else:
                    self._dropped += 1
                coming = next(due, None)
            self._waiting = len(queue)
            if not queue:
                if coming is None:
                    break
                queue.append(coming)
                coming = next(due, None)
            index, intended = queue.popleft()
            if free >= last:
                self._left = len(queue) + 1
                break
            self._lower(index)
            self._wait(intended)
            error = self._fire(index, intended)
            if error is not None and order.stop_on_error:
                return error
            free = _now()
        return None

    def _due(self, close: float) -> Iterator[tuple[int, int]]:
        """Return this process's share of the arrivals, each with its time on the clock."""
        order = self._order
        every = itertools.islice(enumerate(self._offsets), order.first, order.n, order.step)
        zero = self._zero
        found = ((index, zero + at) for index, at in every)
        return found if close == inf else itertools.takewhile(lambda item: item[1] < close, found)

    def _wait(self, until: int) -> None:
        """Sleep until shortly before a time, ending what is idle for too long and telling, then spin."""
        while True:
            now = _now()
            left = until - now
            if left <= 0:
                return
            if self.job.stopped:
                raise Stopped
            if left > 2 * self._spin_ns:
                self.pool.evict(now)
                if now >= self._next_tell:
                    self._tell()
                until_eviction = max(self.pool.due() - now, 100_000)
                time.sleep(min(left - self._spin_ns, _NAP_NS, until_eviction) / _SECOND)

    # ------------------------------------------------------------------------------------------- one event

    def _lower(self, index: int) -> Any:
        at = index % len(self._events)
        if (
            len(self._events) > _POOLED
        ):  # in an open loop the event that is waited for is lowered before its time
            if at != self._lowered_at:
                self._lowered, self._lowered_at = [self._codec.lower(self._events[at])], at
            return self._lowered[0]
        lowered = self._lowered[at]
        if lowered is None:
            lowered = self._lowered[at] = self._codec.lower(self._events[at])
        return lowered

    def _fire(self, index: int, intended: int | None) -> LabError | None:
        """Answer one event, meant to come now if not told otherwise; return the guest's error, if it made one."""
        lowered = self._lower(index)
        began = _now()
        cold = spent = number = 0
        result: Any = None
        error: LabError | None = None
        slot: Slot | None = None
        called = began
        try:
            slot = self.pool.take()
            called = _now()
            if slot.is_fresh:
                cold = called - began
            number = slot.number
            instance = slot.instance
            if self._start.fuel is not None:
                instance.refuel()
            spent = self._service.timed(self.job, instance, slot.bound, lowered, self._start.timeout_s)
            self._ended = _now()
            result = instance.take_result(slot.bound)
            if self._service.output.settle(self._run):
                error = traps.output_error(self._start)
        except Stopped:
            if slot is not None:
                self.pool.give(slot, called)
            raise
        except LabError as failed:
            self._ended = _now()
            error = failed
            spent = spent or self._ended - called if slot else 0
            cold = cold if slot else self._ended - began
        if error is None and slot is not None:
            self.pool.give(slot, self._ended)
        else:
            self._recover(slot, error)
        self._keep(index, began if intended is None else intended, began, cold, spent, number, result, error)
        return error

    def _recover(self, slot: Slot | None, error: LabError | None) -> None:
        """Let go of the instance that failed. Raises `Stopped` where the job was told to."""
        if slot is not None:
            self.pool.lose(slot)
            if self._own and slot.number == 0:
                self._service.remember(self._own, f"its last call failed ({str(error).split('. ')[0]}).")
                self._own = 0
        if self.job.stopped == INTERRUPT or not self.job.resume():
            raise Stopped
        run = self.job.output
        self._service.output.begin(run)
        self._service.output.settle(run)

    def _keep(
        self, index: int, intended: int, began: int, cold: int, spent: int, number: int, result: Any,
        error: LabError | None,
    ) -> None:  # fmt: skip
        zero = self._zero
        outcome = 0 if error is None else self._kind(error, index)
        self._rows.append((index, intended - zero, began - zero, cold, spent, number, outcome))
        if error is None:
            self._chunk.results.append(result)
        if self._ended >= self._next_tell or len(self._rows) >= _LARGEST_CHUNK:
            self._tell()

    def _kind(self, error: LabError, index: int) -> int:
        """Return the number of an error's kind, and tell of a new one."""
        name, words = type(error).__name__, str(error).partition("\n")[0]
        if isinstance(error, BudgetExceeded):
            name = f"{name}: {error.budget}"
            words = words.replace(f", used {error.used}", "")  # differs from event to event
        key = (name, words)
        if key not in self._kinds and len(self._kinds) >= _KINDS:
            key = (name, "")
        if key not in self._kinds and len(self._kinds) < 254:
            self._kinds[key] = len(self._kinds) + 1
            self._chunk.errors.append([self._kinds[key], name, protocol.encode_error(error), index])
        return self._kinds.get(key, 1)

    # --------------------------------------------------------------------------------------------- telling

    def _tell(self) -> None:
        """Send what came of the events since the last time."""
        chunk, self._chunk = self._chunk, Chunk.empty()
        rows, self._rows = self._rows, []
        for column, values in zip(chunk.columns.values(), zip(*rows, strict=True), strict=False):
            column.extend(values)
        now = _now()
        self._next_tell = now + _TELL_NS
        chunk.at_ns = max(0, now - self._zero)
        chunk.waiting, chunk.dropped, chunk.left = self._waiting, self._dropped, self._left
        chunk.live, chunk.started, chunk.evicted = self.pool.live, self.pool.started, self.pool.evicted
        self._service.link.send(self.job, [protocol.CHUNK, self.job.id, chunk.to_data()])
        if gc.get_count()[0] > _GARBAGE:
            gc.collect()

    def _answer_abandoned(self) -> None:
        """Answer for a guest that sits in a host call and does not come back."""
        from labkernel._host.settling import stopped_error

        job = self.job
        self._service.output.end(self._run)
        self._tell()
        error = protocol.encode_error(stopped_error(job))
        self._service.link.send(job, [protocol.REPLY, job.id, error], last=True)


def _exact_sleep() -> bool:
    """Ask Linux to wake this thread on time, not up to 50 us late; return whether it will.

    Less spinning is left to do then, and who sleeps is put off the processor less often than who spins.
    """
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0) == 0)
    except (AttributeError, OSError, TypeError):
        return False
