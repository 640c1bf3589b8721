"""Sizes, durations and counts as users write them."""

from __future__ import annotations

import re
from typing import Final

from labkernel._errors import CapabilityError

__all__ = ["parse_count", "parse_duration", "parse_size"]

_SIZE_UNITS: Final = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30,
    "K": 1 << 10, "M": 1 << 20, "G": 1 << 30,
}  # fmt: skip
_DURATION_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}


def parse_size(text: str | int, *, what: str = "size") -> int:
    """Return a number of bytes from `256MiB`, `1GB`, `4096`.

    >>> parse_size("1MiB")
    1048576
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    unit = _SIZE_UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise CapabilityError(
            f"{what} {text!r} is no size; write a number with a unit, as in 256MiB or 64KiB."
        )
    return int(float(match[1]) * unit)


def parse_duration(text: str | float, *, what: str = "timeout") -> float:
    """Return seconds from `5s`, `250ms`, `1m`, `0.5`.

    >>> parse_duration("250ms")
    0.25
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*", str(text))
    unit = _DURATION_UNITS.get(match[2] or "s") if match else None
    if match is None or unit is None:
        raise CapabilityError(
            f"{what} {text!r} is no duration; write a number with a unit, as in 250ms, 5s or 1m."
        )
    return float(match[1]) * unit


def parse_count(value: object, *, what: str = "count") -> int:
    """Return a whole number from `1000000` or `1_000_000`."""
    text = str(value).replace("_", "")
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", text):
        raise CapabilityError(f"{what} {value!r} is no whole number; write one such as 1000000.")
    return int(text)
