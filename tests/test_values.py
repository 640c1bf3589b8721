"""Python and JSON values against WIT types."""

from __future__ import annotations

import array
import copy
import dataclasses
import enum
import json
import math
import pickle
import types as python_types
from collections import OrderedDict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wit_strategies import same, typed_values, types

from labkernel._errors import ValueDoesNotFit
from labkernel._values import Flags, Record, Some, Variant, err, from_normal, ok, to_normal
from labkernel._wit import (
    Case,
    EnumType,
    Field,
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
)

U8, U32, S8, F32, F64 = map(Primitive, ("u8", "u32", "s8", "f32", "f64"))
STRING, CHAR, BOOL = map(Primitive, ("string", "char", "bool"))
EVENT_TYPE = EnumType(("object-added", "object-removed", "object-restored"), name="event-type")
DATETIME = RecordType((Field("seconds", Primitive("u64")), Field("nanoseconds", U32)), name="datetime")
EVENT = RecordType(
    (Field("event-type", EVENT_TYPE), Field("event-timestamp", DATETIME), Field("event-version", STRING)),
    name="handler-event",
)
ERROR = VariantType(
    (Case("unsupported", EVENT_TYPE), Case("failed", STRING), Case("busy")), name="handler-error"
)
PERMS = FlagsType(("read", "write", "exec"), name="perms")

PLAIN = {
    "event-type": "object-added",
    "event-timestamp": {"seconds": 1, "nanoseconds": 0},
    "event-version": "2.1",
}
NORMAL = ["object-added", [1, 0], "2.1"]


@given(typed_values)
def test_python_values_go_out_and_in_again(typed: tuple[Type, Any]) -> None:
    """What a guest answered can be passed on as an argument, unchanged."""
    wit_type, normal = typed
    assert same(to_normal(from_normal(normal, wit_type), wit_type), normal)


def _json(normal: Any, wit_type: Type) -> Any:
    """Write a normal form as JSON data: the test's own reading of the documented forms."""
    match wit_type:
        case ListType(element):
            return [_json(n, element) for n in normal]
        case TupleType(elements):
            return [_json(n, e) for n, e in zip(normal, elements, strict=True)]
        case RecordType(fields):
            return {f.name: _json(n, f.type) for n, f in zip(normal, fields, strict=True)}
        case OptionType(payload):
            inner = None if normal is None else _json(normal[0], payload)
            return {"some": inner} if normal is not None and isinstance(payload, OptionType) else inner
        case ResultType(first, second):
            side = first if normal[0] == "ok" else second
            return {normal[0]: None if side is None else _json(normal[1], side)}
        case VariantType(cases):
            (side,) = (c.type for c in cases if c.name == normal[0])
            return normal[0] if side is None else {normal[0]: _json(normal[1], side)}
    return normal


@given(typed_values)
def test_json_data_means_the_same_value(typed: tuple[Type, Any]) -> None:
    """Data that went through a JSON file is the same value."""
    wit_type, normal = typed
    assert same(to_normal(json.loads(json.dumps(_json(normal, wit_type))), wit_type), normal)


