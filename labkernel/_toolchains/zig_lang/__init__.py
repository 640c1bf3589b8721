"""Zig: one run of the compiler for each cell, against a module `world` that the lab writes.

The module has the world's types as Zig writes them (slices, optionals, tagged unions) and carries values
itself, so that neither C bindings nor a C library are linked. This module knows no notebook.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import ClassVar, Final

from labkernel._cache import Cache
from labkernel._errors import CompileError, UsageError
from labkernel._toolchains.base import Artifact, Context, Options, Snippet, ToolStatus
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.refusals import MEMORY, check_file_name, check_flags, refuse_async, refuse_names
from labkernel._toolchains.versions import Origin, Tool, Versioned
from labkernel._toolchains.zig import HOW_ZIG, ZIG, find_zig
from labkernel._toolchains.zig_lang import tools
from labkernel._toolchains.zig_lang.diagnostics import Reader
from labkernel._toolchains.zig_lang.names import ZigWorld
from labkernel._toolchains.zig_lang.scaffold import GENERATED, Scaffold, scaffold
from labkernel._toolchains.zig_lang.source import Source
from labkernel._toolchains.zig_lang.spelling import camel
from labkernel._toolchains.zig_lang.starter import starter
from labkernel._toolchains.zig_lang.world import world_file
from labkernel._wit import Function, Interface, OpaqueType, Package, World

__all__ = ["Zig"]

_HOW_SETUP: Final = "labkernel setup zig"
#: Flags a cell may give: they change code, and cannot name a file, a program or a library.
_ALLOWED: Final = re.compile(
    r"-O(Debug|ReleaseSafe|ReleaseFast|ReleaseSmall)|-f(no-)?(strip|single-threaded|error-tracing|omit-frame-pointer"
    r"|unwind-tables)|-mcpu=[\w+.-]+|-freference-trace=\d+"
)
_KNOWN: Final = ("-OReleaseFast", "-OReleaseSmall", "-mcpu=generic+simd128", "-fno-strip")


class Zig(Versioned):
    """The Zig toolchain."""

    language: ClassVar[str] = "zig"
    title: ClassVar[str] = "Zig"
    extensions: ClassVar[tuple[str, ...]] = (".zig",)

    origin: ClassVar[Origin] = ZIG

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for zig and its runtime."""
        zig = self.origin.installed()
        version = zig.version if zig else None
        warm = version if zig and tools.find_cache(zig, cache) else None
        return [
            ToolStatus("zig", version, "compiles Zig cells", HOW_ZIG, "zig", minutes=1.0),
            ToolStatus(
                "Zig's runtime for WebAssembly", warm, "what Zig cells are linked with", _HOW_SETUP, "zig",
                minutes=1.0,
            ),
            *self.origin.rows("zig", cache),
        ]  # fmt: skip

    def prepare(self, tool: Tool, context: Context) -> None:
        """Compile the runtime."""
        tools.build_cache(tool, context.cache, context.progress)

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Build a cell: write the world's module, run zig once, componentize."""
        package, world = self.needs(package, world)
        if options.deps:
            raise UsageError(f"--dep {options.deps[0]}: Zig cells take sources by --file instead.")
        check_flags(options.flags, title="Zig", allowed=_ALLOWED, known=_KNOWN)
        _refuse(world)
        toolbox = context.needs_toolbox("Zig")
        zig = find_zig("zig", options.engine, context.cache)
        kept = tools.find_cache(zig, context.cache) or tools.build_cache(zig, context.cache, context.progress)
        started = time.perf_counter_ns()
        name = re.sub(r"\W", "_", snippet.name) or "cell"
        texts = {f"{name}.zig": snippet.text.removeprefix("\ufeff"), **dict(snippet.files)}
        sources = {file: Source(text) for file, text in texts.items()}
        bound = ZigWorld(world)
        made = scaffold(sources[f"{name}.zig"], bound, f"{name}.zig")
        reader = Reader(bound, sources, made)
        with context.build_folder(keep=options.verbose) as folder:
            _write(folder, made, sources)
            phases = {"bindings": time.perf_counter_ns() - started}
            done = _compile(zig, f"{name}.zig", folder, kept, options)
            core = _result(done, folder / "core.wasm", reader)
        phases["compile"] = done.ns
        started = time.perf_counter_ns()
        wasm = toolbox.componentize(core, package, world.full_name)
        phases["componentize"] = time.perf_counter_ns() - started
        versions = {"zig": zig.version}
        return Artifact(wasm, phases, (), options.form, (done.command,), versions, done.text)

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell with every function the world asks for."""
        return starter(ZigWorld(world)) if world else "// Write the functions that the world asks for.\n"

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the module that a cell sees."""
        return {"world.zig": world_file(ZigWorld(world))}

    def signature_hint(self, function: Function, world: World) -> str:
        """Return `fn name(param: Type) Type`."""
        bound = ZigWorld(world)
        name = function.full_name
        found = next((e for e in bound.exports if e.function.full_name == name), None)
        return bound.signature(found) if found else f"fn {camel(function.name)}"


