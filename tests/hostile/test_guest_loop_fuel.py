"""An endless loop under a fuel budget."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_an_endless_loop_under_fuel(arena: Arena) -> None:
    """It burns out."""
    attacker = arena.start("wasi", fuel=1_000_000)
    error = arena.fails(
        BudgetExceeded, lambda: attacker.spin(), match="fuel budget exceeded: the limit is 1000000"
    )
    assert error.budget == "fuel"
