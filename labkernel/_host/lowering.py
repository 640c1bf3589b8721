"""Values in normal form -> the engine's values, by functions made once per WIT type.

They write one image: every value, string and list of an argument list lies in one `bytearray`, with offsets
for pointers that are moved to addresses at the end, so there is one allocation and nothing to free one by
one. The engine only reads it. Names of fields and cases live as long as the process.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache, lru_cache
from struct import Struct
from typing import Any, Final, TypeAlias

from labkernel._errors import ValueDoesNotFit
from labkernel._host.handles import active
from labkernel._host.val import ENTRY, NUMBERS, VAL, Kind, padded
from labkernel._wit import (
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    has_handle,
    type_text,
)

__all__ = ["Lower", "lowerer"]

Lower: TypeAlias = Callable[[Any, bytearray, list[int], int], None]
"""Write a value at an offset of an image; add the offsets of its pointers to the list."""

_PAD: Final = tuple(b"\0" * (-n & 7) for n in range(8))
_NAME: Final = Struct("<QQ")
_POINTER: Final = Struct("<Q").pack_into
_KIND_ONE: Final = Struct("<B7xQ").pack_into
_KIND_TWO: Final = Struct("<B7xQQ").pack_into
_KIND_THREE: Final = Struct("<B7xQQQ").pack_into


@cache
def _name(text: str) -> tuple[int, int, Any]:
    """Return size, address and owner of a name that lives as long as the process."""
    data = text.encode()
    buffer = ctypes.create_string_buffer(data, len(data) + 1)
    return len(data), ctypes.addressof(buffer), buffer


def lowerer(wit_type: Type) -> Lower:
    """Return the function that writes a value of this type at an offset of an image."""
    return _made(wit_type) if has_handle(wit_type) else _kept(wit_type)


def _made(wit_type: Type) -> Lower:
    match wit_type:
        case Primitive("string"):
            return _lower_string
        case Primitive(name):
            return _lower_number(name)
        case ListType(element):
            return _lower_list(element)
        case RecordType(fields):
            return _lower_record([(f.name, lowerer(f.type)) for f in fields], type_text(wit_type))
        case TupleType(elements):
            return _lower_tuple([lowerer(e) for e in elements], type_text(wit_type))
        case VariantType(cases):
            return _lower_variant(wit_type, {k.name: _maybe(k.type) for k in cases})
        case EnumType():
            return _lower_enum(wit_type)
        case OptionType(payload):
            return _lower_option(lowerer(payload))
        case ResultType(ok, err):
            return _lower_result(_maybe(ok), _maybe(err))
        case FlagsType():
            return _lower_flags(wit_type)
        case HandleType():
            return _lower_handle(wit_type)
        case _:
            return _refuse(type_text(wit_type))


_kept: Final = lru_cache(maxsize=2048)(_made)
"""Without handles: types are equal though their handles are of different resources."""


def _maybe(wit_type: Type | None) -> Lower | None:
    return None if wit_type is None else lowerer(wit_type)


def _refuse(text: str) -> Lower:
    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        raise ValueDoesNotFit("$", value, text, why="this lab does not carry such values")

    return lower


def _misfit(value: Any, text: str) -> ValueDoesNotFit:
    return ValueDoesNotFit("$", value, text)


def _lower_handle(wit_type: HandleType) -> Lower:
    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        _KIND_ONE(image, at, Kind.RESOURCE, active().lower(value, wit_type))

    return lower


def _lower_string(value: Any, image: bytearray, moves: list[int], at: int) -> None:
    try:
        data = value.encode()
    except (UnicodeEncodeError, AttributeError):
        raise _misfit(value, "string") from None
    here = len(image)
    image += data
    image += _PAD[len(data) & 7]
    _KIND_TWO(image, at, Kind.STRING, len(data), here)
    moves.append(at + 16)


def _lower_number(name: str) -> Lower:
    kind, code = NUMBERS[name]
    pack = Struct(f"<B7x{code}").pack_into

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        try:
            pack(image, at, kind, value)
        except (struct.error, OverflowError):
            raise _misfit(value, name) from None

    def lower_char(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        try:
            value.encode()
            pack(image, at, kind, ord(value))
        except (TypeError, AttributeError, UnicodeEncodeError):
            raise _misfit(value, name) from None

    def lower_bool(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        if value is not True and value is not False:
            raise _misfit(value, name)
        pack(image, at, kind, value)

    return {"char": lower_char, "bool": lower_bool}.get(name, lower)


def _lower_list(element: Type) -> Lower:
    if element == Primitive("u8"):
        return _lower_bytes
    if isinstance(element, Primitive) and element.name in NUMBERS and element.name not in {"char", "bool"}:
        return _lower_numbers(element.name)
    lower_element = lowerer(element)

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        if not isinstance(value, list | tuple):
            raise _misfit(value, f"list<{type_text(element)}>")
        here = len(image)
        image += bytes(VAL * len(value))
        _KIND_TWO(image, at, Kind.LIST, len(value), here)
        moves.append(at + 16)
        for item in value:
            lower_element(item, image, moves, here)
            here += VAL

    return lower


def _lower_bytes(value: Any, image: bytearray, moves: list[int], at: int) -> None:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _misfit(value, "list<u8>")
    count = len(value)
    block = bytearray(VAL * count)
    block[0::VAL] = b"\x02" * count
    block[8::VAL] = value
    _KIND_TWO(image, at, Kind.LIST, count, len(image))
    image += block
    moves.append(at + 16)


def _lower_numbers(name: str) -> Lower:
    kind, code = NUMBERS[name]
    pack = padded(code).pack

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        try:
            block = b"".join([pack(kind, item) for item in value])
        except (struct.error, OverflowError, TypeError):
            raise _misfit(value, f"list<{name}>") from None
        _KIND_TWO(image, at, Kind.LIST, len(value), len(image))
        image += block
        moves.append(at + 16)

    return lower


def _lower_record(fields: list[tuple[str, Lower]], text: str) -> Lower:
    template = bytearray(ENTRY * len(fields))
    for index, (name, _) in enumerate(fields):
        size, address, _owner = _name(name)
        _NAME.pack_into(template, ENTRY * index, size, address)
    frozen = bytes(template)
    steps = [(16 + ENTRY * index, lower) for index, (_, lower) in enumerate(fields)]
    return _lower_parts(Kind.RECORD, frozen, steps, text)


def _lower_tuple(elements: list[Lower], text: str) -> Lower:
    steps = [(VAL * index, lower) for index, lower in enumerate(elements)]
    return _lower_parts(Kind.TUPLE, bytes(VAL * len(elements)), steps, text)


def _lower_parts(kind: int, template: bytes, steps: list[tuple[int, Lower]], text: str) -> Lower:
    count = len(steps)

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        if not isinstance(value, list | tuple) or len(value) != count:
            raise _misfit(value, text)
        here = len(image)
        image += template
        _KIND_TWO(image, at, kind, count, here)
        moves.append(at + 16)
        for (offset, lower_part), part in zip(steps, value, strict=True):
            lower_part(part, image, moves, here + offset)

    return lower


def _lower_payload(lower: Lower | None, value: Any, image: bytearray, moves: list[int], at: int) -> None:
    """Write the payload's value apart and its pointer at `at`; without a payload the pointer stays null."""
    if lower is None:
        if value is not None:
            raise ValueDoesNotFit("$", value, "a case without a payload")
        return
    here = len(image)
    image += bytes(VAL)
    _POINTER(image, at, here)
    moves.append(at)
    lower(value, image, moves, here)


