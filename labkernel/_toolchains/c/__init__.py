"""C by zig: one call of the compiler and one of the linker for each cell, bindings by the toolbox.

The bindings of a world are compiled once. This module knows no notebook.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, Diagnostic, UsageError
from labkernel._toolchains.base import Artifact, Context, Native, Options, Snippet, ToolStatus
from labkernel._toolchains.c import tools
from labkernel._toolchains.c.diagnostics import Reader
from labkernel._toolchains.c.header import Header, snake
from labkernel._toolchains.c.names import declarations
from labkernel._toolchains.c.native import main_unit
from labkernel._toolchains.c.source import Source
from labkernel._toolchains.c.starter import starter
from labkernel._toolchains.clang import output_by_lines
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.refusals import MEMORY, check_file_name, check_flags, refuse_async, refuse_names
from labkernel._toolchains.versions import Origin, Tool, Versioned
from labkernel._toolchains.zig import HOW_ZIG, ZIG, find_zig
from labkernel._wit import Function, Package, World

__all__ = ["C"]

_HOW_SETUP: Final = "labkernel setup c"
#: Flags a cell may give: they change code or warnings, and cannot name a file, a program or a plugin.
_ALLOWED: Final = re.compile(
    r"-D\w+(=[\w.+-]*)?|-U\w+|-W(?!l,|p,|a,)[\w=+-]+|-w|-pedantic|-std=\w+|-f(no-)?(wrapv|strict-aliasing"
    r"|unroll-loops|vectorize|slp-vectorize|inline|builtin|signed-char|unsigned-char|short-enums|math-errno|fast-math)"
    r"|-ffast-math|-m(no-)?(simd128|relaxed-simd|bulk-memory|sign-ext|nontrapping-fptoint|tail-call|multivalue)"
)
_KNOWN: Final = ("-DNAME=VALUE", "-Wextra", "-std=c11", "-ffast-math", "-msimd128")


class C(Versioned):
    """The C toolchain."""

    language: ClassVar[str] = "c"
    title: ClassVar[str] = "C"
    extensions: ClassVar[tuple[str, ...]] = (".c",)
    origin: ClassVar[Origin] = ZIG

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for zig and its C library."""
        zig = self.origin.installed()
        version = zig.version if zig else None
        kit = version if zig and tools.find_kit(zig, cache) else None
        return [
            ToolStatus("zig", version, "compiles C cells", HOW_ZIG, "c", minutes=1.0),
            ToolStatus(
                "C library for WebAssembly", kit, "what C cells are linked with", _HOW_SETUP, "c", minutes=1.0
            ),
            *self.origin.rows("c", cache),
        ]

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies zig, and how a cell's output is handed on."""
        zig = super().identity(options, cache)
        return f"{zig}, lines" if zig else ""

    def prepare(self, tool: Tool, context: Context) -> None:
        """Build the C library."""
        tools.build_kit(tool, context.cache, context.progress)

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Build a cell: bindings once for each world, then compile, link and componentize."""
        package, world = self.needs(package, world)
        if options.deps:
            raise UsageError(f"--dep {options.deps[0]}: C cells take sources by --file instead.")
        check_flags(options.flags, title="C", allowed=_ALLOWED, known=_KNOWN)
        refuse_async(world.functions())
        refuse_names(world.functions(), MEMORY, title="C")
        toolbox = context.needs_toolbox("C")
        zig = find_zig("c", options.engine, context.cache)
        kit = tools.find_kit(zig, context.cache) or tools.build_kit(zig, context.cache, context.progress)
        started = time.perf_counter_ns()
        bindings = _bindings(zig, package, world, context, options)
        phases = {"bindings": time.perf_counter_ns() - started}
        with context.build_folder(keep=options.verbose) as folder:
            job = _Job.of(snippet, bindings, world, folder)
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
        return starter(self._header(package, world, context))

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the header that a cell sees."""
        return {f"{snake(world.name)}.h": self._header(package, world, context).text}

    def signature_hint(self, function: Function, world: World, context: Context | None = None) -> str:
        """Return the WIT of the function: C's own needs the toolbox."""
        return function.text

    def native(
        self, snippet: Snippet, package: Package, world: World, function: Function, args: list[Any],
        options: Options, context: Context,
    ) -> Native | None:  # fmt: skip
        """Return the cell compiled for this machine by its own compiler, or by zig where it has none."""
        zig = find_zig("c", options.engine, context.cache)
        bindings = _bindings(zig, package, world, context, options)
        stem = snake(world.name)
        prototype = Header((bindings / f"{stem}.h").read_text(encoding="utf-8"), world).prototype_of(function)
        if prototype is None:
            return None
        main = main_unit(f"{stem}.h", prototype, function, args)
        key = key_of(
            "native c 3", zig.identity, snippet.text, list(map(list, snippet.files)), bindings.name, main,
            options.opt, list(options.flags), options.engine,
        )  # fmt: skip
        with context.cache.folder("baseline", key) as (folder, is_new):
            if is_new:
                context.progress("compiling the cell for this machine")
                with context.build_folder() as work:
                    job = _Job.of(snippet, bindings, world, work)
                    (work / "labkernel_main.c").write_text(main, encoding="utf-8")
                    job.compile_native(zig, options)
                    shutil.copy2(work / "program", folder / "program")
        return Native(
            context.cache.path("baseline", key) / "program", "the same C, compiled for this machine"
        )

    def _header(self, package: Package, world: World, context: Context) -> Header:
        files = context.needs_toolbox("C").bindings_c(package, world.full_name)
        return Header(files[f"{snake(world.name)}.h"].decode(), world)


