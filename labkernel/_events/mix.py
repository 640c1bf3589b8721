"""Random values of a type: plausible ones, with an edge value in one leaf of twelve.

With a time given, points in time lie near it: records of `seconds` and `nanoseconds`, and 64-bit numbers and
strings whose names say that they hold one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from labkernel._events.edges import edges
from labkernel._events.moments import instant_near, is_moment, moment, rfc3339
from labkernel._events.rng import Rng
from labkernel._events.words import plausible
from labkernel._wit import (
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["Draw", "drawer"]

Draw: TypeAlias = Callable[[Rng, int], Any]
"""Draws a value; the number bounds how many elements its lists may have in all."""

_EDGE_IN: Final = 12
_TIMES: Final = frozenset(("time", "timestamp", "date", "datetime", "epoch", "when"))
_UNITS: Final = {
    "ms": 1_000_000, "millis": 1_000_000, "milliseconds": 1_000_000, "us": 1000, "micros": 1000,
    "microseconds": 1000, "ns": 1, "nanos": 1, "nanoseconds": 1,
}  # fmt: skip
_F32: Final = struct.Struct("<f")


@dataclass(frozen=True, slots=True)
class _Manner:
    """How values are drawn: the seed of a friendly sample, the time that points in time lie near."""

    friendly: int | None
    near_ns: int | None


def drawer(
    wit_type: Type, name: str = "", *, friendly: int | None = None, near_ns: int | None = None
) -> Draw:
    """Return what draws values of a type for a field or parameter called `name`.

    With the seed of a `friendly` sample they are plausible throughout: no edges, options present, results ok,
    and of enums and variants the case of that number, so that seed 0 shows the first.
    """
    return _drawer(wit_type, name, _Manner(friendly, near_ns))


def _drawer(wit_type: Type, name: str, how: _Manner) -> Draw:
    timed = _timed(wit_type, name, how.near_ns)
    if timed is not None:
        return timed
    make = _maker(wit_type, name, how)
    if how.friendly is not None or not isinstance(wit_type, Primitive) or wit_type.name == "bool":
        return make
    ends = edges(wit_type)

    def draw(rng: Rng, limit: int) -> Any:
        return rng.choice(ends) if rng.below(_EDGE_IN) == 0 else make(rng, limit)

    return draw


def _timed(wit_type: Type, name: str, near_ns: int | None) -> Draw | None:
    """Return what draws times for a 64-bit number or a string that is named for one, where a time is given."""
    words = set(name.split("-"))
    if near_ns is None or not words & _TIMES or not isinstance(wit_type, Primitive):
        return None
    if wit_type.name == "string":
        return lambda rng, _: rfc3339(instant_near(rng, near_ns))
    if wit_type.name not in ("u64", "s64"):
        return None
    unit = next((ns for word, ns in _UNITS.items() if word in words), 1_000_000_000)
    return lambda rng, _: instant_near(rng, near_ns) // unit


def _maker(wit_type: Type, name: str, how: _Manner) -> Draw:
    friendly = how.friendly
    match wit_type:
        case Primitive():
            return _scalar(wit_type.name, name)
        case ListType(Primitive("u8")):
            return lambda rng, limit: bytes(rng.below(256) for _ in range(rng.size(limit)))
        case ListType(element):
            return _list(_drawer(element, name, how), friendly=friendly)
        case TupleType(elements):
            return _product([_drawer(e, name, how) for e in elements])
        case RecordType(fields):
            if is_moment(wit_type):
                return lambda rng, _: moment(rng, how.near_ns)
            return _product([_drawer(f.type, f.name, how) for f in fields])
        case OptionType(payload):
            return _option(_drawer(payload, name, how), friendly=friendly)
        case ResultType(ok, err):
            cases = [("ok", ok)] if friendly is not None else [("ok", ok), ("ok", ok), ("err", err)]
            return _sum(cases, name, how)
        case VariantType(cases_):
            chosen = cases_ if friendly is None else (cases_[friendly % len(cases_)],)
            return _sum([(c.name, c.type) for c in chosen], name, how)
        case EnumType(names):
            plain = names if friendly is None else (names[friendly % len(names)],)
            return lambda rng, _: rng.choice(plain)
        case FlagsType(names):
            return lambda rng, _: _subset(rng, names)
        case _:
            edges(wit_type)  # raises UsageError: handles and opaque types cannot be made up
            raise AssertionError(wit_type)


def _list(element: Draw, *, friendly: int | None) -> Draw:
    def draw(rng: Rng, limit: int) -> list[Any]:
        size = rng.size(limit) if friendly is None else 1 + rng.below(3)
        share = limit // max(1, size)
        return [element(rng, share) for _ in range(size)]

    return draw


def _product(parts: list[Draw]) -> Draw:
    return lambda rng, limit: [part(rng, limit) for part in parts]


def _option(payload: Draw, *, friendly: int | None) -> Draw:
    return lambda rng, limit: None if friendly is None and rng.below(4) == 0 else [payload(rng, limit)]


def _sum(cases: list[tuple[str, Type | None]], name: str, how: _Manner) -> Draw:
    draws = [(case, None if t is None else _drawer(t, name, how)) for case, t in cases]

    def draw(rng: Rng, limit: int) -> list[Any]:
        case, payload = rng.choice(draws)
        return [case, None if payload is None else payload(rng, limit)]

    return draw


def _subset(rng: Rng, names: tuple[str, ...]) -> list[str]:
    bits = rng.next()
    return [n for i, n in enumerate(names) if (bits >> (i % 64)) & 1]


def _scalar(wit_type: str, name: str) -> Draw:
    if wit_type == "string":
        text = plausible(name)
        return lambda rng, _: text(rng)
    return _SCALARS.get(wit_type) or _integer(wit_type)


def _integer(wit_type: str) -> Draw:
    """Return what draws integers of all magnitudes: half under 100, the rest of any number of bits."""
    bits = int(wit_type[1:]) - (wit_type[0] == "s")
    signed = wit_type[0] == "s"

    def draw(rng: Rng, _: int) -> int:
        pick = rng.next()
        width = 1 + (pick >> 2) % 64 % bits
        number = (pick >> 32) % 100 if pick & 1 else rng.next() & ((1 << width) - 1)
        return -number if signed and pick & 2 else number

    return draw


def _float(rng: Rng, _: int) -> float:
    """Return a number in hundredths, up to a million, seldom up to 10**15."""
    pick = rng.next()
    return ((pick >> 8) % (10**8 if pick & 7 else 10**17) - (5 * 10**7 if pick & 8 else 0)) / 100


def _float32(rng: Rng, limit: int) -> float:
    rounded: float = _F32.unpack(_F32.pack(_float(rng, limit)))[0]
    return rounded


def _char(rng: Rng, _: int) -> str:
    return chr(rng.within(0x61, 0x7A) if rng.below(4) else rng.choice((0xE9, 0x3B1, 0x4E2D, 0x1F30A)))


_SCALARS: Final[dict[str, Draw]] = {
    "bool": lambda rng, _: bool(rng.next() >> 63),
    "f32": _float32,
    "f64": _float,
    "char": _char,
}
