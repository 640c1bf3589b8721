"""The text of drivers: a core module for one function that calls it in a loop, inside the engine.

The loop takes its arguments from a table of core values, reads the clock around one call or a group of calls,
keeps the first result of every row and compares each later one with it byte by byte. The canonical ABI gives a
result's strings and lists addresses by the order of allocation, and the space for them begins anew with every
call, so equal results are equal bytes. Also the text of the component that does nothing, whose figure is the harness's.
"""

from __future__ import annotations

from typing import Final

from labkernel._host.driver_memory import (
    CLOCK,
    DRIVE,
    DRY,
    HEADER_AT,
    KEPT,
    MARK,
    OFFSETS,
    RESERVE,
    ROW_HEAD,
    SAMPLES,
    SAMPLES_AT,
    TABLE_AT,
)
from labkernel._values.layout import core_signature, size
from labkernel._wit import Function

__all__ = ["DRIVER_WIT", "GENERATOR", "driver_text", "noop_text", "result_space"]

GENERATOR: Final = "2"
"""Raised whenever the text of drivers changes: composites are cached under it."""
DRIVER_WIT: Final = f"""export {MARK}: func(low: u64, high: u64);
  export {RESERVE}: func(size: u32) -> bool;
  export {DRIVE}: func();"""
"""What a driver exports."""
_PAGE: Final = 1 << 16
_UNROLLED: Final = 64


