"""Sustained warm firing: by the C functions while a driver is made in the background, then through the driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from labkernel._errors import GuestCrashed, LabError
from labkernel._fire.collect import Collector, Live
from labkernel._fire.compose import NoDriver
from labkernel._fire.driving import Driven, Gathered, drive
from labkernel._fire.feed import feed_driven, feed_error, feed_times
from labkernel._fire.load import LoadOutcome
from labkernel._fire.path import CALLS, DRIVER
from labkernel._fire.plan import Plan
from labkernel._host import Chunk, Started, Supervisor, clock_ns
from labkernel._timing import format_count, format_ns
from labkernel._wit import Function

__all__ = ["Guest", "Making", "Sustained", "sustain"]

_SLICE: Final = 500
"""Events that one request fires by the C functions, at most; it lasts about as long as a batch of a driver."""
_SLICE_NS: Final = 50_000_000
_TELL_NS: Final = 100_000_000
_ENDLESS: Final = 1 << 62
_MOST_OUTPUT: Final = 1 << 20
_TABLE: Final = 50_000
"""Different events that a driver's table holds at a time; a larger pool goes through it part by part."""


class Making:
    """Something that is being made in a thread; `problem` says why it was not, once the thread has ended."""

    def __init__(self, make: Callable[[], object]) -> None:
        self.problem = ""
        self._make = make
        self.thread = threading.Thread(target=self._run, name="driver", daemon=True)

    def _run(self) -> None:
        try:
            self._make()
        except LabError as error:
            self.problem = str(error)


@dataclass(frozen=True, slots=True)
class Guest:
    """An instance as sustained firing sees it.

    `prepare` begins to make its driver, unless it `is_prepared`; `behind` starts it anew behind that.
    """

    supervisor: Supervisor
    started: Callable[[], Started]
    restart: Callable[[], None]
    prepare: Callable[[], Making]
    behind: Callable[[], Started]
    is_prepared: bool
    timeout_s: float


@dataclass(slots=True)
class Sustained:
    """How sustained firing went: what came of the events, by which path, and what is to be said of it."""

    outcome: LoadOutcome
    path: str
    why: str = ""
    notes: tuple[str, ...] = ()
    driven: Driven | None = None


def sustain(
    guest: Guest, plan: Plan, function: Function, pool: Sequence[list[Any]],
    on_live: Callable[[Live], None] | None = None,
) -> Sustained:  # fmt: skip
    """Fire the events of a pool in turn, as many or as long as a plan says, one after the other.

    An error ends it, or is counted and the rest goes by the C functions, as the plan says. An interrupt, a lost process
    and what `on_live` raises (the outcome's `problem`) end it, too; what came until then is kept.
    """
    firing = _Firing(guest, plan, function, pool, on_live)
    outcome = firing.made.outcome
    try:
        firing.go()
    except KeyboardInterrupt:
        outcome.is_interrupted = True
    except GuestCrashed as lost:
        outcome.error = lost
    except Exception as problem:  # noqa: BLE001 - the caller raises it, once it knows what became of the instance
        outcome.problem, outcome.is_interrupted = problem, True
    return firing.made


