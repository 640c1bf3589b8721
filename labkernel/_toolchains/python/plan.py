"""The plan of a world: which functions fill which classes, and the types of all that goes to and fro.

It is what the app's `prepare` is told, as plain data, with names as Python has them. This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from labkernel._toolchains.python.names import Export, camel, case_class, short, shouty, snake
from labkernel._wit import (
    EnumType,
    FlagsType,
    Interface,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = ["answer_types", "imports_of", "plan_type"]

_OTHER: Final = {"bool": "bool", "string": "str", "char": "char", "f32": "float", "f64": "float"}


def answer_types(export: Export) -> list[Any]:
    """Return what is to be answered and what is to be raised within `Err`; `None` is not checked."""
    result = export.function.result
    if isinstance(result, ResultType):
        return [plan_type(result.ok), plan_type(result.err)]
    return [plan_type(result), None]


def imports_of(world: World) -> list[dict[str, Any]]:
    """Return the imported functions, the modules each may be in, and the types of its parameters."""
    found = []
    for item in world.imports:
        modules = [""]
        if isinstance(item, Interface):
            modules = [snake(short(item.name)), snake(re.sub(r"[^\w-]", "-", item.name))]
        for function in item.functions if isinstance(item, Interface) else (item,):
            if not function.name.startswith("["):
                types = [[snake(p.name), plan_type(p.type)] for p in function.params]
                found.append({"modules": modules, "name": snake(function.name), "params": types})
    return found


def plan_type(wit_type: Type | None) -> list[Any] | None:
    """Return a type as the component's side checks it.

    >>> plan_type(ListType(Primitive("s8")))
    ['list', ['int', -128, 127]]
    """
    match wit_type:
        case Primitive(name):
            return [_OTHER[name]] if name in _OTHER else ["int", *_range(name)]
        case ListType(element):
            return ["bytes"] if element == Primitive("u8") else ["list", plan_type(element)]
        case OptionType(payload):
            return ["option", plan_type(payload), isinstance(payload, OptionType)]
        case ResultType(ok, err):
            return ["result", plan_type(ok), plan_type(err)]
        case TupleType(elements):
            return ["tuple", [plan_type(element) for element in elements]]
        case RecordType(fields):
            return ["record", camel(wit_type.name), [[snake(f.name), plan_type(f.type)] for f in fields]]
        case VariantType(cases):
            name = wit_type.name
            return ["variant", camel(name), {case_class(name, c.name): plan_type(c.type) for c in cases}]
        case EnumType(names):
            return ["enum", camel(wit_type.name), _some(wit_type.name, names, "one of")]
        case FlagsType(names):
            return ["flags", camel(wit_type.name), _some(wit_type.name, names, "flags, as in")]
        case _:
            return None


def _some(name: str, parts: Sequence[str], lead: str) -> str:
    shown = ", ".join(f"{camel(name)}.{shouty(part)}" for part in parts[:6])
    return f"{lead} {shown}{', ...' if len(parts) > 6 else ''}"


def _range(name: str) -> tuple[int, int]:
    bits = int(name[1:])
    return (0, (1 << bits) - 1) if name[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)
