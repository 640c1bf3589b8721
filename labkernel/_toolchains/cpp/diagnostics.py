"""From clang's and the linker's text to diagnostics on a C++ cell's own lines.

What is wrong in the code around the cell is told in the world's words: which function is missing or has
another signature. This module knows no tool and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.clang import Messages, place
from labkernel._toolchains.cpp.header import Header, Prototype
from labkernel._toolchains.cpp.scaffold import TAIL, homes, shortened, wanted
from labkernel._toolchains.cpp.source import Source

__all__ = ["Reader"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Places messages in one cell. `sources` are the user's files by name, the cell's first."""

    header: Header
    sources: Mapping[str, Source]
    calls: Mapping[int, Prototype]

    @property
    def cell(self) -> tuple[str, Source]:
        """The cell's file name and source."""
        return next(iter(self.sources.items()))

    def compiler(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what the compiler said about the user's files, in order, without repetitions."""
        messages = Messages(self.sources)
        found = [replace(d, message=self._plain(d.message)) for d in messages.compiler(text)]
        found += (self._foreign(*said) for said in messages.foreign)
        return tuple(dict.fromkeys(found))

    def _plain(self, message: str) -> str:
        """Return a message with types as the cell writes them."""
        return shortened(message, self.header)

    def _foreign(self, file: str, line: int, plain: Diagnostic) -> Diagnostic:
        """Say what the world asks for where the cell's function does not agree with it."""
        prototype = self.calls.get(line) if file.endswith(TAIL) else None
        if prototype is None:
            return plain
        asked = wanted(prototype, self.header)
        return self._at_function(
            Diagnostic(
                f"wrong signature of function {prototype.name}: the world asks for `{asked}`",
                hint=self._plain(plain.message),
            ),
            prototype,
        )

    def _at_function(self, plain: Diagnostic, prototype: Prototype) -> Diagnostic:
        file, cell = self.cell
        path = next((p for p in homes(prototype, self.header) if p in cell.functions), None)
        return (
            plain
            if path is None
            else place(plain, file, cell.text, cell.functions[path], len(prototype.name))
        )

    def linker(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what the linker said, undefined functions as what they are."""
        return tuple(dict.fromkeys(self._linked(text)))

    def _linked(self, text: str) -> Iterator[Diagnostic]:
        for said in Messages(self.sources).linker(text):
            name = said.undefined.partition("(")[0]
            if not name:
                yield said.diagnostic
                continue
            prototype = next((f for f in self.header.exported if f.path == name), None)
            member = next((f for f in self.header.members if f.path == name), None)
            if prototype is not None:
                yield self._missing(prototype)
            elif member is not None:
                yield self._missing_member(member)
            else:
                yield self._undefined(name, said.undefined)

    def _missing_member(self, member: Prototype) -> Diagnostic:
        asked = shortened(member.text(f"{member.spaces[-1]}::{member.name}"), self.header)
        return Diagnostic(
            f"missing function {member.name}: the world asks for `{asked}`", hint="write it in the cell"
        )

    def _missing(self, prototype: Prototype) -> Diagnostic:
        file, cell = self.cell
        home = homes(prototype, self.header)[0].rpartition("::")[0]
        where = f" in `namespace {home}`" if home else ""
        name = prototype.name
        message = f"missing function {name}: the world asks for `{wanted(prototype, self.header)}`{where}"
        own = {p for f in self.header.exported for p in (*homes(f, self.header), f.path)}
        others = {p.rpartition("::")[2]: p for p in cell.functions if p not in own}
        lower = next((n for n in others if n.lower().replace("_", "") == name.lower()), "")
        near = did_you_mean(name, others)
        other = lower or (near.split("'")[1] if near else "")
        if not other:
            return Diagnostic(message, hint="write it in the cell")
        plain = Diagnostic(message, hint=f"rename {other} to {name}, if that is what it is")
        return place(plain, file, cell.text, cell.functions[others[other]], len(other))

    def _undefined(self, name: str, shown: str) -> Diagnostic:
        if name in ("__cxa_throw", "__cxa_begin_catch", "__cxa_allocate_exception"):
            return Diagnostic(
                "exceptions are not available in WebAssembly components of this lab",
                hint="answer with std::unexpected(...)",
            )
        plain = Diagnostic(f"{self._plain(shown)} is declared but nowhere defined")
        short = name.rpartition("::")[2]
        for file, source in self.sources.items():
            used = re.search(rf"\b{re.escape(short)}\b", source.masked)
            if used:
                return place(plain, file, source.text, used.start(), len(short))
        return plain
