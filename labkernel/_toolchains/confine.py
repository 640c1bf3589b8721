"""The wall around a compiler: it reads its own files and the build's folder, writes the build's folder, no
more.

A snippet can ask its compiler to read files (`include_str!`, `#embed`) and to show them in an error or bake
them into the component. On Linux from 5.13 on, Landlock refuses that in the kernel, without privileges, and
seccomp refuses all sockets but local ones and everything that only an attack needs. Elsewhere `is_available` is
false and only the scans of the languages stand in the way. This module knows no language.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._host import landlock, seccomp

__all__ = ["Confinement", "is_available", "restrict_thread", "walls"]

#: What programs need of the system: loader, libraries, devices, their own description.
_SYSTEM_READABLE: Final = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/opt", "/nix/store", "/sys/devices/system",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/filesystems", "/proc/version",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.preload", "/etc/localtime",
    "/dev/urandom", "/dev/random",
)  # fmt: skip
_SYSTEM_WRITABLE: Final = ("/dev/null", "/dev/zero", "/dev/full")
_AF_UNIX: Final = 1


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a program may touch beside the system's own libraries: files or folders, with all below them."""

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()


def is_available() -> bool:
    """Whether this machine can confine a compiler."""
    return landlock.version() > 0 and not os.environ.get("LABKERNEL_NO_CONFINEMENT")


def walls() -> tuple[str, ...]:
    """Return what stands around a confined compiler on this machine, in words."""
    files = (f"Landlock {landlock.version()}",) if is_available() else ()
    calls = ("seccomp",) if is_available() and seccomp.is_available() else ()
    return (*files, *calls, "resource limits")


def restrict_thread(confinement: Confinement) -> None:
    """Confine the calling thread, for good, and what it starts. Other threads are not concerned.

    Raises `OSError` where the kernel refuses.
    """
    landlock.restrict_thread(
        [*_SYSTEM_READABLE, *map(str, confinement.readable)],
        [*_SYSTEM_WRITABLE, *map(str, confinement.writable)],
        execute=True,
    )
    with contextlib.suppress(OSError):
        if seccomp.is_available():
            seccomp.forbid(families=(_AF_UNIX,), programs=True)
