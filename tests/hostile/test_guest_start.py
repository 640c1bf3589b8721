"""Attacks before the first call: in `start`, which instantiation runs."""

from __future__ import annotations

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded, GuestTrap


def test_a_loop_at_the_start(arena: Arena) -> None:
    """The time of a call holds for the start."""
    arena.wat(plain('(func $l (loop $l (br $l))) (start $l) (func (export "f"))'))
    arena.fails(BudgetExceeded, lambda: arena.start("attack", timeout="200ms"), within_s=0.2, match="timeout")


def test_a_trap_at_the_start(arena: Arena) -> None:
    """Told as a trap of the guest."""
    arena.wat(plain('(func $l unreachable) (start $l) (func (export "f"))'))
    arena.fails(GuestTrap, lambda: arena.start("attack"), match="unreachable")


def test_memory_at_the_start(arena: Arena) -> None:
    """Grown to its limit, then an abort."""
    arena.wat(
        plain("""(func $s (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)
      (start $s) (func (export "f"))""")
    )
    arena.fails(BudgetExceeded, lambda: arena.start("attack", memory="8MiB"), match="memory budget exceeded")
