"""What lies where in a membrane's linear memory: shared by who generates it and who reads it.

The beginning of the memory is the same in every membrane; the header says where the rest lies. All numbers are
little-endian. It knows neither engine nor WebAssembly text.

| offset | what |
|---|---|
| 16 | `MAGIC`, 16 bytes |
| 32 | the mark that the membrane chose for this instance (u64, its lower half is handed over) |
| 40 | claimed: set by the host that has found it (u32) |
| 44 | entries in the ledger (u32) |
| 48 | addresses of the policy bytes and of the ledger, their count and its capacity (4 times u32) |
| 64 | the frame: 16 flat arguments (u64) and the flat result or its address (u64) |
| 200 | virtual clock: wall time at its start, time passed, step of a reading, monotonic time at its start (ns, u64) |
| 232 | state of the seeded random numbers (u64) |
| 256 | the area of results, then policy, ledger, and what calls copy |

An entry of the ledger has `ENTRY` bytes:

| offset | what |
|---|---|
| 0 | function (u16), flags (u16: `RETURNED`, `ANSWERED`, `VIRTUAL`) |
| 4 | bytes kept of the first and second text argument and of the result's text (3 times u8) |
| 8 | monotonic time before and after the call (ns, u64); the second is 0 until it returned |
| 24 | 16 flat arguments (u64), or the first 128 bytes that the only one points at, where there were more |
| 152 | first `TEXT` bytes of the first text argument, then of the second |
| 216 | first `RESULT` bytes of the result in memory, or its flat value |
| 264 | first `RESULT_TEXT` bytes of the first text in the result |
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ANSWERED",
    "ARGUMENTS",
    "ASK",
    "CAPACITY",
    "CLAIMED",
    "CLOCK",
    "CLOCK_IMPORT",
    "COUNT",
    "ENTRY",
    "ENTRY_ARGUMENTS",
    "ENTRY_RESULT",
    "ENTRY_RESULT_TEXT",
    "ENTRY_TEXT",
    "FRAME",
    "FRAME_RESULT",
    "HEADER",
    "IMPORT",
    "MAGIC",
    "MARK",
    "NONCE",
    "RANDOM",
    "RECORD",
    "RESULT",
    "RESULTS",
    "RESULT_TEXT",
    "RETURNED",
    "SPECIAL",
    "TELL",
    "TEXT",
    "VIRTUAL",
]

IMPORT: Final = "labkernel:membrane/host@0.1.0"
CLOCK_IMPORT: Final = "labkernel:membrane/clock@0.1.0"
MAGIC: Final = b"labkernel membr1"
MARK, NONCE, CLAIMED, COUNT, HEADER = 16, 32, 40, 44, 48
FRAME: Final = 64
ARGUMENTS: Final = 16
FRAME_RESULT: Final = FRAME + 8 * ARGUMENTS
CLOCK, RANDOM, RESULTS = 200, 232, 256

#: Bits of a policy byte.
RECORD, ASK, TELL, SPECIAL = 1, 2, 4, 8

#: Flags of an entry.
RETURNED, ANSWERED, VIRTUAL = 1, 2, 4
CAPACITY: Final = 256
"""Entries that the ledger holds before it is drained."""
ENTRY_ARGUMENTS: Final = 24
ENTRY_TEXT: Final = ENTRY_ARGUMENTS + 8 * ARGUMENTS
TEXT: Final = 32
ENTRY_RESULT: Final = ENTRY_TEXT + 2 * TEXT
RESULT: Final = 48
ENTRY_RESULT_TEXT: Final = ENTRY_RESULT + RESULT
RESULT_TEXT: Final = 48
ENTRY: Final = 320
