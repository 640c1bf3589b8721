"""The layout of the engine's `wasmtime_component_val_t`, and a window on memory to read it by address.

A value is 32 bytes: its kind, then at offset 8 a number, a pointer, or a size and a pointer. A record's
entry is a name (size, pointer) and a value.
"""

from __future__ import annotations

import ctypes
from struct import Struct
from typing import Any, Final

__all__ = ["CHARS", "ENTRY", "NUMBERS", "VAL", "WINDOW", "CodecError", "Kind"]

VAL: Final = 32
ENTRY: Final = 48

CHARS: Final[Any] = (ctypes.c_char * (1 << 47)).from_address(0)
"""All addresses of this process. A slice is a copy as `bytes`, five times faster than `ctypes.string_at`."""
WINDOW: Final = memoryview(CHARS).cast("B")
"""The same for `struct` and for single bytes."""


class Kind:
    """The kinds of value that have parts or names; numbers are in `NUMBERS`."""

    STRING: Final = 12
    LIST: Final = 13
    RECORD: Final = 14
    TUPLE: Final = 15
    VARIANT: Final = 16
    ENUM: Final = 17
    OPTION: Final = 18
    RESULT: Final = 19
    FLAGS: Final = 20
    RESOURCE: Final = 21


NUMBERS: Final = {
    "bool": (0, "B"), "s8": (1, "b"), "u8": (2, "B"), "s16": (3, "h"), "u16": (4, "H"), "s32": (5, "i"),
    "u32": (6, "I"), "s64": (7, "q"), "u64": (8, "Q"), "f32": (9, "f"), "f64": (10, "d"), "char": (11, "I"),
}  # fmt: skip
"""Kind and `struct` code of every primitive type but `string`."""


class CodecError(Exception):
    """The engine handed over a value of another shape than its own type says: a bug, never the user's."""


def padded(code: str) -> Struct:
    """Return the `struct` of a whole value with a number of this code in it."""
    used = Struct(f"<B7x{code}").size
    return Struct(f"<B7x{code}{VAL - used}x")
