"""Output without end."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_a_flood(arena: Arena) -> None:
    """Cut at the cap, with a note; what came before is shown."""
    attacker = arena.start("wasi", output="64KiB")
    error = arena.fails(
        BudgetExceeded, lambda: attacker.flood(), match="output budget exceeded: the limit is 64 KiB"
    )
    text = "".join(arena.said)
    assert error.output == text
    assert len(text) < 66_000
    assert "output cut here" in text
