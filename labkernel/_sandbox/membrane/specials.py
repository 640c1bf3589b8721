"""Clocks and random numbers that a membrane answers itself, as WebAssembly text, by data that the policy brings.

There is one virtual time: wall and monotonic clock read it, each reading moves it on by the step, a sleep by its
length. Random bytes are those of SplitMix64, the same as `_events.rng`.
"""

from __future__ import annotations

from typing import Final

from labkernel._host.membrane_layout import CLOCK, RANDOM
from labkernel._wit import Function

__all__ = ["RUNTIME", "special"]

_WALL, _PASSED, _STEP, _START = CLOCK, CLOCK + 8, CLOCK + 16, CLOCK + 24

RUNTIME: Final = f"""
  ;; Returns the virtual time that has passed, and moves it on by the step.
  (func $tick (result i64) (local $now i64)
    (local.set $now (i64.load offset={_PASSED} (i32.const 0)))
    (i64.store offset={_PASSED} (i32.const 0)
      (i64.add (local.get $now) (i64.load offset={_STEP} (i32.const 0))))
    (local.get $now))
  (func $monotonic (result i64) (i64.add (call $tick) (i64.load offset={_START} (i32.const 0))))
  (func $wall (param $at i32) (local $now i64)
    (local.set $now (i64.add (call $tick) (i64.load offset={_WALL} (i32.const 0))))
    (i64.store (local.get $at) (i64.div_u (local.get $now) (i64.const 1000000000)))
    (i32.store offset=8 (local.get $at)
      (i32.wrap_i64 (i64.rem_u (local.get $now) (i64.const 1000000000)))))
  (func $resolution (param $at i32)
    (i64.store (local.get $at) (i64.const 0))
    (i32.store offset=8 (local.get $at) (i32.const 1)))
  (func $sleep (param $span i64)
    (i64.store offset={_PASSED} (i32.const 0)
      (i64.add (i64.load offset={_PASSED} (i32.const 0)) (local.get $span))))
  (func $sleep-until (param $when i64) (local $passed i64)
    (local.set $passed (i64.sub (local.get $when) (i64.load offset={_START} (i32.const 0))))
    (if (i64.gt_s (local.get $passed) (i64.load offset={_PASSED} (i32.const 0)))
      (then (i64.store offset={_PASSED} (i32.const 0) (local.get $passed)))))
  (func $random (result i64) (local $x i64)
    (local.set $x (i64.add (i64.load offset={RANDOM} (i32.const 0)) (i64.const 0x9E3779B97F4A7C15)))
    (i64.store offset={RANDOM} (i32.const 0) (local.get $x))
    (local.set $x (i64.mul (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 30)))
      (i64.const 0xBF58476D1CE4E5B9)))
    (local.set $x (i64.mul (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 27)))
      (i64.const 0x94D049BB133111EB)))
    (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 31))))
  (func $random-bytes (param $at i32) (param $wanted i64) (local $to i32) (local $end i32)
    (if (i64.gt_u (local.get $wanted) (i64.const 0x7fff0000)) (then unreachable))
    (local.set $to (call $allocate (i32.const 8)
      (i32.add (i32.wrap_i64 (local.get $wanted)) (i32.const 8))))
    (i32.store (local.get $at) (local.get $to))
    (i32.store offset=4 (local.get $at) (i32.wrap_i64 (local.get $wanted)))
    (local.set $end (i32.add (local.get $to) (i32.wrap_i64 (local.get $wanted))))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $to) (local.get $end)))
      (i64.store (local.get $to) (call $random))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (br 0))))
  (func $random-pair (param $at i32)
    (i64.store (local.get $at) (call $random))
    (i64.store offset=8 (local.get $at) (call $random)))
"""

_SPECIALS: Final = {
    ("wasi:clocks/wall-clock", "now"): "(call $wall (local.get $r))",
    ("wasi:clocks/wall-clock", "resolution"): "(call $resolution (local.get $r))",
    ("wasi:clocks/monotonic-clock", "now"): "(local.set $r (call $monotonic))",
    ("wasi:clocks/monotonic-clock", "resolution"): "(local.set $r (i64.const 1))",
    ("wasi:clocks/monotonic-clock", "subscribe-duration"): (
        "(call $sleep (local.get $p0)) (local.set $r (call $import{number} (i64.const 0)))"
    ),
    ("wasi:clocks/monotonic-clock", "subscribe-instant"): (
        "(call $sleep-until (local.get $p0)) (local.set $r (call $import{number} (i64.const 0)))"
    ),
    ("wasi:random/random", "get-random-bytes"): "(call $random-bytes (local.get $r) (local.get $p0))",
    ("wasi:random/random", "get-random-u64"): "(local.set $r (call $random))",
    ("wasi:random/insecure", "get-insecure-random-bytes"): "(call $random-bytes (local.get $r) (local.get $p0))",
    ("wasi:random/insecure", "get-insecure-random-u64"): "(local.set $r (call $random))",
    ("wasi:random/insecure-seed", "insecure-seed"): "(call $random-pair (local.get $r))",
}  # fmt: skip


def special(function: Function, number: int) -> str:
    """Return the text that answers a call in the host's place, empty for a function that has none.

    It leaves the flat result in the local `$r`, or writes the result where `$r` points.
    """
    return _SPECIALS.get((function.interface.partition("@")[0], function.name), "").format(number=number)
