"""Differential firing: who agrees with whom, about what they do not, and what the smallest such event is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from event_guests import FIFTH, LENGTH, OTHERWISE, PLAIN, SPINS, TRAPS, handler
from hypothesis import given, settings
from test_events import EVENT_TYPE, STRING, U8, U64
from test_nine import HANDLERS
from wit_strategies import typed_values
from worlds import FAAS

from labkernel import Lab, ToolchainMissing, UsageError, Variant, err, ok
from labkernel._cache import Cache
from labkernel._cards import card_of
from labkernel._fire import Agreement, Outcome, Run, agrees, refuse_difference
from labkernel._fire.differential import same_value
from labkernel._wit import (
    EnumType,
    Field,
    Function,
    HandleType,
    ListType,
    OptionType,
    Param,
    Primitive,
    RecordType,
    ResultType,
    Type,
)

KINDS = EVENT_TYPE.cases
F64 = Primitive("f64")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with handlers that agree more or less."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("lab") / "cache")) as made:
        guests = {"plain": PLAIN, "traps": TRAPS, "otherwise": OTHERWISE, "fifth": FIFTH, "length": LENGTH}
        guests["same"] = handler("(i32.add (local.get $kind) (i32.const 0))")
        for name, text in guests.items():
            made.build("wat", text, name=name)
        yield made


def oracle(event: Any) -> int:
    """The number of the event's type, in Python."""
    return KINDS.index(event.event_type)


def test_those_that_agree(lab: Lab) -> None:
    """Every event is one all agree about; nothing is shrunk; the instances of the lab are left alone."""
    before = dict(lab.instances)
    found = lab.differential(["plain", "same"], n=150, seed=3, oracle=oracle)
    assert isinstance(found, Agreement)
    assert found.is_unanimous
    assert (found.fired, found.asked, found.seed) == (150, 150, 3)
    assert found.names == ("plain", "same", "oracle")
    assert found.matrix == ((150,) * 3,) * 3
    assert found.shrunk is None
    assert set(lab.instances) - set(before) <= {"plain", "same"}
    assert "all agree" in card_of(found).text()


def test_a_disagreement_is_shrunk(lab: Lab) -> None:
    """The smallest event about which two disagree, with what each made of it, in both forms and as data."""
    found = lab.differential(["plain", "otherwise", "same"], n=120, seed=3)
    assert not found.is_unanimous
    assert found.matrix[0][2] == 120
    assert found.matrix[0][1] == found.matrix[1][2] == found.unanimous < 120
    assert found.shrunk is not None
    assert found.shrunk.args == [["object-added", [0, 0], "aaa"]]
    assert [o.text for o in found.shrunk_outcomes] == ["0", "1", "0"]
    data = json.loads(json.dumps(found.to_json()))
    assert data["format"] == "labkernel-agreement-1"
    assert data["shrunk"]["call"] == found.shrunk.call
    assert len(data["disagreements"]) == 5
    card = card_of(found)
    for shown in (card.text(), card.html()):
        for fact in ("plain, otherwise and same", "100.0%", "The smallest event they disagree about", "aaa"):
            assert fact in shown
    assert card.next_line == f"%fire plain {found.shrunk.call}"


def test_a_trap_is_an_outcome(lab: Lab) -> None:
    """The one that traps is started anew and goes on; two that trap at the same events agree."""
    found = lab.differential(["plain", "traps"], n=200, seed=1)
    assert found.fired == 200
    assert set(found.kinds[1]) == {"answer", "trap"}
    traps = found.kinds[1]["trap"]
    assert found.unanimous == 200 - traps > 0
    assert f"traps was started anew {traps} times" in found.notes[0]
    assert found.shrunk is not None
    assert found.shrunk.args == [["object-removed", [1000, 0], ""]]
    assert [o.kind for o in found.shrunk_outcomes] == ["answer", "trap"]
    lab.build("wat", TRAPS, name="traps_too")
    assert lab.differential(["traps", "traps_too"], n=200, seed=1).is_unanimous


def test_a_time_budget_is_shrunk_only_when_asked(lab: Lab) -> None:
    """Every trial would take its time; another disagreement is shrunk instead where there is one."""
    lab.build("wat", SPINS, name="spins")
    lab.instantiate("spins", timeout="150ms")
    rows = [{"event-type": k, "event-timestamp": 9, "event-version": "x"} for k in KINDS]
    found = lab.differential(["plain", "spins"], events=rows)
    assert found.kinds[1] == {"answer": 2, "budget": 1}
    assert found.shrunk is None
    assert found.notes[-1].startswith("not shrunk, since every trial would take the time budget")
    asked = lab.differential(["plain", "spins"], events=rows, shrink=True, shrink_s=20.0)
    assert asked.shrunk is not None
    assert asked.shrunk.args == [["object-restored", [0, 0], ""]]
    assert lab.differential(["plain", "otherwise"], n=30, shrink=False).shrunk is None


