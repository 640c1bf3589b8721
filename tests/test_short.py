"""Values in short, from what a ledger keeps of them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wit_strategies import types, values

from labkernel._sandbox.membrane.texts import Text, argument_texts, result_text
from labkernel._sandbox.short import Handle, Short
from labkernel._values import wave
from labkernel._values.flat import lower
from labkernel._values.image import Image
from labkernel._wit import (
    Field,
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
)

STRING, BYTES, U32 = Primitive("string"), ListType(Primitive("u8")), Primitive("u32")


@given(data=st.data())
def test_whole_values_are_wave(data: st.DataObject) -> None:
    """What is kept whole and points at nothing is shown as WAVE, from core values and from memory."""
    wit_type = data.draw(types.filter(lambda t: "list" not in repr(t).lower() and "string" not in repr(t)))
    value = data.draw(values(wit_type))
    image = Image()
    image.place(value, wit_type)
    assert Short({}).flat([wit_type], lower(Image(), value, wit_type)) == [wave(value, wit_type)]
    assert Short({}).memory(wit_type, bytes(image.data)) == wave(value, wit_type)


@pytest.mark.parametrize(
    ("wit_type", "length", "kept", "shown"),
    [
        (STRING, 2, b"hi", '"hi"'),
        (STRING, 9, b"hi", '"hi…"'),
        (STRING, 3, "hé".encode()[:2], '"h…"'),
        (STRING, 4, None, '"…"'),
        (STRING, 0, b"", '""'),
        (STRING, 4, b'a"\n\\', '"a\\"\\n\\\\"'),
        (BYTES, 3, b"hi\n", 'b"hi\\n"'),
        (BYTES, 2, b"\xff\0", "0xff00"),
        (BYTES, 70, b"\xff\0", "0xff00… (70 bytes)"),
        (ListType(U32), 0, None, "[]"),
        (ListType(U32), 3, None, "[… 3]"),
    ],
)
def test_what_was_kept_of_a_text(wit_type: Type, length: int, kept: bytes | None, shown: str) -> None:
    """Texts are cut with a sign; bytes are text where they can be read."""
    texts = {} if kept is None else {0: kept}
    assert Short(texts).flat([wit_type], [64, length]) == [shown]
    assert Short(texts).memory(wit_type, struct.pack("<II", 64, length)) == shown


def test_handles_are_named_and_collected() -> None:
    """A handle shows what it is of, and is collected in order."""
    short = Short({})
    pair = RecordType(
        (Field("a", HandleType("file", "own")), Field("b", OptionType(HandleType("dir", "borrow"))))
    )
    assert short.flat([pair, U32], [3, 1, 4, 9]) == ["{a: file#3, b: some(dir#4)}", "9"]
    assert short.handles == [Handle("file", 3, "own"), Handle("dir", 4, "borrow")]


def test_what_was_not_kept() -> None:
    """Beyond what was kept of memory stands a sign, also for a handle."""
    wit_type = TupleType((U32, HandleType("file"), ResultType(U32, None), STRING))
    assert Short({}).memory(wit_type, struct.pack("<I", 7)) == "(7, …, …, …)"


@pytest.mark.parametrize(
    ("wit_type", "found"),
    [
        (STRING, Text(0, ())),
        (ResultType(BYTES, STRING), Text(4, ((0, 1, 0),))),
        (ResultType(OptionType(STRING), None), Text(8, ((0, 1, 0), (4, 1, 1)))),
        (TupleType((U32, STRING, STRING)), Text(4, ())),
        (ListType(STRING), None),
        (ResultType(None, STRING), None),
        (U32, None),
        (None, None),
    ],
)
def test_where_the_text_of_a_result_lies(wit_type: Type | None, found: Text | None) -> None:
    """The first text at the top, in a record, in `ok` or in `some`, with the tags that have to be so."""
    assert result_text(wit_type) == found


def test_which_texts_of_arguments_are_kept() -> None:
    """The first two, by their position among the core values."""
    given: list[Any] = [U32, STRING, RecordType((Field("a", U32), Field("b", BYTES))), STRING]
    assert argument_texts(given) == [1, 4]
