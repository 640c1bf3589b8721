"""Typed synthetic events: edges first, then a seeded mix."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wit_strategies import functions, same, types

from labkernel._errors import UsageError, ValueDoesNotFit
from labkernel._events import OneOf, call_text, events, sample
from labkernel._events.edges import edges
from labkernel._events.rng import Rng
from labkernel._values import from_normal, parse_call, to_normal
from labkernel._wit import (
    Case,
    EnumType,
    Field,
    FlagsType,
    Function,
    HandleType,
    ListType,
    OpaqueType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

STRING, U8, U64, F64 = map(Primitive, ("string", "u8", "u64", "f64"))
EVENT_TYPE = EnumType(("object-added", "object-removed", "object-restored"), name="event-type")
DATETIME = RecordType((Field("seconds", U64), Field("nanoseconds", Primitive("u32"))), name="datetime")
EVENT = RecordType(
    (Field("event-type", EVENT_TYPE), Field("event-timestamp", DATETIME), Field("event-version", STRING)),
    name="handler-event",
)
HANDLE = Function("handle", (Param("event", EVENT),))
EVERYTHING = Function(
    "everything",
    (
        *(Param(f"p-{name}", Primitive(name)) for name in ("bool", "s8", "u16", "s32", "s64", "u64", "f32")),
        Param("f64s", ListType(F64)),
        Param("char", Primitive("char")),
        Param("email", STRING),
        Param("path", OptionType(STRING)),
        Param("url", ResultType(STRING, VariantType((Case("a"), Case("b", TupleType((STRING, U8))))))),
        Param("data", ListType(U8)),
        Param("perms", FlagsType(("r", "w", "x"))),
        Param("rows", ListType(RecordType((Field("id", STRING), Field("tags", ListType(EVENT_TYPE)))))),
    ),
)


def digest(made: Any) -> str:
    """Return a digest of events that is the same on every machine: `ascii` depends on no Unicode tables."""
    return hashlib.sha256(ascii(list(made)).encode()).hexdigest()[:16]


def test_the_generator_is_splitmix64() -> None:
    """The numbers are those of the published reference for seeds 0 and 1234567."""
    rng = Rng(0)
    assert [rng.next() for _ in range(3)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    rng = Rng(1234567)
    assert [rng.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("seed", [0, -1, 7, 2**64, 2**200])
def test_draws_stay_in_their_bounds(seed: int) -> None:
    """Bounded draws reach both ends and nothing beyond."""
    rng = Rng(seed)
    assert {rng.below(3) for _ in range(100)} == {0, 1, 2}
    assert {rng.within(-1, 1) for _ in range(100)} == {-1, 0, 1}
    sizes = [rng.size(50) for _ in range(2000)]
    assert min(sizes) == 0
    assert max(sizes) == 50
    assert sum(s <= 8 for s in sizes) > 1000


GOLDEN = [
    (HANDLE, 7, "57d167f7b5bb974b"),
    (HANDLE, 8, "202d8237eb60beaf"),
    (EVERYTHING, 7, "3840bb11db2c1d1a"),
]


@pytest.mark.parametrize(("function", "seed", "golden"), GOLDEN)
def test_a_seed_gives_the_same_events_everywhere(function: Function, seed: int, golden: str) -> None:
    """The first 500 events are pinned: another digest is another version of the generator."""
    assert digest(events(function, seed=seed, n=500)) == golden


def test_events_do_not_depend_on_the_process() -> None:
    """String hashing, which differs from process to process, has no part in it."""
    code = (
        "from test_events import digest, events, EVERYTHING; print(digest(events(EVERYTHING, seed=7, n=200)))"
    )
    here = digest(events(EVERYTHING, seed=7, n=200))
    for hash_seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == here


@given(functions(), st.integers(), st.integers(0, 80))
@settings(max_examples=60)
def test_every_event_fits_its_function(function: Function, seed: int, n: int) -> None:
    """Events are values of the parameters' types, and their calls read back."""
    made = list(events(function, seed=seed, n=n))
    assert len(made) == n
    for event in [*made, sample(function, seed)]:
        for value, param in zip(event, function.params, strict=True):
            assert same(to_normal(from_normal(value, param.type), param.type), value)
    for event in made[-3:]:
        assert same(parse_call(call_text(function, event), [function])[1], event)


