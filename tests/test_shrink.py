"""Shrinking: the smallest event that still fails, by its types and in fresh instances."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from event_guests import FIFTH, PLAIN, SPINS, TRAPS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_events import DATETIME, EVENT_TYPE, STRING, U8, U64
from wit_strategies import calls, same

from labkernel import GuestTrap, Lab
from labkernel._cache import Cache
from labkernel._fire import Run, Shrunk, shrink
from labkernel._fire.shrink import simplest
from labkernel._values import from_normal, to_normal
from labkernel._wit import (
    Case,
    FlagsType,
    Function,
    ListType,
    OptionType,
    Param,
    Primitive,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

S8, S64, F64, F32, CHAR = map(Primitive, ("s8", "s64", "f64", "f32", "char"))
SHAPE = VariantType((Case("dot"), Case("line", U8), Case("poly", ListType(U8))), name="shape")


def of(*types: Type) -> Function:
    """A function of these types."""
    return Function("f", tuple(Param(f"p{i}", t) for i, t in enumerate(types)))


@pytest.mark.parametrize(
    ("wit_type", "value", "fails", "smallest"),
    [
        (U64, 2**60, lambda v: v >= 1000, 1000),
        (U64, 77, lambda v: v % 7 == 0 and v > 0, 7),
        (S64, -(2**63), lambda v: v < -5, -6),
        (S64, -50, lambda v: abs(v) > 9, 10),
        (S8, -128, lambda v: v == -128, -128),
        (F64, 1e300, lambda v: v > 2.5, math.inf),
        (F64, 1234.5678, lambda v: 2.5 < v < 1e9, 3.0),
        (F64, math.nan, math.isnan, math.nan),
        (F32, 0.10000000149011612, lambda v: 0 < v < 0.4, None),
        (Primitive("bool"), True, lambda v: v, True),
        (CHAR, "\U0001f30a", lambda v: v > "\u00ff", "\u0100"),
        (STRING, "some long text with \u00e9 in it", lambda v: "\u00e9" in v, "\u00e9"),
        (STRING, "x" * 4096, lambda v: len(v) >= 17, "a" * 17),
        (STRING, "a,b;c", lambda v: "," in v and ";" in v, ",;"),
        (STRING, "\U0001f468\u200d\U0001f469", lambda v: any(ord(c) > 0xFFFF for c in v), "\U00010000"),
        (ListType(U8), bytes(range(256)), lambda v: b"\x80" in v, b"\x80"),
        (ListType(U8), b"\xff" * 50, lambda v: len(v) > 9, bytes(10)),
        (ListType(U64), list(range(100)), lambda v: any(x > 41 for x in v), [42]),
        (ListType(U64), [5, 900, 3, 900], lambda v: len(v) != len(set(v)), [0, 0]),
        (ListType(STRING), ["ab", "", "cd"], lambda v: "" in v, [""]),
        (OptionType(U8), [200], lambda v: v is not None, [0]),
        (OptionType(U8), [200], lambda v: v is not None and v[0] > 9, [10]),
        (EVENT_TYPE, "object-restored", lambda v: v != "object-added", "object-removed"),
        (SHAPE, ["poly", b"\1\2\3"], lambda v: v[0] != "dot", ["line", 0]),
        (SHAPE, ["poly", b"\1\2\3"], lambda v: v[0] == "poly" and len(v[1]) > 1, ["poly", b"\0\0"]),
        (ResultType(None, STRING), ["err", "oh no"], lambda v: v[0] == "err", ["err", ""]),
        (FlagsType(("r", "w", "x")), ["r", "w", "x"], lambda v: "w" in v, ["w"]),
        (TupleType((U8, U8)), [200, 100], lambda v: v[0] + v[1] >= 50, None),
        (DATETIME, [2**40, 999], lambda v: v[0] > 2**31, [2**31 + 1, 0]),
    ],
)
def test_every_type_gets_smaller(
    wit_type: Type, value: Any, fails: Callable[[Any], bool], smallest: Any
) -> None:
    """Numbers to their threshold, lists to the elements that matter, cases to the first that fails."""
    found, trials, stopped = shrink(of(wit_type), [value], lambda args: fails(args[0]), limit_s=60)
    assert stopped == ""
    assert fails(found[0])
    assert trials < 500
    assert same(to_normal(from_normal(found[0], wit_type), wit_type), found[0])
    if smallest is not None:
        assert same(found, [smallest])
    if isinstance(wit_type, TupleType):
        assert sum(found[0]) == 50


@given(calls(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_is_found_fits_and_fails(call: Any, random: Any) -> None:
    """Whatever the types and whatever fails, every trial is a value of them and the last found one fails."""
    function, event = call
    tuple_type = TupleType(tuple(p.type for p in function.params))
    verdicts = {repr(event): True}

    def fails(args: list[Any]) -> bool:
        assert same(to_normal(from_normal(args, tuple_type), tuple_type), args) or not args
        return verdicts.setdefault(repr(args), random.random() < 0.3)

    assume(function.params)
    found, trials, _ = shrink(function, event, fails, limit_s=20)
    assert verdicts[repr(found)]
    assert trials <= len(verdicts)
    always, _, _ = shrink(function, event, lambda _: True, limit_s=20)
    assert same(always, simplest(tuple_type))


def test_a_search_finds_nothing_smaller() -> None:
    """Hypothesis, which searches by values of its own, finds no shorter list than shrinking does."""
    from hypothesis import find

    def fails(xs: list[int]) -> bool:
        return sum(xs) >= 300 and any(x % 2 for x in xs)

    searched = find(st.lists(st.integers(0, 255), max_size=40), fails)
    found, _, _ = shrink(of(ListType(Primitive("u16"))), [[255, 255, 7, 255, 3]], lambda args: fails(args[0]))
    assert len(found[0]) == len(searched) == 2


def test_it_ends_in_time_and_when_interrupted() -> None:
    """What was found until then is kept."""

    def slow(args: list[Any]) -> bool:
        time.sleep(0.02)
        return len(args[0]) > 3

    found, trials, stopped = shrink(of(STRING), ["x" * 10_000], slow, limit_s=0.1)
    assert stopped == "time"
    assert 3 < len(found[0]) < 10_000
    assert trials > 1

    def interrupted(args: list[Any]) -> bool:
        if len(args[0]) < 100:
            raise KeyboardInterrupt
        return True

    found, _, stopped = shrink(of(STRING), ["x" * 1000], interrupted)
    assert stopped == "interrupt"
    assert len(found[0]) == 1000
    told: list[int] = []
    shrink(of(U64), [2**60], lambda args: args[0] > 5, on_progress=told.append)
    assert told == list(range(1, len(told) + 1))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with guests that fail."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("lab") / "cache")) as made:
        for name, text in (("plain", PLAIN), ("traps", TRAPS), ("fifth", FIFTH), ("spins", SPINS)):
            made.build("wat", text, name=name)
        yield made


def run_of(fired: Any) -> Run:
    """Return a run, which it is."""
    assert isinstance(fired, Run)
    return fired


def test_a_trap_of_a_generated_event_is_shrunk(lab: Lab) -> None:
    """The smallest event is a call to paste, which traps alone; the instance fired at is as it was."""
    run = run_of(lab.fire("traps", n=200, seed=1))
    assert isinstance(run.error, GuestTrap)
    assert isinstance(run.shrunk, Shrunk)
    assert run.shrunk.is_smallest
    assert run.shrunk.call == (
        'handle({event-type: object-removed, event-timestamp: {seconds: 1000, nanoseconds: 0}, event-version: ""})'
    )
    assert run.shrunk.args == [["object-removed", [1000, 0], ""]]
    assert "tried in fresh instances" in run.shrunk.why
    assert run.to_json()["shrunk"]["call"] == run.shrunk.call
    assert lab.last_run is run
    with pytest.raises(GuestTrap):
        lab.fire("traps", run.shrunk.call)
    assert lab.fire("traps", run.shrunk.call.replace("1000", "999")).value == 1  # type: ignore[union-attr]


def test_when_it_is_done(lab: Lab, tmp_path: Any) -> None:
    """Not where nothing failed, nor when told not to; for events of the user's own when asked."""
    assert run_of(lab.fire("plain", n=20)).shrunk is None
    assert run_of(lab.fire("traps", n=200, seed=1, shrink=False)).shrunk is None
    templated = run_of(lab.fire("traps", n=20, template="s3"))
    assert templated.shrunk is not None
    rows = [{"event-type": "object-removed", "event-timestamp": 5000, "event-version": "x"}]
    assert run_of(lab.fire("traps", events=rows)).shrunk is None
    asked = run_of(lab.fire("traps", events=rows, shrink=True))
    assert asked.shrunk is not None
    assert asked.shrunk.args == [["object-removed", [1000, 0], ""]]


