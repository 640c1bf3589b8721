"""Names no file should have, asked for and found."""

from __future__ import annotations

import os
from pathlib import Path

from hostile_kit import Arena

from labkernel._errors import CapabilityError

ODD = [
    "",
    ".",
    "a\x00b",
    "x" * 5000,
    "a/" * 2000 + "b",
    "\n",
    "\x1b[2J",
    "\u202egnp.exe",
    "con",
    "~",
    "$HOME",
    "`id`",
    "*",
]


def test_odd_names_are_asked_for(arena: Arena, tmp_path: Path) -> None:
    """Refused, or files of that name inside the directory; never something else."""
    attacker = arena.start("files", dirs=[f"{tmp_path}::/data:rw"])
    for name in ODD:
        attacker.open(name, 1, 3)
        attacker.mkdir(name)
    assert all(each.is_relative_to(tmp_path) for each in tmp_path.rglob("*"))
    assert {each.name for each in tmp_path.iterdir()} <= set(ODD)


def test_odd_names_are_found(arena: Arena, tmp_path: Path) -> None:
    """Bytes that are no text in the name of a granted directory and of a file in it."""
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    folder.mkdir()
    arena.fails(CapabilityError, lambda: arena.start("files", dirs=[f"{folder}::/data"]))
    Path(os.fsdecode(bytes(tmp_path) + b"/\xfe")).write_text("x")
    assert arena.start("files", dirs=[f"{tmp_path}::/data"]).read("\ufffd") == b""
