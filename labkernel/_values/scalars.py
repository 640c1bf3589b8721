"""Python values against WIT's types without parts: bool, integers, floats, char, string."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from labkernel._values.floats import round_f32
from labkernel._values.misfit import Misfit, not_a
from labkernel._wit import Primitive

__all__ = ["INT_RANGES", "Check", "range_text", "scalar_check", "surrogate_at"]

Check: TypeAlias = Callable[[Any], Any]

INT_RANGES: Final = {
    f"{sign}{bits}": (0, 2**bits - 1) if sign == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in "su"
    for bits in (8, 16, 32, 64)
}


def scalar_check(wit_type: Primitive) -> Check:
    """Return the function that takes a Python value to the normal form of `wit_type`, or raises `Misfit`."""
    if wit_type.name in INT_RANGES:
        return _integer(wit_type)
    return {"bool": _bool, "f32": _float32, "f64": _float64, "char": _char, "string": _string}[wit_type.name](
        wit_type
    )


def range_text(name: str) -> str:
    """Return the range of a number type in words.

    >>> range_text("u8")
    'range 0 to 255'
    """
    if name in INT_RANGES:
        return "range {} to {}".format(*INT_RANGES[name])
    largest = "3.4028235e38" if name == "f32" else "1.7976931348623157e308"
    return f"range -{largest} to {largest}"


def surrogate_at(text: str) -> int | None:
    """Return the index of the first lone surrogate in `text`, or `None`: such text has no UTF-8."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def _unboxed(value: Any) -> Any:
    """Return the Python scalar in a numpy-like scalar, and any other value as it is."""
    if hasattr(value, "dtype") and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _bool(wit_type: Primitive) -> Check:
    def check(value: Any) -> bool:
        if type(value) is not bool:
            value = _unboxed(value)
            if type(value) is not bool:
                raise Misfit(value, wit_type, not_a(value, "True or False"))
        return bool(value)

    return check


def _integer(wit_type: Primitive) -> Check:
    low, high = INT_RANGES[wit_type.name]
    in_words = range_text(wit_type.name)

    def check(value: Any) -> int:
        number = value if type(value) is int else _as_int(value, wit_type)
        if low <= number <= high:
            return number
        raise Misfit(value, wit_type, in_words)

    return check


def _as_int(value: Any, wit_type: Primitive) -> int:
    value = _unboxed(value)
    if not isinstance(value, bool):
        try:
            return int(operator.index(value))
        except TypeError:
            pass
    hint = ""
    if isinstance(value, float) and value.is_integer():
        hint = f"Write {int(value)}." if abs(value) < 2**63 else ""
    raise Misfit(value, wit_type, not_a(value, "an integer"), hint)


def _as_float(value: Any, wit_type: Primitive) -> float:
    value = _unboxed(value)
    numeric = hasattr(type(value), "__float__") or hasattr(type(value), "__index__")
    if numeric and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise Misfit(value, wit_type, range_text(wit_type.name)) from None
        except (TypeError, ValueError):
            pass
    raise Misfit(value, wit_type, not_a(value, "a number"))


def _float64(wit_type: Primitive) -> Check:
    def check(value: Any) -> float:
        return value if type(value) is float else _as_float(value, wit_type)

    return check


def _float32(wit_type: Primitive) -> Check:
    def check(value: Any) -> float:
        number = value if type(value) is float else _as_float(value, wit_type)
        try:
            return round_f32(number)
        except OverflowError:
            raise Misfit(value, wit_type, range_text("f32")) from None

    return check


def _string(wit_type: Primitive) -> Check:
    def check(value: Any) -> str:
        if type(value) is str and value.isascii():
            return value
        if not isinstance(value, str):
            hint = "Decode it: value.decode()." if isinstance(value, bytes | bytearray) else ""
            raise Misfit(value, wit_type, not_a(value, "a string"), hint)
        text = value.value if isinstance(value, enum.Enum) else str.__str__(value)
        _refuse_surrogates(text, wit_type)
        return text

    return check


def _char(wit_type: Primitive) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Misfit(value, wit_type, not_a(value, "a string of one character"))
        if len(value) != 1:
            raise Misfit(value, wit_type, _char_count(value))
        _refuse_surrogates(value, wit_type)
        return str.__str__(value)

    return check


def _char_count(text: str) -> str:
    """Say why a text is not one char, with its code points where it may look like one."""
    points = " ".join(f"U+{ord(c):04X}" for c in text) if 1 < len(text) <= 8 else ""
    return f"{len(text)} Unicode scalar values, not one{': ' + points if points else ''}"


def _refuse_surrogates(text: str, wit_type: Primitive) -> None:
    at = surrogate_at(text)
    if at is not None:
        point = f"U+{ord(text[at]):04X}"
        raise Misfit(text, wit_type, f"lone surrogate {point} at index {at} is no Unicode scalar value")
