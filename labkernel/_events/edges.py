"""The edge values of a type: extremes, emptiness, every case. A finite list, so that all of it can go first.

Parts are combined by rotation: row `i` takes edge `i` of every field, each modulo its own count. So a record
has as many rows as its richest field has edges, and no cartesian product.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final

from labkernel._errors import UsageError
from labkernel._events.moments import is_moment, moment_edges
from labkernel._events.words import EDGE_CHARS, EDGE_STRINGS
from labkernel._wit import (
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    has_handle,
    type_text,
)

__all__ = ["edges", "rotated"]

_ABSENT: Final = object()


def edges(wit_type: Type, near_ns: int | None = None) -> list[Any]:
    """Return the edge values of a type in normal form, the plainest first; points in time all near a given one.

    >>> edges(OptionType(Primitive("u8")))
    [None, [0], [255], [1], [128]]
    """
    match wit_type:
        case Primitive(name):
            return list(_SCALARS[name])
        case ListType(Primitive("u8")):
            return [b"", b"\0", bytes(range(256)), b"\xff\xfe"]
        case ListType(element):
            inner = edges(element, near_ns)
            return [[], inner[:1], inner, inner[:1] * 100]
        case TupleType(elements):
            return rotated([edges(e, near_ns) for e in elements])
        case RecordType(fields):
            if is_moment(wit_type):
                return moment_edges(near_ns)
            return rotated([edges(f.type, near_ns) for f in fields])
        case OptionType(payload):
            return [None, *([e] for e in edges(payload, near_ns))]
        case ResultType(ok, err):
            return _cases([("ok", ok), ("err", err)], near_ns)
        case VariantType(cases):
            return _cases([(c.name, c.type) for c in cases], near_ns)
        case EnumType(names):
            return list(names)
        case FlagsType(names):
            return _flags(names)
        case HandleType() | OpaqueType():
            shown = type_text(wit_type)
            given = " Give a handle that a call returned with --args." if has_handle(wit_type) else ""
            raise UsageError(
                f"Events with a value of {shown} cannot be made up; write the call instead.{given}"
            )


def rotated(columns: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return rows in which every value of every column appears, as many as the longest column has.

    >>> rotated([[1, 2, 3], ["a", "b"]])
    [[1, 'a'], [2, 'b'], [3, 'a']]
    """
    count = max(map(len, columns), default=1)
    return [[column[i % len(column)] for column in columns] for i in range(count)]


def _cases(cases: Iterable[tuple[str, Type | None]], near_ns: int | None) -> list[Any]:
    """Return every case with its first edge, then every case with its second, and so on."""
    columns = [[[name, e] for e in ([None] if t is None else edges(t, near_ns))] for name, t in cases]
    rows = chain.from_iterable(zip_longest(*columns, fillvalue=_ABSENT))
    return [row for row in rows if row is not _ABSENT]


def _flags(names: tuple[str, ...]) -> list[Any]:
    sets = [[], list(names), *([name] for name in names), list(names[::2])]
    return [s for i, s in enumerate(sets) if s not in sets[:i]]


def _integers(low: int, high: int) -> tuple[int, ...]:
    middle = (1, -1, 2**31, -(2**31) - 1, 2**53 + 1) if low else (1, (high + 1) // 2, 2**53 + 1)
    return tuple(dict.fromkeys((0, high, low, *(m for m in middle if low <= m <= high))))


def _floats(bits: int) -> tuple[float, ...]:
    fraction = 23 if bits == 32 else 52
    infinity = (2 ** (bits - 1 - fraction) - 1) << fraction
    code, pack = ("<f", "<I") if bits == 32 else ("<d", "<Q")
    patterns = (infinity - 1, 1, 1 << fraction)
    largest, smallest, least_normal = (struct.unpack(code, struct.pack(pack, p))[0] for p in patterns)
    return (
        0.0, 1.0, -1.0, 0.5, largest, -largest, math.inf, -math.inf, math.nan, -0.0, smallest, least_normal,
    )  # fmt: skip


_SCALARS: Final[dict[str, tuple[Any, ...]]] = {
    "bool": (False, True),
    "f32": _floats(32),
    "f64": _floats(64),
    "char": EDGE_CHARS,
    "string": EDGE_STRINGS,
    **{f"u{bits}": _integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"s{bits}": _integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}
