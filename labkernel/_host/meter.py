"""What guests write to disk, counted by the system: each file bounded by it, all writes by the watchdog's look.

The system counts this process's writes, to sockets too; what guests printed is taken off. It knows no engine.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from labkernel._host.memory import written_bytes

if TYPE_CHECKING:
    from labkernel._host.engine import Instance
    from labkernel._host.output import Run

try:
    import resource
except ImportError:  # not on Windows, where nothing bounds a file
    resource = None  # type: ignore[assignment]

__all__ = ["EVERY_S", "DiskMeter"]

EVERY_S: Final = 0.02
"""How often the watchdog looks while a guest with a writable directory runs."""
_ON_THE_WAY: Final = 8 << 20
"""How much of what guests print may be between their write and its being counted as output."""


_OWN: Final = 4096
"""What the host process itself may write meanwhile, to wake its threads."""
_WAKE: Final = 8
"""What the engine writes to wake its own thread, which it does for what guests print."""


class DiskMeter:
    """The writes of one job, instance by instance; `close` takes the bound of each file away again."""

    def __init__(self, limit: int, run: Run) -> None:
        self.limit = limit
        self._run = run
        self._instance: Instance | None = None
        self._base = 0
        _bound_files(limit)

    def begin(self, instance: Instance) -> None:
        """Count from now on for this instance; go on counting if it is the same one."""
        if instance is self._instance:
            return
        self.end()
        self._instance = instance
        self._base = written_bytes() - self._printed()

    def used(self) -> int:
        """Return what the instance has written in its life, in bytes."""
        if self._instance is None:
            return 0
        return self._instance.disk_used + max(0, written_bytes() - self._printed() - self._base)

    def _printed(self) -> int:
        return self._run.seen + _WAKE * self._run.pieces

    def is_over(self) -> bool:
        """Whether the guest, which runs, is certainly over its budget."""
        return self.used() > self.limit + (_ON_THE_WAY if self._run.seen else _OWN)

    def end(self) -> bool:
        """Note what the instance has written, all it printed having been counted; return whether it is too much."""
        used = self.used()
        if self._instance is not None:
            self._instance.disk_used = used
        self._instance = None
        return used > self.limit + _OWN

    def close(self) -> None:
        """Let the process write larger files again: it is not only guests that write."""
        _bound_files(None)


def _bound_files(limit: int | None) -> None:
    """Bound the size of each file written from now on; a write beyond it fails with "file too large"."""
    if resource is not None:
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            soft = hard if limit is None else limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
