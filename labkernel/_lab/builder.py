"""From WIT, snippets and bytes to packages and builds: looked up in the cache, otherwise made once.

A build's key holds snippet, world, options, the toolchain's and the toolbox's version; a package's key its text,
its dependencies and the toolbox's version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkernel import _toolchains as toolchains
from labkernel._cache import Cache, key_of
from labkernel._capability import Supplies
from labkernel._errors import CacheDamaged, ComponentError, Diagnostic, LabError, ToolchainMissing, UsageError
from labkernel._host import EngineSettings, Supervisor
from labkernel._lab.code import MachineCode, default_compiler
from labkernel._lab.prebuilt import Sources
from labkernel._lab.records import Build
from labkernel._sandbox import refuse_other_wasi
from labkernel._toolbox import Toolbox, build_toolbox, find_toolbox
from labkernel._wit import Package, World

__all__ = ["Builder", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be built."""

    name: str
    snippet: toolchains.Snippet
    options: toolchains.Options
    package: Package | None = None
    world: World | None = None
    compiler: str | None = None
    force: bool = False

    def source(self) -> list[object]:
        """Return the parts of the key that do not depend on the machine."""
        package, world, options = self.package, self.world, self.options
        return [
            self.snippet.language,
            self.snippet.text,
            [list(file) for file in self.snippet.files],
            [options.opt, options.release, list(options.flags), list(options.deps), options.engine],
            [list(file) for file in package.files] if package and world else None,
            world.full_name if world else None,
        ]


