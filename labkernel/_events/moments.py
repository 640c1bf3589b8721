"""Points in time: records of `seconds` and `nanoseconds`, as WASI's clocks have them, and RFC 3339 text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._events.rng import Rng
from labkernel._wit import Primitive, RecordType

__all__ = [
    "instant_near",
    "is_moment",
    "moment",
    "moment_edges",
    "read_instant",
    "rfc3339",
    "try_instant",
]

_START: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
_YEAR: Final = 365 * 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BILLION: Final = 1_000_000_000
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
#: How far from a given time an instant may lie: half of them within a minute, all within a day.
_SPREADS_NS: Final = (
    1,
    1_000,
    1_000_000,
    _BILLION,
    60 * _BILLION,
    60 * _BILLION,
    3600 * _BILLION,
    86_400 * _BILLION,
)


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


def moment_edges(near_ns: int | None = None) -> list[list[Any]]:
    """Return the epoch, the ends of 31, 32, 53 and 63 bits, a leap day, turns of the year, the year 10000.

    Near a given time it is that time, and the nanosecond, the second and the day before and after it.
    """
    if near_ns is not None:
        steps = (0, -1, 1, -_BILLION, _BILLION, -86_400 * _BILLION, 86_400 * _BILLION)
        return [list(divmod(max(0, near_ns + step), _BILLION)) for step in steps]
    return [
        [0, 0], [0, 999_999_999], [1, 1], [2**31 - 1, 999_999_999], [2**31, 0], [2**32, 0],
        [951_782_400, 500_000_000], [_START - 1, 999_999_999], [_START, 0], [253_402_300_800, 0],
        [2**53, 1], [2**63 - 1, 999_999_999],
    ]  # fmt: skip


def moment(rng: Rng, near_ns: int | None = None) -> list[Any]:
    """Return an instant of 2026 in whole microseconds, or one near a given time."""
    if near_ns is not None:
        return list(divmod(instant_near(rng, near_ns), _BILLION))
    return [_START + rng.below(_YEAR), rng.below(1_000_000) * 1000]


def instant_near(rng: Rng, near_ns: int | None = None) -> int:
    """Return nanoseconds since 1970: at most a day from `near_ns` and mostly within a minute, or in 2026."""
    if near_ns is None:
        seconds, nanoseconds = moment(rng)
        return int(seconds * _BILLION + nanoseconds)
    spread = rng.choice(_SPREADS_NS)
    return max(0, near_ns + rng.within(-spread, spread))


def try_instant(text: str) -> int | None:
    """Return the nanoseconds since 1970 of an RFC 3339 time, or `None` for another text.

    >>> try_instant("1970-01-01T00:00:01.5Z"), try_instant("1970-01-01T01:00:00+01:00"), try_instant("today")
    (1500000000, 0, None)
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError:
        return None
    return (whole - _EPOCH) // timedelta(seconds=1) * _BILLION + int((fraction or "0").ljust(9, "0"))


def read_instant(text: str) -> int:
    """Return the nanoseconds since 1970 of an RFC 3339 time or a day; raises `UsageError` for another text.

    >>> read_instant("2026-01-01")
    1767225600000000000
    """
    instant = try_instant(text if len(text) > 10 else f"{text}T00:00:00Z")
    if instant is None or instant < 0:
        raise UsageError(
            f"{text!r} is no time from 1970 on; write it as RFC 3339 has it, such as 2026-01-01T00:00:00Z."
        )
    return instant


def rfc3339(instant_ns: int) -> str:
    """Return the RFC 3339 text of nanoseconds since 1970, in UTC, with as many digits as it needs.

    >>> rfc3339(1_500_000_000), rfc3339(0)
    ('1970-01-01T00:00:01.500Z', '1970-01-01T00:00:00Z')
    """
    seconds, rest = divmod(instant_ns, _BILLION)
    whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if not rest:
        return f"{whole}Z"
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{whole}.{digits}Z"
