"""The starter cell of a world in Rust: every function it asks for, with an answer that compiles.

This module knows no tool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from labkernel._toolchains.rust.names import RustWorld, camel, ident
from labkernel._wit import (
    EnumType,
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
        resources = world.resources_of(key)
        body = [f"type {camel(name)} = {_own(name)};\n" for name in resources]
        body += [_function(world, f) for f in world.functions_of(key) if "[" not in f.name]
        parts.append(_impl(world.trait(key), "Component", body))
        parts += [_resource(world, key, name) for name in resources]
    return "\n".join(parts)


def _impl(trait: str, target: str, body: list[str]) -> str:
    text = "\n".join(body)
    inner = "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
    return f"impl {trait} for {target} {{\n{inner}}}\n"


def _own(resource: str) -> str:
    """Return the name of the cell's own type that stands for a resource."""
    return f"My{camel(resource)}"


def _resource(world: RustWorld, key: str, name: str) -> str:
    """Return the type that holds what a resource keeps, and the impl of its functions."""
    trait = f"{world.trait(key).removesuffix('Guest')}Guest{camel(name)}"
    body = [
        _method(world, f, name)
        for f in world.functions_of(key)
        if f.name.partition("]")[2].partition(".")[0] == name
    ]
    return f"/// What a {name} keeps.\nstruct {_own(name)};\n\n{_impl(trait, _own(name), body)}"


def _method(world: RustWorld, function: Function, resource: str) -> str:
    kind, _, rest = function.name[1:].partition("]")
    if kind == "constructor":
        result = f"Ok({_own(resource)})" if isinstance(function.result, ResultType) else _own(resource)
        returns = "Self"
        if isinstance(function.result, ResultType):
            returns = f"Result<Self, {world.type_text(function.result.err, absolute=False)}>"
        return _written(world, function, "new", function.params, "", returns, result)
    receiver = "&self" if kind == "method" else ""
    params = function.params[1:] if kind == "method" else function.params
    returns = world.type_text(function.result, absolute=False) if function.result else ""
    result = _default(world, function.result) if function.result else ""
    return _written(world, function, ident(rest.partition(".")[2]), params, receiver, returns, result)


def _function(world: RustWorld, function: Function) -> str:
    returns = world.type_text(function.result, absolute=False) if function.result else ""
    result = _default(world, function.result) if function.result else ""
    return _written(world, function, ident(function.name), function.params, "", returns, result)


def _written(
    world: RustWorld, function: Function, name: str, params: Sequence[Param], receiver: str, returns: str,
    result: str,
) -> str:  # fmt: skip
    docs = "".join(f"/// {line}\n" if line else "///\n" for line in function.docs.splitlines())
    given = [f"{ident(p.name)}: {world.type_text(p.type, absolute=False)}" for p in params]
    names = ", ".join(ident(p.name) for p in params)
    lines = [f"    let _ = {names if len(params) == 1 else f'({names})'};\n"] if params else []
    lines += [f"    {result}\n"] if result else []
    head = f"fn {name}({', '.join([receiver] * bool(receiver) + given)}){f' -> {returns}' if returns else ''}"
    return f"{docs}{head} {{\n{''.join(lines)}}}\n"


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
        case HandleType(resource, "own", owner) if resource in world.resources_of(owner):
            return f"{world.type_text(wit_type, absolute=False)}::new({_own(resource)})"
        case _:
            return "todo!()"