_anything = st.recursive(
    st.one_of(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        st.complex_numbers() | st.decimals(),
        st.sampled_from([Some(1), Variant("a"), object(), int, ok(3), range(3), 10**500, "\ud800"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.builds(Variant, st.text(), inner)
    ),
    max_leaves=6,
)


@given(_anything, types)
def test_any_python_value_fits_or_is_refused(value: Any, wit_type: Type) -> None:
    """Whatever is passed, either a value of the type comes out or the one error that says why not."""
    try:
        normal = to_normal(value, wit_type)
    except ValueDoesNotFit:
        return
    assert same(to_normal(from_normal(normal, wit_type), wit_type), normal)


@dataclasses.dataclass
class Stamp:
    """A datetime as a dataclass."""

    seconds: int
    nanoseconds: int = 0


class Kind(enum.Enum):
    """Event types as a Python enum, named as Python names them."""

    OBJECT_ADDED = 1
    other = "object-removed"


class Perm(enum.Flag):
    """Permissions as Python flags."""

    READ = enum.auto()
    WRITE = enum.auto()


class Small(enum.IntEnum):
    """A number with a name."""

    ONE = 1


class Word(enum.StrEnum):
    """A string with a name."""

    HI = "hello"


class Boxed:
    """A scalar as numpy has them."""

    dtype = "int64"
    shape = ()

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        """Return the Python scalar."""
        return self.value


@pytest.mark.parametrize(
    ("value", "wit_type", "normal"),
    [
        (PLAIN, EVENT, NORMAL),
        ({k.replace("-", "_"): v for k, v in PLAIN.items()}, EVENT, NORMAL),
        (OrderedDict(PLAIN), EVENT, NORMAL),
        ({**PLAIN, "event-timestamp": Stamp(1)}, EVENT, NORMAL),
        (python_types.MappingProxyType(PLAIN), EVENT, NORMAL),
        (namedtuple("At", "seconds nanoseconds")(1, 0), DATETIME, [1, 0]),
        (python_types.SimpleNamespace(seconds=1, nanoseconds=0, other=5), DATETIME, [1, 0]),
        (python_types.SimpleNamespace(type_="a"), RecordType((Field("type", STRING),)), ["a"]),
        ({}, RecordType((Field("a", OptionType(U8)),)), [None]),
        (Kind.OBJECT_ADDED, EVENT_TYPE, "object-added"),
        (Kind.other, EVENT_TYPE, "object-removed"),
        ("OBJECT_ADDED", EVENT_TYPE, "object-added"),
        ("object_added", EVENT_TYPE, "object-added"),
        (Perm.READ | Perm.WRITE, PERMS, ["read", "write"]),
        ({"exec", "read"}, PERMS, ["read", "exec"]),
        (["write", "write"], PERMS, ["write"]),
        ({"read": True, "write": False}, PERMS, ["read"]),
        (Small.ONE, U8, 1),
        (Word.HI, STRING, "hello"),
        (Boxed(5), U8, 5),
        (Boxed(True), BOOL, True),
        (5, F64, 5.0),
        (Decimal("0.5"), F32, 0.5),
        (Fraction(1, 4), F64, 0.25),
        (0.1, F32, 0.10000000149011612),
        (math.inf, F32, math.inf),
        (b"ab", ListType(U8), b"ab"),
        (bytearray(b"ab"), ListType(U8), b"ab"),
        (memoryview(b"ab"), ListType(U8), b"ab"),
        ([97, Small.ONE], ListType(U8), b"a\x01"),
        ((1, 2), ListType(U32), [1, 2]),
        (range(3), ListType(U32), [0, 1, 2]),
        (deque([1]), ListType(U32), [1]),
        (array.array("d", [1.5]), ListType(F64), [1.5]),
        ([1.5, 2], ListType(F64), [1.5, 2.0]),
        ([1, "a"], TupleType((U8, STRING)), [1, "a"]),
        ("busy", ERROR, ["busy", None]),
        ({"busy": None}, ERROR, ["busy", None]),
        (["busy"], ERROR, ["busy", None]),
        (("failed", "x"), ERROR, ["failed", "x"]),
        (Variant("unsupported", Kind.OBJECT_ADDED), ERROR, ["unsupported", "object-added"]),
        (ok(), ResultType(None, ERROR), ["ok", None]),
        ("ok", ResultType(None, ERROR), ["ok", None]),
        ({"err": "busy"}, ResultType(None, ERROR), ["err", ["busy", None]]),
        (None, OptionType(OptionType(U8)), None),
        (Some(None), OptionType(OptionType(U8)), [None]),
        (Some(5), OptionType(OptionType(U8)), [[5]]),
        (5, OptionType(OptionType(U8)), [[5]]),
        (Some(5), OptionType(U8), [5]),
    ],
)
def test_every_form_of_a_value_is_taken(value: Any, wit_type: Type, normal: Any) -> None:
    """Dicts, dataclasses, named tuples, objects, enums, flags and numpy's scalars all say what they mean."""
    assert same(to_normal(value, wit_type), normal)


@pytest.mark.parametrize(
    ("value", "wit_type", "message"),
    [
        (
            {**PLAIN, "event-timestamp": {"seconds": 1, "nanoseconds": 5_000_000_000}},
            EVENT,
            "$.event-timestamp.nanoseconds: 5000000000 does not fit u32 (range 0 to 4294967295).",
        ),
        (300, U8, "$: 300 does not fit u8 (range 0 to 255)."),
        (-1, U8, "$: -1 does not fit u8 (range 0 to 255)."),
        (-129, S8, "$: -129 does not fit s8 (range -128 to 127)."),
        (
            2**64,
            Primitive("u64"),
            "$: 18446744073709551616 does not fit u64 (range 0 to 18446744073709551615).",
        ),
        (True, U8, "$: True does not fit u8 (a bool, not an integer)."),
        (Boxed(True), U8, "$: True does not fit u8 (a bool, not an integer)."),
        (1.0, U8, "$: 1.0 does not fit u8 (a float, not an integer). Write 1."),
        (1.5, U8, "$: 1.5 does not fit u8 (a float, not an integer)."),
        ("5", U8, "$: '5' does not fit u8 (a str, not an integer)."),
        (None, U8, "$: None does not fit u8 (not an integer)."),
        (1, BOOL, "$: 1 does not fit bool (an int, not True or False)."),
        (True, F64, "$: True does not fit f64 (a bool, not a number)."),
        ("1", F64, "$: '1' does not fit f64 (a str, not a number)."),
        (1e39, F32, "$: 1e+39 does not fit f32 (range -3.4028235e38 to 3.4028235e38)."),
        (5, STRING, "$: 5 does not fit string (an int, not a string)."),
        (b"a", STRING, "$: b'a' does not fit string (bytes, not a string). Decode it: value.decode()."),
        (
            "a\ud800",
            STRING,
            "$: 'a\\ud800' does not fit string "
            "(lone surrogate U+D800 at index 1 is no Unicode scalar value).",
        ),
        (
            "\udfff",
            CHAR,
            "$: '\\udfff' does not fit char (lone surrogate U+DFFF at index 0 is no Unicode scalar value).",
        ),
        ("", CHAR, "$: '' does not fit char (0 Unicode scalar values, not one)."),
        (
            "e\u0301",
            CHAR,
            "$: 'e\u0301' does not fit char (2 Unicode scalar values, not one: U+0065 U+0301).",
        ),
        (5, CHAR, "$: 5 does not fit char (an int, not a string of one character)."),
        ("a", ListType(U8), "$: 'a' does not fit list<u8> (a str, not bytes). Encode it: value.encode()."),
        ([1, 300], ListType(U8), "$[1]: 300 does not fit u8 (range 0 to 255)."),
        ([1, -1], ListType(U32), "$[1]: -1 does not fit u32 (range 0 to 4294967295)."),
        ([1, True], ListType(U32), "$[1]: True does not fit u32 (a bool, not an integer)."),
        ("ab", ListType(STRING), "$: 'ab' does not fit list<string> (a str, not a list)."),
        ({1}, ListType(U32), "$: {1} does not fit list<u32> (a set, not a list)."),
        ([1], TupleType((U8, U8)), "$: [1] does not fit tuple<u8, u8> (1 elements, not 2)."),
        ([1, "x"], TupleType((U8, U8)), "$[1]: 'x' does not fit u8 (a str, not an integer)."),
        (
            {"event-type": "object-added"},
            EVENT,
            "$: {'event-type': 'object-added'} does not fit handler-event "
            "(fields 'event-timestamp', 'event-version' are missing).",
        ),
        (
            {"seconds": 1, "nanos": 0},
            DATETIME,
            "$: 'nanos' does not fit datetime (no such field). Did you mean 'nanoseconds'?",
        ),
        ({"x": 1}, DATETIME, "$: 'x' does not fit datetime (no such field). Fields: seconds, nanoseconds."),
        ({1: 1}, DATETIME, "$: 1 does not fit datetime (no such field). Fields: seconds, nanoseconds."),
        (
            {"event-type": 1, "event_type": 1},
            RecordType((Field("event-type", U8),), name="r"),
            "$: {'event-type': 1, 'event_type': 1} does not fit r (field 'event-type' is given twice).",
        ),
        (
            5,
            DATETIME,
            "$: 5 does not fit datetime (an int, not a dict or object with its fields). "
            "Fields: seconds, nanoseconds.",
        ),
        (
            "object-aded",
            EVENT_TYPE,
            "$: 'object-aded' does not fit event-type (no such case). Did you mean 'object-added'?",
        ),
        (
            "zzz",
            EVENT_TYPE,
            "$: 'zzz' does not fit event-type (no such case). "
            "Cases: object-added, object-removed, object-restored.",
        ),
        (
            0,
            EVENT_TYPE,
            "$: 0 does not fit event-type (an int, not a case's name). "
            "Cases: object-added, object-removed, object-restored.",
        ),
        (
            "failed",
            ERROR,
            "$: 'failed' does not fit handler-error (case 'failed' needs a payload). "
            "Write Variant('failed', ...).",
        ),
        (
            Variant("busy", 1),
            ERROR,
            "$: Variant('busy', 1) does not fit handler-error (case 'busy' has no payload).",
        ),
        (Variant("failed"), ERROR, "$.failed: None does not fit string (not a string)."),
        (
            {"fail": "x"},
            ERROR,
            "$: {'fail': 'x'} does not fit handler-error (no case 'fail'). Did you mean 'failed'?",
        ),
        (
            5,
            ERROR,
            "$: 5 does not fit handler-error "
            "(an int, not a variant: a case's name, Variant(case, payload), {'case': payload}).",
        ),
        (
            err("zzz"),
            ResultType(None, ERROR),
            "$.err: 'zzz' does not fit handler-error (no case 'zzz'). Cases: unsupported, failed, busy.",
        ),
        (
            5,
            ResultType(U8),
            "$: 5 does not fit result<u8> (an int, not a result: ok(...), err(...), {'ok': ...}).",
        ),
        ({"rad"}, PERMS, "$: {'rad'} does not fit perms (no flag 'rad'). Did you mean 'read'?"),
        ({"read": 1}, PERMS, "$.read: 1 does not fit perms (an int, not True or False)."),
        (
            "read",
            PERMS,
            "$: 'read' does not fit perms (a str, not a set of names). Flags: read, write, exec.",
        ),
        (Some(300), OptionType(U8), "$: 300 does not fit u8 (range 0 to 255)."),
        (1, HandleType("file"), "$: 1 does not fit file (an int, not a file that a call returned)."),
        (
            1,
            OpaqueType("stream<u8>"),
            "$: 1 does not fit stream<u8> (values of this type cannot be made from Python).",
        ),
    ],
)
def test_a_misfit_says_path_value_type_and_reason(value: Any, wit_type: Type, message: str) -> None:
    """Every class of misfit has its exact words."""
    with pytest.raises(ValueDoesNotFit) as caught:
        to_normal(value, wit_type)
    assert str(caught.value) == message


def test_a_misfit_carries_its_parts() -> None:
    """Code can ask the error for path, value and type."""
    with pytest.raises(ValueDoesNotFit) as caught:
        to_normal([{"seconds": -1, "nanoseconds": 0}], ListType(DATETIME), "$.times")
    assert (caught.value.path, caught.value.value, caught.value.wit_type) == ("$.times[0].seconds", -1, "u64")


def test_a_generator_is_no_list() -> None:
    """A generator may never end, so it has to be made a list by hand."""
    with pytest.raises(
        ValueDoesNotFit, match=r"a generator, not a list\)\. Make it a list: list\(\.\.\.\)\."
    ):
        to_normal((i for i in range(3)), ListType(U32))


def test_a_value_whose_repr_fails_is_refused_like_any_other() -> None:
    """The message does without what the value cannot say."""
    with pytest.raises(ValueDoesNotFit, match="<an integer of 16610 bits> does not fit u8"):
        to_normal(10**5000, U8)

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(ValueDoesNotFit, match="<a Broken without a repr> does not fit u8"):
        to_normal(Broken(), U8)


def test_types_that_only_differ_in_name_keep_their_names_in_messages() -> None:
    """The memo of checkers goes by identity: equal types may have different names."""
    one, other = (EnumType(("a", "b"), name=name) for name in ("first", "second"))
    assert one == other
    for wit_type in (one, other):
        with pytest.raises(ValueDoesNotFit, match=f"does not fit {wit_type.name}"):
            to_normal("c", wit_type)


def test_results_are_what_users_hold() -> None:
    """A record answers to keys and attributes, a variant to patterns, flags keep WIT's order."""
    event = from_normal(NORMAL, EVENT)
    assert event == PLAIN
    assert event.event_timestamp.seconds == event["event-timestamp"]["seconds"] == 1
    assert {"event_type", "event_version"} <= set(dir(event))
    assert list(from_normal(["write", "exec"], PERMS)) == ["write", "exec"]
    assert from_normal([1, "a"], TupleType((U8, STRING))) == (1, "a")
    match from_normal(["err", ["unsupported", "object-removed"]], ResultType(None, ERROR)):
        case Variant("err", Variant("unsupported", what)):
            assert what == "object-removed"
        case other:
            pytest.fail(f"{other!r}")


def test_result_objects_have_a_plain_repr() -> None:
    """What is printed can be typed again."""
    shown = [err(Variant("unsupported", "x")), ok(), Variant("busy"), Some(None), Flags(["b", "a"])]
    expected = "[err(Variant('unsupported', 'x')), ok(), Variant('busy'), Some(None), Flags({'b', 'a'})]"
    assert repr(shown) == expected
    assert eval(expected) == shown
    assert repr(Record({"a-b": 1})) == "{'a-b': 1}"


@pytest.mark.parametrize("value", [Record({"a-b": ok(1)}), Variant("a", [1]), Some(None), Flags(["b", "a"])])
def test_result_objects_can_be_copied_and_pickled(value: Any) -> None:
    """Results survive `copy.deepcopy` and `pickle`."""
    for other in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert other == value
        assert repr(other) == repr(value)


def test_a_record_is_changed_by_key_or_attribute_and_says_what_it_has() -> None:
    """An event that came back can be edited; a wrong name is told with the right ones."""
    record = Record({"event-type": "a"})
    record.event_type = "b"
    assert record == {"event-type": "b"}
    with pytest.raises(AttributeError, match=r"no field 'kind'; fields: event_type"):
        record.kind  # noqa: B018 - the access is the test
    with pytest.raises(AttributeError, match=r"no field 'kind'; fields: event_type"):
        record.kind = 1


def test_variants_are_frozen_and_compare_by_case_and_payload() -> None:
    """A variant is a value, not a place."""
    assert ok(1) == Variant("ok", 1) != err(1)
    assert {ok(1): "x"}[Variant("ok", 1)] == "x"
    assert ok().is_ok
    assert not err().is_ok
    with pytest.raises(dataclasses.FrozenInstanceError):
        ok().case = "err"  # type: ignore[misc]
