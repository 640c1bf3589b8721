"""Drivers: what they fire is what the C functions call, and every ending keeps what came before it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driver_kit import Kit, one_value, returns, shows_bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wit_strategies import same, types, values

from labkernel._cache import Cache
from labkernel._errors import BudgetExceeded, GuestError, GuestTrap, ValueDoesNotFit
from labkernel._fire.compose import NoDriver, noop_of, why_undrivable, with_clock
from labkernel._fire.driver import noop_text
from labkernel._fire.driving import Gathered
from labkernel._toolbox import find_toolbox
from labkernel._values.layout import flatten
from labkernel._wit import (
    EnumType,
    Field,
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
)

U32, U64, STRING = map(Primitive, ("u32", "u64", "string"))
BYTES = ListType(Primitive("u8"))
SIXTEEN = tuple(Param(f"p{n}", U32) for n in range(16))
ONCE = settings(max_examples=12, suppress_health_check=list(HealthCheck))
TAKES = Function("take", (Param("n", U32),), U32)

#: Answers its argument; traps at 7, spins at 8, prints at 9, counts at 10, waits at 11.
MOODY = """(module
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (memory (export "memory") 1) (data (i32.const 64) "hello\\n")
  (global $count (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "take") (param $n i32) (result i32)
    (if (i32.eq (local.get $n) (i32.const 7)) (then unreachable))
    (if (i32.eq (local.get $n) (i32.const 8)) (then (loop (br 0))))
    (if (i32.eq (local.get $n) (i32.const 9)) (then
      (call $write (call $stdout) (i32.const 64) (i32.const 6) (i32.const 128))))
    (if (i32.eq (local.get $n) (i32.const 10)) (then
      (global.set $count (i32.add (global.get $count) (i32.const 1))) (return (global.get $count))))
    (if (i32.eq (local.get $n) (i32.const 11)) (then (call $block (call $after (i64.const 3600000000000)))))
    (local.get $n)))"""
MOODY_WIT = """package test:guest;
world w { import wasi:cli/stdout@0.2.12; import wasi:clocks/monotonic-clock@0.2.12; export take: func(n: u32) -> u32; }
"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Return a kit whose toolbox is there."""
    if find_toolbox(Cache()) is None:
        if os.environ.get("LABKERNEL_REQUIRE") == "all":
            pytest.fail("the toolbox is missing, and LABKERNEL_REQUIRE=all asks for everything")
        pytest.skip("the toolbox is missing; labkernel setup builds it")
    made = Kit(tmp_path_factory.mktemp("driver"))
    yield made
    made.close()


@pytest.fixture
def moody(kit: Kit) -> Callable[..., Any]:
    """Return a function that starts a guest of many moods behind a driver."""
    wasm = kit.component(MOODY, wit=MOODY_WIT)
    return lambda **start: kit.start(wasm, TAKES, **start)


# -------------------------------------------------------------------------------------------------- every type


@ONCE
@given(st.data())
def test_every_type_comes_back_through_memory(kit: Kit, data: st.DataObject) -> None:
    """An echo's results are those of the C functions, and the values that were sent."""
    wit_type = data.draw(types)
    function = Function("echo", (Param("x", wit_type), *SIXTEEN), TupleType((wit_type, U32)))
    events = [[data.draw(values(wit_type)), *[5] * 16] for _ in range(3)]
    started = kit.start(kit.component(returns(function), function), function)
    driven = kit.drive(started, function, events, 100)
    assert (driven.error, driven.done, driven.varied, driven.unchecked) == (None, 100, 0, 0)
    for event, [result] in zip(events, driven.results, strict=True):
        assert same(result, kit.guests.call(started, "echo", event).result)
        assert same(result[0], event[0])


@ONCE
@given(st.data())
def test_every_type_is_passed_as_core_values(kit: Kit, data: st.DataObject) -> None:
    """A guest that shows the bits of its core parameters sees from the driver what it sees from the C functions."""
    parts = data.draw(st.lists(types.filter(lambda t: len(flatten(t)) <= 8), min_size=0, max_size=2))
    function = Function("bits", tuple(Param(f"p{n}", t) for n, t in enumerate(parts)), ListType(U64))
    events = [[data.draw(values(t)) for t in parts] for _ in range(3)]
    started = kit.start(kit.component(shows_bits(function), function), function)
    driven = kit.drive(started, function, events, 100)
    assert (driven.error, driven.varied) == (None, 0)
    called = [kit.guests.call(started, "bits", event).result for event in events]
    assert [result for [result] in driven.results] == called


