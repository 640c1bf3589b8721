"""The Go packages that wit-bindgen writes for a world, read back: what each declares.

What labkernel says about a world in Go comes from here, so that it is what the compiler sees. This module
knows no cell and no tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["MODULE", "WORLD", "Bindings", "GoPackage", "snake", "title"]

MODULE: Final = "wit_component"
#: The package of what the world itself declares.
WORLD: Final = "wit_world"
_FILE: Final = "wit_bindings.go"
_TYPE: Final = re.compile(r"^type (\w+)(?: = (?:(\w+)\.)?(\w+)$)?", re.MULTILINE)
_FUNC: Final = re.compile(r"^func ([A-Z]\w*)\(", re.MULTILINE)
_BLOCK: Final = re.compile(r"^const \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_CONSTANT: Final = re.compile(r"^\s*([A-Z]\w*) u?int", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GoPackage:
    """One package: its types with what they only rename (`package.Name`), functions and constants."""

    name: str
    types: Mapping[str, str]
    functions: tuple[str, ...]
    constants: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path by which it is imported."""
        return f"{MODULE}/{self.name}"


class Bindings:
    """The generated files of a world."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = {name: data.decode() for name, data in files.items()}
        self.packages = {
            name.partition("/")[0]: _read(name.partition("/")[0], text)
            for name, text in self.files.items()
            if name.endswith(f"/{_FILE}")
        }
        self._ends = {(p.name, t): end for p in self.packages.values() for t, end in p.types.items()}

    def end_of(self, package: str, name: str) -> tuple[str, str]:
        """Return package and name of what a type is in the end, renamings followed."""
        seen = set()
        while (package, name) not in seen:
            seen.add((package, name))
            target = self._ends.get((package, name), "")
            if "." not in target:
                break
            package, _, name = target.partition(".")
        return package, name


def _read(name: str, text: str) -> GoPackage:
    types = {}
    for match in _TYPE.finditer(text):
        target = f"{match[2] or name}.{match[3]}" if match[3] and match[3][:1].isupper() else ""
        types[match[1]] = target
    constants = [c for block in _BLOCK.findall(text) for c in _CONSTANT.findall(block)]
    return GoPackage(name, types, tuple(_FUNC.findall(text)), tuple(constants))


def _parts(name: str) -> list[str]:
    return [part.lower() for part in re.split(r"\W+", name) if part]


def title(name: str) -> str:
    """Return a kebab name as Go's bindings write types, functions and fields.

    >>> title("handler-event")
    'HandlerEvent'
    """
    return "".join(part[:1].upper() + part[1:] for part in _parts(name))


def snake(name: str) -> str:
    """Return a kebab name as Go's bindings write packages.

    >>> snake("wall-clock")
    'wall_clock'
    """
    return "_".join(_parts(name))
