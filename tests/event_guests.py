"""Guests as WebAssembly text for the tests of events: handlers that fail, or answer otherwise, on chosen input."""

from __future__ import annotations

from typing import Final

#: What the tests' handlers take: the platform's event.
_TYPES: Final = """
  (type $kind' (enum "object-added" "object-removed" "object-restored"))
  (export $kind "event-type" (type $kind'))
  (type $time' (record (field "seconds" u64) (field "nanoseconds" u32)))
  (export $time "datetime" (type $time'))
  (type $event' (record (field "event-type" $kind) (field "event-timestamp" $time) (field "event-version" string)))
  (export $event "handler-event" (type $event'))
"""


def handler(body: str) -> str:
    """A component whose `handle` answers a u32 for an event.

    The body sees `$kind` (0 to 2), `$seconds` (i64), `$nanos`, `$at` and `$size` of the version's text, and the
    global `$count`, which counts the calls.
    """
    return f"""(component {_TYPES}
  (core module $m
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 1024))
    (global $count (mut i32) (i32.const 0))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (if (i32.gt_u (local.get $size) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))))
      (i32.const 1024))
    (func (export "handle") (param $kind i32) (param $seconds i64) (param $nanos i32) (param $at i32) (param $size i32)
      (result i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      {body}))
  (core instance $i (instantiate $m))
  (func (export "handle") (param "event" $event) (result u32)
    (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"""


#: Answers the number of the event's type.
PLAIN: Final = handler("(local.get $kind)")
#: Traps on removed objects from second 1000 on.
TRAPS: Final = handler("""
  (if (i32.and (i32.eq (local.get $kind) (i32.const 1)) (i64.ge_u (local.get $seconds) (i64.const 1000)))
    (then unreachable))
  (local.get $kind)""")
#: Answers another number for texts of three bytes and more.
OTHERWISE: Final = handler("(i32.add (local.get $kind) (i32.ge_u (local.get $size) (i32.const 3)))")
#: Traps at its fifth call, whatever the event.
FIFTH: Final = handler("(if (i32.eq (global.get $count) (i32.const 5)) (then unreachable)) (local.get $kind)")
#: Never returns for restored objects.
SPINS: Final = handler("(loop $l (br_if $l (i32.eq (local.get $kind) (i32.const 2)))) (local.get $kind)")
#: The length of a text: one parameter that is no record.
LENGTH: Final = """(component
  (core module $m (memory (export "memory") 260)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "size") (param i32 i32) (result i32) (local.get 1))
    (func (export "sum") (param i32 f64) (result f64) (f64.add (f64.convert_i32_u (local.get 0)) (local.get 1)))
    (func (export "none") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func (export "size") (param "text" string) (result u32)
    (canon lift (core func $i "size") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func $sum (param "count" u32) (param "weight" f64) (result f64) (canon lift (core func $i "sum")))
  (export "sum" (func $sum))
  (func (export "none") (result u32) (canon lift (core func $i "none"))))"""
