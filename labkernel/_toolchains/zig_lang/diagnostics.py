"""From zig's text to diagnostics on the cell's own lines.

What is wrong between the cell and the world is told in the world's words: which function is missing or has
another signature. This module knows no tool and starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from labkernel._errors import Diagnostic, did_you_mean
from labkernel._toolchains.zig_lang.names import Exported, ZigWorld
from labkernel._toolchains.zig_lang.scaffold import GENERATED, Scaffold
from labkernel._toolchains.zig_lang.source import Source
from labkernel._toolchains.zig_lang.spelling import camel

__all__ = ["Reader"]

_HEAD: Final = re.compile(
    r"^(?P<file>[^:\n\"()]+):(?P<line>\d+):(?P<column>\d+): (?P<kind>error|note): (?P<text>.*)$"
)
_PLAIN: Final = re.compile(r"^error: (.*)$")
_CARET: Final = re.compile(r"^\s*[~]*\^~*\s*$")


@dataclass(frozen=True, slots=True)
class _Message:
    """One message of the compiler with what stands below it."""

    file: str
    line: int
    column: int
    kind: str
    text: str
    width: int = 1


@dataclass(frozen=True, slots=True)
class Reader:
    """Places messages in one cell. `sources` are the user's files by name, the cell's first."""

    world: ZigWorld
    sources: Mapping[str, Source]
    scaffold: Scaffold

    @property
    def cell(self) -> tuple[str, Source]:
        """The cell's file name and source."""
        return next(iter(self.sources.items()))

    def diagnostics(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what is wrong with the user's files: the compiler's errors, then what the cell lacks."""
        found = list(self._compiler(text))
        lost = self.scaffold.lost
        found += (Diagnostic(f"missing resource {n}: write `const {n} = struct {{ ... }};`") for n in lost)
        found += (self._missing(e) for e in self.scaffold.missing if e.resource not in lost)
        return tuple(dict.fromkeys(found))

    def _compiler(self, text: str) -> Iterator[Diagnostic]:
        groups: list[list[_Message]] = []
        for message in _messages(text):
            if message.kind == "error":
                groups.append([message])
            elif groups:
                groups[-1].append(message)
        for message, *notes in groups:
            placed = self._placed(message, notes)
            for note in notes:
                placed = self._with_note(placed, note)
            yield replace(placed, message=_plain(placed.message), hint=_plain(placed.hint))

    def _placed(self, message: _Message, notes: Sequence[_Message]) -> Diagnostic:
        if not message.file:
            return Diagnostic(message.text)
        source = self.sources.get(message.file)
        if source is None:
            return self._of_the_glue(message, notes)
        file, cell = self.cell
        if message.file == file and message.line > self.scaffold.lines:
            return self._of_the_tail(message, file, cell)
        shown = source.line(message.line)
        column = _characters(shown, message.column)
        end = _characters(shown, message.column + message.width)
        return Diagnostic(
            message.text, file=message.file, line=message.line, column=column, end_column=end, text=shown
        )

    def _of_the_tail(self, message: _Message, file: str, cell: Source) -> Diagnostic:
        """Place what is wrong behind the cell at the cell's end: something in it is not closed."""
        lines = [line.rstrip() for line in cell.text.rstrip().split("\n")]
        at = len(lines[-1]) + 1
        text = re.sub(r"found '(const|pub)'", "found the end of the cell", message.text)
        return Diagnostic(text, file=file, line=len(lines), column=at, end_column=at + 1, text=lines[-1])

    def _of_the_glue(self, message: _Message, notes: Sequence[_Message]) -> Diagnostic:
        """Say what the world asks for where the cell's function does not agree with it."""
        lines = [m.line for m in (message, *notes) if m.file == f"{GENERATED}/glue.zig"]
        exported = self.scaffold.glue.lines.get(lines[0]) if lines else None
        if exported is None:
            return Diagnostic(message.text)
        wanted = self.world.signature(exported)
        return self._at_function(
            Diagnostic(
                f"wrong signature of function {exported.name}: the world asks for `{wanted}`",
                hint=message.text,
            ),
            exported,
        )

    def _at_function(self, plain: Diagnostic, exported: Exported) -> Diagnostic:
        _, cell = self.cell
        found = cell.declaration(exported.name, exported.space) or cell.declaration(exported.name)
        return plain if found is None else self._at(plain, found.offset, len(found.name))

    def _at(self, plain: Diagnostic, offset: int, width: int) -> Diagnostic:
        file, cell = self.cell
        line, column = cell.place(offset)
        return replace(
            plain, file=file, line=line, column=column, end_column=column + width, text=cell.line(line)
        )

    def _with_note(self, current: Diagnostic, note: _Message) -> Diagnostic:
        """Keep the first note as advice, where it is about the user's files."""
        is_own = note.file in self.sources and (note.file != self.cell[0] or note.line <= self.scaffold.lines)
        return (
            replace(current, hint=f"{note.text} (line {note.line})")
            if is_own and not current.hint
            else current
        )

    def _missing(self, exported: Exported) -> Diagnostic:
        _, cell = self.cell
        wanted = self.world.signature(exported)
        where = "" if exported.is_clear else f" in `const {exported.space} = struct {{ ... }};`"
        message = f"missing function {exported.name}: the world asks for `{wanted}`{where}"
        own = {e.name for e in self.world.exports}
        others = [name for name in cell.functions() if name not in own]
        written = next((n for n in others if camel(n.replace("_", "-")) == exported.name), None)
        near = did_you_mean(exported.name, others)
        other = written or (near.split("'")[1] if near else "")
        found = next((d for d in cell.declarations if d.name == other), None)
        if found is None:
            return Diagnostic(message, hint="write it in the cell")
        plain = Diagnostic(message, hint=f"rename {other} to {exported.name}, if that is what it is")
        return self._at(plain, found.offset, len(other))


def _messages(text: str) -> Iterator[_Message]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        head, plain = _HEAD.match(line), _PLAIN.match(line)
        if head is not None:
            below = lines[number + 2] if number + 2 < len(lines) else ""
            width = len(below.strip()) if _CARET.match(below) else 1
            column = int(head["column"])
            if width > 1 and below.strip().startswith("~"):
                column -= below.strip().index("^")
            yield _Message(head["file"], int(head["line"]), max(1, column), head["kind"], head["text"], width)
        elif plain is not None and "compilation error" not in plain[1]:
            yield _Message("", 0, 0, "error", plain[1])


def _plain(text: str) -> str:
    """Return a message with types as the cell writes them."""
    return re.sub(r"\b(?:runtime|world|glue)\.(?=[A-Z])", "", text)


def _characters(text: str, column: int) -> int:
    """Return a column in characters for one in bytes."""
    return len(text.encode(errors="surrogatepass")[: column - 1].decode(errors="replace")) + 1
