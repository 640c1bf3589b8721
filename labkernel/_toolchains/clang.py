"""What C and C++ have in common before and after the compiler: the files a source asks for, and clang's words.

A source is read through a mask in which comments and strings are blank. Messages are placed in the user's own
files; what is about code around them is left to the languages. This module knows no world and no tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from labkernel._errors import CompileError, Diagnostic

__all__ = ["Linked", "Messages", "Text", "masked", "output_by_lines", "place", "refuse_reads"]

_HIDDEN: Final = re.compile(
    r"""(?<![\w"])(?:u8|[uUL])?R"(?P<d>[^()\\\s]{0,16})\(.*?(?:\)(?P=d)"|\Z)"""
    r"""|//(?:[^\n\\]|\\.|\\\n)*|/\*.*?(?:\*/|\Z)|"(?:[^"\\\n]|\\.)*"?|(?<!\d)'(?:[^'\\\n]|\\.)*'?""",
    re.DOTALL,
)
_DIRECTIVE: Final = re.compile(
    r"^[ \t]*(?:\#|%:|\?\?=)[ \t]*(include_next|include|embed|import)\b[ \t]*([^\n]*)", re.MULTILINE
)
_PRINTS: Final = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*<(?:stdio\.h|cstdio|iostream|ostream|print)>", re.MULTILINE
)
_LONGEST: Final = 800
_HEAD: Final = re.compile(
    r"^(?:\./)?(?P<file>[^:\n|\"]+):(?P<line>\d+):(?P<column>\d+):(?P<ranges>(?:\{[^}]*\})*:?) ?"
    r"(?P<kind>fatal error|error|warning|note): (?P<text>.*)$"
)
_RANGE: Final = re.compile(r"\{(\d+):(\d+)-(\d+):(\d+)\}")
_CODE: Final = re.compile(r" \[(-W[\w=+#-]+)(?:,-W[\w=+#-]+)*\]$")
_INCLUDED: Final = re.compile(r"^In file included from (?:\./)?([^:\n]+):(\d+):")
_LINKER: Final = re.compile(r"^wasm-ld: (error|warning): (.*)$")
_UNDEFINED: Final = re.compile(r"undefined symbol: (.+)$")


class Text(Protocol):
    """One of the user's files."""

    @property
    def text(self) -> str:
        """The text as written."""
        ...

    @property
    def masked(self) -> str:
        """The same with comments and strings blank."""
        ...


# ------------------------------------------------------------------------------------------------ sources


def masked(text: str) -> str:
    """Return a text with comments and the insides of strings blank; positions stay.

    >>> masked('f("a//b"); // c')
    'f("    ");     '
    """
    return _HIDDEN.sub(lambda m: _quiet(m.group()), text)


def _quiet(text: str) -> str:
    inner = re.sub(r"[^\r\n]", " ", text)
    return text[0] + inner[1:-1] + text[-1] if text[0] in "\"'" and len(text) > 1 else inner


def output_by_lines(source: Text) -> list[str]:
    """Return what makes standard output arrive line by line, for a source that includes what prints.

    The C library keeps output that is not for a terminal until the program ends, and an instance never does: all
    but the first line would be lost.
    """
    if not _PRINTS.search(source.masked):
        return []
    body = "{ setvbuf(stdout, 0, _IOLBF, 0); }"
    return ["#include <stdio.h>", f"__attribute__((constructor)) static void labkernel_lines(void) {body}"]


def line_of(text: str, number: int) -> str:
    """Return a line of a text, counted from 1."""
    lines = text.split("\n")
    return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


def place(plain: Diagnostic, file: str, text: str, offset: int, width: int) -> Diagnostic:
    """Return a diagnostic at an offset of a text."""
    line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    return replace(
        plain, file=file, line=line, column=column, end_column=column + width, text=line_of(text, line)
    )


def refuse_reads(source: Text, file: str, files: Sequence[str], *, language: str) -> None:
    """Raise `CompileError` where a source asks for a file that is no header and not the build's."""
    found = [d for d in (_refused(source, m) for m in _DIRECTIVE.finditer(source.masked)) if d]
    if "incbin" in source.text:
        found.append((source.text.index("incbin"), 6, ".incbin"))
    if not found:
        return
    known = f" (given: {', '.join(files)})" if files else ""
    hint = f"add a header with --file NAME and include it by that name{known}"
    diagnostics = []
    for offset, width, what in found:
        message = f"{what} is refused: a cell is built from its own files and the library"
        diagnostics.append(place(Diagnostic(message, hint=hint), file, source.text, offset, width))
    raise CompileError("The cell asks the compiler for a file.", language=language, diagnostics=diagnostics)


def _refused(source: Text, match: re.Match[str]) -> tuple[int, int, str] | None:
    written = source.text[match.start(2) : match.end(2)].strip()
    name = re.match(r'<([^>\n]*)>|"([^"\n]*)"', written)
    if match[1] != "include" or name is None:
        return match.start(1), len(match[1]), f"#{match[1]} {written}"
    path = name[1] or name[2] or ""
    if path.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", path) or ":" in path:
        return match.start(2), len(name.group()), f"#include {name.group()}"
    return None


# ----------------------------------------------------------------------------------------------- messages


def _cut(message: str) -> str:
    """Return a message without the middle of what is too long to read: types nested a thousand times.

    >>> len(_cut("L<" * 1024)), _cut("short")
    (803, 'short')
    """
    half = _LONGEST // 2
    return message if len(message) <= _LONGEST else f"{message[:half]} … {message[-half:]}"


@dataclass(frozen=True, slots=True)
class Linked:
    """One message of the linker; `undefined` is the symbol that is nowhere, if it is about one."""

    diagnostic: Diagnostic
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Messages:
    """Places what the compiler says. `sources` are the user's files by name.

    `foreign` collects errors that are about no file of the user's: file, line and diagnostic of each.
    """

    sources: Mapping[str, Text]
    foreign: list[tuple[str, int, Diagnostic]] = field(default_factory=list)

    def compiler(self, text: str) -> list[Diagnostic]:
        """Return what the compiler said about the user's files, in order, without repetitions."""
        found: list[Diagnostic] = []
        included: tuple[str, int] | None = None
        is_open = False
        for line in text.splitlines():
            chain = _INCLUDED.match(line)
            if chain and chain[1] in self.sources:
                included = (chain[1], int(chain[2]))
            head = _HEAD.match(line)
            if head is None:
                continue
            if head["kind"] == "note":
                if is_open:
                    self._note(found, head)
                continue
            placed = self._placed(head, included)
            included, is_open = None, placed is not None
            if placed is not None:
                found.append(placed)
        return list(dict.fromkeys(found))

    def _note(self, found: list[Diagnostic], head: re.Match[str]) -> None:
        """Keep a note as advice, where it is about the user's files and says more than a place."""
        if found and head["file"] in self.sources and not found[-1].hint:
            found[-1] = replace(found[-1], hint=f"{_cut(head['text'])} (line {head['line']})")

    def _placed(self, head: re.Match[str], included: tuple[str, int] | None) -> Diagnostic | None:
        severity = "warning" if head["kind"] == "warning" else "error"
        code = _CODE.search(head["text"])
        message = head["text"][: code.start()] if code else head["text"]
        plain = Diagnostic(_cut(message), severity, code=code[1] if code else "")
        source = self.sources.get(head["file"])
        if source is not None:
            line, column = int(head["line"]), int(head["column"])
            text = line_of(source.text, line)
            end = max(_ends(head["ranges"], column), default=column + _word(text, column))
            return replace(
                plain, file=head["file"], line=line, column=_characters(text, column), text=text,
                end_column=_characters(text, end),
            )  # fmt: skip
        if severity == "warning":
            return None
        if included is None:
            self.foreign.append((head["file"], int(head["line"]), plain))
            return None
        file, line = included
        return replace(plain, file=file, line=line, column=1, text=line_of(self.sources[file].text, line))

    def linker(self, text: str) -> Iterator[Linked]:
        """Yield what the linker said, without the folders of its files."""
        for match in filter(None, map(_LINKER.match, text.splitlines())):
            undefined = _UNDEFINED.search(match[2])
            message = re.sub(r"(?:/\S+/)+", "", match[2])
            yield Linked(Diagnostic(message, match[1]), undefined[1] if undefined else "")


def _ends(ranges: str, column: int) -> Iterator[int]:
    """Yield where the ranges end that hold a column. Their lines count the code in front of the cell too."""
    for first_line, first, last_line, last in (map(int, found) for found in _RANGE.findall(ranges)):
        if first_line == last_line and first <= column < last:
            yield last


def _characters(text: str, column: int) -> int:
    """Return a column in characters for one in bytes."""
    return len(text.encode(errors="surrogatepass")[: column - 1].decode(errors="replace")) + 1


def _word(text: str, column: int) -> int:
    """Return how many bytes the word at a column has."""
    found = re.match(rb"\w+", text.encode(errors="surrogatepass")[column - 1 :])
    return len(found.group()) if found else 1
