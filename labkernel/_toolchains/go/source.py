"""What can be seen in a Go cell without compiling it: its package clause, imports, declarations and words.

This module knows nothing of worlds and tools.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Source"]

_HIDDEN: Final = re.compile(
    r"""//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:[^"\\\n]|\\.)*"?|`[^`]*`?|'(?:[^'\\\n]|\\.)+'""", re.DOTALL
)
_PACKAGE: Final = re.compile(r"\A\s*(package\s+\w+[ \t]*;?)")
_IMPORT: Final = re.compile(r"^[ \t]*import\s*(\([^)]*\)|(?:[\w.]+\s*)?[\"`][^\"`\n]*[\"`])", re.MULTILINE)
_SPEC: Final = re.compile(r"(?:(?<![\w.])([\w.]+)[ \t]+)?[\"`]([^\"`\n]*)[\"`]")
_FUNC: Final = re.compile(r"^[ \t]*func\s*(?:\(\s*(?:\w+\s+)?\*?(\w+)[^)]*\)\s*)?(\w+)\s*[\[(]", re.MULTILINE)
_SINGLE: Final = re.compile(r"^[ \t]*(?:type|var|const)\s+(\w+(?:\s*,\s*\w+)*)", re.MULTILINE)
_GROUP: Final = re.compile(r"^[ \t]*(?:type|var|const)\s*\(", re.MULTILINE)
_CONSTRAINT: Final = re.compile(r"^//go:build[ \t][^\r\n]*$", re.MULTILINE)
_LOCAL: Final = re.compile(r"\b(\w+(?:\s*,\s*\w+)*)\s*:=|\bvar\s+(\w+)")


class Source:
    """A cell's text, and the same with comments and strings blank."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.masked = _HIDDEN.sub(lambda m: _quiet(m.group()), text)
        self.words = frozenset(re.findall(r"\w+", self.masked))
        self.selected = frozenset(re.findall(r"(?<![\w.])(\w+)\s*\.\s*\w", self.masked))
        found = list(filter(self._is_at_top, _FUNC.finditer(self.masked)))
        self.functions = {m[2]: m.start(2) for m in found if not m[1]}
        self.methods = {(m[1], m[2]): m.start(2) for m in found if m[1]}
        self.declared = frozenset([*self.functions, *self._others()])
        self.imported = frozenset(self._imports())

    def _is_at_top(self, match: re.Match[str]) -> bool:
        return self.masked.count("{", 0, match.start()) == self.masked.count("}", 0, match.start())

    def _others(self) -> list[str]:
        """Return the names of types, variables and constants at the top."""
        found = [
            n for m in _SINGLE.finditer(self.masked) if self._is_at_top(m) for n in re.findall(r"\w+", m[1])
        ]
        end = 0
        for group in filter(self._is_at_top, _GROUP.finditer(self.masked)):
            if group.start() < end:
                continue
            depth, end = 1, group.end()
            for line in self.masked[group.end() :].split("\n"):
                name = re.match(r"\s*(\w+(?:\s*,\s*\w+)*)", line)
                if depth == 1 and name:
                    found += re.findall(r"\w+", name[1])
                depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
                end += len(line) + 1
                if depth <= 0:
                    break
        return found

    def _imports(self) -> list[str]:
        """Return the names under which the cell imports packages."""
        found = []
        for match in _IMPORT.finditer(self.masked):
            for spec in _SPEC.finditer(self.text, match.start(1), match.end(1)):
                last = re.sub(r"/v\d+$", "", spec[2]).rpartition("/")[2]
                found.append(spec[1] or re.sub(r"^go-|\.go$|-go$", "", last))
        return found

    def locals(self) -> set[str]:
        """Return names that the cell gives to variables within functions."""
        return {n for m in _LOCAL.finditer(self.masked) for n in re.findall(r"\w+", m[1] or m[2])}

    def constraint(self) -> str:
        """Return the `//go:build` line in front of the package clause, or nothing."""
        package = _PACKAGE.match(self.masked)
        found = _CONSTRAINT.search(self.text, 0, package.start(1)) if package else None
        return found.group() if found else ""

    def body(self) -> str:
        """Return the text with what stands in front of the whole file blank."""
        text, match = self.text, _PACKAGE.match(self.masked)
        if match is None:
            return text
        text = text[: match.start(1)] + " " * len(match[1]) + text[match.end(1) :]
        return text.replace(self.constraint(), "", 1) if self.constraint() else text

    def line(self, number: int) -> str:
        """Return a line of the text, counted from 1."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)


def _quiet(text: str) -> str:
    inner = re.sub(r"[^\r\n]", " ", text)
    return text[0] + inner[1:-1] + text[-1] if text[0] in "\"'`" and len(text) > 1 else inner
