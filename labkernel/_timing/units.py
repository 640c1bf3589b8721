"""Times and sizes as text: three significant digits, always with the unit. It knows nothing else."""

from __future__ import annotations

from typing import Final

__all__ = ["format_bytes", "format_count", "format_ns", "format_ratio", "time_unit"]

_TIMES: Final = ((1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s"))
_SIZES: Final = ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"))


def _three_digits(value: float) -> str:
    """Return a number of at least 0 with three significant digits, never in exponent form."""
    if value >= 99.95:
        return f"{value:.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}"


def _scaled(value: float, scales: tuple[tuple[float, str], ...], step: float) -> tuple[float, str]:
    """Return the unit in which the value reads as less than `step`, rounding counted in."""
    for factor, unit in scales[:-1]:
        shown = value / factor
        if shown < step and float(_three_digits(shown)) < step:
            return factor, unit
    return scales[-1]


def time_unit(ns: float) -> tuple[float, str]:
    """Return the unit a time is best read in, as nanoseconds per unit and the unit's name.

    >>> time_unit(2_500_000)
    (1000000.0, 'ms')
    """
    return _scaled(abs(ns), _TIMES, 1000)


def format_ns(ns: float, *, unit: tuple[float, str] | None = None) -> str:
    """Return a time with three significant digits and its unit.

    `unit` (of `time_unit`) forces one, so that the ends of an interval read like its middle.

    >>> format_ns(123456), format_ns(1_234), format_ns(999_999), format_ns(0)
    ('123 us', '1.23 us', '1.00 ms', '0 ns')
    """
    factor, name = unit or time_unit(ns)
    sign = "-" if ns < 0 else ""
    return f"{sign}{_number(abs(ns), factor)} {name}"


def format_bytes(size: float) -> str:
    """Return a size with three significant digits and its unit (binary: 1 KiB is 1024 bytes).

    >>> format_bytes(1536), format_bytes(256 << 20), format_bytes(17)
    ('1.50 KiB', '256 MiB', '17 B')
    """
    factor, name = _scaled(abs(size), _SIZES, 1024)
    sign = "-" if size < 0 else ""
    return f"{sign}{_number(abs(size), factor)} {name}"


def _number(value: float, factor: float) -> str:
    if factor == 1.0 and value == int(value):
        return str(int(value))
    return _three_digits(value / factor)


def format_ratio(ratio: float) -> str:
    """Return a ratio with three significant digits and an x.

    >>> format_ratio(1.8249)
    '1.82x'
    """
    return f"{_three_digits(ratio)}x"


def format_count(n: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, thousands set apart.

    >>> format_count(1, "call"), format_count(20000, "call")
    ('1 call', '20 000 calls')
    """
    word = noun if n == 1 else plural or f"{noun}s"
    return f"{n:,} {word}".replace(",", " ")
