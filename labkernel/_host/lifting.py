"""The engine's values -> values in normal form, by functions made once per WIT type.

They read by address, check every kind and count, and read no more of a list than its own size says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, Final, TypeAlias

from labkernel._errors import ValueDoesNotFit
from labkernel._host.handles import active
from labkernel._host.val import CHARS, ENTRY, NUMBERS, VAL, WINDOW, CodecError, Kind, padded
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

__all__ = ["Lift", "lifter"]

Lift: TypeAlias = Callable[[int], Any]
"""Read the value at an address."""

_NAME: Final = Struct("<QQ").unpack_from
_ONE: Final = Struct("<B7xQ").unpack_from
_TWO: Final = Struct("<B7xQQ").unpack_from
_THREE: Final = Struct("<B7xQQQ").unpack_from


def _wrong(found: int, expected: str) -> CodecError:
    return CodecError(f"the engine gave a value of kind {found} where {expected} is due")


def lifter(wit_type: Type) -> Lift:
    """Return the function that reads a value of this type."""
    return _made(wit_type) if has_handle(wit_type) else _kept(wit_type)


def _made(wit_type: Type) -> Lift:
    match wit_type:
        case Primitive("string"):
            return _lift_string
        case Primitive(name):
            return _lift_number(name)
        case ListType(element):
            return _lift_list(element)
        case RecordType(fields):
            return _lift_parts(Kind.RECORD, ENTRY, 16, [lifter(f.type) for f in fields], "a record")
        case TupleType(elements):
            return _lift_parts(Kind.TUPLE, VAL, 0, [lifter(e) for e in elements], "a tuple")
        case VariantType(cases):
            return _lift_variant({k.name: _maybe(k.type) for k in cases})
        case EnumType(names):
            return _lift_enum(names)
        case OptionType(payload):
            return _lift_option(lifter(payload))
        case ResultType(ok, err):
            return _lift_result(_maybe(ok), _maybe(err))
        case FlagsType(names):
            return _lift_flags(names)
        case HandleType():
            return _lift_handle(wit_type)
        case _:
            return _lift_nothing(type_text(wit_type))


_kept: Final = lru_cache(maxsize=2048)(_made)
"""Without handles: types are equal though their handles are of different resources."""


def _maybe(wit_type: Type | None) -> Lift | None:
    return None if wit_type is None else lifter(wit_type)


def _lift_nothing(text: str) -> Lift:
    def lift(at: int) -> Any:
        raise ValueDoesNotFit("$", "the result", text, why="this lab does not carry such values")

    return lift


def _lift_handle(wit_type: HandleType) -> Lift:
    def lift(at: int) -> int:
        kind, address = _ONE(WINDOW, at)
        if kind != Kind.RESOURCE:
            raise _wrong(kind, "a handle")
        return active().lift(address, wit_type)

    return lift


def _lift_string(at: int) -> str:
    kind, size, address = _TWO(WINDOW, at)
    if kind != Kind.STRING:
        raise _wrong(kind, "a string")
    text: str = CHARS[address : address + size].decode() if size else ""
    return text


def _lift_number(name: str) -> Lift:
    kind, code = NUMBERS[name]
    unpack = Struct(f"<B7x{code}").unpack_from

    def lift(at: int) -> Any:
        found, value = unpack(WINDOW, at)
        if found != kind:
            raise _wrong(found, name)
        return value

    if name == "char":
        return lambda at: chr(lift(at))
    if name == "bool":
        return lambda at: lift(at) != 0
    return lift


def _span(at: int, kind: int, what: str) -> tuple[int, int]:
    """Return count and address of the items of a list, record, tuple or flags."""
    found, count, address = _TWO(WINDOW, at)
    if found != kind:
        raise _wrong(found, what)
    return count, address


def _lift_list(element: Type) -> Lift:
    if element == Primitive("u8"):
        return _lift_bytes
    if isinstance(element, Primitive) and element.name in NUMBERS and element.name not in {"char", "bool"}:
        return _lift_numbers(element.name)
    lift_element = lifter(element)

    def lift(at: int) -> list[Any]:
        count, address = _span(at, Kind.LIST, "a list")
        return [lift_element(item) for item in range(address, address + VAL * count, VAL)]

    return lift


def _items(at: int, kind: int) -> bytes:
    """Return a copy of a list's items, all of which are of this kind."""
    count, address = _span(at, Kind.LIST, "a list")
    items: bytes = CHARS[address : address + VAL * count] if count else b""
    if items[0::VAL] != bytes([kind]) * count:
        raise _wrong(items[0], f"kind {kind}")
    return items


