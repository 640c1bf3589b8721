"""A guest that exits instead of answering."""

from __future__ import annotations

from hostile_kit import Arena

from labkernel._errors import GuestExit


def test_exit(arena: Arena) -> None:
    """Its status is told; nothing else ends."""
    for status, case in ((0, ["ok", None]), (1, ["err", None])):
        attacker = arena.start("wasi")
        call = lambda attacker=attacker, case=case: attacker.call_normal(attacker.find("leave"), [case])  # noqa: E731
        assert arena.fails(GuestExit, call).status == status


def test_exit_in_c(c_arena: Arena) -> None:
    """`exit(3)`: WASI 0.2 tells success from failure and no more."""
    c_arena.build("c", "#include <stdlib.h>\nuint32_t run(uint32_t n) { exit(n); }")
    assert c_arena.fails(GuestExit, lambda: c_arena.start("attack")["run"](3)).status in (1, 3)
