"""The header that wit-bindgen writes for C++, read back: its types, and its functions by namespace.

What labkernel says about a world in C++ comes from here, so that it is what the compiler sees. This module
knows no cell and no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from labkernel._toolchains import clang
from labkernel._toolchains.cpp.braces import pieces
from labkernel._wit import Function, Interface, World

__all__ = ["Header", "Prototype", "snake", "title"]

_TYPE: Final = re.compile(r"^(?:struct|class|enum class)\s+(\w+)|^using\s+(\w+)\s*=\s*([\w:]+)$")
_FUNCTION: Final = re.compile(r"^(?!using\b|inline\b|static\b|constexpr\b)(.+?)\b(\w+)\((.*)\)$", re.DOTALL)


_MEMBER: Final = re.compile(r"^\s*(?:static )?((?:[\w:<>,*& ]+ )?)(\w+)\((.*)\)(?: const)?;$")


@dataclass(frozen=True, slots=True)
class Prototype:
    """One function: its namespaces, what it answers, its parameters as they stand."""

    spaces: tuple[str, ...]
    name: str
    returns: str
    params: str

    @property
    def path(self) -> str:
        """The name with its namespaces."""
        return "::".join([*self.spaces, self.name])

    def text(self, name: str | None = None) -> str:
        """Return the declaration without its semicolon, under another name where one is given."""
        return f"{self.returns} {name or self.name}({self.params})".lstrip()

    def param_names(self) -> list[str]:
        """Return the names of the parameters."""
        return [m for part in _split(self.params) for m in re.findall(r"(\w+)$", part.strip())]


class Header:
    """A generated header of a world, with those of its resources in front."""

    def __init__(self, text: str, world: World) -> None:
        self.text = text
        self.world = world
        self.types: dict[str, str] = {}  # path -> what it only renames, or nothing
        self.functions: list[Prototype] = []
        for piece in pieces(clang.masked(text)):
            head = " ".join(piece.head.split())
            declared, function = _TYPE.match(head), _FUNCTION.match(head)
            path = "::".join(piece.spaces)
            if declared is not None:
                name = declared[1] or declared[2]
                self.types[f"{path}::{name}"] = declared[3] or ""
            elif function is not None and not piece.has_body and piece.spaces:
                self.functions.append(Prototype(piece.spaces, function[2], function[1].strip(), function[3]))
        self.members = list(self._members())

    def _members(self) -> Iterator[Prototype]:
        """Yield what a cell must define of the classes of exported resources."""
        for path in self.types:
            name = path.rpartition("::")[2]
            body = re.search(
                rf"class {name} : public wit::ResourceExportBase<{name}>\{{(.*?)\n\s*\}};",
                self.text,
                re.DOTALL,
            )
            if not path.startswith("exports::") or body is None:
                continue
            for line in body[1].splitlines():
                found = _MEMBER.match(line)
                if found and found[2] not in ("New", "ResourceNew", "ResourceRep", "ResourceDrop"):
                    yield Prototype(tuple(path.split("::")), found[2], (found[1] or "").strip(), found[3])

    @property
    def exported(self) -> list[Prototype]:
        """The functions that a cell must define."""
        return [f for f in self.functions if f.spaces[0] == "exports"]

    @property
    def imported(self) -> list[Prototype]:
        """The functions that a cell may call."""
        return [f for f in self.functions if f.spaces[0] != "exports"]

    def space_of(self, key: str) -> tuple[str, ...]:
        """Return the namespaces of an interface, or of the world itself for an empty key."""
        # An interface that is written out in the world has the package's namespaces.
        named = key if "/" in key or not key else self.world.package
        path = named.partition("@")[0] or self.world.name
        wanted = [snake(part) for part in re.split(r"[:/]", path)]
        for path in (*self.types, *(f.path for f in self.functions)):
            parts = path.split("::")[:-1]
            lead = parts[1:] if parts[:1] == ["exports"] else parts
            if [part.rstrip("_") for part in lead] == wanted:
                return tuple(lead)
        return tuple(wanted)

    def prototype_of(self, function: Function) -> Prototype | None:
        """Return the function to define for an exported function of the world."""
        wanted = ("exports", *self.space_of(function.interface)), title(function.name)
        return next((f for f in self.exported if (f.spaces, f.name) == wanted), None)

    def end_of(self, path: str) -> str:
        """Return the path of what a type is in the end, renamings followed."""
        seen = set()
        while path not in seen:
            seen.add(path)
            target = self.types.get(path, "")
            path = next(iter(self._found(path, target)), path) if target else path
        return path

    def _found(self, path: str, target: str) -> Iterator[str]:
        """Yield the types that a name means where another is declared, innermost first."""
        spaces = path.split("::")[:-1]
        for n in range(len(spaces), -1, -1):
            made = "::".join([*spaces[:n], *target.removeprefix("::").split("::")])
            if made in self.types and made != path:
                yield made

    def interfaces(self) -> dict[str, tuple[str, ...]]:
        """Return the namespaces of each interface by its full name."""
        items = (*self.world.imports, *self.world.exports)
        return {i.name: self.space_of(i.name) for i in items if isinstance(i, Interface)}


def _split(params: str) -> Iterator[str]:
    """Yield the parts of a parameter list."""
    depth, part = 0, ""
    for letter in params:
        depth += (letter in "<([") - (letter in ">)]")
        if letter == "," and not depth:
            yield part
            part = ""
        else:
            part += letter
    if part.strip():
        yield part


def _parts(name: str) -> list[str]:
    return [part.lower() for part in re.split(r"\W+", name) if part]


def title(name: str) -> str:
    """Return a kebab name as C++ bindings write types and functions.

    >>> title("handler-event")
    'HandlerEvent'
    """
    return "".join(part[:1].upper() + part[1:] for part in _parts(name))


def snake(name: str) -> str:
    """Return a kebab name as C++ bindings write namespaces and fields.

    >>> snake("wall-clock")
    'wall_clock'
    """
    return "_".join(_parts(name))
