"""`Lab.host` and `%%host`: an import written in Python, checked, called, interrupted, and what it raises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_callbacks import STORE

from labkernel import (
    BudgetExceeded,
    CapabilityDenied,
    CapabilityError,
    CompileError,
    GuestTrap,
    Instance,
    Lab,
    Run,
    UnknownCapability,
    UsageError,
    Variant,
    WitErr,
    err,
    ok,
)
from labkernel._cards import card_of
from labkernel._magics.complete import candidates
from labkernel._sandbox import import_of
from labkernel._sandbox.contract import conforms, slots_of
from labkernel._wit import Function, Param, Primitive

WIT = """package acme:store@1.0.0;
interface kv {
    get: func(key: string) -> result<string, string>;
    add: func(a: u32, b: u32) -> u32;
    log: func(text: string);
}
world shop { import kv; export count: func() -> u32; }
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with the store's world and component."""
    with Lab() as made:
        made.wit(WIT, name="store")
        made.build("wat", STORE, name="shop")
        yield made


def names(**functions: Any) -> dict[str, Any]:
    """Return an implementation with these functions, and ordinary ones for the rest."""
    plain: dict[str, Any] = {"get": lambda key: key, "add": lambda a, b: a + b, "log": lambda text: None}
    return plain | functions


def over(lab: Lab, *, timeout: str = "5s", **functions: Any) -> Instance:
    """Return an instance over an implementation."""
    lab.host("kv", names(**functions))
    return lab.instantiate("shop", name="fn", host=["kv"], timeout=timeout)


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a function of the store that raises."""

    def add(a: int, b: int) -> int:
        raise error

    return add


# --------------------------------------------------------------------------------------------------- calls


def test_values_go_both_ways(lab: Lab) -> None:
    """Arguments and results are the lab's own Python values; a function without a result returns nothing."""
    heard: list[str] = []
    fn = over(lab, log=heard.append, get=lambda key: ok(key.upper()))
    assert fn.add(2, 40) == 42
    assert fn.get("käse") == ok("KÄSE")
    assert fn.log("hello") is None
    assert heard == ["hello"]


def test_it_sees_what_is_there_at_the_call(lab: Lab) -> None:
    """A function sees the variables of its notebook as they are, and may change them."""
    stock = {"tea": "3"}
    fn = over(lab, get=lambda key: stock[key])
    assert fn.get("tea") == ok("3")
    stock["milk"] = "1"
    assert fn.get("milk") == ok("1")


def test_many_events(lab: Lab) -> None:
    """A run of many events calls the functions for each."""
    asked: list[int] = []

    def add(a: int, b: int) -> int:
        asked.append(a)
        return 5

    run = over(lab, add=add).run(lab.instances["fn"].find("add"), n=40)
    assert (len(run), len(asked), set(run.results)) == (40, 40, {5})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("plain", ok("plain")),
        (ok("said"), ok("said")),
        (err("no"), err("no")),
        (Variant("err", "v"), err("v")),
    ],
)
def test_a_plain_value_is_the_ok_side(lab: Lab, answer: Any, expected: Any) -> None:
    """Only `ok(...)` and `err(...)` say the side themselves."""
    assert over(lab, get=lambda key: answer).get("x") == expected


def test_a_function_that_is_defined_anew_answers(lab: Lab) -> None:
    """A new definition is used from the next call on; the guest keeps its state."""
    fn = over(lab)
    assert (fn.count(), fn.add(1, 1)) == (1, 2)
    lab.host("kv", names(add=lambda a, b: 7))
    assert (fn.count(), fn.add(1, 1)) == (2, 7)


def test_a_run_counts_the_calls_that_the_notebook_answered(lab: Lab) -> None:
    """A run of many events says how often which function was called, and so does its card."""
    fn = over(lab)
    fn.add(1, 1)
    run = lab.fire(fn, "add", args=[1, 2], n=20)
    assert isinstance(run, Run)
    ((name, count),) = run.host_calls.items()
    assert (name.rpartition("/")[2], count) == ("kv#add", 20)
    assert "add 20x" in card_of(run).text()


