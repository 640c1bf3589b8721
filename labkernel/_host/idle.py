"""Waiting until the engine's own threads are asleep: then all that guests wrote, flushed or not, has been written.

What a guest prints without a flush is written by a thread of the engine, a moment after the call is over. The system
tells which threads are not Python's, and whether they run. Linux only; elsewhere such text may come late. It knows no
frames and no engine.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Final

__all__ = ["ENVIRONMENT", "Idle"]

ENVIRONMENT: Final = {"TOKIO_WORKER_THREADS": "1"}
"""One thread is enough for what guests wait for, and one is looked at faster than many."""
_TASKS: Final = "/proc/self/task"
_LONGEST_S: Final = 0.01
_MOST: Final = 8
_FOREVER: Final = ord("D"), ord("S"), ord("Z"), ord("X"), ord("I")


class Idle:
    """The engine's threads of this process. A thread that has been stuck for long is no matter: it sleeps."""

    def __init__(self) -> None:
        self._count = 0
        self._known: dict[str, int] = {}

    def wait(self) -> None:
        """Return once no thread of the engine runs, and after a hundredth of a second at most."""
        try:
            count = os.stat(_TASKS).st_nlink
            if count != self._count:
                self._look(count)
            deadline = 0.0
            while any(map(_runs, self._known.values())):
                now = time.monotonic()
                deadline = deadline or now + _LONGEST_S
                if now > deadline:
                    return
                time.sleep(0)
        except OSError:
            self._count = 0

    def _look(self, count: int) -> None:
        there = set(os.listdir(_TASKS)) - {str(thread.native_id) for thread in threading.enumerate()}
        for gone in set(self._known) - there:
            os.close(self._known.pop(gone))
        for new in there - set(self._known):
            with contextlib.suppress(OSError):
                if len(self._known) < _MOST:
                    self._known[new] = os.open(f"{_TASKS}/{new}/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._count = count


def _runs(stat: int) -> bool:
    """Whether a thread runs or is about to, by its file of the system's."""
    try:
        text = os.pread(stat, 128, 0)
    except ProcessLookupError:
        return False
    at = text.rfind(b") ") + 2
    return text[at] not in _FOREVER
