"""Rust: bare rustc for each cell, against a wit-bindgen that was built once.

`setup` adds the target and builds wit-bindgen; a build writes the crate around the cell, runs rustc once
and reads its messages. This module knows no notebook.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, LabError, ToolchainMissing, UsageError, did_you_mean
from labkernel._toolchains.base import (
    Artifact,
    Context,
    Native,
    Options,
    Snippet,
    Toolchain,
    ToolStatus,
)
from labkernel._toolchains.confine import Confinement
from labkernel._toolchains.process import Finished, Limits, run
from labkernel._toolchains.refusals import MEMORY, check_file_name, refuse_async, refuse_names
from labkernel._toolchains.rust import clashes, prebuilt, tools, workspace
from labkernel._toolchains.rust.diagnostics import Reader, raw_text
from labkernel._toolchains.rust.names import RustWorld
from labkernel._toolchains.rust.native import main_function
from labkernel._toolchains.rust.reads import refuse_reads
from labkernel._toolchains.rust.scaffold import Scaffold, scaffold
from labkernel._toolchains.rust.source import Cell
from labkernel._toolchains.rust.starter import starter
from labkernel._wit import Function, Package, World

__all__ = ["Rust"]

ROOT_FILE: Final = "labkernel_root.rs"
#: Flags a cell may give: they change code or warnings, and cannot name a file, a program or a plugin.
_ALLOWED: Final = re.compile(
    r"(-C\s*(opt-level|overflow-checks|debug-assertions|target-feature|codegen-units|debuginfo|strip|lto"
    r"|inline-threshold|relocation-model|symbol-mangling-version)=[\w+,.-]+"
    r"|--cfg[= ][\w]+(=\"?[\w-]+\"?)?|-[WADF]\s*[\w:-]+|--edition[= ]20\d\d|--cap-lints[= ]\w+)"
)
_FORMS: Final[Mapping[bool, tuple[str, ...]]] = {
    False: ("-Copt-level={}",),
    True: ("-Copt-level={}", "-Clto=fat", "-Ccodegen-units=1"),
}


class Rust(Toolchain):
    """The Rust toolchain."""

    language: ClassVar[str] = "rust"
    title: ClassVar[str] = "Rust"
    aliases: ClassVar[tuple[str, ...]] = ("rs",)
    extensions: ClassVar[tuple[str, ...]] = (".rs",)

    def versions(self) -> str:
        """Return what identifies rustc and the prelude, found by looking at files only."""
        try:
            return f"rust {tools.find_rustc().identity}"
        except LabError:
            return ""

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies the toolchain that `--engine` names."""
        try:
            return f"rust {tools.find_rustc(options.engine).identity}"
        except LabError:
            return ""

    def engines(self, cache: Cache) -> list[str]:
        """Return the toolchains that rustup has here, named without this machine's triple."""
        return list(dict.fromkeys(name.partition("-")[0] for name in tools.installed_toolchains()))

    def explain(self, code: str) -> str | None:
        """Return what `rustc --explain` says."""
        return tools.explain(tools.find_rustc(), code)

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for rustc, its target and wit-bindgen."""
        setup = tools.HOW_SETUP
        rows = {
            "rustc": (tools.HOW_RUST, "compiles Rust cells", 3.0),
            f"rust target {tools.TARGET}": (setup, "Rust's standard library for WebAssembly", 0.5),
            "wit-bindgen for Rust": (setup, "bindings of a world for Rust", 1.0),
        }
        versions: dict[str, str | None] = dict.fromkeys(rows)
        note = ""
        try:
            rustc = tools.find_rustc()
            versions["rustc"] = release = rustc.version(cache)
            tools.check_minimum(rustc, cache)
            versions[f"rust target {tools.TARGET}"] = release if rustc.has_target else None
            versions["wit-bindgen for Rust"] = (
                prebuilt.WIT_BINDGEN if prebuilt.find_prebuilt(rustc, cache) else None
            )
        except (LabError, OSError) as error:
            note = str(error)
        return [ToolStatus(t, versions[t], what, how, "rust", note, m) for t, (how, what, m) in rows.items()]

    def setup(self, context: Context) -> None:
        """Check rustc, add the target, build wit-bindgen."""
        self._prepare(tools.find_rustc(), context)

    def setup_version(self, version: str, context: Context) -> None:
        """Do the same with another toolchain that rustup has installed."""
        self._prepare(tools.find_rustc(version), context)

    def _prepare(self, rustc: tools.Rustc, context: Context) -> None:
        tools.check_minimum(rustc, context.cache)
        if not rustc.has_target:
            context.progress(f"adding the Rust target {tools.TARGET}")
            tools.add_target(rustc)
        if prebuilt.find_prebuilt(rustc, context.cache) is None:
            context.progress("wit-bindgen for Rust: about 1 minute, once on this machine")
        prebuilt.build_prebuilt(rustc, context.cache, context.progress, offline=False)

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Build a cell by one run of rustc."""
        package, world = self.needs(package, world)
        rustc, built = self._tools(options, context)
        crates = workspace.ready(
            rustc, options.deps, context, offline=options.offline, timeout_s=options.timeout_s
        )
        cell = Cell(snippet.text.removeprefix("\ufeff"))
        clashing = clashes.clashing(world, rustc)
        bound = RustWorld(world, package, export_prefix=clashes.PREFIX if clashing else "")
        name = _file_stem(snippet.name)
        refuse_reads(cell, f"{name}.rs", [file for file, _ in snippet.files])
        refuse_async(f for key in bound.required() for f in bound.functions_of(key))
        refuse_names(world.functions(), MEMORY, title="Rust")
        crate = scaffold(cell, bound, f"{name}.rs")
        if clashing and crate.has_own_bindings:
            refuse_names(world.functions(), frozenset(clashing), title="Rust")
        with context.build_folder(keep=options.verbose) as folder:
            _write(folder, name, crate, snippet, package, crates)
            command = _command(rustc, built, options, crates)
            command += ["-Clink-arg=--skip-wit-component"] if clashing else []
            done = _compile(command, rustc, built, folder, Limits(timeout_s=options.timeout_s), crates)
            reader = Reader(cell, bound, crate, [f"{name}.rs", *(n for n, _ in snippet.files)], ROOT_FILE)
            wasm = _result(done, folder / "cell.wasm", reader)
            if clashing:
                wasm = context.needs_toolbox("Rust").componentize(clashes.without_prefix(wasm), None, None)
        stderr = done.err.decode(errors="replace")
        return Artifact(
            wasm, {"compile": done.ns}, reader.diagnostics(stderr), options.form, (done.command,),
            {"rustc": rustc.version(context.cache), "wit-bindgen": prebuilt.WIT_BINDGEN, **dict(crates.versions)},
            raw_text(stderr),
        )  # fmt: skip

    def _tools(self, options: Options, context: Context) -> tuple[tools.Rustc, prebuilt.Prebuilt]:
        rustc = tools.find_rustc(options.engine)
        if not rustc.has_target:
            add = f"rustup target add {tools.TARGET} --toolchain {rustc.sysroot.name}"
            how = add if options.engine else tools.HOW_SETUP
            raise ToolchainMissing(f"The Rust target {tools.TARGET}", language="rust", how=how)
        built = prebuilt.find_prebuilt(rustc, context.cache)
        if built is None:
            context.progress("wit-bindgen for Rust: building, about 1 minute, once on this machine")
            built = prebuilt.build_prebuilt(rustc, context.cache, context.progress, offline=options.offline)
        return rustc, built

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell with every function the world asks for."""
        return starter(RustWorld(world, package)) if world else "fn main() {}\n"

    def signature_hint(self, function: Function, world: World) -> str:
        """Return `fn name(param: Type) -> Type`."""
        return RustWorld(world).signature(function)

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return what `generate!` makes of the world, to be read."""
        made = context.needs_toolbox("Rust").bindings_rust(package, world.full_name)
        return {name: text.decode() for name, text in made.items()}

    def native(
        self, snippet: Snippet, package: Package, world: World, function: Function, args: list[Any],
        options: Options, context: Context,
    ) -> Native | None:  # fmt: skip
        """Return the cell compiled for this machine, or `None` where the cell brings its own bindings."""
        rustc, built = self._tools(options, context)
        bound, cell = RustWorld(world, package), Cell(snippet.text.removeprefix("\ufeff"))
        refuse_reads(cell, "cell.rs", [file for file, _ in snippet.files])
        crate = scaffold(cell, bound, "cell.rs")
        if not crate.target:
            return None
        crates = workspace.ready(
            rustc, options.deps, context, offline=options.offline, timeout_s=options.timeout_s, is_native=True
        )
        main = main_function(crate, RustWorld(world, package, prefix=crate.prefix), function, args)
        key = key_of(
            "native rust 2", rustc.identity, snippet.text, list(map(list, snippet.files)), str(crates.folder),
            list(options.flags), list(map(list, package.files)), world.full_name, main,
        )  # fmt: skip
        with context.cache.folder("baseline", key) as (folder, is_new):
            if is_new:
                context.progress("compiling the cell for this machine")
                crate = replace(crate, root=crate.root + main)
                with context.build_folder() as work:
                    _write(work, "cell", crate, snippet, package, crates)
                    command = _native_command(rustc, built, crates, options)
                    done = _compile(command, rustc, built, work, Limits(), crates)
                    if done.code != 0:
                        raise CompileError(
                            "The cell does not compile for this machine.", language="rust",
                            raw=raw_text(done.err.decode(errors="replace")),
                        )  # fmt: skip
                    shutil.copy2(work / "program", folder / "program")
        what = (
            f"the same Rust, compiled for this machine{f' with {_with(crates)}' if crates.versions else ''}"
        )
        return Native(context.cache.path("baseline", key) / "program", what)


