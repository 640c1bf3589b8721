"""Functions, interfaces, worlds and packages of WIT as frozen records, with their text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labkernel._wit.types import Type, from_data, to_data, type_text

__all__ = ["Function", "Interface", "NamedType", "Package", "Param", "World"]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a function."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `interface` is the full id of its interface, empty for a function of the world itself."""

    name: str
    params: tuple[Param, ...] = ()
    result: Type | None = None
    interface: str = ""
    docs: str = ""
    is_async: bool = False

    @property
    def full_name(self) -> str:
        """The name calls use: `handle`, or `ns:pkg/iface@1.0.0#handle` for an interface's function."""
        return f"{self.interface}#{self.name}" if self.interface else self.name

    @property
    def text(self) -> str:
        """The signature as WIT writes it."""
        params = ", ".join(f"{p.name}: {type_text(p.type)}" for p in self.params)
        result = "" if self.result is None else f" -> {type_text(self.result)}"
        return f"{self.name}: {'async ' if self.is_async else ''}func({params}){result}"

    def to_data(self) -> list[Any]:
        """Return the function as plain data."""
        params = [[p.name, to_data(p.type)] for p in self.params]
        return [self.name, params, to_data(self.result), self.interface, self.docs, self.is_async]

    @classmethod
    def from_data(cls, data: Any) -> Function:
        """Return the function that `to_data` gave this data for."""
        name, params, result, interface, docs, is_async = data
        made = []
        for param, wit_type in params:
            made_type = from_data(wit_type)
            if made_type is None:
                raise ValueError(f"parameter {param!r} has no type")
            made.append(Param(param, made_type))
        return cls(name, tuple(made), from_data(result), interface, docs, is_async)


@dataclass(frozen=True, slots=True)
class NamedType:
    """A type declared under a name. `alias_of` is set where it only renames another (`type`, `use`).

    For a resource `type` is an `OpaqueType("resource")`. `line` counts from 1 in the package's text; 0 is unknown.
    """

    name: str
    type: Type
    docs: str = ""
    alias_of: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface; `name` is its full id (`wasi:clocks/wall-clock@0.2.12`) or its name in the world."""

    name: str
    functions: tuple[Function, ...] = ()
    types: tuple[NamedType, ...] = ()
    docs: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """What a component may import and must export.

    `package` is the full id of its package (`example-corp:faas-platform@0.0.1`), empty for a
    world that was read off a component.
    """

    name: str
    package: str = ""
    imports: tuple[Function | Interface, ...] = ()
    exports: tuple[Function | Interface, ...] = ()
    types: tuple[NamedType, ...] = ()
    docs: str = ""

    @property
    def full_name(self) -> str:
        """The full id: `example-corp:faas-platform/faas@0.0.1`."""
        if not self.package:
            return self.name
        path, _, version = self.package.partition("@")
        return f"{path}/{self.name}@{version}" if version else f"{path}/{self.name}"

    def to_data(self) -> dict[str, Any]:
        """Return the world as plain data."""
        return {
            "name": self.name,
            "package": self.package,
            "imports": [_item_data(item) for item in self.imports],
            "exports": [_item_data(item) for item in self.exports],
            "types": [_named_data(t) for t in self.types],
            "docs": self.docs,
        }

    @classmethod
    def from_data(cls, data: Any) -> World:
        """Return the world that `to_data` gave this data for."""
        return cls(
            data["name"],
            data["package"],
            tuple(_item_from(item) for item in data["imports"]),
            tuple(_item_from(item) for item in data["exports"]),
            tuple(_named_from(t) for t in data["types"]),
            data["docs"],
        )

    def functions(self) -> Iterator[Function]:
        """Yield every exported function, those of interfaces included."""
        for item in self.exports:
            if isinstance(item, Function):
                yield item
            else:
                yield from item.functions

    def imported(self) -> tuple[str, ...]:
        """Return the names of what is imported, interfaces by full id."""
        return tuple(item.name for item in self.imports)


def _named_data(named: NamedType) -> list[Any]:
    return [named.name, to_data(named.type), named.docs, named.alias_of, named.line]


def _named_from(data: Any) -> NamedType:
    name, wit_type, docs, alias_of, line = data
    made = from_data(wit_type)
    if made is None:
        raise ValueError(f"type {name!r} has no definition")
    return NamedType(name, made, docs, alias_of, line)


def _item_data(item: Function | Interface) -> dict[str, Any]:
    if isinstance(item, Function):
        return {"function": item.to_data()}
    return {
        "interface": item.name,
        "functions": [f.to_data() for f in item.functions],
        "types": [_named_data(t) for t in item.types],
        "docs": item.docs,
    }


def _item_from(data: Any) -> Function | Interface:
    if "function" in data:
        return Function.from_data(data["function"])
    return Interface(
        data["interface"],
        tuple(Function.from_data(f) for f in data["functions"]),
        tuple(_named_from(t) for t in data["types"]),
        data["docs"],
    )


@dataclass(frozen=True, slots=True)
class Package:
    """One WIT package: its worlds, its interfaces, its text as written and as resolved.

    `files` maps a path (`world.wit`, `deps/wasi-clocks.wit`) to text that any WIT tool reads as it stands:
    the semantics of `text` with every dependency beside it, each with a version.
    """

    name: str
    worlds: tuple[World, ...]
    interfaces: tuple[Interface, ...]
    text: str
    files: tuple[tuple[str, str], ...] = ()
    docs: str = ""
    notes: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return the package as plain data."""
        return {
            "name": self.name,
            "worlds": [world.to_data() for world in self.worlds],
            "interfaces": [_item_data(interface) for interface in self.interfaces],
            "text": self.text,
            "files": [list(file) for file in self.files],
            "docs": self.docs,
            "notes": list(self.notes),
        }

    @classmethod
    def from_data(cls, data: Any) -> Package:
        """Return the package that `to_data` gave this data for."""
        interfaces = [_item_from(interface) for interface in data["interfaces"]]
        return cls(
            data["name"],
            tuple(World.from_data(world) for world in data["worlds"]),
            tuple(item for item in interfaces if isinstance(item, Interface)),
            data["text"],
            tuple((path, text) for path, text in data["files"]),
            data["docs"],
            tuple(data["notes"]),
        )
