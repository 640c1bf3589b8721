"""Standard input read to its end where none was granted."""

from __future__ import annotations

from hostile_kit import Arena


def test_stdin_is_at_its_end(arena: Arena) -> None:
    """At once, and nothing of the notebook's input is there."""
    assert arena.start("wasi").stdin() == ""
