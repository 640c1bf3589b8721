"""From clang's and the linker's text to diagnostics on the cell's own lines.

What is wrong in the code around the cell is told in the world's words: which function is missing or has
another signature. This module knows no tool and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.c.header import Header, Prototype
from labkernel._toolchains.c.names import short_names, shortened
from labkernel._toolchains.c.source import Source
from labkernel._toolchains.clang import Messages, place

__all__ = ["Reader"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Places messages in one cell. `sources` are the user's files by name, the cell's first."""

    header: Header
    sources: Mapping[str, Source]

    @property
    def cell(self) -> tuple[str, Source]:
        """The cell's file name and source."""
        return next(iter(self.sources.items()))

    def compiler(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what the compiler said about the user's files, in order, without repetitions."""
        messages = Messages(self.sources)
        found = [self._in_the_worlds_words(d) for d in messages.compiler(text)]
        return tuple(dict.fromkeys([*found, *(d for _, _, d in messages.foreign)]))

    def _in_the_worlds_words(self, found: Diagnostic) -> Diagnostic:
        """Say what the world asks for where the cell's function does not agree with its declaration."""
        clash = re.match(r"(?:conflicting types for|static declaration of) '(\w+)'", found.message)
        prototype = self._exported(clash[1]) if clash else None
        if prototype is None or clash is None:
            return found
        wanted = self._wanted(prototype)
        return replace(
            found, message=f"wrong signature of function {clash[1]}: the world asks for `{wanted}`", hint="",
        )  # fmt: skip

    def _exported(self, name: str) -> Prototype | None:
        full = short_names(self.header).get(name, name)
        return next((f for f in self.header.exported if f.name == full), None)

    def _wanted(self, prototype: Prototype) -> str:
        return shortened(prototype.text(), self.header)

    def linker(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what the linker said, undefined functions as what they are."""
        return tuple(dict.fromkeys(self._linked(text)))

    def _linked(self, text: str) -> Iterator[Diagnostic]:
        for said in Messages(self.sources).linker(text):
            if not said.undefined:
                yield said.diagnostic
                continue
            prototype = next((f for f in self.header.exported if f.name == said.undefined), None)
            yield self._missing(prototype) if prototype else self._undefined(said.undefined)

    def _missing(self, prototype: Prototype) -> Diagnostic:
        wanted = self._wanted(prototype)
        file, cell = self.cell
        name = re.split(r"[\s*]", wanted.partition("(")[0])[-1]
        message = f"missing function {name}: the world asks for `{wanted}`"
        near = did_you_mean(name, cell.functions)
        if not near:
            return Diagnostic(message, hint="write it in the cell")
        other = near.split("'")[1]
        plain = Diagnostic(message, hint=f"rename {other} to {name}, if that is what it is")
        return place(plain, file, cell.text, cell.functions[other], len(other))

    def _undefined(self, name: str) -> Diagnostic:
        plain = Diagnostic(f"function {name} is declared but nowhere defined")
        for file, source in self.sources.items():
            used = re.search(rf"\b{name}\b", source.masked)
            if used:
                return place(plain, file, source.text, used.start(), len(name))
        return plain
