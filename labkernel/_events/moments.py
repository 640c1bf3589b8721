"""Points in time: records of `seconds` and `nanoseconds`, as WASI's clocks have them."""

from __future__ import annotations

from typing import Any, Final

from labkernel._events.rng import Rng
from labkernel._wit import Primitive, RecordType

__all__ = ["is_moment", "moment", "moment_edges"]

_START: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
_YEAR: Final = 365 * 86_400


def is_moment(wit_type: RecordType) -> bool:
    """Whether a record is a point in time: `seconds`, and `nanoseconds` under a billion.

    >>> from labkernel._wit import Field
    >>> is_moment(RecordType((Field("seconds", Primitive("u64")), Field("nanoseconds", Primitive("u32")))))
    True
    """
    match wit_type.fields:
        case (first, second):
            seconds, nanoseconds = (first.name, first.type), (second.name, second.type)
            wide = seconds in (("seconds", Primitive("u64")), ("seconds", Primitive("s64")))
            return wide and nanoseconds == ("nanoseconds", Primitive("u32"))
    return False


def moment_edges() -> list[list[Any]]:
    """Return the epoch, the ends of 31, 32, 53 and 63 bits, a leap day, turns of the year, the year 10000."""
    return [
        [0, 0], [0, 999_999_999], [1, 1], [2**31 - 1, 999_999_999], [2**31, 0], [2**32, 0],
        [951_782_400, 500_000_000], [_START - 1, 999_999_999], [_START, 0], [253_402_300_800, 0],
        [2**53, 1], [2**63 - 1, 999_999_999],
    ]  # fmt: skip


def moment(rng: Rng) -> list[Any]:
    """Return an instant of 2026, in whole microseconds."""
    return [_START + rng.below(_YEAR), rng.below(1_000_000) * 1000]
