"""From what was found in a cell to diagnostics on its own lines, and what the world misses in it.

This module knows no tool and starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.js.names import RESERVED, Exported, JsWorld, camel, pascal
from labkernel._toolchains.js.values import signature
from labkernel._wit import Function

__all__ = ["Reader"]

_NO_FUNCTION: Final = {"object": "an object", "value": "a plain value"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Places messages in one build. `sources` are the user's files by name, the cell's first."""

    world: JsWorld
    sources: Mapping[str, str]

    @property
    def cell(self) -> str:
        """The cell's file name."""
        return next(iter(self.sources))

    def placed(self, found: Mapping[str, Any]) -> Diagnostic:
        """Return one message of the parser with the line it is about."""
        file = found.get("file") or self.cell
        line = int(found.get("line") or 0)
        known = {k: found[k] for k in ("column", "end_column") if found.get(k)}
        return Diagnostic(
            found["message"], found.get("severity", "error"), file=file, line=line, **known,
            text=self._line(file, line), hint=found.get("hint") or "", code=found.get("code") or "",
        )  # fmt: skip

    def all_placed(self, found: list[Mapping[str, Any]]) -> tuple[Diagnostic, ...]:
        """Return messages in order, without repetitions."""
        return tuple(dict.fromkeys(map(self.placed, found)))

    def _line(self, file: str, number: int) -> str:
        lines = self.sources.get(file, "").replace("\r\n", "\n").split("\n")
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""

    def missing(self, facts: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
        """Return what the world asks for and the cell does not export. `facts` are those of the parser."""
        return tuple(self._missing(facts))

    def _missing(self, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        for each in self.world.exports:
            if not each.is_interface:
                yield from self._function(each.name, each.functions[0], facts)
            elif each.name in facts["exports"] and not self._is_bare(each, facts["exports"][each.name]):
                yield from self._members(each, facts["exports"][each.name])
            else:
                yield from self._scattered(each, facts)

    def _is_bare(self, each: Exported, found: Mapping[str, Any]) -> bool:
        """Whether a function stands for itself, though its interface has the same name."""
        return found["kind"] in ("function", "async") and any(
            camel(f.name) == each.name and self.world.is_flat(f) for f in each.functions
        )

    def _function(self, name: str, function: Function, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        found = facts["exports"].get(name)
        if found is not None:
            yield from self._wrong_kind(name, function, found)
        elif not facts["open"]:
            yield self._absent(name, _declaration(function), facts)

    def _wrong_kind(self, name: str, function: Function, found: Mapping[str, Any]) -> Iterator[Diagnostic]:
        kind = found["kind"]
        if kind in _NO_FUNCTION:
            message = f"{name} is {_NO_FUNCTION[kind]}: the world asks for `{_declaration(function)}`"
            yield self.placed({**found, "message": message})
        elif kind == "generator":
            message = f"{name} is a generator: the world asks for a plain function"
            yield self.placed({**found, "message": message, "hint": "leave the * out"})

    def _members(self, each: Exported, found: Mapping[str, Any]) -> Iterator[Diagnostic]:
        keys = found.get("keys")
        if found["kind"] in ("value", "function", "async"):
            wanted = ", ".join(camel(f.name) for f in each.functions)
            message = f"{each.name} stands for an interface: the world asks for an object with {wanted}"
            yield self.placed({**found, "message": message})
        if found["kind"] != "object" or keys is None:
            return
        for function in each.functions:
            name = camel(function.name)
            if name in keys:
                yield from self._wrong_kind(f"{each.name}.{name}", function, keys[name])
                continue
            wanted = signature(function, lead="")
            message = f"missing function {each.name}.{name}: the world asks for `{wanted}`"
            near = did_you_mean(name, keys)
            other = near.split("'")[1] if near else ""
            hint = f"rename {other} to {name}, if that is what it is" if other else "write it in the object"
            yield self.placed({**(keys.get(other) or found), "message": message, "hint": hint})

    def _scattered(self, each: Exported, facts: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """An interface's functions, exported one by one where their names are clear."""
        flat = [f for f in each.functions if self.world.is_flat(f)]
        given = [f for f in flat if camel(f.name) in facts["exports"]]
        for function in given:
            name = camel(function.name)
            yield from self._wrong_kind(name, function, facts["exports"][name])
        if facts["open"]:
            return
        if given and len(flat) == len(each.functions):
            for function in flat:
                if function not in given:
                    yield self._absent(camel(function.name), _declaration(function), facts)
            return
        lost = [pascal(name) for name in each.classes if pascal(name) not in facts["exports"]]
        if each.functions or lost:
            members = [signature(f, lead="") for f in each.functions] + lost
            declaration = f"export const {each.name} = {{ {', '.join(members)} }}"
            yield self._absent(each.name, declaration, facts)

    def _absent(self, name: str, declaration: str, facts: Mapping[str, Any]) -> Diagnostic:
        message = f"missing {name}: the world asks for `{declaration}`"
        if name in facts["declared"]:
            found = {**facts["declared"][name], "message": f"{name} is not exported: the world asks for it"}
            return self.placed({**found, "hint": f"write `export` in front: `{declaration}`"})
        near = did_you_mean(name, {**facts["declared"], **facts["exports"]})
        if not near:
            return replace(Diagnostic(message, hint="write it in the cell"), file=self.cell)
        other = near.split("'")[1]
        place = facts["exports"].get(other) or facts["declared"][other]
        return self.placed(
            {**place, "message": message, "hint": f"rename {other} to {name}, if that is what it is"}
        )


def _declaration(function: Function) -> str:
    name = camel(function.name)
    if name in RESERVED:
        return f"{signature(function).replace(name, f'{name}_', 1)} ... export {{ {name}_ as {name} }}"
    return signature(function, lead="export function ")
