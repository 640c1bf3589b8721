"""WebAssembly text: a whole component as it stands, or a core module for a world.

The engine turns text into binary; a core module becomes a component by the toolbox. This module knows no
tool.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from importlib import metadata
from typing import ClassVar, Final

from labkernel._cache import Cache
from labkernel._errors import CompileError, ComponentError, Diagnostic, UsageError
from labkernel._toolchains.base import Artifact, Context, Options, Snippet, Toolchain, ToolStatus
from labkernel._toolchains.wat.starter import core_signature, starter
from labkernel._wit import Function, Package, World

__all__ = ["Wat"]

_SPACE: Final = re.compile(r"(?:\s|;;[^\n]*|\(;.*?;\)|\(@\w[^)]*\))*", re.DOTALL)
_HEAD: Final = re.compile(r"\(\s*([\w-]+)")
#: What may stand at the start of a core module whose `(module ...)` is left out.
_FIELDS: Final = frozenset(
    {"func", "memory", "import", "export", "data", "global", "table", "elem", "type", "start", "tag", "rec"}
)


class Wat(Toolchain):
    """The WebAssembly text format."""

    language: ClassVar[str] = "wat"
    title: ClassVar[str] = "WebAssembly text"
    aliases: ClassVar[tuple[str, ...]] = ("wast",)
    extensions: ClassVar[tuple[str, ...]] = (".wat", ".wast")

    def versions(self) -> str:
        """Return the engine's version."""
        return f"wasmtime {_wasmtime() or ''}".strip()

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return nothing: text needs the engine only, and the doctor lists that."""
        return []

    def setup(self, context: Context) -> None:
        """There is nothing to prepare."""

    def needs_world(self, text: str) -> bool:
        """A core module needs a world, a component does not."""
        return head_of(text) != "component"

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Assemble the text; make a component of a core module."""
        _refuse_options(snippet, options)
        text, head = snippet.text.removeprefix("\ufeff"), head_of(snippet.text)
        supervisor = context.needs_supervisor("WebAssembly text")
        started = time.perf_counter_ns()
        try:
            wasm = supervisor.assemble(text)
        except CompileError as error:
            raise _placed(error, text, snippet.name) from None
        phases = {"compile": time.perf_counter_ns() - started}
        if head != "component":
            wasm = self._componentize(wasm, snippet, package, world, context, phases)
        versions = {"wasmtime": _wasmtime() or "unknown"}
        return Artifact(wasm, phases, (), options.form, (), versions)

    def _componentize(
        self, core: bytes, snippet: Snippet, package: Package | None, world: World | None, context: Context,
        phases: dict[str, int],
    ) -> bytes:  # fmt: skip
        if package is None or world is None:
            raise UsageError(
                "The cell is a core (module ...), which becomes a component for a world: give one with "
                "--world, or write a (component ...)."
            )
        toolbox = context.needs_toolbox("WebAssembly text")
        started = time.perf_counter_ns()
        try:
            wasm = toolbox.componentize(core, package, world.full_name)
        except ComponentError as error:
            raise _misfit(error, snippet, world) from None
        phases["componentize"] = time.perf_counter_ns() - started
        return wasm

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a core module with the world's exports, or an empty component without a world."""
        return starter(world) if world else "(component)\n"

    def signature_hint(self, function: Function, world: World) -> str:
        """Return the core signature of an exported function."""
        return core_signature(function)


def head_of(text: str) -> str:
    """Return `component` or `module`: what the text is by its first word.

    >>> head_of("  ;; a comment\\n (component $c)")
    'component'
    """
    start = _SPACE.match(text.removeprefix("\ufeff"))
    found = _HEAD.match(text.removeprefix("\ufeff"), start.end() if start else 0)
    return "component" if found and found[1] == "component" else "module"


def _wasmtime() -> str | None:
    try:
        return metadata.version("wasmtime")
    except metadata.PackageNotFoundError:
        return None


def _refuse_options(snippet: Snippet, options: Options) -> None:
    given = (options.flags, options.deps, snippet.files, options.engine)
    for name, value in zip(("--flag", "--dep", "--file", "--engine"), given, strict=True):
        if value:
            raise UsageError(f"WebAssembly text takes no {name}; leave it out.")


def _placed(error: CompileError, text: str, name: str) -> CompileError:
    """Return the engine's error on the cell's line, with the line's text."""
    lines = text.split("\n")
    placed = []
    for each in error.diagnostics:
        shown = lines[each.line - 1].rstrip("\r") if 0 < each.line <= len(lines) else ""
        placed.append(replace(each, file=f"{name}.wat", text=each.text or shown))
    return CompileError(
        f"The cell does not assemble: {len(placed) or 1} error.", language="wat",
        diagnostics=placed or [Diagnostic(error.summary)], raw=error.raw,
    )  # fmt: skip


def _misfit(error: ComponentError, snippet: Snippet, world: World) -> CompileError:
    """Say which exports the world wants, where a module does not fit it."""
    wanted = "; ".join(core_signature(f) for f in world.functions())
    hint = f"the world {world.name} wants: {wanted}" if wanted else ""
    found = re.search(r"(?:export|import) (?:of )?[`']([^`']+)[`']", str(error))
    offset = snippet.text.find(f'"{found[1]}"') if found else -1
    line = snippet.text.count("\n", 0, offset) + 1 if offset >= 0 else 0
    text = snippet.text.split("\n")[line - 1] if line else ""
    column = offset - snippet.text.rfind("\n", 0, offset) if line else 0
    diagnostic = Diagnostic(
        str(error), file=f"{snippet.name}.wat", line=line, column=column, text=text, hint=hint
    )
    return CompileError(
        f"The module does not fit the world {world.name}.",
        language="wat",
        diagnostics=[diagnostic],
        raw=str(error),
    )
