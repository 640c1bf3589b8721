"""Tiny sleeps without end, and a billion looks at the clock."""

from __future__ import annotations

import pytest
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


@pytest.mark.parametrize(("function", "args"), [("naps", [100_000]), ("clock", [])])
def test_time_is_up(arena: Arena, function: str, args: list[int]) -> None:
    """The wall clock is the lab's."""
    attacker = arena.start("wasi", timeout="200ms")
    arena.fails(BudgetExceeded, lambda: attacker[function](*args), within_s=0.2, match="timeout")
