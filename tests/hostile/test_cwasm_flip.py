"""Machine code in the cache that is not what was written."""

# ruff: noqa: E501 - text of components

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hostile_kit import Arena

from labkernel._errors import CacheDamaged

WAT = '(component (core module $m (func (export "f") (result i32) (i32.const {}))) (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))'


def spoil(path: Path, how: str, other: Path) -> None:
    """Damage a file of machine code."""
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[len(data) // 2] ^= 1
    elif how == "cut":
        del data[len(data) // 2 :]
    elif how == "empty":
        data.clear()
    elif how == "swap":
        data = bytearray(other.read_bytes())
    elif how == "forged":
        data[-32:] = hashlib.sha256(data[:-48]).digest()
    path.unlink()
    path.symlink_to(other) if how == "link" else path.write_bytes(data)


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "swap", "link", "forged"])
def test_damaged_machine_code_is_never_loaded(arena: Arena, how: str) -> None:
    """It is made again; the guest answers as built, and not as the file would have it."""
    other = arena.wat(WAT.format(666), name="other")
    build = arena.wat(WAT.format(7), name="attack")
    spoil(build.code, how, other.code)
    arena.fails(CacheDamaged, lambda: arena.lab.guests.load(build.code), match=build.code.name[:12])
    assert arena.start(build).f() == 7
    assert not build.code.is_symlink()