@given(functions(), st.integers())
@settings(max_examples=30)
def test_a_shorter_run_is_the_beginning_of_a_longer_one(function: Function, seed: int) -> None:
    """Event `k` depends on the seed and on `k` alone."""
    assert same(list(events(function, seed=seed, n=20)), list(islice(events(function, seed=seed, n=50), 20)))


def leaves(value: Any, wit_type: Type, path: str = "") -> list[tuple[str, str]]:
    """Return every leaf of a value with its path through the type."""
    match wit_type:
        case RecordType(fields):
            parts = [(v, f.type, f"{path}.{f.name}") for v, f in zip(value, fields, strict=True)]
        case TupleType(elements):
            parts = [(v, e, f"{path}.{i}") for i, (v, e) in enumerate(zip(value, elements, strict=True))]
        case OptionType(payload):
            parts = [] if value is None else [(value[0], payload, f"{path}?")]
        case ListType(element) if isinstance(value, list):
            parts = [(v, element, f"{path}[]") for v in value]
        case ResultType() | VariantType():
            cases = (
                {"ok": wit_type.ok, "err": wit_type.err}
                if isinstance(wit_type, ResultType)
                else {c.name: c.type for c in wit_type.cases}
            )
            payload = cases[value[0]]
            parts = [] if payload is None else [(value[1], payload, f"{path}:{value[0]}")]
            return [(path, value[0]), *(leaf for p in parts for leaf in leaves(*p))]
        case _:
            return [(path, ascii(value))]
    shape = "" if parts else ascii(value)
    return [(path, shape), *(leaf for p in parts for leaf in leaves(*p))]


@given(types)
@settings(max_examples=60)
def test_every_edge_of_every_leaf_comes_early(wit_type: Type) -> None:
    """A part of an event meets each of its own edges among the first few events, however it is wrapped."""
    function = Function("f", (Param("before", U8), Param("it", wit_type), Param("after", STRING)))
    wanted = {leaf for edge in edges(wit_type) for leaf in leaves(edge, wit_type)}
    first = max(len(edges(p.type)) for p in function.params)
    made = events(function, seed=1, n=first)
    assert wanted <= {leaf for event in made for leaf in leaves(event[1], wit_type)}


def test_edges_are_the_extremes() -> None:
    """Limits, signs, emptiness, infinities, every case."""
    assert set(edges(Primitive("s8"))) == {0, 1, -1, 127, -128}
    assert {0, 1, 2**64 - 1} <= set(edges(U64))
    assert {repr(v) for v in edges(F64)} >= {
        "nan",
        "inf",
        "-inf",
        "-0.0",
        "5e-324",
        "1.7976931348623157e+308",
    }
    assert {repr(v) for v in edges(Primitive("f32"))} >= {"1.401298464324817e-45", "3.4028234663852886e+38"}
    assert edges(EVENT_TYPE) == list(EVENT_TYPE.cases)
    assert "" in edges(STRING)
    assert max(map(len, edges(STRING))) >= 4096
    assert edges(FlagsType(("a", "b", "c"))) == [[], ["a", "b", "c"], ["a"], ["b"], ["c"], ["a", "c"]]
    assert edges(ListType(EVENT_TYPE))[:2] == [[], ["object-added"]]
    assert edges(ResultType(None, U8)) == [
        ["ok", None], ["err", 0], ["err", 255], ["err", 1], ["err", 128]
    ]  # fmt: skip


def test_there_are_as_many_edge_events_as_the_richest_part_has_edges() -> None:
    """Rotation, not a product: a record of many strings has no more rows than one string."""
    many = RecordType(tuple(Field(f"f{i}", STRING) for i in range(10)))
    assert len(edges(many)) == len(edges(STRING))


def test_moments_and_versions_are_plausible() -> None:
    """A datetime never has a billion nanoseconds, a version looks like one."""
    made = list(events(HANDLE, seed=3, n=300))
    assert all(event[0][1][1] < 10**9 for event in made)
    random_part = [event[0] for event in made[len(edges(EVENT)) :]]
    assert all(1_767_225_600 <= e[1][0] < 1_798_761_600 for e in random_part)
    versions = [e[2] for e in random_part if e[2].replace(".", "").isdigit()]
    assert len(versions) > len(random_part) // 2


def test_a_sample_is_friendly() -> None:
    """The first event one sees has no edges in it, and another seed gives another."""
    assert call_text(HANDLE, sample(HANDLE)) == (
        "handle({event-type: object-added, event-timestamp: {seconds: 1775712892, nanoseconds: 271566000}, "
        'event-version: "1.5"})'
    )
    assert sample(HANDLE) == sample(HANDLE, 0) != sample(HANDLE, 1)


