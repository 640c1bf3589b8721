"""A JSON file as a stream of its values: an array's elements, or one value after another, however long the file.

The standard library's decoder reads value by value from a buffer that grows only when a value does not end in it,
and then by doubling, so that time is linear and memory bounded by the largest value. Lines are counted, and a file
that ends in the middle is told from one that is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from labkernel._errors import UsageError

__all__ = ["CutShort", "json_values"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
_IN_SIGHT: Final = 8


class CutShort(UsageError):
    """A file ends in the middle of a value."""


def json_values(chunks: Iterable[str], *, limit: int) -> Iterator[tuple[int, Any]]:
    """Yield the line (from 1) and every value: an array's elements, or objects and arrays one after another.

    Raises `CutShort` for a file that ends early, `UsageError` for one that is no JSON or has a value of more
    than `limit` characters.

    >>> list(json_values(['[{"a": 1},', chr(10), ' 2]'], limit=99))
    [(1, {'a': 1}), (2, 2)]
    """
    return _Reader(chunks, limit).values()


class _Reader:
    def __init__(self, chunks: Iterable[str], limit: int) -> None:
        self.chunks, self.limit = iter(chunks), limit
        self.text, self.at, self.line = "", 0, 1
        self.is_over = False

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield what the file holds."""
        first = self._peek()
        if first == "[":
            self.at += 1
            yield from self._elements()
            if (rest := self._peek()) != "":
                raise UsageError(f"Line {self.line}: {rest!r} follows the end of the array.")
            return
        while (first := self._peek()) != "":
            if first not in "{[":
                shown = self.text[self.at : self.at + 40]
                raise UsageError(f"Line {self.line}: neither an array nor an object, but {shown!r}.")
            yield self.line, self._value(is_element=False)

    def _elements(self) -> Iterator[tuple[int, Any]]:
        if self._peek() == "]":
            self.at += 1
            return
        while True:
            if self._peek() == "":
                raise self._cut()
            line = self.line
            yield line, self._value(is_element=True)
            mark = self._peek()
            self.at += 1
            if mark == "]":
                return
            if mark != ",":
                raise self._cut() if mark == "" else self._wrong(f"expected ',' or ']', found {mark!r}")

    def _value(self, *, is_element: bool) -> Any:
        """Decode one value. In an array more is read than its end, since `10` may be the beginning of `10.5e3`."""
        size = max(len(self.text) - self.at, 1 << 10)
        while True:
            error: json.JSONDecodeError | None = None
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as found:
                error = found
            except (RecursionError, ValueError) as found:
                why = "it is nested too deeply" if isinstance(found, RecursionError) else str(found)
                raise self._wrong(why) from None
            if error is None and (self.is_over or not is_element or len(self.text) - end > _IN_SIGHT):
                self._advance(end)
                return value
            if self.is_over:
                raise self._refused(error)
            if len(self.text) - self.at > self.limit:
                raise self._wrong(f"more than {self.limit:,} characters, which is no event any more")
            self._more(size)
            size *= 2

    def _refused(self, error: json.JSONDecodeError | None) -> UsageError:
        if error is None or error.msg.startswith("Unterminated") or error.pos >= len(self.text.rstrip()):
            return self._cut()
        line = self.line + self.text.count("\n", self.at, error.pos)
        near = self.text[error.pos : error.pos + 20]
        return UsageError(f"Line {line}: this is no JSON: {error.msg} at {near!r}.")

    def _wrong(self, why: str) -> UsageError:
        return UsageError(f"The value in line {self.line} cannot be read: {why}.")

    def _cut(self) -> CutShort:
        return CutShort(f"The file ends in the middle of the value that begins in line {self.line}.")

    def _peek(self) -> str:
        """Return the next character that is no white space, without taking it; empty at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            assert found is not None
            self._advance(found.end())
            if self.at < len(self.text) or not self._more(1):
                return self.text[self.at : self.at + 1]

    def _advance(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def _more(self, size: int) -> bool:
        """Read at least so many characters and drop what has been taken; return whether there were any."""
        pieces, got = [self.text[self.at :]], 0
        while got < size:
            chunk = next(self.chunks, None)
            if chunk is None:
                self.is_over = True
                break
            pieces.append(chunk)
            got += len(chunk)
        self.text, self.at = "".join(pieces), 0
        return got > 0
