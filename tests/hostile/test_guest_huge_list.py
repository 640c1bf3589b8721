"""A list of a hundred million elements."""

from __future__ import annotations

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_a_huge_list(arena: Arena) -> None:
    """Values have a budget."""
    arena.wat(
        plain(
            """(func (export "f") (result i32) (drop (memory.grow (i32.const 1600)))
      (i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const 100000000)) (i32.const 8))""",
            "(result (list u8))",
            '(memory (core memory $i "m"))',
        )
    )
    arena.fails(BudgetExceeded, lambda: arena.start("attack").f(), match="value size")
