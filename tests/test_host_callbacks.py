"""Host functions in the host process: values both ways, who asks, and what becomes of what they raise."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from host_callbacks import MEMORY, NAME, STORE, InProcess
from host_guests import PADDING, TypeText
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resource_guests import KEEPER
from test_host_codec import same, types, values

from labkernel._errors import BudgetExceeded, CapabilityDenied, ComponentError, GuestTrap, LabError
from labkernel._host import callbacks
from labkernel._wit import Type


@pytest.fixture
def host(tmp_path: Path) -> Iterator[InProcess]:
    """A service of the test's own."""
    made = InProcess(tmp_path)
    yield made
    made.close()


def provide(host: InProcess, **functions: Any) -> None:
    """Let functions stand behind the store's interface."""
    host.service.providers[NAME] = functions.__getitem__


def add(instance: Any, args: list[Any]) -> Any:
    """Add two numbers."""
    return args[0] + args[1]


def get(instance: Any, args: list[Any]) -> Any:
    """Return the key itself, or an error for the empty one."""
    return ["ok", args[0] * 2] if args[0] else ["err", "empty"]


def log(instance: Any, args: list[Any]) -> Any:
    """Take a text."""
    return None


def serve(host: InProcess, **functions: Any) -> int:
    """Start the store over these functions, and ordinary ones for the rest."""
    provide(host, **{"add": add, "get": get, "log": log, **functions})
    return host.start(host=(NAME,))


def test_values_go_both_ways(host: InProcess) -> None:
    """Numbers, text and results arrive and come back; a function without a result has none."""
    heard: list[Any] = []
    started = serve(host, log=lambda instance, args: heard.append(args))
    assert host.call(started, "add", 2, 40) == 42
    assert host.call(started, "get", "käse") == ["ok", "käsekäse"]
    assert host.call(started, "get", "") == ["err", "empty"]
    assert host.call(started, "log", "hello") is None
    assert heard == [["hello"]]


def test_without_its_name_in_the_start_an_import_is_refused(host: InProcess) -> None:
    """A provider stands behind an import only for instances that were started with it."""
    granted = serve(host)
    plain = host.start()
    with pytest.raises(CapabilityDenied) as refused:
        host.call(plain, "add", 1, 1)
    assert refused.value.import_name == f"{NAME}#add"
    assert host.call(granted, "add", 1, 1) == 2


def test_a_name_that_nobody_implements(host: InProcess) -> None:
    """A start that names an import without a provider is refused before anything runs."""
    with pytest.raises(ComponentError, match="has no implementation"):
        host.start(host=(NAME,))


def test_the_function_knows_who_asks(host: InProcess) -> None:
    """Instances of one component share a linker; each call comes from its own, with its own grants."""
    asked: list[Any] = []

    def tell(instance: Any, args: list[Any]) -> int:
        asked.append((instance.start.env, instance.job.id))
        return 0

    provide(host, add=tell, get=get, log=log)
    one = host.start(host=(NAME,), env=(("WHO", "one"),))
    two = host.start(host=(NAME,), env=(("WHO", "two"),))
    for started in (one, two, one):
        host.call(started, "add", 1, 1)
    assert [env[0][1] for env, _ in asked] == ["one", "two", "one"]
    assert len({job for _, job in asked}) == 3