def test_state_is_told(lab: Lab) -> None:
    """A disagreement that comes from events before it is not shrunk, and the notes say so."""
    found = lab.differential(["plain", "fifth"], n=20, seed=1)
    assert found.kinds[1] == {"answer": 16, "trap": 4}
    assert found.shrunk is None
    assert any("does not come in fresh instances" in note for note in found.notes)


def test_an_oracle_that_fails(lab: Lab) -> None:
    """What it raises is its outcome; a value that the function cannot return is an error of its own."""

    def picky(event: Any) -> int:
        if event.event_type == "object-restored":
            raise ValueError("not this one")
        return oracle(event)

    found = lab.differential(["plain"], n=60, seed=2, oracle=picky)
    assert set(found.kinds[1]) == {"answer", "raised"}
    assert found.shrunk is not None
    assert found.shrunk.args == [["object-restored", [0, 0], ""]]
    assert found.shrunk_outcomes[1] == Outcome("raised", "ValueError: not this one")
    with pytest.raises(
        UsageError, match=r"oracle returned what handle cannot return: \$: 'x' does not fit u32"
    ):
        lab.differential(["plain"], n=5, oracle=lambda event: "x")
    with pytest.raises(UsageError, match="cannot be called"):
        lab.differential(["plain"], n=5, oracle=5)


def test_tolerance(lab: Lab) -> None:
    """Floats are compared exactly unless told otherwise; several parameters reach the oracle by position."""

    def nearly(count: int, weight: float) -> float:
        return (count + weight) * (1 + 1e-12)

    fixed = {"count": 3, "weight": lambda k: k / 7}
    exact = lab.differential(["length"], "sum", n=20, oracle=nearly, set=fixed)
    assert exact.unanimous < 20
    assert exact.shrunk is not None
    assert lab.differential(["length"], "sum", n=20, oracle=nearly, tolerance=1e-9, set=fixed).is_unanimous
    with pytest.raises(UsageError, match=r"tolerance of -1 is out of range"):
        lab.differential(["length"], "sum", oracle=nearly, tolerance=-1)


def test_sources_and_calls(lab: Lab) -> None:
    """Events come from wherever `fire` takes them; a written call is one event; no parameters are fine."""
    templated = lab.differential(["plain", "otherwise"], n=30, template="s3")
    assert templated.notes[0] == "events: template s3"
    rows = [{"event-type": "object-added", "event-timestamp": 1, "event-version": v} for v in ("ab", "abc")]
    assert lab.differential(["plain", "otherwise"], events=rows).unanimous == 1
    call = 'handle({event-type: object-added, event-timestamp: {seconds: 1, nanoseconds: 0}, event-version: "abc"})'
    one = lab.differential(["plain", "otherwise"], call=call)
    assert (one.fired, one.unanimous) == (1, 0)
    assert lab.differential(["length"], "none", oracle=lambda: 7, n=3).is_unanimous


def test_what_cannot_be_compared(lab: Lab) -> None:
    """One alone, one twice, and functions of other types, each with the next step."""
    with pytest.raises(UsageError, match="plain alone has nothing to be compared with"):
        lab.differential(["plain"])
    with pytest.raises(UsageError, match="plain is named twice"):
        lab.differential(["plain", "plain"])
    lab.build("wat", PLAIN.replace("object-restored", "object-renamed"), name="renamed")
    with pytest.raises(
        UsageError, match=r"at \$event.event-type plain has .*object-restored, renamed has .*object-renamed"
    ):
        lab.differential(["plain", "renamed"])
    with pytest.raises(UsageError, match="length exports 3 functions"):
        lab.differential(["plain", "length"])


