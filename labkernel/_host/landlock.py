"""Landlock: Linux refuses this thread, and all it starts, every file that was not allowed. No privileges needed.

It owns the three system calls and the access rights; whom to confine and to what is said by others. Elsewhere than
on Linux 5.13 or later, `version` is 0. See https://docs.kernel.org/userspace-api/landlock.html.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
from collections.abc import Iterable
from typing import Final

__all__ = ["libc", "prctl", "restrict_thread", "version"]

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_PR_SET_NO_NEW_PRIVS: Final = 38

_EXECUTE: Final = 1 << 0
_FILE_READ: Final = 1 << 2
_FILE_WRITE: Final = 1 << 1 | 1 << 14
_FOLDER_READ: Final = 1 << 3
#: Remove, make, move between folders; not the making of devices (bits 6 and 11).
_FOLDER_WRITE: Final = sum(1 << bit for bit in (4, 5, 7, 8, 9, 10, 12, 13))
#: How many access rights each version of the interface knows, by version.
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_LATEST_RIGHTS: Final = 16


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@functools.cache
def version() -> int:
    """Return the version of the kernel's interface, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _syscall(_CREATE_RULESET, None, 0, 1))


def restrict_thread(
    readable: Iterable[str], writable: Iterable[str], *, execute: bool = False, network: bool = False
) -> None:
    """Confine the calling thread, for good, to these files and folders with all below them.

    Paths that are not there are left out. Without `network`, TCP is refused too (from version 4 on); with
    `execute`, what can be read can be run. Other threads are not concerned. Raises `OSError` where the kernel
    refuses.
    """
    found = version()
    handled = (1 << _RIGHTS.get(found, _LATEST_RIGHTS)) - 1
    rules = _Ruleset(handled, 3 if found >= 4 and not network else 0, 3 if found >= 6 else 0)
    size = 24 if found >= 6 else 16 if found >= 4 else 8
    ruleset = _checked(_syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0))
    read = _FILE_READ | (_EXECUTE if execute else 0)
    try:
        for path in readable:
            _allow(ruleset, path, handled & read, handled & _FOLDER_READ)
        for path in writable:
            _allow(ruleset, path, handled & (read | _FILE_WRITE), handled & (_FOLDER_READ | _FOLDER_WRITE))
        _checked(prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, of_files: int, of_folders: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PathBeneath(of_files | (of_folders if os.path.isdir(path) else 0), parent)
            _checked(_syscall(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0))
        finally:
            os.close(parent)


@functools.cache
def libc() -> ctypes.CDLL:
    """Return the C library, with `errno` kept."""
    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    call = libc().syscall
    call.restype = ctypes.c_long
    return int(
        call(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    )


def prctl(*arguments: int) -> int:
    """Call `prctl` and return what it returns: below 0 for a failure."""
    return int(libc().prctl(*(ctypes.c_ulong(a) for a in arguments)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