@pytest.mark.parametrize(
    "raised",
    [ValueError("no such key"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RecursionError("deep")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_ends_the_call(host: InProcess, raised: BaseException) -> None:
    """Any exception becomes a trap that names function and exception; the others go on."""

    def fail(instance: Any, args: list[Any]) -> Any:
        if instance.start.args:
            raise raised
        return add(instance, args)

    other = serve(host, add=fail)
    broken = host.start(host=(NAME,), args=("fail",))
    with pytest.raises(GuestTrap) as trapped:
        host.call(broken, "add", 1, 1)
    assert f"{NAME}#add" in str(trapped.value)
    assert type(raised).__name__ in str(trapped.value)
    assert "wasm function" in trapped.value.backtrace or "!" in trapped.value.backtrace
    with pytest.raises(GuestTrap, match="finished"):
        host.call(broken, "count")
    assert host.call(other, "add", 2, 2) == 4
    assert host.call(other, "count") == 1


def test_an_error_of_the_lab_is_raised_as_it_is(host: InProcess) -> None:
    """A refusal or a budget of the host function's own reaches the caller."""

    def refuse(instance: Any, args: list[Any]) -> Any:
        raise CapabilityDenied("Not this one.", import_name="acme", how_to_grant="--net")

    started = serve(host, add=refuse)
    with pytest.raises(CapabilityDenied, match="Not this one") as refused:
        host.call(started, "add", 1, 1)
    assert refused.value.how_to_grant == "--net"


@pytest.mark.parametrize("answer", ["text", None, -1, 1 << 32, [1], 1.5], ids=repr)
def test_a_result_of_another_type_ends_the_call(host: InProcess, answer: Any) -> None:
    """A value that does not fit the function's result is an error, and nothing of it reaches the guest."""
    started = serve(host, add=lambda instance, args: answer)
    with pytest.raises(LabError, match="does not fit u32"):
        host.call(started, "add", 1, 1)
    assert host.call(host.start(host=(NAME,)), "count") == 1


def test_time_in_a_host_function_counts(host: InProcess) -> None:
    """A guest whose host function takes too long is over its budget once it is back."""

    def slow(instance: Any, args: list[Any]) -> Any:
        time.sleep(0.2)
        return 0

    provide(host, add=slow, get=get, log=log)
    started = host.start(host=(NAME,), timeout_s=0.05)
    with pytest.raises(BudgetExceeded, match="timeout"):
        host.call(started, "many", 100)


def test_functions_go_with_their_component(host: InProcess) -> None:
    """The callables are let go once no linker and no instance needs them."""
    before = len(callbacks._callbacks)
    started = serve(host)
    assert len(callbacks._callbacks) == before + 3
    assert host.call(started, "add", 1, 1) == 2
    host.do("unload", host.load(STORE))
    assert host.call(started, "add", 1, 1) == 2
    host.do("drop", started)
    assert len(callbacks._callbacks) == before


def test_a_provider_makes_resources(host: InProcess) -> None:
    """A provider numbers its resources itself, and is told once of each that the guest drops or gives away."""
    values: dict[int, int] = {}
    gone: list[int] = []

    def new(instance: Any, args: list[Any]) -> int:
        values[len(values) + 10] = args[0]
        return len(values) + 9

    def grow(instance: Any, args: list[Any]) -> int:
        values[args[0]] += args[1]
        return values[args[0]]

    functions = {
        "[constructor]counter": new,
        "[method]counter.add": grow,
        "[static]counter.zero": lambda instance, args: new(instance, [0]),
        "give": lambda instance, args: args[0],
        "peek": lambda instance, args: values[args[0]],
        "[resource-drop]counter": lambda instance, args: gone.append(args[0]),
    }
    host.service.providers["acme:count/tally@0.1.0"] = functions.__getitem__
    started = host.start(KEEPER, host=("acme:count/tally@0.1.0",))
    assert host.call(started, "once", 5, 6) == 11
    assert gone == [10]
    host.call(started, "keep", 3)
    assert [host.call(started, "again", 4), host.call(started, "lend")] == [7, 7]
    assert host.call(started, "give-away") == 11
    assert gone == [10]
    assert host.call(started, "hand-out", 9) == 12
    assert host.call(started, "look", 12) == 9
    assert host.call(started, "swallow", 12) == 9
    assert gone == [10, 12]


def asks_echo(wit_type: Type) -> str:
    """A component whose `echo` hands its arguments to the host's `echo`, both through memory."""
    text = TypeText()
    name = text.of(wit_type)
    lines = [
        re.sub(r'\(export (\S+) ("\S+") \(type (\S+)\)\)', r"(import \2 (type \1 (eq \3)))", t)
        for t in text.lines
    ]
    padding = " ".join(f'(param "p{i}" u32)' for i in range(PADDING))
    typed = f'(param "x" {name}) {padding} (result (tuple {name} u32))'
    options = '(memory (core memory $mem "m")) (realloc (core func $mem "realloc"))'
    return f"""(component
  {" ".join(lines)}
  (import "echo" (func $echo {typed}))
  {MEMORY}
  (core func $echo (canon lower (func $echo) {options}))
  (core module $m (import "" "echo" (func $echo (param i32 i32)))
    (func (export "f") (param i32) (result i32) (call $echo (local.get 0) (i32.const 1024)) (i32.const 1024)))
  (core instance $i (instantiate $m (with "" (instance (export "echo" (func $echo))))))
  (func (export "ask") {typed} (canon lift (core func $i "f") {options})))"""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_value_of_every_type_comes_back(host: InProcess, data: st.DataObject) -> None:
    """What a guest hands to its host arrives as it is, and what the host returns arrives in the guest."""
    wit_type = data.draw(types())
    value = data.draw(values(wit_type))
    seen: list[Any] = []

    def echo(instance: Any, args: list[Any]) -> Any:
        seen.append(args[0])
        return [args[0], args[3]]

    host.service.providers["echo"] = lambda name: echo
    started = host.start(asks_echo(wit_type), host=("echo",))
    assert same(host.call(started, "ask", value, *range(PADDING))[0], value)
    assert same(seen[0], value)
    host.do("drop", started)
    host.do("unload", host._loaded.popitem()[1])