def _lower_variant(wit_type: VariantType, cases: dict[str, Lower | None]) -> Lower:
    names = {case: (*_name(case)[:2], lower) for case, lower in cases.items()}

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        try:
            case, payload = value
            size, address, lower_case = names[case]
        except (TypeError, ValueError, KeyError):
            raise _misfit(value, type_text(wit_type)) from None
        _KIND_THREE(image, at, Kind.VARIANT, size, address, 0)
        _lower_payload(lower_case, payload, image, moves, at + 24)

    return lower


def _lower_enum(wit_type: EnumType) -> Lower:
    names = {case: _name(case)[:2] for case in wit_type.cases}

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        try:
            size, address = names[value]
        except (KeyError, TypeError):
            raise _misfit(value, type_text(wit_type)) from None
        _KIND_TWO(image, at, Kind.ENUM, size, address)

    return lower


def _lower_option(lower_some: Lower) -> Lower:
    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        _KIND_ONE(image, at, Kind.OPTION, 0)
        if value is None:
            return
        if not isinstance(value, list | tuple) or len(value) != 1:
            raise _misfit(value, "option")
        _lower_payload(lower_some, value[0], image, moves, at + 8)

    return lower


def _lower_result(lower_ok: Lower | None, lower_err: Lower | None) -> Lower:
    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        if not isinstance(value, list | tuple) or len(value) != 2 or value[0] not in ("ok", "err"):
            raise _misfit(value, "result")
        is_ok = value[0] == "ok"
        _KIND_TWO(image, at, Kind.RESULT, is_ok, 0)
        _lower_payload(lower_ok if is_ok else lower_err, value[1], image, moves, at + 16)

    return lower


def _lower_flags(wit_type: FlagsType) -> Lower:
    names = {name: _NAME.pack(*_name(name)[:2]) for name in wit_type.names}

    def lower(value: Any, image: bytearray, moves: list[int], at: int) -> None:
        try:
            block = b"".join([names[name] for name in value])
        except (KeyError, TypeError):
            raise _misfit(value, type_text(wit_type)) from None
        _KIND_TWO(image, at, Kind.FLAGS, len(value), len(image))
        image += block
        moves.append(at + 16)

    return lower
