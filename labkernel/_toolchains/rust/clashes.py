"""Functions of a world whose names the C library below Rust's standard library has already.

A world's own function is a symbol of the module under its plain name: `send` would be linked twice, and `write`
would be what `println!` calls. So where a name is the C library's, bindings are made with a prefix, the linker
leaves a core module, and the prefix is taken off its exports. This module knows no cell.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from labkernel._toolchains.rust.tools import TARGET, Rustc
from labkernel._wit import World

__all__ = ["PREFIX", "clashing", "without_prefix"]

PREFIX: Final = "labkernel:"
_EXPORTS: Final = 7
#: What a start of the program is linked by; no archive lists it.
_MORE: Final = frozenset({"main"})


def clashing(world: World, rustc: Rustc) -> tuple[str, ...]:
    """Return the world's own functions whose names are symbols of the C library."""
    taken = _symbols(rustc.sysroot / "lib" / "rustlib" / TARGET / "lib" / "self-contained" / "libc.a")
    return tuple(f.name for f in world.functions() if not f.interface and f.name in taken)


@functools.cache
def _symbols(archive: Path) -> frozenset[str]:
    """Return the symbols that an archive's first member lists: their number, their places, their names."""
    try:
        with open(archive, "rb") as file:
            head = file.read(68)
            if head[:9] != b"!<arch>\n/":
                return _MORE
            index = file.read(int(head[56:66]))
    except (OSError, ValueError):
        return _MORE
    count = int.from_bytes(index[:4], "big")
    names = index[4 + 4 * count :].split(b"\0")[:count]
    return _MORE | {name.decode("ascii", "replace") for name in names}


def without_prefix(core: bytes) -> bytes:
    """Return the module with the prefix taken off the names of its exports.

    >>> named = bytes([0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 7, 15, 1, 11]) + b"labkernel:f" + bytes([0, 0])
    >>> without_prefix(named)[8:]
    b'\\x07\\x05\\x01\\x01f\\x00\\x00'
    """
    made = bytearray(core[:8])
    for kind, start, end in _sections(core):
        body = _renamed(core, start, end) if kind == _EXPORTS else core[start:end]
        made += bytes([kind]) + _leb(len(body)) + body
    return bytes(made)


def _sections(core: bytes) -> Iterator[tuple[int, int, int]]:
    at = struct.calcsize("<II")
    while at < len(core):
        size, start = _read(core, at + 1)
        yield core[at], start, start + size
        at = start + size


def _renamed(core: bytes, at: int, end: int) -> bytes:
    count, at = _read(core, at)
    made = bytearray(_leb(count))
    prefix = PREFIX.encode()
    while at < end:
        length, at = _read(core, at)
        name = core[at : at + length].replace(prefix, b"", 1)
        kind = core[at + length]
        index, after = _read(core, at + length + 1)
        made += _leb(len(name)) + name + bytes([kind]) + _leb(index)
        at = after
    return bytes(made)


def _read(data: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _leb(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
