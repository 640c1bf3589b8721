"""A plan carried out: over one host process or several, heard in chunks, stopped when the user says so."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labkernel._errors import LabError
from labkernel._fire.collect import Collector, Live
from labkernel._fire.plan import Plan
from labkernel._host import (
    Chunk,
    Loaded,
    OnHost,
    Order,
    Ready,
    Start,
    Started,
    Supervisor,
    clock_ns,
    go,
    make_ready,
)

__all__ = ["LoadOutcome", "carry_out", "orders"]

OnLive = Callable[[Live], None]
_EVERY_S: Final = 0.1
_LEAD_NS: Final = 20_000_000
_QUEUE: Final = 100_000
_MOST_OUTPUT: Final = 1 << 20


@dataclass(slots=True)
class LoadOutcome:
    """How carrying a plan out went; what came of the events is in the collector."""

    collector: Collector
    error: LabError | None = None
    is_interrupted: bool = False
    problem: Exception | None = None
    said: list[str] = field(default_factory=list)
    processes: int = 1

    @property
    def is_lost(self) -> bool:
        """Whether a host process was lost, which is more than a guest's error."""
        return type(self.error).__name__ == "GuestCrashed"

    @property
    def output(self) -> str:
        """What the guests printed, as much of it as is kept."""
        return "".join(self.said)[:_MOST_OUTPUT]


def orders(plan: Plan, processes: int) -> list[Order]:
    """Return each host process's share of a plan."""
    policy = plan.policy
    many = policy.instances if policy.kind == "pool" else plan.in_flight
    queue = _QUEUE if plan.queue is None else plan.queue
    return [
        Order(
            policy={"cold": "cold", "keep-alive": "keep-alive"}.get(policy.kind, "kept"),
            instances=_share(many, processes, index),
            idle_s=policy.idle_s,
            in_flight=_share(plan.in_flight, processes, index),
            arrivals=plan.arrivals.to_data() if plan.arrivals is not None else None,
            seed=plan.seed,
            first=index,
            step=processes,
            n=plan.asked,
            duration_s=plan.duration_s,
            queue=_share(queue, processes, index),
            stop_on_error=plan.stop_on_error,
        )
        for index in range(processes)
    ]


def _share(total: int, parts: int, index: int) -> int:
    return total // parts + (index < total % parts)


def carry_out(
    plan: Plan, crew: Sequence[Supervisor], loaded: Loaded, start: Start, function: str,
    events: Sequence[list[Any]], *, own: Started | None = None, on_live: OnLive | None = None,
    on_host: OnHost | None = None,
) -> LoadOutcome:  # fmt: skip
    """Fire by a plan over the host processes of `crew`; `own` is a live instance in the first of them.

    With `on_host`, which answers guests' calls into the notebook, the crew must be one: functions of the user's
    run in the thread that called, one at a time.

    A guest's errors are in the collector, or end the run as the plan says; a lost host process ends it with
    `GuestCrashed`, an interrupt with `is_interrupted`; what `on_live` raises is the `problem`. Raises what
    starting instances raises, before anything is fired.
    """
    collector = Collector(asked=plan.asked)
    outcome = LoadOutcome(collector, processes=len(crew))
    ready = _all_ready(plan, crew, loaded, start, function, events, own, on_host)
    lead = _LEAD_NS if plan.arrivals is not None or len(crew) > 1 else 0
    moment = clock_ns() + lead
    if on_host is not None:
        return _here(ready[0], moment, outcome, on_live, on_host)
    ends = [threading.Event() for _ in ready]
    try:
        for worker, share in enumerate(ready):
            _begin(share, worker, moment, outcome, ready, ends[worker])
        _watch(ends, collector, on_live)
    except KeyboardInterrupt:
        outcome.is_interrupted = True
    except Exception as problem:  # noqa: BLE001 - the caller raises it, once it knows what became of the instance
        outcome.problem, outcome.is_interrupted = problem, True
    finally:
        _stop(ends, crew)
    return outcome


def _all_ready(
    plan: Plan, crew: Sequence[Supervisor], loaded: Loaded, start: Start, function: str,
    events: Sequence[list[Any]], own: Started | None, on_host: OnHost | None,
) -> list[Ready]:  # fmt: skip
    ready: list[Ready] = []
    try:
        for index, (supervisor, order) in enumerate(zip(crew, orders(plan, len(crew)), strict=True)):
            first = own if index == 0 else None
            ready.append(
                make_ready(supervisor, loaded, start, function, events, order, own=first, on_host=on_host)
            )
    except BaseException:
        for share in ready:
            with contextlib.suppress(LabError):
                share.forget()
        raise
    return ready


def _begin(
    share: Ready, worker: int, moment: int, outcome: LoadOutcome, ready: Sequence[Ready], end: threading.Event
) -> None:
    """Start the thread of one share; `end` is set when it is over."""

    def run() -> None:
        try:
            _go(share, worker, moment, outcome, ready)
        finally:
            end.set()

    try:
        threading.Thread(target=run, name=f"load-{worker}", daemon=True).start()
    except BaseException:
        end.set()
        raise


def _here(
    share: Ready, moment: int, outcome: LoadOutcome, on_live: OnLive | None, on_host: OnHost
) -> LoadOutcome:  # fmt: skip
    """Fire the only share in this thread."""

    def hear(chunk: Chunk) -> None:
        outcome.collector.add(0, chunk)
        if on_live is not None:
            on_live(outcome.collector.live())

    try:
        outcome.error = go(share, moment, hear, _sayer(outcome), on_host=on_host)
    except KeyboardInterrupt:
        outcome.is_interrupted = True
    except LabError as failed:
        outcome.error = failed
    except Exception as problem:  # noqa: BLE001 - the caller raises it, once it knows what became of the instance
        outcome.problem, outcome.is_interrupted = problem, True
    return outcome


def _sayer(outcome: LoadOutcome) -> Callable[[str, str], None]:
    """Return what keeps the beginning of what a share's guests print."""
    left = [_MOST_OUTPUT]

    def say(_: str, text: str) -> None:
        if left[0] > 0:
            left[0] -= len(text)
            outcome.said.append(text)

    return say


def _go(share: Ready, worker: int, moment: int, outcome: LoadOutcome, ready: Sequence[Ready]) -> None:
    """Fire one share, in its own thread; where it fails the others are stopped."""
    error: LabError | None = None
    try:
        with contextlib.suppress(KeyboardInterrupt):
            error = go(share, moment, lambda chunk: outcome.collector.add(worker, chunk), _sayer(outcome))
    except LabError as failed:
        error = failed
    except Exception as bug:  # noqa: BLE001 - it is ours, and is raised in the thread that asked
        outcome.problem = bug
    if error is not None:
        outcome.error = outcome.error or error
        for other in ready:
            if other is not share:
                other.supervisor.interrupt()


def _watch(ends: Sequence[threading.Event], collector: Collector, on_live: OnLive | None) -> None:
    """Wait for the threads, and tell how the run stands ten times a second.

    By events and not by `Thread.join`: up to Python 3.12 that takes a thread for ended when an interrupt comes
    while it waits.
    """
    for end in ends:
        while not end.wait(_EVERY_S):
            if on_live is not None:
                on_live(collector.live())


def _stop(ends: Sequence[threading.Event], crew: Sequence[Supervisor]) -> None:
    """End what is still under way; a host process that does not obey is killed by its supervisor."""
    while not all(end.is_set() for end in ends):
        with contextlib.suppress(KeyboardInterrupt):
            for supervisor in crew:
                supervisor.interrupt()
            for end in ends:
                end.wait(_EVERY_S)
