"""Events as a driver's table: rows of core values, and one image of all strings and lists behind them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

from labkernel._errors import ValueDoesNotFit
from labkernel._fire.driver import result_space
from labkernel._host.driver_memory import ROW_HEAD, TABLE_AT, TableData
from labkernel._values.flat import lower_arguments
from labkernel._values.image import Image, read
from labkernel._values.layout import core_signature
from labkernel._wit import Function

__all__ = ["KEPT_BYTES", "result_of", "table_of"]

KEPT_BYTES: Final = 16 << 20
"""Space for the first results of all rows; what finds no room there is not compared, and counted."""


def table_of(function: Function, events: Sequence[list[Any]]) -> TableData:
    """Return the table of these events, in normal form. Raises `ValueDoesNotFit` for one that is no argument list."""
    cores = len(core_signature(function)[0])
    stride = ROW_HEAD + 8 * cores
    rows_end = TABLE_AT + stride * len(events)
    image = Image(rows_end)
    head, form = bytes(ROW_HEAD), struct.Struct(f"<{cores}Q")
    rows = []
    for event in events:
        try:
            rows += [head, form.pack(*lower_arguments(image, event, function))]
        except (struct.error, ValueError, TypeError, LookupError, AttributeError, OverflowError) as problem:
            raise ValueDoesNotFit("$", event, function.text, why=str(problem)) from None
    kept = -(-(rows_end + len(image.data)) // 8) * 8
    return TableData(
        b"".join([*rows, image.data]), stride, rows_end, kept, kept + KEPT_BYTES, kept + KEPT_BYTES
    )


def result_of(function: Function, kept: bytes, table: TableData) -> Any:
    """Return the result, in normal form, whose space and contents a driver has kept."""
    if function.result is None:
        return None
    base = table.result
    # What is kept is cut to the space of the result where nothing else belongs to it.
    assert len(kept) >= result_space(function)
    return read(
        lambda at, count: kept[at - base : at - base + count] if count else b"", base, function.result
    )
