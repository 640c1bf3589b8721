"""Sustained firing in the lab: when a driver is made, what it leaves, and what a run and a measurement say of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from worlds import BASICS

from labkernel import BudgetExceeded, GuestTrap, Lab
from labkernel._cache import Cache
from labkernel._fire import CALLS, DRIVER, Driven, Facts, Live, Run, choose_path, make_plan
from labkernel._fire.collect import Collector
from labkernel._fire.feed import feed_driven
from labkernel._lab.cost import _GUEST
from labkernel._timing import Samples, band_ns, report_text, within_band
from labkernel._timing.records import LatencyTiming
from labkernel._timing.timings import Timings
from labkernel._toolbox import find_toolbox
from labkernel._wit import Field, Function, Param, Primitive, RecordType


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Return a lab with a cache of its own, the toolbox and the basic component in it."""
    if find_toolbox(Cache()) is None:
        if os.environ.get("LABKERNEL_REQUIRE") == "all":
            pytest.fail("the toolbox is missing, and LABKERNEL_REQUIRE=all asks for everything")
        pytest.skip("the toolbox is missing; labkernel setup builds it")
    with Lab(cache=Cache(tmp_path / "cache")) as made:
        made.build("wat", BASICS, name="basics")
        yield made


def fire(lab: Lab, target: str, call: str, n: int | None = None, **how: object) -> Run:
    """Fire many events and return the run."""
    run = lab.fire(target, call, n=n, **how)  # type: ignore[arg-type]
    assert isinstance(run, Run)
    return run


def ready(lab: Lab, function: str) -> None:
    """Make the driver for a function of the basic component beforehand."""
    build = lab.builds["basics"]
    lab.driving.prepare(build, next(f for f in build.functions if f.name == function))


# ------------------------------------------------------------------------------------------------- which path


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"n": 100_000, "policy": "cold"}, "starts instances"),
        ({"n": 100_000, "policy": "pool:2"}, "several instances"),
        ({"n": 100_000, "rate": "10/s"}, "open loop"),
        ({"n": 100_000, "in_flight": 4}, "in flight"),
        ({"n": 100}, "100 events are over sooner"),
        ({"duration": "10ms"}, "0.01 s are over sooner"),
    ],
)
def test_where_a_driver_is_not_used(options: dict[str, object], why: str) -> None:
    """Each plan that a driver cannot carry out, or that is over too soon, says so."""
    path, told = choose_path(make_plan(**options), Facts("", 0.1))  # type: ignore[arg-type]
    assert path == CALLS
    assert why in told


def test_where_a_driver_is_used() -> None:
    """Many events, or a long time, in a closed loop at one instance; not where it cannot be."""
    assert choose_path(make_plan(n=100_000), Facts("", 0.1)) == (DRIVER, "")
    assert choose_path(make_plan(duration="10s"), Facts("", 0.1)) == (DRIVER, "")
    assert choose_path(make_plan(n=100_000), Facts("it says so", 0.1)) == (CALLS, "it says so")


def test_a_handful_of_events_makes_no_driver(lab: Lab) -> None:
    """Nothing is composed for a few events."""
    run = fire(lab, "basics", "double(2)", 50)
    assert (run.target.path, run.timed) == (CALLS, "by the C functions")
    assert "over sooner" in run.why
    assert not (lab.cache.root / "driver").exists()


def test_what_stands_in_the_way_is_told(lab: Lab) -> None:
    """A budget of fuel keeps a run on the C functions, with the reason."""
    lab.instantiate("basics", name="fn", fuel=100_000_000)
    run = fire(lab, "fn", "double(2)", 5000)
    assert run.target.path == CALLS
    assert "fuel" in run.why
    assert len(run) == 5000


