"""The starter cell of a world in Go: every function it asks for, with an answer that compiles.

This module knows no tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from labkernel._toolchains.go.generated import title
from labkernel._toolchains.go.names import Exported, GoWorld, param_name
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    Interface,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["resource_function", "starter"]

_ZERO: Final = {"bool": "false", "string": '""', "char": "'a'"}


def starter(world: GoWorld) -> str:
    """Return definitions of all exported functions, and of the resources they belong to."""
    parts = [_resource(world, interface, name) for interface, name in world.resources()]
    parts += [_function(world, e) for e in world.exports]
    return "\n".join(parts) or "// The world asks for nothing.\n"


def _function(world: GoWorld, exported: Exported) -> str:
    answer = _answer(world, exported.function.result, exported)
    return _definition(world.signature(exported), exported.function, answer)


def _definition(signature: str, function: Function, answer: str) -> str:
    docs = "".join(f"// {line}".rstrip() + "\n" for line in function.docs.splitlines())
    return f"{docs}{signature} {{\n{f'{chr(9)}return {answer}{chr(10)}' if answer else ''}}}\n"


def _answer(world: GoWorld, result: Type | None, exported: Exported | None = None) -> str:
    match result:
        case None:
            return ""
        case TupleType(elements):
            return ", ".join(_default(world, e) for e in elements)
        case ResultType(ok, _) if exported is not None:
            value = "" if ok is None else _default(world, ok)
            return f"{'' if world.result else exported.name}Ok({value})"
        case _:
            return _default(world, result)


def _resource(world: GoWorld, interface: str, name: str) -> str:
    """Return a struct with the constructor and the methods that the world asks for."""
    items = [i for i in world.world.exports if isinstance(i, Interface) and i.name == interface]
    parts = [f"type {title(name)} struct {{\n\tResource\n}}\n"]
    for function in items[0].functions:
        found = resource_function(world, function)
        if found is not None and found[0] == name:
            parts.append(_definition(found[1], function, _answer(world, function.result)))
    return "\n".join(parts)


def resource_function(world: GoWorld, function: Function) -> tuple[str, str] | None:
    """Return the resource that a function belongs to, and how a cell declares it."""
    kind, mark, rest = function.name.partition("]")
    if not mark:
        return None
    resource, _, name = rest.partition(".")
    stem = title(resource)
    is_method = kind == "[method"
    params = ", ".join(
        f"{param_name(p.name)} {world.type_text(p.type)}" for p in function.params[1 if is_method else 0 :]
    )
    results = world.results_text(function.result)
    if kind == "[constructor":
        return resource, f"func Make{stem}({params}){results}"
    if is_method:
        plain = title(name)
        taken = f"{plain}_" if plain in ("TakeHandle", "SetHandle", "Handle", "Drop", "OnDrop") else plain
        return resource, f"func (self *{stem}) {taken}({params}){results}"
    return resource, f"func {stem}{title(name)}({params}){results}"


def _default(world: GoWorld, wit_type: Type | None) -> str:
    """Return an expression of the type."""
    text = world.type_text(wit_type)
    match wit_type:
        case None:
            return f"{text}{{}}"
        case Primitive(name):
            return _ZERO.get(name, "0")
        case ListType():
            return "nil"
        case OptionType(payload):
            return f"{'witTypes.' if text.startswith('witTypes.') else ''}None[{world.type_text(payload)}]()"
        case ResultType(ok, err):
            parts = f"{world.type_text(ok)}, {world.type_text(err)}"
            return f"witTypes.Ok[{parts}]({_default(world, ok)})"
        case TupleType(elements):
            inner = ", ".join(f"F{i}: {_default(world, e)}" for i, e in enumerate(elements) if _needs_care(e))
            return f"{text}{{{inner}}}"
        case RecordType(fields):
            inner = ", ".join(
                f"{title(f.name)}: {_default(world, f.type)}" for f in fields if _needs_care(f.type)
            )
            return f"{text}{{{inner}}}"
        case VariantType(cases):
            first = next((c for c in cases if c.type is None), cases[0])
            lead, dot, name = text.rpartition(".")
            value = "" if first.type is None else _default(world, first.type)
            return f"{lead}{dot}Make{name}{title(first.name)}({value})"
        case EnumType() | FlagsType():
            return "0"
        case _:
            return "nil"


def _needs_care(wit_type: Type) -> bool:
    """Whether Go's own zero of the type is no value that the bindings take."""
    match wit_type:
        case VariantType() | ResultType() | Primitive("char"):
            return True
        case RecordType() | TupleType():
            return any(map(_needs_care, _parts(wit_type)))
        case _:
            return False


def _parts(wit_type: RecordType | TupleType) -> Iterator[Type]:
    if isinstance(wit_type, TupleType):
        yield from wit_type.elements
    else:
        yield from (f.type for f in wit_type.fields)
