"""Tab completion of WAVE: functions, fields, cases and flags from the types."""

from __future__ import annotations

import pytest

from labkernel._values import suggest
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
)

WAY = EnumType(("north", "north-east", "south"))
SHAPE = VariantType((Case("dot"), Case("line", TupleType((WAY, Primitive("u8"))))))
STEP = RecordType(
    (Field("way", WAY), Field("far", OptionType(Primitive("u32"))), Field("shapes", ListType(SHAPE)))
)
GO = Function("go", (Param("step", STEP), Param("may", FlagsType(("run", "jump", "swim")))))
ASK = Function("ask", (Param("what", ResultType(Primitive("string"), WAY)),), interface="a:b/c@1.0.0")


@pytest.mark.parametrize(
    ("text", "prefix", "words"),
    [
        ("g", "g", ["go"]),
        ("a", "a", ["a:b/c@1.0.0#ask"]),
        ("go(", "", ["{way: "]),
        ("go({", "", ["way: ", "far: ", "shapes: "]),
        ("go({w", "w", ["way: "]),
        ("go({way: north", "north", ["north", "north-east"]),
        ("go({way: south, ", "", ["far: ", "shapes: "]),
        ("go({way: south, far: ", "", ["none", "some("]),
        ("go({way: south, far: 3, shapes: [l", "l", ["line("]),
        ("go({way: south, far: some(3), shapes: [dot, line(", "", ["("]),
        ("go({way: south, far: none, shapes: [line((s", "s", ["south"]),
        ("go({way: south, shapes: []}, {run, ", "", ["jump", "swim"]),
        ("ask(", "", ["ok(", "err("]),
        ("ask(err(no", "no", ["north", "north-east"]),
        ('ask(ok("no', "", []),
        ("go({nowhere: ", "", []),
        ("go(1, ", "", []),
        ("nothing(", "", []),
    ],
)
def test_suggestions(text: str, prefix: str, words: list[str]) -> None:
    """What may come next is known at every place of a call."""
    assert suggest(text, [GO, ASK]) == (prefix, words)


def test_the_only_function_may_be_left_out() -> None:
    """With one function its argument may begin at once."""
    assert suggest("{w", [GO]) == ("w", ["way: "])
    assert suggest("", [GO]) == ("", ["{way: "])
