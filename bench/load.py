"""What load costs: cold starts beside bare C calls and the plain API, keeping time, two processes, growth.

Run: `labkernel bench load`. All figures are of one run of the C-function path, on whatever else the machine does;
rounds are interleaved, so that a busy moment slows both sides of a ratio.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from ctypes import addressof
from pathlib import Path
from typing import Any

import psutil
import wasmtime
from call import EVENTS, HANDLER, plain_event
from row import Row
from wasmtime import component as peer

from labkernel._events import parse_arrivals
from labkernel._fire import carry_out, make_plan
from labkernel._host import Chunk, Order, Start, Supervisor, capi, clock_ns, go, make_ready
from labkernel._host.capi import c
from labkernel._host.engine import Component, Engine, Instance
from labkernel._host.settings import EngineSettings

ROUNDS = 9
COLD = 2000
EVENT = EVENTS["ok"]


def bare_cold(folder: Path) -> Callable[[int], float]:
    """Return what times cold starts by bare C calls: microseconds per event."""
    engine = Engine(EngineSettings())
    component = Component(engine, engine.deserialize(str(folder / "handler.cwasm")))
    linker, export = component.linker(), component.export("handle")
    lowered = export.codec.lower([EVENT])
    result = Instance(component, Start(), 1, 2)
    none = capi.FINALIZER(0)

    def run(n: int) -> float:
        began = time.perf_counter_ns()
        for _ in range(n):
            store = c.store_new(engine.pointer, None, none)
            context = c.store_context(store)
            c.context_set_wasi(context, c.wasi_config_new())
            c.context_set_epoch_deadline(context, 1)
            instance, func = capi.Instance(), capi.Func()
            assert not c.component_linker_instantiate(
                linker.pointer, context, component.pointer, addressof(instance)
            )
            assert c.component_instance_get_func(addressof(instance), context, export.index, addressof(func))
            assert not c.component_func_call(
                addressof(func), context, lowered.address, 1, result._result_address, 1
            )
            c.component_val_delete(result._result_address)
            result._result[0] = b"\0"
            c.store_delete(store)
        return (time.perf_counter_ns() - began) / n / 1000

    return run


def plain_cold(wasm: bytes) -> Callable[[int], float]:
    """Return what times cold starts by the `wasmtime` package's own API: microseconds per event."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    component = peer.Component(engine, wasm)
    linker = peer.Linker(engine)
    linker.add_wasip2()
    event = plain_event("ok")

    def run(n: int) -> float:
        began = time.perf_counter_ns()
        for _ in range(n):
            store = wasmtime.Store(engine)
            store.set_epoch_deadline(1 << 40)
            store.set_wasi(wasmtime.WasiConfig())
            made = linker.instantiate(store, component)
            made.get_func(store, "handle")(store, event)
            store.close()
        return (time.perf_counter_ns() - began) / n / 1000

    return run


class Loads:
    """Host processes with the handler in them, and loads fired at them."""

    def __init__(self, folder: Path, wasm: bytes) -> None:
        self.supervisors = [Supervisor(mac_key=b"b" * 32) for _ in range(2)]
        self.supervisors[0].codegen(wasm, folder / "handler.cwasm")
        self.loaded = [s.load(folder / "handler.cwasm") for s in self.supervisors]

    def fire(self, **order: Any) -> list[Chunk]:
        """Fire in one process and return the chunks."""
        ready = make_ready(self.supervisors[0], self.loaded[0], Start(), "handle", [[EVENT]], Order(**order))
        chunks: list[Chunk] = []
        assert go(ready, clock_ns() + 5_000_000, chunks.append, lambda *_: None) is None
        return chunks

    def us(self, **order: Any) -> float:
        """Return microseconds per event in one process."""
        chunks = self.fire(**order)
        return chunks[-1].at_ns / sum(map(len, chunks)) / 1000

    def cpu_us(self, runs: int, n: int) -> float:
        """Return processor time per event of the host process: unlike the clock's it is not the neighbours'."""
        process = psutil.Process(self.supervisors[0].pid)
        before = process.cpu_times()
        for _ in range(runs):
            self.us(n=n)
        after = process.cpu_times()
        return (after.user + after.system - before.user - before.system) / (runs * n) * 1e6

    def spread(self, policy: str, processes: int) -> float:
        """Return microseconds per event of half a second over so many processes, with the notebook listening."""
        plan = make_plan(duration=0.5, in_flight=processes, policy=policy)
        crew = self.supervisors[:processes]
        outcome = carry_out(plan, crew, self.loaded[0], Start(), "handle", [[EVENT]])
        return outcome.collector.wall_ns / outcome.collector.fired / 1000

    def lateness_us(self, n: int) -> float:
        """Return how late the median event began in an open loop of 10 000 per second."""
        arrivals = parse_arrivals("constant", 10_000).to_data()  # type: ignore[union-attr]
        chunks = self.fire(n=n, arrivals=arrivals)
        late = [
            began - meant
            for chunk in chunks
            for began, meant in zip(chunk.columns["began_ns"], chunk.columns["intended_ns"], strict=True)
        ]
        return statistics.median(late) / 1000


def run() -> list[Row]:
    """Measure everything in rounds."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, wasm = Path(name), bytes(wasmtime.wat2wasm(HANDLER))
        loads = Loads(folder, wasm)
        bare, plain = bare_cold(folder), plain_cold(wasm)
        runs: dict[str, Callable[[], float]] = {
            "cold": lambda: loads.us(policy="cold", n=COLD),
            "bare": lambda: bare(COLD),
            "plain": lambda: plain(COLD // 4),
            "cold, one": lambda: loads.spread("cold", 1),
            "cold, two": lambda: loads.spread("cold", 2),
            "warm, one": lambda: loads.spread("warm", 1),
            "warm, two": lambda: loads.spread("warm", 2),
            "late": lambda: loads.lateness_us(5000),
            "warm, 1000": lambda: loads.cpu_us(100, 1000),
            "warm, 100000": lambda: loads.cpu_us(1, 100_000),
        }
        for one in runs.values():
            one()
        for _ in range(ROUNDS):
            for what, one in runs.items():
                found.setdefault(what, []).append(one())
        for supervisor in loads.supervisors:
            supervisor.close()
    of = {what: tuple(samples) for what, samples in found.items()}
    return [
        Row("cold start, one event each", of["cold"], "us", "bare C calls", of["bare"], 1.3),
        Row("the same", of["cold"], "us", "wasmtime plain API", of["plain"], 0.5),
        Row("cold starts, two processes", of["cold, two"], "us", "one process", of["cold, one"], 0.6),
        Row("warm events, two processes", of["warm, two"], "us", "one process", of["warm, one"], 0.6),
        Row("open loop, 10 000/s: lateness of the median", of["late"], "us", most=1000),
        Row("CPU per event of 100 000", of["warm, 100000"], "us", "of 1 000", of["warm, 1000"], 1.2),
    ]