def test_a_membrane_stands_in_the_way(lab: Lab, tmp_path: Path) -> None:
    """A traced guest is heard after each call: its events go by the C functions, and the run says why."""
    path = tmp_path / "asker.wasm"
    path.write_bytes(lab.tools.assemble(_GUEST))
    fn = lab.instantiate(str(path), name="fn", trace=True)
    assert fn.watched.build.wrapped
    run = fire(lab, "fn", "ask(1)", 5000)
    assert run.target.path == CALLS
    assert "membrane" in run.why
    assert len(fn.trace.calls) > 0
    result = lab.timings(["fn"], kind="latency", call="ask(1)", samples=2000)
    assert result.latencies[0].path == CALLS
    assert any("membrane" in warning for warning in result.all_warnings)


# ---------------------------------------------------------------------------------------------- what it leaves


def test_many_events_take_the_driver(lab: Lab) -> None:
    """The first events go by the C functions while a driver is made; all are answered and counted."""
    told: list[Live] = []
    run = fire(lab, "basics", "double(2)", 3_000_000, on_progress=told.append)
    assert (run.target.path, run.timed, run.why) == (DRIVER, "in the engine", "")
    assert len(run) == 3_000_000 == run.fired
    assert run.counts == {"4": 3_000_000}
    assert run.waves[-1] == "4"
    notes = "\n".join(run.notes)
    assert "while the driver was made" in notes
    assert "the harness: a component that does nothing takes" in notes
    assert "between two clock reads" in notes
    assert run.quantile(50, "call") is not None
    again = fire(lab, "basics", "double(2)", 20_000)
    assert again.target.path == DRIVER
    assert "while the driver was made" not in "\n".join(again.notes)


def test_generated_events_keep_their_answers(lab: Lab) -> None:
    """Each event has its own answer, whichever path it went."""
    ready(lab, "half")
    driven = fire(lab, "basics", "half", 3000, seed=3)
    assert driven.target.path == DRIVER
    called = [
        lab.guests.call(lab.target("basics").started(), "half", event).result for event in driven.events
    ]
    assert repr(list(driven.normals)) == repr(called)


def test_calls_meet_the_instance_that_was_driven(lab: Lab) -> None:
    """A counter goes on where the driver left it, and its answers are told as varied."""
    ready(lab, "count")
    fn = lab.instantiate("basics", name="fn")
    run = fire(lab, "fn", "count()", 5000)
    assert run.target.path == DRIVER
    assert "4999 answers differed" in "\n".join(run.notes)
    assert run.counts["1"] == 1
    assert fn.count() == 5001
    more = fire(lab, "fn", "count()", 5000)
    assert more.waves == ["5002"]
    assert "started anew" not in "\n".join(more.notes)


def test_a_trap_keeps_what_came_before(lab: Lab) -> None:
    """The run names the event that trapped, and the next call starts the instance anew."""
    ready(lab, "fail-at")
    fn = lab.instantiate("basics", name="fn")
    function = fn.find("fail-at")
    events = [[n + 10] for n in range(2000)]
    events[1234] = [7]
    run = fn.run(function, n=2000, events=events)
    assert run.target.path == DRIVER
    assert isinstance(run.error, GuestTrap)
    assert len(run) == 1234
    assert run.failing_event == "fail-at(7)"
    assert list(run.normals) == [n + 10 for n in range(len(run.normals))]
    assert "trapped" in "".join(lab.fire("fn", "double(2)").notes)  # type: ignore[union-attr]


def test_errors_are_counted_where_a_load_goes_on(lab: Lab) -> None:
    """With options of load an error does not end the run: the rest goes by the C functions."""
    ready(lab, "fail-at")
    fn = lab.instantiate("basics", name="fn")
    events = [[n] for n in range(2000)]
    run = fn.run(fn.find("fail-at"), plan=make_plan(n=4000, in_flight=1), events=events)
    assert run.error is None
    assert run.fired == 4000
    assert sum(kind.count for kind in run.errors) == 2