def test_modules_classes_and_objects(lab: Lab) -> None:
    """An implementation is anything that has the functions."""

    class Store:
        """An object with the functions as methods."""

        def get(self, key: str) -> str:
            """Return the key."""
            return key

        def add(self, a: int, b: int) -> int:
            """Subtract, so as to be known."""
            return a - b

        def log(self, text: str) -> None:
            """Hear nothing."""

    made = lab.host("kv", Store())
    assert made.add(5, 3) == 2
    assert lab.instantiate("shop", name="fn", host=made).add(5, 3) == 2


# -------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("no tea"), "no tea"),
        (KeyError("tea"), "tea"),
        (WitErr("sold out"), "sold out"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (ValueError("half \udc80"), "half \\udc80"),
    ],
    ids=lambda value: str(value).encode("ascii", "backslashreplace").decode(),
)
def test_an_exception_is_the_wit_error_where_it_is_text(lab: Lab, raised: Exception, said: str) -> None:
    """Where the error side is a string an exception is its text, and the guest goes on."""

    def get(key: str) -> str:
        raise raised

    fn = over(lab, get=get)
    assert fn.get("tea") == err(said)
    assert fn.add(1, 1) == 2


@pytest.mark.parametrize(
    "raised",
    [ValueError("bad sum"), SystemExit(3), GeneratorExit(), WitErr("none"), MemoryError(), StopIteration()],
    ids=lambda error: type(error).__name__,
)
def test_any_other_exception_is_a_trap_with_its_traceback(lab: Lab, raised: BaseException) -> None:
    """The trap names function and exception and shows the lines of the function; all else lives."""
    other = over(lab)
    broken = over(lab, add=raising(raised))
    broken = lab.instantiate("shop", name="broken", host=["kv"])
    with pytest.raises(GuestTrap) as trapped:
        broken.add(1, 1)
    error = trapped.value
    assert "acme:store/kv@1.0.0#add raised" in str(error)
    assert type(raised).__name__ in str(error)
    assert "raise error" in error.traceback
    assert "labkernel/_" not in error.traceback
    assert error.__cause__ is raised
    assert error.backtrace
    assert any("raise error" in line for line in error._render_traceback_())
    assert other.count() == 1
    assert broken.count() == 1


def test_infinite_recursion_is_a_trap(lab: Lab) -> None:
    """Python's own limit ends it, and the traceback stays short."""

    def add(a: int, b: int) -> int:
        return add(a, b)

    with pytest.raises(GuestTrap, match="RecursionError") as trapped:
        over(lab, add=add).add(1, 1)
    assert len(trapped.value.traceback.splitlines()) < 50


@pytest.mark.parametrize("answer", ["nine", None, -1, 1 << 32, 1.5, [1]], ids=repr)
def test_a_wrong_result_is_a_trap(lab: Lab, answer: Any) -> None:
    """A value of another type says which type was due."""
    fn = over(lab, add=lambda a, b: answer)
    with pytest.raises(GuestTrap, match=r"returned what its result is not.*does not fit u32"):
        fn.add(1, 1)
    assert fn.count() == 1


def test_a_result_where_there_is_none(lab: Lab) -> None:
    """A function without a result must return nothing."""
    with pytest.raises(GuestTrap, match="the function has no result"):
        over(lab, log=lambda text: 5).log("x")


