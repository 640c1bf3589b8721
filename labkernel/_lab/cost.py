"""What tracing costs, measured on this machine: a guest that only asks for the time, with and without a trace."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from labkernel._capability import Budgets, Grants
from labkernel._host import EngineSettings
from labkernel._lab.instance import Instance
from labkernel._lab.tracing import UNWATCHED, Tracing

if TYPE_CHECKING:
    from labkernel._lab.lab import Lab

__all__ = ["tracing_cost_ns"]

_CALLS: Final = 2_000
_ROUNDS: Final = 5
_NAME: Final = "labkernel-cost"
_GUEST: Final = """(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $m
    (import "clock" "now" (func $now (result i64)))
    (func (export "f") (param $n i32)
      (loop $again
        (if (i32.eqz (local.get $n)) (then (return)))
        (drop (call $now))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $again))))
  (core instance $i (instantiate $m (with "clock" (instance (export "now" (func $now))))))
  (func (export "ask") (param "n" u32) (canon lift (core func $i "f"))))
"""


def tracing_cost_ns(lab: Lab, traced: Tracing) -> float:
    """Return the nanoseconds that a trace or a record adds to one host call: the difference of two medians."""
    wasm = lab.tools.assemble(_GUEST)
    build = lab.builder.from_bytes(wasm, _NAME, settings=EngineSettings(), language="wat", form="as loaded")
    times = []
    for tracing in (UNWATCHED, traced):
        instance = Instance(lab, _NAME, build, Grants(), Budgets(), pin=True, tracing=tracing)
        try:
            runs = [instance.call("ask", [_CALLS]).ns for _ in range(_ROUNDS)]
        finally:
            instance.drop()
        times.append(median(runs))
    return max(0.0, times[1] - times[0]) / _CALLS
