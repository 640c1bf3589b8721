"""Many calls in one request: events at one instance, and cold starts. What came before an error is kept."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from labkernel._errors import CapabilityDenied, GuestError, LabError
from labkernel._host import protocol
from labkernel._host.handles import activate
from labkernel._host.settings import Start
from labkernel._host.watch import Job, Stopped

if TYPE_CHECKING:
    from labkernel._host.serving import Service

__all__ = ["Many"]

Events: TypeAlias = list[list[Any]]
Reply: TypeAlias = Callable[[LabError | None], list[Any]]

_now: Final = time.perf_counter_ns
_PROGRESS_NS: Final = 100_000_000


class Many:
    """The requests `fire` and `cold`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def fire(
        self, job: Job, number: int, function: str, events: Events, timeout_s: float | None, keep: bool
    ) -> list[Any]:
        """Call one function of an instance once per event."""
        service = self._service
        instance = service.live(number)
        bound = instance.bind(function)
        start = instance.start
        limit = start.timeout_s if timeout_s is None else timeout_s
        run = service.begin(job, start)
        times, results, work = array("Q"), list[Any](), [0, 0]

        def reply(error: LabError | None) -> list[Any]:
            told = None if error is None else protocol.encode_error(error)
            return [times.tobytes(), results, told, *work, run.cut]

        progress = _Progress(service, job, len(events))
        lower, take, refuel = instance.lower, instance.take_result, start.fuel is not None

        def call_each() -> None:
            for arguments in events:
                t0 = _now()
                lowered = lower(bound, arguments)
                t1 = _now()
                if refuel:
                    instance.refuel()
                spent = service.timed(job, instance, bound, lowered, limit)
                t2 = _now()
                result = take(bound)
                t3 = _now()
                service.settle(job, instance, wait=False)
                instance.calls += 1
                times.append(spent)
                if keep:
                    results.append(result)
                work[0] += t1 - t0
                work[1] += t3 - t2
                progress.tell(len(times), t3)

        def call_all() -> None:
            with service.finishing(number, instance):
                call_each()

        return self._kept(job, call_all, reply)

    def cold(
        self, job: Job, component: int, start_data: list[Any], function: str, events: Events,
        timeout_s: float | None, keep: bool,
    ) -> list[Any]:  # fmt: skip
        """Start an instance for every event, call it once and drop it."""
        service = self._service
        start = Start.from_data(start_data)
        made = service.component(component)
        linker = service.linker(made, start)
        codec = made.export(function).codec
        activate(None)
        limit = start.timeout_s if timeout_s is None else timeout_s
        run = service.begin(job, start)
        phases, results = (array("Q"), array("Q"), array("Q")), list[Any]()
        progress = _Progress(service, job, len(events))

        def reply(error: LabError | None) -> list[Any]:
            told = None if error is None else protocol.encode_error(error)
            return [*(phase.tobytes() for phase in phases), results, told, run.cut]

        def call_each() -> None:
            for done, arguments in enumerate(events, 1):
                lowered = codec.lower(arguments)
                t0 = _now()
                instance = service.new_instance(job, made, linker, start)
                t1 = _now()
                try:
                    bound = instance.bind(function)
                    service.timed(job, instance, bound, lowered, limit)
                    t2 = _now()
                    result = instance.take_result(bound)
                    service.settle(job, instance, wait=False)
                finally:
                    t3 = _now()
                    instance.close()
                    t4 = _now()
                for phase, spent in zip(phases, (t1 - t0, t2 - t1, t4 - t3), strict=True):
                    phase.append(spent)
                if keep:
                    results.append(result)
                progress.tell(done, t4)

        return self._kept(job, call_each, reply)

    def _kept(self, job: Job, call_each: Callable[[], None], reply: Reply) -> list[Any]:
        """Do the calls and return the reply, also for those before an error or a thread that got stuck."""
        from labkernel._host.settling import stopped_error

        service = self._service
        error: LabError | None = None

        def answer_abandoned() -> None:
            service.output.end(job.output)
            service.link.send(job, [protocol.REPLY, job.id, reply(stopped_error(job))], last=True)

        job.on_abandon = answer_abandoned
        try:
            call_each()
        except Stopped:
            error = stopped_error(job)
        except (GuestError, CapabilityDenied) as failed:
            error = failed
        service.wait_for_output(job.instance, lambda: service.output.take_in(job.output))
        service.output.end(job.output)
        return reply(error)


class _Progress:
    """Progress frames, ten a second at most."""

    def __init__(self, service: Service, job: Job, total: int) -> None:
        self._service, self._job, self._total = service, job, total
        self._next = _now() + _PROGRESS_NS

    def tell(self, done: int, now: int) -> None:
        """Send a frame if one is due."""
        if now >= self._next:
            self._next = now + _PROGRESS_NS
            self._service.link.send(self._job, [protocol.PROGRESS, self._job.id, done, self._total])
