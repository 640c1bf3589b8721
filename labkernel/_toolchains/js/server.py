"""The node process that stays: it parses cells and makes components, one request at a time.

Starting node and loading the packages takes 0.1 s, and the second request of a kind is several times faster
than the first. Whatever goes wrong, the process group is killed and the next request starts another. The
process ends by itself when its standard input does, or when nobody asked for some minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from labkernel._errors import CompileError
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.js.tools import Kit, Node
from labkernel._toolchains.kept import keep
from labkernel._toolchains.process import Limits, clean_environment, kill_group, limit, open_process

__all__ = ["Server", "close_servers", "server_for"]

_CODE: Final = Path(__file__).parent / "node"
_STOPPED: Final = "It was stopped: it ran out of memory or crashed."
_CHUNK: Final = 1 << 16


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)


class Server:
    """A node process over one kit. It reads `tools` and `work` and writes below `work` only.

    Call `request` from any thread.
    """

    def __init__(self, node: Node, kit: Kit, work: Path, tools: Path) -> None:
        self._node, self._kit, self._work, self._tools = node, kit, work, tools
        self._running: _Running | None = None
        self._lock = threading.Lock()
        self._number = 0

    @property
    def command(self) -> list[str]:
        """What is started."""
        return [str(self._node.path), str(_CODE / "server.cjs"), str(self._kit.folder)]

    @property
    def folder(self) -> Path:
        """The folder of the npm packages."""
        return self._kit.folder

    @property
    def identity(self) -> str:
        """What changes with node and the packages."""
        return f"{self._node.identity}; {self._kit.folder.name}"

    def request(self, operation: str, *, timeout_s: float, **facts: Any) -> Any:
        """Return the answer to a request.

        Raises `CompileError` when it takes too long or fails; its `raw` is what the process printed.
        """
        with self._lock:
            try:
                return self._ask(operation, timeout_s, facts)
            except BaseException:
                self._end()
                raise

    def _ask(self, operation: str, timeout_s: float, facts: dict[str, Any]) -> Any:
        self._number += 1
        line = json.dumps({"id": self._number, "operation": operation, **facts}).encode() + b"\n"
        deadline = time.monotonic() + timeout_s
        running = self._running
        if running is None or not self._send(running, line, deadline):
            self._end()
            running = self._start()
            self._send(running, line, deadline)
        said = json.loads(self._answer(running, deadline, timeout_s))
        if "error" in said:
            error = said["error"]
            raise CompileError(f"{operation}: {error['message']}", language="js", raw=error["stack"])
        return said["ok"]

    def _start(self) -> _Running:
        self._work.mkdir(parents=True, exist_ok=True)
        wall = Confinement((self._node.path.parent, _CODE, self._kit.folder, self._tools), (self._work,))
        own = {"HOME": str(self._work), "TMPDIR": str(self._work), "OPENSSL_CONF": os.devnull}
        env = clean_environment(own)
        process = open_process(self.command, self._work, env, wall, stdin=subprocess.PIPE)
        self._running = running = _Running(process)
        limit(process.pid, Limits())
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        return running

    def _send(self, running: _Running, line: bytes, deadline: float) -> bool:
        """Write a request; return false where the process is gone."""
        process = running.process
        assert process.stdin is not None
        if process.poll() is not None:
            return False
        data = memoryview(line)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdin, selectors.EVENT_WRITE)
            while data and time.monotonic() < deadline:
                selector.select(0.2)
                try:
                    data = data[os.write(process.stdin.fileno(), data[:_CHUNK]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    return False
        return True

    def _answer(self, running: _Running, deadline: float, timeout_s: float) -> bytes:
        process = running.process
        assert process.stdout is not None
        assert process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, running.out)
            selector.register(process.stderr, selectors.EVENT_READ, running.err)
            while b"\n" not in running.out:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise CompileError(
                        f"node was stopped after {timeout_s:g} s, the build's time limit. "
                        "A longer one: --timeout 300s.",
                        language="js",
                        raw=running.err.decode(errors="replace"),
                    )
                for key, _ in selector.select(left):
                    if not _read(key.fd, key.data) and key.data is running.out:
                        raise CompileError(_STOPPED, language="js", raw=running.err.decode(errors="replace"))
        line, _, rest = bytes(running.out).partition(b"\n")
        running.out = bytearray(rest)
        return line

    def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            kill_group(running.process)
            for stream in (running.process.stdin, running.process.stdout, running.process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()

    def close(self) -> None:
        """End the process; the next request starts another."""
        with self._lock:
            self._end()


def _read(descriptor: int, kept: bytearray) -> bool:
    """Read what is there; return false at the end of the stream."""
    try:
        data = os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return True
    kept += data
    del kept[: -(64 << 20)]
    return bool(data)


_servers: dict[tuple[str, str, str], Server] = {}


def server_for(node: Node, kit: Kit, work: Path, tools: Path) -> Server:
    """Return this process's server for a node and a kit; it starts with the first request."""
    key = (node.identity, str(kit.folder), str(work))
    return _servers.setdefault(key, Server(node, kit, work, tools))


def close_servers() -> None:
    """End every server; the next build starts another."""
    for server in list(_servers.values()):
        server.close()


keep(close_servers)
