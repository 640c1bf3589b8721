"""Zig's C and C++ compilers, called without their driver: what the driver would say is asked once and kept.

`zig cc` spends most of a small build in its own cache. So its command lines are asked for once (`-###`),
its libraries are built once and copied out, and a cell costs one call of the compiler and one of the linker.
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
from labkernel._toolchains.versions import Tool

__all__ = ["Driver", "Kit"]

_TARGET: Final = ("-target", "wasm32-wasi")
_STACK: Final = 1 << 20
_PLACEHOLDER: Final = "@KIT@/"


@dataclass(frozen=True, slots=True)
class Kit:
    """What links a cell: the libraries as built once, and the linker's arguments."""

    folder: Path

    def link_line(self, zig: Tool, objects: Sequence[str], output: str) -> list[str]:
        """Return the command that links objects to a core module."""
        arguments = json.loads((self.folder / "link.json").read_text(encoding="utf-8"))
        line: list[str] = [str(zig.program), "wasm-ld"]
        for argument in arguments:
            if argument == "@OBJECTS@":
                line += objects
            elif argument == "@OUTPUT@":
                line.append(output)
            else:
                line.append(argument.replace(_PLACEHOLDER, f"{self.folder}/"))
        return line


@dataclass(frozen=True, slots=True)
class Driver:
    """One of zig's compilers. `always` are the arguments that every cell is compiled with.

    `form` changes when what is kept of it does.
    """

    language: str
    title: str
    command: str
    suffix: str
    always: tuple[str, ...]
    form: str

    def _key(self, zig: Tool) -> str:
        return key_of(self.form, zig.identity, _STACK)

    def find_kit(self, zig: Tool, cache: Cache) -> Kit | None:
        """Return the kit for this zig, or `None`."""
        found = cache.get("toolchain", self._key(zig))
        return Kit(found) if found else None

    def build_kit(self, zig: Tool, cache: Cache, progress: Callable[[str], None]) -> Kit:
        """Let zig build its libraries (half a minute), or return the kit that is there."""
        with cache.folder("toolchain", self._key(zig)) as (folder, is_new):
            if is_new:
                progress(
                    f"{self.title} library for WebAssembly (zig {zig.version}): building, about 1 minute, once"
                )
                work = cache.scratch()
                try:
                    self._link_once(zig, work, folder)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
        return Kit(cache.path("toolchain", self._key(zig)))

    def _link_once(self, zig: Tool, work: Path, folder: Path) -> None:
        source = f"cell{self.suffix}"
        (work / source).write_text("int labkernel_cell(void) { return 0; }\n", encoding="ascii")
        env = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
        common = [str(zig.program), self.command, *_TARGET, "-O2", "-fno-sanitize=undefined"]
        link = ["-mexec-model=reactor", "-s", f"-Wl,-z,stack-size={_STACK}", "cell.o", "-o", "core.wasm"]
        for command in ([*common, "-c", source, "-o", "cell.o"], [*common, *link, "-###"]):
            done = run(command, cwd=work, env=env, language=self.language, limits=Limits(timeout_s=900))
            if done.code != 0:
                raise CompileError(
                    f"zig {zig.version} cannot build its {self.title} library.",
                    language=self.language,
                    raw=done.text,
                )
        line = next((part for part in reversed(done.text.splitlines()) if "wasm-ld" in part), "")
        arguments = [_kept(argument, work, folder) for argument in shlex.split(line)[1:]]
        if "@OBJECTS@" not in arguments or "@OUTPUT@" not in arguments:
            raise ToolchainMissing(
                "zig",
                language=self.language,
                how="pip install ziglang==0.17.1",
                detail="It links otherwise.",
            )
        (folder / "link.json").write_text(json.dumps(arguments), encoding="utf-8")

    def compile_line(
        self, zig: Tool, cache: Cache, work: Path, *, level: str, flags: Sequence[str], source: str, output: str,
    ) -> list[str]:  # fmt: skip
        """Return the compiler's own command for a source; asked of zig once for each set of flags."""
        key = key_of("cc1 3", self.form, zig.identity, level, list(flags), list(self.always))
        kept = cache.get("versions", key)
        if kept is None:
            kept = cache.put("versions", key, json.dumps(self._ask(zig, work, level, flags)).encode())
        words = {"@SOURCE@": source, "@OUTPUT@": output}
        return [str(zig.program), *(words.get(a, a) for a in json.loads(kept.read_text(encoding="utf-8")))]

    def _ask(self, zig: Tool, work: Path, level: str, flags: Sequence[str]) -> list[str]:
        """Ask zig's driver for the arguments of `-cc1`."""
        source = f"cell_in{self.suffix}"
        given = [f"-O{level}", *self.always, *flags]
        command = [str(zig.program), self.command, *_TARGET, *given, "-c", source, "-o", "cell_out.o", "-###"]
        env = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
        (work / source).write_text("", encoding="ascii")
        done = run(command, cwd=work, env=env, language=self.language, limits=Limits(timeout_s=120))
        line = next((part for part in done.text.splitlines() if '"-cc1"' in part), "")
        if done.code != 0 or not line:
            raise CompileError("zig does not take these flags.", language=self.language, raw=done.text)
        arguments = []
        skip = False
        for argument in shlex.split(line)[1:]:
            if skip or argument == "-main-file-name":
                skip = not skip
            elif not re.match(r"-f(debug|coverage)-compilation-dir=|-fno-spell-checking$", argument):
                arguments.append({source: "@SOURCE@", "cell_out.o": "@OUTPUT@"}.get(argument, argument))
        (work / source).unlink()
        return arguments


def _kept(argument: str, work: Path, folder: Path) -> str:
    """Return an argument of the linker as the kit keeps it; libraries are copied into its folder."""
    path = work / argument
    if argument in ("cell.o", "core.wasm"):
        return "@OBJECTS@" if argument == "cell.o" else "@OUTPUT@"
    if argument.endswith((".o", ".a")) and path.is_file():
        shutil.copy2(path, folder / path.name)
        return _PLACEHOLDER + path.name
    return argument
