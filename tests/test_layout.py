"""The canonical ABI's layout of types."""

from __future__ import annotations

import pytest
from hypothesis import given
from wit_strategies import types

from labkernel._values.layout import align, core_signature, flatten, offsets, payload_offset, size
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    HandleType,
    ListType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

U8, U16, U32, U64, F32, F64 = map(Primitive, ("u8", "u16", "u32", "u64", "f32", "f64"))
STRING = Primitive("string")
EVENT_TYPE = EnumType(("object-added", "object-removed"))
EVENT = RecordType(
    (
        Field("event-type", EVENT_TYPE),
        Field("event-timestamp", RecordType((Field("seconds", U64), Field("nanoseconds", U32)))),
        Field("event-version", STRING),
    )
)
ERROR = VariantType((Case("unsupported", EVENT_TYPE), Case("failed", STRING)))


@pytest.mark.parametrize(
    ("wit_type", "expected"),
    [
        (Primitive("bool"), (1, 1, "i32")),
        (Primitive("char"), (4, 4, "i32")),
        (F64, (8, 8, "f64")),
        (STRING, (8, 4, "i32 i32")),
        (ListType(U64), (8, 4, "i32 i32")),
        (HandleType("file"), (4, 4, "i32")),
        (EnumType(tuple(f"c{i}" for i in range(257))), (2, 2, "i32")),
        (FlagsType(tuple(f"f{i}" for i in range(8))), (1, 1, "i32")),
        (FlagsType(tuple(f"f{i}" for i in range(9))), (2, 2, "i32")),
        (FlagsType(tuple(f"f{i}" for i in range(32))), (4, 4, "i32")),
        (FlagsType(tuple(f"f{i}" for i in range(33))), (8, 4, "i32 i32")),
        (TupleType((U8, U16, U8)), (6, 2, "i32 i32 i32")),
        (OptionType(U8), (2, 1, "i32 i32")),
        (OptionType(OptionType(U64)), (24, 8, "i32 i32 i64")),
        (ResultType(), (1, 1, "i32")),
        (ResultType(F32, U32), (8, 4, "i32 i32")),
        (ResultType(F64, U32), (16, 8, "i32 i64")),
        (ResultType(F32, F32), (8, 4, "i32 f32")),
        (EVENT, (32, 8, "i32 i64 i32 i32 i32")),
        (ResultType(None, ERROR), (16, 4, "i32 i32 i32 i32")),
    ],
)
def test_layouts_known_from_the_specification(wit_type: Type, expected: tuple[int, int, str]) -> None:
    """Size, alignment and flat core values of one type of each kind."""
    assert (size(wit_type), align(wit_type), " ".join(flatten(wit_type))) == expected


@given(types)
def test_layouts_are_consistent(wit_type: Type) -> None:
    """Sizes are multiples of alignments, fields lie in order, aligned and within."""
    assert align(wit_type) in (1, 2, 4, 8)
    assert size(wit_type) % align(wit_type) == 0
    assert set(flatten(wit_type)) <= {"i32", "i64", "f32", "f64"}
    match wit_type:
        case RecordType(fields):
            parts = [f.type for f in fields]
        case TupleType(elements):
            parts = list(elements)
        case VariantType() | OptionType() | ResultType():
            assert flatten(wit_type)[0] == "i32"
            assert 1 <= payload_offset(wit_type) <= size(wit_type)
            return
        case _:
            return
    end = 0
    for at, part in zip(offsets(parts), parts, strict=True):
        assert at >= end
        assert at % align(part) == 0
        end = at + size(part)
    assert end <= size(wit_type)
    assert flatten(wit_type) == tuple(core for part in parts for core in flatten(part))


def test_signatures_of_core_functions() -> None:
    """Exports return a pointer to a large result, imports take one; many parameters become one pointer."""
    handle = Function("handle", (Param("event", EVENT),), ResultType(None, ERROR))
    params = ("i32", "i64", "i32", "i32", "i32")
    assert core_signature(handle) == (params, ("i32",))
    assert core_signature(handle, lowered=True) == ((*params, "i32"), ())
    assert core_signature(Function("f", (), U64)) == ((), ("i64",))
    many = Function("many", tuple(Param(f"p{i}", U8) for i in range(17)))
    assert core_signature(many) == (("i32",), ())