@pytest.mark.parametrize(
    ("wit_type", "events"),
    [
        (Primitive("bool"), [True, False]),
        (Primitive("s8"), [-128, 127]),
        (Primitive("u16"), [65535]),
        (Primitive("s64"), [-(2**63)]),
        (Primitive("f32"), [1.5, float("inf")]),
        (Primitive("f64"), [-0.0]),
        (Primitive("char"), ["é"]),
        (EnumType(("a", "b"), name="e"), ["b"]),
        (ResultType(), [["ok", None], ["err", None]]),
        (RecordType((Field("x", Primitive("u8")),), name="r"), [[200]]),
    ],
)
def test_a_result_in_one_core_value(kit: Kit, wit_type: Type, events: list[Any]) -> None:
    """Results that no memory is needed for."""
    function = Function("same", (Param("x", wit_type),), wit_type)
    started = kit.start(kit.component(one_value(function), function), function)
    driven = kit.drive(started, function, [[event] for event in events], 200)
    assert driven.error is None
    assert driven.done == 200
    assert same([result for [result] in driven.results], events)


def test_nothing_in_and_nothing_out(kit: Kit) -> None:
    """A function without parameters and result is fired as well."""
    function = Function("go")
    started = kit.start(kit.component('(module (func (export "go")))', function), function)
    driven = kit.drive(started, function, [[]], 1000)
    assert (driven.done, driven.results[0], driven.error) == (1000, [None], None)


def test_a_function_of_an_interface(kit: Kit) -> None:
    """An interface's function is fired like one of the world, beside functions that are not."""
    wit = """package test:guest@1.2.3;
    interface maths { use-me: func(n: u32) -> u32; other: func(s: string) -> string; }
    world w { export maths; export plain: func(); }"""
    core = """(module (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "test:guest/maths@1.2.3#use-me") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func (export "test:guest/maths@1.2.3#other") (param i32 i32) (result i32) unreachable)
      (func (export "plain")))"""
    function = Function("use-me", (Param("n", U32),), U32, interface="test:guest/maths@1.2.3")
    started = kit.start(kit.component(core, wit=wit), function)
    driven = kit.drive(started, function, [[1], [41]], 10)
    assert driven.results == ([2], [42])
    assert kit.guests.call(started, function.full_name, [1]).result == 2


def test_types_and_resources_of_an_exported_interface(kit: Kit) -> None:
    """A function that takes its interface's own types is fired, beside a resource that no driver touches."""
    wit = """package test:guest;
    interface things {
      record pair { a: u8, b: string }
      variant kind { one(pair), two }
      resource thing { constructor(); get: func() -> u32; }
      swap: func(k: kind) -> list<kind>;
      make: func() -> thing;
    }
    world w { export things; }"""
    name = "test:guest/things"
    core = f"""(module
      (import "[export]{name}" "[resource-new]thing" (func $new (param i32) (result i32)))
      (memory (export "memory") 2) (global $next (mut i32) (i32.const 4096))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
      (func (export "{name}#swap") (param $case i32) (param $a i32) (param $p i32) (param $n i32) (result i32)
        (i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 2))
        (i32.store8 (i32.const 64) (i32.const 1))
        (i32.store8 (i32.const 80) (local.get $case)) (i32.store8 (i32.const 84) (local.get $a))
        (i32.store (i32.const 88) (local.get $p)) (i32.store (i32.const 92) (local.get $n))
        (i32.const 8))
      (func (export "{name}#make") (result i32) (call $new (i32.const 1)))
      (func (export "{name}#[constructor]thing") (result i32) (call $new (i32.const 1)))
      (func (export "{name}#[method]thing.get") (param i32) (result i32) (i32.const 1)))"""
    package = kit.toolbox.resolve(wit)
    functions = {f.name: f for f in package.worlds[0].functions()}
    wasm = kit.component(core, wit=wit)
    started = kit.start(wasm, functions["swap"])
    events = [[["one", [7, "text"]]], [["two", None]]]
    driven = kit.drive(started, functions["swap"], events, 1000)
    assert (driven.error, driven.varied) == (None, 0)
    assert [result for [result] in driven.results] == [
        kit.guests.call(started, functions["swap"].full_name, event).result for event in events
    ]
    with pytest.raises(NoDriver, match="handles"):
        kit.start(wasm, functions["make"])


def test_large_values(kit: Kit) -> None:
    """Megabytes go in and out, and are compared whole."""
    function = Function("echo", (Param("x", BYTES), *SIXTEEN), TupleType((BYTES, U32)))
    started = kit.start(kit.component(returns(function), function), function)
    blob = bytes(range(256)) * 8192
    driven = kit.drive(started, function, [[blob, *[1] * 16]], 20)
    assert driven.results[0][0][0] == blob
    assert driven.varied == 0


