"""A mark on a tool that all its descendants carry, so that they are found wherever they went.

A process can leave its group and its session, and change its name and its environment. It cannot raise a limit that
was lowered, and behind a wall it cannot lower this one either: so a number in a limit that no compiler uses (the size
of POSIX message queues) tells whose descendant it is. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from typing import Final

if sys.platform != "win32":
    import resource

__all__ = ["end_marked", "mark"]

_RLIMIT_MSGQUEUE: Final = 12
_LOWEST: Final = 100_000
_LINE: Final = b"Max msgqueue size"
_ROUNDS: Final = 50
_marks: Final[dict[int, int]] = {}


def mark(pid: int) -> None:
    """Mark a process that was just started, and all it will start."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, ValueError):
        hard = resource.prlimit(pid, _RLIMIT_MSGQUEUE)[1]
        most = 800_000 if hard == resource.RLIM_INFINITY else min(hard, 800_000)
        number = _LOWEST + secrets.randbelow(max(1, most - _LOWEST))
        resource.prlimit(pid, _RLIMIT_MSGQUEUE, (number, number))
        _marks[pid] = number


def end_marked(pid: int) -> None:
    """Kill all that carry the mark of this process, until none is left.

    The process itself is its parent's to end: until that has taken its status, it is there and carries the mark.
    """
    number, itself = _marks.pop(pid, 0), str(pid)
    for _ in range(_ROUNDS if number else 0):
        others = (each for each in os.listdir("/proc") if each.isdigit() and each != itself)
        found = [each for each in others if _carries(each, number)]
        for each in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(each), signal.SIGKILL)
        if not found:
            return


def _carries(pid: str, number: int) -> bool:
    try:
        with open(f"/proc/{pid}/limits", "rb") as limits:
            line = next((each for each in limits if each.startswith(_LINE)), b"")
    except OSError:
        return False
    words = line.split()
    return len(words) > 4 and words[3:5] == [b"%d" % number] * 2