def _refuse(world: World) -> None:
    """Raise `UsageError` for what a world asks and a Zig cell cannot give."""
    refuse_async(world.functions())
    refuse_names(world.functions(), MEMORY, title="Zig")
    imported = {item.name for item in world.imports}
    for item in world.exports:
        for named in item.types if isinstance(item, Interface) and item.name in imported else ():
            if named.type == OpaqueType("resource") and not named.alias_of:
                raise UsageError(
                    f"{item.name} is imported and exported, and has the resource {named.name!r}: a Zig cell "
                    "cannot tell the two apart. Write this cell in Rust."
                )


def _write(folder: Path, made: Scaffold, sources: dict[str, Source]) -> None:
    names = list(sources)
    for file, source in sources.items():
        source.refuse_reads(file, names[1:])
        if check_file_name(file).startswith(f"{GENERATED}/"):
            raise UsageError(
                f"The file name {file!r} is taken by the build itself; give the file another name."
            )
    texts = {file: source.text for file, source in sources.items()} | dict(made.files)
    for file, text in texts.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogatepass"))


def _compile(zig: Tool, file: str, folder: Path, kept: Path, options: Options) -> Finished:
    flags = [flag for flag in options.flags if not flag.startswith("-O")]
    chosen = next((f[2:] for f in reversed(options.flags) if f.startswith("-O")), None)
    mode = chosen or tools.LEVELS[options.opt or ("3" if options.release else "1")]
    strip = [] if any(f.endswith("strip") for f in flags) else ["-fstrip"]
    env = {
        "ZIG_GLOBAL_CACHE_DIR": str(kept), "ZIG_LOCAL_CACHE_DIR": str(folder / "zig-cache"),
        "TMPDIR": str(folder), "HOME": str(folder),
    }  # fmt: skip
    return run(
        tools.command(zig, mode, [*strip, *flags], file, f"{GENERATED}/world.zig"), cwd=folder, language="zig",
        env=env, limits=Limits(options.timeout_s), how=HOW_ZIG,
        confinement=Confinement((zig.program.parent,), (folder, kept)),
    )  # fmt: skip


def _result(done: Finished, wasm: Path, reader: Reader) -> bytes:
    found = reader.diagnostics(done.text if done.code else "")
    if done.code == 0 and not found:
        return wasm.read_bytes()
    if not found and (done.code < 0 or "out of memory" in done.text.lower() or "OutOfMemory" in done.text):
        message = "zig was stopped: it ran out of memory or crashed."
    elif not found:
        message = f"zig failed with status {done.code}."
    else:
        message = f"The cell does not compile: {len(found)} error{'s' if len(found) > 1 else ''}."
    raise CompileError(message, language="zig", diagnostics=found, raw=done.text)