def _with(crates: workspace.Crates) -> str:
    """Return the crates in words: `serde 1.0.2, regex 1.11.0`."""
    return ", ".join(f"{name} {version}" for name, version in crates.versions)


def _file_stem(name: str) -> str:
    """Return the name of the cell's file, which compiler and panics show; two names are the crate's own."""
    stem = re.sub(r"\W", "_", name) or "cell"
    return f"{stem}_cell" if f"{stem}.rs" in (ROOT_FILE, "bindings.rs") else stem


def _command(
    rustc: tools.Rustc, built: prebuilt.Prebuilt, options: Options, crates: workspace.Crates
) -> list[str]:
    level = options.opt or ("3" if options.release else "s")
    form = [flag.format(level) for flag in _FORMS[options.release]]
    for flag in options.flags:
        if not _ALLOWED.fullmatch(flag):
            known = [
                "-Coverflow-checks=on",
                "-Cdebug-assertions=on",
                "-Ctarget-feature=+simd128",
                "--cfg=NAME",
            ]
            raise UsageError(
                f"The flag {flag!r} is not among those a Rust cell may give; for example: "
                f"{', '.join(known)}, "
                f"-Wlint, -Alint, --edition=2021.{did_you_mean(flag, known)}"
            )
    flags = [part for flag in options.flags for part in flag.split(" ")]
    edition = [] if any(f.startswith("--edition") for f in flags) else ["--edition", "2024"]
    return [
        str(rustc.path), "--target", tools.TARGET, "--crate-type", "cdylib", "--crate-name", "cell", *edition,
        *built.arguments(), *crates.arguments(), "-Cpanic=abort", "-Cstrip=symbols", *form, *flags,
        "--error-format=json", "-o", "cell.wasm", ROOT_FILE,
    ]  # fmt: skip


