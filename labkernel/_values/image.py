"""Values in a guest's linear memory, as the canonical ABI lays them out: read, and written as an image.

An `Image` is a run of bytes for a known address, so that its pointers are absolute; `moved` puts it elsewhere.
Handles are numbers. From the Component Model's `CanonicalABI.md`: Loading, Storing. It knows no engine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from labkernel._values.compiled import Compiled
from labkernel._values.layout import align, discriminant_size, offsets, payload_offset, size
from labkernel._wit import (
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
    type_text,
)

__all__ = ["Image", "Memory", "Read", "cases_of", "read", "reading"]

Read: TypeAlias = Callable[[int, int], bytes]
"""Returns so many bytes from an address, or fewer where memory ends."""
Memory: TypeAlias = bytes | bytearray | memoryview | Read
_ReadValue: TypeAlias = Callable[[Read, int], Any]
_WriteValue: TypeAlias = Callable[["Image", int, Any], None]

NUMBERS: Final = {
    "bool": "?", "s8": "b", "u8": "B", "s16": "h", "u16": "H", "s32": "i", "u32": "I", "s64": "q", "u64": "Q",
    "f32": "f", "f64": "d",
}  # fmt: skip
_WORD: Final = struct.Struct("<I")
_SPAN: Final = struct.Struct("<II")
_TAGS: Final = {1: struct.Struct("<B"), 2: struct.Struct("<H"), 4: struct.Struct("<I")}


def read(memory: Memory, offset: int, wit_type: Type) -> Any:
    """Return the value of a type that lies at an offset, in normal form.

    Raises `ValueError` for what is no value of the type, or lies outside of the memory.

    >>> read(b"\\x08\\0\\0\\0\\x02\\0\\0\\0hi", 0, Primitive("string"))
    'hi'
    """
    return _reader(wit_type)(reading(memory), offset)


def reading(memory: Memory) -> Read:
    """Return a function that reads a memory and raises `ValueError` outside of it."""
    take: Read = memory if callable(memory) else lambda at, count: bytes(memory[at : at + count])

    def checked(at: int, count: int) -> bytes:
        data = take(at, count)
        if len(data) != count:
            raise ValueError(f"{count} bytes at {at} lie outside of the memory")
        return data

    return checked


class Image:
    """Bytes that are to lie at the address `base`, and the places in them that hold addresses.

    `base` has to be a multiple of 8 wherever values are placed that are aligned so.
    """

    def __init__(self, base: int = 0) -> None:
        self.base = base
        self.data = bytearray()
        self.pointers: list[int] = []

    def place(self, value: Any, wit_type: Type) -> int:
        """Add a value in normal form and return its address."""
        offset = self.room(size(wit_type), align(wit_type))
        _writer(wit_type)(self, offset, value)
        return self.base + offset

    def room(self, count: int, alignment: int = 1) -> int:
        """Add zeros and return their offset in the image."""
        offset = -(-len(self.data) // alignment) * alignment
        self.data.extend(bytes(offset + count - len(self.data)))
        return offset

    def moved(self, base: int) -> Image:
        """Return the same image for another address, which has to be aligned as the first."""
        other = Image(base)
        other.data[:], other.pointers[:] = self.data, self.pointers
        for at in self.pointers:
            _WORD.pack_into(other.data, at, _WORD.unpack_from(self.data, at)[0] - self.base + base)
        return other

    def content(self, value: Any, wit_type: Type) -> tuple[int, int]:
        """Add what a string or a list points at; return its address and its length in bytes or elements."""
        match wit_type:
            case ListType(Primitive("u8")):
                return self._bytes(value)
            case ListType(Primitive(name)) if name in NUMBERS:
                offset = self.room(size(wit_type.element) * len(value), align(wit_type.element))
                struct.pack_into(f"<{len(value)}{NUMBERS[name]}", self.data, offset, *value)
                return self.base + offset, len(value)
            case ListType(element):
                return self._elements(value, element)
            case _:
                return self._bytes(value.encode())

    def _bytes(self, data: bytes) -> tuple[int, int]:
        offset = self.room(len(data))
        self.data[offset:] = data
        return self.base + offset, len(data)

    def _elements(self, values: Sequence[Any], element: Type) -> tuple[int, int]:
        offset, stride, write = (
            self.room(size(element) * len(values), align(element)),
            size(element),
            _writer(element),
        )
        for index, value in enumerate(values):
            write(self, offset + index * stride, value)
        return self.base + offset, len(values)

    def point(self, offset: int, address: int, length: int) -> None:
        """Write an address and a length at an offset."""
        _SPAN.pack_into(self.data, offset, address, length)
        self.pointers.append(offset)


def cases_of(wit_type: VariantType | OptionType | ResultType) -> list[tuple[str, Type | None]]:
    """Return names and payloads of the cases that the canonical ABI numbers."""
    match wit_type:
        case VariantType(cases):
            return [(c.name, c.type) for c in cases]
        case OptionType(payload):
            return [("none", None), ("some", payload)]
        case ResultType(ok, err):
            return [("ok", ok), ("err", err)]


def case_of_number(wit_type: VariantType | OptionType | ResultType, number: int) -> tuple[str, Type | None]:
    """Return the name and the payload's type of a case by its number. Raises `ValueError` where there is none."""
    cases = cases_of(wit_type)
    if number >= len(cases):
        raise no_such("case", number, wit_type)
    return cases[number]


