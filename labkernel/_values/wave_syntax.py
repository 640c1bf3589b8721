"""WAVE text to a tree without types. The grammar is that of the crate wasm-wave (its `wave_ebnf.md`).

A node knows its place in the text, so that whoever reads it against a type can point at it.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, NoReturn

from labkernel._values.labels import KEYWORDS
from labkernel._values.place import syntax_error
from labkernel._values.wave_strings import read_char, read_multiline, read_string

__all__ = ["Node", "Parser", "parse"]

_DEPTH: Final = 100
_TOKEN: Final = re.compile(
    r"""(?:[ \t\r\n]++|//[^\n]*+)*+(?:
    (?P<punct>[{}()\[\],:])
  | (?P<label>%?(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*)
  | (?P<number>-inf|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
  | (?P<multi>\"{3}.*?\"{3})
  | (?P<string>"(?!"")(?:[^\\"\n]++|\\.)*+")
  | (?P<char>'(?:[^\\'\n]++|\\.)*+')
  | (?P<end>\Z)
  )""",
    re.VERBOSE | re.DOTALL,
)
_RUN: Final = re.compile(r"[A-Za-z0-9_.%+-]+|.", re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}


class Node(NamedTuple):
    """One value of the text.

    | kind | value |
    |---|---|
    | `number` | its text (`nan`, `inf`, `-inf` included) |
    | `string`, `char` | the decoded text |
    | `bool` | True or False |
    | `label` | the name without `%` |
    | `case` | name and payload node |
    | `some` | payload node |
    | `none` | None |
    | `ok`, `err` | payload node or None |
    | `list`, `tuple` | nodes |
    | `record` | (name, start, end, node) of each field |
    | `flags` | (name, start, end) of each flag |
    """

    kind: str
    start: int
    end: int
    value: Any


def parse(text: str) -> Node:
    """Return the tree of a text that holds one value. Raises `UsageError` with the column.

    >>> parse("{read}").kind, parse("{read: 1}").kind, parse("read").kind
    ('flags', 'record', 'label')
    """
    parser = Parser(text)
    node = parser.value()
    parser.finish()
    return node


class Parser:
    """Reads values from `text` one after the other, from `start` on; `token` comes next."""

    __slots__ = ("_depth", "end", "kind", "last", "start", "text", "token")

    def __init__(self, text: str, start: int = 0) -> None:
        found = None if text.isascii() else _SURROGATE.search(text)
        if found:
            at = found.start()
            message = f"Lone surrogate U+{ord(text[at]):04X} is no Unicode scalar value"
            raise syntax_error(text, at, at + 1, message)
        self.text = text
        self.end = start
        self._depth = 0
        self.kind = self.token = ""
        self.start = self.last = start
        self.advance()

    def advance(self) -> None:
        """Move to the next token; `last` is where the one before ended."""
        self.last = self.end
        match = _TOKEN.match(self.text, self.end)
        if match is None or match.lastgroup is None:
            self._no_token()
        self.kind = match.lastgroup
        self.start, self.end = match.span(self.kind)
        self.token = match[self.kind]
        if self.kind in ("number", "label"):
            self._ends_cleanly()

    def value(self) -> Node:
        """Read one value."""
        kind, token, start = self.kind, self.token, self.start
        if kind == "label":
            return self._word()
        if kind == "number":
            return self._leaf("number", token)
        if kind == "string":
            return self._leaf("string", read_string(self.text, start + 1, self.end - 1))
        if kind == "punct" and token in "([{":
            self._depth += 1
            if self._depth > _DEPTH:
                self.fail(f"Nested deeper than {_DEPTH} levels")
            node = self._braces() if token == "{" else self._sequence()
            self._depth -= 1
            return node
        if kind == "multi":
            return self._leaf("string", read_multiline(self.text, start + 3, self.end - 3))
        if kind == "char":
            return self._leaf("char", read_char(self.text, start + 1, self.end - 1))
        return self._unexpected("a value")

    def finish(self) -> None:
        """Refuse whatever follows."""
        if self.kind != "end":
            self.fail(f"Unexpected {_shown(self.token)} after the value")

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise `UsageError` at the current token."""
        raise syntax_error(self.text, self.start, self.end, message, hint)

    def _leaf(self, kind: str, value: Any) -> Node:
        node = Node(kind, self.start, self.end, value)
        self.advance()
        return node

    def _is(self, punct: str) -> bool:
        return self.kind == "punct" and self.token == punct

    def _word(self) -> Node:
        word, start = self.token, self.start
        if word == "true" or word == "false":
            return self._leaf("bool", word == "true")
        if word == "inf" or word == "nan":
            return self._leaf("number", word)
        if word == "none":
            return self._leaf("none", None)
        self.advance()
        if not self._is("("):
            if word == "some":
                self._unexpected("'(' and a value after 'some'")
            kind = word if word in KEYWORDS else "label"
            return Node(kind, start, self.last, None if kind != "label" else word.removeprefix("%"))
        payload = self._payload()
        if word in KEYWORDS:
            return Node(word, start, self.last, payload)
        return Node("case", start, self.last, (word.removeprefix("%"), payload))

    def _payload(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH:
            self.fail(f"Nested deeper than {_DEPTH} levels")
        self.advance()
        payload = self.value()
        self._depth -= 1
        if not self._is(")"):
            self._unexpected("')'")
        self.advance()
        return payload

    def _sequence(self) -> Node:
        opener, start = self.token, self.start
        closer = _CLOSERS[opener]
        self.advance()
        nodes: list[Node] = []
        while not self._is(closer):
            nodes.append(self.value())
            self._separator(closer)
        self.advance()
        return Node("tuple" if opener == "(" else "list", start, self.last, nodes)

    def _separator(self, closer: str) -> None:
        if self._is(","):
            self.advance()
        elif not self._is(closer):
            self._unexpected(f"',' or '{closer}'")

    def _braces(self) -> Node:
        start = self.start
        self.advance()
        if self._is(":"):
            self.advance()
            if not self._is("}"):
                self._unexpected("'}'")
            self.advance()
            return Node("record", start, self.last, [])
        entries: list[Any] = []
        seen: set[str] = set()
        kind = ""
        while not self._is("}"):
            kind = self._entry(kind, seen, entries)
            self._separator("}")
        self.advance()
        return Node(kind or "flags", start, self.last, entries)

    def _entry(self, kind: str, seen: set[str], entries: list[Any]) -> str:
        """Read one field or flag; the first decides what the braces hold."""
        if self.kind != "label":
            hint = "Names are written without quotes." if self.kind in ("string", "char") else ""
            self._unexpected("a field or flag name", hint)
        name, start, end = self.token.removeprefix("%"), self.start, self.end
        if name in seen:
            self.fail(f"{name!r} is given twice")
        seen.add(name)
        self.advance()
        is_field = self._is(":")
        if kind and is_field != (kind == "record"):
            self._unexpected("',' or '}'" if is_field else f"':' and the value of field {name!r}")
        if is_field:
            self.advance()
            entries.append((name, start, end, self.value()))
            return "record"
        entries.append((name, start, end))
        return "flags"

    def _unexpected(self, expected: str, hint: str = "") -> NoReturn:
        found = "the end of the text" if self.kind == "end" else repr(self.token)
        self.fail(f"Expected {expected}, found {found}", hint)

    def _ends_cleanly(self) -> None:
        """Refuse `5u32`, `0x1f`, `007`, `1_000`, `object_added` as one mistake, not as two tokens."""
        run = _RUN.match(self.text, self.end)
        if run is None or not (run[0][0].isalnum() or run[0][0] in "_."):
            return
        self.end = run.end()
        whole = self.text[self.start : self.end]
        if self.kind == "number":
            self.fail(f"{whole!r} is no number", "Numbers are decimal, without leading zeros, '_' or suffix.")
        kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", whole).replace("_", "-").lower()
        self.fail(f"{whole!r} is no name", f"Names are kebab-case: {kebab}." if kebab != whole else "")

    def _no_token(self) -> NoReturn:
        self.start = len(self.text) - len(_strip(self.text[self.end :]))
        run = _RUN.match(self.text, self.start)
        self.end = run.end() if run else self.start + 1
        first = self.text[self.start]
        if first in "\"'":
            line_end = self.text.find("\n", self.start)
            self.end = len(self.text) if line_end < 0 else line_end
            what = "string" if first == '"' else "char"
            self.fail(f"The {what} that starts here has no end", "A line break inside is written \\n.")
        hint = "Write it with a digit first: 0.5." if first == "." else ""
        self.fail(f"Unexpected {_shown(self.text[self.start : self.end])}", hint)


def _strip(rest: str) -> str:
    return re.sub(r"\A(?:[ \t\r\n]++|//[^\n]*+)*+", "", rest)


def _shown(text: str) -> str:
    """Return a piece of text as a message shows it: quoted, and short."""
    return repr(text if len(text) <= 80 else f"{text[:79]}…")
