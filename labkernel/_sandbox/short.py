"""Values in short, as text like WAVE, of what a ledger keeps of them: core values, and the beginning of memory.

Handles are shown as `resource#number`, bytes as text where they are, and what was not kept as `…`.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from labkernel._sandbox.membrane.handles import parts_of
from labkernel._sandbox.membrane.texts import is_text
from labkernel._values.flat import lift
from labkernel._values.image import case_of_number, cases_of, read
from labkernel._values.layout import discriminant_size, flatten, offsets, payload_offset, size
from labkernel._values.wave_out import label, wave
from labkernel._wit import (
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

__all__ = ["Handle", "Short"]

MORE: Final = "…"
"""Stands for what was not kept."""
_MASK: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle in a call: `kind` is `own` or `borrow`, `number` the same for as long as the resource lives."""

    resource: str
    number: int
    kind: str

    def __str__(self) -> str:
        return f"{self.resource}#{self.number}"


@dataclass(slots=True)
class Short:
    """Renders values and collects the handles in them. `texts` are the beginnings of strings and byte lists: by flat
    position for core values, by offset in memory."""

    texts: Mapping[int, bytes]
    handles: list[Handle] = field(default_factory=list)

    def flat(self, types: Sequence[Type], slots: Sequence[int]) -> list[str]:
        """Return the texts of values that are core values, each its bits in 64."""
        shown, at = [], 0
        for wit_type in types:
            shown.append(self._flat(wit_type, slots, at))
            at += len(flatten(wit_type))
        return shown

    def memory(self, wit_type: Type, data: bytes, at: int = 0) -> str:
        """Return the text of a value in memory, of which `data` is the beginning."""
        if is_text(wit_type) or isinstance(wit_type, ListType):
            if at + 8 > len(data):
                return MORE
            return self._sequence(wit_type, struct.unpack_from("<I", data, at + 4)[0], self.texts.get(at))
        match wit_type:
            case RecordType() | TupleType():
                types = parts_of(wit_type)
                inner = [self.memory(t, data, at + o) for t, o in zip(types, offsets(types), strict=True)]
                return _joined(wit_type, inner)
            case OptionType() | ResultType() | VariantType():
                width = discriminant_size(len(cases_of(wit_type)))
                if at + width > len(data):
                    return MORE
                number = int.from_bytes(data[at : at + width], "little")
                name, payload = _case(wit_type, number)
                if payload is None:
                    return name
                return f"{name}({self.memory(payload, data, at + payload_offset(wit_type))})"
            case _ if at + size(wit_type) > len(data):
                return MORE
            case HandleType():
                return self._handle(wit_type, int.from_bytes(data[at : at + 4], "little"))
            case _:
                return wave(read(data, at, wit_type), wit_type)

    def _flat(self, wit_type: Type, slots: Sequence[int], at: int) -> str:
        if is_text(wit_type) or isinstance(wit_type, ListType):
            return self._sequence(wit_type, slots[at + 1] & _MASK, self.texts.get(at))
        match wit_type:
            case RecordType() | TupleType():
                types = parts_of(wit_type)
                places = itertools.accumulate((len(flatten(t)) for t in types), initial=at)
                return _joined(
                    wit_type, [self._flat(t, slots, p) for t, p in zip(types, places, strict=False)]
                )
            case OptionType() | ResultType() | VariantType():
                name, payload = _case(wit_type, slots[at] & _MASK)
                return name if payload is None else f"{name}({self._flat(payload, slots, at + 1)})"
            case HandleType():
                return self._handle(wit_type, slots[at] & _MASK)
            case _:
                width = len(flatten(wit_type))
                return wave(lift(b"", slots[at : at + width], wit_type), wit_type)

    def _handle(self, wit_type: HandleType, number: int) -> str:
        handle = Handle(wit_type.resource, number, wit_type.kind)
        self.handles.append(handle)
        return str(handle)

    def _sequence(self, wit_type: Type, length: int, kept: bytes | None) -> str:
        if not is_text(wit_type):
            return "[]" if not length else f"[{MORE} {length}]"
        kept = b"" if kept is None else kept[:length]
        more = MORE if len(kept) < length else ""
        text = kept.decode("utf-8", "ignore" if more else "replace")
        is_bytes = wit_type != Primitive("string")
        if is_bytes and not _is_readable(text, kept):
            return f"0x{kept.hex()}{more}" + (f" ({length} bytes)" if more else "")
        return ("b" if is_bytes else "") + wave(text, Primitive("string"))[:-1] + more + '"'


def _is_readable(text: str, data: bytes) -> bool:
    return all(c.isprintable() or c in "\n\r\t" for c in text) and len(data) - len(text.encode()) < 4


def _case(wit_type: OptionType | ResultType | VariantType, number: int) -> tuple[str, Type | None]:
    """Return a case as WAVE writes its name, and its payload's type."""
    name, payload = case_of_number(wit_type, number)
    return (label(name) if isinstance(wit_type, VariantType) else name), payload


def _joined(wit_type: RecordType | TupleType, inner: Sequence[str]) -> str:
    if isinstance(wit_type, TupleType):
        return f"({', '.join(inner)})"
    return "{" + (", ".join(_fields(wit_type, inner)) or ":") + "}"


def _fields(wit_type: RecordType, inner: Sequence[str]) -> Iterator[str]:
    """Yield the fields as WAVE writes them: those that are `none` are left out."""
    for each, text in zip(wit_type.fields, inner, strict=True):
        if text != "none" or not isinstance(each.type, OptionType):
            yield f"{each.name}: {text}"
