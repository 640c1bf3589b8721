"""Makes the QuickJS runtime pass integers whole.

componentize-qjs 0.4.5 turns `u64` and `s64` into JavaScript numbers, which are exact to 2^53 only; a `u32` from
2^31 on comes in as a negative number and goes out as 2^31 - 1. Its runtime is a WebAssembly library that the
bindings of a world call, a function for each type (`wit_dylib.h` of the crate wit-dylib). Six of these functions
are replaced: an integer beyond 2^53 comes in as a string of 16 hexadecimal digits, and every one of 64 bits goes
out as such a string; the guest (`guest/values.js`) makes numbers and bigints of them. Anything else going out
traps, without a word on the error stream. This module knows no cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import ToolchainMissing

__all__ = ["find_runtime", "runtime_for", "widened"]

#: The runtimes of componentize-qjs 0.4.5 without async, by whether they are small: size and digest.
_RUNTIMES: Final = {
    False: (1497910, "25703f010b80efb806f9"),
    True: (956298, "51bced91769e0a3cb8bc"),
}
_MAGIC: Final = b"\0asm\1\0\0\0"
_IMPORT, _FUNCTION, _EXPORT, _CODE = 2, 3, 7, 10


def runtime_for(packages: Path, cache: Cache, *, small: bool) -> Path:
    """Return the path of the widened runtime in the cache.

    Raises `ToolchainMissing` where the tool's own runtime is not the one that is known.
    """
    key = key_of("quickjs runtime 1", packages.name, small, Path(__file__).read_bytes())
    kept = cache.get("toolchain", key, ".wasm")
    if kept is None:
        found = find_runtime(packages / "node_modules", small=small)
        if found is None:
            detail = "Its runtime is not the one expected."
            raise ToolchainMissing(
                "componentize-qjs 0.4.5", language="js", how="labkernel setup js", detail=detail
            )
        kept = cache.put("toolchain", key, widened(found), ".wasm")
    return kept


def find_runtime(packages: Path, *, small: bool) -> bytes | None:
    """Return the runtime as it lies in the tool's program, or `None` where it is another than expected."""
    size, digest = _RUNTIMES[small]
    for program in sorted(packages.glob("@andreiltd/componentize-qjs-binding-*/*.node")):
        data = program.read_bytes()
        at = data.find(_MAGIC)
        while at >= 0:
            found = data[at : at + size]
            if hashlib.sha256(found).hexdigest().startswith(digest):
                return found
            at = data.find(_MAGIC, at + 1)
    return None


def widened(runtime: bytes) -> bytes:
    """Return the runtime with functions of its own for integers of 64 bits."""
    module = _Module.of(runtime)
    functions = module.functions
    made = {
        "wit_dylib_push_u32": _push_u32(functions),
        "wit_dylib_pop_u32": _body([], _get(0) + _call(functions["wit_dylib_pop_f64"]) + b"\xfc\x03"),
        "wit_dylib_push_u64": _push(functions, "wit_dylib_push_u64", signed=False),
        "wit_dylib_push_s64": _push(functions, "wit_dylib_push_s64", signed=True),
        "wit_dylib_pop_u64": _pop(functions, module.stack_pointer),
        "wit_dylib_pop_s64": _pop(functions, module.stack_pointer),
    }
    return module.with_functions(made)


# --- the functions

_EMPTY, _I32, _I64 = 0x40, 0x7F, 0x7E
_LIMIT: Final = 1 << 53


def _get(local: int) -> bytes:
    return b"\x20" + _leb(local)


def _set(local: int) -> bytes:
    return b"\x21" + _leb(local)


def _i32(value: int) -> bytes:
    return b"\x41" + _signed(value)


def _i64(value: int) -> bytes:
    return b"\x42" + _signed(value)


def _call(function: int) -> bytes:
    return b"\x10" + _leb(function)


def _body(locals_: Iterable[tuple[int, int]], code: bytes) -> bytes:
    groups = [_leb(count) + bytes([kind]) for count, kind in locals_]
    made = _leb(len(groups)) + b"".join(groups) + code + b"\x0b"
    return _leb(len(made)) + made


def _push_u32(functions: dict[str, int]) -> bytes:
    """`(cx, value)`: what a signed integer holds goes the old way, the rest as a number of 64 bits."""
    cx, value = range(2)
    old_way = b"\x04\x40" + _get(cx) + _get(value) + _call(functions["wit_dylib_push_u32"]) + b"\x0f\x0b"
    is_small = _get(value) + _i32(0) + b"\x4e"
    number = _get(cx) + _get(value) + b"\xb8" + _call(functions["wit_dylib_push_f64"])
    return _body([], is_small + old_way + number)


def _push(functions: dict[str, int], name: str, *, signed: bool) -> bytes:
    """`(cx, value)`: a small value goes the old way; of any other the digits are written, the last first."""
    cx, value, text, i, digit = range(5)
    # value + 2^53 <=u 2^54 covers both signs; an unsigned one is small up to 2^53
    near = _get(value) + (_i64(_LIMIT) + b"\x7c" if signed else b"")
    is_small = near + _i64(_LIMIT * 2 if signed else _LIMIT) + b"\x58"
    old_way = b"\x04\x40" + _get(cx) + _get(value) + _call(functions[name]) + b"\x0f\x0b"
    room = _i32(0) + _i32(0) + _i32(1) + _i32(16) + _call(functions["cabi_realloc"]) + _set(text)
    step = _get(i) + _i32(1) + b"\x6b" + _set(i)
    nibble = _get(value) + b"\xa7" + _i32(15) + b"\x71" + _set(digit)
    # '0' + digit, and 39 more from 'a' on
    letter = _get(digit) + _i32(48) + b"\x6a" + _get(digit) + _i32(9) + b"\x4b" + _i32(39) + b"\x6c\x6a"
    store = _get(text) + _get(i) + b"\x6a" + letter + b"\x3a\x00\x00"
    shift = _get(value) + _i64(4) + b"\x88" + _set(value)
    loop = b"\x03\x40" + step + nibble + store + shift + _get(i) + b"\x0d\x00\x0b"
    done = _get(cx) + _get(text) + _i32(16) + _call(functions["wit_dylib_push_string"])
    return _body([(3, _I32)], is_small + old_way + room + _i32(16) + _set(i) + loop + done)


