"""How a driver's linear memory is laid out: header, samples, table of events, kept results, space for a result.

A driver is a component in front of a target that calls it in a loop (`labkernel._fire.driver` writes its text,
`driving` runs it). The host writes the table and reads the samples while no guest runs, so both agree here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CLOCK",
    "DRIVE",
    "DRY",
    "HEADER_AT",
    "KEPT",
    "MAGIC",
    "MARK",
    "OFFSETS",
    "REAL",
    "RESERVE",
    "ROW_HEAD",
    "ROW_STATE",
    "SAMPLES",
    "SAMPLES_AT",
    "TABLE_AT",
    "TableData",
]

MARK, RESERVE, DRIVE = "labkernel-mark", "labkernel-reserve", "labkernel-drive"
"""The driver's own exports: take a mark, make room, fire a batch."""
MAGIC: Final = b"labdrive"
HEADER_AT: Final = 1024
SAMPLES_AT: Final = 4096
SAMPLES: Final = 1 << 16
"""How many times of 8 bytes one batch has room for."""
TABLE_AT: Final = SAMPLES_AT + 8 * SAMPLES

REAL, DRY, CLOCK = 0, 1, 2
"""What one batch does: fire, do all but the call, or read the clock twice for each sample."""

_FIELDS: Final = (
    ("magic", "8s"), ("mark_low", "Q"), ("mark_high", "Q"),
    ("done", "Q"), ("varied", "Q"), ("unchecked", "Q"), ("budget_ns", "Q"),
    ("rows", "I"), ("rows_end", "I"), ("row", "I"), ("stride", "I"), ("count", "I"), ("group", "I"), ("mode", "I"),
    ("samples", "I"), ("result", "I"), ("kept_next", "I"), ("kept_end", "I"),
)  # fmt: skip
"""`done` counts the events that were answered; what trapped is the event of that index."""


def _offsets() -> dict[str, tuple[int, struct.Struct]]:
    made, at = {}, HEADER_AT
    for name, code in _FIELDS:
        form = struct.Struct(f"<{code}")
        made[name] = (at, form)
        at += form.size
    return made


OFFSETS: Final = _offsets()
"""Address and form of every field of the header."""
ROW_HEAD: Final = 16
"""A row begins with its state; 8 bytes for each core value follow."""
ROW_STATE: Final = struct.Struct("<IIII")
"""Address and bytes of a row's kept result, whether there is one, and how many later results differed from it."""
KEPT: Final = 1
"""In the state of a row: its first result was kept, and later ones are compared with it."""


@dataclass(frozen=True, slots=True)
class TableData:
    """A table of events as bytes for the address `TABLE_AT`, and the places of what comes behind it.

    `rows_end`, `kept`, `kept_end` and `result` are addresses; `stride` is a row's bytes.
    """

    data: bytes
    stride: int
    rows_end: int
    kept: int
    kept_end: int
    result: int

    def to_data(self) -> list[Any]:
        """Return the table as plain data, in the order of the fields."""
        return [getattr(self, name) for name in self.__dataclass_fields__]