def result_space(function: Function) -> int:
    """Return the bytes of a result itself, strings and lists not counted, as a multiple of 8."""
    return 0 if function.result is None else -(-size(function.result) // 8) * 8


def driver_text(function: Function, clock: str) -> str:
    """Return the core module that fires this function, as text; `clock` is the full id of the monotonic clock."""
    params, results = core_signature(function, lowered=True)
    module, name = function.interface or "$root", function.name
    types = f"(param {' '.join(params)})" if params else ""
    types += f" (result {' '.join(results)})" if results else ""
    pages = -(-TABLE_AT // _PAGE) + 1
    return f"""(module
  (import "{module}" "{name}" (func $target {types}))
  (import "{clock}" "now" (func $now (result i64)))
  (memory (export "memory") {pages})
  (data (i32.const {HEADER_AT}) "labdrive")
  (global $bump (mut i32) (i32.const 0))
{_REALLOC}
  (func (export "{MARK}") (param i64 i64)
    (i64.store {_at("mark_low")} (local.get 0)) (i64.store {_at("mark_high")} (local.get 1)))
  (func (export "{RESERVE}") (param $size i32) (result i32)
    (if (result i32) (i32.lt_u (i32.shr_u (local.get $size) (i32.const 16)) (memory.size))
      (then (i32.const 1))
      (else (i32.ne (i32.const -1) (memory.grow (i32.sub (i32.add (i32.shr_u (local.get $size) (i32.const 16))
        (i32.const 1)) (memory.size)))))))
{_check(function)}
{_drive(_call(function))}
)"""


def noop_text(function: Function) -> str:
    """Return the core module of a component with one function of this signature, which does nothing.

    It answers with zeros: the first case, no elements. What it is given is written into it and not read.
    """
    params, results = core_signature(function)
    types = "".join(f" (param {core})" for core in params) + "".join(f" (result {core})" for core in results)
    in_memory = function.result is not None and core_signature(function, lowered=True)[1] != results
    answer = f"(i32.const {_PAGE})" if in_memory else "".join(f"({core}.const 0)" for core in results)
    space = _PAGE + -(-(result_space(function) + 1) // _PAGE) * _PAGE
    return f"""(module
  (memory (export "memory") {space // _PAGE + 1})
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $missing i32)
    (local.set $missing (i32.sub (i32.add (i32.const {space}) (local.get $size))
                                 (i32.shl (memory.size) (i32.const 16))))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (drop (memory.grow (i32.add (i32.shr_u (local.get $missing) (i32.const 16)) (i32.const 1))))))
    (i32.const {space}))
  (func (export "{function.full_name}"){types} {answer}))"""


_REALLOC: Final = """  (func (export "cabi_realloc")
    (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $end i64) (local $have i64)
    (local.set $at (i32.and (i32.add (global.get $bump) (i32.sub (local.get $align) (i32.const 1)))
                            (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $size))))
    (local.set $have (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
    (if (i64.gt_u (i64.add (local.get $end) (i64.const 8)) (local.get $have)) (then
      (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.wrap_i64 (i64.shr_u
        (i64.add (i64.sub (local.get $end) (local.get $have)) (i64.const 65543)) (i64.const 16))))))
      unreachable))
    (if (local.get $was) (then
      (memory.copy (local.get $at) (local.get $old) (select (local.get $was) (local.get $size)
        (i32.lt_u (local.get $was) (local.get $size))))))
    (global.set $bump (i32.wrap_i64 (local.get $end)))
    (local.get $at))"""


def _at(field: str) -> str:
    return f"(i32.const {OFFSETS[field][0]})"


def _call(function: Function) -> str:
    """Return the text of one call: arguments from the row, the result into its space."""
    params, results = core_signature(function, lowered=True)
    through_memory = core_signature(function)[1] != results
    given = params[:-1] if through_memory else params
    arguments = " ".join(
        f"({core}.load offset={ROW_HEAD + 8 * index} (local.get $row))" for index, core in enumerate(given)
    )
    if through_memory:
        arguments += " (local.get $result)"
    call = f"(call $target {arguments})"
    if results and function.result is not None:
        width = 8 * size(function.result)
        narrow = str(width) if results[0] == "i32" and width < 32 else ""
        call = f"({results[0]}.store{narrow} (local.get $result) {call})"
    reset = f"(global.set $bump (i32.add (local.get $result) (i32.const {result_space(function)})))"
    return f"{reset} {call}"


def _check(function: Function) -> str:
    """Return the text that keeps a row's first result, compares a later one, and leaves zeros in its space."""
    space = result_space(function)
    head = "(func $check (param $row i32) (param $got i32) (param $end i32) (param $result i32)"
    if not space:
        return f"  {head})"
    unrolled = min(space, _UNROLLED)
    zeros = " ".join(
        f"(i64.store offset={at} (local.get $result) (i64.const 0))" for at in range(0, unrolled, 8)
    )
    return f"""  {head}
    (local $size i32) (local $kept i32) (local $at i32)
    (local.set $size (i32.and (i32.add (i32.sub (local.get $end) (local.get $got)) (i32.const 7)) (i32.const -8)))
    (block $checked
      (if (i32.eq (i32.load offset=8 (local.get $row)) (i32.const {KEPT})) (then
        (block $differs
          (br_if $differs (i32.ne (local.get $size) (i32.load offset=4 (local.get $row))))
          (local.set $kept (i32.load (local.get $row)))
          (loop $next
            (br_if $differs (i64.ne (i64.load (i32.add (local.get $got) (local.get $at)))
                                    (i64.load (i32.add (local.get $kept) (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $size))))
          (br $checked))
        (i64.store {_at("varied")} (i64.add (i64.load {_at("varied")}) (i64.const 1)))
        (i32.store offset=12 (local.get $row) (i32.add (i32.load offset=12 (local.get $row)) (i32.const 1)))
        (br $checked)))
      (local.set $kept (i32.load {_at("kept_next")}))
      (if (i32.gt_u (local.get $size) (i32.sub (i32.load {_at("kept_end")}) (local.get $kept))) (then
        (i64.store {_at("unchecked")} (i64.add (i64.load {_at("unchecked")}) (i64.const 1)))
        (br $checked)))
      (memory.copy (local.get $kept) (local.get $got) (local.get $size))
      (i32.store {_at("kept_next")} (i32.add (local.get $kept) (local.get $size)))
      (i32.store (local.get $row) (local.get $kept))
      (i32.store offset=4 (local.get $row) (local.get $size))
      (i32.store offset=8 (local.get $row) (i32.const {KEPT})))
    {zeros}
    (if (i32.gt_u (local.get $size) (i32.const {unrolled})) (then
      (memory.fill (i32.add (local.get $result) (i32.const {unrolled})) (i32.const 0)
                   (i32.sub (local.get $size) (i32.const {unrolled}))))))"""


_STEP: Final = f"""(local.set $row (i32.add (local.get $row) (local.get $stride)))
        (if (i32.eq (local.get $row) (i32.load {_at("rows_end")})) (then (local.set $row (i32.load {_at("rows")}))))
        (local.set $done (i64.add (local.get $done) (i64.const 1)))
        (i64.store {_at("done")} (local.get $done))"""


def _drive(call: str) -> str:
    """Return the text of one batch: it ends with its count, its time or its space for samples."""
    check = "(call $check (local.get $row) (local.get $result) (global.get $bump) (local.get $result))"
    return f"""  (func (export "{DRIVE}")
    (local $left i32) (local $row i32) (local $stride i32) (local $group i32) (local $each i32) (local $mode i32)
    (local $out i32) (local $out_end i32) (local $result i32)
    (local $began i64) (local $ended i64) (local $until i64) (local $done i64)
    (local.set $left (i32.load {_at("count")})) (local.set $row (i32.load {_at("row")}))
    (local.set $stride (i32.load {_at("stride")}))
    (local.set $group (i32.load {_at("group")})) (local.set $mode (i32.load {_at("mode")}))
    (local.set $result (i32.load {_at("result")})) (local.set $done (i64.load {_at("done")}))
    (local.set $out (i32.const {SAMPLES_AT})) (local.set $out_end (i32.const {SAMPLES_AT + 8 * SAMPLES}))
    (i32.store {_at("samples")} (i32.const 0))
    (local.set $until (i64.add (call $now) (i64.load {_at("budget_ns")})))
    (block $end (loop $samples
      (br_if $end (i32.eqz (local.get $left)))
      (local.set $each (select (local.get $group) (local.get $left) (i32.lt_u (local.get $group) (local.get $left))))
      (local.set $left (i32.sub (local.get $left) (local.get $each)))
      (block $timed
        (if (i32.eq (local.get $mode) (i32.const {CLOCK})) (then
          (local.set $began (call $now)) (local.set $ended (call $now)) (br $timed)))
        (if (i32.eq (local.get $mode) (i32.const {DRY})) (then
          (local.set $began (call $now))
          (loop $one
            (global.set $bump (local.get $result))
            (if (i32.eq (i32.load offset=8 (local.get $row)) (i32.const {KEPT})) (then
              (call $check (local.get $row) (i32.load (local.get $row))
                (i32.add (i32.load (local.get $row)) (i32.load offset=4 (local.get $row))) (local.get $result))))
            {_STEP}
            (br_if $one (local.tee $each (i32.sub (local.get $each) (i32.const 1)))))
          (local.set $ended (call $now)) (br $timed)))
        (if (i32.eq (local.get $group) (i32.const 1)) (then
          (local.set $began (call $now))
          {call}
          (local.set $ended (call $now))
          {check}
          {_STEP}
          (br $timed)))
        (local.set $began (call $now))
        (loop $one
          {call}
          {check}
          {_STEP}
          (br_if $one (local.tee $each (i32.sub (local.get $each) (i32.const 1)))))
        (local.set $ended (call $now)))
      (i64.store (local.get $out) (i64.sub (local.get $ended) (local.get $began)))
      (local.set $out (i32.add (local.get $out) (i32.const 8)))
      (i32.store {_at("samples")} (i32.shr_u (i32.sub (local.get $out) (i32.const {SAMPLES_AT})) (i32.const 3)))
      (i32.store {_at("row")} (local.get $row))
      (br_if $end (i32.eq (local.get $out) (local.get $out_end)))
      (br_if $samples (i64.lt_u (local.get $ended) (local.get $until))))))"""
