"""What a membrane wraps, numbered: every imported function, and the drop of every resource."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkernel._wit import Function, HandleType, Interface, OpaqueType, Param, World

__all__ = ["Resource", "Wrapped", "resources_of", "table_of"]

DROP = "[resource-drop]"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of an imported interface, by the interface's name in the world, and `owner` as handles name it."""

    interface: str
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One wrapped function; the drop of a resource counts as one: `[resource-drop]NAME`, which takes the handle."""

    number: int
    function: Function

    @property
    def is_drop(self) -> bool:
        """Whether it is the drop of a resource."""
        return self.function.name.startswith(DROP)

    @property
    def name(self) -> str:
        """Interface and function, as calls name them."""
        return self.function.full_name


def resources_of(world: World) -> list[Resource]:
    """Return the resources of a world's imported interfaces, those that an interface only uses left out."""
    return [
        Resource(item.name, named.name, item.name)
        for item in world.imports
        if isinstance(item, Interface)
        for named in item.types
        if named.type == OpaqueType("resource") and not named.alias_of
    ]


def table_of(world: World) -> tuple[Wrapped, ...]:
    """Return what a membrane for a component of this world wraps, in the order of its policy bytes."""
    return tuple(Wrapped(number, function) for number, function in enumerate(_functions(world)))


def _functions(world: World) -> Iterator[Function]:
    for item in world.imports:
        if isinstance(item, Interface):
            yield from item.functions
        else:
            yield item
    for resource in resources_of(world):
        handle = HandleType(resource.name, "own", resource.owner)
        yield Function(DROP + resource.name, (Param("self", handle),), None, resource.interface)
