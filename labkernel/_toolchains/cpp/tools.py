"""Zig's C++ compiler as C++ cells are compiled with it, and a world's header compiled in advance.

Reading the library's headers takes most of a small build; so they are read once for each world, together
with the world's own header. This module knows no cell.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Limits, run
from labkernel._toolchains.versions import Tool
from labkernel._toolchains.zig_cc import Driver, Kit

__all__ = [
    "WHOLE",
    "Kit",
    "Prepared",
    "build_kit",
    "compile_line",
    "find_kit",
    "prepare",
    "whole_header",
]

#: Always given: no exceptions and no run-time types, no debug information, advice where the compiler has some.
_COMPILE: Final = (
    "-std=c++23", "-fno-exceptions", "-fno-rtti", "-g0", "-fno-sanitize=undefined", "-Wall", "-Wextra",
    "-Wno-unused-parameter", "-fspell-checking", "-fdiagnostics-print-source-range-info",
)  # fmt: skip
_DRIVER: Final = Driver("cpp", "C++", "c++", ".cpp", _COMPILE, "C++ kit 1")
#: What every cell has without asking for it.
_LIBRARY: Final = """
    algorithm array charconv cmath cstdint cstdio cstdlib cstring expected functional map memory numeric
    optional set span string string_view tuple unordered_map unordered_set utility variant vector
"""
_SHAPE: Final = "cpp prepared 1"

#: The header that has all others, compiled in advance.
WHOLE: Final = "labkernel_world.h"

find_kit = _DRIVER.find_kit
build_kit = _DRIVER.build_kit


def whole_header(name: str) -> str:
    """Return the header of everything that a cell has without asking for it."""
    includes = "".join(f"#include <{header}>\n" for header in _LIBRARY.split())
    return f'{includes}#include "{name}_cpp.h"\n'


@dataclass(frozen=True, slots=True)
class Prepared:
    """A world's bindings, compiled: the headers in advance, and the object to link."""

    headers: Path
    folder: Path

    @property
    def pch(self) -> Path:
        """The headers, compiled."""
        return self.folder / "world.pch"

    @property
    def unit(self) -> Path:
        """The bindings' own code."""
        return self.folder / "bindings.o"


def compile_line(
    zig: Tool, cache: Cache, work: Path, prepared: Prepared, *, level: str, flags: Sequence[str], source: str,
    output: str,
) -> list[str]:  # fmt: skip
    """Return the command that compiles a source against a world's headers."""
    line = _DRIVER.compile_line(zig, cache, work, level=level, flags=flags, source=source, output=output)
    line[2:2] = ["-include-pch", str(prepared.pch), "-I", str(prepared.headers), "-I", "."]
    return line


def prepare(
    zig: Tool, cache: Cache, headers: Path, name: str, progress: Callable[[str], None], *, level: str,
    flags: Sequence[str],
) -> Prepared:  # fmt: skip
    """Return a world's headers and bindings as compiled for these flags; done once, in some seconds."""
    key = key_of(_SHAPE, headers.name, zig.identity, level, list(flags), list(_COMPILE), _LIBRARY)
    with cache.folder("bindings", key) as (folder, is_new):
        if is_new:
            progress(f"C++: reading the headers of {name}, once for this world")
            work = cache.scratch()
            try:
                _prepare(zig, cache, Prepared(headers, work), name, level=level, flags=flags)
                for made in (work / "world.pch", work / "bindings.o"):
                    shutil.move(made, folder / made.name)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return Prepared(headers, cache.path("bindings", key))


def _prepare(zig: Tool, cache: Cache, made: Prepared, name: str, *, level: str, flags: Sequence[str]) -> None:
    work = made.folder
    line = _DRIVER.compile_line(
        zig, cache, work, level=level, flags=[*flags, "-w"], source=str(made.headers / WHOLE),
        output="world.pch",
    )  # fmt: skip
    words = {"-emit-obj": "-emit-pch", "c++": "c++-header"}
    header = [words.get(word, word) for word in line if word != "-clear-ast-before-backend"]
    header[2:2] = ["-I", str(made.headers)]
    bindings = compile_line(
        zig, cache, work, made, level=level, flags=[*flags, "-w"], source=str(made.headers / f"{name}.cpp"),
        output="bindings.o",
    )  # fmt: skip
    env = {"TMPDIR": str(work), "HOME": str(work), "ZIG_LOCAL_CACHE_DIR": str(work)}
    wall = Confinement((zig.program.parent, made.headers), (work,))
    for each in (header, bindings):
        done = run(each, cwd=work, language="cpp", env=env, limits=Limits(300), confinement=wall)
        if done.code != 0:
            raise CompileError(
                f"The C++ bindings of the world {name} do not compile.", language="cpp", raw=done.text
            )
