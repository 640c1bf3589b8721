"""Versions kept apart: a component may import one interface in two compatible versions, which the tool that makes
components of modules would join into one. Inside a membrane's package the older ones get a name of their own.

Only the membrane's own imports and exports bear these names; composing maps them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from labkernel._wit import Function

__all__ = ["Apart", "versions_apart"]

_NAME: Final = re.compile(r"([a-z0-9-]+:[a-z0-9-]+)/[a-z0-9-]+@(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Apart:
    """`names` maps a package with its version (`wasi:io`, `0.2.0`) to the name that it has inside a membrane."""

    names: dict[tuple[str, str], str]

    def inside(self, text: str) -> str:
        """Return WIT text, or an interface's name, with the names that hold inside."""
        for (package, version), name in self.names.items():
            text = re.sub(
                rf"\b{package}((?:/[a-z0-9-]+)?@{re.escape(version)})(?!\.?[0-9])", rf"{name}\1", text
            )
        return text

    def outside(self, name: str) -> str:
        """Return an interface's name as the guest has it."""
        for (package, _), inside in self.names.items():
            if name.startswith((f"{inside}/", f"{inside}@")):
                return package + name[len(inside) :]
        return name

    def function_outside(self, function: Function) -> Function:
        """Return a function with its interface's name as the guest has it."""
        return replace(function, interface=self.outside(function.interface))


def versions_apart(imports: Iterable[str]) -> Apart:
    """Return names for the older of the compatible versions among the names of imports.

    >>> versions_apart(["wasi:io/poll@0.2.0", "wasi:io/poll@0.2.6", "wasi:cli/exit@0.2.6"]).names
    {('wasi:io', '0.2.0'): 'wasi:io-v0x2x0'}
    """
    found: dict[tuple[str, str], set[tuple[int, int, int]]] = {}
    for match in filter(None, map(_NAME.fullmatch, imports)):
        package, *parts = match.groups()
        version = (int(parts[0]), int(parts[1]), int(parts[2]))
        track = str(version[0]) if version[0] else f"0.{version[1]}"
        found.setdefault((package, track), set()).add(version)
    return Apart(
        {
            (package, ".".join(map(str, version))): f"{package}-v{'x'.join(map(str, version))}"
            for (package, _), versions in found.items()
            for version in sorted(versions)[:-1]
        }
    )
