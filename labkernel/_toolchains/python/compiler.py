"""The Python of components as a compiler: a component made once for a machine, asked by the lab.

It judges syntax that the lab's own Python may not know, and compiles packages ahead, which an instance would
otherwise do at each start. It runs in the host process like any guest, with one folder at most. This module
knows no cell.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any, Final

from labkernel._cache import key_of
from labkernel._errors import CacheDamaged, CompileError, LabError
from labkernel._host import EngineSettings, Start, Supervisor, load_or_make
from labkernel._toolchains.base import Context, Options
from labkernel._toolchains.python import tools
from labkernel._toolchains.versions import Tool
from labkernel._wit import Package, World

__all__ = ["check", "compile_folder", "prepare"]

_KIND: Final = "toolchain"
_WIT: Final = """package lab:python;
world compiler {
  export check: func(text: string, file: string) -> option<tuple<string, u32, u32, u32>>;
  export compile-folder: func(folder: string) -> u32;
}
"""
_APP: Final = '''"""The compiler."""

import os

from labkernel._toolchains.python.guest import compiling
from labkernel._toolchains.python.guest.loading import prepare


class WitWorld:
    check = staticmethod(compiling.check)
    compile_folder = staticmethod(compiling.compile_folder)


prepare(globals(), {"exports": [], "imports": [], "preload": []}, os.path.dirname(__file__))
'''
#: It works for moments: making its machine code may take less time than Cranelift's.
_SETTINGS: Final = EngineSettings("winch")


def prepare(tool: Tool, context: Context) -> None:
    """Make the compiler where it is not there yet, and with it the library that every component carries."""
    key, cache = _key(tool), context.cache

    def is_there() -> bool:
        return cache.get(_KIND, key, ".wasm") is not None and tools.find_library(tool, cache) is not None

    if is_there():
        return
    with cache.building(_KIND, key):
        if not is_there():
            python = tools.guest_python(tool, cache)
            context.progress(
                f"Python {python} for WebAssembly: compiling its library, about half a minute, once"
            )
            _make(tool, key, context)


def _make(tool: Tool, key: str, context: Context) -> None:
    package = Package("lab:python", (), (), "", (("world.wit", _WIT),))
    wasm, done = tools.componentize(
        tool,
        {f"{tools.APP}.py": _APP},
        {},
        package,
        World("compiler", "lab:python"),
        context,
        Options(timeout_s=900),
    )
    if done.code != 0:
        raise CompileError("componentize-py cannot make a component.", language="python", raw=done.text)
    context.cache.put(_KIND, key, wasm, ".wasm")


def _key(tool: Tool) -> str:
    return key_of("python compiler", tools.identity(tool), _APP, _WIT)


def check(text: str, file: str, tool: Tool, context: Context) -> tuple[str, int, int, int] | None:
    """Return what is wrong with a text by the Python of components, or `None` where nothing is, or none can tell."""
    with contextlib.suppress(LabError):
        found = _ask(tool, context, "check", [text, file], ())
        if found:
            message, line, column, end = found[0]
            return message, line, column, end
    return None


def compile_folder(folder: Path, place: str, tool: Tool, context: Context) -> int:
    """Compile the modules of a folder that a guest will see at `place`; return how many, 0 where it cannot be done."""
    with contextlib.suppress(LabError):
        return int(_ask(tool, context, "compile-folder", [place], ((str(folder), place, True),)) or 0)
    return 0


def _ask(
    tool: Tool, context: Context, function: str, args: list[Any], dirs: tuple[tuple[str, str, bool], ...]
) -> Any:
    host = context.supervisor
    if not isinstance(host, Supervisor):
        return None
    prepare(tool, context)
    key = _key(tool)
    wasm = context.cache.path(_KIND, key, ".wasm")
    code = context.cache.path(_KIND, key_of(key, _SETTINGS.key, host.key_id), ".cwasm")

    def make() -> None:
        data = wasm.read_bytes()
        if hashlib.sha256(data).hexdigest() != context.cache.digest(_KIND, key, ".wasm"):
            context.cache.drop(_KIND, key, ".wasm")
            raise CacheDamaged(
                f"The cached compiler of Python {tool.version} is damaged; it will be made again."
            )
        host.codegen(data, code, settings=_SETTINGS, timeout_s=120.0)

    loaded = load_or_make(host, code, _SETTINGS, cache=context.cache, make=make)
    started = host.instantiate(loaded, Start(dirs=dirs, memory_bytes=1 << 30, timeout_s=120.0))
    try:
        return host.call(started, function, args).result
    finally:
        host.drop(started)
