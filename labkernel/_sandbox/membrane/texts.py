"""Where the ledger finds text to keep: the first strings and byte lists among arguments and in a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from labkernel._sandbox.membrane.handles import parts_of
from labkernel._values.image import cases_of
from labkernel._values.layout import discriminant_size, flatten, offsets, payload_offset
from labkernel._wit import ListType, OptionType, Primitive, RecordType, ResultType, TupleType, Type

__all__ = ["Text", "argument_texts", "result_text"]

KEPT: Final = 2
"""Text arguments of which the ledger keeps the beginning."""


@dataclass(frozen=True, slots=True)
class Text:
    """Where a result has its text: pointer and length at `offset`, if every tag (offset, width, case) is so."""

    offset: int
    tags: tuple[tuple[int, int, int], ...]


def is_text(wit_type: Type) -> bool:
    """Whether a type is `string` or `list<u8>`."""
    return wit_type in (Primitive("string"), ListType(Primitive("u8")))


def argument_texts(types: Sequence[Type]) -> list[int]:
    """Return the first flat positions of the text arguments that the ledger keeps: arguments and fields of records."""
    return list(_positions(types, 0))[:KEPT]


def _positions(types: Sequence[Type], at: int) -> Iterator[int]:
    for wit_type in types:
        if is_text(wit_type):
            yield at
        elif isinstance(wit_type, RecordType | TupleType):
            yield from _positions(parts_of(wit_type), at)
        at += len(flatten(wit_type))


def result_text(wit_type: Type | None) -> Text | None:
    """Return where the first text lies in a result: at its top, in records, in `ok` and in `some`."""
    return None if wit_type is None else _find(wit_type, 0, ())


def _find(wit_type: Type, offset: int, tags: tuple[tuple[int, int, int], ...]) -> Text | None:
    if is_text(wit_type):
        return Text(offset, tags)
    match wit_type:
        case RecordType() | TupleType():
            types = parts_of(wit_type)
            found = (_find(t, offset + at, tags) for at, t in zip(offsets(types), types, strict=True))
            return next(filter(None, found), None)
        case OptionType() | ResultType():
            wanted = 1 if isinstance(wit_type, OptionType) else 0
            inner = cases_of(wit_type)[wanted][1]
            if inner is None:
                return None
            tag = (offset, discriminant_size(2), wanted)
            return _find(inner, offset + payload_offset(wit_type), (*tags, tag))
        case _:
            return None