class Builder:
    """Makes packages and builds. `tools` is the host process for the toolbox and for assembling."""

    def __init__(
        self,
        cache: Cache,
        *,
        tools: Supervisor,
        code: MachineCode,
        toolbox: Toolbox,
        progress: Callable[[str], None],
    ) -> None:
        self.cache, self.tools, self.code, self.toolbox = cache, tools, code, toolbox
        self.progress = progress
        self.sources = Sources(cache)
        self._asked: dict[tuple[str, str], None] = {}
        self._toolbox_key = ""

    # ------------------------------------------------------------------------------------------- the toolbox

    def ready_toolbox(self) -> Toolbox:
        """Return the toolbox, built now where it has yet to be; raises `ToolchainMissing` where it cannot be."""
        if not self.toolbox.is_there:
            build_toolbox(self.progress, cache=self.cache)
        return self.toolbox

    def warm_toolbox(self) -> None:
        """Make the toolbox's machine code now, where there is a toolbox: seconds, once."""
        if self.toolbox.is_there:
            self.progress("toolbox: machine code for this machine, some seconds once")
            self.toolbox.carried()

    def _toolbox_version(self) -> str:
        """Return what changes with the toolbox; empty where there is none yet."""
        if not self._toolbox_key:
            path = find_toolbox(self.cache)
            if path is not None:
                self._toolbox_key = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._toolbox_key

    def context(self) -> toolchains.Context:
        """Return what toolchains are given by the lab."""
        return toolchains.Context(
            cache=self.cache,
            scratch=self.cache.root / "tmp",
            toolbox=self.toolbox,
            supervisor=self.tools,
            progress=self.progress,
        )

    # --------------------------------------------------------------------------------------------------- WIT

    def resolve(self, text: str, *, name: str, deps: Sequence[Mapping[str, str]]) -> Package:
        """Return a resolved package; raises `WitError`, or `ToolchainMissing` where there is no toolbox."""
        parts = [text, [sorted(dep.items()) for dep in deps]]
        source = key_of("wit", *parts)
        self._asked["wit", source] = None
        try:
            toolbox = self.ready_toolbox()
        except ToolchainMissing:
            key = self.sources.find("wit", source)
            found = self._cached_package(key) if key else None
            if found is None:
                raise
            note = "resolved before: the toolbox is missing on this machine"
            return replace(found, notes=(*found.notes, note))
        key = key_of("wit", self._toolbox_version(), *parts)
        found = self._cached_package(key)
        if found is None:
            found = toolbox.resolve(text, name=name, deps=deps)
            self.cache.put("wit", key, json.dumps(found.to_data()).encode(), ".json")
            self.sources.remember(source, key)
        return found

    def export(self, folder: Path) -> int:
        """Copy what was resolved and built so far into a folder that a wheel carries; return how many files."""
        return self.sources.export(folder, self._asked)

    def _cached_package(self, key: str) -> Package | None:
        try:
            data = self.cache.read("wit", key, ".json")
            return None if data is None else Package.from_data(json.loads(data))
        except (CacheDamaged, KeyError, ValueError, TypeError):
            self.cache.drop("wit", key, ".json")
            return None

    # ---------------------------------------------------------------------------------------------- snippets

    def build(self, request: Request) -> Build:
        """Return the build asked for, from the cache where the very same was made before.

        Raises `CompileError`, `ToolchainMissing` or `WitError`.
        """
        toolchain = toolchains.get(request.snippet.language)
        self._asked["component", key_of("component", *request.source())] = None
        key = key_of(
            "component",
            toolchain.identity(request.options, self.cache),
            self._toolbox_version(),
            *request.source(),
        )
        found = None if request.force else self._find(request, key)
        if found:
            return found
        with self.cache.building("component", key):
            found = None if request.force else self._find(request, key)
            if found:
                return found
            try:
                return self._make(request, toolchain, key)
            except ToolchainMissing:
                found = self._made_before(request)
                if found is None:
                    raise
                return found

    def _made_before(self, request: Request) -> Build | None:
        """Return what was made of the same source where its tools were at hand."""
        key = self.sources.find("component", key_of("component", *request.source()))
        found = self._find(request, key) if key else None
        if found is None:
            return None
        note = f"built before with {found.tools or 'another toolchain'}: a tool is missing on this machine"
        return replace(found, notes=(*found.notes, note))

    def _find(self, request: Request, key: str) -> Build | None:
        try:
            record = self.cache.read("component", key, ".json")
            facts = {} if record is None else json.loads(record)
            is_runtime = bool(facts.get("runtime"))
            wasm = None if is_runtime else self.cache.read("component", key)
            if not facts or not (self._has_parts(facts) if is_runtime else wasm):
                return None
            return self._with_code(request, self._from_facts(request, facts, key), wasm)
        except (CacheDamaged, KeyError, ValueError, TypeError):
            self.cache.drop("component", key, ".json")
            self.cache.drop("component", key)
            return None

    def _has_parts(self, facts: dict[str, Any]) -> bool:
        """Whether a runtime and the folders it is started with are still there; they are marked as used."""
        folders = Supplies.from_data(facts["supplies"]).dirs
        is_there = all(self.cache.use(Path(folder)) for folder, _ in folders)
        return is_there and self.cache.digest(toolchains.RUNTIME, facts["runtime"]) == facts["wasm_digest"]

    def _from_facts(self, request: Request, facts: dict[str, Any], key: str) -> Build:
        settings = EngineSettings(request.compiler or _compiler(facts))
        return Build(
            name=request.name,
            language=request.snippet.language,
            form=facts["form"],
            digest=facts["digest"],
            size=facts["size"],
            wasm=self._wasm_path(facts, key),
            code=self.code.path(facts.get("wasm_digest") or facts["digest"], settings),
            component=World.from_data(facts["component"]),
            settings=settings,
            world=request.world,
            package=request.package,
            phases=facts["phases"],
            diagnostics=tuple(Diagnostic(**d) for d in facts["diagnostics"]),
            commands=tuple(facts["commands"]),
            tools=facts["tools"],
            raw=facts["raw"],
            cached=True,
            notes=toolchains.get(request.snippet.language).caveats,
            source=request.snippet.text,
            files=request.snippet.files,
            options=request.options,
            supplies=Supplies.from_data(facts.get("supplies", ((), ()))),
            wasm_digest=facts.get("wasm_digest", ""),
        )

    def _wasm_path(self, facts: dict[str, Any], key: str) -> Path:
        runtime = facts.get("runtime")
        return self.cache.path(toolchains.RUNTIME, runtime) if runtime else self.cache.path("component", key)

    def _make(self, request: Request, toolchain: toolchains.Toolchain, key: str) -> Build:
        context = self.context()
        made = toolchain.build(request.snippet, request.package, request.world, request.options, context)
        facts = {
            **_identity(made),
            "form": made.form,
            "component": World("component").to_data(),
            "phases": dict(made.phases),
            "diagnostics": [d.to_json() for d in made.diagnostics],
            "commands": list(made.commands),
            "tools": ", ".join(f"{tool} {version}" for tool, version in made.tool_versions.items()),
            "raw": made.raw,
        }
        if made.runtime is None:
            self.cache.put("component", key, made.wasm)
        build = self._ready(request, self._from_facts(request, facts, key), made)
        facts["component"] = build.component.to_data()
        self.cache.put("component", key, json.dumps(facts).encode(), ".json")
        self.sources.remember(key_of("component", *request.source()), key)
        return replace(build, cached=False)

    def _with_code(self, request: Request, build: Build, wasm: bytes | None) -> Build:
        """Return the build with machine code: by Cranelift where the lab's own choice cannot make it."""
        try:
            return self.code.ensure(build, wasm=wasm)
        except ComponentError:
            if request.compiler or build.settings == EngineSettings():
                raise
            note = f"machine code by cranelift: {build.settings.compiler} cannot compile this component"
            settings = EngineSettings()
            code = self.code.path(build.wasm_digest or build.digest, settings)
            other = replace(build, settings=settings, code=code, notes=(*build.notes, note))
            return self.code.ensure(other, wasm=wasm)

    def _ready(self, request: Request, build: Build, made: toolchains.Artifact) -> Build:
        """Return what was made with its machine code and its world."""
        try:
            return self._with_world(self._with_code(request, build, None if made.runtime else made.wasm))
        except CacheDamaged:
            if made.runtime:
                self.cache.drop(toolchains.RUNTIME, made.runtime.key)
            raise

    def _with_world(self, build: Build) -> Build:
        world = self.code.loaded(build).world
        refuse_other_wasi(world)
        return replace(build, component=world)

    # ------------------------------------------------------------------------------------- components by path

    def load(self, path: Path, name: str, *, settings: EngineSettings) -> Build:
        """Return the build of a component made elsewhere. A text file is assembled first.

        Raises `UsageError` when there is no such file and `ComponentError` when it is no component.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            why = f"{str(path)!r} cannot be read ({error.strerror}); give a path to a .wasm file."
            raise UsageError(why) from None
        if path.suffix == ".wat":
            data = self.tools.assemble(data.decode("utf-8", "replace"))
        return self.from_bytes(data, name, settings=settings, language="loaded", form="as loaded")

    def from_bytes(
        self, data: bytes, name: str, *, settings: EngineSettings, language: str, form: str
    ) -> Build:
        """Return the build of a component given as bytes; raises `ComponentError` for anything else."""
        if not data.startswith(b"\0asm"):
            raise ComponentError(
                f"{name} is no WebAssembly: it starts with {data[:8]!r}, expected b'\\x00asm'. "
                "Give a component's .wasm file."
            )
        digest = hashlib.sha256(data).hexdigest()
        build = Build(
            name=name,
            language=language,
            form=form,
            digest=digest,
            size=len(data),
            wasm=self.cache.path("component", digest),
            code=self.code.path(digest, settings),
            component=World("component"),
            settings=settings,
        )
        build = self._with_world(self.code.ensure(build, wasm=data))
        self.cache.put("component", digest, data)
        return replace(build, component=self._named(data, build.component))

    def _named(self, data: bytes, reflected: World) -> World:
        """Return the component's world with type names and docs where the toolbox can tell them."""
        try:
            return self.toolbox.world_of(data)
        except LabError:
            return reflected


def _compiler(facts: dict[str, Any]) -> str:
    return default_compiler(facts["form"], facts["size"], is_shared=bool(facts.get("runtime")))


def _identity(made: toolchains.Artifact) -> dict[str, Any]:
    """Return what tells one component from another. For a runtime that includes what it is started with."""
    if made.runtime is None:
        return {"digest": hashlib.sha256(made.wasm).hexdigest(), "size": len(made.wasm)}
    supplies = made.supplies.to_data()
    return {
        "digest": key_of("runtime", made.runtime.digest, supplies),
        "wasm_digest": made.runtime.digest,
        "size": made.runtime.size,
        "runtime": made.runtime.key,
        "supplies": supplies,
    }
