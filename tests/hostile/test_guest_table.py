"""A table grown to a hundred million elements."""

from __future__ import annotations

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_growing_a_table(arena: Arena) -> None:
    """Growth is refused; a table that begins too large does not start."""
    arena.wat(
        plain(
            """(table 1 funcref) (func (export "f") (result i32)
      (table.grow (ref.null func) (i32.const 100000000)))""",
            "(result s32)",
        )
    )
    assert arena.start("attack").f() == -1
    arena.wat(plain('(table 2000000 funcref) (func (export "f"))'))
    error = arena.fails(BudgetExceeded, lambda: arena.start("attack"), match="table budget exceeded")
    assert error.used == "2000000"
