"""Pointers out of bounds, in results and from `realloc`."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

import pytest
from hostile_kit import Arena, plain_string

from labkernel._errors import BudgetExceeded, GuestTrap


@pytest.mark.parametrize(
    ("address", "size"), [("-1", "1"), ("65530", "100"), ("8", "-1"), ("-1", "-1"), ("65536", "0x7fffffff")]
)
def test_a_string_out_of_bounds(arena: Arena, address: str, size: str) -> None:
    """A trap that names it."""
    arena.wat(plain_string(f"(i32.const {address})", f"(i32.const {size})"))
    arena.fails(GuestTrap, lambda: arena.start("attack").f(), match="string that lies outside")


REALLOC = {"past the end": "(i32.const 65530)", "huge": "(i32.const -16)", "trap": "unreachable", "odd": "(i32.const 7)",
           "loop": "(loop $l (br $l)) (i32.const 0)"}  # fmt: skip


@pytest.mark.parametrize("how", REALLOC)
def test_realloc_lies(arena: Arena, how: str) -> None:
    """Past the end, below zero, unaligned, never: the host writes nowhere."""
    arena.wat(f"""(component (core module $m (memory (export "m") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) {REALLOC[how]})
      (func (export "f") (param i32 i32)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "s" (list u64))
        (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "realloc")))))""")
    kind = BudgetExceeded if how == "loop" else GuestTrap
    arena.fails(kind, lambda: arena.start("attack", timeout="200ms").f([1] * 100))


def test_realloc_overlaps(arena: Arena) -> None:
    """Two arguments at one place: the guest harms itself and nobody else."""
    arena.wat("""(component (core module $m (memory (export "m") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
      (func (export "f") (param i32 i32 i32 i32) (result i32)
        (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "s" string) (param "t" string) (result string)
        (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "realloc")))))""")
    assert arena.start("attack").f("first", "other") == "other"
