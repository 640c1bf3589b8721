"""What can be seen in a C cell without compiling it: its words, the functions it defines, the types it declares.

This module knows nothing of worlds and tools.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from labkernel._toolchains import clang

__all__ = ["Source"]

_DEFINITION: Final = re.compile(r"\b(\w+)\s*\(([^;{}]*)\)\s*\{")
_FEATURE: Final = re.compile(r"^[ \t]*#[ \t]*define[ \t]+_\w+[^\n]*", re.MULTILINE)


class Source:
    """A cell's text, and the same with comments and strings blank."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.masked = clang.masked(text)
        self.words = frozenset(re.findall(r"\w+", self.masked))
        self.functions = {
            m[1]: m.start(1) for m in _DEFINITION.finditer(self.masked) if self._depth(m.start()) == 0
        }

    def _depth(self, offset: int) -> int:
        before = self.masked[:offset]
        return before.count("{") - before.count("}")

    def declares_type(self, name: str) -> bool:
        """Whether the cell gives a type this name itself."""
        return re.search(rf"\btypedef\b[^;]*?(?:\{{[^}}]*\}}[^;]*?)?\b{name}\s*;", self.masked) is not None

    def defines_macro(self, name: str) -> bool:
        """Whether the cell defines a macro of this name."""
        return re.search(rf"^[ \t]*#[ \t]*define[ \t]+{name}\b", self.masked, re.MULTILINE) is not None

    def features(self) -> list[str]:
        """Return the `#define _X` lines before the first `#include`: they steer the headers."""
        first = re.search(r"^[ \t]*#[ \t]*include\b", self.masked, re.MULTILINE)
        return [
            m.group().strip()
            for m in _FEATURE.finditer(self.masked, 0, first.start() if first else len(self.text))
        ]

    def refuse_reads(self, file: str, files: Sequence[str]) -> None:
        """Raise `CompileError` where the cell asks for a file that is no header and not the build's."""
        clang.refuse_reads(self, file, files, language="c")
