"""What can be seen in a Rust cell without compiling it: its functions, impls, types, uses and macro calls.

The text is read through a mask in which comments and the insides of strings are blank, so that positions
stay. This module knows nothing of worlds and tools.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Cell", "Impl", "MacroCall", "blank", "mask", "position"]

_TOKEN: Final = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>\b(?:b|c)?r(?P<hashes>\#*)")
      | (?P<string>\b[bc]?")
      | (?P<string2>")
      | (?P<char>'(?:\\(?:[^xu]|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f_]+\})|[^\\'\n])')
    """,
    re.VERBOSE,
)
_IMPL: Final = re.compile(
    r"\bimpl\b(?:\s*<[^{;]*?>)?\s+((?:::)?\w+(?:\s*::\s*\w+)*)\s+for\s+((?:\w+\s*::\s*)*\w+)\s*(?:where\b[^{]*)?\{"
)
_FUNCTION: Final = re.compile(r"\bfn\s+((?:r#)?\w+)")
_ITEM: Final = re.compile(r"\b(?:struct|enum|union|type|trait|mod|const|static)\s+((?:r#)?\w+)")
_USE: Final = re.compile(r"\buse\s+([^;]*);")
_MACRO: Final = re.compile(r"((?:(?:r#)?\w+\s*::\s*)*(?:r#)?\w+)\s*!\s*([({\[])")
_MACRO_RULES: Final = re.compile(r"\bmacro_rules\s*!\s*(\w+)")
_INNER: Final = re.compile(r"\s*(#!\s*\[)")
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Impl:
    """`impl TRAIT for TYPE`; both as paths without blanks."""

    trait: str
    type: str
    offset: int


@dataclass(frozen=True, slots=True)
class MacroCall:
    """`PATH!(...)`: from `start` up to `end`; what is between the delimiters starts at `inside`."""

    path: str
    start: int
    inside: int
    end: int
    depth: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("::")[2].removeprefix("r#")


def mask(text: str) -> str:
    """Return the text with comments and the insides of string and character literals blank.

    >>> mask('f("a//b"); // c')
    'f("    ");     '
    """
    out, at = [], 0
    while (found := _TOKEN.search(text, at)) is not None:
        out.append(text[at : found.start()])
        end, quote = _end_of(text, found)
        out.append(_blank_between(text, found, end, quote))
        at = end
    return "".join([*out, text[at:]])


def _end_of(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Return where the token ends and how long its closing quote is."""
    if found["line"] is not None:
        return found.end(), 0
    if found["char"] is not None:
        return found.end(), 1
    if found["block"] is not None:
        return _end_of_block(text, found.end()), 0
    if found["raw"] is not None:
        quote = '"' + found["hashes"]
        end = text.find(quote, found.end())
        return (len(text), 0) if end < 0 else (end + len(quote), len(quote))
    at = found.end()
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == '"':
            return at + 1, 1
        else:
            at += 1
    return len(text), 0


def _end_of_block(text: str, at: int) -> int:
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def _blank_between(text: str, found: re.Match[str], end: int, quote: int) -> str:
    if found["line"] is not None or found["block"] is not None:
        return _spaces(text[found.start() : end])
    opened = found.start() + 1 if found["char"] is not None else found.end()
    inner = text[opened : max(opened, end - quote)]
    return text[found.start() : opened] + _spaces(inner) + text[max(opened, end - quote) : end]


def _spaces(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)


def blank(text: str, start: int, end: int) -> str:
    """Return the text with `start..end` replaced by blanks, line ends kept."""
    return text[:start] + _spaces(text[start:end]) + text[end:]


def position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of an offset, both from 1."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1


class Cell:
    """A cell's text with what was found in it.

    `functions` and `items` are those at the top level, by name, with their offsets (a function's is its
    name's).
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.masked = mask(text)
        self._depths = _depths(self.masked)
        self.functions = self._at_top(_FUNCTION)
        self.items = self._at_top(_ITEM)
        self.impls = tuple(
            Impl(_squeeze(m[1]), _squeeze(m[2]), m.start()) for m in _IMPL.finditer(self.masked)
        )
        self.uses = tuple(_squeeze_use(m[1]) for m in _USE.finditer(self.masked))
        self.macros = tuple(self._macro(m) for m in _MACRO.finditer(self.masked))
        self.own_macros = frozenset(m[1] for m in _MACRO_RULES.finditer(self.masked))

    def _at_top(self, pattern: re.Pattern[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for match in pattern.finditer(self.masked):
            if self._depths[match.start()] == 0:
                found.setdefault(match[1], match.start(1))
        return found

    def _macro(self, match: re.Match[str]) -> MacroCall:
        end = self.closing(match.start(2)) + 1
        return MacroCall(
            _squeeze(match[1]),
            match.start(),
            match.end(),
            min(end, len(self.text)),
            self._depths[match.start()],
        )

    def closing(self, opening: int) -> int:
        """Return the offset of the delimiter that closes the one at `opening`, or the text's length."""
        outside = self._depths[opening]
        for at in range(opening + 1, len(self.masked)):
            if self.masked[at] in ")]}" and self._depths[at] == outside + 1:
                return at
        return len(self.masked)

    def mentions(self, word: str) -> bool:
        """Whether the word stands somewhere in the code."""
        return re.search(rf"\b{re.escape(word)}\b", self.masked) is not None

    def inner_attributes(self) -> list[tuple[int, int]]:
        """Return the spans of the `#![..]` at the cell's start."""
        spans, at = [], 0
        while (found := _INNER.match(self.masked, at)) is not None:
            at = self.closing(found.end() - 1) + 1
            spans.append((found.start(1), at))
        return spans

    def line_of(self, offset: int) -> str:
        """Return the line of the text that holds an offset."""
        return self.text[self.text.rfind("\n", 0, offset) + 1 :].split("\n", 1)[0].rstrip("\r")


def _depths(masked: str) -> list[int]:
    """Return how many delimiters are open before each character."""
    depths, depth = [], 0
    for char in masked:
        depths.append(depth)
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
    return [*depths, depth]


def _squeeze(path: str) -> str:
    return re.sub(r"\s+", "", path)


def _squeeze_use(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\s*(::|[{},])\s*", r"\1", text)).strip()
