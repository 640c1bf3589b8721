"""A poll for an hour: it blocks in the host, where no epoch runs."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_an_hour_of_waiting(arena: Arena) -> None:
    """The thread is abandoned, the answer comes on time, and says what the guest was doing."""
    attacker = arena.start("wasi", timeout="200ms")
    arena.fails(
        BudgetExceeded, lambda: attacker.nap(3600 * 10**9), within_s=0.2, match="waiting in a host call"
    )