def _bindings(zig: Tool, package: Package, world: World, context: Context, options: Options) -> Path:
    """Return the folder of a world's bindings: header, object and the object that carries the type."""
    key = key_of("bindings-c 1", zig.identity, [list(f) for f in package.files], world.full_name)
    with context.cache.folder("bindings", key) as (folder, is_new):
        if is_new:
            files = context.needs_toolbox("C").bindings_c(package, world.full_name)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            name = snake(world.name)
            line = tools.compile_line(
                zig, context.cache, folder, level="2", flags=("-w",), source=f"{name}.c", output=f"{name}.o"
            )
            env = {"ZIG_LOCAL_CACHE_DIR": str(folder), "ZIG_GLOBAL_CACHE_DIR": str(folder)}
            done = run(line, cwd=folder, language="c", env=env, limits=Limits(options.timeout_s))
            if done.code != 0:
                raise CompileError(
                    f"The C bindings of the world {world.name} do not compile.", language="c", raw=done.text
                )
    return context.cache.path("bindings", key)


@dataclass(frozen=True, slots=True)
class _Job:
    """One cell in its folder: its units to compile, and the reader of what is said about them."""

    folder: Path
    bindings: Path
    name: str
    units: tuple[str, ...]
    reader: Reader

    @classmethod
    def of(cls, snippet: Snippet, bindings: Path, world: World, folder: Path) -> _Job:
        """Write a cell and its files into the folder, each source with the bindings in front."""
        name = re.sub(r"\W", "_", snippet.name) or "cell"
        stem = snake(world.name)
        header = Header((bindings / f"{stem}.h").read_text(encoding="utf-8"), world)
        for taken in {f"{name}.c", f"{stem}.h", f"{stem}.c"} & {file for file, _ in snippet.files}:
            raise UsageError(
                f"The file name {taken!r} is taken by the build itself; give the file another name."
            )
        texts = {f"{name}.c": snippet.text.removeprefix("\ufeff"), **dict(snippet.files)}
        sources = {file: Source(text) for file, text in texts.items()}
        units = []
        for file, source in sources.items():
            path = folder / check_file_name(file)
            source.refuse_reads(file, [f for f, _ in snippet.files])
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.endswith(".c"):
                units.append(file)
                lines = [
                    '#line 1 "labkernel.h"',
                    *source.features(),
                    f'#include "{stem}.h"',
                    *declarations(header, source),
                    *output_by_lines(source),
                ]
                prelude = "\n".join([*lines, f'#line 1 "{file}"', ""])
                path.write_bytes((prelude + source.text).encode(errors="surrogatepass"))
            else:
                path.write_bytes(source.text.encode(errors="surrogatepass"))
        return cls(folder, bindings, stem, tuple(units), Reader(header, sources))

    def compile_and_link(
        self, zig: Tool, kit: tools.Kit, options: Options, cache: Cache
    ) -> tuple[bytes, list[Finished]]:
        """Return the core module and what each command said."""
        level = options.opt or "2"
        done, objects = [], []
        flags = [*options.flags]
        for number, unit in enumerate(self.units):
            output = f"unit{number}.o"
            line = tools.compile_line(
                zig, cache, self.folder, level=level, flags=flags, source=unit, output=output
            )
            line[2:2] = ["-I", str(self.bindings), "-I", "."]
            done.append(self._run(line, options, kit))
            self._check(done[-1], self.reader.compiler(done[-1].text), "compile")
            objects.append(output)
        objects += [str(self.bindings / f"{self.name}{end}") for end in (".o", "_component_type.o")]
        done.append(self._run(kit.link_line(zig, objects, "core.wasm"), options, kit))
        self._check(done[-1], self.reader.linker(done[-1].text), "link")
        return (self.folder / "core.wasm").read_bytes(), done

    def compile_native(self, zig: Tool, options: Options) -> None:
        """Make a program of the units, the bindings and `labkernel_main.c`."""
        own = None if options.engine else shutil.which("cc")
        generated = str(self.bindings / f"{self.name}.c")
        # What the bindings import is nowhere; it goes with what is not called.
        dropped = ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]
        flags = [flag for flag in options.flags if not flag.startswith("-m")]
        line = [
            *([own] if own else [str(zig.program), "cc"]), f"-O{options.opt or '2'}", *flags, "-s", "-w", *dropped,
            "-I", str(self.bindings), "-I", ".", *self.units, "labkernel_main.c", generated, "-o", "program", "-lm",
        ]  # fmt: skip
        env = {"TMPDIR": str(self.folder), "ZIG_LOCAL_CACHE_DIR": str(self.folder)}
        done = run(line, cwd=self.folder, language="c", env=env)
        if done.code != 0:
            raise CompileError("The cell does not compile for this machine.", language="c", raw=done.text)

    def _run(self, line: Sequence[str], options: Options, kit: tools.Kit) -> Finished:
        env: Mapping[str, str] = {
            "TMPDIR": str(self.folder), "HOME": str(self.folder), "ZIG_LOCAL_CACHE_DIR": str(self.folder),
            "ZIG_GLOBAL_CACHE_DIR": str(self.folder),
        }  # fmt: skip
        wall = Confinement((Path(line[0]).parent, kit.folder, self.bindings), (self.folder,))
        return run(
            line, cwd=self.folder, language="c", env=env, limits=Limits(options.timeout_s), confinement=wall,
            how=HOW_ZIG,
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
        raise CompileError(message, language="c", diagnostics=errors, raw=done.text)
