"""Handles that JavaScript's engines cannot take: they find an object that a cell made by the handle, not its number.

So a function that is given an exported resource itself (`own`) would get another object, or none: seen with
componentize-qjs 0.4.5 and componentize-js 0.23, where `borrow` is right. This module knows no tool.
"""

from __future__ import annotations

from labkernel._wit import (
    Function,
    HandleType,
    Interface,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    World,
)

__all__ = ["given_away"]


def given_away(world: World) -> tuple[Function, str] | None:
    """Return the first exported function that is handed a resource of the world's own exports, and its name."""
    own = {item.name for item in world.exports if isinstance(item, Interface)}
    for function in world.functions():
        for param in function.params:
            for handle in _handles(param.type):
                if handle.kind == "own" and handle.owner in own:
                    return function, handle.resource
    return None


def _handles(wit_type: Type | None) -> list[HandleType]:
    """Return the handles within a type."""
    parts: list[Type | None]
    match wit_type:
        case HandleType():
            return [wit_type]
        case ListType(element):
            parts = [element]
        case OptionType(payload):
            parts = [payload]
        case ResultType(ok, err):
            parts = [ok, err]
        case TupleType(elements):
            parts = list(elements)
        case RecordType(fields):
            parts = [field.type for field in fields]
        case VariantType(cases):
            parts = [case.type for case in cases]
        case _:
            parts = []
    return [handle for part in parts for handle in _handles(part)]
