"""Values in linear memory and as flat core values, as the canonical ABI has them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from host_guests import TypeText
from hypothesis import given, settings
from hypothesis import strategies as st
from wit_strategies import calls, same, typed_values, types, values

from labkernel._host import Start, Supervisor
from labkernel._values.flat import lift, lift_arguments, lower, lower_arguments
from labkernel._values.image import Image, read
from labkernel._values.layout import align, flatten, size
from labkernel._wit import (
    EnumType,
    FlagsType,
    Function,
    HandleType,
    ListType,
    OptionType,
    Param,
    Primitive,
    ResultType,
    TupleType,
    Type,
)

STRING, U8, U32 = Primitive("string"), Primitive("u8"), Primitive("u32")


@given(typed_values, st.sampled_from([0, 8, 65536]))
def test_what_is_written_is_read(typed: tuple[Type, Any], base: int) -> None:
    """A value written for an address reads back as itself, and lies as its layout says."""
    wit_type, value = typed
    image = Image(base)
    at = image.place(value, wit_type)
    memory = bytes(base) + image.data
    assert same(read(memory, at, wit_type), value)
    assert at % align(wit_type) == 0
    assert len(image.data) >= size(wit_type)


@given(typed_values, st.sampled_from([8, 4096]))
def test_an_image_moves(typed: tuple[Type, Any], base: int) -> None:
    """An image moved to another address is the image made for it."""
    wit_type, value = typed
    here, there = Image(), Image(base)
    here.place(value, wit_type)
    there.place(value, wit_type)
    assert here.moved(base).data == there.data


@given(typed_values)
def test_flat_values(typed: tuple[Type, Any]) -> None:
    """A value lowered to core values has as many as its type, each of its width, and lifts back as itself."""
    wit_type, value = typed
    image = Image()
    flat = lower(image, value, wit_type)
    assert len(flat) == len(flatten(wit_type))
    assert all(0 <= bits < 1 << int(core[1:]) for bits, core in zip(flat, flatten(wit_type), strict=True))
    assert same(lift(image.data, flat, wit_type), value)


@given(calls())
def test_arguments(call: tuple[Function, list[Any]]) -> None:
    """Arguments go flat, or behind one pointer where they are many, and come back."""
    function, arguments = call
    image = Image()
    flat = lower_arguments(image, arguments, function)
    assert len(flat) <= 16
    assert same(lift_arguments(image.data, flat, function), arguments)


def test_bytes_known_from_the_specification() -> None:
    """One value of each kind, byte by byte."""
    image = Image(16)
    at = image.place(["ok", ["hé", [[7]]]], ResultType(TupleType((STRING, ListType(OptionType(U8)))), None))
    assert at == 16
    assert image.data[:20] == struct.pack("<B3xIIII", 0, 36, 3, 39, 1)
    assert image.data[20:] == "hé".encode() + b"\1\7"
    assert image.pointers == [4, 12]
    assert lower(Image(), ["err", 1.5], ResultType(Primitive("u64"), Primitive("f32"))) == [1, 0x3FC00000]
    assert lower(Image(), -1, Primitive("s8")) == [0xFFFFFFFF]
    assert lower(Image(), ["b"], FlagsType(("a", "b"))) == [2]
    assert lower(Image(), 5, HandleType("file")) == [5]


@pytest.mark.parametrize(
    ("wit_type", "data", "words"),
    [
        (STRING, struct.pack("<II", 8, 1 << 30), "outside"),
        (ListType(STRING), struct.pack("<II", 8, 1 << 28), "outside"),
        (OptionType(U8), b"\2\0", "case 2 is none of option<u8>"),
        (EnumType(("a", "b")), b"\7", "case 7"),
        (STRING, struct.pack("<II", 8, 1) + b"\xff", "utf-8"),
        (U32, b"\0\0", "outside"),
    ],
)
def test_what_is_no_value(wit_type: Type, data: bytes, words: str) -> None:
    """Memory that holds no value of the type is refused in words, before it is walked."""
    with pytest.raises(ValueError, match=words):
        read(data, 0, wit_type)


MEMORY = """(component
  {types}
  (core module $m
    (memory (export "m") 4)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "f") (param {core}) (result i32)
      {stores}
      (i32.store (i32.const 256) (i32.const 0))
      (i32.store (i32.const 260) (global.get $next))
      (i32.const 256))
    (func (export "post") (param i32) (global.set $next (i32.const 65536))))
  (core instance $i (instantiate $m))
  (func (export "f") (param "x" {name}) (result (list u8))
    (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "realloc"))
      (post-return (core func $i "post")))))"""


def showing(wit_type: Type) -> str:
    """A component whose `f` answers with its memory, the core values of its argument at the start of it."""
    text = TypeText()
    name = text.of(wit_type)
    core = flatten(wit_type)
    stores = [f"({c}.store (i32.const {8 * i}) (local.get {i}))" for i, c in enumerate(core)]
    return MEMORY.format(name=name, types="\n".join(text.lines), core=" ".join(core), stores=" ".join(stores))


@pytest.fixture(scope="module")
def host() -> Any:
    """Return a host process."""
    with Supervisor(name="image", mac_key=b"k" * 32) as made:
        yield made


@settings(max_examples=40)
@given(data=st.data())
def test_the_engine_lays_values_out_the_same(
    host: Supervisor, tmp_path_factory: Any, data: st.DataObject
) -> None:
    """What the engine passes to a guest lifts, from the guest's memory and core values, as what was passed."""
    wit_type = data.draw(types.filter(lambda t: 0 < len(flatten(t)) <= 16))
    value = data.draw(values(wit_type))
    code = tmp_path_factory.mktemp("image") / "code.cwasm"
    host.codegen(host.assemble(showing(wit_type)), code)
    started = host.instantiate(host.load(code), Start())
    memory = host.call(started, "f", [value]).result
    flat = list(struct.unpack_from(f"<{len(flatten(wit_type))}Q", memory))
    assert same(lift(memory, flat, wit_type), value)
    host.drop(started)


def test_a_function_without_parameters() -> None:
    """Nothing lowers to nothing, and lifts to it."""
    function = Function("f", ())
    assert lower_arguments(Image(), [], function) == []
    assert lift_arguments(b"", [], function) == []
    many = Function("f", tuple(Param(f"p{i}", U8) for i in range(17)))
    image = Image(64)
    assert lower_arguments(image, list(range(17)), many) == [64]
    assert bytes(image.data) == bytes(range(17))
