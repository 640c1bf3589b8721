"""What a host function in Python costs a guest, beside the engine's own Python package. Run: `labkernel bench host`.

Both run the same component in this process: it calls its host in a loop, so that one call of the guest holds
thousands of host calls. The bodies do the same; what differs is the way in and out.
"""

from __future__ import annotations

import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime
from row import Row
from wasmtime import component as peer

from labkernel._host import EngineSettings, Start, Supervisor
from labkernel._host.engine import Component, Engine, Instance
from labkernel._host.linking import Links
from labkernel._host.watch import Watch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from host_callbacks import MEMORY

NAME = "acme:bench/host"
GUEST = f"""(component
  (import "{NAME}" (instance $host
    (export "add" (func (param "a" u32) (param "b" u32) (result u32)))
    (export "turn" (func (param "text" string) (result string)))))
  {
    MEMORY.replace(
        '(memory (export "m") 4)',
        '(memory (export "m") 4) (data (i32.const 0) "thirty-two characters of a text.")'
        '(func (export "reset") (global.set $next (i32.const 65536)))',
    )
}
  (core func $add (canon lower (func $host "add")))
  (core func $turn (canon lower (func $host "turn") (memory (core memory $mem "m"))
    (realloc (core func $mem "realloc"))))
  (core module $m
    (import "w" "add" (func $add (param i32 i32) (result i32)))
    (import "w" "turn" (func $turn (param i32 i32 i32)))
    (import "w" "reset" (func $reset))
    (import "w" "m" (memory 1))
    (func (export "scalar") (param $n i32) (result i32) (local $sum i32)
      (loop $next
        (local.set $sum (call $add (local.get $sum) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $sum) (local.get $n))))
      (local.get $sum))
    (func (export "text") (param $n i32) (result i32) (local $done i32)
      (loop $next
        (call $reset)
        (call $turn (i32.const 0) (i32.const 32) (i32.const 64))
        (local.set $done (i32.add (local.get $done) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $done) (local.get $n))))
      (i32.load (i32.const 68))))
  (core instance $i (instantiate $m (with "w" (instance
    (export "add" (func $add)) (export "turn" (func $turn)) (export "reset" (func $mem "reset"))
    (export "m" (memory $mem "m"))))))
  (func (export "scalar") (param "n" u32) (result u32) (canon lift (core func $i "scalar")))
  (func (export "text") (param "n" u32) (result u32) (canon lift (core func $i "text"))))"""
ANSWERS = {"scalar": lambda n: n, "text": lambda n: 32}


def ours(folder: Path) -> Callable[[str, int], Any]:
    """Return a call of the guest over our host functions."""
    engine = Engine(EngineSettings())
    (folder / "guest.bin").write_bytes(engine.compile(bytes(wasmtime.wat2wasm(GUEST))))
    component = Component(engine, engine.deserialize(str(folder / "guest.bin")))
    functions = {"add": lambda _, args: args[0] + args[1], "turn": lambda _, args: args[0][::-1]}
    instance = Instance(component, Start(), 1, 2)
    instance.arm()
    if instance.instantiate(component.linker(Links(providers={NAME: functions.__getitem__}))):
        raise AssertionError
    _, control = socket.socketpair()
    job = Watch(control, lambda job: None).open_job(1)

    def call(function: str, n: int) -> Any:
        bound = instance.bind(function)
        lowered = bound.codec.lower([n])
        job.enter(instance, 60.0)
        if instance.call(bound, lowered):
            raise AssertionError
        job.leave()
        return instance.take_result(bound)

    return call


def plain() -> Callable[[str, int], Any]:
    """Return a call of the guest over `wasmtime.component`'s host functions."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    linker = peer.Linker(engine)
    with linker.root() as root, root.add_instance(NAME) as inner:
        inner.add_func("add", lambda _, a, b: a + b)
        inner.add_func("turn", lambda _, text: text[::-1])
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1 << 40)
    instance = linker.instantiate(store, peer.Component(engine, bytes(wasmtime.wat2wasm(GUEST))))
    functions = {name: instance.get_func(store, name) for name in ANSWERS}
    return lambda function, n: functions[function](store, n)


def notebook(folder: Path, supervisor: Supervisor) -> Callable[[str, int], Any]:
    """Return a call of the guest over functions that run in this process, the guest in another."""
    supervisor.codegen(bytes(wasmtime.wat2wasm(GUEST)), folder / "guest.cwasm")
    loaded = supervisor.load(folder / "guest.cwasm")
    started = supervisor.instantiate(loaded, Start(notebook=(NAME,), timeout_s=60.0))

    def on_host(name: str, args: list[Any]) -> tuple[bool, Any]:
        return True, args[0] + args[1] if name.endswith("add") else args[0][::-1]

    return lambda function, n: supervisor.call(started, function, [n], on_host=on_host).result


def per_call_us(call: Callable[[str, int], Any], function: str, n: int) -> float:
    """Return microseconds per host call of one call of the guest, whose answer is checked."""
    began = time.perf_counter_ns()
    answer = call(function, n)
    spent = time.perf_counter_ns() - began
    if answer != ANSWERS[function](n):
        raise AssertionError(answer)
    return spent / n / 1000


def run() -> list[Row]:
    """Measure a scalar and a text function, in turn, in shuffled order."""
    chance = random.Random(7)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Supervisor(mac_key=b"b" * 32) as supervisor:
        far = notebook(Path(folder), supervisor)
        peers = {"ours": (ours(Path(folder)), 5000), "plain": (plain(), 500), "notebook": (far, 200)}
        for function, goal in (("scalar", 1 / 4), ("text", 1 / 2)):
            samples: dict[str, list[float]] = {name: [] for name in peers}
            for _ in range(15):
                for name in chance.sample(list(peers), len(peers)):
                    call, n = peers[name]
                    samples[name].append(per_call_us(call, function, n))
            rows.append(
                Row(
                    f"host function in the host process ({function})", tuple(samples["ours"]), "us",
                    "wasmtime Linker.add_func", tuple(samples["plain"]), goal,
                )
            )  # fmt: skip
            ms = tuple(us / 1000 for us in samples["notebook"])
            rows.append(Row(f"host function in the notebook ({function})", ms, "ms", most=1.0))
    return rows
