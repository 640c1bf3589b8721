"""The lab's own random numbers: SplitMix64, the same on every machine and in every Python.

The algorithm is that of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA
2014), with the constants of Vigna's reference (https://prng.di.unimi.it). Only integers are drawn; floats are
made from them by operations that IEEE 754 rounds the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

__all__ = ["Rng"]

T = TypeVar("T")
_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_STEP: Final = 0x9E37_79B9_7F4A_7C15


def _mix(state: int) -> int:
    mixed = ((state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
    return mixed ^ (mixed >> 31)


class Rng:
    """A stream of random 64-bit numbers. `Rng.at(seed, k)` is the stream of event `k`, whatever came before.

    >>> rng = Rng(0)
    >>> hex(rng.next()), hex(rng.next())
    ('0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4')
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        folded = seed & _MASK
        rest = abs(seed) >> 64
        while rest:
            folded = _mix(folded ^ (rest & _MASK))
            rest >>= 64
        self._state = folded

    @classmethod
    def at(cls, seed: int, index: int) -> Rng:
        """Return the stream of the event number `index` of a run with `seed`."""
        return cls(_mix((cls(seed).next() + index * 0xD134_2543_DE82_EF95) & _MASK))

    @property
    def state(self) -> int:
        """What the next number is made from: 64 bits, which begin the same stream wherever the algorithm runs."""
        return self._state

    def next(self) -> int:
        """Return the next 64 bits."""
        self._state = state = (self._state + _STEP) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, bound: int) -> int:
        """Return an integer from 0 up to `bound` - 1; the bias is under `bound` / 2**64."""
        return (self.next() * bound) >> 64

    def within(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + ((self.next() * (high - low + 1)) >> 64)

    def choice(self, items: Sequence[T]) -> T:
        """Return one of `items`."""
        return items[(self.next() * len(items)) >> 64]

    def size(self, limit: int) -> int:
        """Return a length: mostly 0 to 8, each doubling above that half as likely, never over `limit`."""
        draw = self.next()
        doublings = ((draw & 0xFF) | 0x100) & -((draw & 0xFF) | 0x100)
        return min(limit, ((draw >> 8) * (9 * doublings)) >> 56)
