"""What the host sees in a guest's memory: everything. The sandbox protects the host, not the guest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labkernel._errors import UsageError

if TYPE_CHECKING:
    from labkernel._lab.instance import Instance

__all__ = ["Peek", "Place", "peek"]

_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A text in a linear memory: where it is in the memory and in the host's process, and what lies around it."""

    memory: int
    offset: int
    address: int
    around: str

    def to_json(self) -> dict[str, Any]:
        """Return the place as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Peek:
    """What was found in the linear memories of an instance. `memories` are (address, bytes); `places` at most twenty.

    `wanted` is the text that was looked for, empty for any readable ones. `pid` is the host process.
    """

    target: str
    wanted: str
    pid: int
    memories: tuple[tuple[int, int], ...]
    places: tuple[Place, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            "target": self.target,
            "wanted": self.wanted,
            "pid": self.pid,
            "memories": [list(memory) for memory in self.memories],
            "places": [place.to_json() for place in self.places],
        }

    def __repr__(self) -> str:
        return f"Peek({self.target!r}, {len(self.places)} places in {sum(size for _, size in self.memories)} bytes)"


def peek(instance: Instance, wanted: str = "") -> Peek:
    """Look for a text in an instance's linear memories, through the address space of the host process.

    Raises `UsageError` for an instance that does not run, or on systems whose memory map cannot be read.
    """
    pid, found = instance.peek(wanted.encode(), most=_MOST)
    if not found:
        raise UsageError(
            f"{instance.name} shows no linear memory: it has none, or this system shows no map of a process's memory, "
            "as Linux does."
        )
    places = [
        Place(number, offset, base + offset, _readable(around))
        for number, (base, _, held) in enumerate(found)
        for offset, around in held
    ]
    memories = tuple((base, size) for base, size, _ in found)
    return Peek(instance.name, wanted, pid, memories, tuple(places[:_MOST]))


def _readable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in data)