def one(*types: Type, result: Type | None = None) -> Function:
    """A function of these types."""
    return Function("f", tuple(Param(f"p{i}", t) for i, t in enumerate(types)), result)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (one(U8), one(), "takes 1 arguments, f: func() takes 0"),
        (one(U8), one(U64), "at $p0 a has u8, b has u64"),
        (one(result=U8), one(), "at the result a has u8, b has _"),
        (one(ListType(OptionType(U8))), one(ListType(OptionType(STRING))), "at $p0 a has u8, b has string"),
        (one(RecordType((Field("x", U8),))), one(RecordType((Field("y", U8),))), "of x, b has record { y: u8 } of y"),
        (one(EnumType(("a", "b"))), one(EnumType(("a",))), "at $p0 a has enum { a, b } of a, b, b has enum { a } of a"),
        (one(result=ResultType(None, U8)), one(result=ResultType(None, U64)), "at the result.err a has u8, b has u64"),
        (one(result=HandleType("file")), one(result=HandleType("file")), "Results of file hold handles"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(first: Function, second: Function, message: str) -> None:
    """With its path, and what stands there on both sides."""
    with pytest.raises(UsageError) as caught:
        refuse_difference([("a", first), ("b", second)])
    assert message in str(caught.value)


def test_names_make_no_difference() -> None:
    """Of parameters and of types; two functions of equal structure are comparable."""
    renamed = Function("g", (Param("other", EnumType(KINDS, name="kind")),), U8)
    refuse_difference([("a", Function("f", (Param("it", EVENT_TYPE),), U8)), ("b", renamed)])


@given(typed_values)
@settings(max_examples=100)
def test_a_value_is_the_same_as_itself(typed: Any) -> None:
    """NaN and signed zeros too, at any depth."""
    _, value = typed
    assert same_value(value, json_like(value))


def json_like(value: Any) -> Any:
    """Return a copy that shares no list with the value."""
    return [json_like(v) for v in value] if isinstance(value, list) else value


def test_when_outcomes_agree() -> None:
    """Equal answers; failures of one kind whatever their words; never an answer and a failure."""
    answer, other = Outcome("answer", "1", [1.0]), Outcome("answer", "1", [1.0 + 1e-9])
    assert not agrees(answer, other)
    assert agrees(answer, other, 1e-6)
    assert agrees(Outcome("trap", "one"), Outcome("trap", "other"))
    assert not agrees(Outcome("trap", "one"), Outcome("exit", "one"))
    assert not agrees(answer, Outcome("trap", "1"))
    assert not same_value(0.0, -0.0)
    assert same_value(0.0, -0.0, 1e-9)
    assert same_value([["err", math.nan]], [["err", math.nan]])
    assert not same_value(True, 1)
    assert not same_value([1], [1, 2])


def test_an_interrupt_keeps_what_was_compared(lab: Lab) -> None:
    """The record says how far it got."""

    def stop(done: int, _: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    found = lab.differential(["plain", "same"], n=500, on_progress=stop)
    assert 7 <= found.fired < 500
    assert found.asked == 500
    assert found.notes[0] == f"interrupted: {found.fired} of 500 events were compared"


def test_languages_agree(require: Callable[[str, object], None]) -> None:
    """One handler in two languages, and one that answers otherwise about restored objects."""
    with Lab() as lab:
        try:
            lab.wit(FAAS, name="faas")
            lab.build("c", HANDLERS["c"], name="in_c")
            lab.build("rust", HANDLERS["rust"], name="in_rust")
            lab.build("rust", HANDLERS["rust"].replace("ObjectAdded", "ObjectRestored"), name="other")
        except ToolchainMissing as error:
            require(str(error), False)
            return
        assert lab.differential(["in_c", "in_rust"], n=200, seed=5).is_unanimous
        found = lab.differential(["in_c", "in_rust", "other"], n=200, seed=5)
        assert found.matrix[0][1] == 200
        assert found.shrunk is not None
        assert found.shrunk.args == [["object-added", [0, 0], ""]]
        assert [o.text for o in found.shrunk_outcomes] == ["ok", "ok", "err(unsupported(object-added))"]
        agreed = lab.differential(["in_c"], n=100, oracle=handle)
        assert agreed.is_unanimous


def test_grants_go_along(require: Callable[[str, object], None]) -> None:
    """Every trial has the grants of the instance that was fired at, a made-up clock among them."""
    old = "if std::time::SystemTime::now() < std::time::UNIX_EPOCH + std::time::Duration::from_secs(2000) { panic!() } "
    with Lab() as lab:
        try:
            lab.wit(FAAS, name="faas")
            lab.build("rust", HANDLERS["rust"].replace("match event", f"{old} match event"), name="clocked")
        except ToolchainMissing as error:
            require(str(error), False)
            return
        lab.instantiate("clocked", name="fixed", clock="fixed:1970-01-01T00:10:00Z")
        lab.instantiate("clocked", name="real")
        run = lab.fire("fixed", n=5)
        assert isinstance(run, Run)
        assert run.shrunk is not None
        found = lab.differential(["fixed", "real"], n=5)
        assert found.kinds == ({"trap": 5}, {"answer": 5})
        assert [o.kind for o in found.shrunk_outcomes] == ["trap", "answer"]


def handle(event: Any) -> Any:
    """The handler in Python."""
    return ok() if event.event_type == "object-added" else err(Variant("unsupported", event.event_type))
