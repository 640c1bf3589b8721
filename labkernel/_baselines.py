"""The same job without Wasm: a native process started for one event, timed from start to exit.

Where the target's toolchain can compile the very snippet natively, the process runs the same handler on
the same event, and its answer is checked. Otherwise it is a floor: a native program that only starts and
exits. The baseline says which it is, since a floor flatters the process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import LabError, ToolchainMissing, UsageError, did_you_mean
from labkernel._timing import Baseline, Samples

__all__ = ["BASELINES", "Native", "floor", "process"]

#: Baselines that `%timings --baseline` knows.
BASELINES: Final = ("process",)
#: What is planned.
_LATER: Final = ("container", "node")
_FLOOR_SOURCE: Final = "int main(void) { return 0; }\n"
_SPAWN_LIMIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Native:
    """A native program that answers one event: its file, what it is in words, what it must print."""

    program: Path
    what: str
    expected: str | None = None


def check_name(name: str) -> str:
    """Return a baseline's name if it is known; raises `UsageError` otherwise."""
    if name in _LATER:
        raise UsageError(f"Baseline {name!r} is planned and not there yet; known: {', '.join(BASELINES)}.")
    if name not in BASELINES:
        raise UsageError(
            f"Baseline {name!r} is not known; known: {', '.join(BASELINES)}.{did_you_mean(name, BASELINES)}"
        )
    return name


def floor(cache: Cache, progress: Callable[[str], None], *, zig: Path | None = None, why: str = "") -> Native:
    """Return a native program that starts and exits and does nothing else, compiled once.

    `zig` is a C compiler to fall back on; `why` says what keeps the snippet itself from being the program.
    Raises `ToolchainMissing` when there is no C or Rust compiler.
    """
    for compiler, arguments, suffix, source in _compilers(zig):
        key = key_of("floor", compiler, arguments, source)
        with cache.folder("baseline", key) as (folder, is_new):
            if is_new:
                progress(f"compiling an empty native program with {Path(compiler).name}")
                (folder / f"floor{suffix}").write_text(source, encoding="utf-8")
                command = [compiler, *arguments, f"floor{suffix}", "-o", "floor"]
                done = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
                )
                if done.returncode:
                    raise LabError(f"{' '.join(command)} failed with {done.returncode}: {done.stderr[-500:]}")
        what = f"an empty native program, start to exit: a floor{f' ({why})' if why else ''}"
        return Native(cache.path("baseline", key) / "floor", what)
    raise ToolchainMissing(
        "a native compiler", language="the process baseline", how="rustup, or pip install 'labkernel[c]'"
    )


def _compilers(zig: Path | None) -> list[tuple[str, list[str], str, str]]:
    found = []
    for name, arguments, suffix, source in (
        ("cc", ["-O2", "-s"], ".c", _FLOOR_SOURCE),
        ("rustc", ["-O", "-Cstrip=symbols"], ".rs", "fn main() {}\n"),
    ):
        path = shutil.which(name)
        if path:
            found.append((path, arguments, suffix, source))
    if zig:
        found.append((str(zig), ["cc", "-O2", "-s"], ".c", _FLOOR_SOURCE))
    return found


def process(native: Native, *, n: int, warmup: int = 2) -> Baseline:
    """Start the program `n` times and return the times from start to exit.

    Raises `LabError` when it fails or answers otherwise than the component does.
    """
    _check(native)
    times = array("Q", (_one(native.program) for _ in range(n + warmup)))
    return Baseline("process", Samples(times, warmup), native.what)


def _check(native: Native) -> None:
    done = subprocess.run(
        [native.program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SPAWN_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise LabError(f"The native baseline exited with {done.returncode}: {done.stderr[-300:]}")
    answer = done.stdout.strip().rpartition("\n")[2]
    if native.expected is not None and answer != native.expected:
        raise LabError(f"The native baseline answered {answer!r}, the component {native.expected!r}.")


def _one(program: Path) -> int:
    """Return the nanoseconds from starting the program to its exit."""
    quiet = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    path = str(program)
    begun = time.perf_counter_ns()
    pid = os.posix_spawn(path, [path], {}, file_actions=quiet)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter_ns() - begun
    if status:
        raise LabError(f"The native baseline ended with status {os.waitstatus_to_exitcode(status)}.")
    return took
