"""Floats exactly: rounding to f32, and the shortest text that reads back as the same float.

Text has the form Rust's `Display` gives, which is what wasm-wave prints: no exponent, no trailing `.0`.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Final

__all__ = ["float_from_text", "float_text", "round_f32"]

_F32: Final = struct.Struct("<f")
_I32: Final = struct.Struct("<i")


def round_f32(value: float) -> float:
    """Return the f32 nearest to `value`, ties to even. Raises `OverflowError` beyond f32's range."""
    rounded: float = _F32.unpack(_F32.pack(value))[0]
    return rounded


def float_from_text(text: str, bits: int) -> float:
    """Return the float of 32 or 64 bits nearest to a decimal number, `inf`, `-inf` or `nan`.

    Raises `OverflowError` for a finite number beyond the type's range.

    >>> float_from_text("16777217.0000000000000000001", 32)
    16777218.0
    """
    value = float(text)
    if math.isinf(value) and "inf" not in text:
        raise OverflowError(text)
    if bits == 64 or not math.isfinite(value):
        return value
    nearest = round_f32(value)
    if nearest == value:
        return nearest
    # The text was rounded to f64 first; only if that hit the middle of two f32 can the second rounding err.
    other = _neighbour(nearest, up=value > nearest)
    if abs(value - nearest) == abs(other - value):
        exact, middle = Decimal(text), Decimal(value)
        if exact != middle:
            return max(nearest, other) if exact > middle else min(nearest, other)
    return nearest


def _neighbour(value: float, *, up: bool) -> float:
    """Return the next f32 above or below a finite one."""
    if value == 0.0:
        step = _I32.pack(1)
        tiny: float = _F32.unpack(step)[0]
        return tiny if up else -tiny
    bits = _I32.unpack(_F32.pack(value))[0] + (1 if up == (value > 0) else -1)
    near: float = _F32.unpack(_I32.pack(bits))[0]
    return near


def float_text(value: float, bits: int) -> str:
    """Return the shortest decimal that reads back as the same float of 32 or 64 bits.

    >>> float_text(0.1, 64), float_text(round_f32(0.1), 32), float_text(-0.0, 64), float_text(1e21, 64)
    ('0.1', '0.1', '-0', '1000000000000000000000')
    """
    if value != value:
        return "nan"
    if value in (math.inf, -math.inf):
        return "inf" if value > 0 else "-inf"
    text = repr(value) if bits == 64 else _shortest_f32(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text


def _shortest_f32(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return repr(value)
    for digits in range(9):
        text = f"{value:.{digits}e}"
        if _reads_as(text, value):
            return text
        if digits and _is_power_of_two(value):
            # Just below a power of two floats lie twice as dense: the shortest text may be on the far side.
            far = format(_away(Decimal(text)), "e")
            if _reads_as(far, value):
                return far
    return repr(value)


def _reads_as(text: str, value: float) -> bool:
    try:
        return float_from_text(text, 32) == value
    except OverflowError:
        return False


def _is_power_of_two(value: float) -> bool:
    return math.frexp(abs(value))[0] == 0.5


def _away(text: Decimal) -> Decimal:
    step = Decimal(1).scaleb(text.adjusted() - len(text.as_tuple().digits) + 1)
    return text + step.copy_sign(text)
