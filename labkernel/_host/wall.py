"""The second wall: what a host process may touch, so that who escapes from the engine still meets the system's own.

A wall is raised in the process, before its first thread and for good. It has what the machine offers: Landlock for
files, seccomp for system calls, no privileges, no dumps, no debugger. Where a machine offers nothing, the process
runs all the same. This module knows no engine.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._host import landlock, seccomp

__all__ = ["OPEN", "Wall", "raise_wall"]

#: What any program needs of the system: loader and libraries, and what tells how many processors there are.
_SYSTEM: Final = (
    "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache",
    "/sys/devices/system/cpu", "/proc/cpuinfo", "/proc/meminfo", "/proc/self/task", "/dev/urandom",
)  # fmt: skip
#: What looking up names and talking TLS needs.
_NETWORK: Final = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
    "/etc/ssl", "/etc/pki", "/run/systemd/resolve",
)  # fmt: skip
#: AF_INET, AF_INET6, AF_NETLINK (which looking up names asks for the machine's addresses).
_FAMILIES: Final = (2, 10, 16)
_PR_SET_DUMPABLE: Final = 4
_CAPABILITY_VERSION: Final = 0x20080522
#: A lab run by root may grant a folder of somebody else's: CAP_DAC_OVERRIDE and CAP_FOWNER stay, nothing else.
_KEPT_CAPABILITIES: Final = 1 << 1 | 1 << 3


@dataclass(frozen=True, slots=True)
class Wall:
    """What a host process may touch beside its own code: files or folders with all below them, and the network."""

    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    network: bool = False

    def holds(self, path: str, *, writable: bool) -> bool:
        """Whether the wall leaves a folder open already, by its resolved path."""
        real = Path(path).resolve()
        open_ones = self.writable if writable else (*self.readable, *self.writable)
        return any(real.is_relative_to(Path(each).resolve()) for each in open_ones)

    def marks(self) -> list[tuple[int, int]]:
        """Return what tells whether a folder is still the same one: a wall holds folders and not their names."""
        return [_mark(path) for path in (*self.readable, *self.writable)]

    def with_more(self, readable: Iterable[str], writable: Iterable[str], *, network: bool) -> Wall:
        """Return a wall with more gates."""
        return Wall((*self.readable, *readable), (*self.writable, *writable), network=self.network or network)

    def to_text(self) -> str:
        """Return the wall as one line of text."""
        return json.dumps([self.readable, self.writable, self.network])

    @classmethod
    def from_text(cls, text: str) -> Wall:
        """Return the wall that `to_text` gave this text for."""
        readable, writable, network = json.loads(text)
        return cls(tuple(readable), tuple(writable), bool(network))


OPEN: Final = Wall(("/",), ("/",), network=True)
"""Files and network as the user has them; the rest of the wall stands."""


def raise_wall(wall: Wall, own: Iterable[str]) -> list[str]:
    """Confine this process, which must have one thread, and return the names of what stands.

    `own` are the folders of its own code. Nothing here fails: what a machine does not have is left out.
    """
    stands = []
    if sys.platform == "linux":
        if landlock.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
            stands.append("not dumpable")
        if _drop_capabilities():
            stands.append("no privileges")
    with contextlib.suppress(OSError):
        if landlock.version():
            readable = (*_SYSTEM, *_standard_library(), *own, *wall.readable)
            network = _NETWORK if wall.network else ()
            landlock.restrict_thread((*readable, *network), wall.writable, network=wall.network)
            stands.append(f"Landlock {landlock.version()}")
    with contextlib.suppress(OSError):
        if seccomp.is_available():
            seccomp.forbid(families=_FAMILIES if wall.network else (), programs=False)
            stands.append("seccomp")
    return stands


def _mark(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _standard_library() -> list[str]:
    """Return where modules are that Python loads late; asking `sysconfig` would take longer than all else here."""
    return [os.path.dirname(os.__file__), f"{sys.base_exec_prefix}/lib"]


def _drop_capabilities() -> bool:
    """Give up root's privileges, but for those over files; whoever has none has nothing to give up."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = landlock.libc()
    if libc.capget(header, sets) < 0:
        return False
    for index, kept in ((0, _KEPT_CAPABILITIES), (1, _KEPT_CAPABILITIES), (2, 0), (3, 0), (4, 0), (5, 0)):
        sets[index] &= kept
    return bool(libc.capset(header, sets) == 0)
