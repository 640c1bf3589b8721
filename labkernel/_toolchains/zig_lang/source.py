"""What can be seen in a Zig cell without compiling it: its declarations, its words, the files it asks for.

This module knows nothing of worlds and tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from labkernel._errors import CompileError, Diagnostic

__all__ = ["Declaration", "Source"]

_HIDDEN: Final = re.compile(
    r"""//[^\n]*|\\\\[^\n]*|@?"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)+'""",
)
_TOKEN: Final = re.compile(r'@"(?:[^"\\\n]|\\.)*"|@?\w+|[^\w\s]')
_FILE: Final = re.compile(r'@(import|embedFile|cImport|cInclude)\b\s*\(\s*("(?:[^"\\\n]|\\.)*"|[^)]*)')
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_DECLARING: Final = frozenset({"const", "var", "fn"})


@dataclass(frozen=True, slots=True)
class Declaration:
    """A `const`, `var` or `fn` of the cell; `inside` is the name of the namespace that holds it, or empty."""

    name: str
    keyword: str
    offset: int
    inside: str = ""


class Source:
    """A cell's text, and the same with comments and strings blank."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.masked = _HIDDEN.sub(_quiet, text)
        self.declarations: list[Declaration] = []
        self.words: set[str] = set()
        self.locals: set[str] = set()
        self._scan()

    def _scan(self) -> None:
        """Read the tokens once: what is declared at the top and in namespaces, what is local, what is used."""
        brackets: list[str] = []
        spaces: list[tuple[int, str]] = []  # depth and name of the namespaces around
        before = ["", "", "", ""]
        name_of_last = ""
        for match in _TOKEN.finditer(self.masked):
            token = match.group()
            if token in "([{":
                if token == "{" and before[-1] in ("struct", "opaque") and len(brackets) == len(spaces):
                    spaces.append((len(brackets), name_of_last))
                brackets.append(token)
            elif token in _PAIRS:
                if brackets and brackets[-1] == _PAIRS[token]:
                    brackets.pop()
                if spaces and len(brackets) <= spaces[-1][0]:
                    spaces.pop()
            elif re.match(r'@"|[A-Za-z_]', token):
                self._word(unquoted(token), match.start(), before, brackets, spaces)
                if _is_declaring(before):
                    name_of_last = unquoted(token)
            before = [*before[1:], token]
        for capture in re.finditer(r"\|([\w\s,*]+)\|", self.masked):
            self.locals.update(re.findall(r"\w+", capture[1]))
        for param in re.finditer(r"\bfn\b[^(){}]*\(([^{};]*?)\)", self.masked):
            self.locals.update(re.findall(r"(\w+)\s*:", param[1]))

    def _word(
        self, name: str, offset: int, before: list[str], brackets: list[str], spaces: list[tuple[int, str]]
    ) -> None:
        if _is_declaring(before):
            if len(brackets) == len(spaces) <= 1:
                inside = spaces[-1][1] if spaces else ""
                self.declarations.append(Declaration(name, before[-1], offset, inside))
            else:
                self.locals.add(name)
        elif before[-1] != "." or before[-2] == ".":
            self.words.add(name)

    def declaration(self, name: str, inside: str = "") -> Declaration | None:
        """Return the declaration of a name at the top of the cell or in one of its namespaces."""
        return next((d for d in self.declarations if (d.name, d.inside) == (name, inside)), None)

    def declares(self, name: str) -> bool:
        """Whether the name is the cell's own, at the top or somewhere within."""
        return name in self.locals or any(d.name == name for d in self.declarations)

    def functions(self) -> list[str]:
        """Return the names of the functions at the top and in namespaces."""
        return [d.name for d in self.declarations if d.keyword == "fn"]

    def line(self, number: int) -> str:
        """Return a line of the text, counted from 1."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def refuse_reads(self, file: str, files: Sequence[str]) -> None:
        """Raise `CompileError` where the cell asks for a file that is not the build's."""
        found = list(self._reads(files))
        if found:
            raise CompileError(
                "The cell asks the compiler for a file.", language="zig",
                diagnostics=[self._refusal(file, *each, files) for each in found],
            )  # fmt: skip

    def _reads(self, files: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        for match in _FILE.finditer(self.masked):
            written = self.text[match.start(2) : match.end(2)].strip()
            name = written[1:-1] if written.startswith('"') else None
            if match[1] == "embedFile":
                refused = name not in files
            elif match[1] == "import":
                refused = name is not None and _leads_out(name, files)
            else:
                continue
            if refused:
                yield match.start(), match.end() - match.start(), f"@{match[1]}({written})"
        for match in re.finditer(r"\.?incbin", self.text):
            yield match.start(), len(match.group()), match.group()

    def _refusal(self, file: str, offset: int, width: int, what: str, files: Sequence[str]) -> Diagnostic:
        line, column = self.place(offset)
        known = f" (given: {', '.join(files)})" if files else ""
        return Diagnostic(
            f"{what} is refused: a cell is built from its own files and Zig's library", file=file, line=line,
            column=column, end_column=column + width, text=self.line(line),
            hint=f"add a file with --file NAME and name it as given{known}",
        )  # fmt: skip


def _is_declaring(before: Sequence[str]) -> bool:
    """Whether the word after these tokens is declared: not so in `[]const T` and `*const T`."""
    return before[-1] in _DECLARING and not (before[-1] == "const" and before[-2] in ("]", "*", ")"))


def unquoted(name: str) -> str:
    """Return an identifier without its `@"..."`.

    >>> unquoted('@"error"')
    'error'
    """
    return name[2:-1] if name.startswith('@"') else name


def _leads_out(name: str, files: Sequence[str]) -> bool:
    is_path = name.endswith((".zig", ".zon")) or "/" in name or "\\" in name
    return is_path and name not in files


def _quiet(match: re.Match[str]) -> str:
    text = match.group()
    if text.startswith("@"):
        return text
    inner = re.sub(r"[^\r\n]", " ", text)
    return text[0] + inner[1:-1] + text[-1] if text[0] in "\"'" and len(text) > 1 else inner
