"""Whole starts measured: from machine code on disk to the first answer, every phase of every start."""

from __future__ import annotations

import time
from array import array
from typing import TYPE_CHECKING, Any, Final

from labkernel._errors import UsageError
from labkernel._host.handles import activate
from labkernel._host.settings import START_PHASES, Start
from labkernel._host.watch import Job

if TYPE_CHECKING:
    from labkernel._host.serving import Service

__all__ = ["Starts"]

_now: Final = time.perf_counter_ns


class Starts:
    """The request `startups`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def startups(
        self, job: Job, path: str, settings: list[Any], start_data: list[Any], function: str, args: list[Any], n: int
    ) -> list[Any]:  # fmt: skip
        """Start `n` times from the file, answer one event, and drop everything; nanoseconds of each phase.

        The answers must all be the same: raises `UsageError` otherwise.
        """
        start = Start.from_data(start_data)
        run = self._service.begin(job, start)
        times = [array("Q") for _ in START_PHASES]
        answer: list[Any] = []
        for _ in range(n):
            spent, result = self._one(job, path, settings, start, function, args)
            if answer and result != answer[0]:
                raise UsageError(
                    f"{function} gave two answers to one event, {answer[0]!r} and {result!r}, expected one. "
                    "Times of a guest that does not do the same job each time are not kept."
                )
            answer = [result]
            for phase, ns in zip(times, spent, strict=True):
                phase.append(ns)
        self._service.output.end(run)
        return [[phase.tobytes() for phase in times], answer[0] if answer else None]

    def _one(
        self, job: Job, path: str, settings: list[Any], start: Start, function: str, args: list[Any]
    ) -> tuple[tuple[int, ...], Any]:
        service = self._service
        component, loaded = service.load_component(path, settings)
        activate(None)
        try:
            lowered = component.export(function).codec.lower(args)
            t0 = _now()
            linker = service.linker(component, start)
            t1 = _now()
            instance = service.new_instance(job, component, linker, start)
            t2 = _now()
            try:
                bound = instance.bind(function)
                t3 = _now()
                service.timed(job, instance, bound, lowered, start.timeout_s)
                result = instance.take_result(bound)
                t4 = _now()
                service.settle(job, instance, wait=False)
            finally:
                instance.close()
        finally:
            component.close()
        return (loaded, t1 - t0, t2 - t1, t4 - t3), result
