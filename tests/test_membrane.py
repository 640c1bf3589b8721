"""Membranes: guests behind them answer the same, every call is seen, resources keep meaning, guards are obeyed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from membrane_guests import ANSWER, CALL, GUESTS, WORLD
from membrane_kit import ALL, Behind, Echo, everything, passing, policy_for
from membrane_resources import PROVIDE, PROVIDER, SEEN, USE, USER
from wit_strategies import same, types, values

from labkernel import ComponentError, GuestTrap, Lab, ToolchainMissing, UsageError
from labkernel._cache import Cache
from labkernel._capability import make_budgets, make_grants
from labkernel._events.rng import Rng
from labkernel._host import Ledger, Policy, Start, Started
from labkernel._host.membrane_layout import CAPACITY
from labkernel._host.membranes import GUARDS
from labkernel._lab.records import Build
from labkernel._sandbox import start_of
from labkernel._sandbox.ledger import Entry, entries
from labkernel._sandbox.membrane import Wrapped, membrane_for
from labkernel._sandbox.membrane.compose import compose, import_prefix
from labkernel._sandbox.membrane.policy import VirtualClock
from labkernel._toolbox import Toolbox, find_toolbox
from labkernel._values import parse_call, wave
from labkernel._wit import Function, HandleType, ListType, Primitive

Require = Callable[[str, object], None]
POLICIES: dict[str, dict[str, Any]] = {
    "passing": {},
    "recording": {"record": everything},
    "telling": {**ALL, "guard": "record"},
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    """Return a lab for all tests of this module, with the user's cache: Rust is prepared there."""
    with Lab() as made:
        yield made


@pytest.fixture
def lab(shared: Lab, require: Require) -> Lab:
    """Return the lab, once the toolbox is there."""
    require("The toolbox component", find_toolbox(shared.cache))
    return shared


