"""Recursion without end."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import GuestTrap


def test_recursion(arena: Arena) -> None:
    """The guest's stack ends, not the process's."""
    arena.wat(plain('(func $r (export "f") (call $r))'))
    arena.fails(GuestTrap, lambda: arena.start("attack").f(), match="stack overflow")


def test_recursion_in_c(c_arena: Arena) -> None:
    """The stack in linear memory runs into the data below it or out of memory: a trap either way."""
    c_arena.build(
        "c",
        """
    static uint32_t deep(uint32_t n, volatile char *up) { volatile char here[4096]; here[0] = up[0]; return deep(n + 1, here) + here[0]; }
    uint32_t run(uint32_t n) { volatile char c = 0; return deep(n, &c); }
    """,
    )
    c_arena.fails(GuestTrap, lambda: c_arena.start("attack")["run"](0), match="trapped")
