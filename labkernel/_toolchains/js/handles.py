"""Handles that JavaScript's engines cannot take: they find an object that a cell made by the handle, not its number.

So a function that is given an exported resource itself (`own`) would get another object, or none: seen with
componentize-qjs 0.4.5 and componentize-js 0.23, where `borrow` is right. This module knows no tool.
"""

from __future__ import annotations

from labkernel._wit import (
    Function,
    HandleType,
    Interface,
    World,
    parts,
)

__all__ = ["given_away"]


def given_away(world: World) -> tuple[Function, str] | None:
    """Return the first exported function that is handed a resource of the world's own exports, and its name."""
    own = {item.name for item in world.exports if isinstance(item, Interface)}
    for function in world.functions():
        for param in function.params:
            for part in parts(param.type):
                if isinstance(part, HandleType) and part.kind == "own" and part.owner in own:
                    return function, part.resource
    return None
