"""Zig's C compiler, called without its driver: what the driver would say is asked once and kept.

`zig cc` spends most of a small build in its own cache. So its command lines are asked for once (`-###`),
its library is built once and copied out, and a cell costs one call of the compiler and one of the linker.
This module knows no cell and no world.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, ToolchainMissing
from labkernel._toolchains.process import Limits, run
from labkernel._toolchains.zig import zig_identity

__all__ = ["Kit", "build_kit", "compile_line", "find_kit"]

_TARGET: Final = ("-target", "wasm32-wasi")
_FORM: Final = "C kit 2"
#: Always given: no debug information, no traps of the sanitizer, advice where the compiler has some.
_COMPILE: Final = (
    "-g0", "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-c23-extensions",
    "-fspell-checking", "-fdiagnostics-print-source-range-info",
)  # fmt: skip
_STACK: Final = 1 << 20
_PLACEHOLDER: Final = "@KIT@/"


@dataclass(frozen=True, slots=True)
class Kit:
    """What links a cell: the C library as built once, and the linker's arguments."""

    folder: Path

    def link_line(self, zig: Path, objects: Sequence[str], output: str) -> list[str]:
        """Return the command that links objects to a core module."""
        arguments = json.loads((self.folder / "link.json").read_text(encoding="utf-8"))
        line: list[str] = [str(zig), "wasm-ld"]
        for argument in arguments:
            if argument == "@OBJECTS@":
                line += objects
            elif argument == "@OUTPUT@":
                line.append(output)
            else:
                line.append(argument.replace(_PLACEHOLDER, f"{self.folder}/"))
        return line


def _key() -> str:
    return key_of(_FORM, zig_identity(), _STACK)


def find_kit(cache: Cache) -> Kit | None:
    """Return the kit for this zig, or `None`."""
    found = cache.get("toolchain", _key())
    return Kit(found) if found else None


def build_kit(zig: Path, cache: Cache, progress: Callable[[str], None]) -> Kit:
    """Let zig build its C library (half a minute), or return the kit that is there."""
    with cache.folder("toolchain", _key()) as (folder, is_new):
        if is_new:
            progress("C library for WebAssembly: building, about 1 minute, once on this machine")
            work = cache.scratch()
            try:
                _link_once(zig, work, folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return Kit(cache.path("toolchain", _key()))


def _link_once(zig: Path, work: Path, folder: Path) -> None:
    (work / "cell.c").write_text("int labkernel_cell(void) { return 0; }\n", encoding="ascii")
    env = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
    common = [str(zig), "cc", *_TARGET, "-O2", "-fno-sanitize=undefined"]
    commands = (
        [*common, "-c", "cell.c", "-o", "cell.o"],
        [
            *common,
            "-mexec-model=reactor",
            "-s",
            f"-Wl,-z,stack-size={_STACK}",
            "cell.o",
            "-o",
            "core.wasm",
            "-###",
        ],
    )
    for command in commands:
        done = run(command, cwd=work, env=env, language="c", limits=Limits(timeout_s=900))
        if done.code != 0:
            raise CompileError("zig cannot build its C library.", language="c", raw=done.text)
    line = next((part for part in reversed(done.text.splitlines()) if "wasm-ld" in part), "")
    arguments = []
    for argument in shlex.split(line)[1:]:
        path = work / argument
        if argument in ("cell.o", "core.wasm"):
            arguments.append("@OBJECTS@" if argument == "cell.o" else "@OUTPUT@")
        elif argument.endswith((".o", ".a")) and path.is_file():
            shutil.copy2(path, folder / path.name)
            arguments.append(_PLACEHOLDER + path.name)
        else:
            arguments.append(argument)
    if "@OBJECTS@" not in arguments or "@OUTPUT@" not in arguments:
        raise ToolchainMissing(
            "zig", language="c", how="pip install ziglang==0.17.1", detail="It links otherwise."
        )
    (folder / "link.json").write_text(json.dumps(arguments), encoding="utf-8")


def compile_line(
    zig: Path, cache: Cache, work: Path, *, level: str, flags: Sequence[str], source: str, output: str
) -> list[str]:
    """Return the compiler's own command for a source; asked of zig once for each set of flags."""
    key = key_of("cc1 2", zig_identity(), level, list(flags), list(_COMPILE))
    kept = cache.get("versions", key)
    if kept is None:
        kept = cache.put("versions", key, json.dumps(_ask(zig, work, level, flags)).encode())
    words = {"@SOURCE@": source, "@OUTPUT@": output}
    return [str(zig), *(words.get(a, a) for a in json.loads(kept.read_text(encoding="utf-8")))]


def _ask(zig: Path, work: Path, level: str, flags: Sequence[str]) -> list[str]:
    """Ask zig's driver for the arguments of `-cc1`."""
    command = [
        str(zig),
        "cc",
        *_TARGET,
        f"-O{level}",
        *_COMPILE,
        *flags,
        "-c",
        "cell_in.c",
        "-o",
        "cell_out.o",
        "-###",
    ]
    env = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
    (work / "cell_in.c").write_text("", encoding="ascii")
    done = run(command, cwd=work, env=env, language="c", limits=Limits(timeout_s=120))
    line = next((part for part in done.text.splitlines() if '"-cc1"' in part), "")
    if done.code != 0 or not line:
        raise CompileError("zig does not take these flags.", language="c", raw=done.text)
    arguments = []
    skip = False
    for argument in shlex.split(line)[1:]:
        if skip or argument == "-main-file-name":
            skip = not skip
        elif not re.match(r"-f(debug|coverage)-compilation-dir=|-fno-spell-checking$", argument):
            arguments.append({"cell_in.c": "@SOURCE@", "cell_out.o": "@OUTPUT@"}.get(argument, argument))
    (work / "cell_in.c").unlink()
    return arguments
