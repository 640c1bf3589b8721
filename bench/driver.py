"""Sustained firing through a driver, inside the engine, with `wasmtime`'s plain API beside it in the same run.

Figures of the driver: `wall` is what an event takes with all of the harness around it (clock, comparison, batches);
without that word clock and loop are taken out. Handlers that do nothing and handlers that work, in five languages.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime
from row import Row
from snippets import EVENT, WORLD
from wasmtime import component as peer
from work import DATA, TEXT, WORK, expected
from work import WORLD as WORK_WORLD

from labkernel import Lab
from labkernel._errors import LabError
from labkernel._fire import Driven
from labkernel._lab.driving import Target
from labkernel._values import to_normal
from labkernel._wit import Function

#: It frees what it was given, as a handler in C has to: millions of events would fill its memory otherwise.
HANDLER = """bool handle(handler_event_t *event, handler_error_t *err) {
    event_type_t type = event->event_type;
    handler_event_free(event);
    if (type == EVENT_TYPE_OBJECT_ADDED) return true;
    err->tag = HANDLER_ERROR_REJECTED;
    err->val.rejected = 7;
    return false;
}
"""
ROUNDS = 7
EVENTS = 200_000
PLAIN_CALLS = 2000
SECONDS = 0.2
"""How long each round fires at a language; a round ends with a batch, of 50 ms and one event at most."""
WHAT = {"nothing": "does nothing", "parse": "parses 1 kB of JSON", "hash": "hashes 64 kB"}


def run() -> list[Row]:
    """Measure the harness, and every language whose toolchain is there."""
    with Lab() as lab:
        lab.wit(WORLD, name="faas")
        lab.wit(WORK_WORLD, name="work")
        return [*_harness(lab), *_languages(lab)]


def _harness(lab: Lab) -> list[Row]:
    build = lab.build("c", HANDLER, name="fn", world="faas", release=True)
    fn = lab.instantiate(build, name="fn")
    function = build.functions[0]
    events = [[to_normal(EVENT, function.params[0].type, "$")]]
    plain = _plain(build.read(), "handle")
    with lab.driving.opened(fn, function) as handler, lab.driving.nothing(function) as nothing:

        def fire(target: Target, n: int = EVENTS) -> Driven:
            done = target.drive(events, n)
            assert done.error is None, done.error
            assert done.done == n
            return done

        fire(handler)
        fire(nothing)
        rounds = [(fire(handler), fire(nothing), plain()) for _ in range(ROUNDS)]

        def cpu_ns(n: int) -> int:
            before = _cpu_ns(handler.host.pid)
            fire(handler, n)
            return _cpu_ns(handler.host.pid) - before

        spent = [{n: cpu_ns(n) for n in (1000, 100_000, 1_000_000)} for _ in range(ROUNDS)]
    wall = tuple(handled.wall_ns / 1000 for handled, _, _ in rounds)
    own = tuple(done.wall_ns / 1000 for _, done, _ in rounds)
    beside = tuple(us for _, _, us in rounds)
    late = tuple((found[1_000_000] - found[100_000]) / 900_000 for found in spent)
    early = tuple((found[100_000] - found[1000]) / 99_000 for found in spent)
    api = "wasmtime plain API, C handler"
    note = f"{1 / statistics.median(wall):.3g} million events a second on one core"
    return [
        Row("C handler, wall of an event", wall, "us", most=2.0, note=note),
        Row("the same", wall, "us", api, beside),
        Row("harness alone (no-op), wall of an event", own, "us", most=0.2),
        Row("the same against the plain API", own, "us", api, beside, 1 / 100),
        Row(
            "an event more, from 100 000 to 1 000 000", late, "ns", "from 1000 to 100 000", early, 1.2,
            note="linear: an event costs the same however many there are; processor time of the host process",
        ),
    ]  # fmt: skip


def _cpu_ns(pid: int | None) -> int:
    """Return the processor time of a process, which other processes do not lengthen as they do a long run's wall."""
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _plain(wasm: bytes, name: str) -> Callable[[], float]:
    """Return a function that takes the microseconds of a call through `wasmtime`'s own Python API."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    linker = peer.Linker(engine)
    linker.add_wasip2()
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1 << 40)
    store.set_wasi(wasmtime.WasiConfig())
    function = linker.instantiate(store, peer.Component(engine, wasm)).get_func(store, name)
    assert function is not None
    event, stamp = peer.Record(), peer.Record()
    stamp.seconds, stamp.nanoseconds = 1, 0
    for field, value in (
        ("event-type", "object-removed"), ("event-timestamp", stamp), ("event-version", "2.1"),
    ):  # fmt: skip
        setattr(event, field, value)

    def take() -> float:
        began = time.perf_counter_ns()
        for _ in range(PLAIN_CALLS):
            function(store, event)
        return (time.perf_counter_ns() - began) / PLAIN_CALLS / 1000

    take()
    return take


def _languages(lab: Lab) -> list[Row]:
    """Fire the same work at every language; a language whose answers are wrong is told and left out."""
    found: dict[str, dict[str, tuple[float, ...]]] = {what: {} for what in WHAT}
    for language, text in WORK.items():
        try:
            build = lab.build(
                language, text, name=f"work-{language}", world="work", release=True, timeout_s=300
            )
            instance = lab.instantiate(build, name=f"w_{language}")
        except LabError as error:
            print(f"{language}: {error}", file=sys.stderr)
            continue
        for function in build.functions:
            found[function.name][language] = _work(lab, instance, function)
    rows = []
    for what, languages in found.items():
        base = languages.get("c", ())
        for language, samples in languages.items():
            beside = {} if language == "c" else {"peer": "c", "peer_samples": base}
            rows.append(Row(f"{WHAT[what]}, {language}", samples, "us", **beside))
    return rows


def _work(lab: Lab, instance: Any, function: Function) -> tuple[float, ...]:
    events = [[DATA if function.name == "hash" else TEXT]]
    with lab.driving.opened(instance, function) as target:
        samples = []
        for _ in range(ROUNDS):
            done = target.drive(events, 1 << 40, duration_s=SECONDS, timeout_s=60)
            assert done.error is None, done.error
            assert done.results == ([expected()[function.name]],), (function.name, done.results)
            samples.append(statistics.median(done.samples) / 1000)
    return tuple(samples)
