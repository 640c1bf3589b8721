"""What a guest printed and wrote, settled when it is back: whose it is, and whether it is over a budget.

A part of `serving.Service` that knows jobs, output and the disk meter, and no requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from labkernel._errors import GuestError, LabError
from labkernel._host import protocol, traps
from labkernel._host.engine import Instance
from labkernel._host.idle import Idle
from labkernel._host.meter import DiskMeter
from labkernel._host.output import Output, Run
from labkernel._host.settings import Start
from labkernel._host.watch import DISK, INTERRUPT, OUTPUT_CAP, TIMEOUT, Job

__all__ = ["Sender", "Settling", "stopped_error"]

_ROUNDS: Final = 100


class Sender(Protocol):
    """Where frames go."""

    def send(self, job: Job, frame: list[Any], *, last: bool = False) -> None:
        """Send a frame of a job."""

    def ask(self, job: Job, question: bytes, stop: int) -> list[Any] | None:
        """Send a packed question of a job and return its answer, or None when the job is to stop."""


class Settling:
    """The output of the guests of this process, job by job."""

    def __init__(self, link: Sender) -> None:
        self.link = link
        self.output = Output()
        self.idle = Idle()

    def begin(self, job: Job, start: Start, *, most: int | None = None) -> Run:
        """Let what guests print from now on belong to this job, and send at most so many characters of it."""
        left = [most]

        def send(stream: int, text: str) -> None:
            if left[0] is not None:
                text = text[: left[0]]
                left[0] -= len(text)
            if text:
                self._tell(job, stream, text)

        run = Run(start.output_bytes, send, lambda: job.stop(OUTPUT_CAP))
        job.output = run
        self.output.begin(run)
        if any(writable for _, _, writable in start.dirs):
            job.meter = DiskMeter(start.disk_bytes, run)
        return run

    def _tell(self, job: Job, stream: int, text: str) -> None:
        """Send what a guest printed, unless the user has interrupted it and waits for it to end."""
        if job.stopped != INTERRUPT:
            self.link.send(job, [protocol.OUTPUT, job.id, stream, text])

    def wait_for_output(
        self, instance: Instance | None, arrived: Callable[[], bool], *, rounds: int = _ROUNDS
    ) -> None:
        """Let what an instance wrote without a flush arrive: it must not be taken for the next call's.

        `arrived` takes in what is there; as long as it finds something, more may come behind it.
        """
        for _ in range(rounds):
            if instance is not None and instance.component.writes:
                self.idle.wait()
            if not arrived():
                return

    def settle(self, job: Job, instance: Instance, *, wait: bool = True) -> None:
        """Hold a guest that came back to what it printed and wrote, of which no one may have taken note yet.

        One that was late, and came back from the host after it had been told to stop, is late all the same.

        Raises `BudgetExceeded`, with the store closed, as if the guest had been stopped at its limit.
        """
        run = job.output
        if wait:
            self.wait_for_output(instance, lambda: self.output.take_in(run))
        else:
            self.output.take_in(run)
        if run.cut:
            job.stopped = job.stopped or OUTPUT_CAP
        if job.meter is not None and job.meter.end():
            job.stopped = job.stopped or DISK
        if job.stopped in (OUTPUT_CAP, DISK, TIMEOUT):
            job.instance = instance
            self.output.end(run)
            instance.close()
            raise stopped_error(job)


def stopped_error(job: Job) -> LabError:
    """Return the error for a job that was stopped."""
    if job.stopped == INTERRUPT:
        return GuestError("Interrupted.")
    if job.stopped == OUTPUT_CAP and job.instance is not None:
        return traps.output_error(job.instance.start, job.output.seen)
    if job.stopped == DISK and job.instance is not None:
        used = job.instance.disk_used if job.meter is None else max(job.meter.used(), job.instance.disk_used)
        return traps.disk_error(job.instance.start, used)
    used_s = None if job.deadline == inf else time.monotonic() - job.deadline + job.timeout_s
    return traps.timeout_error(job.timeout_s, used_s=used_s, blocked=job.abandoned, waits_for=job.waits_for)
