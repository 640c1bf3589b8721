"""The header that wit-bindgen writes for C, read back: its types, constants and functions.

What labkernel says about a world in C (short names, missing functions, the starter) comes from here, so
that it is what the compiler sees. This module knows no cell and no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from labkernel._wit import Function, Interface, World

__all__ = ["Header", "Prototype", "snake"]

_TYPE: Final = re.compile(r"^(?:\}\s*|typedef\s+[^;{}]*?\b)(\w+);", re.MULTILINE)
_CONSTANT: Final = re.compile(r"^#define (\w+) \S", re.MULTILINE)
_PROTOTYPE: Final = re.compile(
    r"^(?:extern\s+)?(?!typedef|return|struct\s+\w+\s*\{)((?:const\s+)?\w+(?:\s+\w+)*?[\s*]+)(\w+)\(([^;{]*)\);",
    re.MULTILINE,
)
_ALIAS: Final = re.compile(r"^typedef (\w+) (\w+);", re.MULTILINE)
_SECTION: Final = re.compile(r"^// (Imported|Exported|Helper) Functions(?: from `([^`]*)`)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prototype:
    """One function of the header. `kind` is `imported`, `exported` or `helper`."""

    name: str
    returns: str
    params: str
    kind: str

    def text(self, name: str | None = None) -> str:
        """Return the declaration without its semicolon, under another name where one is given."""
        space = "" if self.returns.endswith("*") else " "
        return f"{self.returns}{space}{name or self.name}({self.params})"


class Header:
    """A generated header of a world."""

    def __init__(self, text: str, world: World) -> None:
        self.text = text
        self.world = world
        self.types = tuple(dict.fromkeys(_TYPE.findall(text)))
        self.constants = tuple(n for n in _CONSTANT.findall(text) if not n.startswith("__BINDINGS"))
        self.functions = tuple(_functions(text))

    @property
    def exported(self) -> tuple[Prototype, ...]:
        """The functions that a cell must define: those exported, and what ends a resource of its own."""
        return tuple(f for f in self.functions if f.kind == "exported")

    def aliases(self) -> dict[str, str]:
        """Return each type that only renames another, with the one at the end of the chain."""
        direct = {new: old for old, new in _ALIAS.findall(self.text) if old in self.types}
        found = {}
        for name, target in direct.items():
            while target in direct:
                target = direct[target]
            found[name] = target
        return found

    def prototype_of(self, function: Function) -> Prototype | None:
        """Return the function to define for an exported function of the world."""
        stem = _path_name(function.interface) if function.interface else snake(self.world.name)
        wanted = f"exports_{stem}_{snake(function.name)}"
        return next((f for f in self.exported if f.name.rstrip("_") == wanted), None)

    def prefixes(self) -> list[tuple[str, str]]:
        """Return (prefix, short prefix) pairs, longest first: what may be left out, and what may stay."""
        world = snake(self.world.name)
        found = {f"exports_{world}_": "", f"{world}_": ""}
        for item in (*self.world.imports, *self.world.exports):
            if isinstance(item, Interface):
                path, short = _path_name(item.name), snake(item.name.partition("@")[0].rpartition("/")[2])
                found[f"exports_{path}_"] = f"{short}_"
                found[f"{path}_"] = f"{short}_"
        return sorted(found.items(), key=lambda pair: -len(pair[0]))


def snake(name: str) -> str:
    """Return a kebab name as C writes it.

    >>> snake("event-type")
    'event_type'
    """
    return re.sub(r"\W+", "_", name).lower()


def _path_name(interface: str) -> str:
    """Return how the names of an interface begin: `wasi_clocks_wall_clock`, the version left out."""
    return snake(interface.partition("@")[0])


def _functions(text: str) -> Iterable[Prototype]:
    marks = [(m.start(), m[1].lower()) for m in _SECTION.finditer(text)]
    for match in _PROTOTYPE.finditer(text):
        kind = next((kind for start, kind in reversed(marks) if start < match.start()), "helper")
        if match[2].startswith("exports_") and match[2].endswith("_destructor"):
            kind = "exported"  # it ends a resource of the cell's own, and is declared among the helpers
        returns = re.sub(r"\s+", " ", match[1]).strip().replace(" *", " *")
        yield Prototype(match[2], returns, match[3].strip() or "void", kind)
