"""Text cells against WIT types: what a CSV file holds, where everything is text; and times as they are written.

Numbers, truth values and enum cases stand plainly, an empty cell is an option without a value, text is itself;
what has parts is WAVE.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from labkernel._errors import UsageError, ValueDoesNotFit
from labkernel._events.moments import try_instant
from labkernel._values import parse_wave, to_normal
from labkernel._wit import EnumType, OptionType, Primitive, RecordType, Type, type_text

__all__ = ["Cell", "CellRow", "Gap", "read_cell", "read_moment"]

_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT: Final = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TRUTH: Final = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


class Cell(str):
    """The text of a cell, which has no type of its own."""

    __slots__ = ()


class CellRow(dict[str, Any]):
    """A row of cells by the names of their columns; parts of one value are a dict of cells."""

    __slots__ = ()


class Gap(float):
    """A missing value of a table that writes it as NaN: no value for an option, NaN for a float."""

    def __new__(cls) -> Gap:
        """Return a NaN that is known to stand for nothing."""
        return super().__new__(cls, math.nan)


def read_cell(cell: str, wit_type: Type, path: str) -> Any:
    """Return the normal form of a cell's text.

    Raises `ValueDoesNotFit` with the path, or `UsageError` where WAVE was expected and is none.

    >>> read_cell("", OptionType(Primitive("u8")), "$"), read_cell("7", OptionType(Primitive("u8")), "$")
    (None, [7])
    """
    match wit_type:
        case OptionType(payload):
            return None if cell == "" else [read_cell(cell, payload, path)]
        case EnumType():
            return to_normal(cell.strip(), wit_type, path)
        case Primitive(name):
            return to_normal(_plain(cell, name, path), wit_type, path)
        case _:
            return _wave(cell, wit_type, path)


def _wave(cell: str, wit_type: Type, path: str) -> Any:
    try:
        return parse_wave(cell, wit_type, path)
    except UsageError as error:
        shown = type_text(wit_type)
        raise UsageError(f"{path}: {shown} stands in a cell as WAVE, and this is none. {error}") from None


def _plain(cell: str, name: str, path: str) -> Any:
    if name in ("string", "char"):
        return str(cell)
    text = cell.strip()
    if name == "bool":
        made: Any = _TRUTH.get(text.lower())
    elif name in ("f32", "f64"):
        made = float(text) if _FLOAT.fullmatch(text) else None
    else:
        made = int(text) if _INTEGER.fullmatch(text) and len(text) <= 40 else None
    if made is None:
        why = "an empty cell" if not text else ""
        raise ValueDoesNotFit(path, str(cell), name, why=why)
    return made


def read_moment(source: Any, wit_type: RecordType, root: str) -> Any:
    """Return a point in time from RFC 3339 text, a `datetime` or seconds since 1970."""
    instant: int | None = None
    if isinstance(source, datetime):
        whole = source if source.tzinfo else source.replace(tzinfo=UTC)
        past = whole - _EPOCH
        instant = (past.days * 86_400 + past.seconds) * 1_000_000_000 + past.microseconds * 1000
        instant += getattr(source, "nanosecond", 0)
    elif isinstance(source, str):
        instant = try_instant(source.strip())
        if instant is None and isinstance(source, Cell):
            return read_cell(source, wit_type, root)
    elif isinstance(source, int | float) and not isinstance(source, bool) and abs(source) < 2**63:
        instant = int(source) * 1_000_000_000 + (round(source % 1 * 1e9) if isinstance(source, float) else 0)
    if instant is None:
        return to_normal(source, wit_type, root)
    seconds, nanoseconds = divmod(instant, 1_000_000_000)
    return to_normal({"seconds": seconds, "nanoseconds": nanoseconds}, wit_type, root)
