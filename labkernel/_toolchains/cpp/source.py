"""What can be seen in a C++ cell without compiling it: its words, and what it defines in which namespace.

This module knows nothing of worlds and tools.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from labkernel._toolchains import clang
from labkernel._toolchains.cpp.braces import Piece, pieces

__all__ = ["Source"]

_NAME: Final = re.compile(r"(?<![\w:~])((?:\w+\s*::\s*)*~?\w+)\s*\(")
_TYPE: Final = re.compile(r"\b(?:struct|class|union|enum(?:\s+(?:class|struct))?|concept)\s+(\w+)\b(?!\s*::)")
_ALIAS: Final = re.compile(
    r"^(?:using\s+(\w+)\s*=|using\s+(?:\w*::)+(\w+)$|namespace\s+(\w+)\s*=|typedef\b.*?\b(\w+)$)", re.DOTALL
)
_KEYWORDS: Final = frozenset(
    {"if", "for", "while", "switch", "decltype", "noexcept", "alignas", "requires", "sizeof"}
)


class Source:
    """A cell's text, and the same with comments and strings blank.

    `functions` are the functions it defines, by path (`Handle`, `stock::Get`), `declared` the names that it
    gives to anything directly within no namespace, `spaces` its own namespaces.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.masked = clang.masked(text)
        self.words = frozenset(re.findall(r"\w+", self.masked))
        self.functions: dict[str, int] = {}
        self.spaces: set[str] = set()
        names: set[str] = set()
        for piece in pieces(self.masked):
            self.spaces.update(piece.spaces[:1])
            names |= self._names(piece)
        self.declared = frozenset(names)

    def _names(self, piece: Piece) -> set[str]:
        found = {m[1] for m in _TYPE.finditer(piece.head)}
        alias = _ALIAS.match(piece.head)
        if alias:
            found |= {name for name in alias.groups() if name}
        function = None if found else self._function(piece)
        if function is not None:
            name, offset = function
            path = "::".join([*filter(None, piece.spaces), name])
            if piece.has_body:
                self.functions.setdefault(path, offset)
            found.add(name)
        return found if not any(piece.spaces) else set()

    def _function(self, piece: Piece) -> tuple[str, int] | None:
        for match in _NAME.finditer(piece.head):
            name = re.sub(r"\s", "", match[1])
            if name not in _KEYWORDS and "=" not in piece.head[: match.start()]:
                return name, piece.offset + match.start(1)
        return None

    def refuse_reads(self, file: str, files: Sequence[str]) -> None:
        """Raise `CompileError` where the cell asks for a file that is no header and not the build's."""
        clang.refuse_reads(self, file, files, language="cpp")
