"""What a cell reads while it is compiled: only files of the build, by plain names.

The compiler is confined as well where the machine can do that; this scan says it on the cell's own line,
and is all there is elsewhere. This module knows no tool.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from labkernel._errors import CompileError, Diagnostic
from labkernel._toolchains.rust.source import Cell, position

__all__ = ["refuse_reads"]

_INCLUDE: Final = re.compile(r"\b(include(?:_str|_bytes)?)\b(?!\s*::)")
_CALL: Final = re.compile(r"\s*!\s*[(\[{]\s*\"")
_PATH: Final = re.compile(r"\bpath\s*=(?!=)\s*")
_RENAMED: Final = re.compile(r"\bgenerate\s+as\b")


def refuse_reads(cell: Cell, file: str, files: Sequence[str]) -> None:
    """Raise `CompileError` where the cell names a file that is not one of `files` to the compiler.

    Taken are `include!`, `include_str!` and `include_bytes!` with a literal name, and `#[path = ".."]`.
    """
    found = [*_includes(cell, files), *_paths(cell, files), *_bindings(cell)]
    if found:
        found = [replace(each, file=file) for each in found]
        raise CompileError("The cell asks the compiler for a file.", language="rust", diagnostics=found)


def _includes(cell: Cell, files: Sequence[str]) -> list[Diagnostic]:
    found = []
    for match in _INCLUDE.finditer(cell.masked):
        call = _CALL.match(cell.masked, match.end())
        name = _literal(cell, call.end() - 1) if call else None
        if name is None or name.removeprefix("./") not in files:
            what = (
                f"{match[1]}! of {name!r}" if name is not None else f"{match[1]} without a literal file name"
            )
            found.append(_refusal(cell, match.start(), match.end(), what))
    return found


def _paths(cell: Cell, files: Sequence[str]) -> list[Diagnostic]:
    found = []
    for match in _PATH.finditer(cell.masked):
        before = cell.masked[: match.start()]
        if before.rfind("#[") < before.rfind("]"):
            continue
        name = _literal(cell, match.end()) if cell.masked[match.end() : match.end() + 1] == '"' else None
        if name is None or name.removeprefix("./") not in files:
            found.append(_refusal(cell, match.start(), match.end(), f"the attribute path = {name!r}"))
    return found


def _bindings(cell: Cell) -> list[Diagnostic]:
    """Refuse `generate!` under another name or with parts of a macro's: its `path` could not be seen."""
    spans = [m.span() for m in _RENAMED.finditer(cell.masked)]
    spans += [
        (m.start, m.end) for m in cell.macros if m.name == "generate" and "$" in cell.masked[m.start : m.end]
    ]
    return [_refusal(cell, start, end, "generate! in disguise") for start, end in spans]


def _literal(cell: Cell, quote: int) -> str | None:
    """Return the string literal that starts at `quote`, or `None` if it has escapes."""
    end = cell.masked.find('"', quote + 1)
    text = cell.text[quote + 1 : end] if end > 0 else None
    return None if text is None or "\\" in text else text


def _refusal(cell: Cell, start: int, end: int, what: str) -> Diagnostic:
    line, column = position(cell.text, start)
    return Diagnostic(
        f"{what} is refused: a cell is built from its own files only", line=line, column=column,
        end_column=column + end - start, text=cell.line_of(start), hint="add the file with --file NAME",
    )  # fmt: skip
