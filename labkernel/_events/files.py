"""Files of events as rows: JSON lines, JSON (an array, or objects), CSV, and WAVE; CloudEvents in the JSON ones.

Files are read in pieces: memory is bounded by the longest event. A row that is wrong is given as such, with its
place, so that whoever reads decides whether to go on; a file that is wrong as a whole raises `UsageError`.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from labkernel._errors import LabError, UsageError, did_you_mean
from labkernel._events.cells import Cell, CellRow
from labkernel._events.cloudevents import is_cloud_event, read_cloud_event
from labkernel._events.json_stream import CutShort, json_values
from labkernel._values import find_function, parse_args, parse_call
from labkernel._wit import Function

__all__ = ["FORMATS", "EventFile", "Row"]

EVENT_BYTES: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 16
FORMATS: Final = {
    ".jsonl": "JSON lines", ".ndjson": "JSON lines", ".json": "JSON", ".csv": "CSV", ".tsv": "CSV",
    ".wave": "WAVE",
}  # fmt: skip
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"), (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)  # fmt: skip
_WAVE_HEAD: Final = re.compile(r"\s*(//|%?[A-Za-z][\w:/@#.+-]*\s*[({\[]|\(|\{\s*%?[a-z][a-z0-9-]*\s*[:,}])")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands, and its value, or its arguments in normal form, or what is wrong with it."""

    where: str
    value: Any = None
    args: list[Any] | None = None
    error: LabError | None = None