def test_a_budget_of_time_is_an_events(lab: Lab) -> None:
    """A guest that spins is stopped within its own time."""
    ready(lab, "spin")
    lab.instantiate("basics", name="fn", timeout="200ms")
    run = fire(lab, "fn", "spin()", 10_000)
    assert isinstance(run.error, BudgetExceeded)
    assert len(run) == 0


def test_an_interrupt_keeps_the_run(lab: Lab) -> None:
    """What was fired until then is in the run, results included."""
    ready(lab, "double")
    fn = lab.instantiate("basics", name="fn")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    run = fire(lab, "fn", "double(2)", 1_000_000_000)
    assert run.is_interrupted
    assert run.target.path == DRIVER
    assert set(run.counts) == {"4"}
    assert 1000 < len(run) < 1_000_000_000
    assert fn.double(4) == 8


def test_a_duration_ends_it(lab: Lab) -> None:
    """A closed loop by time alone is fired in the engine, too."""
    ready(lab, "double")
    run = fire(lab, "basics", "double(2)", load={"duration": "300ms"})
    assert run.target.path == DRIVER
    assert run.wall_ns >= 300_000_000


def test_a_rebuilt_component_is_driven_anew(lab: Lab) -> None:
    """Old code never answers: the driver belongs to the component's digest."""
    ready(lab, "double")
    assert fire(lab, "basics", "double(2)", 5000).counts == {"4": 5000}
    lab.build("wat", BASICS.replace("(i32.const 2))", "(i32.const 3))", 1), name="basics")
    ready(lab, "double")
    assert fire(lab, "basics", "double(2)", 5000).counts == {"6": 5000}


def test_results_that_are_not_known_are_not_invented() -> None:
    """Events whose results varied or were not kept are counted, and only those known are kept one by one."""
    from array import array

    collector = Collector()
    alone = array("q", [100] * 10)
    driven = Driven(10, alone, array("d"), 1, results=([1], [2], None), varied_by_row=array("I", [0, 1, 0]))
    feed_driven(collector, driven, 0, began_ns=0, at_ns=2000)
    line, results = collector.timeline()
    assert (len(line), results) == (2, (1, 2))
    assert collector.fired == collector.answered == 10
    assert sorted((value, n) for _, value, n in collector.kinds() if isinstance(value, int)) == [
        (1, 4),
        (2, 2),
    ]
    assert sum(n for is_text, _, n in collector.kinds() if is_text) == 4


# -------------------------------------------------------------------------------------------------- measuring


def test_latencies_are_taken_in_the_engine(lab: Lab) -> None:
    """All targets of a measurement go through drivers, beside a component that does nothing."""
    lab.build("wat", BASICS + "  ", name="other")
    fn = lab.instantiate("basics", name="fn")
    fn.count()
    result = lab.timings(["fn", "other"], kind="latency", call="double(2)", samples=2000)
    assert [timing.path for timing in result.latencies] == [DRIVER, DRIVER]
    assert all(timing.harness for timing in result.latencies)
    assert "means of" in result.latencies[0].label
    assert fn.count() == 2  # its own instance was not fired at
    with pytest.raises(Exception, match="two answers"):
        lab.timings(["basics"], kind="latency", call="count()", samples=2000)


def test_the_harness_is_of_the_types_at_hand(lab: Lab) -> None:
    """Types of one name differ from world to world, and so do the components that do nothing."""
    small = RecordType((Field("a", Primitive("u8")),), name="event")
    large = RecordType(tuple(Field(f"f{n}", Primitive("string")) for n in range(4)), name="event")
    for wit_type, event in ((small, [1]), (large, ["x" * 100] * 4)):
        function = Function("handle", (Param("event", wit_type),), wit_type)
        with lab.driving.nothing(function) as nothing:
            done = nothing.drive([[event]], 100)
        assert (done.error, done.done) == (None, 100)


