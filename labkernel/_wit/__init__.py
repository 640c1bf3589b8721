"""WIT as data: types, functions, interfaces, worlds, packages. It knows no engine, no tool, no notebook."""

from __future__ import annotations

from labkernel._wit.types import (
    PRIMITIVES,
    Case,
    EnumType,
    Field,
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
    body_text,
    from_data,
    to_data,
    type_text,
)
from labkernel._wit.world import Function, Interface, NamedType, Package, Param, World

__all__ = [
    "PRIMITIVES",
    "Case",
    "EnumType",
    "Field",
    "FlagsType",
    "Function",
    "HandleType",
    "Interface",
    "ListType",
    "NamedType",
    "OpaqueType",
    "OptionType",
    "Package",
    "Param",
    "Primitive",
    "RecordType",
    "ResultType",
    "TupleType",
    "Type",
    "VariantType",
    "World",
    "body_text",
    "from_data",
    "to_data",
    "type_text",
]
