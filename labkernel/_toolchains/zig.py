"""Where zig is: the binary inside the `ziglang` package, which serves C, C++ and Zig.

This module knows no cell and no world.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from labkernel._cache import Cache
from labkernel._toolchains.versions import Origin, Tool

__all__ = ["HOW_ZIG", "ZIG", "find_zig", "zig_binary"]

HOW_ZIG: Final = "pip install ziglang  (or labkernel[c])"
ZIG: Final = Origin(
    "zig", "ziglang", "ziglang", "zig.exe" if sys.platform == "win32" else "zig", HOW_ZIG, "0.15"
)


def zig_binary() -> Path | None:
    """Return the zig program of the `ziglang` package, or `None`."""
    found = ZIG.installed()
    return found.program if found else None


def find_zig(language: str, engine: str = "", cache: Cache | None = None) -> Tool:
    """Return zig, the installed one or the version that `--engine` names.

    Raises `ToolchainMissing` where it is not there.
    """
    return ZIG.find(language, engine, cache)
