"""Zig's compiler as a tool: its command, and what it makes once on a machine.

Zig compiles its library's runtime once for each way to optimize and keeps what it read of the library, in a
cache folder of the lab's own. This module knows no cell and no world.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError
from labkernel._toolchains.process import Limits, run
from labkernel._toolchains.versions import Tool

__all__ = ["LEVELS", "build_cache", "command", "find_cache"]

_FORM: Final = "zig cache 1"
#: What each level of the lab is to Zig.
LEVELS: Final = {
    "0": "Debug",
    "1": "ReleaseSafe",
    "2": "ReleaseSafe",
    "3": "ReleaseFast",
    "s": "ReleaseSmall",
}
_STACK: Final = 1 << 20
_WARM: Final = """const std = @import("std");
export fn warm(a: usize, b: usize) usize {
    var list: std.ArrayList(u8) = .empty;
    list.print(std.heap.wasm_allocator, "{d} {s}", .{ a, "x" }) catch @panic("no memory");
    std.debug.print("{s} {any}\\n", .{ list.items, b });
    return list.items.len / b;
}
"""


def command(zig: Tool, mode: str, flags: Sequence[str], root: str, world: str = "") -> list[str]:
    """Return the command that makes a core module of a root file, which may import the module `world`."""
    modules = (
        ["--dep", "world", f"-Mroot={root}", f"-O{mode}", f"-Mworld={world}"] if world else [f"-Mroot={root}"]
    )
    return [
        str(zig.program), "build-exe", "-target", "wasm32-wasi", f"-O{mode}", *flags, *modules, "-mexec-model=reactor",
        "-fno-entry", "-rdynamic", "--stack", str(_STACK), "--color", "off", "-femit-bin=core.wasm",
    ]  # fmt: skip


def _key(zig: Tool) -> str:
    return key_of(_FORM, zig.identity, _WARM)


def find_cache(zig: Tool, cache: Cache) -> Path | None:
    """Return the folder of what this zig keeps, or `None` where it has yet to be made."""
    return cache.get("toolchain", _key(zig))


def build_cache(zig: Tool, cache: Cache, progress: Callable[[str], None]) -> Path:
    """Let zig compile once in each mode (half a minute), or return the folder that is there."""
    with cache.folder("toolchain", _key(zig)) as (folder, is_new):
        if is_new:
            progress(f"Zig {zig.version}: compiling its runtime, about 1 minute, once on this machine")
            work = cache.scratch()
            try:
                for mode in sorted(set(LEVELS.values())):
                    progress(f"Zig: {mode}")
                    _compile_once(zig, mode, work, folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return cache.path("toolchain", _key(zig))


def _compile_once(zig: Tool, mode: str, work: Path, folder: Path) -> None:
    (work / "warm.zig").write_text(_WARM, encoding="ascii")
    env = {"ZIG_GLOBAL_CACHE_DIR": str(folder), "ZIG_LOCAL_CACHE_DIR": str(work / "local")}
    done = run(
        command(zig, mode, (), "warm.zig"), cwd=work, env=env, language="zig", limits=Limits(timeout_s=900)
    )
    if done.code != 0:
        raise CompileError(
            f"zig {zig.version} cannot compile for WebAssembly.", language="zig", raw=done.text
        )
