"""What a membrane costs a guest's host calls, and what making one costs. Run: `labkernel bench membrane`.

The guest asks for the time, or prints a line, in a loop: one call of it holds thousands of host calls. The same guest
runs as it is, behind a membrane that passes everything on, behind one that keeps a ledger, and behind one whose guard
in the host process gets every call whole; in turn, in shuffled order.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from row import Row

from labkernel import Lab
from labkernel._cache import Cache
from labkernel._host import Start
from labkernel._lab.records import Build
from labkernel._sandbox.membrane import membrane_for
from labkernel._sandbox.membrane.policy import everything, policy_for

WIT = """package bench:membrane;
world guest {
    import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:cli/stdout@0.2.0;
    export time: func(n: u32);
    export print: func(n: u32);
}"""
CORE = """(module
  (import "wasi:clocks/monotonic-clock@{version}" "now" (func $now (result i64)))
  (import "wasi:cli/stdout@{version}" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@{version}" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@{version}" "[resource-drop]output-stream" (func $drop (param i32)))
  (memory (export "memory") 1) (data (i32.const 64) "a line\\n")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "time") (param $n i32)
    (loop (drop (call $now)) (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "print") (param $n i32) (local $to i32)
    (local.set $to (call $stdout))
    (loop
      (call $write (local.get $to) (i32.const 64) (i32.const 7) (i32.const 128))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $drop (local.get $to))))"""
CALLS = {"time": 20_000, "print": 2000}
ROUNDS = 21


def guest(lab: Lab, folder: Path) -> Build:
    """Return the guest."""
    package = lab.toolbox.resolve(WIT)
    version = next(i.name.partition("@")[2] for i in package.worlds[0].imports)
    core = lab.tools.assemble(CORE.format(version=version))
    path = folder / "guest.wasm"
    path.write_bytes(lab.toolbox.componentize(core, package, "guest"))
    return lab.load(path)


def variants(lab: Lab, plain: Build) -> dict[str, Callable[[str, int], float]]:
    """Return functions that run the guest in each way, and return microseconds per host call."""
    behind = lab.membranes.behind(plain)
    whole = {"ask": everything, "tell": everything, "guard": "record", "record": everything}
    policies = {
        "plain": None,
        "passed": policy_for(behind.wrapped),
        "ledger": policy_for(behind.wrapped, record=everything, keep=1000),
        "whole": policy_for(behind.wrapped, **whole, keep=1000),
    }

    def runner(name: str) -> Callable[[str, int], float]:
        policy = policies[name]
        start = Start(output_bytes=1 << 30, timeout_s=60.0, memory_bytes=1 << 28)
        if policy is not None:
            start = replace(start, membrane=tuple(policy.to_data()))
        code = lab.code.loaded(plain if policy is None else behind)
        instance = lab.guests.instantiate(code, start)

        def run(function: str, n: int) -> float:
            spent = lab.guests.call(instance, function, [n], on_output=lambda *_: None).ns
            lab.guests.ledger(instance)
            return spent / n / 1000

        return run

    return {name: runner(name) for name in policies}


def run() -> list[Row]:
    """Measure the cost of a call, then that of a membrane."""
    with tempfile.TemporaryDirectory() as folder, Lab(cache=Cache(Path(folder) / "cache")) as lab:
        plain = guest(lab, Path(folder))
        return [*calls(lab, plain), *making(lab, plain)]


def calls(lab: Lab, plain: Build) -> list[Row]:
    """Measure what each way of being seen adds to a host call."""
    chance, ways, rows = random.Random(7), variants(lab, plain), []
    for function, n in CALLS.items():
        samples: dict[str, list[float]] = {name: [] for name in ways}
        for name in ways:
            ways[name](function, n)
        for _ in range(ROUNDS):
            for name in chance.sample(list(ways), len(ways)):
                samples[name].append(ways[name](function, n if name != "whole" else n // 10))
        for name, words in (
            ("passed", "passed on"),
            ("ledger", "kept in the ledger"),
            ("whole", "told whole"),
        ):
            added = min(samples[name]) - min(samples["plain"])
            goal = 2.0 if name == "ledger" else None
            note = f"between the fastest of {ROUNDS} rounds each, which a busy machine disturbs least"
            rows.append(
                Row(f"added to a host call ({function}): {words}", (added,), "us", most=goal, note=note)
            )
            rows.append(
                Row(
                    f"host call ({function}) {words}", tuple(samples[name]), "us", "without a membrane",
                    tuple(samples["plain"]),
                )
            )  # fmt: skip
    return rows


def making(lab: Lab, plain: Build) -> list[Row]:
    """Measure what a membrane costs to make and to compile."""
    component = plain.read()
    made = membrane_for(component, toolbox=lab.toolbox, supervisor=lab.tools)
    assert made is not None
    times: dict[str, list[float]] = {"make": [], "guest": [], "composite": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        membrane_for(component, toolbox=lab.toolbox, supervisor=lab.tools)
        times["make"].append((time.perf_counter() - began) * 1000)
        for name, wasm in (("guest", component), ("composite", made.component)):
            spent = lab.tools.codegen(wasm, lab.cache.root / "bench.cwasm").ns
            times[name].append(spent / 1e6)
    return [
        Row("making a membrane and composing it", tuple(times["make"]), "ms"),
        Row("compiling a small guest with its membrane", tuple(times["composite"]), "ms", "the guest alone",
            tuple(times["guest"])),
    ]  # fmt: skip
