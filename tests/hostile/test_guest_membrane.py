"""Attacks on the membrane itself: its own imports, its size, its ledger, its mark."""

from __future__ import annotations

import threading

import pytest
from hostile_kit import Arena

from labkernel._errors import CapabilityDenied, ComponentError
from labkernel._host.membrane_layout import CAPACITY, MAGIC, MARK

OWN = """(component
  (import "labkernel:membrane/host@{version}" (instance $host
    (export "policy" (func (param "mark" u32))) (export "drain" (func))
    (export "ask" (func (param "function" u32) (param "at" u32) (param "space" u32) (param "capacity" u32)
      (result s32)))
    (export "tell" (func (param "function" u32) (param "at" u32)))))
  (core module $m
    (import "h" "ask" (func $ask (param i32 i32 i32 i32) (result i32)))
    (func (export "f") (result i32) (call $ask (i32.const 0) (i32.const 64) (i32.const -65536) (i32.const 65536))))
  (alias export $host "ask" (func $ask))
  (core func $ask (canon lower (func $ask)))
  (core instance $i (instantiate $m (with "h" (instance (export "ask" (func $ask))))))
  (func (export "f") (result s32) (canon lift (core func $i "f"))))"""

READER = """(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core module $m (import "h" "now" (func $now (result i64))) {memory}
    (func (export "f") (param i32) (result i64)
      (loop $l (drop (call $now)) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (call $now)))
  (alias export $clock "now" (func $now)) (core func $now (canon lower (func $now)))
  (core instance $i (instantiate $m (with "h" (instance (export "now" (func $now))))))
  (func (export "f") (param "n" u32) (result u64) (canon lift (core func $i "f"))))"""


@pytest.mark.parametrize("version", ["0.1.0", "0.1.5"])
def test_its_own_imports(arena: Arena, version: str) -> None:
    """Nobody but a membrane speaks to the host as one, with a version that is compatible neither."""
    attack = arena.wat(OWN.format(version=version))
    arena.fails(CapabilityDenied, lambda: arena.start(attack).f(), match="which was not granted")
    for grant in ({"trace": True}, {"clock": "step:1ms"}, {"record": True}, {"net": "127.0.0.1:80"}):
        arena.fails(
            ComponentError, lambda grant=grant: arena.start(attack, **grant), match="side of a membrane"
        )
    arena.is_well()


def test_ten_thousand_imports(arena: Arena) -> None:
    """A membrane for them would take a minute: it is refused at once, and without one they are imports like others."""
    functions = "".join(f'(export "f{n}" (func (param "a" string)))' for n in range(10_000))
    attack = arena.wat(
        f"""(component (import "a:b/c@1.0.0" (instance {functions}))
          (core module $m (func (export "f") (result i32) (i32.const 3)))
          (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    )
    arena.fails(
        ComponentError, lambda: arena.start(attack, trace=True), match="10000 functions, and a membrane"
    )
    assert arena.start(attack).f() == 3
    arena.is_well()


def test_a_full_ledger(arena: Arena) -> None:
    """A million calls are counted, and the first of them kept."""
    attacker = arena.start(arena.wat(READER.format(memory="")), trace=True, timeout="30s")
    attacker.f(CAPACITY * 4000)
    trace = attacker.trace
    assert (len(trace), trace.lost) == (20_000, CAPACITY * 4000 + 1 - 20_000)
    arena.is_well()


def test_a_forged_mark(arena: Arena) -> None:
    """A memory that looks like a membrane's is not taken for one."""
    memory = f'(memory 1) (data (i32.const {MARK}) "{MAGIC.decode()}")'
    attacker = arena.start(arena.wat(READER.format(memory=memory)), trace=True, clock="step:1ms")
    first = attacker.f(1)
    assert attacker.f(1) == first + 2_000_000
    assert [call.verdict for call in attacker.trace.calls] == ["virtual"] * 4
    arena.is_well()


def test_only_its_own_thread_claims(arena: Arena) -> None:
    """Instances that start at the same time, each behind a membrane, get a policy each."""
    build = arena.wat(READER.format(memory=""))
    steps: list[int] = []

    def count(ms: int) -> None:
        instance = arena.lab.instantiate(build, name=f"n{ms}", clock=f"step:{ms}ms")
        steps.append((instance.f(1) - instance.f(1)) // -2_000_000 - ms)

    threads = [threading.Thread(target=count, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps == [0] * 8
    for n in range(1, 9):
        arena.lab.instances.pop(f"n{n}").drop()
    arena.is_well()
