"""Bytes that are no component: noise, a cut, a core module, sizes that lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_kit import Arena

from labkernel._errors import ComponentError

HEADER = b"\0asm\x0d\0\x01\0"
HUGE = b"\xff\xff\xff\xff\x0f"
CASES = {
    "noise": bytes(range(256)) * 40, "nothing": b"", "text": b"#!/bin/sh\nrm -rf /\n", "core": b"\0asm\x01\0\0\0",
    "later": b"\0asm\x0e\0\x01\0", "a section of 4 GiB": HEADER + b"\x01" + HUGE + b"a",
    "4 billion types": HEADER + b"\x07\x06" + HUGE + b"a", "4 billion exports": HEADER + b"\x0b\x06" + HUGE + b"a",
    "an endless number": HEADER + b"\x07" + b"\x80" * 40, "custom section without a name": HEADER + b"\x00\x00",
    "a name of 4 GiB": HEADER + b"\x00\x05" + HUGE, "elf": b"\x7fELF" + bytes(100),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_no_component(arena: Arena, tmp_path: Path, name: str) -> None:
    """One clear error, and no memory taken for what is only announced."""
    path = tmp_path / "attack.wasm"
    path.write_bytes(CASES[name])
    arena.fails(ComponentError, lambda: arena.lab.load(path), within_s=1.0)


def test_a_component_cut_anywhere(arena: Arena, tmp_path: Path) -> None:
    """Every hundredth of a real one: refused, or still a component where the cut is between two sections."""
    whole = arena.lab.component("files").read()
    path = tmp_path / "cut.wasm"
    for size in range(8, len(whole), max(1, len(whole) // 100)):
        path.write_bytes(whole[:size])
        try:
            built = arena.lab.load(path)
        except ComponentError:
            continue
        assert len(built.functions) < len(arena.lab.component("files").functions)