def test_a_failure_by_state_is_told(lab: Lab) -> None:
    """An event that fails only after others is not shrunk to nonsense."""
    run = run_of(lab.fire("fifth", n=20, seed=1))
    assert isinstance(run.error, GuestTrap)
    assert run.shrunk is None
    assert run.notes[-1].startswith("that event alone does not fail in a fresh instance")


def test_a_time_budget_is_shrunk_when_asked(lab: Lab) -> None:
    """Each trial would take the budget's time, so a run says how to ask for it."""
    lab.instantiate("spins", name="slow", timeout="150ms")
    run = run_of(lab.fire("slow", n=20, seed=1))
    assert run.shrunk is None
    assert run.notes[-1] == "a smaller event that does the same: fire again with --shrink"
    asked = run_of(lab.fire("slow", n=20, seed=1, shrink=True, shrink_s=20.0))
    assert asked.shrunk is not None
    assert asked.shrunk.args == [["object-restored", [0, 0], ""]]


def test_an_interrupt_while_a_guest_runs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a trial stops that trial; the run and what was found until then are kept."""
    lab.instantiate("spins", name="slower", timeout="1s")
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    monkeypatch.setattr(lab, "_progress", lambda text: None if timer.ident else timer.start())
    run = run_of(lab.fire("slower", n=20, seed=1, shrink=True, shrink_s=60.0))
    timer.join()
    assert len(run) == 2
    assert run.shrunk is not None
    assert run.shrunk.why.endswith("until it was interrupted")
    assert run.shrunk.args[0][0] == "object-restored"
    assert run_of(lab.fire("plain", n=3)).error is None
