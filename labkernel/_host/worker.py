"""The host process: a leader thread that reads a request and serves it, beside watchdog and output pump.

It owns processes' limits, the loop and the answers. What the requests do is in `serving`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
import threading
import traceback
from typing import Any, Final

from labkernel._errors import BudgetExceeded, LabError
from labkernel._host import protocol
from labkernel._host.settings import EngineSettings
from labkernel._host.wall import Wall, raise_wall
from labkernel._host.watch import Abandoned, Job, Stopped, Watch

__all__ = ["main"]

STACK_BYTES: Final = 8 << 20
"""Stack of the threads that call guests: far more than the engine lets a guest use."""
_FILES: Final = 1024
_CHUNK: Final = 1 << 18
_GARBAGE: Final = 5000
"""Objects that may pile up before garbage is collected, which is only done between requests."""


class Link:
    """The data socket. Whole frames only, from any thread; after a job's last frame nothing of it is sent."""

    def __init__(self, data: socket.socket) -> None:
        self._data = data
        self._frames = protocol.FrameBuffer()
        self._lock = threading.Lock()

    def read(self) -> list[Any] | None:
        """Return the next frame, or None at the end."""
        while (frame := self._frames.next()) is None:
            data = self._data.recv(_CHUNK)
            if not data:
                return None
            self._frames.feed(data)
        return frame

    def ask(self, job: Job, question: bytes, stop: int) -> list[Any] | None:
        """Send a packed question and return `[is_ok, value]`, or None once the descriptor `stop` is readable.

        Only the thread that serves the job may ask: it is the one that reads.
        """
        with self._lock:
            self._data.sendall(question)
        while True:
            while (frame := self._frames.next()) is not None:
                if frame[:2] == [protocol.HOST_ANSWER, job.id] and len(frame) == 4:
                    return frame[2:]
                if frame[0] != protocol.HOST_ANSWER:
                    raise protocol.ProtocolError(f"a frame of kind {frame[0]} is not expected here")
            ready, _, _ = select.select([self._data.fileno(), stop], [], [])
            if stop in ready:
                return None
            data = self._data.recv(_CHUNK)
            if not data:
                os._exit(0)
            self._frames.feed(data)

    def send(self, job: Job, frame: list[Any], *, last: bool = False) -> None:
        """Send a frame of a job, unless the job has been answered."""
        try:
            data = protocol.pack(frame)
        except protocol.ProtocolError:
            error = BudgetExceeded(
                "result size", f"{protocol.MAX_FRAME >> 20} MiB", how="Return less at a time."
            )
            data, last = protocol.pack([protocol.ERROR, job.id, protocol.encode_error(error)]), True
        with self._lock:
            if job.ended:
                return
            job.ended = last
            self._data.sendall(data)


class Host:
    """The loop around `serving.Service`."""

    def __init__(self, data: socket.socket, control: socket.socket) -> None:
        self.link = Link(data)
        self.watch = Watch(control, self._abandon)
        self.service: Any = None
        self.walls: list[str] = []

    def start_leader(self) -> None:
        """Let a new thread serve the requests from now on."""
        threading.Thread(target=self._lead, name="leader", daemon=True).start()

    def _lead(self) -> None:
        try:
            while (frame := self.link.read()) is not None:
                if frame[0] == protocol.HOST_ANSWER:
                    continue  # of a function that went on after its guest had been stopped
                job = self.watch.open_job(frame[1])
                self._serve(job, frame)
                job.release()
                if job.abandoned:
                    return
                if gc.get_count()[0] > _GARBAGE:
                    gc.collect()
        except (OSError, protocol.ProtocolError):
            traceback.print_exc()
        os._exit(0)

    def _serve(self, job: Job, frame: list[Any]) -> None:
        try:
            value = self._dispatch(job, frame)
        except Abandoned:
            return
        except Stopped:
            error = self._stopped(job)
            self.link.send(job, [protocol.ERROR, job.id, protocol.encode_error(error)], last=True)
        except LabError as error:
            self.link.send(job, [protocol.ERROR, job.id, protocol.encode_error(error)], last=True)
        except Exception:  # noqa: BLE001 - a bug is told to the kernel, the process lives on
            bug = ["Bug", traceback.format_exc(limit=-6), {}]
            self.link.send(job, [protocol.ERROR, job.id, bug], last=True)
            gc.collect()
        else:
            self.link.send(job, [protocol.REPLY, job.id, value], last=True)

    def _stopped(self, job: Job) -> LabError:
        from labkernel._host.settling import stopped_error

        return stopped_error(job)

    def _dispatch(self, job: Job, frame: list[Any]) -> Any:
        kind = frame[0]
        if kind == protocol.HELLO:
            from labkernel._host.serving import Service

            _limit_memory(frame[2]["memory_limit_bytes"])
            self.service = Service(self.link, frame[2]["mac_key"])
            gc.freeze()
            return {"pid": os.getpid(), "walls": [*self.walls, "resource limits"]}
        if kind != protocol.REQUEST or self.service is None:
            raise protocol.ProtocolError(f"a frame of kind {kind} is not expected here")
        return self.service.serve(job, frame[2], frame[3])

    def _abandon(self, job: Job) -> None:
        """Answer for a job whose thread does not come back, and let a new thread lead."""
        with self.watch.lock:
            if job.ended:
                return
            job.abandoned = True
        if self.service is not None:
            self.service.abandoned(job)
        if job.on_abandon is not None:
            job.on_abandon()
        else:
            error = self._stopped(job)
            self.link.send(job, [protocol.ERROR, job.id, protocol.encode_error(error)], last=True)
        self.start_leader()


def _limit_memory(limit: int) -> None:
    """Bound the memory this process can write to. Reservations that cannot be written are not counted."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _limit_process() -> None:
    for name, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _FILES)):
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(name)[1]
            bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(name, (bound, bound))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def main() -> None:
    """Serve the kernel at the other end of the descriptors in `argv` until it closes them or dies.

    The third argument is the wall, which is raised before the first thread starts.
    """
    data, control = (socket.socket(fileno=int(text)) for text in sys.argv[1:3])
    _limit_process()
    threading.stack_size(STACK_BYTES)
    gc.disable()
    importlib.import_module("labkernel._host.serving")  # the engine's library lies outside the wall,
    _ = EngineSettings().key  # and so does its version
    host = Host(data, control)
    host.walls = raise_wall(Wall.from_text(sys.argv[3]), [os.path.dirname(os.path.dirname(__file__))])
    host.start_leader()
    try:
        host.watch.run()
    finally:
        os._exit(0)
