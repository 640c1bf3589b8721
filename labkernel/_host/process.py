"""One host process seen from the kernel: spawn, frames with deadlines, stop, kill. It knows no operations."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from labkernel._host import protocol
from labkernel._host.idle import ENVIRONMENT
from labkernel._host.protocol import FrameBuffer
from labkernel._host.shield import HostFunctionLate, Shield
from labkernel._host.wall import OPEN, Wall
from labkernel._host.watch import GRACE_S, STOP

__all__ = ["Exchange", "OnHost", "Process", "ProcessDied"]

_BOOT: Final = """
import sys, types
folders = sys.argv.pop(1).split(chr(10))
sys.path[:0] = folders[1:]
for name, folder in (("labkernel", folders[0]), ("labkernel._host", folders[0] + "/_host")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from labkernel._host.worker import main
main()
"""
"""What the host process runs: it finds this package without its facades, and imports only what it needs."""
STOP_S: Final = GRACE_S + 0.4
"""How long a process has to answer for a request it was told to stop, before it is killed; once more for one that
still sends what its guest printed."""
_LONGEST_S: Final = 100_000.0
_CHUNK: Final = 1 << 18


class ProcessDied(Exception):
    """The process ended, or was ended because it did not answer. `why` says it in words."""

    def __init__(self, why: str, *, killed: bool) -> None:
        super().__init__(why)
        self.why = why
        self.killed = killed


OnHost: TypeAlias = Callable[[str, list[Any]], tuple[bool, Any]]
"""Answers a guest's call of a function of the notebook: its full name and the arguments in normal form give
`(True, result)` or `(False, [what was raised, traceback])`. An interrupt is raised through it."""


class Exchange:
    """One request under way."""

    def __init__(self, ident: int, frame: bytes, patience_s: float) -> None:
        self.id = ident
        self.to_send = memoryview(frame)
        self.patience_s = patience_s
        self.give_up = self.killed_at = time.monotonic() + patience_s
        self.stopping = False
        self.callback_error: BaseException | None = None


class Process:
    """A host process behind a wall. Its standard error goes to a file that only this object can read.

    Its working folder is one of its own in which nothing can be made: it is removed as soon as the process has it.
    """

    def __init__(self, wall: Wall = OPEN) -> None:
        ours, theirs = socket.socketpair()
        our_control, their_control = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        folder = tempfile.mkdtemp(prefix="labkernel-")
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, _search_path(), *map(str, (theirs.fileno(),
                their_control.fileno())), wall.to_text()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._errors, env=_environment(), cwd=folder, close_fds=True, start_new_session=True,
                pass_fds=(theirs.fileno(), their_control.fileno()),
            )  # fmt: skip
        finally:
            os.rmdir(folder)
            theirs.close()
            their_control.close()
        self.pid = self._popen.pid
        self._data, self._control = ours, our_control
        self._data.setblocking(False)
        self._frames = FrameBuffer()
        self._last = 0

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._popen.poll() is None

    def start(self, kind: int, *parts: Any, patience_s: float) -> Exchange:
        """Return a new request, not sent yet."""
        ident = 0 if kind == protocol.HELLO else self._last + 1
        self._last = max(self._last, ident)
        return Exchange(ident, protocol.pack([kind, ident, *parts]), patience_s)

    def send_now(self, exchange: Exchange) -> None:
        """Send a small request without waiting for its answer."""
        with contextlib.suppress(BlockingIOError, OSError):
            sent = self._data.send(exchange.to_send)
            exchange.to_send = exchange.to_send[sent:]

    def finish(
        self,
        exchange: Exchange,
        shield: Shield,
        on_frame: Callable[[list[Any]], None],
        *,
        on_host: OnHost | None = None,
        kill_to_stop: bool = False,
    ) -> Any:
        """Exchange frames until the request is answered, and return its value.

        Frames in between go to `on_frame`, a guest's calls into the notebook to `on_host`; progress and chunks
        renew the request's patience. Raises the host's `LabError`, and `ProcessDied` once the process is gone,
        also when it had to be killed.
        """
        self._write(exchange)
        while True:
            frame = self._frames.next()
            if frame is None:
                self._wait(exchange, shield, kill_to_stop=kill_to_stop)
                continue
            if frame[1] != exchange.id:
                continue
            if frame[0] == protocol.REPLY:
                return frame[2]
            if frame[0] == protocol.ERROR:
                raise _error(frame[2])
            if frame[0] == protocol.HOST_CALL:
                self._answer(exchange, shield, frame, on_host)
                continue
            if frame[0] in (protocol.PROGRESS, protocol.CHUNK) and not exchange.stopping:
                exchange.give_up = time.monotonic() + exchange.patience_s
            try:
                on_frame(frame)
            except protocol.ProtocolError:
                raise
            except BaseException as error:  # noqa: BLE001 - raised again once the guest has been stopped
                exchange.callback_error = exchange.callback_error or error
                self._stop(exchange)

    def _answer(self, exchange: Exchange, shield: Shield, frame: list[Any], on_host: OnHost | None) -> None:
        """Let the notebook's function answer a guest, unless the guest is to stop.

        An interrupt, and what is no answer at all, stops the guest and is raised once it has stopped.
        """
        if exchange.stopping or shield.hit:
            return
        if len(frame) != 5:
            raise protocol.ProtocolError(f"unknown frame {str(frame)[:60]!r}")
        began = time.monotonic()
        _, _, name, args, left_s = frame
        try:
            is_ok, value = shield.opened(lambda: (on_host or _nobody)(name, args), left_s)
            answer = _host_answer(exchange.id, name, is_ok, value)
        except HostFunctionLate:
            return
        except BaseException as error:  # noqa: BLE001 - raised again once the guest has been stopped
            exchange.callback_error = exchange.callback_error or error
            self._stop(exchange)
            return
        exchange.give_up += time.monotonic() - began
        exchange.to_send = memoryview(answer)
        self._write(exchange)

    def _wait(self, exchange: Exchange, shield: Shield, *, kill_to_stop: bool) -> None:
        """Wait for bytes either way, an interrupt or the deadline."""
        if shield.hit and not exchange.stopping:
            self._stop(exchange)
            if kill_to_stop:
                raise self._killed("it was interrupted")
        left = exchange.give_up - time.monotonic()
        if left <= 0:
            if not exchange.stopping and not kill_to_stop:
                self._stop(exchange)
                return
            raise self._killed("it did not answer in time")
        for descriptor, happened in self._ready(exchange, shield, left):
            if descriptor != self._data.fileno():
                continue
            if happened & select.POLLOUT:
                self._write(exchange)
            if happened & ~select.POLLOUT:
                self._read(exchange)

    def _ready(self, exchange: Exchange, shield: Shield, left: float) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._data, select.POLLIN | (select.POLLOUT if exchange.to_send else 0))
        if not exchange.stopping:
            poll.register(shield.descriptor, select.POLLIN)
        return poll.poll(int(min(left, _LONGEST_S) * 1000) + 1)

    def _write(self, exchange: Exchange) -> None:
        if not exchange.to_send:
            return
        try:
            sent = self._data.send(exchange.to_send[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:
            raise self._died() from None
        exchange.to_send = exchange.to_send[sent:]

    def _read(self, exchange: Exchange) -> None:
        try:
            data = self._data.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise self._died()
        if exchange.stopping:
            # It is on its way: on a busy machine what a flood has left behind takes a while.
            exchange.give_up = min(time.monotonic() + STOP_S, exchange.killed_at)
        self._frames.feed(data)

    def _stop(self, exchange: Exchange) -> None:
        if not exchange.stopping:
            exchange.stopping = True
            exchange.give_up = time.monotonic() + STOP_S
            exchange.killed_at = exchange.give_up + STOP_S
            with contextlib.suppress(OSError):
                self._control.send(STOP.pack(exchange.id))

    def _killed(self, why: str) -> ProcessDied:
        self.kill()
        return ProcessDied(why, killed=True)

    def _died(self) -> ProcessDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(1.0)
        status, said = self._popen.poll(), self.last_words()
        self.kill()
        if status is not None and status < 0:
            how = f"it was ended by {signal.Signals(-status).name}"
        else:
            how = f"it ended with status {status}"
        return ProcessDied(f"{how}: {said}" if said else how, killed=False)

    def last_words(self) -> str:
        """Return the end of what the process itself printed to its standard error."""
        try:
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - 2000))
            lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        except (OSError, ValueError):
            return ""
        return next(
            (line for line in lines if "panicked" in line or "memory allocation" in line),
            lines[-1] if lines else "",
        )

    def kill(self) -> None:
        """End the process and all of its group, and take its status."""
        if self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(5.0)
        self._close_files()

    def _close_files(self) -> None:
        for file in (self._data, self._control, self._errors):
            file.close()

    def close(self) -> None:
        """Let the process go: it ends when its sockets close, and is killed if it does not."""
        self._data.close()
        self._control.close()
        try:
            self._popen.wait(0.5)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close_files()

    def forget(self) -> None:
        """Close this side's descriptors and leave the process to the one that we were forked from."""
        self._close_files()
        self._popen.returncode = 0


def _nobody(name: str, args: list[Any]) -> tuple[bool, Any]:
    return False, [f"The host function {name} has no implementation in this process.", ""]


def _host_answer(ident: int, name: str, is_ok: bool, value: Any) -> bytes:
    try:
        return protocol.pack([protocol.HOST_ANSWER, ident, is_ok, value])
    except protocol.ProtocolError:
        why = f"The host function {name} returned more than {protocol.MAX_FRAME >> 20} MiB, which no call carries."
        return protocol.pack([protocol.HOST_ANSWER, ident, False, [why, ""]])


def _error(data: Any) -> Exception:
    if isinstance(data, list) and len(data) == 3 and data[0] == "Bug":
        return RuntimeError(f"a bug in the host process:\n{data[1]}")
    return protocol.decode_error(data)


def _search_path() -> str:
    """Return the folders the host process needs: this package's and those of the packages it uses."""
    folders = [str(Path(__file__).resolve().parents[1])]
    for name in ("wasmtime", "msgpack", "blake3"):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            folders.append(str(Path(spec.origin).resolve().parents[1]))
    return "\n".join(dict.fromkeys(folders))


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "RUST_BACKTRACE": "0", **ENVIRONMENT, **kept}
