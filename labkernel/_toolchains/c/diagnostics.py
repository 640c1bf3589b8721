"""From clang's and the linker's text to diagnostics on the cell's own lines.

What is wrong in the code around the cell is told in the world's words: which function is missing or has
another signature. This module knows no tool and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.c.header import Header, Prototype
from labkernel._toolchains.c.names import short_names, shortened
from labkernel._toolchains.c.source import Source

__all__ = ["Reader"]

_HEAD: Final = re.compile(
    r"^(?:\./)?(?P<file>[^:\n]+):(?P<line>\d+):(?P<column>\d+):(?P<ranges>(?:\{[^}]*\})*:?) ?"
    r"(?P<kind>fatal error|error|warning|note): (?P<text>.*)$"
)
_RANGE: Final = re.compile(r"\{(\d+):(\d+)-(\d+):(\d+)\}")
_CODE: Final = re.compile(r" \[(-W[\w=+#-]+)(?:,-W[\w=+#-]+)*\]$")
_INCLUDED: Final = re.compile(r"^In file included from (?:\./)?([^:\n]+):(\d+):")
_LINKER: Final = re.compile(r"^wasm-ld: (error|warning): (.*)$")
_UNDEFINED: Final = re.compile(r"undefined symbol: (\w+)")


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
        found: list[Diagnostic] = []
        included: tuple[str, int] | None = None
        for line in text.splitlines():
            chain = _INCLUDED.match(line)
            if chain and chain[1] in self.sources:
                included = (chain[1], int(chain[2]))
            head = _HEAD.match(line)
            if head is None:
                continue
            if head["kind"] == "note":
                self._note(found, head)
                continue
            placed = self._placed(head, included)
            included = None
            if placed is not None:
                found.append(self._in_the_worlds_words(placed))
        return tuple(dict.fromkeys(found))

    def _note(self, found: list[Diagnostic], head: re.Match[str]) -> None:
        """Keep a note as advice, where it is about the user's files and says more than a place."""
        if found and head["file"] in self.sources and not found[-1].hint:
            found[-1] = replace(found[-1], hint=f"{head['text']} (line {head['line']})")

    def _placed(self, head: re.Match[str], included: tuple[str, int] | None) -> Diagnostic | None:
        severity = "warning" if head["kind"] == "warning" else "error"
        code = _CODE.search(head["text"])
        message = head["text"][: code.start()] if code else head["text"]
        plain = Diagnostic(message, severity, code=code[1] if code else "")
        source = self.sources.get(head["file"])
        if source is not None:
            line, column = int(head["line"]), int(head["column"])
            text = source.line(line)
            end = max(_ends(head["ranges"], column), default=column + _word(text, column))
            return replace(
                plain, file=head["file"], line=line, column=_characters(text, column), text=text,
                end_column=_characters(text, end),
            )  # fmt: skip
        if severity == "warning":
            return None
        if included is None:
            return plain
        file, line = included
        return replace(plain, file=file, line=line, column=1, text=self.sources[file].line(line))

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
        for match in filter(None, map(_LINKER.match, text.splitlines())):
            undefined = _UNDEFINED.search(match[2])
            if undefined is None:
                message = re.sub(r"(?:/\S+/)+", "", match[2])
                yield Diagnostic(message, match[1])
                continue
            prototype = next((f for f in self.header.exported if f.name == undefined[1]), None)
            yield self._missing(prototype) if prototype else self._undefined(undefined[1])

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
        return self._at(plain, file, cell, cell.functions[other], len(other))

    def _undefined(self, name: str) -> Diagnostic:
        plain = Diagnostic(f"function {name} is declared but nowhere defined")
        for file, source in self.sources.items():
            used = re.search(rf"\b{name}\b", source.masked)
            if used:
                return self._at(plain, file, source, used.start(), len(name))
        return plain

    def _at(self, plain: Diagnostic, file: str, source: Source, offset: int, width: int) -> Diagnostic:
        line, column = source.place(offset)
        return replace(
            plain, file=file, line=line, column=column, end_column=column + width, text=source.line(line)
        )


def _ends(ranges: str, column: int) -> Iterator[int]:
    """Yield where the ranges end that hold a column. Their lines count the code in front of the cell too."""
    for first_line, first, last_line, last in (map(int, found) for found in _RANGE.findall(ranges)):
        if first_line == last_line and first <= column < last:
            yield last


def _characters(text: str, column: int) -> int:
    """Return a column in characters for one in bytes."""
    return len(text.encode()[: column - 1].decode(errors="replace")) + 1


def _word(text: str, column: int) -> int:
    """Return how many bytes the word at a column has."""
    found = re.match(rb"\w+", text.encode()[column - 1 :])
    return len(found.group()) if found else 1
