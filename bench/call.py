"""What a call costs: the engine's bare C call, the host process's, `wasmtime`'s own, the way from a notebook.

Run: `python bench/call.py [--json FILE]`. Prints a table of medians, ratios by round with
their spread, and the same as JSON. All
peers run the same component, with the same event, in turn, in one run; the order is shuffled with a fixed
seed.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if "labkernel" not in sys.modules:
    package = types.ModuleType("labkernel")  # without the facade: this measures one room
    package.__path__ = [str(ROOT / "labkernel")]
    sys.modules["labkernel"] = package

import wasmtime  # noqa: E402
from row import Row  # noqa: E402
from wasmtime import component as peer  # noqa: E402

from labkernel._host import Start, Supervisor  # noqa: E402
from labkernel._host.engine import Component, Engine, Instance  # noqa: E402
from labkernel._host.settings import EngineSettings  # noqa: E402
from labkernel._host.watch import Watch  # noqa: E402

HANDLER = """(component
  (type $et0 (enum "object-added" "object-removed" "object-restored")) (export $et "event-type" (type $et0))
  (type $dt0 (record (field "seconds" u64) (field "nanoseconds" u32))) (export $dt "datetime" (type $dt0))
  (type $he0 (record (field "event-type" $et) (field "event-timestamp" $dt) (field "event-version" string)))
  (export $he "handler-event" (type $he0))
  (type $err0 (variant (case "unsupported" $et) (case "invalid" string)))
  (export $err "handler-error" (type $err0))
  (core module $m
    (memory (export "m") 1) (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next
        (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8)))))
    (func (export "post") (param i32) (global.set $next (i32.const 1024)))
    (func (export "handle") (param $et i32) (param i64 i32 i32 i32) (result i32)
      (i32.store8 (i32.const 8) (i32.ne (local.get $et) (i32.const 0)))
      (i32.store8 (i32.const 12) (i32.const 0)) (i32.store8 (i32.const 16) (local.get $et)) (i32.const 8)))
  (core instance $i (instantiate $m))
  (func (export "handle") (param "event" $he) (result (result (error $err)))
    (canon lift (core func $i "handle") (memory (core memory $i "m")) (realloc (core func $i "realloc"))
      (post-return (core func $i "post")))))"""
EVENTS = {"ok": ["object-added", [1, 0], "2.1"], "err": ["object-removed", [1, 0], "2.1"]}
OURS, PLAIN_COLD = "host process: call, lift, check", "cold start, wasmtime plain API"
ANSWERS = {"ok": ["ok", None], "err": ["err", ["unsupported", "object-removed"]]}


def per_call_us(run: Callable[[], Any], calls: int) -> float:
    """Return microseconds per call of one block of calls."""
    began = time.perf_counter_ns()
    for _ in range(calls):
        run()
    return (time.perf_counter_ns() - began) / calls / 1000


def plain_event(case: str) -> Any:
    """The same event as `wasmtime` wants it."""
    kind, (seconds, nanoseconds), version = EVENTS[case]
    event, stamp = peer.Record(), peer.Record()
    stamp.seconds, stamp.nanoseconds = seconds, nanoseconds
    for name, value in (("event-type", kind), ("event-timestamp", stamp), ("event-version", version)):
        setattr(event, name, value)
    return event


def peers(folder: Path, case: str) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return what is measured, by name, with its calls per block."""
    wasm = bytes(wasmtime.wat2wasm(HANDLER))
    engine = Engine(EngineSettings())
    (folder / "handler.bin").write_bytes(engine.compile(wasm))
    component = Component(engine, engine.deserialize(str(folder / "handler.bin")))
    instance = Instance(component, Start(), 1, 2)
    instance.arm()
    assert not instance.instantiate(component.linker())
    bound = instance.bind("handle")
    lowered = bound.codec.lower([EVENTS[case]])
    _, control = socket.socketpair()
    job = Watch(control, lambda job: None).open_job(1)
    expected = ANSWERS[case]

    from labkernel._host.capi import c

    free, call = c.component_val_delete, c.component_func_call
    context, result, arguments = instance.context, instance._result_address, lowered.address

    def bare() -> None:
        call(bound.address, context, arguments, 1, result, 1)

    def bare_and_freed() -> None:
        call(bound.address, context, arguments, 1, result, 1)
        free(result)
        instance._result[0] = b"\0"

    def ours() -> None:
        job.enter(instance, 5.0)
        error = instance.call(bound, lowered)
        job.leave()
        if error or instance.take_result(bound) != expected:
            raise AssertionError

    config = wasmtime.Config()
    config.epoch_interruption = True
    plain_engine = wasmtime.Engine(config)
    plain_component = peer.Component(plain_engine, wasm)
    plain_linker = peer.Linker(plain_engine)
    plain_linker.add_wasip2()
    event = plain_event(case)

    def plain_start() -> tuple[Any, Any]:
        store = wasmtime.Store(plain_engine)
        store.set_epoch_deadline(1 << 40)
        store.set_wasi(wasmtime.WasiConfig())
        made = plain_linker.instantiate(store, plain_component)
        return store, made.get_func(store, "handle")

    store, function = plain_start()

    def plain() -> None:
        function(store, event)

    def plain_cold() -> None:
        fresh, fresh_function = plain_start()
        fresh_function(fresh, event)
        fresh.close()

    linker = component.linker()

    def cold() -> None:
        fresh = Instance(component, Start(), 1, 2)
        job.enter(fresh, 5.0)
        fresh.instantiate(linker)
        job.leave()
        fresh_bound = fresh.bind("handle")
        job.enter(fresh, 5.0)
        fresh.call(fresh_bound, lowered)
        job.leave()
        if fresh.take_result(fresh_bound) != expected:
            raise AssertionError
        fresh.close()

    supervisor = Supervisor(mac_key=b"b" * 32)
    supervisor.codegen(wasm, folder / "handler.cwasm")
    started = supervisor.instantiate(supervisor.load(folder / "handler.cwasm"), Start())

    def notebook() -> None:
        if supervisor.call(started, "handle", [EVENTS[case]]).result != expected:
            raise AssertionError

    return {
        "bare C call": (bare, 5000),
        "bare C call, result freed": (bare_and_freed, 5000),
        OURS: (ours, 5000),
        "wasmtime.component.Func.__call__": (plain, 500),
        "notebook and back": (notebook, 200),
        "cold start, host process": (cold, 200),
        PLAIN_COLD: (plain_cold, 100),
    }