def test_results_beyond_the_space_are_counted(kit: Kit) -> None:
    """What finds no room among the kept results is not compared, and told."""
    function = Function("echo", (Param("x", BYTES), *SIXTEEN), TupleType((BYTES, U32)))
    started = kit.start(kit.component(returns(function), function), function)
    driven = kit.drive(started, function, [[bytes(10 << 20), *[1] * 16], [bytes(10 << 20), *[2] * 16]], 4)
    assert driven.unchecked == 2
    assert driven.results[1] is None


# ----------------------------------------------------------------------------------------------------- endings


@pytest.mark.parametrize("at", [0, 1, 63, 64, 65, 1000])
def test_a_trap_names_its_event(kit: Kit, moody: Callable[..., Any], at: int) -> None:
    """A trap at event k keeps what came before it, and nothing is fired twice."""
    events = [[n if n > 20 else n + 100] for n in range(2000)]
    events[at] = [7]
    driven = kit.drive(moody(), TAKES, events)
    assert driven.done == at
    assert isinstance(driven.error, GuestTrap)
    assert "unreachable" in str(driven.error)
    assert [result for [result] in driven.results[:at]] == [event[0] for event in events[:at]]
    assert driven.results[at] is None
    assert at - driven.group < driven.counts().total() <= at


def test_an_instance_that_trapped_is_finished(kit: Kit, moody: Callable[..., Any]) -> None:
    """The next use says so; others live on."""
    started = moody()
    kit.drive(started, TAKES, [[7]])
    with pytest.raises(GuestTrap, match="finished"):
        kit.drive(started, TAKES, [[1]])
    assert kit.drive(moody(), TAKES, [[1]]).done == 1


@pytest.mark.parametrize("mood", [8, 11])
def test_a_budget_of_time_holds_for_every_event(kit: Kit, moody: Callable[..., Any], mood: int) -> None:
    """An event that spins, or waits in a host call, is stopped within its own budget; those before it are kept."""
    driven = kit.drive(moody(timeout_s=0.2), TAKES, [[1], [2], [mood]])
    assert driven.done == 2
    assert isinstance(driven.error, BudgetExceeded)
    assert [result for [result] in driven.results[:2]] == [1, 2]


def test_long_firing_is_no_timeout(kit: Kit, moody: Callable[..., Any]) -> None:
    """The budget is an event's, not the run's."""
    told: list[int] = []
    driven = kit.drive(
        moody(timeout_s=0.05), TAKES, [[1]], 5_000_000, gathered=Gathered(lambda done, of: told.append(done))
    )
    assert driven.error is None
    assert driven.done == 5_000_000
    assert len(told) > 3
    assert told == sorted(told)


def test_an_interrupt_keeps_what_was_fired(kit: Kit, moody: Callable[..., Any]) -> None:
    """A keyboard interrupt ends the batch; samples until then are there, other instances are unharmed."""
    other, started, gathered = moody(), moody(), Gathered()
    assert kit.drive(other, TAKES, [[10]], 3).done == 3
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        kit.drive(started, TAKES, [[1]], 1 << 40, gathered=gathered)
    assert gathered.done > 100
    assert gathered.grouped
    assert kit.guests.call(other, "take", [10]).result == 4


def test_output_while_driven(kit: Kit, moody: Callable[..., Any]) -> None:
    """What the guest prints arrives, and a budget of output ends a guest that prints too much at once."""
    said: list[str] = []
    driven = kit.drive(moody(), TAKES, [[9]], 5000, on_output=lambda stream, text: said.append(text))
    assert driven.error is None
    assert "".join(said) == "hello\n" * 5000
    driven = kit.drive(moody(output_bytes=4), TAKES, [[1], [9]], 1)
    assert driven.error is None
    driven = kit.drive(moody(output_bytes=4), TAKES, [[9]], 1 << 20)
    assert isinstance(driven.error, GuestError)
    assert driven.done < 1 << 20


def test_answers_that_vary_are_counted(kit: Kit, moody: Callable[..., Any]) -> None:
    """A counter answers every event differently: the first answer is kept, the others are counted."""
    started = moody()
    driven = kit.drive(started, TAKES, [[10], [3]], 1000)
    assert driven.results == ([1], [3])
    assert driven.varied == 499
    assert kit.guests.call(started, "take", [10]).result == 501


def test_memory_is_flat(kit: Kit) -> None:
    """A million calls with strings in both directions leave the host process as large as a thousand do."""
    import psutil

    function = Function("echo", (Param("x", STRING), *SIXTEEN), TupleType((STRING, U32)))
    started = kit.start(kit.component(returns(function), function), function, memory_bytes=24 << 20)
    kit.drive(started, function, [["some text of some length", *[1] * 16]], 1000)
    process = psutil.Process(kit.guests.pid)
    before = process.memory_info().rss
    driven = kit.drive(started, function, [["some text of some length", *[1] * 16]], 1_000_000)
    assert driven.error is None
    assert driven.varied == 0
    assert process.memory_info().rss - before < 8 << 20


