"""A string of sixty megabytes, again and again."""

from __future__ import annotations

from pathlib import Path

from hostile_kit import Arena, plain_string


def test_big_strings(arena: Arena) -> None:
    """Delivered, and the host process does not keep them."""
    arena.wat(
        plain_string(
            "(i32.const 65536)",
            "(i32.const 60000000)",
            "(func $s (drop (memory.grow (i32.const 960)))) (start $s)",
        )
    )
    attacker = arena.start("attack")
    for _ in range(3):
        assert len(attacker.f()) == 60_000_000
    attacker.drop()
    pages = int(Path(f"/proc/{arena.lab.guests.pid}/statm").read_text().split()[1])
    assert pages * 4096 < 300 << 20