def test_damaged_machine_code_is_made_again(lab: Lab) -> None:
    """Of drivers and of the component that does nothing, as of any component."""
    function = lab.builds["basics"].functions[0]
    fn = lab.instantiate("basics", name="fn")
    for opened in (lambda: lab.driving.nothing(function), lambda: lab.driving.opened(fn, function)):
        with opened():
            pass
    for path in (lab.cache.root / "code").rglob("*.cwasm"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    lab.guests.close()
    fn.start()
    for opened in (lambda: lab.driving.nothing(function), lambda: lab.driving.opened(fn, function)):
        with opened() as target:
            assert target.drive([[2]], 10).done == 10


def test_latencies_say_why_they_are_not(lab: Lab) -> None:
    """Few calls, or a target that no driver fires, are timed by the C functions with the reason."""
    few = lab.timings(["basics"], kind="latency", call="double(2)", samples=50)
    assert few.latencies[0].path == CALLS
    assert any("1000 calls or more" in warning for warning in few.all_warnings)


def test_nothing_is_ranked_within_the_harness_band() -> None:
    """Two figures that are nearer to each other than the harness's own spread are told as no difference."""
    harness = Samples.of(range(20, 40))
    assert band_ns(harness) == 17
    near, far = Samples.of([100] * 200), Samples.of([110] * 200)
    assert "no difference within the harness's band" in within_band(near, far, harness)
    assert not within_band(near, Samples.of([200] * 200), harness)
    assert not within_band(near, far, None)
    shown = report_text(
        Timings(
            "latency",
            tuple(LatencyTiming(n, s, DRIVER, harness=harness) for n, s in (("a", near), ("b", far))),
        )
    )
    assert "a and b: no difference within the harness's band (17 ns)" in shown


def test_a_pool_larger_than_a_table(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with more events than a table holds goes through the driver part by part, each event once and in order."""
    monkeypatch.setattr(sys.modules["labkernel._fire.sustain"], "_TABLE", 5_000)
    ready(lab, "double")
    path = tmp_path / "numbers.jsonl"
    path.write_text("".join(f'{{"x": {k}}}\n' for k in range(12_000)))
    run = lab.fire("basics", "double", events=path)
    assert isinstance(run, Run)
    assert run.target.path == DRIVER
    assert (len(run), run.error) == (12_000, None)
    assert run.results == [2 * k for k in range(12_000)]
    assert run.events[11_999] == [11_999]
    again = lab.fire("basics", "double", events=path, n=30_000)
    assert isinstance(again, Run)
    assert again.results == [k % 12_000 * 2 for k in range(30_000)]


@pytest.mark.slow
@pytest.mark.parametrize("load", [{}, {"rate": "50000/s"}, {"in_flight": 2}])
@pytest.mark.parametrize("is_file", [True, False])
def test_a_million_events_take_little_memory(
    lab: Lab, tmp_path: Path, load: dict[str, object], is_file: bool
) -> None:
    """A million events, made up or of a file, take at most 100 MB more in the notebook and in each host process."""
    path = tmp_path / "numbers.jsonl"
    path.write_text("".join(f'{{"x": {k}}}\n' for k in range(1_000_000)))
    lab.fire("basics", "double", n=1000, load=load or None)
    before = _resident()
    events = {"events": path} if is_file else {"n": 1_000_000}
    run = lab.fire("basics", "double", load=load or None, **events)  # type: ignore[arg-type]
    assert isinstance(run, Run)
    assert run.fired + run.facts.dropped == 1_000_000
    for pid, most in _resident().items():
        assert most - before.get(pid, 40 << 20) < 100 << 20


def _resident() -> dict[int, int]:
    """Return the most memory that this process and each of those it started have ever had, in bytes."""
    here = psutil.Process()
    found = {}
    for process in (here, *here.children(recursive=True)):
        status = Path(f"/proc/{process.pid}/status").read_text()
        found[process.pid] = 1024 * int(
            next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]
        )
    return found
