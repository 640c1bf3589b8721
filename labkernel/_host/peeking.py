"""Reading a guest's linear memory from outside, as any host can: by its address in this process.

The component model shows no memory to the host's side of its interface; the process it runs in has it all the same.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Container, Iterable
from typing import Any, Final

from labkernel._host.memory import linear_memories

__all__ = ["Memories", "peek"]

_BEFORE: Final = 24
_AFTER: Final = 40
_READABLE: Final = re.compile(rb"[\x20-\x7e]{8,}")


class Memories:
    """Which linear memories belong to which instance, by elimination: those that no earlier instance has.

    The map of the process is read when a second instance is about to come, and not before: it takes as long as a start.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, ...]] = {}
        self._newest = 0

    def settle(self, living: Container[int]) -> None:
        """Give the newest instance what nobody else has, before another one starts."""
        self._known = {number: bases for number, bases in self._known.items() if number in living}
        if self._newest in living:
            taken = {base for bases in self._known.values() for base in bases}
            self._known[self._newest] = tuple(base for base in linear_memories() if base not in taken)
        self._newest = 0

    def started(self, number: int) -> None:
        """Note an instance that has just been started."""
        self._newest = number

    def of(self, number: int, living: Container[int]) -> tuple[int, ...]:
        """Return the addresses of an instance's memories."""
        if number == self._newest:
            self.settle(living)
        return self._known.get(number, ())

    def held_bytes(self, number: int, living: Container[int], *, but: int) -> int:
        """Return how many bytes an instance's memories have, one at an address left out."""
        bases, sizes = self.of(number, living), linear_memories()
        return sum(sizes.get(base, 0) for base in bases if base != but)


def peek(bases: Iterable[int], wanted: bytes, most: int) -> list[list[Any]]:
    """Return, for each memory, its address, its bytes and what was found: offset, and the bytes around it.

    Without a wanted text it is the first readable texts.
    """
    sizes = linear_memories()
    pattern = re.compile(re.escape(wanted)) if wanted else _READABLE
    found = []
    for base in bases:
        size = sizes.get(base, 0)
        places: list[list[Any]] = []
        if size:
            memory = (ctypes.c_char * size).from_address(base)
            for match in pattern.finditer(memory):
                start = max(0, match.start() - (_BEFORE if wanted else 0))
                end = match.end() + (_AFTER if wanted else 0)
                places.append([match.start(), ctypes.string_at(base + start, min(end, size) - start)])
                if len(places) >= most:
                    break
        found.append([base, size, places])
    return found
