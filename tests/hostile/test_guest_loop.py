"""An endless loop without a host call."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_an_endless_loop(arena: Arena) -> None:
    """The engine's epoch ends it, on time."""
    attacker = arena.start("wasi", timeout="200ms")
    error = arena.fails(
        BudgetExceeded, lambda: attacker.spin(), within_s=0.2, match="timeout budget exceeded"
    )
    assert error.budget == "timeout"
    assert (error.limit, bool(error.used)) == ("200 ms", True)
