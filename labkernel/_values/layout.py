"""The canonical ABI's view of types: size, alignment, offsets in memory, and flat core values.

From the Component Model's `CanonicalABI.md`: Alignment, Element Size, Flattening; for 32-bit memories.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from labkernel._values.compiled import Compiled
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
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
)

__all__ = [
    "MAX_FLAT_PARAMS",
    "MAX_FLAT_RESULTS",
    "align",
    "core_signature",
    "discriminant_size",
    "flatten",
    "offsets",
    "payload_offset",
    "size",
]

MAX_FLAT_PARAMS: Final = 16
MAX_FLAT_RESULTS: Final = 1

_SIZES: Final = {
    "bool": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s32": 4, "u32": 4, "s64": 8, "u64": 8, "char": 4,
    "f32": 4, "f64": 8,
}  # fmt: skip
_FLAT: Final = {"s64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}


def size(wit_type: Type) -> int:
    """Return the bytes that a value takes in linear memory, strings' and lists' contents not counted.

    >>> size(TupleType((Primitive("u8"), Primitive("u64"))))
    16
    """
    return _layout(wit_type)[0]


def align(wit_type: Type) -> int:
    """Return the alignment of a value in linear memory."""
    return _layout(wit_type)[1]


def flatten(wit_type: Type) -> tuple[str, ...]:
    """Return the core values (`i32`, `i64`, `f32`, `f64`) that a value is passed as.

    >>> flatten(ResultType(Primitive("f32"), Primitive("u64")))
    ('i32', 'i64')
    """
    return _flat(wit_type)


def offsets(types: Iterable[Type]) -> list[int]:
    """Return where each field of a record with fields of these types begins.

    >>> offsets([Primitive("u8"), Primitive("u64"), Primitive("u8")])
    [0, 8, 16]
    """
    at, made = 0, []
    for wit_type in types:
        at = _up(at, align(wit_type))
        made.append(at)
        at += size(wit_type)
    return made


def discriminant_size(cases: int) -> int:
    """Return the bytes of the number that tells `cases` cases apart.

    >>> [discriminant_size(n) for n in (1, 256, 257, 65536, 65537)]
    [1, 1, 2, 2, 4]
    """
    return 1 if cases <= 1 << 8 else 2 if cases <= 1 << 16 else 4


def payload_offset(wit_type: VariantType | OptionType | ResultType) -> int:
    """Return where the payload begins in a variant, an option or a result."""
    cases = _cases(wit_type)
    return _up(discriminant_size(len(cases)), _payload_align(cases))


def core_signature(function: Function, *, lowered: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return core parameters and results of a function, as exported or `lowered` as imported.

    Parameters beyond 16 go through one pointer; a result beyond one value through a pointer that an export
    returns and an import takes.
    """
    params = tuple(core for p in function.params for core in flatten(p.type))
    if len(params) > MAX_FLAT_PARAMS:
        params = ("i32",)
    results = () if function.result is None else flatten(function.result)
    if len(results) <= MAX_FLAT_RESULTS:
        return params, results
    return ((*params, "i32"), ()) if lowered else (params, ("i32",))


def _up(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def _cases(wit_type: VariantType | OptionType | ResultType) -> Sequence[Type | None]:
    match wit_type:
        case VariantType(cases):
            return [c.type for c in cases]
        case OptionType(payload):
            return [None, payload]
        case ResultType(ok, err):
            return [ok, err]


def _payload_align(cases: Sequence[Type | None]) -> int:
    return max((align(t) for t in cases if t is not None), default=1)


def _make_layout(wit_type: Type) -> tuple[int, int]:
    """Return size and alignment."""
    match wit_type:
        case Primitive("string") | ListType():
            return 8, 4
        case Primitive(name):
            return _SIZES[name], _SIZES[name]
        case RecordType(fields):
            return _product([f.type for f in fields])
        case TupleType(elements):
            return _product(elements)
        case VariantType() | OptionType() | ResultType():
            return _sum(wit_type)
        case EnumType(cases):
            return (discriminant_size(len(cases)),) * 2
        case FlagsType(names):
            return _flags(len(names))
        case HandleType() | OpaqueType():
            return 4, 4


_layout: Final[Compiled[tuple[int, int]]] = Compiled(_make_layout)


def _product(types: Sequence[Type]) -> tuple[int, int]:
    alignment = max(map(align, types), default=1)
    end = offsets(types)[-1] + size(types[-1]) if types else 0
    return _up(end, alignment), alignment


def _sum(wit_type: VariantType | OptionType | ResultType) -> tuple[int, int]:
    cases = _cases(wit_type)
    alignment = max(discriminant_size(len(cases)), _payload_align(cases))
    largest = max((size(t) for t in cases if t is not None), default=0)
    return _up(payload_offset(wit_type) + largest, alignment), alignment


def _flags(count: int) -> tuple[int, int]:
    """Return the layout of flags: up to 32 in one integer, more (which no component may have) in words."""
    if count <= 16:
        return (0, 1) if not count else (1, 1) if count <= 8 else (2, 2)
    return 4 * -(-count // 32), 4


def _make_flat(wit_type: Type) -> tuple[str, ...]:
    match wit_type:
        case Primitive("string") | ListType():
            return ("i32", "i32")
        case Primitive(name):
            return (_FLAT.get(name, "i32"),)
        case RecordType(fields):
            return tuple(core for f in fields for core in flatten(f.type))
        case TupleType(elements):
            return tuple(core for e in elements for core in flatten(e))
        case VariantType() | OptionType() | ResultType():
            return ("i32", *_joined(_cases(wit_type)))
        case FlagsType(names):
            return ("i32",) * -(-len(names) // 32)
        case EnumType() | HandleType() | OpaqueType():
            return ("i32",)


_flat: Final[Compiled[tuple[str, ...]]] = Compiled(_make_flat)


def _joined(cases: Sequence[Type | None]) -> list[str]:
    """Return core values wide enough for the payload of any case."""
    joined: list[str] = []
    for wit_type in cases:
        for at, core in enumerate(() if wit_type is None else flatten(wit_type)):
            if at == len(joined):
                joined.append(core)
            elif joined[at] != core:
                joined[at] = "i32" if {joined[at], core} == {"i32", "f32"} else "i64"
    return joined
