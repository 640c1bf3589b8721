"""A trap, and another call of the same instance."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import GuestTrap


def test_a_trapped_store_is_never_used_again(arena: Arena) -> None:
    """The host process refuses; the lab's instance starts anew, and says so."""
    attacker = arena.start("wasi")
    attacker.count()
    started = attacker._started
    arena.fails(GuestTrap, lambda: attacker["say-then-trap"]())
    assert started is not None
    arena.fails(
        GuestTrap, lambda: arena.lab.guests.call(started, "count", []), match="This instance is finished"
    )
    answer = attacker.call("count")
    assert answer.normal == 1
    assert "started anew" in answer.notes[0]
