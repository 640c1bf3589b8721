"""The starter cell of a world in Rust: every function it asks for, with an answer that compiles.

This module knows no tool.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from labkernel._toolchains.rust.names import RustWorld, camel, ident
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["starter"]

_ZERO: Final = {"bool": "false", "char": "'a'", "string": "String::new()", "f32": "0.0", "f64": "0.0"}


def starter(world: RustWorld) -> str:
    """Return free functions where their names are clear, and impls of the traits elsewhere."""
    names = Counter(ident(f.name) for key in world.required() for f in world.functions_of(key))
    plain = all(world.can_delegate(key) for key in world.required()) and all(n == 1 for n in names.values())
    if plain:
        return (
            "\n".join(_function(world, f) for key in world.required() for f in world.functions_of(key))
            or "\n"
        )
    parts = ["struct Component;\n"]
    for key in world.required():
        body = "\n".join(_function(world, f) for f in world.functions_of(key))
        inner = "".join(f"    {line}\n" if line else "\n" for line in body.splitlines())
        parts.append(f"impl {world.trait(key)} for Component {{\n{inner}}}\n")
    return "\n".join(parts)


def _function(world: RustWorld, function: Function) -> str:
    docs = "".join(f"/// {line}\n" if line else "///\n" for line in function.docs.splitlines())
    lines = []
    if function.params:
        names = ", ".join(ident(p.name) for p in function.params)
        lines.append(f"    let _ = {names if len(function.params) == 1 else f'({names})'};\n")
    if function.result is not None:
        lines.append(f"    {_default(world, function.result)}\n")
    return f"{docs}{world.signature(function)} {{\n{''.join(lines)}}}\n"


def _default(world: RustWorld, wit_type: Type | None) -> str:
    """Return an expression of the type."""
    match wit_type:
        case None:
            return "()"
        case Primitive(name):
            return _ZERO.get(name, "0")
        case ListType():
            return "Vec::new()"
        case OptionType():
            return "None"
        case ResultType(ok, _):
            return f"Ok({_default(world, ok)})"
        case TupleType(elements):
            inner = ", ".join(_default(world, e) for e in elements)
            return f"({inner}{',' if len(elements) == 1 else ''})"
        case RecordType(fields):
            inner = ", ".join(f"{ident(f.name)}: {_default(world, f.type)}" for f in fields)
            return f"{world.type_text(wit_type, absolute=False)} {{ {inner} }}"
        case VariantType(cases):
            first = next((c for c in cases if c.type is None), cases[0])
            payload = "" if first.type is None else f"({_default(world, first.type)})"
            return f"{world.type_text(wit_type, absolute=False)}::{camel(first.name)}{payload}"
        case EnumType(names):
            return f"{world.type_text(wit_type, absolute=False)}::{camel(names[0])}"
        case FlagsType():
            return f"{world.type_text(wit_type, absolute=False)}::empty()"
        case _:
            return "todo!()"
