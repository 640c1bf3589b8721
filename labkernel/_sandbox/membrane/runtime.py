"""What every membrane has in it, as WebAssembly text: memory for what calls copy, the ledger, the host's questions."""

from __future__ import annotations

from typing import Final

from labkernel._host.membrane_layout import (
    CAPACITY,
    CLOCK_IMPORT,
    COUNT,
    ENTRY,
    ENTRY_ARGUMENTS,
    ENTRY_RESULT,
    ENTRY_RESULT_TEXT,
    ENTRY_TEXT,
    FRAME,
    IMPORT,
    NONCE,
    RECORD,
    RESULT_TEXT,
    RETURNED,
    TEXT,
)

__all__ = ["IMPORTS", "RUNTIME"]

IMPORTS: Final = f"""
  (import "{IMPORT}" "policy" (func $policy (param i32)))
  (import "{IMPORT}" "ask" (func $ask (param i32 i32 i32 i32) (result i32)))
  (import "{IMPORT}" "tell" (func $tell (param i32 i32)))
  (import "{IMPORT}" "drain" (func $drain))
  (import "{CLOCK_IMPORT}" "now" (func $clock (result i64)))
"""
_MARGIN: Final = 16
"""Entries kept free for the drops that a call may bring along."""

RUNTIME: Final = f"""
  (global $ready (mut i32) (i32.const 0))
  ;; Set while a handle is taken from the guest: the resource goes away, what it stands for stays.
  (global $quiet (mut i32) (i32.const 0))
  ;; Memory for strings and lists: given back as a whole when a call is over. Calls never nest, since a component
  ;; instance cannot be entered again before its call is over, post-return included.
  (global $top (mut i32) (i32.const {{heap}}))
  (func $begin (local $mark i64)
    (global.set $ready (i32.const 1))
    (local.set $mark (call $clock))
    (i64.store offset={NONCE} (i32.const 0) (local.get $mark))
    (call $policy (i32.wrap_i64 (local.get $mark))))
  (func $reset (global.set $top (i32.const {{heap}})))
  (func $post (param i32) (global.set $top (i32.const {{heap}})))
  (func $allocate (param $align i32) (param $size i32) (result i32) (local $at i64) (local $end i64)
    (local.set $at (i64.extend_i32_u (i32.and
      (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align)))))
    (local.set $end (i64.add (local.get $at) (i64.extend_i32_u (local.get $size))))
    (if (i64.gt_u (local.get $end) (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
      (then (call $grow (local.get $end))))
    (global.set $top (i32.wrap_i64 (local.get $end)))
    (i32.wrap_i64 (local.get $at)))
  (func $grow (param $end i64)
    (if (i64.gt_u (local.get $end) (i64.const 0xfffeffff)) (then unreachable))
    (if (i32.eq (i32.const -1) (memory.grow (i32.sub
        (i32.wrap_i64 (i64.shr_u (i64.add (local.get $end) (i64.const 0xffff)) (i64.const 16)))
        (memory.size))))
      (then unreachable)))
  (func (export "cabi_realloc") (param $old i32) (param $held i32) (param $align i32) (param $size i32)
      (result i32) (local $at i32)
    (local.set $at (call $allocate (local.get $align) (local.get $size)))
    (if (local.get $held)
      (then (memory.copy (local.get $at) (local.get $old)
        (select (local.get $held) (local.get $size) (i32.lt_u (local.get $held) (local.get $size))))))
    (local.get $at))

  ;; Opens an entry of the ledger, with so many bytes of arguments; returns its address, 0 where none is kept.
  (func $open (param $function i32) (param $mode i32) (param $from i32) (param $bytes i32) (result i32)
      (local $count i32) (local $entry i32)
    (if (i32.eqz (i32.and (local.get $mode) (i32.const {RECORD}))) (then (return (i32.const 0))))
    (local.set $count (i32.load offset={COUNT} (i32.const 0)))
    (if (i32.ge_u (local.get $count) (i32.const {CAPACITY}))
      (then (return (i32.const 0))))
    (i32.store offset={COUNT} (i32.const 0) (i32.add (local.get $count) (i32.const 1)))
    (local.set $entry (i32.add (i32.const {{ledger}}) (i32.mul (local.get $count) (i32.const {ENTRY}))))
    (i32.store (local.get $entry) (local.get $function))
    (i32.store offset=4 (local.get $entry) (i32.const 0))
    (i64.store offset=16 (local.get $entry) (i64.const 0))
    (memory.copy (i32.add (local.get $entry) (i32.const {ENTRY_ARGUMENTS})) (local.get $from) (local.get $bytes))
    (i64.store offset=8 (local.get $entry) (call $clock))
    (local.get $entry))
  ;; Makes room in the ledger before a call of the guest's.
  (func $settle
    (if (i32.gt_u (i32.load offset={COUNT} (i32.const 0)) (i32.const {CAPACITY - _MARGIN}))
      (then (call $drain) (i32.store offset={COUNT} (i32.const 0) (i32.const 0)))))
  ;; Keeps the beginning of a text argument: the first (0) or the second (1).
  (func $note (param $entry i32) (param $which i32) (param $at i32) (param $size i32)
    (local.set $size (select (local.get $size) (i32.const {TEXT}) (i32.lt_u (local.get $size) (i32.const {TEXT}))))
    (i32.store8 offset=4 (i32.add (local.get $entry) (local.get $which)) (local.get $size))
    (memory.copy (i32.add (i32.add (local.get $entry) (i32.const {ENTRY_TEXT}))
      (i32.mul (local.get $which) (i32.const {TEXT}))) (local.get $at) (local.get $size)))
  ;; Keeps the beginning of a text in the result.
  (func $note-result (param $entry i32) (param $at i32) (param $size i32)
    (local.set $size (select (local.get $size) (i32.const {RESULT_TEXT})
      (i32.lt_u (local.get $size) (i32.const {RESULT_TEXT}))))
    (i32.store8 offset=6 (local.get $entry) (local.get $size))
    (memory.copy (i32.add (local.get $entry) (i32.const {ENTRY_RESULT_TEXT})) (local.get $at) (local.get $size)))
  ;; Closes an entry: the result has so many bytes, at an address.
  (func $close (param $entry i32) (param $flags i32) (param $from i32) (param $bytes i32)
    (i64.store offset=16 (local.get $entry) (call $clock))
    (i32.store16 offset=2 (local.get $entry) (i32.or (local.get $flags) (i32.const {RETURNED})))
    (memory.copy (i32.add (local.get $entry) (i32.const {ENTRY_RESULT})) (local.get $from) (local.get $bytes)))
  ;; Asks the host; returns where the answer lies, 0 where the call is to be passed on.
  (func $question (param $function i32) (result i32) (local $space i32) (local $room i32) (local $took i32)
    (local.set $room (i32.const 4096))
    (loop $again (result i32)
      (local.set $space (call $allocate (i32.const 8) (local.get $room)))
      (local.set $took (call $ask (local.get $function) (i32.const {FRAME}) (local.get $space) (local.get $room)))
      (if (i32.lt_s (local.get $took) (i32.const 0))
        (then (global.set $top (local.get $space)) (return (i32.const 0))))
      (if (i32.gt_u (local.get $took) (local.get $room))
        (then
          (global.set $top (local.get $space))
          (local.set $room (local.get $took))
          (br $again)))
      (local.get $space)))
"""
"""Lacks `heap` and `ledger`, the addresses that depend on how much is wrapped."""

assert ENTRY_RESULT_TEXT + RESULT_TEXT <= ENTRY
