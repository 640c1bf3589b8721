"""Arguments that are deep, long or not what they seem."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

from typing import Any

import pytest
from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import UsageError, ValueDoesNotFit

TEXTS = ["f(" + "[" * 100_000, "f(" + "{a:" * 100_000, "f(some(" * 50_000, 'f("' + "\\u{1F600}" * 100_000, "f(" + "9" * 100_000 + ")",
         "f(1e999999999)", "f(" + "-" * 100_000 + ")", "f(\0)", "f(\ud800)", "f(%f)", "f" * 1_000_000, "", "f(nan)",
         "f({})", "__class__()", "f.__init__()", "f(__import__('os').system('true'))"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_wave(arena: Arena, text: str) -> None:
    """One clear and short error, before anything runs."""
    arena.wat(
        plain('(func (export "f") (param i32) (result i32) (local.get 0))', '(param "x" u32) (result u32)')
    )
    attacker = arena.start("attack")
    with pytest.raises((UsageError, ValueDoesNotFit)) as caught:
        attacker.call_text(text)
    assert len(str(caught.value)) < 2000
    assert attacker.f(3) == 3


class Liar:
    """A Python object that answers wrongly to everything it is asked."""

    def __len__(self) -> int:
        return 1 << 62

    def __iter__(self) -> Liar:
        return self

    def __next__(self) -> Liar:
        return self

    def __index__(self) -> int:
        return -1

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "x" * 10_000_000


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [Liar(), LOOP, 1 << 100_000, float("nan"), b"x" * 10_000_000, True, None, "7"],
    ids=lambda v: type(v).__name__,
)
def test_python_values(arena: Arena, value: object) -> None:
    """Refused with a path and a short word for the value."""
    arena.wat(
        plain('(func (export "f") (param i32) (result i32) (local.get 0))', '(param "x" u32) (result u32)')
    )
    error = arena.fails(ValueDoesNotFit, lambda: arena.start("attack").f(value), within_s=1.0)
    assert len(str(error)) < 1000
