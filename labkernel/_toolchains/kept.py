"""Processes that toolchains keep between builds, so that they can be ended together.

This module knows no tool.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable

__all__ = ["close_kept", "keep"]

_closers: list[Callable[[], None]] = []


def keep(close: Callable[[], None]) -> None:
    """Have `close` called when the lab closes, and when Python ends. What it ends may start again afterwards."""
    if close not in _closers:
        _closers.append(close)


def close_kept() -> None:
    """End what toolchains keep; the next build starts it again."""
    for close in list(_closers):
        with contextlib.suppress(OSError):
            close()


atexit.register(close_kept)
