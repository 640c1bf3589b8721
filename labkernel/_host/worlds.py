"""A world that was read off a component, as plain data and back. It knows no engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkernel._wit import Function, Interface, NamedType, OpaqueType, World, from_data, to_data

__all__ = ["world_from_data", "world_to_data"]


def world_to_data(world: World) -> list[Any]:
    """Return the world's imports and exports as plain data."""
    return [_to_data(world.imports), _to_data(world.exports)]


def _to_data(items: Sequence[Function | Interface]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if isinstance(item, Function):
            found.append(item.to_data())
        else:
            types = [[t.name, to_data(t.type)] for t in item.types]
            found.append(
                {"name": item.name, "functions": [f.to_data() for f in item.functions], "types": types}
            )
    return found


def world_from_data(data: Any) -> World:
    """Return the world that `world_to_data` gave this data for."""
    imports, exports = (tuple(_from_data(item) for item in items) for items in data)
    return World("root", imports=imports, exports=exports)


def _from_data(item: Any) -> Function | Interface:
    if isinstance(item, dict):
        functions = tuple(Function.from_data(f) for f in item["functions"])
        types = tuple(NamedType(name, from_data(t) or OpaqueType("type")) for name, t in item["types"])
        return Interface(item["name"], functions, types)
    return Function.from_data(item)
