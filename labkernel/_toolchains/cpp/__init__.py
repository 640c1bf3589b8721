"""C++ by zig: one call of the compiler and one of the linker for each cell, bindings by the toolbox.

The headers of a world and of the library are compiled in advance, once. This module knows no notebook.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, Diagnostic, UsageError
from labkernel._toolchains.base import Artifact, Context, Options, Snippet, ToolStatus
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.cpp import tools
from labkernel._toolchains.cpp.diagnostics import Reader
from labkernel._toolchains.cpp.header import Header, snake
from labkernel._toolchains.cpp.mended import mended, ordered
from labkernel._toolchains.cpp.scaffold import scaffold
from labkernel._toolchains.cpp.source import Source
from labkernel._toolchains.cpp.starter import starter
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.refusals import MEMORY, check_file_name, check_flags, refuse_async, refuse_names
from labkernel._toolchains.versions import Origin, Tool, Versioned
from labkernel._toolchains.zig import HOW_ZIG, ZIG, find_zig
from labkernel._wit import Package, World

__all__ = ["Cpp"]

_HOW_SETUP: Final = "labkernel setup cpp"
#: Flags a cell may give: they change code or warnings, and cannot name a file, a program or a plugin.
_ALLOWED: Final = re.compile(
    r"-D\w+(=[\w.+-]*)?|-U\w+|-W(?!l,|p,|a,)[\w=+-]+|-w|-pedantic|-std=c\+\+(20|23|26|2b|2c)|-f(no-)?(wrapv|strict-aliasing"
    r"|unroll-loops|vectorize|slp-vectorize|inline|builtin|signed-char|unsigned-char|char8_t|math-errno|fast-math)"
    r"|-ffast-math|-fconstexpr-(steps|depth)=\d+|-ftemplate-depth=\d+"
    r"|-m(no-)?(simd128|relaxed-simd|bulk-memory|sign-ext|nontrapping-fptoint|tail-call|multivalue)"
)
_KNOWN: Final = ("-DNAME=VALUE", "-Wextra", "-std=c++26", "-ffast-math", "-msimd128")
_SOURCES: Final = (".cpp", ".cc", ".cxx")


class Cpp(Versioned):
    """The C++ toolchain."""

    language: ClassVar[str] = "cpp"
    title: ClassVar[str] = "C++"
    aliases: ClassVar[tuple[str, ...]] = ("c++", "cxx")
    extensions: ClassVar[tuple[str, ...]] = _SOURCES

    origin: ClassVar[Origin] = ZIG

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for zig and its C++ library."""
        zig = self.origin.installed()
        version = zig.version if zig else None
        kit = version if zig and tools.find_kit(zig, cache) else None
        what = "what C++ cells are linked with"
        return [
            ToolStatus("zig", version, "compiles C++ cells", HOW_ZIG, "cpp", minutes=1.0),
            ToolStatus("C++ library for WebAssembly", kit, what, _HOW_SETUP, "cpp", minutes=1.5),
            *self.origin.rows("cpp", cache),
        ]

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies zig, and how a cell's output is handed on."""
        zig = super().identity(options, cache)
        return f"{zig}, lines" if zig else ""

    def prepare(self, tool: Tool, context: Context) -> None:
        """Build the C++ library."""
        tools.build_kit(tool, context.cache, context.progress)

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Build a cell: headers once for each world, then compile, link and componentize."""
        package, world = self.needs(package, world)
        if options.deps:
            raise UsageError(f"--dep {options.deps[0]}: C++ cells take sources by --file instead.")
        check_flags(options.flags, title="C++", allowed=_ALLOWED, known=_KNOWN)
        refuse_async(world.functions())
        refuse_names(world.functions(), MEMORY, title="C++")
        toolbox = context.needs_toolbox("C++")
        zig = find_zig("cpp", options.engine, context.cache)
        kit = tools.find_kit(zig, context.cache) or tools.build_kit(zig, context.cache, context.progress)
        started = time.perf_counter_ns()
        headers = _bindings(package, world, context)
        prepared = tools.prepare(
            zig, context.cache, headers, snake(world.name), context.progress, level=options.opt or "2",
            flags=options.flags,
        )  # fmt: skip
        phases = {"bindings": time.perf_counter_ns() - started}
        with context.build_folder(keep=options.verbose) as folder:
            job = _Job.of(snippet, prepared, world, folder)
            core, done = job.compile_and_link(zig, kit, options, context.cache)
        phases["compile"] = sum(each.ns for each in done)
        started = time.perf_counter_ns()
        wasm = toolbox.componentize(core, None, None)
        phases["componentize"] = time.perf_counter_ns() - started
        raw = "".join(each.text for each in done)
        return Artifact(
            wasm, phases, job.reader.compiler(raw), options.form, tuple(each.command for each in done),
            {"zig": zig.version}, raw,
        )  # fmt: skip

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell with every function the world asks for."""
        if package is None or world is None or context is None:
            wanted = [f"// {function.text}\n" for function in world.functions()] if world else []
            return "".join(["// Write the functions that the world asks for:\n", *wanted])
        return starter(_header(_bindings(package, world, context), world))

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the header that a cell sees."""
        name = f"{snake(world.name)}_cpp.h"
        return {name: (_bindings(package, world, context) / name).read_text(encoding="utf-8")}


def _bindings(package: Package, world: World, context: Context) -> Path:
    """Return the folder of a world's bindings as generated, made once."""
    key = key_of("bindings-cpp 4", [list(f) for f in package.files], world.full_name)
    with context.cache.folder("bindings", key) as (folder, is_new):
        if is_new:
            files = context.needs_toolbox("C++").bindings_cpp(package, world.full_name)
            texts = {name: content.decode("latin-1") for name, content in files.items()}
            for name, text in ordered(texts, f"{snake(world.name)}_cpp.h").items():
                text = _with_state(text) if name.startswith("exports-") else text
                text = mended(text) if name.endswith(".cpp") else text
                (folder / name).write_bytes(text.encode("latin-1"))
            (folder / tools.WHOLE).write_text(tools.whole_header(snake(world.name)), encoding="ascii")
    return context.cache.path("bindings", key)


