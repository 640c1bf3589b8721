"""What can be seen in a C cell without compiling it: its words, the functions it defines, the files it asks
for.

This module knows nothing of worlds and tools.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from labkernel._errors import CompileError, Diagnostic

__all__ = ["Source"]

_HIDDEN: Final = re.compile(
    r"""//(?:[^\n\\]|\\.|\\\n)*|/\*.*?(?:\*/|\Z)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?""", re.DOTALL
)
_DEFINITION: Final = re.compile(r"\b(\w+)\s*\(([^;{}]*)\)\s*\{")
_DIRECTIVE: Final = re.compile(
    r"^[ \t]*(?:\#|%:|\?\?=)[ \t]*(include_next|include|embed|import)\b[ \t]*([^\n]*)", re.MULTILINE
)
_FEATURE: Final = re.compile(r"^[ \t]*#[ \t]*define[ \t]+_\w+[^\n]*", re.MULTILINE)


class Source:
    """A cell's text, and the same with comments and strings blank."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.masked = _HIDDEN.sub(lambda m: _quiet(m.group()), text)
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

    def line(self, number: int) -> str:
        """Return a line of the text, counted from 1."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def refuse_reads(self, file: str, files: Sequence[str]) -> None:
        """Raise `CompileError` where the cell asks for a file that is no header and not the build's."""
        found = [d for d in map(self._refused, _DIRECTIVE.finditer(self.masked)) if d]
        if "incbin" in self.text:
            found.append((self.text.index("incbin"), 6, ".incbin"))
        if found:
            raise CompileError(
                "The cell asks the compiler for a file.", language="c",
                diagnostics=[self._refusal(file, *each, files) for each in found],
            )  # fmt: skip

    def _refused(self, match: re.Match[str]) -> tuple[int, int, str] | None:
        written = self.text[match.start(2) : match.end(2)].strip()
        name = re.match(r'<([^>\n]*)>|"([^"\n]*)"', written)
        if match[1] != "include" or name is None:
            return match.start(1), len(match[1]), f"#{match[1]} {written}"
        path = name[1] or name[2] or ""
        if path.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", path) or ":" in path:
            return match.start(2), len(name.group()), f"#include {name.group()}"
        return None

    def _refusal(self, file: str, offset: int, width: int, what: str, files: Sequence[str]) -> Diagnostic:
        line, column = self.place(offset)
        known = f" (given: {', '.join(files)})" if files else ""
        return Diagnostic(
            f"{what} is refused: a cell is built from its own files and the C library", file=file, line=line,
            column=column, end_column=column + width, text=self.line(line),
            hint=f"add a header with --file NAME and include it by that name{known}",
        )  # fmt: skip


def _quiet(text: str) -> str:
    inner = re.sub(r"[^\r\n]", " ", text)
    return text[0] + inner[1:-1] + text[-1] if text[0] in "\"'" and len(text) > 1 else inner