def no_such(what: str, found: int, wit_type: Type) -> ValueError:
    """Return the error for a number that means nothing in a type."""
    return ValueError(f"{what} {found} is none of {type_text(wit_type)}")


# ------------------------------------------------------------------------------------------------------ reading


def _make_reader(wit_type: Type) -> _ReadValue:
    match wit_type:
        case Primitive("string"):
            return lambda read, at: read(*_SPAN.unpack(read(at, 8))).decode()
        case Primitive("char"):
            return lambda read, at: chr(_WORD.unpack(read(at, 4))[0])
        case Primitive(name):
            return _read_number(struct.Struct("<" + NUMBERS[name]))
        case ListType(element):
            return _read_list(element)
        case RecordType(fields):
            return _read_parts([f.type for f in fields])
        case TupleType(elements):
            return _read_parts(elements)
        case VariantType() | OptionType() | ResultType():
            return _read_cases(wit_type)
        case EnumType(cases):
            return _read_enum(wit_type, cases)
        case FlagsType(names):
            width = size(wit_type)
            return lambda read, at: flag_names(names, int.from_bytes(read(at, width), "little"))
        case HandleType() | OpaqueType():
            return _read_number(_WORD)


_reader: Final[Compiled[_ReadValue]] = Compiled(_make_reader)


def _read_number(form: struct.Struct) -> _ReadValue:
    unpack, width = form.unpack, form.size
    return lambda read, at: unpack(read(at, width))[0]


def _read_list(element: Type) -> _ReadValue:
    if element == Primitive("u8"):
        return lambda read, at: read(*_SPAN.unpack(read(at, 8)))
    stride, read_one = size(element), _reader(element)
    code = NUMBERS.get(element.name) if isinstance(element, Primitive) else None

    def read_list(read: Read, at: int) -> list[Any]:
        start, count = _SPAN.unpack(read(at, 8))
        data = read(start, count * stride)  # as a whole, so that a false length fails before it is walked
        if code is not None:
            return list(struct.unpack(f"<{count}{code}", data))
        return [read_one(read, start + index * stride) for index in range(count)]

    return read_list


def _read_parts(types: Sequence[Type]) -> _ReadValue:
    parts = [(at, _reader(t)) for at, t in zip(offsets(types), types, strict=True)]
    return lambda read, at: [part(read, at + offset) for offset, part in parts]


