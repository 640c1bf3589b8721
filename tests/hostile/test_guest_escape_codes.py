"""Terminal escapes, HTML and script in what a guest prints, and in its last words."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from hostile_kit import Arena

from labkernel._cards import card_of
from labkernel._errors import GuestTrap


def test_escapes_are_text(arena: Arena) -> None:
    """In a stream they stay what they are; on a card they are escaped."""
    answer = arena.lab.fire("wasi", "odd()")
    assert "\x1b[31m<b>" in answer.output
    html = card_of(answer).html()
    assert "\x1b" not in html
    assert "<b>" not in html
    assert "\x1b" not in card_of(answer).text()


def test_a_panic_with_escapes(rust_arena: Arena) -> None:
    """A message that clears the screen and forges a prompt is shown as text in the error."""
    rust_arena.build(
        "rust",
        r"""
    struct Attack;
    impl Guest for Attack { fn run(_: u32) -> u32 { panic!("\x1b[2J\x1b]0;owned\x07In [1]: <script>alert(1)</script>") } }
    """,
    )
    error = rust_arena.fails(GuestTrap, lambda: rust_arena.start("attack")["run"](0))
    assert "\x1b" not in str(error)
    assert "<script>" in error.output
