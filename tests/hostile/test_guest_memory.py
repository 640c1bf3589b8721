"""Memory taken until there is none."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_growing_memory(arena: Arena) -> None:
    """Growth is refused at the budget; the guest's own abort is told as what it is."""
    arena.wat(
        plain("""(func (export "f") (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      unreachable)""")
    )
    attacker = arena.start("attack", memory="16MiB")
    error = arena.fails(
        BudgetExceeded, lambda: attacker.f(), match="memory budget exceeded: the limit is 16 MiB"
    )
    assert error.used.endswith("MiB")


def test_allocating_in_c(c_arena: Arena) -> None:
    """malloc until it refuses, then an abort: the same budget by the same name."""
    c_arena.build(
        "c",
        """
    #include <stdlib.h>
    uint32_t run(uint32_t n) { for (;;) { volatile char *p = malloc(1 << 20); if (!p) abort(); for (int i = 0; i < 1 << 20; i += 4096) p[i] = 1; } }
    """,
    )
    attacker = c_arena.start("attack", memory="16MiB")
    c_arena.fails(BudgetExceeded, lambda: attacker["run"](0), match="memory budget exceeded")
