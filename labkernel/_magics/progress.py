"""One line of progress under a cell: what long work is doing and for how long, until a card takes its place.

Work that tells nothing for seconds still gets its line: a thread counts the time while the cell runs.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Final

from IPython.display import DisplayHandle, display

__all__ = ["ProgressLine"]

#: How long work may take without a line. Tests that compare outputs set it high, since a slow machine shows more.
QUIET_FOR_S: Final = float(os.environ.get("LABKERNEL_PROGRESS_AFTER_S") or 0.5)
TICK_S: Final = 0.5
KEPT_TICK_S: Final = 5.0


class ProgressLine:
    """The line of one magic at a time. Steps within its first half second are not worth one.

    `is_kept` is for a terminal, where a line that was written stays: there a new one comes every five seconds.
    """

    def __init__(self, *, is_kept: bool = False) -> None:
        self._is_kept = is_kept
        self._lock = threading.Lock()
        self._handle: DisplayHandle | None = None
        self._timer: threading.Timer | None = None
        self._text = ""
        self._begun = 0.0
        self._is_running = False

    def begin(self, text: str) -> None:
        """Start the clock for work that `text` names."""
        self.end()
        with self._lock:
            self._text, self._begun, self._is_running = text, time.monotonic(), True
            self._again(QUIET_FOR_S)

    def tell(self, text: str, *, now: bool = False) -> None:
        """Say what the work is doing now; with `now` a line that is there already shows it at once."""
        self._text = text
        if now and not self._is_kept:
            with self._lock:
                if self._is_running and self._handle is not None:
                    self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        return {"text/plain": f"… {self._text} ({time.monotonic() - self._begun:.1f} s)"}

    def replace(self, bundle: dict[str, Any]) -> bool:
        """Put a card in the line's place; return whether there was a line."""
        handle = self._stop()
        if handle is not None:
            handle.update(bundle, raw=True)
        return handle is not None

    def end(self) -> None:
        """Take the line away, where no card has taken its place."""
        self.replace({"text/plain": ""})

    def _stop(self) -> DisplayHandle | None:
        with self._lock:
            self._is_running = False
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            handle, self._handle = self._handle, None
        return handle

    def _again(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._tick)
        self._timer.daemon = True
        self._timer.start()

    def _tick(self) -> None:
        with self._lock:
            if not self._is_running:
                return
            bundle = self._bundle()
            if self._handle is None:
                self._handle = display(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
            self._again(KEPT_TICK_S if self._is_kept else TICK_S)
