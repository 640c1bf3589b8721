"""Python by componentize-py: a cell defines the world's functions, in the Python that is inside the component.

The development form is a runtime made once for each world, which reads the cell when it starts; the release
form is the same with the cell baked in. This module knows no notebook.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, Diagnostic, LabError, UsageError, did_you_mean
from labkernel._toolchains.base import (
    Artifact,
    Context,
    Options,
    Snippet,
    Supplies,
    ToolStatus,
)
from labkernel._toolchains.python import compiler, tools
from labkernel._toolchains.python.cell import Cell, read
from labkernel._toolchains.python.failures import explain
from labkernel._toolchains.python.names import exports_of, signature
from labkernel._toolchains.python.packages import PLACE, Site, site_of
from labkernel._toolchains.python.scaffold import COMMON, app_of
from labkernel._toolchains.python.starter import starter
from labkernel._toolchains.refusals import check_file_name, refuse_async
from labkernel._toolchains.versions import Origin, Tool, Versioned
from labkernel._wit import Function, Package, World

__all__ = ["Python"]

_HOW_SETUP: Final = "labkernel setup python"
_TAKEN: Final = frozenset({"cell.py", "wit_world.py", "componentize_py_types.py"})
_OWN: Final = frozenset({"wit_world", "componentize_py_types", "cell", "__future__", "__main__"})

#: Seen with componentize-py 0.25.1: neither `__del__` nor a weak reference's callback comes after a drop.
_KEPT: Final = "objects of the classes that the world exports live as long as their instance: none is let go."


class Python(Versioned):
    """The Python toolchain."""

    language: ClassVar[str] = "python"
    title: ClassVar[str] = "Python"
    aliases: ClassVar[tuple[str, ...]] = ("py", "python3")
    extensions: ClassVar[tuple[str, ...]] = (".py",)
    caveats: ClassVar[tuple[str, ...]] = (
        "hash() of a string is the same in every instance, in both forms: the interpreter's seed is baked in.",
    )

    origin: ClassVar[Origin] = tools.COMPONENTIZE_PY

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies componentize-py and what runs beside the cell."""
        try:
            return tools.identity(self.origin.find("python", options.engine, cache))
        except LabError:
            return ""

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for componentize-py and the standard library it was warmed with."""
        tool = self.origin.installed()
        version = tool.version if tool else None
        python = tools.guest_python(tool, cache) if tool and tools.find_library(tool, cache) else None
        library = f"Python {python}" if python else None
        return [
            ToolStatus(
                "componentize-py",
                version,
                "makes components of Python cells",
                tools.HOW,
                "python",
                minutes=0.5,
            ),
            ToolStatus(
                "Python library for WebAssembly",
                library,
                "what Python cells import",
                _HOW_SETUP,
                "python",
                minutes=0.5,
            ),
            *self.origin.rows("python", cache),
        ]

    def prepare(self, tool: Tool, context: Context) -> None:
        """Make the compiler of the Python inside components, and the library that all of them carry."""
        compiler.prepare(tool, context)

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Check the cell; then hand it to the world's runtime, or bake it."""
        package, world = self.needs(package, world)
        _refuse_options(options)
        refuse_async(world.functions())
        tool = self.origin.find("python", options.engine, context.cache)
        started = time.perf_counter_ns()
        job = _Job.of(tool, snippet, package, world, options, context)
        checked = time.perf_counter_ns() - started
        return job.release(checked) if options.release else job.development(checked)

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell with every function the world asks for."""
        return starter(world) if world else "def handle(event):\n    return\n"

    def signature_hint(self, function: Function, world: World) -> str:
        """Return how a cell defines the function."""
        for export in exports_of(world):
            if export.function.full_name == function.full_name:
                return f"{signature(export)}:"
        return function.text

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the modules that describe the world's types and functions."""
        return tools.bindings(self.origin.find("python"), package, world, context)


def _stem(name: str) -> str:
    """Return the name of the cell's file, which tracebacks show."""
    return re.sub(r"\W", "_", name) or "cell"


def _refuse_options(options: Options) -> None:
    if options.flags:
        raise UsageError(f"The flag {options.flags[0]!r} is not taken: a Python cell has no flags.")
    if options.opt:
        raise UsageError(f"--opt {options.opt}: a Python cell is not optimized; leave it out.")


