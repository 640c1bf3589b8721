"""Where zig is: the binary inside the `ziglang` package, which serves C now and more languages later.

This module knows no cell and no world.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from labkernel._errors import ToolchainMissing
from labkernel._toolchains.base import identity_of

__all__ = ["HOW_ZIG", "find_zig", "zig_binary", "zig_identity", "zig_version"]

HOW_ZIG: Final = "pip install ziglang  (or labkernel[c])"


@functools.cache
def _installed() -> Path | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    found = folder / ("zig.exe" if sys.platform == "win32" else "zig")
    return found if found.is_file() else None


def zig_binary() -> Path | None:
    """Return the zig program of the `ziglang` package, or `None`."""
    found = _installed()
    if found is None:
        _installed.cache_clear()
    return found


def find_zig(language: str) -> Path:
    """Return the zig program; raise `ToolchainMissing` where it is not installed."""
    found = zig_binary()
    if found is None:
        raise ToolchainMissing("zig", language=language, how=HOW_ZIG)
    return found


def zig_identity() -> str:
    """Return what changes with zig; empty where it is missing."""
    found = zig_binary()
    return identity_of(found) if found else ""


def zig_version() -> str | None:
    """Return the version of the package, or `None`."""
    try:
        return metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        return None