def _pop(functions: dict[str, int], stack_pointer: int) -> bytes:
    """`(cx) -> value`: reads 16 digits, and traps where there is anything else."""
    cx, at, text, i, digit, value = range(6)
    sp = _leb(stack_pointer)
    room = b"\x23" + sp + _i32(16) + b"\x6b" + b"\x22" + _leb(at) + b"\x24" + sp
    length = _get(cx) + _get(at) + _call(functions["wit_dylib_pop_string"])
    check = length + _i32(16) + b"\x47\x04\x40\x00\x0b"
    load = _get(at) + b"\x28\x02\x00" + _set(text)
    letter = _get(text) + _get(i) + b"\x6a\x2d\x00\x00" + _set(digit)
    # '0'..'9' less 48, 'a'..'f' less 87; whatever is not 0 to 15 then is no digit
    number = (
        _get(digit) + _i32(48) + _i32(87) + _get(digit) + _i32(58) + b"\x49\x1b\x6b" + b"\x22" + _leb(digit)
    )
    is_digit = number + _i32(15) + b"\x4b\x04\x40\x00\x0b"
    add = _get(value) + _i64(4) + b"\x86" + _get(digit) + b"\xad\x84" + _set(value)
    step = _get(i) + _i32(1) + b"\x6a\x22" + _leb(i) + _i32(16) + b"\x49\x0d\x00"
    loop = b"\x03\x40" + letter + is_digit + add + step + b"\x0b"
    done = _get(at) + _i32(16) + b"\x6a\x24" + sp + _get(value)
    return _body([(4, _I32), (1, _I64)], room + check + load + loop + done)


# --- the module


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _leb(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _signed(value: int) -> bytes:
    made = bytearray()
    while not -64 <= value < 64:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value & 0x7F])


def _name(data: bytes, at: int) -> tuple[str, int]:
    size, at = _number(data, at)
    return data[at : at + size].decode(), at + size


@dataclass(frozen=True, slots=True)
class _Module:
    """A core module as its sections, with what is known of its functions."""

    sections: tuple[tuple[int, bytes], ...]
    functions: dict[str, int]
    imported: int
    stack_pointer: int

    @classmethod
    def of(cls, data: bytes) -> _Module:
        sections = []
        at = len(_MAGIC)
        while at < len(data):
            size, body = _number(data, at + 1)
            sections.append((data[at], data[body : body + size]))
            at = body + size
        imported, pointer = _imports(next(body for number, body in sections if number == _IMPORT))
        exports = {
            name: index
            for name, kind, index in _exports(next(body for number, body in sections if number == _EXPORT))
            if kind == 0
        }
        return cls(tuple(sections), exports, imported, pointer)

    def with_functions(self, made: dict[str, bytes]) -> bytes:
        """Return the module with these functions exported in place of those of the same names."""
        parts = [_MAGIC]
        for number, body in self.sections:
            if number == _FUNCTION:
                count, at = _number(body, 0)
                kinds = [self._kind(body, name) for name in made]
                body = _leb(count + len(made)) + body[at:] + b"".join(map(_leb, kinds))
            elif number == _CODE:
                count, at = _number(body, 0)
                body = _leb(count + len(made)) + body[at:] + b"".join(made.values())
            elif number == _EXPORT:
                body = self._renamed(body, made)
            parts.append(bytes([number]) + _leb(len(body)) + body)
        return b"".join(parts)

    def _kind(self, functions: bytes, name: str) -> int:
        """Return the type's number of an exported function."""
        _, at = _number(functions, 0)
        for _ in range(self.functions[name] - self.imported + 1):
            kind, at = _number(functions, at)
        return kind

    def _renamed(self, body: bytes, made: dict[str, bytes]) -> bytes:
        first = self.imported + _number(next(b for n, b in self.sections if n == _FUNCTION), 0)[0]
        numbers = {name: first + i for i, name in enumerate(made)}
        entries = list(_exports(body))
        parts = [_leb(len(entries))]
        for name, kind, index in entries:
            raw = name.encode()
            parts.append(_leb(len(raw)) + raw + bytes([kind]) + _leb(numbers.get(name, index)))
        return b"".join(parts)


def _exports(body: bytes) -> Iterable[tuple[str, int, int]]:
    count, at = _number(body, 0)
    for _ in range(count):
        name, at = _name(body, at)
        kind = body[at]
        index, at = _number(body, at + 1)
        yield name, kind, index


def _imports(body: bytes) -> tuple[int, int]:
    """Return how many functions are imported, and the number of the global that is the stack pointer."""
    count, at = _number(body, 0)
    functions = globals_ = 0
    pointer = -1
    for _ in range(count):
        _, at = _name(body, at)
        name, at = _name(body, at)
        kind = body[at]
        at += 1
        if kind == 0:
            functions += 1
            _, at = _number(body, at)
        elif kind == 3:
            pointer = globals_ if name == "__stack_pointer" else pointer
            globals_ += 1
            at += 2
        else:
            at += kind == 1
            flags, at = _number(body, at)
            for _ in range(2 if flags & 1 else 1):
                _, at = _number(body, at)
    return functions, pointer
