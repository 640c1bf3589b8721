"""A Rust cell as a program of this machine: the same source, called once with given values.

It is what a component's start is compared with. This module knows no tool but rustc's command line.
"""

from __future__ import annotations

from typing import Any

from labkernel._toolchains.rust.names import RustWorld, camel, ident
from labkernel._toolchains.rust.scaffold import Scaffold
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

__all__ = ["main_function", "value"]


def main_function(crate: Scaffold, world: RustWorld, function: Function, args: list[Any]) -> str:
    """Return `fn main()` that calls a function of the cell and prints its answer."""
    path = f"<{crate.target} as crate::{world.trait(function.interface)}>"
    name = world.signature(function)[3:].partition("(")[0]
    given = ", ".join(value(world, arg, p.type) for arg, p in zip(args, function.params, strict=True))
    return f'fn main() {{ println!("{{:?}}", {path}::{name}({given})); }}\n'


def value(world: RustWorld, normal: Any, wit_type: Type | None) -> str:
    """Return the Rust expression of a value in normal form."""

    def of(part: Any, part_type: Type | None) -> str:
        return value(world, part, part_type)

    match wit_type:
        case None:
            return "()"
        case Primitive(name):
            return _primitive(normal, name)
        case ListType(element):
            return f"::std::vec![{', '.join(of(e, element) for e in normal)}]"
        case TupleType(elements):
            return f"({''.join(of(v, t) + ', ' for v, t in zip(normal, elements, strict=True))})"
        case OptionType(payload):
            return (
                "::core::option::Option::None"
                if normal is None
                else f"::core::option::Option::Some({of(normal[0], payload)})"
            )
        case ResultType(ok, err):
            case, payload = normal
            return f"::core::result::Result::{case.capitalize()}({of(payload, ok if case == 'ok' else err)})"
        case RecordType(fields):
            inner = ", ".join(
                f"{ident(f.name)}: {of(v, f.type)}" for f, v in zip(fields, normal, strict=True)
            )
            return f"{world.path(wit_type)} {{ {inner} }}"
        case VariantType(cases):
            case, payload = normal
            payload_type = next(c.type for c in cases if c.name == case)
            inner = "" if payload_type is None else f"({of(payload, payload_type)})"
            return f"{world.path(wit_type)}::{camel(case)}{inner}"
        case EnumType():
            return f"{world.path(wit_type)}::{camel(normal)}"
        case FlagsType():
            path = world.path(wit_type)
            return " | ".join(f"{path}::{n.replace('-', '_').upper()}" for n in normal) or f"{path}::empty()"
        case _:
            raise ValueError(f"a {type(wit_type).__name__} has no literal")


def _primitive(normal: Any, name: str) -> str:
    match name:
        case "bool":
            return "true" if normal else "false"
        case "char":
            return f"'\\u{{{ord(normal):x}}}'"
        case "string":
            return f'::std::string::String::from("{"".join(map(_letter, normal))}")'
        case "f32" | "f64":
            special = {"inf": "INFINITY", "-inf": "NEG_INFINITY", "nan": "NAN"}.get(repr(float(normal)))
            return f"{name}::{special}" if special else f"({float(normal)!r}_{name})"
        case _:
            return f"({normal})"


def _letter(char: str) -> str:
    return char if char.isascii() and char.isprintable() and char not in '"\\' else f"\\u{{{ord(char):x}}}"