@dataclass(frozen=True, slots=True)
class _Job:
    """One build: the cell as it was read, and what stands around it."""

    tool: Tool
    snippet: Snippet
    cell: Cell
    others: tuple[Cell, ...]
    package: Package
    world: World
    options: Options
    context: Context
    site: Site | None

    @classmethod
    def of(
        cls, tool: Tool, snippet: Snippet, package: Package, world: World, options: Options, context: Context
    ) -> _Job:
        """Read a cell and its files; raise `CompileError` for what can be seen to be wrong."""
        file = f"{_stem(snippet.name)}.py"
        judge = functools.partial(compiler.check, tool=tool, context=context)
        others = []
        for name, text in snippet.files:
            if check_file_name(name) in _TAKEN or name == file:
                raise UsageError(
                    f"The file name {name!r} is taken by the build itself; give the file another name."
                )
            if name.removesuffix(".py").split("/")[0] in sys.stdlib_module_names:
                raise UsageError(
                    f"The file {name!r} would hide a module of the standard library; give it another name."
                )
            if name.endswith(".py"):
                others.append(read(text, name, judge))
        cell = read(snippet.text.removeprefix("\ufeff"), file, judge)
        site = site_of(options.deps, tool, context, options) if options.deps else None
        job = cls(tool, snippet, cell, tuple(others), package, world, options, context, site)
        job.check()
        return job

    def check(self) -> None:
        """Raise `CompileError` for missing functions and for modules that nobody has."""
        problems = [*self.cell.missing(exports_of(self.world), self.world.name), *self._unknown_modules()]
        if problems:
            count = f"{len(problems)} error{'s' if len(problems) > 1 else ''}"
            raise CompileError(f"The cell does not build: {count}.", language="python", diagnostics=problems)

    def _unknown_modules(self) -> list[Diagnostic]:
        library = tools.library_modules(self.tool, self.context.cache)
        if not library:
            return []
        own = {name.removesuffix(".py").split("/")[0] for name, _ in self.snippet.files}
        known = {*library, *own, *_OWN, *(self.site.modules if self.site else ())}
        found = []
        for name, node, is_certain in self.cell.imports():
            top = name.partition(".")[0]
            if is_certain and top not in known:
                hint = f"a pure-Python package comes with --dep {top}; one with native code cannot run in WebAssembly"
                found.append(
                    self.cell.place(f"no module named `{top}`.{did_you_mean(top, known)}", node, hint=hint)
                )
        return found

    @property
    def payload(self) -> dict[str, Any]:
        """The cell as the component gets it."""
        return {
            "file": self.cell.file,
            "text": self.snippet.text.removeprefix("\ufeff"),
            "files": [list(each) for each in self.snippet.files],
        }

    def development(self, checked: int) -> Artifact:
        """Return the world's runtime, made where there is none yet, and what it is started with."""
        key = key_of(
            "python runtime",
            tools.identity(self.tool),
            [list(f) for f in self.package.files],
            self.world.full_name,
        )
        phases = {"compile": checked}
        commands: list[str] = []

        def make() -> bytes:
            self.context.progress(
                f"Python runtime of the world {self.world.name}: about 20 s, once for this world"
            )
            wasm, command, ns = self._componentize(COMMON, None)
            phases["componentize"] = ns
            commands.append(command)
            return wasm

        runtime = self.context.runtime(key, make)
        env = [("LABKERNEL_SNIPPET", json.dumps(self.payload, ensure_ascii=False))]
        dirs: tuple[tuple[str, str], ...] = ()
        if self.site:
            env.append(("LABKERNEL_PACKAGES", PLACE))
            dirs = ((str(self.site.folder), PLACE),)
        return Artifact(
            phases=phases, diagnostics=self._warnings(), form="development", commands=tuple(commands),
            tool_versions=self._versions(), runtime=runtime, supplies=Supplies(tuple(env), dirs),
        )  # fmt: skip

    def release(self, checked: int) -> Artifact:
        """Return a component with the cell, its files and its packages baked in."""
        self.context.progress("Python: baking the component, about 10 s")
        preload = tuple(
            dict.fromkeys(name for cell in (self.cell, *self.others) for name, _, _ in cell.imports())
        )
        wasm, command, ns = self._componentize(preload, self.payload)
        return Artifact(
            wasm,
            {"compile": checked, "componentize": ns},
            self._warnings(),
            "release",
            (command,),
            self._versions(),
        )

    def _componentize(self, preload: Sequence[str], payload: Any) -> tuple[bytes, str, int]:
        compiler.prepare(self.tool, self.context)
        generated = tools.bindings(self.tool, self.package, self.world, self.context)
        app, plan = app_of(self.world, generated)
        plan |= {"preload": list(preload), "snippet": payload}
        wasm, done = tools.componentize(
            self.tool, {f"{tools.APP}.py": app}, plan, self.package, self.world, self.context, self.options,
            site=self.site.folder if self.site and payload is not None else None,
        )  # fmt: skip
        if done.code != 0:
            raise explain(done, [self.cell, *self.others], self.world)
        return wasm, done.command, done.ns

    def _warnings(self) -> tuple[Diagnostic, ...]:
        found = [each for cell in (self.cell, *self.others) for each in cell.warnings]
        if any(export.kind for export in exports_of(self.world)):
            found.append(Diagnostic(_KEPT, "warning"))
        return tuple(found)

    def _versions(self) -> Mapping[str, str]:
        python = tools.guest_python(self.tool, self.context.cache)
        made = {"componentize-py": self.tool.version, "Python": python}
        return made | dict(self.site.versions if self.site else ())
