"""Writing by every way there is, where only reading was granted."""

from __future__ import annotations

from pathlib import Path

from hostile_guests import code_name
from hostile_kit import Arena


def test_writing_where_only_reading_is_granted(arena: Arena, tmp_path: Path) -> None:
    """Create, truncate, resize, rename, link, symlink, remove, make a folder: all refused, nothing changed."""
    (tmp_path / "file").write_text("as it was")
    (tmp_path / "folder").mkdir()
    attacker = arena.start("files", dirs=[f"{tmp_path}::/data"])
    tried = [
        attacker.open("new", 1, 3), attacker.open("file", 8, 3), attacker.open("file", 0, 2), attacker.fill(1),
        attacker.stretch(0), attacker.rename("file", "moved"), attacker.link("file", "second"),
        attacker.symlink("file", "link"), attacker.unlink("file"), attacker.mkdir("made"), attacker.rmdir("folder"),
    ]  # fmt: skip
    assert {code_name(answer) for answer in tried} <= {"not-permitted", "read-only", "access"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]
    assert attacker.read("file") == b"as it was"
