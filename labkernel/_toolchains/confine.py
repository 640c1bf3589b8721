"""The wall around a compiler: it reads its own files and the build's folder, writes the build's folder, no
more.

A snippet can ask its compiler to read files (`include_str!`, `#embed`) and to show them in an error or bake
them into the component. On Linux from 5.13 on, Landlock refuses that in the kernel, without privileges.
Elsewhere `is_available` is false and only the scans of the languages stand in the way. This module knows no
language.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Confinement", "is_available", "restrict_thread"]

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_PR_SET_NO_NEW_PRIVS: Final = 38

_FILE_READ: Final = 1 << 0 | 1 << 2
_FILE_WRITE: Final = 1 << 1 | 1 << 14
_FOLDER_READ: Final = 1 << 3
#: Everything else that concerns folders: remove, make (all kinds), refer.
_FOLDER_WRITE: Final = sum(1 << bit for bit in range(4, 14))
#: How many access rights each version of the interface knows, by version.
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

#: What programs need of the system: loader, libraries, devices, their own description.
_SYSTEM_READABLE: Final = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/opt", "/nix/store", "/sys/devices/system",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/proc/filesystems", "/proc/version",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.preload", "/etc/localtime",
    "/dev/urandom", "/dev/random",
)  # fmt: skip
_SYSTEM_WRITABLE: Final = ("/dev/null", "/dev/zero", "/dev/full")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a program may touch beside the system's own libraries: files or folders, with all below them."""

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@functools.cache
def _version() -> int:
    if sys.platform != "linux" or os.environ.get("LABKERNEL_NO_CONFINEMENT"):
        return 0
    return max(0, _syscall(_CREATE_RULESET, None, 0, 1))


def is_available() -> bool:
    """Whether this machine can confine a compiler."""
    return _version() > 0


def restrict_thread(confinement: Confinement) -> None:
    """Confine the calling thread, for good, and what it starts. Other threads are not concerned.

    Raises `OSError` where the kernel refuses.
    """
    version = _version()
    handled = (1 << _RIGHTS.get(version, 16)) - 1
    rules = _Ruleset(handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _checked(_syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0))
    try:
        _allow(ruleset, [*map(Path, _SYSTEM_READABLE), *confinement.readable], handled, writable=False)
        _allow(ruleset, [*map(Path, _SYSTEM_WRITABLE), *confinement.writable], handled, writable=True)
        _checked(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, paths: Iterable[Path], handled: int, *, writable: bool) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                allowed = _FILE_READ | (_FILE_WRITE if writable else 0)
                if path.is_dir():
                    allowed |= _FOLDER_READ | (_FOLDER_WRITE if writable else 0)
                rule = _PathBeneath(allowed & handled, parent)
                _checked(_syscall(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0))
            finally:
                os.close(parent)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    call = _libc().syscall
    call.restype = ctypes.c_long
    return int(
        call(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    )


def _prctl(*arguments: int) -> int:
    return int(_libc().prctl(*(ctypes.c_ulong(a) for a in arguments)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
