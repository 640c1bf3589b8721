"""C++ text by its braces: which namespaces are open where, and what is declared directly within them.

It serves for cells and for generated headers alike. This module knows no world and no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Piece", "pieces"]

_MARK: Final = re.compile(r"[{};]|^[ \t]*#[^\n]*(?:\\\n[^\n]*)*", re.MULTILINE)
_NAMESPACE: Final = re.compile(r"(?:inline\s+)?namespace(?:\s+([\w:]+))?\s*$")


@dataclass(frozen=True, slots=True)
class Piece:
    """One declaration directly within namespaces: its head, where that starts, whether a body follows."""

    spaces: tuple[str, ...]
    head: str
    offset: int
    has_body: bool


def pieces(masked: str) -> Iterator[Piece]:
    """Yield the declarations of a text in which comments and strings are blank."""
    spaces: list[tuple[str, ...]] = []
    depth = start = 0
    for mark in _MARK.finditer(masked):
        token = mark.group()
        if token == "}":
            if depth:
                depth -= 1
            elif spaces:
                spaces.pop()
            start = mark.end() if not depth else start
        elif depth:
            depth += token == "{"
        elif token.lstrip().startswith("#"):
            start = mark.end()
        else:
            head = masked[start : mark.start()]
            opened = _NAMESPACE.search(head.strip()) if token == "{" else None
            if opened is not None:
                spaces.append(tuple((opened[1] or "").split("::")) if opened[1] else ("",))
            else:
                where = tuple(name for group in spaces for name in group)
                lead = len(head) - len(head.lstrip())
                yield Piece(where, head.strip(), start + lead, token == "{")
                depth += token == "{"
            start = mark.end()
