"""Many values kept in little memory: `Packed`, a sequence of argument lists in compressed blocks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, overload

import msgpack

__all__ = ["Packed", "events_from_data", "events_to_data"]

_BLOCK: Final = 256
_WARM: Final = 4
"""Unpacked blocks that are kept; several readers may go through the sequence side by side."""


class Packed(Sequence[list[Any]]):
    """Argument lists in normal form, of which only a few are there as Python values at any time.

    A million events of a file take about a tenth of the file; `size_bytes` are those of the compressed blocks. What
    is handed out is not to be changed.

    >>> events = Packed([["object-added", k]] for k in range(1000))
    >>> len(events), events[999], events[2:4]
    (1000, [['object-added', 999]], [[['object-added', 2]], [['object-added', 3]]])
    """

    def __init__(self, events: Iterable[list[Any]] = ()) -> None:
        self._blocks: list[bytes] = []
        self.size_bytes = 0
        self._last: list[list[Any]] = []
        self._warm: dict[int, list[list[Any]]] = {}
        for event in events:
            self.append(event)

    def append(self, event: list[Any]) -> None:
        """Add an event at the end."""
        self._last.append(event)
        if len(self._last) == _BLOCK:
            self._blocks.append(zlib.compress(msgpack.packb(self._last, use_bin_type=True), 1))
            self.size_bytes += len(self._blocks[-1])
            self._last = []

    def __len__(self) -> int:
        return _BLOCK * len(self._blocks) + len(self._last)

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Any]]: ...
    def __getitem__(self, index: int | slice) -> list[Any] | list[list[Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"event {index} of {len(self)}")
        block, at = divmod(index % len(self), _BLOCK)
        return self._block(block)[at]

    def __iter__(self) -> Iterator[list[Any]]:
        for number in range(len(self._blocks) + 1):
            yield from self._block(number)

    def _block(self, number: int) -> list[list[Any]]:
        if number == len(self._blocks):
            return self._last
        found = self._warm.get(number)
        if found is None:
            found = _unpacked(self._blocks[number])
            if len(self._warm) >= _WARM:
                del self._warm[next(iter(self._warm))]
            self._warm[number] = found
        return found

    def to_data(self) -> list[Any]:
        """Return the events as plain data: the blocks as they are, and what is in none yet."""
        return ["packed", self._blocks, self._last]

    @classmethod
    def from_data(cls, data: list[Any]) -> Packed:
        """Return the events that `to_data` gave this data for."""
        packed = cls()
        _, packed._blocks, packed._last = data
        packed.size_bytes = sum(map(len, packed._blocks))
        return packed


def _unpacked(block: bytes) -> list[list[Any]]:
    found: list[list[Any]] = msgpack.unpackb(zlib.decompress(block), raw=False)
    return found


def events_to_data(events: Sequence[list[Any]]) -> list[Any]:
    """Return events as they travel: packed ones stay so."""
    return events.to_data() if isinstance(events, Packed) else list(events)


def events_from_data(data: list[Any]) -> Sequence[list[Any]]:
    """Return the events that travelled."""
    return Packed.from_data(data) if data[:1] == ["packed"] else data