def _read_cases(wit_type: VariantType | OptionType | ResultType) -> _ReadValue:
    cases = [(name, None if t is None else _reader(t)) for name, t in cases_of(wit_type)]
    tag, lead, is_option = (
        _TAGS[discriminant_size(len(cases))],
        payload_offset(wit_type),
        isinstance(wit_type, OptionType),
    )

    def read_case(read: Read, at: int) -> Any:
        number = tag.unpack(read(at, tag.size))[0]
        if number >= len(cases):
            raise no_such("case", number, wit_type)
        name, payload = cases[number]
        value = None if payload is None else payload(read, at + lead)
        if is_option:
            return [value] if number else None
        return [name, value]

    return read_case


def _read_enum(wit_type: Type, cases: Sequence[str]) -> _ReadValue:
    tag = _TAGS[discriminant_size(len(cases))]

    def read_enum(read: Read, at: int) -> str:
        number: int = tag.unpack(read(at, tag.size))[0]
        if number >= len(cases):
            raise no_such("case", number, wit_type)
        return cases[number]

    return read_enum


def flag_names(names: Sequence[str], bits: int) -> list[str]:
    """Return the names of the bits that are set."""
    return [name for index, name in enumerate(names) if bits >> index & 1]


def flag_bits(names: Sequence[str], given: Sequence[str]) -> int:
    """Return the bits of the flags that are named."""
    return sum(1 << names.index(name) for name in given)


# ------------------------------------------------------------------------------------------------------ writing


def _make_writer(wit_type: Type) -> _WriteValue:
    match wit_type:
        case Primitive("string") | ListType():
            return lambda image, at, value: image.point(at, *image.content(value, wit_type))
        case Primitive("char"):
            return lambda image, at, value: _WORD.pack_into(image.data, at, ord(value))
        case Primitive(name):
            return _write_number(struct.Struct("<" + NUMBERS[name]))
        case RecordType(fields):
            return _write_parts([f.type for f in fields])
        case TupleType(elements):
            return _write_parts(elements)
        case VariantType() | OptionType() | ResultType():
            return _write_cases(wit_type)
        case EnumType(cases):
            pack = _TAGS[discriminant_size(len(cases))].pack_into
            return lambda image, at, value: pack(image.data, at, cases.index(value))
        case FlagsType(names):
            return _write_flags(names, size(wit_type))
        case HandleType() | OpaqueType():
            return _write_number(_WORD)


_writer: Final[Compiled[_WriteValue]] = Compiled(_make_writer)


def _write_number(form: struct.Struct) -> _WriteValue:
    return lambda image, at, value: form.pack_into(image.data, at, value)


def _write_flags(names: Sequence[str], width: int) -> _WriteValue:
    def write(image: Image, at: int, value: Any) -> None:
        image.data[at : at + width] = flag_bits(names, value).to_bytes(width, "little")

    return write


def _write_parts(types: Sequence[Type]) -> _WriteValue:
    parts = [(at, _writer(t)) for at, t in zip(offsets(types), types, strict=True)]

    def write(image: Image, at: int, value: Any) -> None:
        for (offset, part), one in zip(parts, value, strict=True):
            part(image, at + offset, one)

    return write


def _write_cases(wit_type: VariantType | OptionType | ResultType) -> _WriteValue:
    cases = cases_of(wit_type)
    numbers = {name: (number, None if t is None else _writer(t)) for number, (name, t) in enumerate(cases)}
    pack, lead = _TAGS[discriminant_size(len(cases))].pack_into, payload_offset(wit_type)

    def write(image: Image, at: int, value: Any) -> None:
        name, inner = case_of(wit_type, value)
        number, payload = numbers[name]
        pack(image.data, at, number)
        if payload is not None:
            payload(image, at + lead, inner)

    return write


def case_of(wit_type: VariantType | OptionType | ResultType, value: Any) -> tuple[str, Any]:
    """Return the case's name and its payload, of a value in normal form."""
    if isinstance(wit_type, OptionType):
        return ("none", None) if value is None else ("some", value[0])
    name, payload = value
    return name, payload