def test_a_result_that_no_frame_carries(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result over the frame's limit is a trap; the process lives on."""
    from labkernel._host import protocol

    fn = over(lab, get=lambda key: "y" * 2000)
    pid = lab.guests.pid
    monkeypatch.setattr(protocol, "MAX_FRAME", 1000)
    with pytest.raises(GuestTrap, match="which no call carries"):
        fn.get("x")
    monkeypatch.undo()
    assert fn.count() == 1
    assert lab.guests.pid == pid


def test_a_keyboard_interrupt_is_raised(lab: Lab) -> None:
    """An interrupt in the function is the cell's, and stops the guest."""
    fn = over(lab, add=raising(KeyboardInterrupt()))
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fn.add(1, 1)
    assert time.monotonic() - begun < 5
    assert fn.count() == 1


@pytest.mark.parametrize("busy", [False, True], ids=["asleep", "busy"])
def test_time_in_the_function_counts(lab: Lab, *, busy: bool) -> None:
    """A function that takes longer than its guest may is ended, and the message says what was waited for."""
    ended: list[str] = []

    def add(a: int, b: int) -> int:
        try:
            while busy:
                pass
            time.sleep(60)
        finally:
            ended.append("ended")
        return 0

    fn = over(lab, add=add, timeout="300ms")
    pid = lab.guests.pid
    begun = time.monotonic()
    with pytest.raises(
        BudgetExceeded, match=r"waiting for the host function acme:store/kv@1\.0\.0#add"
    ) as late:
        fn.add(1, 1)
    assert late.value.budget == "timeout"
    assert time.monotonic() - begun < 10
    assert ended == ["ended"]
    assert fn.count() == 1
    assert lab.guests.pid == pid


def test_a_call_back_into_a_guest_is_refused(lab: Lab) -> None:
    """A function cannot call a guest, its own or another: it is told so at once."""
    other = lab.instantiate("shop", name="other")
    fn = over(lab, add=lambda a, b: other.count())
    with pytest.raises(GuestTrap, match="cannot be called from within it") as trapped:
        fn.add(1, 1)
    assert isinstance(trapped.value.__cause__, UsageError)
    assert other.count() == 1
    assert fn.count() == 1


def test_nor_a_guest_of_another_process(lab: Lab, tmp_path: Path) -> None:
    """Its time would not count for the one that waits."""
    other = lab.instantiate("shop", name="apart", dirs=[f"{tmp_path}::/d"])
    assert other.count() == 1
    fn = over(lab, add=lambda a, b: other.count())
    assert lab.guests.pids[0] != lab.guests.pid
    with pytest.raises(GuestTrap, match="cannot be called from within it"):
        fn.add(1, 1)
    assert other.count() == 2
    assert fn.count() == 1


def test_a_function_may_use_the_rest_of_the_lab(lab: Lab) -> None:
    """What needs no guest works in a function, such as reading WIT."""

    def add(a: int, b: int) -> int:
        return len(lab.wit("package a:w@1.0.0;\nworld one {}\nworld two {}", name="within").worlds)

    fn = over(lab, add=add)
    assert fn.add(1, 1) == 2
    assert fn.count() == 1
    del lab.worlds.packages["within"]


def test_a_refusal_is_no_wit_error(lab: Lab) -> None:
    """An error of the lab itself is never handed to the guest as its error's text."""
    other = lab.instantiate("shop", name="other")
    with pytest.raises(GuestTrap, match="UsageError"):
        over(lab, get=lambda key: str(other.count())).get("x")


def test_without_a_grant(lab: Lab) -> None:
    """Without a grant for it an import is refused, and the error says how to grant it."""
    with pytest.raises(CapabilityDenied, match="--host NAME"):
        lab.instantiate("shop", name="bare").add(1, 1)


# -------------------------------------------------------------------------------------------------- grants


def test_the_card_says_who_stands_behind(lab: Lab) -> None:
    """The instance's card names the implementation; `--strict` takes it as a grant."""
    lab.host("kv", names())
    fn = lab.instantiate("shop", name="fn", host=["kv"], strict=True)
    text = card_of(fn).text()
    assert "granted by the notebook's kv" in text
    assert "wasmtime run has nothing behind the imports of --host kv" in text
    assert fn.grants.options() == "--host kv --strict"
    bare = lab.instantiate("shop", name="bare")
    assert "--host NAME" in card_of(bare).text()


def test_the_implementation_has_a_card(lab: Lab) -> None:
    """It shows what is implemented and how to grant it."""
    text = card_of(lab.host("kv", names())).text()
    assert "acme:store/kv@1.0.0" in text
    assert "get: func(key: string) -> result<string, string>" in text
    assert "%instantiate COMPONENT --host kv" in text


def test_completion(lab: Lab) -> None:
    """Tab knows the implementations and the interfaces that a world imports."""
    lab.host("kv", names())
    assert candidates("%instantiate shop --host k", lab) == ["kv"]
    assert candidates("%%host new --interface k", lab) == ["kv"]
    assert "--interface" in candidates("%%host new --", lab)


def test_unknown_names(lab: Lab) -> None:
    """An implementation, an interface and a name are told with what is known."""
    lab.host("kv", names())
    with pytest.raises(UnknownCapability, match="Did you mean 'kv'"):
        lab.instantiate("shop", name="fn", host=["kvs"])
    with pytest.raises(UsageError, match=r"acme:store/kv@1\.0\.0\.* Did you mean 'kv'"):
        lab.host("x", names(), interface="kvs")


def test_a_component_of_another_wit(lab: Lab) -> None:
    """A component that imports the same interface with other types is refused when it is started."""
    lab.wit(WIT.replace("b: u32) -> u32", "b: u64) -> u32"), name="other")
    lab.host("odd", names(), world="other")
    with pytest.raises(CapabilityError, match="b: u64"):
        lab.instantiate("shop", name="odd_fn", host=["odd"])
    del lab.worlds.packages["other"]


def test_two_for_one_import(lab: Lab) -> None:
    """Two implementations of one import are refused, and one that stands behind nothing is told."""
    lab.host("kv", names())
    lab.host("kv2", names())
    with pytest.raises(CapabilityError, match="grant one"):
        lab.instantiate("shop", name="fn", host=["kv", "kv2"])
    lab.wit("package a:b@1.0.0;\nworld odd { import say: func(t: string); }", name="odd")
    lab.host("odd", {"say": print}, world="odd")
    text = card_of(lab.instantiate("shop", name="fn", host=["kv", "odd"])).text()
    assert "--host odd implements functions of a:b/odd@1.0.0, which is not imported" in text
    del lab.worlds.packages["odd"]


CLOCK = """(component
  (import "wasi:clocks/wall-clock@0.2.3" (instance $clock
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "now" (func (result $datetime)))))
  (core module $memory (memory (export "m") 1))
  (core instance $mem (instantiate $memory))
  (core func $now (canon lower (func $clock "now") (memory (core memory $mem "m"))))
  (core module $m (import "w" "now" (func $now (param i32))) (import "w" "m" (memory 1))
    (func (export "now") (result i64) (call $now (i32.const 8)) (i64.load (i32.const 8))))
  (core instance $i (instantiate $m (with "w" (instance
    (export "now" (func $now)) (export "m" (memory $mem "m"))))))
  (func (export "now") (result u64) (canon lift (core func $i "now"))))"""


def test_an_interface_of_wasi(lab: Lab) -> None:
    """A cell may stand behind an interface of WASI too, in another version of 0.2."""
    lab.wit("package a:c@1.0.0;\nworld watch { import wasi:clocks/wall-clock@0.2.0; }", name="watch")
    lab.host("clock", {"now": lambda: {"seconds": 7, "nanoseconds": 0}, "resolution": lambda: (1, 0)},
             world="watch", interface="wall-clock")  # fmt: skip
    lab.build("wat", CLOCK, name="clocked")
    fixed = lab.instantiate("clocked", name="fixed", host=["clock"])
    assert fixed.now() == 7
    assert lab.instantiate("clocked", name="real").now() > 1_000_000_000
    assert fixed.now() == 7
    del lab.worlds.packages["watch"]


EARLY = """(component
  (import "tell" (func $tell (param "n" u32)))
  (core func $tell (canon lower (func $tell)))
  (core module $m (import "" "tell" (func $tell (param i32)))
    (func $begin (call $tell (i32.const 5))) (start $begin)
    (func (export "f") (call $tell (i32.const 6))))
  (core instance $i (instantiate $m (with "" (instance (export "tell" (func $tell))))))
  (func (export "f") (canon lift (core func $i "f"))))"""


@pytest.fixture
def early(lab: Lab) -> Iterator[str]:
    """A component that calls its host while it starts."""
    lab.wit("package a:d@1.0.0;\nworld early { import tell: func(n: u32); export f: func(); }", name="early")
    lab.build("wat", EARLY, name="early_c")
    yield "early_c"
    del lab.worlds.packages["early"]


def test_a_guest_that_calls_while_it_starts(lab: Lab, early: str) -> None:
    """Host functions answer at the start too; what they raise ends the start, and an interrupt does."""
    told: list[int] = []
    lab.host("teller", {"tell": told.append}, world="early")
    fn = lab.instantiate(early, name="early", host=["teller"])
    assert told == [5]
    fn.f()
    assert told == [5, 6]
    for raised in (ValueError("no"), KeyboardInterrupt()):
        lab.host("teller", {"tell": lambda n, raised=raised: raising(raised)(0, 0)}, world="early")
        with pytest.raises((GuestTrap, KeyboardInterrupt)):
            lab.instantiate(early, name="early", host=["teller"])
    assert lab.instantiate("shop", name="fn").count() == 1


def test_starts_are_measured_with_their_host(lab: Lab, early: str) -> None:
    """Every start of a measurement calls the functions of its grants."""
    told: list[int] = []
    lab.host("teller", {"tell": told.append}, world="early")
    fn = lab.instantiate(early, name="early", host=["teller"])
    told.clear()
    timings = lab.timings([fn], kind="startup", samples=3)
    assert len(timings.startups) == 1
    assert told.count(5) == told.count(6) >= 3


def test_from_a_thread(lab: Lab) -> None:
    """A call from another thread runs its functions there."""
    where: list[str] = []

    def add(a: int, b: int) -> int:
        where.append(threading.current_thread().name)
        return a + b

    fn = over(lab, add=add)
    thread = threading.Thread(target=lambda: where.append(str(fn.add(1, 2))), name="caller")
    thread.start()
    thread.join(20)
    assert where == ["caller", "3"]


# -------------------------------------------------------------------------------------------------- checks

FUNCTIONS = [
    Function("get", (Param("key", Primitive("string")),), interface="a:b/c"),
    Function(
        "put-all", (Param("from", Primitive("u8")), Param("to-end", Primitive("u8"))), interface="a:b/c"
    ),
]


@pytest.mark.parametrize(
    ("source", "messages"),
    [
        ("def get(key): 0\ndef put_all(from_, to_end): 0\n", []),
        ("def get(key, more=1): 0\ndef put_all(*args): 0\ndef _own(): 0\nimport os\nX = len\n", []),
        ("def get(_key): 0\nput_all = lambda from_, to_end: 0\n", []),
        ("def get(key): 0\n", ["put_all is missing"]),
        ("def get(): 0\ndef put_all(from_, to_end): 0\n", ["1: get takes (), expected (key)"]),
        ("\ndef get(name): 0\ndef put_all(a, b): 0\n", ["2: get takes (name)", "3: put_all takes (a, b)"]),
        ("def get(key, *, must): 0\ndef put_all(from_, to_end, more): 0\n", ["1: get takes", "2: put_all takes"]),
        ("def get(key): 0\ndef put_all(from_, to_end): 0\ndef gett(key): 0\n", ["3: gett is not in the interface"]),
        ("async def get(key): 0\ndef put_all(from_, to_end): 0\n", ["1: get is asynchronous"]),
        ("get = 5\ndef put_all(from_, to_end): 0\n", ["get is missing"]),
    ],
)  # fmt: skip
def test_what_does_not_conform(source: str, messages: list[str]) -> None:
    """Missing, superfluous and misfitting functions are told with their lines; the rest is taken."""
    made: dict[str, Any] = {}
    exec(source, made)
    public = [n for n in made if not n.startswith("_") and f"def {n}" in source]
    found = conforms(slots_of(FUNCTIONS), made, public, source=source)
    told = [f"{d.line}: {d.message}" if d.line else d.message for d in found]
    assert len(told) == len(messages), told
    for line, message in zip(told, messages, strict=True):
        assert line.startswith(message)


def test_one_error_shows_the_signatures(lab: Lab) -> None:
    """The error holds every problem, with the signature that is expected."""
    with pytest.raises(CompileError) as error:
        lab.host("kv3", {"get": lambda: 0, "put": print})
    text = str(error.value)
    for part in ("def get(key):", "def add(a, b):", "func(text: string)", "put is not in the interface"):
        assert part in text
    assert "kv3" not in lab.hosts


def test_which_import_is_meant(lab: Lab) -> None:
    """An interface by any of its names; the world's own functions without one; several are told."""
    several = lab.wit(
        "package a:b@1.0.0;\ninterface x { f: func(); }\ninterface y { f: func(); }\n"
        "world two { import x; import y; }\nworld mine { import x; import say: func(t: string); }",
        name="several",
    )
    two = next(w for w in several.worlds if w.name == "two")
    own = next(w for w in several.worlds if w.name == "mine")
    for name in ("x", "a:b/x", "a:b/x@1.0.0"):
        assert import_of(two, name).name == "a:b/x@1.0.0"
    with pytest.raises(UsageError, match="--interface"):
        import_of(two, None)
    assert [f.name for f in import_of(own, None).functions] == ["say"]
    del lab.worlds.packages["several"]
