"""Running a tool so that it ends: in time, within memory, with bounded output, and with nothing left behind.

Every tool runs in a session of its own, with a clean environment. Whatever happens (it ends, it runs out of
time, the user interrupts), the whole process group is killed before `run` returns, and whoever left the group.
This module knows no language and no notebook.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from labkernel._errors import CompileError, ToolchainMissing
from labkernel._toolchains.confine import Confinement, is_available, restrict_thread
from labkernel._toolchains.marks import end_marked, mark

if sys.platform != "win32":
    import resource

__all__ = [
    "Finished", "Limits", "clean_environment", "find_tool", "kill_group", "limit", "open_process", "run", "shell_line",
]  # fmt: skip

_KEPT: Final = (
    "PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR", "LANG", "LC_ALL",
)  # fmt: skip
#: What a tool that may fetch something needs beside.
_KEPT_ONLINE: Final = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CARGO_HTTP_CAINFO", "CARGO_HTTP_PROXY", "CARGO_NET_OFFLINE",
    "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "PIP_CERT", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST",
)  # fmt: skip
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tool may use: wall time, memory of each process, output kept of each stream, size of a file."""

    timeout_s: float = 120.0
    memory_bytes: int = 4 << 30
    output_bytes: int = 4 << 20
    file_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class Finished:
    """How a tool ended. `code` is negative for a signal; `ns` is wall time; `cut` says output was dropped."""

    code: int
    out: bytes
    err: bytes
    ns: int
    command: str
    cut: bool = False

    @property
    def text(self) -> str:
        """Both streams as text."""
        return (self.out + self.err).decode(errors="replace")


def clean_environment(extra: Mapping[str, str] | None = None, *, online: bool = False) -> dict[str, str]:
    """Return the environment a tool gets: a few names of ours, `extra`, nothing else."""
    names = _KEPT + _KEPT_ONLINE if online else _KEPT
    return {name: os.environ[name] for name in names if name in os.environ} | dict(extra or {})


def find_tool(tool: str, *, language: str, how: str) -> Path:
    """Return the path of a program on PATH; raise `ToolchainMissing` where there is none."""
    found = shutil.which(tool)
    if found is None:
        raise ToolchainMissing(tool, language=language, how=how)
    return Path(found)


def shell_line(
    command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Return the command as one line for a shell.

    >>> shell_line(["cc", "a b.c"], Path("/tmp/x"), {"K": "v"})
    "cd /tmp/x && K=v cc 'a b.c'"
    """
    lead = f"cd {shlex.quote(str(cwd))} && " if cwd else ""
    settings = "".join(f"{name}={shlex.quote(value)} " for name, value in (env or {}).items())
    return lead + settings + shlex.join(map(str, command))


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    language: str,
    env: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
    confinement: Confinement | None = None,
    online: bool = False,
    on_line: Callable[[str], None] | None = None,
    how: str = "",
) -> Finished:
    """Run a command to its end and return what it said.

    `env` is added to the clean environment. `on_line` gets each line of the error stream as it comes. Raises
    `ToolchainMissing` where there is no such program, and `CompileError` when it runs out of time.
    """
    line = shell_line(command, cwd, env)
    started = time.perf_counter_ns()
    try:
        process = open_process(command, cwd, clean_environment(env, online=online), confinement)
    except FileNotFoundError as error:
        if not cwd.is_dir():
            raise
        raise ToolchainMissing(Path(command[0]).name, language=language, how=how) from error
    reader = _Reader(process, limits.output_bytes, on_line)
    try:
        limit(process.pid, limits)
        in_time = reader.wait(limits.timeout_s)
    finally:
        kill_group(process)
        reader.close()
    if not in_time:
        raise CompileError(
            f"{Path(command[0]).name} was stopped after {limits.timeout_s:g} s, the build's time limit. "
            "A longer one: --timeout 300s.",
            language=language,
            raw=reader.err.decode(errors="replace"),
        )
    ns = time.perf_counter_ns() - started
    return Finished(process.returncode, bytes(reader.out), bytes(reader.err), ns, line, reader.cut)


def open_process(
    command: Sequence[str | Path],
    cwd: Path,
    env: Mapping[str, str],
    confinement: Confinement | None,
    *,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a tool in a session of its own, with exactly this environment; whoever asked ends it."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env=dict(env), stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    if confinement is None or not is_available():
        return start()
    return _start_confined(start, confinement)


def _start_confined(
    start: Callable[[], subprocess.Popen[bytes]], wall: Confinement
) -> subprocess.Popen[bytes]:
    """Start within a thread that confines itself first: a child inherits it, this process does not."""
    started: list[subprocess.Popen[bytes]] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            restrict_thread(wall)
            started.append(start())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=work, name="labkernel-confined-start")
    thread.start()
    try:
        thread.join()
    except BaseException:
        thread.join()
        for process in started:
            kill_group(process)
        raise
    if failed:
        raise failed[0]
    return started[0]


def limit(pid: int, limits: Limits) -> None:
    """Set limits from outside, so that no Python code runs between fork and exec. Linux only."""
    if sys.platform != "linux":
        return
    mark(pid)
    with contextlib.suppress(ProcessLookupError):
        for what, most in (
            (resource.RLIMIT_DATA, limits.memory_bytes),
            (resource.RLIMIT_FSIZE, limits.file_bytes),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.prlimit(pid, what)[1]
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, what, (value, value))


class _Reader:
    """Collects what a process prints until it ends; a grandchild with an open pipe does not hold it up."""

    def __init__(
        self, process: subprocess.Popen[bytes], most: int, on_line: Callable[[str], None] | None
    ) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.out, self.err, self.cut = bytearray(), bytearray(), False
        self._process, self._most, self._on_line = process, most, on_line
        self._streams: list[tuple[IO[bytes], bytearray]] = [
            (process.stdout, self.out),
            (process.stderr, self.err),
        ]
        self._told = 0
        self._selector = selectors.DefaultSelector()
        for stream, kept in self._streams:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, kept)
        self._pidfd = -1
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(process.pid)
                self._selector.register(self._pidfd, selectors.EVENT_READ, None)

    def wait(self, timeout_s: float) -> bool:
        """Read until the process has ended, and return whether it did so in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(min(left, 0.25 if self._pidfd >= 0 else 0.02)):
                if key.data is not None and not self._read(key.fd, key.data):
                    self._selector.unregister(key.fileobj)
            if self._has_ended():
                for stream, kept in self._streams:
                    self._read(stream.fileno(), kept)
                return True

    def _has_ended(self) -> bool:
        if sys.platform == "win32":
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _read(self, descriptor: int, kept: bytearray) -> bool:
        """Read what is there; return false at the end of the stream."""
        while True:
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            room = max(0, self._most - len(kept))
            self.cut = self.cut or len(data) > room
            kept += data[:room]
            if kept is self.err and self._on_line is not None:
                self._tell()

    def _tell(self) -> None:
        assert self._on_line is not None
        end = self.err.rfind(b"\n") + 1
        for line in self.err[self._told : end].decode(errors="replace").splitlines():
            self._on_line(line)
        self._told = max(self._told, end)

    def close(self) -> None:
        self._selector.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        for stream, _ in self._streams:
            stream.close()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group while its leader, dead or alive, still holds the number, and whoever left it; then
    collect the leader.
    """
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        end_marked(process.pid)
    process.wait()
    if sys.platform != "win32":
        _await_group(process.pid)


def _await_group(number: int) -> None:
    """Wait until the last of a killed group is gone, for half a second at most."""
    deadline = time.monotonic() + 0.5
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(number, 0)
            time.sleep(0.002)
