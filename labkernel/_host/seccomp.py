"""seccomp: Linux refuses this thread, and all it starts, system calls that its job never needs.

It owns the filter program and the numbers of system calls on x86-64 and aarch64; on other machines `is_available`
is false. A refused call fails with "operation not permitted", so that a library that tries one goes on.
See https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct
import sys
from collections.abc import Iterable
from typing import Final

from labkernel._host.landlock import libc, prctl

__all__ = ["forbid", "is_available"]

#: Names, each with its number on x86-64 and on aarch64 (-1: not there).
_ESCAPES: Final = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429),
    "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    # parts of the kernel that are often its weak spots
    "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "lookup_dcookie": (212, 18), "uselib": (134, -1), "modify_ldt": (154, -1),
    # the machine
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, -1), "ioperm": (173, -1), "syslog": (103, 116), "vhangup": (153, 58),
    # files by handle pass by every check of paths
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
}  # fmt: skip
#: What a process that runs guests does not need either: programs, other processes' ids, devices, other users.
_PROGRAMS: Final = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1), "personality": (135, 92),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "mknod": (133, -1), "mknodat": (259, 33), "setuid": (105, 146),
    "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143), "setresuid": (117, 147),
    "setresgid": (119, 149), "setgroups": (116, 159),
}  # fmt: skip
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_KILL: Final = ((62, 129), (234, 131))
_PRLIMIT: Final = (302, 261)
_SETRLIMIT: Final = (160, 164)
#: RLIMIT_MSGQUEUE, by which a tool's descendants are known.
_MARK: Final = 12
_SOCKET: Final = (41, 198)
_IOCTL: Final = (16, 29)
_X32: Final = 0x40000000
_THREAD: Final = 0x10000
_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
#: Terminal requests that type into the terminal: TIOCSTI, TIOCLINUX.
_TYPING: Final = (0x5412, 0x541C)

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = (_RETURN, 0, 0, 0x7FFF0000)
_REFUSE: Final = (_RETURN, 0, 0, 0x00050000 | 1)
_UNKNOWN: Final = (_RETURN, 0, 0, 0x00050000 | 38)
"""Refused as a kernel would that does not have the call: the C library then makes threads in the older way."""
_SET_MODE_FILTER: Final = 1
_SPECULATION_ALLOWED: Final = 4
_SYSCALL: Final = (317, 277)
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22

_Line = tuple[int, int, int, int]


@functools.cache
def is_available() -> bool:
    """Whether this machine can filter system calls, and this module knows their numbers there."""
    if (
        sys.platform != "linux"
        or platform.machine() not in _ARCHITECTURES
        or ctypes.sizeof(ctypes.c_void_p) != 8
    ):
        return False
    return prctl(_PR_SET_SECCOMP, 2, 0, 0, 0) < 0 and ctypes.get_errno() == 14


def forbid(*, families: Iterable[int], programs: bool) -> None:
    """Filter the calling thread's system calls, for good. Raises `OSError` where the kernel refuses.

    Sockets are left for these address families; with `programs`, it may start processes and signal them.
    """
    lines = _program(tuple(families), programs=programs)
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    kept = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(kept))
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
    number = _SYSCALL[_ARCHITECTURES[platform.machine()][0]]
    for flags in (_SPECULATION_ALLOWED, 0):
        if libc().syscall(ctypes.c_long(number), _SET_MODE_FILTER, flags, filter_) == 0:
            return
    raise OSError(ctypes.get_errno(), "the filter of system calls is refused")


def _program(families: tuple[int, ...], *, programs: bool) -> list[_Line]:
    column, architecture = _ARCHITECTURES[platform.machine()]
    lines: list[_Line] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), _REFUSE, (_LOAD, 0, 0, 0)]
    if column == 0:
        lines += [(_AT_LEAST, 0, 1, _X32), _REFUSE]
    names = _ESCAPES if programs else _ESCAPES | _PROGRAMS
    for numbers in names.values():
        if numbers[column] >= 0:
            lines += _when(numbers[column], [_REFUSE])
    lines += _when(_SOCKET[column], [_argument(0), *_one_of(families), _REFUSE])
    lines += _when(_IOCTL[column], [_argument(1), *_one_of(_TYPING, _REFUSE), _ALLOW])
    if programs:
        lines += _when(_PRLIMIT[column], [_argument(1), *_one_of((_MARK,), _REFUSE), _ALLOW])
        lines += _when(_SETRLIMIT[column], [_argument(0), *_one_of((_MARK,), _REFUSE), _ALLOW])
    else:
        own = os.getpid()
        lines += _when(_CLONE3[column], [_UNKNOWN])
        lines += _when(_CLONE[column], [_argument(0), (_ANY_BIT, 0, 1, _THREAD), _ALLOW, _REFUSE])
        lines += _when(_PRLIMIT[column], [_argument(0), *_one_of((0, own)), _REFUSE])
        for number in _KILL:
            lines += _when(number[column], [_argument(0), *_one_of((own,)), _REFUSE])
    return [*lines, _ALLOW]


def _when(number: int, body: list[_Line]) -> list[_Line]:
    """Return the lines that run `body`, which ends in a verdict, for one system call."""
    return [(_EQUAL, 0, len(body), number), *body]


def _argument(index: int) -> _Line:
    """Return the line that loads the lower half of a system call's argument; both machines are little-endian."""
    return _LOAD, 0, 0, 16 + 8 * index


def _one_of(values: Iterable[int], verdict: _Line = _ALLOW) -> list[_Line]:
    return [line for value in values for line in ((_EQUAL, 0, 1, value), verdict)]
