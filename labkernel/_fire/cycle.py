"""Events by number, without a list of all of them: a pool that is gone through again and again, or texts of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, overload

from labkernel._errors import UsageError
from labkernel._fire.records import call_of
from labkernel._values import Packed, parse_call
from labkernel._wit import Function

__all__ = ["POOL", "Cycle", "Written", "call_at"]

POOL: Final = 10_000
"""Different events that a run is made of where they are made up; a longer one goes through them again."""


class Cycle(Sequence[list[Any]]):
    """The events of a run of `n`: number k is number k modulo their count of a pool.

    >>> list(Cycle(([1], [2]), 5))
    [[1], [2], [1], [2], [1]]
    """

    def __init__(self, pool: Sequence[list[Any]], n: int) -> None:
        self.pool = pool if isinstance(pool, Packed) else tuple(pool)
        self._n = n

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Any]]: ...
    def __getitem__(self, index: int | slice) -> list[Any] | list[list[Any]]:
        if isinstance(index, slice):
            return [self.pool[i % len(self.pool)] for i in range(*index.indices(self._n))]
        if not -self._n <= index < self._n:
            raise IndexError(f"event {index} of {self._n}")
        return self.pool[index % self._n % len(self.pool)]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Cycle):
            return (self._n, self.pool) == (other._n, other.pool)
        return isinstance(other, Sequence) and len(other) == self._n and all(map(_same, self, other))

    def __hash__(self) -> int:
        return hash(self._n)


def _same(a: Any, b: Any) -> bool:
    return bool(a == b)


class Written(Sequence[list[Any]]):
    """Events as calls in WAVE, read when they are asked for; `function` is `None` where its types are unknown."""

    def __init__(self, texts: Sequence[str], function: Function | None) -> None:
        self.texts, self._function = tuple(texts), function

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Any]]: ...
    def __getitem__(self, index: int | slice) -> list[Any] | list[list[Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if self._function is None:
            raise UsageError(
                "This run's file is of an older version and holds no types; use run.call(index)."
            )
        return parse_call(self.texts[index], [self._function])[1]


def call_at(function: Function, events: Sequence[list[Any]], index: int) -> str:
    """Return an event as a call to paste into `%fire`."""
    pool = events.pool if isinstance(events, Cycle) else events
    if isinstance(pool, Written):
        return pool.texts[index % len(pool)]
    return call_of(function, events[index])