# ------------------------------------------------------------------------------------------- time, and what costs


def test_short_calls_are_timed_in_groups(kit: Kit, moody: Callable[..., Any]) -> None:
    """The first calls are timed alone, the others between two clock reads, and every event has a time."""
    driven = kit.drive(moody(), TAKES, [[1]], 10_007)
    assert driven.group > 1
    assert len(driven.alone) == 64
    assert len(driven.grouped) == -(-(10_007 - 64) // driven.group)
    assert driven.counts().total() == 10_007
    assert driven.clock_ns > 0
    assert driven.dry_ns > 0
    assert driven.busy_ns > 0
    assert "between two clock reads" in driven.mode


def test_long_calls_are_timed_alone(kit: Kit, moody: Callable[..., Any]) -> None:
    """A call that prints takes many clock reads' time."""
    driven = kit.drive(moody(), TAKES, [[9]], 300)
    assert driven.mode == "each call alone"
    assert len(driven.alone) == 300 == driven.counts().total()


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_component_that_does_nothing(kit: Kit, data: st.DataObject) -> None:
    """For any signature there is a component that takes its events and does nothing."""
    params = tuple(Param(f"p{n}", t) for n, t in enumerate(data.draw(st.lists(types, max_size=3))))
    function = Function("work", params, data.draw(st.none() | types))
    wasm, noop = kit.composer.noop(function), noop_of(function)
    started = kit.start(wasm, noop)
    driven = kit.drive(started, noop, [[data.draw(values(p.type)) for p in params]], 500)
    assert (driven.error, driven.done, driven.varied) == (None, 500, 0)


# ------------------------------------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (Function("f", (Param("x", HandleType("file")),)), "handles"),
        (Function("f", (), OptionType(ListType(HandleType("file", "borrow")))), "handles"),
        (Function("f", (Param("x", OpaqueType("stream<u8>")),)), "outside a component"),
        (Function("f", is_async=True), "asynchronous"),
    ],
)
def test_what_no_driver_fires(kit: Kit, function: Function, why: str) -> None:
    """Handles and asynchronous functions are refused before anything is composed."""
    assert why in why_undrivable(function)
    with pytest.raises(NoDriver, match=why):
        kit.composer.composite("any", lambda: b"", function)


def test_a_budget_too_small_for_the_table(kit: Kit, moody: Callable[..., Any]) -> None:
    """A table that the memory budget has no room for is refused with the reason, and the instance lives on."""
    started = moody(memory_bytes=8 << 20)
    with pytest.raises(NoDriver, match="memory budget"):
        kit.drive(started, TAKES, [[1]])
    assert kit.guests.call(started, "take", [3]).result == 3


def test_misfits_are_refused_before_anything_is_fired(kit: Kit, moody: Callable[..., Any]) -> None:
    """An event that is no argument list of the function is told."""
    with pytest.raises(ValueDoesNotFit):
        kit.drive(moody(), TAKES, [[1], ["text"]])


def test_the_clock_is_added_to_what_a_component_has_of_it() -> None:
    """A component that uses other parts of the clocks' package, or another version, keeps both."""
    world = "package root:component;\nworld root {\n}\n"
    plain, clock = with_clock({"world.wit": world})
    assert clock == "wasi:clocks/monotonic-clock@0.2.12"
    assert f"import {clock};" in plain["world.wit"]
    clocks = "package wasi:clocks@0.2.3;\ninterface monotonic-clock {\n  type instant = u64;\n}\n"
    files, clock = with_clock({"world.wit": world, "deps/c.wit": clocks})
    assert clock.endswith("@0.2.3")
    assert files["deps/c.wit"].count("now: func") == 1
    whole = clocks.replace(
        "instant = u64;", "instant = u64;\n  use wasi:io/poll.{pollable};\n  now: func() -> u64;"
    )
    assert with_clock({"world.wit": world, "deps/c.wit": whole})[0]["deps/c.wit"] == whole


def test_composites_are_kept(kit: Kit) -> None:
    """A composite is made once for a target and a function."""
    function = Function("go")
    wasm = kit.component('(module (func (export "go")))', function)
    made: list[int] = []

    def read() -> bytes:
        made.append(1)
        return wasm

    assert not kit.composer.is_cached("a target", function)
    first = kit.composer.composite("a target", read, function)
    assert kit.composer.is_cached("a target", function)
    assert kit.composer.composite("a target", read, function) == first
    assert made == [1]


def test_nothing_is_read_by_a_component_that_does_nothing() -> None:
    """Its text has one function, and no call in it."""
    text = noop_text(Function("noop", (Param("x", STRING),), STRING))
    assert '(export "noop")' in text
    assert "(call" not in text
