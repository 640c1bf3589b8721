"""A memo from a WIT type to what was made for it: checkers, readers, printers, layouts.

Keyed by identity, since equal types may differ in the names that messages show; hashing a deep type would
also cost more than checking a small value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from labkernel._wit import Type

__all__ = ["Compiled"]

T = TypeVar("T")
_CAPACITY: Final = 4096


class Compiled(Generic[T]):
    """Call it with a type to get what `make` makes of it, made once.

    The type is kept beside the result, so that its identity is not given to another type meanwhile.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[Type], T]) -> None:
        self._make = make
        self._made: dict[int, tuple[Type, T]] = {}

    def __call__(self, wit_type: Type) -> T:
        """Return what was made for `wit_type`."""
        hit = self._made.get(id(wit_type))
        if hit is not None:
            return hit[1]
        if len(self._made) >= _CAPACITY:
            self._made.clear()
        made = self._make(wit_type)
        self._made[id(wit_type)] = (wit_type, made)
        return made
