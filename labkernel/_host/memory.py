"""How much linear memory a store holds, read off the process's memory map. It knows no engine."""

from __future__ import annotations

from typing import Final

__all__ = ["linear_memories"]

_RESERVED: Final = 1 << 30


def linear_memories() -> dict[int, int]:
    """Return start and bytes of every linear memory: writable pages right before a large reservation."""
    found: dict[int, int] = {}
    start = end = 0
    try:
        with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
            for line in maps:
                span, mode, *_ = line.split(None, 2)
                low, high = (int(part, 16) for part in span.split("-"))
                if mode.startswith("rw"):
                    start, end = (start, high) if low == end else (low, high)
                elif mode.startswith("---") and low == end and high - low >= _RESERVED:
                    found[start] = end - start
                    start = end = 0
                else:
                    start = end = 0
    except OSError:
        return {}
    return found
