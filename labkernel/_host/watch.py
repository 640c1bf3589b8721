"""The watchdog of the host process: it ends what runs too long, and what the kernel says to stop.

It sleeps on the control socket and on the deadline of the guest that runs now. A guest in its own code is
ended by the engine's epoch. One that sits in a host call, where epochs do not run, is abandoned with its
thread: the watchdog answers for it and a new leader thread goes on with all other instances. One that waits for
a function of the notebook is told, and comes back. It knows no codec and no frames' content.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from labkernel._host.meter import EVERY_S, DiskMeter

if TYPE_CHECKING:
    from labkernel._host.engine import Engine, Instance

__all__ = [
    "DISK",
    "GRACE_S",
    "INTERRUPT",
    "OUTPUT_CAP",
    "STOP",
    "TIMEOUT",
    "Abandoned",
    "Job",
    "Stopped",
    "Watch",
]

GRACE_S: Final = 0.3
TIMEOUT: Final = "timeout"
INTERRUPT: Final = "interrupt"
OUTPUT_CAP: Final = "output"
DISK: Final = "disk"
STOP: Final = Struct(">I")
"""A message on the control socket: the number of the request to stop."""


class Stopped(Exception):
    """The job was told to stop while no guest ran."""


class Abandoned(Exception):
    """The watchdog has answered for this job; its thread has nothing more to say."""


class Job:
    """One request being served. `stopped` says why it was told to stop; `ended` that it has been answered.

    `waits_for` is the function of the notebook that the guest waits for, or waited for when it was stopped.
    """

    def __init__(self, watch: Watch, ident: int) -> None:
        self.id = ident
        self.stopped = ""
        self.stopped_at = inf
        self.deadline = inf
        self.timeout_s = 0.0
        self.running: Engine | None = None
        self.instance: Instance | None = None
        self.abandoned = False
        self.ended = False
        self.on_abandon: Callable[[], None] | None = None
        self.output: Any = None
        self.waits_for = ""
        self.is_waiting = False
        self.meter: DiskMeter | None = None
        self._watch = watch

    def release(self) -> None:
        """Let go of what the job holds: its parts refer to each other, and nobody collects cycles here."""
        self.on_abandon = self.output = self.instance = self.meter = None

    def enter(self, instance: Instance, timeout_s: float) -> None:
        """A guest starts to run. Raises `Stopped` if it must not."""
        watch = self._watch
        with watch.lock:
            if self.stopped:
                raise Stopped(self.stopped)
            self.deadline = deadline = time.monotonic() + timeout_s
            self.timeout_s = timeout_s
            self.instance = instance
            instance.job = self
            self.running = engine = instance.engine
            if instance.epoch != engine.epoch:
                instance.arm()
            look_at = deadline if self.meter is None else min(deadline, deadline - timeout_s + EVERY_S)
            if look_at < watch.wake_at:
                watch.nudge(look_at)

    def leave(self) -> None:
        """The guest is back. Raises `Abandoned` if nobody waits for it any more.

        Without the lock: a tick that comes just after costs nothing, since entering arms the store anew.
        """
        self.running = None
        if self.abandoned:
            raise Abandoned

    @contextmanager
    def waiting(self, name: str) -> Iterator[int]:
        """Wait for a host function of the notebook: yields a descriptor that is readable once the job is to stop.

        Raises `Stopped` if it was told so before.
        """
        watch = self._watch
        with watch.lock:
            if self.stopped:
                raise Stopped(self.stopped)
            self.waits_for, self.is_waiting = name, True
        try:
            yield watch.stop_read
        finally:
            with watch.lock:
                self.is_waiting = False
                if self.stopped:
                    os.read(watch.stop_read, 16)
                else:
                    self.waits_for = ""

    def stop(self, why: str) -> None:
        """End the guest at its next loop or call, or keep it from starting."""
        with self._watch.lock:
            self._stop(why)
            self._watch.nudge(time.monotonic() + GRACE_S)

    def resume(self) -> bool:
        """Go on after a guest that went over its own budget; return whether the job may.

        Only a budget of one event can be got over: an interrupt is meant for the whole job.
        """
        with self._watch.lock:
            if self.stopped in (TIMEOUT, OUTPUT_CAP, DISK) and not self.abandoned:
                self.stopped, self.stopped_at = "", inf
            return not self.stopped

    def _stop(self, why: str) -> None:
        if self.stopped or self.ended:
            return
        self.stopped = why
        self.stopped_at = time.monotonic()
        if self.running is not None:
            self.running.tick()
        if self.is_waiting:
            os.write(self._watch.stop_write, b"\0")


class Watch:
    """The watchdog. `run` is the main thread's loop; it returns when the kernel is gone."""

    def __init__(self, control: socket.socket, abandon: Callable[[Job], None]) -> None:
        self.lock = threading.Lock()
        self.wake_at: float = inf
        self.job: Job | None = None
        self._control = control
        self._abandon = abandon
        self._nudge_read, self._nudge_write = os.pipe()
        os.set_blocking(self._nudge_read, False)
        self.stop_read, self.stop_write = os.pipe()
        os.set_blocking(self.stop_read, False)
        self._parent = _parent_descriptor()

    def open_job(self, ident: int) -> Job:
        """Return the job of a request that starts now."""
        job = Job(self, ident)
        with self.lock:
            self.job = job
        return job

    def nudge(self, at: float) -> None:
        """Wake up no later than `at`. Called with the lock held."""
        self.wake_at = min(self.wake_at, at)
        os.write(self._nudge_write, b"\0")

    def run(self) -> None:
        """Watch until the kernel closes its end or dies."""
        sources: list[Any] = [self._control, self._nudge_read, *self._parent]
        while True:
            wait = None if self.wake_at == inf else max(0.0, self.wake_at - time.monotonic())
            ready, _, _ = select.select(sources, [], [], wait)
            if self._nudge_read in ready:
                os.read(self._nudge_read, 4096)
            if self._parent and self._parent[0] in ready:
                return
            if self._control in ready and not self._listen():
                return
            self._look()

    def _listen(self) -> bool:
        message = self._control.recv(STOP.size, socket.MSG_WAITALL)
        if len(message) < STOP.size:
            return False
        with self.lock:
            job = self.job
            if job is not None and job.id == STOP.unpack(message)[0]:
                job._stop(INTERRUPT)
        return True

    def _look(self) -> None:
        now = time.monotonic()
        stuck = None
        with self.lock:
            job = self.job
            if job is None or job.ended:
                self.wake_at = job.deadline if job is not None and job.deadline > now else inf
                return
            if job.running is not None and now >= job.deadline:
                job._stop(TIMEOUT)
            elif job.running is not None and job.meter is not None and job.meter.is_over():
                job._stop(DISK)
            if job.stopped:
                self.wake_at = job.stopped_at + GRACE_S
                if job.is_waiting:
                    self.wake_at = max(self.wake_at, now + GRACE_S)
                if now >= self.wake_at:
                    self.wake_at = inf
                    stuck = job
            elif job.running is not None or job.deadline > now:
                self.wake_at = job.deadline if job.meter is None else min(job.deadline, now + EVERY_S)
            else:
                self.wake_at = inf
        if stuck is not None:
            self._abandon(stuck)


def _parent_descriptor() -> list[int]:
    """Return a descriptor that becomes readable when the kernel process ends, where the system has such."""
    try:
        return [os.pidfd_open(os.getppid())]
    except (AttributeError, OSError):
        return []
