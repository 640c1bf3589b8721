"""What componentize-py says when it fails, as errors on the cell's own lines. This module knows no tool."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from labkernel._errors import CompileError, Diagnostic
from labkernel._toolchains.process import Finished
from labkernel._toolchains.python.cell import Cell
from labkernel._wit import World

__all__ = ["explain"]

_PLACE: Final = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in .*)?$')
_LAST: Final = re.compile(
    r"^(?P<kind>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt)): ?(?P<message>.*)$"
)
_STARVED: Final = re.compile(r"memory allocation|cannot allocate|out of memory", re.IGNORECASE)


def explain(done: Finished, cells: Sequence[Cell], world: World) -> CompileError:
    """Return the error for a component that was not made."""
    raw = done.text
    by_file = {cell.file: cell for cell in cells}
    place: tuple[Cell, int] | None = None
    problem: Diagnostic | None = None
    for line in raw.splitlines():
        if line.startswith("Caused by:"):
            break
        if match := _PLACE.match(line):
            cell = by_file.get(match["file"])
            place = (cell, int(match["line"])) if cell else None
        elif (match := _LAST.match(line)) and place is not None:
            problem = _at(*place, f"{match['kind']}: {match['message']}")
    if problem is not None:
        return CompileError(
            "The cell does not build: 1 error.", language="python", diagnostics=[problem], raw=raw
        )
    if done.code < 0 or _STARVED.search(raw):
        message = "componentize-py was stopped: it ran out of memory or crashed."
    else:
        message = f"componentize-py makes no component for the world {world.name}: {_reason(raw)}"
    return CompileError(message, language="python", raw=raw)


def _at(cell: Cell, line: int, message: str) -> Diagnostic:
    text = cell.lines[line - 1] if 0 < line <= len(cell.lines) else ""
    return Diagnostic(
        message.removeprefix("SyntaxError: "), "error", cell.file, line if text else 0, 0, 0, text
    )


def _reason(raw: str) -> str:
    """Return the first line that says something."""
    lines = [line.strip() for line in raw.split("Stack backtrace")[0].splitlines() if line.strip()]
    said = [line for line in lines if _LAST.match(line) or line.startswith(("Error:", "error:"))]
    return (said or lines or ["no reason given"])[-1][:300]
