"""A string that is not UTF-8."""

from __future__ import annotations

from hostile_kit import Arena, plain_string

from labkernel._errors import GuestTrap


def test_bad_text(arena: Arena) -> None:
    """A trap that says so."""
    arena.wat(plain_string("(i32.const 32)", "(i32.const 2)", '(data (i32.const 32) "\\ff\\fe")'))
    arena.fails(GuestTrap, lambda: arena.start("attack").f(), match="not valid text")
