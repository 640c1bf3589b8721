"""Load at real instances: loops, policies, budgets, errors that are counted, ends that are not planned."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from host_callbacks import STORE
from host_guests import WASI
from worlds import BASICS

from labkernel import GuestTrap, Lab, UsageError
from labkernel._cache import Cache
from labkernel._events import parse_arrivals
from labkernel._fire import Facts, Live, Plan, Run, choose_path, make_plan
from labkernel._fire.load import orders
from labkernel._host import Chunk
from labkernel._timing import this_machine

MS = 10**6
SHOP = """package acme:store@1.0.0;
interface kv {
    get: func(key: string) -> result<string, string>;
    add: func(a: u32, b: u32) -> u32;
    log: func(text: string);
}
world shop { import kv; export count: func() -> u32; }
"""
#: A component that traps while it starts.
BAD_START = """(component
  (core module $m (func $s unreachable) (start $s) (func (export "f") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


#: A component that always answers the same.
CONSTANT = """(component
  (core module $m (func (export "count") (result i32) (i32.const ANSWER)))
  (core instance $i (instantiate $m))
  (func (export "count") (result u32) (canon lift (core func $i "count"))))"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab with a component that needs nothing and one that uses WASI."""
    with Lab(cache=Cache(tmp_path_factory.mktemp("load"))) as made:
        made.build("wat", BASICS, name="basics")
        made.build("wat", WASI, name="wasi")
        yield made


def fire(lab: Lab, call: str, *, target: str = "basics", n: int | None = None, **load: Any) -> Run:
    """Fire by options of load at an instance of its own."""
    instance = lab.instantiate(target, name="one")
    run = lab.fire(instance, call, n=n, load=load)
    assert isinstance(run, Run)
    return run


@pytest.mark.parametrize("spoil", ["columns", "results", "shape"])
def test_a_chunk_that_does_not_fit_is_no_chunk(spoil: str) -> None:
    """What a host process says is checked: columns of one length, a result for each answer."""
    chunk = Chunk.empty()
    for column in chunk.columns.values():
        column.append(0)
    chunk.results = [7]
    data = chunk.to_data()
    assert Chunk.from_data(data) == chunk
    broken = {"columns": [[*data[0][:-1], b""], *data[1:]], "results": [data[0], [], *data[2:]], "shape": [1]}
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it is, the process is not to be trusted
        Chunk.from_data(broken[spoil])


# ------------------------------------------------------------------------------------------------ policies


def test_state_leaks_in_a_warm_instance_and_not_in_a_cold_one(lab: Lab) -> None:
    """A counter in a global counts on from event to event; in a fresh instance it starts anew."""
    assert fire(lab, "count()", n=5, policy="warm").results == [1, 2, 3, 4, 5]
    assert fire(lab, "count()", n=5, policy="cold").results == [1, 1, 1, 1, 1]
    pool = fire(lab, "count()", n=6, policy="pool:3", in_flight=1)
    assert pool.results == [1, 1, 1, 2, 2, 2]
    assert pool.timeline.instance.tolist() == [1, 2, 3, 1, 2, 3]


def test_warm_is_the_target_itself(lab: Lab) -> None:
    """The target's own state goes on, before and after a run; a cold run leaves it alone."""
    fn = lab.instantiate("basics", name="fn")
    assert fn.count() == 1
    run = lab.fire(fn, "count()", n=3, load={"policy": "warm"})
    assert isinstance(run, Run)
    assert run.results == [2, 3, 4]
    assert run.facts.started == 0
    lab.fire(fn, "count()", n=3, load={"policy": "cold"})
    assert fn.count() == 5


def test_cold_starts_are_counted_and_timed(lab: Lab) -> None:
    """Under `cold` every event waits for its instance; the time is told apart from the call's."""
    run = fire(lab, "count()", n=120, policy="cold")
    assert run.facts.colds == run.facts.started == 120
    assert all(cold > 0 for cold in run.timeline.cold_ns)
    assert run.timeline.latency_ns[0] == run.timeline.cold_ns[0] + run.timeline.call_ns[0]
    assert run.quantile(50, "cold") is not None
    assert run.samples.warmup == 0


def test_keep_alive_evicts_and_scales_to_zero(lab: Lab) -> None:
    """An instance lives on within a burst and is gone before the next: one cold start per burst."""
    run = fire(lab, "count()", policy="keep-alive:40ms", arrival="burst:3/200ms", n=9)
    assert run.results == [1, 2, 3] * 3
    assert [cold > 0 for cold in run.timeline.cold_ns] == [True, False, False] * 3
    assert run.facts.started == 3
    assert run.facts.evicted == 2  # the last one ends with the run
    kept = fire(lab, "count()", policy="keep-alive:10s", arrival="burst:3/50ms", n=9)
    assert kept.results == list(range(1, 10))
    assert kept.facts.evicted == 0


# --------------------------------------------------------------------------------------------------- loops


def test_a_duration_ends_a_closed_loop(lab: Lab) -> None:
    """Without a count it fires as much as fits; events go through their pool again and again."""
    run = fire(lab, "double(4)", duration="300ms")
    assert len(run) > 100
    assert run.asked is None
    assert run.wall_ns >= 300 * MS
    assert set(run.results) == {8}
    assert run.call(len(run) - 1) == "double(4)"


def test_count_and_duration_together(lab: Lab) -> None:
    """Whichever ends first."""
    assert len(fire(lab, "double(4)", n=20, duration="30s")) == 20
    assert len(fire(lab, "nap(50000000)", target="wasi", n=1000, duration="200ms")) < 10


def test_events_in_flight_wait_for_each_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three in flight in one process: each waits for the two before it, and its latency says so."""
    plan = make_plan(n=9, in_flight=3)
    fn = lab.instantiate("wasi", name="one")
    function, normal = fn.parsed("nap(10000000)")
    monkeypatch.setattr(
        lab.firing, "_crew", lambda count, start: [lab.guests]
    )  # as on a machine with one core
    run = fn.run(function, plan=plan, events=[normal])
    assert len(run) == 9
    assert min(run.timeline.latency_ns[3:]) >= 28 * MS


def test_the_open_loop_counts_from_the_intended_time(lab: Lab) -> None:
    """A guest that takes 20 ms and gets an event every 5 ms: each waits longer than the one before it."""
    run = fire(lab, "nap(20000000)", target="wasi", n=8, rate="200/s")
    assert run.timeline.intended_ns.tolist() == [k * 5 * MS for k in range(8)]
    waits = run.timeline.queued_ns.tolist()
    assert waits == sorted(waits)
    assert waits[7] >= 7 * 15 * MS
    assert run.latencies.ns[7] >= waits[7] + 20 * MS
    assert max(run.ns) < waits[7] + 20 * MS


def test_a_full_queue_drops_and_counts(lab: Lab) -> None:
    """With `queue=1` an event that finds one waiting is dropped; every event is accounted for."""
    run = fire(lab, "nap(20000000)", target="wasi", n=20, rate="500/s", queue=1)
    assert run.facts.dropped > 10
    assert len(run) + run.facts.dropped == 20
    assert any("dropped" in warning for warning in run.warnings)
    none_waits = fire(lab, "nap(20000000)", target="wasi", n=20, rate="500/s", queue=0)
    assert max(none_waits.timeline.queued_ns) < 20 * MS


def test_what_waits_at_the_end_is_counted(lab: Lab) -> None:
    """An open loop ends a second after its duration, and says how many still waited."""
    began = time.monotonic()
    run = fire(lab, "nap(100000000)", target="wasi", duration="200ms", rate="500/s")
    assert time.monotonic() - began < 3
    assert run.facts.left > 50
    assert len(run) + run.facts.left == 100
    assert any("still waited" in warning for warning in run.warnings)


def test_a_trace_is_replayed(lab: Lab, tmp_path: Path) -> None:
    """Events come at the times of a file, and as many as it holds."""
    (tmp_path / "t.txt").write_text("5.0\n5.1\n5.1\n5.3\n", encoding="utf-8")
    run = fire(lab, "double(1)", arrival=f"trace:{tmp_path / 't.txt'}@2x")
    assert run.timeline.intended_ns.tolist() == [0, 50 * MS, 50 * MS, 150 * MS]
    assert run.asked == 4
    began = run.timeline.began_ns
    assert all(b >= i for b, i in zip(began, run.timeline.intended_ns, strict=True))


def test_shares_of_a_plan_make_the_whole() -> None:
    """Two processes have all events between them, and all of what may wait, be in flight and live."""
    plan = make_plan(n=7, rate="10/s", policy="pool:5", queue=3)
    parts = orders(plan, 2)
    indices = sorted(k for part in parts for k in range(part.first, part.n or 0, part.step))
    assert indices == list(range(7))
    assert [sum(getattr(p, name) for p in parts) for name in ("instances", "queue", "in_flight")] == [5, 3, 5]
    arrivals = parse_arrivals("poisson", 10.0)
    assert arrivals is not None


@pytest.mark.parametrize(
    ("options", "cores", "processes"),
    [
        ({"n": 100}, 8, 1),
        ({"n": 100, "in_flight": 4}, 8, 4),
        ({"n": 100, "in_flight": 40}, 2, 2),
        ({"n": 100, "policy": "pool:4"}, 2, 2),
        ({"n": 100, "policy": "pool:4", "in_flight": 1}, 8, 1),
        ({"n": 100, "policy": "pool:1", "in_flight": 9}, 8, 1),
        ({"n": 1, "in_flight": 4}, 8, 1),
        ({"duration": "1s", "rate": "5/s", "policy": "pool:3"}, 8, 3),
    ],
)
def test_processes(options: dict[str, Any], cores: int, processes: int) -> None:
    """As many as can be busy at once, never more than cores."""
    assert make_plan(**options).processes(cores) == processes


def test_two_processes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both fire, each with instances of its own; every event is fired once."""
    fn = lab.instantiate("basics", name="one")
    function, normal = fn.parsed("count()")
    two = lab.firing._crew(2, fn.how_to_start())
    monkeypatch.setattr(lab.firing, "_crew", lambda count, start: two)  # as on a machine with two cores
    run = fn.run(function, plan=make_plan(n=40, policy="pool:2"), events=[normal])
    assert sorted(run.timeline.index) == list(range(40))
    assert set(run.timeline.worker) == {0, 1}
    assert sorted(run.results) == sorted([*range(1, 21)] * 2)
    assert any("2 host processes" in note for note in run.notes)


def test_two_processes_and_two_components(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second host process fires the component that was asked for, whatever was fired before in it or beside it."""
    lab.build("wat", CONSTANT.replace("ANSWER", "1"), name="ones")
    lab.build("wat", CONSTANT.replace("ANSWER", "2"), name="twos")
    monkeypatch.setattr("labkernel._lab.firing.this_machine", lambda: replace(this_machine(), cores=2))
    plan = make_plan(n=20, policy="pool:2")
    for name in ("twos", "ones", "twos", "basics", "ones"):
        fn = lab.instantiate(name)
        run = fn.run(fn.find("count"), plan=plan)
        assert set(run.timeline.worker) == {0, 1}
        if name != "basics":
            assert set(run.results) == {{"ones": 1, "twos": 2}[name]}


# -------------------------------------------------------------------------------------------------- errors


def test_load_counts_errors_and_goes_on(lab: Lab) -> None:
    """A trap costs one event: a fresh instance answers the next, and the kinds are counted."""
    fn = lab.instantiate("basics", name="one")
    events = [[7], [1], [2], [7], [3]]
    run = fn.run(fn.find("fail-at"), plan=make_plan(n=10, policy="warm"), events=events)
    assert len(run) == 6
    assert run.results == [1, 2, 3] * 2
    (kind,) = run.errors
    assert (kind.name, kind.count, kind.index) == ("GuestTrap", 4, 0)
    assert run.error is None
    assert run.timeline.outcome.tolist() == [1, 0, 0, 1, 0] * 2
    assert run.facts.started == 4  # the last trap of a run but one is followed by an event
    assert run.fired == 10
    assert fn.double(2) == 4


def test_n_alone_ends_with_the_first_error(lab: Lab) -> None:
    """And so does load with `stop_on_error`; what came before is kept, the event is named."""
    fn = lab.instantiate("basics", name="one")
    for plan in (make_plan(n=9), make_plan(n=9, policy="cold", stop_on_error=True)):
        run = fn.run(fn.find("fail-at"), plan=plan, events=[[k] for k in range(9)])
        assert run.results == list(range(7))
        assert isinstance(run.error, GuestTrap)
        assert run.failing_event == "fail-at(7)"
    answer = lab.fire(fn, "double(3)")
    assert answer.notes == ()


def test_after_a_trap_the_target_says_that_it_starts_anew(lab: Lab) -> None:
    """A warm run that lost the target's own instance is told of by the next call."""
    fn = lab.instantiate("basics", name="one")
    fn.run(fn.find("fail"), plan=make_plan(n=2, policy="warm"), events=[[]])
    assert "trapped" in "".join(lab.fire(fn, "double(3)").notes)


def test_a_trap_elsewhere_leaves_the_target_its_state(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several warm instances one traps: the target's own, which did not, goes on with its state."""
    fn = lab.instantiate("basics", name="one")
    two = lab.firing._crew(2, fn.how_to_start())
    monkeypatch.setattr(lab.firing, "_crew", lambda count, start: two)
    assert fn.count() == 1
    run = fn.run(fn.find("fail-at"), plan=make_plan(n=8, in_flight=2, policy="warm"), events=[[1], [7]])
    assert {(m.worker, m.outcome) for m in run.timeline} == {(0, 0), (1, 1)}
    assert fn.count() == 2


def test_no_event(lab: Lab) -> None:
    """An empty list of events is refused."""
    fn = lab.instantiate("basics", name="one")
    with pytest.raises(UsageError, match="no event to fire"):
        fn.run(fn.find("double"), plan=make_plan(n=8), events=[])


def test_budgets_hold_for_each_event(lab: Lab) -> None:
    """Time and output: each event may use all of its own, one that uses more is an error, the next is not."""
    fn = lab.instantiate("wasi", name="one", timeout="150ms")
    naps = [[10 * MS], [3600 * 10**9], [10 * MS]]
    run = fn.run(fn.find("nap"), plan=make_plan(n=6, policy="cold"), events=naps[:1] * 3 + naps[:1] * 3)
    assert len(run) == 6
    spins = lab.instantiate("basics", name="two", timeout="100ms")
    run = lab.fire(spins, "spin()", n=3, load={"policy": "warm"})  # type: ignore[assignment]
    assert [(k.name, k.count) for k in run.errors] == [("BudgetExceeded: timeout", 3)]
    assert all(50 * MS < ns < 2000 * MS for ns in run.timeline.call_ns)
    chatty = lab.instantiate("wasi", name="three", output="1000")
    said = chatty.run(chatty.find("say"), plan=make_plan(n=40, policy="warm"), events=[[9]])
    assert len(said) == 40
    assert len(said.output) <= 1000


def test_an_event_stuck_in_the_host_ends_the_run(lab: Lab) -> None:
    """A guest that sits in a host call cannot be got over: the run ends, with what came before it."""
    fn = lab.instantiate("wasi", name="one", timeout="200ms")
    run = fn.run(
        fn.find("nap"), plan=make_plan(n=5, policy="warm"), events=[[MS], [MS], [3600 * 10**9], [MS], [MS]]
    )
    assert len(run) == 2
    assert type(run.error).__name__ == "BudgetExceeded"
    assert lab.instantiate("wasi", name="two").count() == 1


def test_an_instance_that_does_not_start_is_told_before_anything_is_fired(lab: Lab) -> None:
    """A pool is made first; a cold start that fails is an error of its event."""
    lab.build("wat", BAD_START, name="bad")
    with pytest.raises(GuestTrap):
        lab.fire("bad", "f()", n=3, load={"policy": "pool:1"})


def test_a_host_process_that_dies_leaves_a_partial_run(lab: Lab) -> None:
    """The run says what is missing and why; the next one works."""
    fn = lab.instantiate("basics", name="one")
    fn.double(1)
    killer = threading.Timer(0.5, lambda: os.kill(lab.guests.pid or 0, signal.SIGKILL))
    killer.start()
    run = lab.fire(fn, "double(2)", load={"duration": "30s"})
    killer.join()
    assert isinstance(run, Run)
    assert type(run.error).__name__ == "GuestCrashed"
    assert len(run) > 0
    assert set(run.kinds) == {"4"}
    assert any("is missing" in note for note in run.notes)
    assert run.failing_event == ""
    assert len(fire(lab, "double(2)", n=5)) == 5


def test_an_interrupt_keeps_the_run_so_far(lab: Lab) -> None:
    """The stop button ends the firing, also of a guest in mid-call, and the run says that it was stopped."""
    fn = lab.instantiate("wasi", name="one")
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    run = lab.fire(fn, "nap(30000000)", load={"duration": "60s"})
    assert time.monotonic() - began < 5
    assert isinstance(run, Run)
    assert run.is_interrupted
    assert 0 < len(run) < 60
    assert lab.last_run is run
    assert any("interrupted" in note for note in run.notes)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    answer = lab.fire(fn, "count()")
    assert "was interrupted" in "".join(answer.notes)


def test_an_interrupt_of_a_run_that_is_no_users_is_raised(lab: Lab) -> None:
    """What fires for a measurement or a comparison is ended by it, and a run of its own is not the last run."""
    fn = lab.instantiate("basics", name="one")
    last = lab.fire(fn, "double", n=2)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        fn.run(fn.find("double"), plan=make_plan(duration="20s"), events=[[2]])
    assert lab.last_run is last
    assert fn.double(4) == 8


def test_progress_comes_at_most_ten_times_a_second(lab: Lab) -> None:
    """And tells how much is done, how fast, and how long it takes."""
    heard: list[Live] = []
    fn = lab.instantiate("basics", name="one")
    run = lab.fire(fn, "double(2)", load={"duration": "1s"}, on_progress=heard.append)
    assert isinstance(run, Run)
    assert 2 <= len(heard) <= 11
    assert heard[-1].p50_ns
    assert 0 < heard[-1].done <= run.fired
    assert "no errors, p50" in heard[-1].text


def test_what_progress_raises_stops_the_run(lab: Lab) -> None:
    """A broken callback comes out, and the host process serves on."""

    def broken(live: Live) -> None:
        raise ZeroDivisionError

    fn = lab.instantiate("basics", name="one")
    with pytest.raises(ZeroDivisionError):
        lab.fire(fn, "double(2)", load={"duration": "30s"}, on_progress=broken)
    assert fn.double(4) == 8


def test_why_not_faster() -> None:
    """A path is chosen with the reason why it is not a faster one."""
    path, why = choose_path(make_plan(n=5, policy="cold"), Facts(no_driver=""))
    assert path == "host call"
    assert "cold" in why
    assert choose_path(make_plan(n=5), Facts(no_driver="it says so")) == ("host call", "it says so")


# -------------------------------------------------------------------------------------------- what it is given


@pytest.fixture(scope="module")
def shop() -> Iterator[Lab]:
    """Return a lab with a component that imports an interface of its own."""
    with Lab() as made:
        made.wit(SHOP, name="store")
        made.build("wat", STORE, name="shop")
        yield made


def test_functions_of_the_notebook_answer_many_events(shop: Lab) -> None:
    """Warm and cold: the user's function runs in the thread that fired, and what it raises is an error of its event."""
    threads = set()

    def add(a: int, b: int) -> int:
        threads.add(threading.current_thread())
        if a == 3:
            raise ValueError("three")
        return a + b

    plain: dict[str, Any] = {"get": lambda key: key, "add": add, "log": lambda text: None}
    shop.host("kv", plain)
    fn = shop.instantiate("shop", name="one", host=["kv"])
    for policy in ("warm", "cold", "pool:2"):
        events = [[1, 2], [3, 4], [5, 6]]
        run = fn.run(fn.find("add"), plan=make_plan(n=6, policy=policy), events=events)
        assert run.results == [3, 11] * 2
        assert [(kind.count, "three" in kind.message) for kind in run.errors] == [(2, True)]
    assert threads == {threading.main_thread()}


def test_an_interrupt_reaches_a_function_of_the_notebook(shop: Lab) -> None:
    """It ends there, and the run so far is kept."""

    def add(a: int, b: int) -> int:
        if a == 9:
            time.sleep(30)
        return a + b

    shop.host("kv", {"get": lambda key: key, "add": add, "log": lambda text: None})
    fn = shop.instantiate("shop", name="one", host=["kv"], timeout="60s")
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    run = shop.firing.run(fn, fn.find("add"), make_plan(n=5, policy="warm"), events=[[1, 2], [9, 9]])
    assert time.monotonic() - began < 5
    assert run.is_interrupted
    assert run.results == [3]


def test_a_granted_folder_is_there_in_every_instance(lab: Lab, tmp_path: Path) -> None:
    """Also in instances of a policy's own, in a host process behind the wall of that folder."""
    (tmp_path / "hello").write_text("hi")
    fn = lab.instantiate("wasi", name="one", dirs=[f"{tmp_path}::/data"])
    function = fn.find("count")
    for policy in ("warm", "cold", "pool:2"):
        assert len(fn.run(function, plan=make_plan(n=4, policy=policy), events=[[]])) == 4


# ----------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"n": 0}, "-n 0 is out of range; fire at least 1"),
        ({"n": -5}, "-n -5 is out of range"),
        ({"n": 2_000_000_000}, "out of range"),
        ({"rate": "5/s"}, "How many events"),
        ({"n": 5, "rate": "0/s"}, "--rate 0/s is out of range"),
        ({"n": 5, "rate": "1000000000/s"}, "out of range"),
        ({"n": 5, "in_flight": 0}, "-c 0 is out of range"),
        ({"n": 5, "in_flight": -1}, "-c -1"),
        ({"n": 5, "policy": "pool:0"}, "pool:0 is out of range"),
        ({"n": 5, "policy": "pool"}, "how many instances"),
        ({"n": 5, "policy": "pool:many"}, "how many instances"),
        ({"n": 5, "policy": "keep-alive:-1s"}, "'-1s' is no duration"),
        ({"n": 5, "policy": "keep-alive:30"}, "has no unit"),
        ({"n": 5, "policy": "keep-alive"}, "for how long"),
        ({"n": 5, "policy": "keep-alive:0s"}, "out of range"),
        ({"n": 5, "policy": "wram"}, "Did you mean 'warm'"),
        ({"n": 5, "policy": "cold:5"}, "takes nothing after"),
        ({"n": 5, "policy": ""}, ""),
        ({"duration": "10"}, "--duration 10 has no unit; write 10s"),
        ({"duration": "0s"}, "out of range"),
        ({"duration": "2 weeks"}, "is no duration"),
        ({"n": 5, "queue": 3}, "--queue 3 needs a rate"),
        ({"n": 5, "queue": -1, "rate": "5/s"}, "--queue -1"),
        ({"n": 5, "arrival": "poisson"}, "needs a rate"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_fired(options: dict[str, Any], why: str) -> None:
    """Each error shows the value and what to write instead."""
    if not why:
        assert make_plan(**options).policy.kind == "warm"
        return
    with pytest.raises(UsageError, match=why):
        make_plan(**options)


def test_a_plan_survives_its_file() -> None:
    """What is read back is the same plan, but for a trace's times."""
    for options in (
        {"n": 5},
        {"duration": "2s", "rate": "50/s", "arrival": "poisson", "policy": "keep-alive:2s", "queue": 7},
        {"n": 5, "arrival": "burst:4/2s", "policy": "pool:3"},
        {"n": 9, "in_flight": 3, "policy": "cold"},
    ):
        plan = make_plan(**options)  # type: ignore[arg-type]
        again = Plan.from_json(plan.to_json())
        assert again.to_json() == plan.to_json()
        assert again.loop == plan.loop


# -------------------------------------------------------------------------------------------------- memory


@pytest.mark.slow
def test_a_million_events_take_bounded_memory(lab: Lab) -> None:
    """No more than 100 MB more here and in the host process together, and every event is counted."""
    fn = lab.instantiate("basics", name="one")
    fn.double(1)
    processes = [psutil.Process(), psutil.Process(lab.guests.pid)]
    before = [p.memory_info().rss for p in processes]
    most = [0, 0]

    def look(live: Live) -> None:
        most[:] = [max(m, p.memory_info().rss) for m, p in zip(most, processes, strict=True)]

    run = lab.fire(fn, "double", n=1_000_000, on_progress=look)
    assert isinstance(run, Run)
    assert len(run) == 1_000_000
    assert sum(run.kinds.values()) == 1_000_000
    assert len(run.timeline) == 100_000
    assert len(run.histograms["latency"]) == 1_000_000
    assert sum(most) - sum(before) < 100 << 20
