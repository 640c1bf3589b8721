"""Zig's C compiler as C cells are compiled with it.

This module knows no cell and no world.
"""

from __future__ import annotations

from typing import Final

from labkernel._toolchains.zig_cc import Driver, Kit

__all__ = ["Kit", "build_kit", "compile_line", "find_kit"]

#: Always given: no debug information, no traps of the sanitizer, advice where the compiler has some.
_COMPILE: Final = (
    "-g0", "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-c23-extensions",
    "-fspell-checking", "-fdiagnostics-print-source-range-info",
)  # fmt: skip
_DRIVER: Final = Driver("c", "C", "cc", ".c", _COMPILE, "C kit 2")

find_kit = _DRIVER.find_kit
build_kit = _DRIVER.build_kit
compile_line = _DRIVER.compile_line
