"""One build: the cell is prepared by the server, checked against its world, then handed over or baked.

This module knows no notebook.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from labkernel._cache import key_of
from labkernel._capability import Supplies
from labkernel._errors import CompileError, Diagnostic, UsageError
from labkernel._toolchains.base import Artifact, Context, Options, Runtime, Snippet
from labkernel._toolchains.js import entry, tools
from labkernel._toolchains.js.component import without_export
from labkernel._toolchains.js.deps import NONE, Dependencies, dependencies
from labkernel._toolchains.js.diagnostics import Reader
from labkernel._toolchains.js.handles import given_away
from labkernel._toolchains.js.names import JsWorld
from labkernel._toolchains.js.server import Server, server_for
from labkernel._toolchains.js.wide import runtime_for
from labkernel._toolchains.process import shell_line
from labkernel._toolchains.refusals import check_file_name
from labkernel._wit import Package

__all__ = ["Job"]

_DEFAULT_ENGINE: Final = "quickjs"
_OUTPUT: Final = "component.wasm"
#: The function that QuickJS is started with while a component is made.
_ENGINES_OWN: Final = "init"
_ENDS: Final = {False: ".js", True: ".ts"}


@dataclass
class Job:
    """A cell with its world and options; `run` builds it."""

    snippet: Snippet
    package: Package
    world: JsWorld
    options: Options
    context: Context
    typed: bool
    deps: Dependencies = NONE
    phases: dict[str, int] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    @property
    def engine(self) -> str:
        """The engine's name."""
        return tools.known_engine(self.options.engine or _DEFAULT_ENGINE)

    @property
    def language(self) -> str:
        """The snippet's language."""
        return self.snippet.language

    def run(self) -> Artifact:
        """Return the artifact; raises `CompileError`, `ToolchainMissing` or `UsageError`."""
        engine, options, context = self.engine, self.options, self.context
        self._refuse_given_away()
        sources = self._sources()
        reader = Reader(self.world, sources)
        node = tools.find_node(context.cache)
        kit = tools.find_kit(context.cache, engine) or tools.install_kit(
            node, context.cache, context.progress, engine=engine, offline=options.offline
        )
        server = server_for(node, kit, context.scratch, context.cache.root)
        self.deps = dependencies(options.deps, context, offline=options.offline)
        started = time.perf_counter_ns()
        said = self._prepare(server, sources, reader)
        self.phases["compile"] = time.perf_counter_ns() - started
        warnings = reader.all_placed(said["warnings"])
        packages = ""
        if said["packages"]:
            packages = self.deps.bundle(
                said["packages"],
                server,
                context,
                timeout_s=options.timeout_s,
                lower=engine == _DEFAULT_ENGINE,
            )
        made = self._baked if options.release else self._handed
        artifact = made(server, said["cell"], packages)
        return replace(
            artifact, phases=self.phases, diagnostics=warnings, form=options.form, commands=self.commands,
            tool_versions=self._versions(node),
        )  # fmt: skip

    def _refuse_given_away(self) -> None:
        found = given_away(self.world.world)
        if found is not None:
            function, resource = found
            raise UsageError(
                f"The world {self.world.world.name} hands {function.full_name} a {resource} of the cell's own, for "
                f"which JavaScript's engines find another object or none. Let it take borrow<{resource}>, or write "
                "the cell in another language."
            )

    def _versions(self, node: tools.Node) -> dict[str, str]:
        package = tools.ENGINES[self.engine][1]
        return {
            package: tools.package_version(package, self.engine),
            "node": node.version(self.context.cache),
            **dict(self.deps.versions),
        }

    def _sources(self) -> dict[str, str]:
        """Return the user's files by name, the cell's first."""
        stem = re.sub(r"\W", "_", self.snippet.name) or "cell"
        name = stem + _ENDS[self.typed]
        found = {name: self.snippet.text.removeprefix("\ufeff")}
        for file, text in self.snippet.files:
            if check_file_name(file) in found:
                raise UsageError(f"The file name {file!r} is the cell's own; give the file another name.")
            found[file] = text.removeprefix("\ufeff")
        return found

    # --- the cell

    def _prepare(self, server: Server, sources: Mapping[str, str], reader: Reader) -> dict[str, Any]:
        said: dict[str, Any] = server.request(
            "prepare",
            timeout_s=self.options.timeout_s,
            files=[{"name": name, "text": text} for name, text in sources.items()],
            modules=[item.name for item in self.world.import_interfaces],
            deps=self.deps.names,
            lower=self.engine == _DEFAULT_ENGINE,
        )
        errors = reader.all_placed(said["problems"]) or reader.missing(said)
        if errors:
            raise self._failed("compile" if said["problems"] else "fit its world", errors)
        return said

    def _failed(self, what: str, errors: tuple[Diagnostic, ...]) -> CompileError:
        count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
        raw = "\n".join(error.render() for error in errors)
        return CompileError(
            f"The cell does not {what}: {count}.", language=self.language, diagnostics=errors, raw=raw
        )

    # --- the two forms

    def _handed(self, server: Server, cell: Mapping[str, Any], packages: str) -> Artifact:
        """Return the world's runtime with the cell as what it is started with."""
        started = time.perf_counter_ns()
        runtime = self._runtime(server, packages)
        self.phases.setdefault("bindings", time.perf_counter_ns() - started)
        return Artifact(runtime=runtime, supplies=Supplies(env=((entry.VARIABLE, json.dumps(cell)),)))

    def _runtime(self, server: Server, packages: str) -> Runtime:
        own = self._engine_file(server).name if self.engine == _DEFAULT_ENGINE else ""
        key = key_of(
            "js runtime 1", server.identity, self.engine, own, packages,
            dict(entry.guest_modules()), [list(file) for file in self.package.files], self.world.world.full_name,
        )  # fmt: skip

        def make() -> bytes:
            title = self.world.world.name
            self.context.progress(f"JavaScript runtime for the world {title}: making, once")
            return self._component(server, None, packages)

        return self.context.runtime(key, make)

    def _baked(self, server: Server, cell: Mapping[str, Any], packages: str) -> Artifact:
        self.context.progress(f"{self.snippet.name}: baking with {self.engine}")
        return Artifact(self._component(server, cell, packages))

    def _engine_file(self, server: Server) -> Path:
        return runtime_for(server.folder, self.context.cache, small=self.options.opt == "s")

    def _component(self, server: Server, cell: Mapping[str, Any] | None, packages: str) -> bytes:
        with self.context.build_folder(keep=self.options.verbose) as folder:
            make = self._quickjs if self.engine == _DEFAULT_ENGINE else self._starlingmonkey
            made = make(server, folder, cell, packages)
            if self.engine == _DEFAULT_ENGINE:
                return made
            started = time.perf_counter_ns()
            made = self.context.needs_toolbox(self.language).componentize(made, None, None)
            self.phases["componentize"] += time.perf_counter_ns() - started
            return made

    def _quickjs(self, server: Server, folder: Path, cell: Mapping[str, Any] | None, packages: str) -> bytes:
        runtime = self._engine_file(server)
        self._write(folder, cell, packages, wide="hex")
        self.commands = (self._command(server, folder, runtime),)
        return without_export(self._made(server, "componentize", folder, runtime=str(runtime)), _ENGINES_OWN)

    def _starlingmonkey(
        self, server: Server, folder: Path, cell: Mapping[str, Any] | None, packages: str
    ) -> bytes:
        self._write(folder, cell, packages, wide="bigint")
        return self._made(server, "embed", folder)

    def _made(self, server: Server, operation: str, folder: Path, **facts: Any) -> bytes:
        """Return what the engine's tool makes of the folder."""
        started = time.perf_counter_ns()
        try:
            server.request(
                operation, timeout_s=self.options.timeout_s, folder=str(folder), entry=entry.ENTRY, wit="wit",
                world=self.world.world.name, output=_OUTPUT, **facts,
            )  # fmt: skip
        except CompileError as error:
            raise self._explained(error) from None
        self.phases["componentize"] = time.perf_counter_ns() - started
        return (folder / _OUTPUT).read_bytes()

    def _explained(self, error: CompileError) -> CompileError:
        """Say what is known of a failure of the engine's tool."""
        message, world = error.summary, self.world.world.name
        other = "; build it with --engine starlingmonkey" if self.engine == _DEFAULT_ENGINE else ""
        if "mismatched resource types" in message:
            name = re.search(r"instance `([^`]+)`", message)
            what = f"{name[1]} " if name else "an interface "
            message = f"QuickJS cannot be built for the world {world}: {what}shares resources with WASI's own{other}."
        elif "duplicate items" in message:
            own = {item.name for item in self.world.world.exports} & {_ENGINES_OWN}
            what = f"it exports `{_ENGINES_OWN}`, which is" if own else "its exports have a name that is"
            message = f"QuickJS cannot be built for the world {world}: {what} the engine's own{other}."
        return CompileError(message, language=self.language, raw=f"{error.summary}\n{error.raw}".strip())

    def _write(self, folder: Path, cell: Mapping[str, Any] | None, packages: str, *, wide: str) -> None:
        started = time.perf_counter_ns()
        toolbox = self.context.needs_toolbox(self.language)
        name = self.world.world.full_name
        package = replace(self.package, files=toolbox.for_js(self.package, name))
        wit = toolbox.extend_world(package, name, entry.HOST_IMPORTS)
        files = {f"wit/{path}": text for path, text in wit}
        files |= entry.guest_modules()
        files[entry.ENTRY] = entry.entry_module(
            self.world, wit, engine=self.engine, wide=wide, baked=cell is not None, packages=bool(packages)
        )
        if cell is not None:
            files[entry.CELL] = entry.cell_module(cell)
        if packages:
            files[entry.PACKAGES] = packages
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        self.phases["bindings"] = time.perf_counter_ns() - started

    def _command(self, server: Server, folder: Path, runtime: Path) -> str:
        tool = server.folder / "node_modules" / "componentize-qjs" / "bin" / "componentize-qjs"
        world = self.world.world.name
        line: list[str | Path] = [
            server.command[0], tool, "--wit", "wit", "--js", entry.ENTRY, "--world", world, "--runtime", runtime,
            "--output", _OUTPUT,
        ]  # fmt: skip
        return shell_line(line, folder)
