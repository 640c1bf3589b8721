"""A granted writable directory filled without end."""

from __future__ import annotations

from pathlib import Path

from hostile_guests import code_name
from hostile_kit import Arena

from labkernel._errors import BudgetExceeded


def test_filling_a_directory(arena: Arena, tmp_path: Path) -> None:
    """Stopped at the disk budget, long before the time is up; nothing outside is touched."""
    inside = tmp_path / "in"
    inside.mkdir()
    attacker = arena.start("files", dirs=[f"{inside}::/data:rw"], disk="2MiB", timeout="30s")
    error = arena.fails(
        BudgetExceeded, lambda: attacker.fill(2**32 - 1), match="disk budget exceeded: the limit is 2 MiB"
    )
    assert error.budget == "disk"
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "file"]


def test_one_endless_file(arena: Arena, tmp_path: Path) -> None:
    """A file of a terabyte without a byte in it: the system refuses."""
    attacker = arena.start("files", dirs=[f"{tmp_path}::/data:rw"], disk="2MiB")
    assert code_name(attacker.stretch(1 << 40)) == "file-too-large"
