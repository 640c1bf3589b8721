"""The keyboard interrupt held back while frames are exchanged, and let through to the user's own functions.

It knows signals and nothing of frames.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, TypeVar

__all__ = ["HostFunctionLate", "Shield"]

Answer = TypeVar("Answer")
_LATE_S: Final = 0.05
"""How much longer a function may run than its guest's time: the guest is to be stopped first."""
_AGAIN_S: Final = 0.5
"""How soon it is told again, if it has not ended."""


_up: Final[list[Shield]] = []
"""The shields of the main thread that are up, the innermost last."""


class HostFunctionLate(BaseException):
    """The guest's time is over while a function of the notebook runs for it; the host process says so itself."""


class Shield:
    """Holds the keyboard interrupt back while frames are exchanged; `hit` says that one came, the exit raises it.

    Without it an interrupt could fall between reading bytes and keeping them. Only the main thread gets
    interrupts, and only a handler written in Python is replaced; elsewhere the shield does nothing. While
    `is_open`, interrupts go to the handler of before: that is how a function of the user's is interrupted.
    """

    def __init__(self) -> None:
        self.hit = False
        self.is_open = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._old: Any = None
        weakref.finalize(self, _close_both, self._read, self._write)

    def __enter__(self) -> Shield:
        self._lower_hit()
        if threading.current_thread() is threading.main_thread():
            old = signal.getsignal(signal.SIGINT)
            if callable(old):
                signal.signal(signal.SIGINT, self._note)
                self._old = old
                _up.append(self)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_open:
            self._old(number, frame)
            return
        self.hit = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"\0")

    def __exit__(self, *_: object) -> None:
        if self._old is not None:
            signal.signal(signal.SIGINT, self._old)
            self._old = None
            _up.remove(self)
        if self._lower_hit():
            raise KeyboardInterrupt from None

    def _lower_hit(self) -> bool:
        """Forget an interrupt that came, and return whether one had."""
        if not self.hit:
            return False
        self.hit = False
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        return True

    def opened(self, run: Callable[[], Answer], left_s: float) -> Answer:
        """Run a function of the user's, which interrupts reach, and which is ended when its guest's time is over.

        Opening and closing are single stores: no signal is handled between them and the function. Raises what
        the function raises, and `HostFunctionLate`.
        """
        with self._alarm(left_s):
            try:
                self.is_open = True
                if self.hit:
                    raise KeyboardInterrupt  # it came just before, and is the function's all the same
                return run()
            finally:
                self.is_open = False

    @contextlib.contextmanager
    def _alarm(self, left_s: float) -> Iterator[None]:
        """Let the alarm signal ring after the guest's time, and give it back as it was."""
        old = signal.getsignal(signal.SIGALRM)
        if self._old is None or old is None:
            yield
            return
        signal.signal(signal.SIGALRM, self._ring)
        began, (left, interval) = (
            time.monotonic(),
            signal.setitimer(signal.ITIMER_REAL, left_s + _LATE_S, _AGAIN_S),
        )
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
            if left:
                signal.setitimer(signal.ITIMER_REAL, max(1e-3, left - time.monotonic() + began), interval)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        """End the function, unless it is itself exchanging frames with another process: it is told again."""
        if self.is_open and _up[-1] is self:
            raise HostFunctionLate

    @property
    def descriptor(self) -> int:
        """A descriptor that is readable once an interrupt came."""
        return self._read


def _close_both(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