def _native_command(
    rustc: tools.Rustc, built: prebuilt.Prebuilt, crates: workspace.Crates, options: Options
) -> list[str]:
    flags = [part for flag in options.flags if "target-feature" not in flag for part in flag.split(" ")]
    edition = [] if any(f.startswith("--edition") for f in flags) else ["--edition", "2024"]
    return [
        str(rustc.path), "--crate-type", "bin", "--crate-name", "cell", *edition,
        *built.arguments(is_native=True), *crates.arguments(), "-Cpanic=abort", "-Cstrip=symbols",
        f"-Copt-level={options.opt or '3'}", *flags, "-Awarnings", "--error-format=json", "-o", "program", ROOT_FILE,
    ]  # fmt: skip


def _compile(
    command: list[str], rustc: tools.Rustc, built: prebuilt.Prebuilt, folder: Path, limits: Limits,
    crates: workspace.Crates = workspace.NONE,
) -> Finished:  # fmt: skip
    readable = (rustc.sysroot, built.folder, *([crates.folder] if crates.folder else []))
    own = {"CARGO_MANIFEST_DIR": str(folder), "TMPDIR": str(folder), "HOME": str(folder)}
    return run(
        command, cwd=folder, language="rust", limits=limits, how=tools.HOW_RUST,
        env=own | crates.environment(), confinement=Confinement(readable, (folder,)),
    )  # fmt: skip


def _write(
    folder: Path, name: str, crate: Scaffold, snippet: Snippet, package: Package,
    crates: workspace.Crates = workspace.NONE,
) -> None:  # fmt: skip
    files = {ROOT_FILE: crate.root, f"{name}.rs": crate.cell, **crates.files(), **dict(crate.files)}
    for file, text in snippet.files:
        if check_file_name(file) in files or file.startswith("wit/"):
            raise UsageError(
                f"The file name {file!r} is taken by the build itself; give the file another name."
            )
        files[file] = text
    for file, text in package.files:
        files[f"wit/{file}"] = text
    for file, text in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogatepass"))


def _result(done: Finished, wasm: Path, reader: Reader) -> bytes:
    if done.code == 0 and wasm.is_file():
        return wasm.read_bytes()
    stderr = done.err.decode(errors="replace")
    errors = [d for d in reader.diagnostics(stderr) if d.severity == "error"]
    if not errors and (done.code < 0 or "allocation" in stderr or "out of memory" in stderr.lower()):
        message = "rustc was stopped: it ran out of memory or crashed."
    elif not errors:
        message = f"rustc failed with status {done.code}."
    else:
        message = f"The cell does not compile: {len(errors)} error{'s' if len(errors) > 1 else ''}."
    raise CompileError(
        message,
        language="rust",
        diagnostics=errors,
        raw=raw_text(stderr),
        footnote=reader.footnote(stderr, errors),
    )
