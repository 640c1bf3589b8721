"""A named pipe in a granted directory, which nobody ever writes to."""

from __future__ import annotations

import os
from pathlib import Path

from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_reading_a_pipe(arena: Arena, tmp_path: Path) -> None:
    """The host's read never comes back; the guest is stopped on time all the same."""
    os.mkfifo(tmp_path / "pipe")
    attacker = arena.start("wasi", timeout="200ms", dirs=[f"{tmp_path}::/data"])
    arena.fails(BudgetExceeded, lambda: attacker.pipe(), within_s=0.2, match="timeout")