class _Firing:
    def __init__(
        self, guest: Guest, plan: Plan, function: Function, pool: Sequence[list[Any]],
        on_live: Callable[[Live], None] | None,
    ) -> None:  # fmt: skip
        self._guest, self._plan, self._function, self._pool = guest, plan, function, pool
        self._on_live = on_live or (lambda live: None)
        self._size, self._next_tell = 1, clock_ns() + _TELL_NS
        self._left_to_say = _MOST_OUTPUT
        self._asked = _ENDLESS if plan.asked is None else plan.asked
        self._began = clock_ns()
        self._fired = self._first_driven = self._varied = self._unchecked = 0
        self._collector = Collector(asked=plan.asked)
        self.made = Sustained(LoadOutcome(self._collector), CALLS)

    def go(self) -> None:
        problem = "" if self._guest.is_prepared else self._prepare()
        if not problem and not self._is_over():
            try:
                self._drive()
            except NoDriver as refused:
                problem = str(refused)
        if problem:
            self.made.why = problem
        while not self._is_over():
            self._slice()
        if self._plan.duration_s is not None:
            chunk = Chunk.empty()
            chunk.at_ns = clock_ns() - self._began
            self._collector.add(0, chunk)

    def _is_over(self) -> bool:
        seconds = self._plan.duration_s
        late = seconds is not None and clock_ns() - self._began >= seconds * 1e9
        return late or self.made.outcome.error is not None or self._fired >= self._asked

    def _prepare(self) -> str:
        """Fire by the C functions while a driver is made; return why there is none, if so."""
        making = self._guest.prepare()
        while making.thread.is_alive() and not self._is_over():
            self._slice()
        if self._is_over():
            return "the events were over before a driver was made; the next run finds it"
        making.thread.join()
        return making.problem

    def _turned(self, count: int) -> list[list[Any]]:
        """Return the next events of the pool, at most once around."""
        at = self._fired % len(self._pool)
        found = list(self._pool[at : at + count])
        return found + list(self._pool[: min(at, count - len(found))])

    def _slice(self) -> None:
        """Fire some events by the C functions."""
        guest = self._guest
        size = min(self._size, self._asked - self._fired)
        events = self._turned(size)
        events *= max(1, size // len(events))
        began = clock_ns() - self._began
        fired = guest.supervisor.fire(
            guest.started(), self._function.full_name, events, timeout_s=guest.timeout_s, on_output=self._say
        )
        at = clock_ns() - self._began
        feed_times(self._collector, self._fired, fired.ns, fired.results, began_ns=began, at_ns=at)
        self._fired += len(fired.ns)
        if fired.error is not None:
            self._fail(fired.error)
        self._size = max(1, min(_SLICE, self._size * _SLICE_NS // max(1, at - began)))
        if self._is_due():
            self._on_live(self._collector.live())

    def _is_due(self) -> bool:
        """Whether progress is to be told: ten times a second at most."""
        now = clock_ns()
        if now < self._next_tell:
            return False
        self._next_tell = now + _TELL_NS
        return True

    def _fail(self, error: LabError) -> None:
        feed_error(self._collector, self._fired, error, at_ns=clock_ns() - self._began)
        self._fired += 1
        if self._plan.stop_on_error:
            self.made.outcome.error = error
        else:
            self._guest.restart()

    def _drive(self) -> None:
        """Fire what is left through the driver, a table after the other."""
        while not self._is_over() and self._drive_table():
            pass

    def _drive_table(self) -> bool:
        """Fire through the driver, all that is left or one table; return whether the driver can go on."""
        first, started, began = self._fired, self._guest.behind(), clock_ns()
        events, most = self._turned(min(len(self._pool), _TABLE)), self._asked - first
        if len(self._pool) > _TABLE:
            most = min(most, len(events))
        gathered = Gathered(lambda done, _: self._tell(first + done, began, gathered))
        seconds = self._plan.duration_s
        left_s = None if seconds is None else max(0.0, seconds - (began - self._began) / 1e9)
        try:
            driven = drive(
                self._guest.supervisor, started, self._function, events, most, duration_s=left_s,
                timeout_s=self._guest.timeout_s, gathered=gathered,
                on_output=self._say,
            )  # fmt: skip
        except BaseException:
            if gathered.driven is not None:
                self._take(gathered.driven, first, began)
            raise
        self._take(driven, first, began)
        if driven.error is not None:
            self._fail(driven.error)
        return driven.error is None

    def _take(self, driven: Driven, first: int, began: int) -> None:
        at, now = began - self._began, clock_ns() - self._began
        feed_driven(self._collector, driven, first, began_ns=at, at_ns=now)
        self._fired += driven.done
        if self.made.path != DRIVER:
            self._first_driven = first
        self._varied += driven.varied
        self._unchecked += driven.unchecked
        self.made.path, self.made.driven = DRIVER, driven
        self.made.notes = tuple(_notes(driven, self._first_driven, self._varied, self._unchecked))

    def _tell(self, done: int, began: int, gathered: Gathered) -> None:
        if not self._is_due():
            return
        seconds = (clock_ns() - began) / 1e9
        recent = gathered.grouped[-1000:] or gathered.alone[-1000:]
        middle = round(median(recent)) if recent else None
        rate = gathered.done / seconds if seconds else 0.0
        self._on_live(Live(done, self._plan.asked, rate, 0, 0, 0, middle, None))

    def _say(self, _: str, text: str) -> None:
        if self._left_to_say > 0:
            self._left_to_say -= len(text)
            self.made.outcome.said.append(text)


def _notes(driven: Driven, first: int, varied: int, unchecked: int) -> list[str]:
    """Return how a driver has timed its events, and what of their results is not known, as sentences."""
    notes = []
    if first:
        notes.append(
            f"{format_count(first, 'event')} went by the C functions while the driver was made; those after them met a "
            "fresh instance behind it"
        )
    taken = format_ns(driven.clock_ns) if driven.clock_ns else ""
    loop = f" and {format_ns(driven.dry_ns / driven.group)} a call for the loop" if driven.grouped else ""
    notes.append(
        f"timed in the engine, {driven.mode}" + (f"; taken out: {taken} for the clock{loop}" if taken else "")
    )
    if driven.grouped:
        notes.append(
            f"percentiles are of means over {driven.group} calls: a single slow call among them is not seen as such"
        )
    if varied:
        notes.append(f"{varied} answers differed from the first one to the same event")
    if unchecked:
        notes.append(f"{unchecked} answers were not compared: there was no room to keep the first ones")
    return notes