@pytest.fixture
def behind(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """Return a service in this process, with a guard that echoes."""
    monkeypatch.setitem(GUARDS, "echo", Echo)
    made = Behind(lab, tmp_path)
    yield made
    made.process.close()


def build(lab: Lab, language: str, text: str, wit: str, name: str, require: Require) -> Build:
    """Build a snippet, or skip where its language's tools are missing."""
    try:
        lab.wit(wit, name=f"{name}-wit")
        return lab.build(language, text, name=name, world=f"{name}-wit")
    except ToolchainMissing as error:
        require(str(error), False)
        raise


def started(lab: Lab, build: Build, start: Start, policy: Policy) -> tuple[Started, list[tuple[str, str]]]:
    """Start a build behind its membrane; what it prints goes into the list."""
    printed: list[tuple[str, str]] = []
    start = replace(start, membrane=tuple(policy.to_data()))
    return lab.guests.instantiate(lab.code.loaded(build), start, on_output=printed_into(printed)), printed


def owned(found: list[Entry], which: str) -> int:
    """Return how many handles were handed over, by their owners (`given`) or to the guest (`made`)."""
    return sum(handle.kind == "own" for entry in found for handle in getattr(entry, which))


def printed_into(printed: list[tuple[str, str]]) -> Callable[[str, str], None]:
    """Return what keeps a guest's output in a list."""
    return lambda stream, text: printed.append((stream, text))


def seen(ledger: Ledger, wrapped: tuple[Wrapped, ...]) -> list[Entry]:
    """Return the entries of a ledger."""
    return list(entries(ledger, wrapped))


@pytest.mark.parametrize("language", GUESTS)
def test_the_same_answers(language: str, tmp_path: Path, require: Require) -> None:
    """A guest that prints, sleeps, reads a variable and a folder answers behind a membrane as it does without."""
    (tmp_path / "a.txt").write_text("hello")
    with Lab() as lab:
        require("The toolbox component", find_toolbox(lab.cache))
        made = build(lab, language, GUESTS[language], WORLD, "guest", require)
        grants = make_grants({"env": {"MODE": "test"}, "dirs": [f"{tmp_path}::/data"]})
        start = start_of(grants, make_budgets({}), made.supplies)
        function, arguments = parse_call(CALL, made.functions)
        behind = lab.membranes.behind(made)
        assert behind.digest == made.digest
        for name, given in POLICIES.items():
            instance, printed = started(lab, behind, start, policy_for(behind.wrapped, **given))
            for _ in range(2):
                printed.clear()
                called = lab.guests.call(
                    instance, function.full_name, arguments, on_output=printed_into(printed)
                )
                assert (name, wave(called.result, function.result)) == (name, ANSWER)
                assert "".join(text for _, text in printed) == "hi\n"
                ledger = lab.guests.ledger(instance)
                found = seen(ledger, behind.wrapped)
                assert bool(found) == (name != "passing")
                assert all(entry.ending == "passed" and entry.ns > 0 for entry in found)
                assert len(found) == len(ledger.guard or found)
            # What a first call opens for good is open: from now on every handle that comes goes again.
            assert owned(found, "made") == owned(found, "given")
            lab.guests.drop(instance)


def test_resources_in_every_shape(require: Require, tmp_path: Path) -> None:
    """Handles come and go in options, results, variants, lists and records, and none of them is left over."""
    with Lab() as lab:
        require("The toolbox component", find_toolbox(lab.cache))
        provider = build(lab, "rust", PROVIDE, PROVIDER, "provider", require)
        user = build(lab, "rust", USE, USER, "user", require)
        behind = lab.membranes.behind(user)
        whole = tmp_path / "whole.wasm"
        whole.write_bytes(lab.toolbox.plug(behind.read(), [provider.read()]))
        made = lab.load(whole)
        for given in POLICIES.values():
            instance, _ = started(lab, made, Start(), policy_for(behind.wrapped, **given))
            assert [lab.guests.call(instance, "run", []).result for _ in range(3)] == [SEEN] * 3
            ledger = lab.guests.ledger(instance)
            texts = [entry.text.partition("#")[2] for entry in seen(ledger, behind.wrapped)]
            if texts:
                assert "[static]thing.merge(thing#1, thing#2) -> thing#1" in texts
                assert "unwrap({c: thing#1, n: 11}) -> some(thing#1)" in texts
                assert "maybe(some(thing#1)) -> ok(thing#1)" in texts
                assert texts[-2:] == ["[resource-drop]thing(thing#3)", "live() -> 0"]
            if ledger.guard:
                assert [9, [*[0] * 15, 7, 1, [[2], None, [3]]], [3]] in ledger.guard


@settings(max_examples=20)
@given(data=st.data())
def test_every_type(shared: Lab, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A guard gets arguments as they are and answers in the host's place, for every type and any size."""
    if find_toolbox(shared.cache) is None:
        pytest.skip("the toolbox component is missing")
    GUARDS["echo"] = Echo
    wit_type = data.draw(types)
    behind = Behind(shared, tmp_path_factory.mktemp("types"))
    try:
        guest, function = passing(wit_type, shared)
        made = behind.membrane(guest)
        number = behind.start(made.component, policy_for(made.table, **ALL, guard="echo"))
        told = []
        for _ in range(3):
            value = data.draw(values(wit_type))
            assert same(behind.process.call(number, function.full_name, value), value)
            told.append([[value], value])
        ledger = behind.ledger(number)
        assert same(ledger.guard, told)
        assert [entry.ending for entry in seen(ledger, made.table)] == ["answered"] * 3
    finally:
        behind.process.close()
        GUARDS.pop("echo")


def test_a_large_answer_gets_its_room(behind: Behind) -> None:
    """An answer larger than the space offered is asked for again, with room; memory is given back after each call."""
    guest, function = passing(ListType(Primitive("u8")), behind.lab)
    made = behind.membrane(guest)
    number = behind.start(
        made.component, policy_for(made.table, **ALL, guard="echo"), memory_bytes=4 << 20, timeout_s=20.0
    )
    value = bytes(range(256)) * 256
    for _ in range(3):
        assert behind.process.call(number, function.full_name, value[:64000]) == value[:64000]
        assert behind.process.call(number, function.full_name, b"") == b""


def test_memory_is_given_back(behind: Behind) -> None:
    """Thousands of calls with a kilobyte each way fit into a memory that holds a few."""
    guest, function = passing(ListType(Primitive("u8")), behind.lab)
    made = behind.membrane(guest)
    behind.process.service.providers["t:t/echo"] = {"f": lambda _, arguments: arguments[0]}.__getitem__
    passed = behind.start(made.component, policy_for(made.table), memory_bytes=1 << 20, host=("t:t/echo",))
    asked = behind.start(
        made.component, policy_for(made.table, **ALL, guard="echo"), memory_bytes=1 << 20, host=("t:t/echo",)
    )
    for number in (passed, asked):
        for _ in range(2000):
            assert len(behind.process.call(number, function.full_name, b"x" * 1000)) == 1000


def test_a_guard_that_raises_ends_the_call(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a guard raises is the guest's end, and the ledger says of the call that it did not return."""

    class Refusing(Echo):
        def ask(self, number: int, arguments: list[Any]) -> list[Any] | None:
            raise GuestTrap(f"call {number} with {arguments} is refused")

    monkeypatch.setitem(GUARDS, "refusing", Refusing)
    guest, function = passing(Primitive("string"), behind.lab)
    made = behind.membrane(guest)
    number = behind.start(made.component, policy_for(made.table, **ALL, guard="refusing"))
    with pytest.raises(GuestTrap, match=r"call 0 with \['hi'\] is refused"):
        behind.process.call(number, function.full_name, "hi")
    (entry,) = seen(behind.ledger(number), made.table)
    assert (entry.text, entry.ending, entry.ns) == ('t:t/echo#f("hi") did not return', "never", 0)


def test_a_refused_import_is_seen(behind: Behind) -> None:
    """A call that nothing stands behind is refused by name, and is the last in the ledger."""
    guest, function = passing(Primitive("u32"), behind.lab)
    made = behind.membrane(guest)
    number = behind.start(made.component, policy_for(made.table, record=everything))
    with pytest.raises(Exception, match="t:t/echo#f"):
        behind.process.call(number, function.full_name, 7)
    assert [e.text for e in seen(behind.ledger(number), made.table)] == ["t:t/echo#f(7) did not return"]


CLOCKS = """package t:clocks;
world guest {
    import wasi:clocks/wall-clock@0.2.0;
    import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:random/random@0.2.0;
    import wasi:random/insecure@0.2.0;
    import wasi:random/insecure-seed@0.2.0;
    export wall: func() -> tuple<u64, u32, u64>;
    export sleep: func(ns: u64) -> tuple<u64, u64>;
    export until: func(ns: u64) -> u64;
    export resolutions: func() -> tuple<u64, u64, u32>;
    export bytes: func(n: u64) -> list<u8>;
    export numbers: func() -> list<u64>;
    export many: func(n: u32) -> u64;
}
"""
CLOCKS_RUST = """use wasi::{clocks::{monotonic_clock, wall_clock}, random::{insecure, insecure_seed, random}};
fn wall() -> (u64, u32, u64) { let t = wall_clock::now(); (t.seconds, t.nanoseconds, monotonic_clock::now()) }
fn sleep(ns: u64) -> (u64, u64) {
    let before = monotonic_clock::now();
    monotonic_clock::subscribe_duration(ns).block();
    (before, monotonic_clock::now())
}
fn until(ns: u64) -> u64 { monotonic_clock::subscribe_instant(ns).block(); monotonic_clock::now() }
fn resolutions() -> (u64, u64, u32) {
    let wall = wall_clock::resolution();
    (monotonic_clock::resolution(), wall.seconds, wall.nanoseconds)
}
fn bytes(n: u64) -> Vec<u8> { random::get_random_bytes(n) }
fn numbers() -> Vec<u64> {
    let (a, b) = insecure_seed::insecure_seed();
    let mut all = vec![random::get_random_u64(), insecure::get_insecure_random_u64(), a, b];
    all.extend(insecure::get_insecure_random_bytes(3).into_iter().map(u64::from));
    all
}
fn many(n: u32) -> u64 { (0..n).map(|_| monotonic_clock::now() & 1).sum() }
"""


@pytest.fixture(scope="module")
def clocks(shared: Lab) -> Build | None:
    """Return a guest that asks for time and random numbers, behind its membrane; `None` where Rust is missing."""
    if find_toolbox(shared.cache) is None:
        return None
    try:
        shared.wit(CLOCKS, name="clocks")
        return shared.membranes.behind(shared.build("rust", CLOCKS_RUST, name="clocks", world="clocks"))
    except ToolchainMissing:
        return None


@pytest.fixture
def ask(lab: Lab, clocks: Build | None, require: Require) -> Callable[..., Callable[..., Any]]:
    """Return a function that starts the clocks with a policy, and returns one that calls them."""
    require("Rust", clocks)
    assert clocks is not None

    def start(**given: Any) -> Callable[..., Any]:
        instance, _ = started(lab, clocks, Start(), policy_for(clocks.wrapped, **given))
        return lambda name, *args: lab.guests.call(instance, name, list(args)).result

    return start


def test_a_virtual_clock(ask: Callable[..., Callable[..., Any]]) -> None:
    """Wall and monotonic clock show one virtual time, which stands, or steps with each reading; sleep moves it on."""
    fixed = ask(clock=VirtualClock(10**18 + 5))
    assert fixed("wall") == fixed("wall") == [10**9, 5, 10**9]
    assert fixed("sleep", 3 * 10**12) == [10**9, 3001 * 10**9]
    assert fixed("wall") == [10**9 + 3000, 5, 3001 * 10**9]
    assert fixed("until", 4000 * 10**9) == 4000 * 10**9
    assert fixed("until", 5) == 4000 * 10**9
    assert fixed("resolutions") == [1, 0, 1]
    step = ask(clock=VirtualClock(10**18, 1000))
    assert [step("wall"), step("wall")] == [[10**9, 0, 10**9 + 1000], [10**9, 2000, 10**9 + 3000]]
    assert step("sleep", 50) == [10**9 + 4000, 10**9 + 5050]
    real = ask(seed=1)
    assert real("wall")[0] > 1_700_000_000


def test_seeded_random_numbers(ask: Callable[..., Callable[..., Any]]) -> None:
    """Every source of random numbers draws from one stream, that of the lab's own generator with that seed."""
    for seed in (7, -1, 1 << 70):
        guest, rng = ask(seed=seed), Rng(seed)
        drawn = b"".join(rng.next().to_bytes(8, "little") for _ in range(2))
        assert guest("bytes", 13) == drawn[:13]
        a, b = rng.next(), rng.next()
        expected = [rng.next(), rng.next(), a, b, *(rng.next() & 0xFFFFFF).to_bytes(3, "little")]
        assert guest("numbers") == expected
        assert guest("bytes", 0) == b""
        assert len(guest("bytes", 100_000)) == 100_000
    other = ask(clock=VirtualClock(0))
    assert other("bytes", 16) != other("bytes", 16)
    with pytest.raises(GuestTrap, match="unreachable"):
        guest("bytes", 1 << 40)


def test_a_ledger_is_drained(lab: Lab, clocks: Build | None, require: Require) -> None:
    """The ledger of a long run is complete and in order, up to as many entries as are kept; the rest is counted."""
    require("Rust", clocks)
    assert clocks is not None
    calls = 3 * CAPACITY + 7
    for keep in (20_000, 2_500):
        policy = policy_for(clocks.wrapped, record=everything, keep=keep)
        instance, _ = started(lab, clocks, Start(), policy)
        lab.guests.call(instance, "many", [calls])
        ledger = lab.guests.ledger(instance)
        found = seen(ledger, clocks.wrapped)
        assert len(found) == min(calls, keep)
        assert len(found) + ledger.lost == calls
        assert [e.index for e in found] == list(range(len(found)))
        assert all(a.began_ns + a.ns <= b.began_ns for a, b in itertools.pairwise(found))
        again = lab.guests.ledger(instance)
        assert (again.entries, again.lost) == (b"", 0)


EXIT = """fn run(line: String, at: Datetime) -> Result<Seen, String> {
    println!("{line}");
    if line == "exit" { std::process::exit(3) }
    std::thread::sleep(std::time::Duration::from_secs(60));
    Ok(Seen { at, texts: vec![] })
}"""


@pytest.mark.parametrize(("line", "last"), [("exit", "wasi:cli/exit"), ("sleep", "poll")])
def test_the_ledger_outlives_the_guest(line: str, last: str, lab: Lab, require: Require) -> None:
    """After an exit, or a timeout in a host call, the ledger is there, with the call that did not return at its end."""
    made = lab.membranes.behind(build(lab, "rust", EXIT, WORLD, "exiting", require))
    policy = policy_for(made.wrapped, record=everything)
    instance, _ = started(lab, made, Start(timeout_s=0.5), policy)
    with pytest.raises(Exception, match=r"exit|timeout"):
        lab.guests.call(instance, "run", [line, [1, 2]])
    found = seen(lab.guests.ledger(instance), made.wrapped)
    assert last in found[-1].name
    assert found[-1].ending == "never"
    assert any(f'b"{line}\\n"' in entry.arguments for entry in found)


START = """(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $m (import "" "now" (func $now (result i64)))
    (func $start (drop (call $now)) unreachable) (start $start) (func (export "f")))
  (core instance $i (instantiate $m (with "" (instance (export "now" (func $now))))))
  (func (export "f") (canon lift (core func $i "f"))))"""


def test_the_ledger_of_a_failed_start(lab: Lab) -> None:
    """Calls during a start that fails are kept too."""
    made = lab.membranes.behind(lab.build("wat", START, name="start"))
    with pytest.raises(GuestTrap, match="unreachable"):
        started(lab, made, Start(), policy_for(made.wrapped, record=everything))
    (entry,) = seen(lab.guests.ledger(None), made.wrapped)
    assert entry.name == "wasi:clocks/monotonic-clock@0.2.0#now"
    assert int(entry.result) > 0


NOT_FIRST = """(component
  (component $c)
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $m (import "" "now" (func $now (result i64))) (func (export "f") (result i64) (call $now)))
  (core instance $i (instantiate $m (with "" (instance (export "now" (func $now))))))
  (func (export "f") (result u64) (canon lift (core func $i "f"))))"""


def test_a_component_of_another_form(lab: Lab) -> None:
    """A component whose imports don't come first is composed by the toolbox."""
    wasm = lab.tools.assemble(NOT_FIRST)
    assert import_prefix(wasm) is None
    assert compose(wasm, wasm, "c") is None
    made = lab.membranes.behind(lab.build("wat", NOT_FIRST, name="other"))
    instance, _ = started(lab, made, Start(), policy_for(made.wrapped, clock=VirtualClock(0, 5)))
    assert [lab.guests.call(instance, "f", []).result for _ in range(2)] == [10**9, 10**9 + 5]


ROOT = """(component
  (import "log" (func $log (param "text" string)))
  (import "inner" (instance $inner (export "twice" (func (param "n" u32) (result u32)))))
  (core module $memory (memory (export "m") 1) (data (i32.const 8) "hello"))
  (core instance $mem (instantiate $memory))
  (core func $l (canon lower (func $log) (memory (core memory $mem "m"))))
  (core func $t (canon lower (func $inner "twice")))
  (core module $m (import "" "log" (func $log (param i32 i32)))
    (import "" "twice" (func $twice (param i32) (result i32)))
    (func (export "f") (result i32) (call $log (i32.const 8) (i32.const 5)) (call $twice (i32.const 21))))
  (core instance $i (instantiate $m (with "" (instance (export "log" (func $l)) (export "twice" (func $t))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


def test_functions_at_the_root(behind: Behind) -> None:
    """Functions that the world itself imports are wrapped, and those of an interface without a package."""
    made = behind.membrane(behind.lab.tools.assemble(ROOT))
    assert [w.name for w in made.table] == ["log", "inner#twice"]
    heard: list[Any] = []
    behind.process.service.providers |= {
        "log": lambda _: lambda _, arguments: heard.append(arguments),
        "inner": lambda _: lambda _, arguments: arguments[0] * 2,
    }
    number = behind.start(made.component, policy_for(made.table, record=everything), host=("log", "inner"))
    assert behind.process.call(number, "f") == 42
    assert heard == [["hello"]]
    found = [e.text for e in seen(behind.ledger(number), made.table)]
    assert found == ['log("hello")', "inner#twice(21) -> 42"]


ROOT_RESOURCE = """(component
  (import "thing" (type $thing (sub resource)))
  (import "use" (func $use (param "t" (borrow $thing))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"""


def test_what_takes_no_membrane(lab: Lab) -> None:
    """A resource at the root is refused in words; a component that calls nothing comes back as it is."""
    with pytest.raises(ComponentError, match="resource 'thing' at its root, expected plain functions and"):
        lab.membranes.behind(lab.build("wat", ROOT_RESOURCE, name="rooted"))
    alone = lab.build("wat", "(component)", name="alone")
    assert lab.membranes.behind(alone) is alone
    assert membrane_for(alone.read(), toolbox=lab.toolbox, supervisor=lab.tools) is None


def test_the_cache(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A composite is made once, also for another lab; a damaged one is made again."""
    cache = Cache(tmp_path / "cache")
    with Lab(cache=cache) as one:
        made = one.build("wat", START.replace("unreachable)", ")"), name="cached")
        first = one.membranes.behind(made)
        assert one.membranes.behind(first) is first
    with Lab(cache=cache) as other:
        with monkeypatch.context() as patch:
            patch.delattr(Toolbox, "derive")
            found = other.membranes.behind(made)
        assert (found.wasm, found.wasm_digest, found.wrapped) == (
            first.wasm,
            first.wasm_digest,
            first.wrapped,
        )
        first.code.unlink()
        first.wasm.chmod(0o600)
        first.wasm.write_bytes(first.wasm.read_bytes()[:-1] + b"\0")
        again = other.membranes.behind(made)
        assert again.wasm_digest == first.wasm_digest
        instance, _ = started(other, again, Start(), policy_for(again.wrapped, record=everything))
        assert len(seen(other.guests.ledger(instance), again.wrapped)) == 1


def pollable(version: str) -> tuple[str, str]:
    """Imports of a clock that can be waited for, in one version of WASI, and their lowering."""
    v = version[-1]
    return (
        f"""
  (import "wasi:io/poll@{version}" (instance $poll{v} (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll{v} "pollable" (type $pollable{v}))
  (import "wasi:clocks/monotonic-clock@{version}" (instance $clock{v}
    (alias outer 1 $pollable{v} (type $p)) (export "pollable" (type $q (eq $p)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))""",
        f"""
  (core func $now{v} (canon lower (func $clock{v} "now")))
  (core func $sub{v} (canon lower (func $clock{v} "subscribe-duration")))
  (core func $block{v} (canon lower (func $poll{v} "[method]pollable.block")))
  (core func $drop{v} (canon resource.drop $pollable{v}))
  (core instance $w{v} (export "now" (func $now{v})) (export "sub" (func $sub{v}))
    (export "block" (func $block{v})) (export "drop" (func $drop{v})))""",
    )


def two_versions() -> str:
    """A component that waits with the resources of two versions of WASI, and returns how long."""
    (old, lower_old), (new, lower_new) = pollable("0.2.0"), pollable("0.2.6")
    imports = "".join(
        f'(import "{v}" "now" (func $now{v} (result i64))) (import "{v}" "sub" (func $sub{v} (param i64) (result i32)))'
        f'(import "{v}" "block" (func $block{v} (param i32))) (import "{v}" "drop" (func $drop{v} (param i32)))'
        for v in "06"
    )
    waits = "".join(
        f"(local.set $p (call $sub{v} (i64.const 1000000)))"
        f"(call $block{v} (local.get $p)) (call $drop{v} (local.get $p))"
        for v in "06"
    )
    return f"""(component {old} {new} {lower_old} {lower_new}
  (core module $m {imports}
    (func (export "f") (result i64) (local $p i32) (local $t i64)
      (local.set $t (call $now0)) {waits} (i64.sub (call $now6) (local.get $t))))
  (core instance $i (instantiate $m (with "0" (instance $w0)) (with "6" (instance $w6))))
  (func (export "f") (result u64) (canon lift (core func $i "f"))))"""


def test_two_versions_of_one_interface(lab: Lab) -> None:
    """Interfaces of two versions are kept apart, also where both are virtual, under the names that the guest uses."""
    made = lab.membranes.behind(lab.build("wat", two_versions(), name="two"))
    instance, _ = started(lab, made, Start(), policy_for(made.wrapped, record=everything))
    assert lab.guests.call(instance, "f", []).result >= 2_000_000
    names = [entry.name for entry in seen(lab.guests.ledger(instance), made.wrapped)]
    assert names[0] == "wasi:clocks/monotonic-clock@0.2.0#now"
    assert names[-2:] == [
        "wasi:io/poll@0.2.6#[resource-drop]pollable", "wasi:clocks/monotonic-clock@0.2.6#now"
    ]  # fmt: skip
    virtual, _ = started(lab, made, Start(), policy_for(made.wrapped, clock=VirtualClock(0)))
    assert lab.guests.call(virtual, "f", []).result == 2_000_000


@pytest.mark.parametrize("compiler", ["winch", "pulley"])
def test_other_compilers(compiler: str, lab: Lab) -> None:
    """A membrane works under every compiler."""
    made = lab.build("wat", two_versions(), name="two", compiler=compiler)
    behind = lab.membranes.behind(made)
    assert behind.settings.compiler == compiler
    instance, _ = started(
        lab, behind, Start(), policy_for(behind.wrapped, record=everything, clock=VirtualClock(0))
    )
    assert lab.guests.call(instance, "f", []).result == 2_000_000
    assert len(seen(lab.guests.ledger(instance), behind.wrapped)) == 8


def test_a_small_memory_budget(lab: Lab) -> None:
    """A membrane fits into a quarter of a megabyte."""
    made = lab.membranes.behind(lab.build("wat", two_versions(), name="two"))
    start = Start(memory_bytes=256 << 10)
    instance, _ = started(lab, made, start, policy_for(made.wrapped, record=everything))
    assert lab.guests.call(instance, "f", []).result > 0


def test_where_memory_is_not_found(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process's memory map cannot be read, the first call ends in words."""
    monkeypatch.setattr("labkernel._host.membranes.linear_memories", dict)
    guest, function = passing(Primitive("u32"), behind.lab)
    made = behind.membrane(guest)
    number = behind.start(made.component, policy_for(made.table))
    with pytest.raises(ComponentError, match="not found in the process's memory map, which only Linux shows"):
        behind.process.call(number, function.full_name, 1)


def test_policies() -> None:
    """A policy travels as plain data, and one that makes no sense is refused."""
    handle = HandleType("thing", "own", "a:b/c")
    table = (
        Wrapped(0, Function("f", (), Primitive("u32"), "a:b/c")), Wrapped(1, Function("g", (), handle, "a:b/c"))
    )  # fmt: skip
    policy = policy_for(table, **ALL, guard="record", seed=3, clock=VirtualClock(5, 6), keep=9)
    assert Policy.from_data(policy.to_data()) == policy
    assert policy.modes == b"\7\7"
    with pytest.raises(UsageError, match="names no guard"):
        policy_for(table, ask=everything)
    with pytest.raises(UsageError, match="out of range"):
        policy_for(table, clock=VirtualClock(-1))


def test_another_membranes_policy_is_refused(behind: Behind) -> None:
    """A policy for another table ends the first call in words."""
    guest, function = passing(Primitive("u32"), behind.lab)
    made = behind.membrane(guest)
    number = behind.start(made.component, Policy(b"\0\0\0"))
    with pytest.raises(ComponentError, match=re.escape("The policy has 3 bytes, expected 1")):
        behind.process.call(number, function.full_name, 1)