def test_overrides_fix_parts_of_events() -> None:
    """By value, by choice, by function; the name of the only parameter may be left out."""
    made = list(
        events(
            HANDLE,
            seed=1,
            n=100,
            overrides={
                "event-type": "OBJECT_REMOVED",
                "event.event-version": OneOf(["1", "2"]),
                "event-timestamp.seconds": lambda k: k * 10,
            },
        )
    )
    assert {e[0][0] for e in made} == {"object-removed"}
    assert {e[0][2] for e in made} == {"1", "2"}
    assert [e[0][1][0] for e in made] == [k * 10 for k in range(100)]
    whole = list(events(HANDLE, seed=1, n=2, overrides={"event": sample_value()}))
    assert whole == [[["object-added", [1, 0], "2.1"]]] * 2


def sample_value() -> dict[str, Any]:
    """Return one event as a user writes it."""
    return {
        "event_type": "object-added",
        "event_timestamp": {"seconds": 1, "nanoseconds": 0},
        "event_version": "2.1",
    }


def test_overrides_reach_into_options_and_lists() -> None:
    """An option on the way to a part has a value then, and a list the elements that are needed; the rest stays."""
    item = RecordType((Field("name", STRING), Field("size", U64)))
    place = RecordType(
        (Field("item", OptionType(item)), Field("all", ListType(item)), Field("raw", ListType(U8)))
    )
    function = Function("f", (Param("it", place),))
    plain = list(events(function, seed=3, n=40))
    fixed = {"item.name": "x", "all.1.size": 7}
    for before, (after,) in zip(plain, events(function, seed=3, n=40, overrides=fixed), strict=True):
        ((option, items, raw),) = before
        assert after[0][0][0] == "x"
        assert option is None or after[0][0][1] == option[0][1]
        assert (after[1][1][1], len(after[1])) == (7, max(2, len(items)))
        assert after[1][2:] == items[2:]
        assert after[2] == raw
    for path, words in (
        ("raw.0", "has no field '0'"),
        ("all.10000.size", "too far on"),
        ("all.x", "numbers from 0"),
    ):
        with pytest.raises(UsageError, match=words):
            events(function, seed=3, n=1, overrides={path: 1})


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"event-typ": 1}, UsageError, "'event-typ': handler-event has no field 'event-typ'; its fields: "
         "event-type, event-timestamp, event-version. Did you mean 'event-type'?"),
        ({"event-version.x": 1}, UsageError, "'event-version.x': string has no field 'x'; it has no fields."),
        ({"event-type": "x"}, ValueDoesNotFit, "$.event-type: 'x' does not fit event-type (no such case). "
         "Cases: object-added, object-removed, object-restored."),
        ({"event-version": OneOf([])}, UsageError, "The choice for 'event-version' holds no values."),
    ],
)  # fmt: skip
def test_a_wrong_override_is_refused_before_the_first_event(
    overrides: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Nothing is fired with half a mind."""
    with pytest.raises(error) as caught:
        events(HANDLE, seed=1, n=1, overrides=overrides)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "wit_type", [HandleType("file"), OpaqueType("stream<u8>"), ListType(HandleType("file"))]
)
def test_a_type_that_cannot_be_made_up_is_named(wit_type: Type) -> None:
    """Handles come from guests and hosts, not from generators."""
    function = Function("f", (Param("x", wit_type),))
    for make in (lambda: events(function, seed=1, n=1), lambda: sample(function)):
        with pytest.raises(
            UsageError, match=r"a value of (file|stream<u8>) cannot be made up; write the call"
        ):
            make()


def test_a_negative_number_of_events_is_refused() -> None:
    """Before the iteration begins."""
    with pytest.raises(UsageError, match="-1 events cannot be made"):
        events(HANDLE, seed=1, n=-1)


def test_a_function_without_parameters_has_empty_events() -> None:
    """Its events are empty argument lists."""
    assert list(events(Function("f"), seed=1, n=3)) == [[], [], []]
    assert sample(Function("f")) == []


def test_deep_types_give_events_of_bounded_size() -> None:
    """Lists in lists share one allowance, so that no event explodes."""
    wit_type: Type = STRING
    for _ in range(4):
        wit_type = ListType(wit_type)
    for event in events(Function("f", (Param("x", wit_type),)), seed=5, n=300):
        assert len(ascii(event)) < 200_000
