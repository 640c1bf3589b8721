"""WIT types and functions as the data that the guest checks values by (see `guest/values.js`).

This module knows no tool and no cell.
"""

from __future__ import annotations

import json
from typing import Any

from labkernel._toolchains.js.names import JsWorld, camel, method_of, pascal
from labkernel._toolchains.js.values import example
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

__all__ = ["world_shape"]


class _Table:
    """Types by number, so that one that is used often is there once."""

    def __init__(self) -> None:
        self.types: list[Any] = []
        self._numbers: dict[str, int] = {}

    def of(self, wit_type: Type) -> Any:
        """Return a type: a name for a primitive, otherwise its number."""
        made = self._made(wit_type)
        if isinstance(made, str):
            return made
        key = json.dumps(made)
        if key not in self._numbers:
            self._numbers[key] = len(self.types)
            self.types.append(made)
        return self._numbers[key]

    def _maybe(self, wit_type: Type | None) -> Any:
        return None if wit_type is None else self.of(wit_type)

    def _made(self, wit_type: Type) -> Any:
        match wit_type:
            case Primitive(name):
                return name
            case ListType(element):
                return ["list", self.of(element)]
            case OptionType(payload):
                return ["nested" if isinstance(payload, OptionType) else "option", self.of(payload)]
            case ResultType(ok, err):
                return ["result", self._maybe(ok), self._maybe(err)]
            case TupleType(elements):
                return ["tuple", *map(self.of, elements)]
            case RecordType(fields):
                made = [[camel(f.name), self.of(f.type), isinstance(f.type, OptionType)] for f in fields]
                return ["record", made, wit_type.name]
            case VariantType(cases):
                return ["variant", [[c.name, self._maybe(c.type)] for c in cases], wit_type.name]
            case EnumType(names):
                return ["enum", list(names), wit_type.name]
            case FlagsType(names):
                return ["flags", [camel(n) for n in names], wit_type.name]
            case _:
                return "any"


def world_shape(world: JsWorld) -> dict[str, Any]:
    """Return the world: its types, what it imports and what it exports."""
    table = _Table()
    modules = {item.name: _module(item, table) for item in world.import_interfaces}
    globals_ = {camel(f.name): _sig(f, f.name, table) for f in world.import_functions}
    exports = []
    for each in world.exports:
        functions = {camel(f.name): _exported(f, table, world) for f in each.functions}
        if not each.is_interface:
            exports.append({"name": each.name, "sig": functions[each.name]})
            continue
        classes = {
            pascal(name): [camel(m[2]) for m in map(method_of, functions) if m and m[0] == "static"]
            for name, functions in each.classes.items()
        }
        exports.append({"name": each.name, "functions": functions, "classes": classes})
    return {"types": table.types, "globals": globals_, "modules": modules, "exports": exports}


def _module(interface: Interface, table: _Table) -> dict[str, Any]:
    """Return an imported interface: its functions, and the methods of its classes."""
    functions: dict[str, Any] = {}
    classes: dict[str, dict[str, dict[str, Any]]] = {}
    for named in interface.types:
        if getattr(named.type, "text", "") == "resource" and not named.alias_of:
            classes[pascal(named.name)] = {"own": {}, "fixed": {}}
    for function in interface.functions:
        kind, resource, name = method_of(function) or ("", "", function.name)
        if not kind:
            functions[camel(name)] = _sig(function, name, table)
        elif kind != "constructor":
            place = "own" if kind == "method" else "fixed"
            members = classes.setdefault(pascal(resource), {"own": {}, "fixed": {}})
            members[place][camel(name)] = _sig(function, name, table, skip=int(kind == "method"))
    return {"functions": functions, "classes": classes}


def _sig(function: Function, name: str, table: _Table, *, skip: int = 0) -> dict[str, Any]:
    result = function.result
    ok = result.ok if isinstance(result, ResultType) else result
    err = result.err if isinstance(result, ResultType) else None
    return {
        "name": camel(name),
        "params": [[camel(p.name), table.of(p.type)] for p in function.params[skip:]],
        "ok": None if ok is None else table.of(ok),
        "err": None if err is None else table.of(err),
    }


def _exported(function: Function, table: _Table, world: JsWorld) -> dict[str, Any]:
    result = function.result
    throws = isinstance(result, ResultType)
    err = result.err if isinstance(result, ResultType) else None
    return {
        **_sig(function, function.name, table),
        "wit": function.text,
        "flat": world.is_flat(function),
        "throws": throws,
        "example": f"throw {example(err)};" if err is not None else "throw undefined;",
    }