def _lift_bytes(at: int) -> bytes:
    return _items(at, NUMBERS["u8"][0])[8::VAL]


def _lift_numbers(name: str) -> Lift:
    kind, code = NUMBERS[name]
    unpack = padded(code).iter_unpack

    def lift(at: int) -> list[Any]:
        return [item for _, item in unpack(_items(at, kind))]

    return lift


def _lift_parts(kind: int, stride: int, lead: int, parts: list[Lift], what: str) -> Lift:
    steps = [(lead + stride * index, lift) for index, lift in enumerate(parts)]
    expected = len(parts)

    def lift(at: int) -> list[Any]:
        count, address = _span(at, kind, what)
        if count != expected:
            raise CodecError(f"the engine gave {what} of {count} parts where {expected} are due")
        return [lift_part(address + offset) for offset, lift_part in steps]

    return lift


def _no_case(size: int, address: int) -> CodecError:
    name = CHARS[address : address + min(size, 40)]
    return CodecError(f"the engine gave a case {name!r} that its type does not have")


def _no_payload() -> CodecError:
    return CodecError("the engine gave a case without the payload that its type has")


def _lift_variant(cases: dict[str, Lift | None]) -> Lift:
    known = {name.encode(): (name, lift) for name, lift in cases.items()}

    def lift(at: int) -> list[Any]:
        kind, size, name_at, payload_at = _THREE(WINDOW, at)
        if kind != Kind.VARIANT:
            raise _wrong(kind, "a variant")
        try:
            name, lift_payload = known[CHARS[name_at : name_at + size]]
        except KeyError:
            raise _no_case(size, name_at) from None
        if lift_payload is None:
            return [name, None]
        if not payload_at:
            raise _no_payload()
        return [name, lift_payload(payload_at)]

    return lift


def _lift_enum(names: Sequence[str]) -> Lift:
    known = {name.encode(): name for name in names}

    def lift(at: int) -> str:
        kind, size, address = _TWO(WINDOW, at)
        if kind != Kind.ENUM:
            raise _wrong(kind, "an enum")
        try:
            return known[CHARS[address : address + size]]
        except KeyError:
            raise _no_case(size, address) from None

    return lift


def _lift_option(lift_some: Lift) -> Lift:
    def lift(at: int) -> list[Any] | None:
        kind, address = _ONE(WINDOW, at)
        if kind != Kind.OPTION:
            raise _wrong(kind, "an option")
        return [lift_some(address)] if address else None

    return lift


def _lift_result(lift_ok: Lift | None, lift_err: Lift | None) -> Lift:
    def lift(at: int) -> list[Any]:
        kind, is_ok, address = _TWO(WINDOW, at)
        if kind != Kind.RESULT:
            raise _wrong(kind, "a result")
        name, lift_payload = ("ok", lift_ok) if is_ok & 0xFF else ("err", lift_err)
        if lift_payload is None:
            return [name, None]
        if not address:
            raise _no_payload()
        return [name, lift_payload(address)]

    return lift


def _lift_flags(names: Sequence[str]) -> Lift:
    known = {name.encode() for name in names}

    def lift(at: int) -> list[str]:
        count, address = _span(at, Kind.FLAGS, "flags")
        found = set()
        for item in range(address, address + 16 * count, 16):
            size, name_at = _NAME(WINDOW, item)
            found.add(CHARS[name_at : name_at + min(size, 4096)])
        if not found <= known:
            raise CodecError("the engine gave a flag that its type does not have")
        return [name for name in names if name.encode() in found]

    return lift
