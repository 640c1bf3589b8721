"""The shape of WIT types as the glue needs it: discriminants, parts with their places, cases, literals.

This module knows no world.
"""

from __future__ import annotations

from collections.abc import Sequence

from labkernel._toolchains.zig_lang.spelling import quoted, snake
from labkernel._values import layout
from labkernel._wit import (
    EnumType,
    FlagsType,
    Primitive,
    RecordType,
    ResultType,
    Type,
    VariantType,
)

__all__ = ["cases", "flat_members", "is_plain", "literal", "members", "tag", "values", "variant"]


def tag(t: Type) -> str:
    """Return the integer that holds a discriminant or flags."""
    match t:
        case FlagsType(names):
            return f"u{8 * max(1, layout.size(t))}" if len(names) <= 32 else "u64"
        case EnumType(names):
            return f"u{8 * layout.discriminant_size(len(names))}"
        case VariantType(cases):
            return f"u{8 * layout.discriminant_size(len(cases))}"
        case _:
            return "u8"


def variant(t: Type) -> VariantType | ResultType:
    assert isinstance(t, VariantType | ResultType)
    return t


def cases(t: Type) -> Sequence[tuple[str, Type | None]]:
    if isinstance(t, ResultType):
        return (("ok", t.ok), ("err", t.err))
    assert isinstance(t, VariantType)
    return [(quoted(snake(c.name), is_member=True), c.type) for c in t.cases]


def _parts(t: Type) -> Sequence[Type]:
    return [f.type for f in t.fields] if isinstance(t, RecordType) else getattr(t, "elements", ())


def members(t: Type) -> list[tuple[Type, int]]:
    parts = _parts(t)
    return list(zip(parts, layout.offsets(parts), strict=True))


def flat_members(t: Type) -> list[tuple[Type, int]]:
    found, at = [], 0
    for part in _parts(t):
        found.append((part, at))
        at += len(layout.flatten(part))
    return found


def values(t: Type) -> list[str]:
    if isinstance(t, RecordType):
        return [f"value.{quoted(snake(f.name), is_member=True)}" for f in t.fields]
    return [f"value[{i}]" for i in range(len(_parts(t)))]


def literal(t: Type, parts: Sequence[str]) -> str:
    if isinstance(t, RecordType):
        named = [
            f".{quoted(snake(f.name), is_member=True)} = {p}" for f, p in zip(t.fields, parts, strict=True)
        ]
        return f".{{ {', '.join(named)} }}"
    return f".{{ {', '.join(parts)} }}"


def is_plain(t: Type) -> bool:
    """Whether a list of these lies in memory as Zig has it."""
    return isinstance(t, Primitive) and t.name not in ("string", "char")
