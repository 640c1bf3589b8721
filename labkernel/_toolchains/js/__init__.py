"""JavaScript and TypeScript: cells run by QuickJS within a component (or by StarlingMonkey).

The development form is a runtime, made once for each world, that is handed the cell when it starts; the
release form has the cell baked in. Types are taken out of TypeScript, nothing else. This module knows no
notebook.
"""

from __future__ import annotations

from typing import ClassVar

from labkernel._cache import Cache
from labkernel._errors import LabError, UsageError
from labkernel._toolchains.base import (
    Artifact,
    Context,
    Options,
    Snippet,
    Toolchain,
    ToolStatus,
)
from labkernel._toolchains.js import tools
from labkernel._toolchains.js.job import Job
from labkernel._toolchains.js.names import JsWorld, camel
from labkernel._toolchains.js.server import close_servers
from labkernel._toolchains.js.starter import starter
from labkernel._toolchains.js.typings import Names, declarations
from labkernel._toolchains.js.values import signature, ts_type
from labkernel._toolchains.js.wide import runtime_for
from labkernel._wit import Function, Package, ResultType, World

__all__ = ["Js", "Ts", "close_servers"]


class _Script(Toolchain):
    """What the two languages share."""

    typed: ClassVar[bool]

    def versions(self) -> str:
        """Return what identifies node and the packages, found by looking only."""
        node = tools.try_node()
        return f"node {node.identity}; {tools.locked()}" if node else ""

    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return rows for node and for the npm packages."""
        node = tools.try_node()
        version, note = None, ""
        if node:
            try:
                version = tools.find_node(cache).version(cache)
            except LabError as error:
                note = str(error)
        kit = tools.package_version("componentize-qjs") if tools.find_kit(cache) else None
        return [
            ToolStatus(
                "node", version, f"prepares {self.title} cells", tools.HOW_NODE, self.language, note, 1.0
            ),
            ToolStatus(
                "componentize-qjs", kit, f"makes components of {self.title} cells", tools.HOW_SETUP, self.language,
                minutes=1.0,
            ),
        ]  # fmt: skip

    def setup(self, context: Context) -> None:
        """Install the npm packages, and make the engine ready that cells are built with."""
        self.setup_version("quickjs", context)

    def engines(self, cache: Cache) -> list[str]:
        """Return the engines' names."""
        return list(tools.ENGINES)

    def setup_version(self, version: str, context: Context) -> None:
        """Install the npm packages of an engine, which `--engine` names."""
        engine, cache = tools.known_engine(version), context.cache
        kit = tools.install_kit(tools.find_node(cache), cache, context.progress, engine=engine, offline=False)
        if engine == "quickjs":
            runtime_for(kit.folder, cache, small=False)

    def kept(self, cache: Cache) -> list[str]:
        """Return the engines whose packages are here."""
        return [engine for engine in tools.ENGINES if tools.find_kit(cache, engine)]

    def forget_version(self, version: str, cache: Cache) -> str:
        """Remove the npm packages of an engine."""
        engine = tools.known_engine(version)
        tools.forget_kit(cache, engine)
        return f"the packages of {engine}"

    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Prepare a cell, and bake it where the release form is asked for."""
        package, world = self.needs(package, world)
        if options.flags:
            raise UsageError(f"--flag={options.flags[0]}: {self.title} cells take no flags; leave it out.")
        return Job(snippet, package, JsWorld(world), options, context, typed=self.typed).run()

    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell with every function the world asks for."""
        return starter(JsWorld(world), typed=self.typed) if world else "export function handle(event) {\n}\n"

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the declarations of what a cell sees and gives, for readers and editors."""
        return {f"{world.name}.d.ts": declarations(JsWorld(world))}

    def signature_hint(self, function: Function, world: World) -> str:
        """Return how a cell declares the function."""
        return signature(function, lead="export function ")


class Js(_Script):
    """The JavaScript toolchain."""

    language: ClassVar[str] = "js"
    title: ClassVar[str] = "JavaScript"
    aliases: ClassVar[tuple[str, ...]] = ("javascript",)
    extensions: ClassVar[tuple[str, ...]] = (".js", ".mjs")
    typed: ClassVar[bool] = False


class Ts(_Script):
    """The TypeScript toolchain."""

    language: ClassVar[str] = "ts"
    title: ClassVar[str] = "TypeScript"
    aliases: ClassVar[tuple[str, ...]] = ("typescript",)
    extensions: ClassVar[tuple[str, ...]] = (".ts", ".mts")
    typed: ClassVar[bool] = True

    def signature_hint(self, function: Function, world: World) -> str:
        """Return how a cell declares the function, with types."""
        names = Names(JsWorld(world))
        result = function.result.ok if isinstance(function.result, ResultType) else function.result
        params = ", ".join(f"{camel(p.name)}: {ts_type(p.type, names.of)}" for p in function.params)
        return f"export function {camel(function.name)}({params}): {ts_type(result, names.of)}"