def ratio(samples: dict[str, list[float]], above: str, below: str) -> list[float]:
    """Return the ratios of two peers, round by round: a busy moment then slows both."""
    return [a / b for a, b in zip(samples[above], samples[below], strict=True)]


def measure(case: str, rounds: int) -> dict[str, list[float]]:
    """Return microseconds per call of every block, by peer."""
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        runs = peers(Path(folder), case)
        samples: dict[str, list[float]] = {name: [] for name in runs}
        for run, calls in runs.values():
            per_call_us(run, calls // 10)
        for _ in range(rounds):
            order = list(runs)
            chance.shuffle(order)
            for name in order:
                samples[name].append(per_call_us(*runs[name]))
    return samples


def run() -> list[Row]:
    """Measure both answers, for the suite: ratios round by round, each with its goal."""
    rows = []
    for case in EVENTS:
        found = measure(case, 15)
        bare, plain = found["bare C call"], found["wasmtime.component.Func.__call__"]
        ms = tuple(us / 1000 for us in found["notebook and back"])
        rows += [
            Row(
                f"call, lifted and checked ({case})", tuple(found[OURS]), "us", "bare C call", tuple(bare), 3
            ),
            Row(
                f"the same ({case})", tuple(found[OURS]), "us", "wasmtime Func.__call__", tuple(plain), 1 / 20
            ),
            Row(
                f"cold start ({case})",
                tuple(found["cold start, host process"]),
                "us",
                "wasmtime plain API",
                tuple(found[PLAIN_COLD]),
                0.5,
            ),
            Row(f"from the notebook and back ({case})", ms, "ms", most=0.3),
        ]
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    report: dict[str, Any] = {}
    for case in EVENTS:
        samples = measure(case, options.rounds)
        median = {name: statistics.median(found) for name, found in samples.items()}
        print(f"\nanswer {case}: microseconds, median (fastest to slowest block)")
        for name, found in samples.items():
            print(f"  {name:36} {median[name]:9.2f}   ({min(found):.2f} to {max(found):.2f})")
        ratios = {
            "call / bare C call (goal <= 3)": ratio(samples, OURS, "bare C call"),
            "Func.__call__ / call (goal >= 20)": ratio(samples, "wasmtime.component.Func.__call__", OURS),
            "cold / plain cold (goal <= 0.5)": ratio(samples, "cold start, host process", PLAIN_COLD),
            "notebook and back, ms (goal < 0.3)": [found / 1000 for found in samples["notebook and back"]],
        }
        for name, found in ratios.items():
            print(f"  {name:36} {statistics.median(found):9.3f}   ({min(found):.3f} to {max(found):.3f})")
        report[case] = {
            "median_us": median,
            "ratios": {name: statistics.median(found) for name, found in ratios.items()},
            "samples_us": samples,
        }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
