"""Deep recursion, called from a thread with a small stack."""

from __future__ import annotations

import threading

from host_guests import plain
from hostile_kit import Arena

from labkernel._errors import GuestTrap


def test_recursion_from_a_small_thread(arena: Arena) -> None:
    """The caller's stack does not matter."""
    arena.wat(plain('(func $r (export "f") (call $r))'))
    found: list[GuestTrap] = []
    old = threading.stack_size(64 << 10)
    try:
        call = lambda: found.append(arena.fails(GuestTrap, lambda: arena.start("attack").f()))  # noqa: E731
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert "stack overflow" in str(found[0])