def _with_state(stub: str) -> str:
    """Return the class of an exported resource with room for what the cell keeps in it."""
    text = stub.replace('#include "wit.h"', '#include <memory>\n#include "wit.h"')
    room = "public:\n\n          /// What the cell keeps: `struct NAME::State { ... };`\n"
    room += "          struct State;\n          std::shared_ptr<State> state;\n"
    return text.replace("public:\n", room, 1)


def _header(folder: Path, world: World) -> Header:
    names = [*sorted(folder.glob("exports-*.h")), folder / f"{snake(world.name)}_cpp.h"]
    return Header("\n".join(path.read_text(encoding="utf-8") for path in names), world)


@dataclass(frozen=True, slots=True)
class _Job:
    """One cell in its folder: its units to compile, and the reader of what is said about them."""

    folder: Path
    prepared: tools.Prepared
    name: str
    units: tuple[str, ...]
    reader: Reader

    @classmethod
    def of(cls, snippet: Snippet, prepared: tools.Prepared, world: World, folder: Path) -> _Job:
        """Write a cell and its files into the folder, each source with the world's names in front."""
        name = re.sub(r"\W", "_", snippet.name) or "cell"
        stem = snake(world.name)
        header = _header(prepared.headers, world)
        generated = {f"{name}.cpp", "wit.h", tools.WHOLE, f"{stem}_cpp.h", f"{stem}.cpp"}
        for taken in generated & {file for file, _ in snippet.files}:
            raise UsageError(
                f"The file name {taken!r} is taken by the build itself; give the file another name."
            )
        texts = {f"{name}.cpp": snippet.text.removeprefix("\ufeff"), **dict(snippet.files)}
        sources = {file: Source(text) for file, text in texts.items()}
        made = scaffold(sources[f"{name}.cpp"], header, f"{name}.cpp", is_cell=True)
        units = []
        for file, source in sources.items():
            path = folder / check_file_name(file)
            source.refuse_reads(file, [f for f, _ in snippet.files])
            path.parent.mkdir(parents=True, exist_ok=True)
            text = made.text if file == f"{name}.cpp" else source.text
            if file.endswith(_SOURCES):
                units.append(file)
                text = text if file == f"{name}.cpp" else scaffold(source, header, file, is_cell=False).text
            path.write_bytes(text.encode(errors="surrogatepass"))
        return cls(folder, prepared, stem, tuple(units), Reader(header, sources, made.calls))

    def compile_and_link(
        self, zig: Tool, kit: tools.Kit, options: Options, cache: Cache
    ) -> tuple[bytes, list[Finished]]:
        """Return the core module and what each command said."""
        level = options.opt or "2"
        done, objects = [], []
        for number, unit in enumerate(self.units):
            output = f"unit{number}.o"
            line = tools.compile_line(
                zig, cache, self.folder, self.prepared, level=level, flags=options.flags, source=unit,
                output=output,
            )  # fmt: skip
            done.append(self._run(line, options, kit))
            self._check(done[-1], self.reader.compiler(done[-1].text), "compile")
            objects.append(output)
        objects += [str(self.prepared.unit), str(self.prepared.headers / f"{self.name}_component_type.o")]
        done.append(self._run(kit.link_line(zig, objects, "core.wasm"), options, kit))
        self._check(done[-1], self.reader.linker(done[-1].text), "link")
        return (self.folder / "core.wasm").read_bytes(), done

    def _run(self, line: Sequence[str], options: Options, kit: tools.Kit) -> Finished:
        env = {
            "TMPDIR": str(self.folder), "HOME": str(self.folder), "ZIG_LOCAL_CACHE_DIR": str(self.folder),
            "ZIG_GLOBAL_CACHE_DIR": str(self.folder),
        }  # fmt: skip
        readable = (Path(line[0]).parent, kit.folder, self.prepared.headers, self.prepared.folder)
        return run(
            line, cwd=self.folder, language="cpp", env=env, limits=Limits(options.timeout_s),
            confinement=Confinement(readable, (self.folder,)), how=HOW_ZIG,
        )  # fmt: skip

    def _check(self, done: Finished, found: tuple[Diagnostic, ...], what: str) -> None:
        if done.code == 0:
            return
        errors = [d for d in found if d.severity == "error"]
        if not errors and (done.code < 0 or "out of memory" in done.text.lower()):
            message = "The compiler was stopped: it ran out of memory or crashed."
        elif not errors:
            message = f"The compiler failed with status {done.code}."
        else:
            message = f"The cell does not {what}: {len(errors)} error{'s' if len(errors) > 1 else ''}."
        raise CompileError(message, language="cpp", diagnostics=errors, raw=done.text)