class EventFile:
    """A file of events for a function. `rows()` reads it from the beginning, as often as it is called.

    `format` is one of the values of `FORMATS`, found by the suffix or else by how the file begins. Raises
    `UsageError` for a file that is not there, is empty, or begins like nothing that is known.
    """

    def __init__(self, path: str | Path, function: Function) -> None:
        self.path, self.function = Path(path).expanduser(), function
        self._stamp = self._stat()
        self.format = FORMATS.get(self.path.suffix.lower()) or self._guess()

    @property
    def name(self) -> str:
        """The file's name and format, for messages."""
        return f"{self.path.name} ({self.format})"

    def rows(self) -> Iterator[Row]:
        """Yield every row. Raises `UsageError` where the file is wrong as a whole, or has changed meanwhile."""
        if self._stat() != self._stamp:
            raise UsageError(f"{str(self.path)!r} changed while it was read; fire again.")
        read = {"JSON lines": self._json_lines, "JSON": self._json, "CSV": self._csv, "WAVE": self._wave}
        with self._open() as file:
            yield from read[self.format](file)

    def _stat(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise self._unreadable(error) from None
        if not self.path.is_file():
            raise UsageError(f"{str(self.path)!r} is no ordinary file; write the events into one first.")
        if found.st_size == 0:
            raise UsageError(f"{str(self.path)!r} is empty; write one event per line, as JSON or WAVE.")
        return found.st_size, found.st_mtime_ns

    def _unreadable(self, error: OSError) -> UsageError:
        near = ""
        if self.path.parent.is_dir():
            near = did_you_mean(self.path.name, [p.name for p in self.path.parent.iterdir()])
        return UsageError(f"The events file {str(self.path)!r} cannot be read ({error.strerror}).{near}")

    def _open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise self._unreadable(error) from None
        start = file.read(4)
        for mark, encoding in _BYTE_ORDER_MARKS:
            if start.startswith(mark):
                file.close()
                raise UsageError(f"{str(self.path)!r} is {encoding} text; save it as UTF-8.")
        file.seek(3 if start.startswith(codecs.BOM_UTF8) else 0)
        return file

    def _guess(self) -> str:
        with self._open() as file:
            head = file.read(_CHUNK_BYTES).decode("utf-8", errors="replace")
        text = head.lstrip()
        first = text.partition("\n")[0]
        if re.match(r'\{\s*["}]', text):
            return "JSON"
        if _WAVE_HEAD.match(text):
            return "WAVE"
        if text.startswith("["):
            return "JSON"
        if _delimiter(first) in first:
            return "CSV"
        known = ", ".join(sorted(FORMATS))
        raise UsageError(
            f"{str(self.path)!r} begins with {first[:40]!r}, which is none of the known formats; name it by its "
            f"suffix: {known}."
        )

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, str | UsageError, bool]]:
        """Yield number, text (or what is wrong with it) and whether it ends in a line break, of every line."""
        number = 0
        while line := file.readline(EVENT_BYTES + 1):
            number += 1
            ended = line.endswith(b"\n")
            if len(line) > EVENT_BYTES and not ended:
                while (rest := file.readline(_CHUNK_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield (
                    number,
                    UsageError(f"a line of more than {EVENT_BYTES >> 20} MiB is no event any more."),
                    True,
                )
                continue
            try:
                yield number, line.decode("utf-8"), ended
            except UnicodeDecodeError as error:
                yield number, _not_utf8(error, line), ended

    def _json_lines(self, file: BinaryIO) -> Iterator[Row]:
        for number, text, ended in self._lines(file):
            where = f"line {number}"
            if not isinstance(text, str):
                yield Row(where, error=text)
            elif text.strip():
                yield _json_row(where, text, cut=not ended)

    def _json(self, file: BinaryIO) -> Iterator[Row]:
        for number, value in json_values(self._chunks(file), limit=EVENT_BYTES):
            yield _checked(f"line {number}", value)

    def _chunks(self, file: BinaryIO) -> Iterator[str]:
        decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
        while True:
            data = file.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                raise UsageError(f"line {line}: {_not_utf8(error, error.object)}") from None
            if not data:
                return
            line += text.count("\n")
            yield text

    def _csv(self, file: BinaryIO) -> Iterator[Row]:
        # The limit is the module's own and for all; it is raised, never lowered.
        csv.field_size_limit(max(csv.field_size_limit(), EVENT_BYTES))
        wrong: list[UsageError] = []
        lines = self._csv_lines(file, wrong)
        first = next(lines, "")
        reader = csv.reader(_again(first, lines), delimiter=_delimiter(first), strict=True)
        header: list[str] = []
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cut = "the file ends inside quotes" if "end of data" in str(error) else str(error)
                raise CutShort(f"line {reader.line_num}: {cut}.") from None
            where = f"line {reader.line_num}"
            if wrong:
                yield Row(where, error=wrong.pop())
            elif not header:
                header = _header(cells)
            elif cells:
                yield _csv_row(where, header, cells)

    def _csv_lines(self, file: BinaryIO, wrong: list[UsageError]) -> Iterator[str]:
        for number, text, _ in self._lines(file):
            if isinstance(text, str):
                yield text
            elif number == 1:
                raise UsageError(f"line 1: {text}")
            else:
                wrong.append(text)
                yield "\n"

    def _wave(self, file: BinaryIO) -> Iterator[Row]:
        for number, text, _ in self._lines(file):
            where = f"line {number}"
            if not isinstance(text, str):
                yield Row(where, error=text)
            elif text.strip() and not text.lstrip().startswith("//"):
                yield self._wave_row(where, text.strip())

    def _wave_row(self, where: str, text: str) -> Row:
        head = re.match(r"[A-Za-z][A-Za-z0-9_:/@#.+-]*", text)
        try:
            if head and find_function(head[0], [self.function]):
                return Row(where, args=parse_call(text, [self.function])[1])
            return Row(where, args=parse_args(text, self.function))
        except LabError as error:
            return Row(where, error=error)


def _again(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _json_row(where: str, text: str, *, cut: bool) -> Row:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        ends = cut and (error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip()))
        why = "the file ends in the middle of it" if ends else f"{error.msg} at column {error.colno}"
        return Row(where, error=UsageError(f"this is no JSON: {why}."))
    except (RecursionError, ValueError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        return Row(where, error=UsageError(f"this JSON cannot be read: {why}."))
    return _checked(where, value)


def _checked(where: str, value: Any) -> Row:
    """Return the row of a value; one that says it is a CloudEvent is checked as such."""
    try:
        return Row(where, read_cloud_event(value) if is_cloud_event(value) else value)
    except UsageError as error:
        return Row(where, error=error)


def _delimiter(header: str) -> str:
    """Return what stands between a header's names: a comma, a semicolon or a tab."""
    return max(",;\t", key=header.count)


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = [name for name in names if names.count(name) > 1]
    if "" in names or twice:
        what = f"{twice[0]!r} twice" if twice and twice[0] else "a column without a name"
        raise UsageError(f"line 1: the header has {what}; every column needs a name of its own.")
    return names


def _csv_row(where: str, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Row(where, error=UsageError(f"a row of {len(cells)} cells under a header of {len(header)}."))
    made = CellRow()
    for name, cell in zip(header, cells, strict=True):
        node: dict[str, Any] = made
        *outer, last = name.split(".")
        for word in outer:
            inner = node.setdefault(word, {})
            if not isinstance(inner, dict):
                return Row(
                    where, error=UsageError(f"the header has both {word!r} and parts of it ({name!r}).")
                )
            node = inner
        node[last] = Cell(cell)
    return Row(where, made)


def _not_utf8(error: UnicodeDecodeError, data: bytes) -> UsageError:
    column = error.start - data.rfind(b"\n", 0, error.start)
    return UsageError(
        f"byte 0x{data[error.start]:02x} at column {column} is no UTF-8; save the file as UTF-8."
    )
