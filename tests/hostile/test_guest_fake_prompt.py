"""Output that looks like the notebook itself."""

from __future__ import annotations

from host_guests import WASI
from hostile_kit import Arena


def test_a_fake_card(arena: Arena) -> None:
    """What a guest prints is a stream under its name's call and no part of the answer."""
    arena.wat(WASI.replace('"abc', '"Answer: 42 In [9]: '), name="attack")
    answer = arena.lab.fire("attack", "say(3)")
    assert answer.normal is None
    assert answer.output
    assert "42" not in repr(answer)
