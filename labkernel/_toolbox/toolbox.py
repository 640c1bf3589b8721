"""The toolbox as an object: each method is one call into the component, loaded when it is first needed."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from labkernel._cache import Cache, key_of
from labkernel._errors import CacheDamaged, GuestCrashed, GuestError, GuestTrap, ToolchainMissing, UsageError
from labkernel._host import EngineSettings, Loaded, Start, Started, Supervisor, load_or_make
from labkernel._toolbox.anatomy import Anatomy
from labkernel._toolbox.declare import declare
from labkernel._toolbox.diagnose import component_error, panic, refused, wit_error
from labkernel._toolbox.locate import find_toolbox
from labkernel._toolbox.model import Model
from labkernel._wit import Function, Package, Type, World

__all__ = ["Toolbox"]

Deps: TypeAlias = Sequence[Mapping[str, str]]
Files: TypeAlias = tuple[tuple[str, str], ...]

_INTERFACE: Final = "labkernel:toolbox/tools@0.1.0"
_KIND: Final = "toolbox"
_START: Final = Start(memory_bytes=1 << 30, timeout_s=60.0)
_LARGE: Final = 1 << 18
"""Blobs beyond this size leave the instance with memory that it never gives back: it ends after the call."""


class Toolbox:
    """Calls into the toolbox component.

    `wasm` is the component's path, looked for when left out. Nothing is loaded until the first call; a host
    process that died meanwhile is no matter. Methods may be called from any thread, one at a time.
    """

    def __init__(
        self, supervisor: Supervisor, cache: Cache | None = None, *, wasm: Path | None = None
    ) -> None:
        self._supervisor = supervisor
        self._cache = cache or Cache()
        self._wasm = wasm
        self._code: Path | None = None
        self._started: Started | None = None
        self._lock = threading.RLock()

    @property
    def is_there(self) -> bool:
        """Whether the component is there, so that a call needs no build."""
        return self._wasm is not None or find_toolbox(self._cache) is not None

    def resolve(self, text: str, *, name: str = "cell.wit", deps: Deps = ()) -> Package:
        """Return the package that a text declares. `deps` are packages too, each a mapping of path to text.

        WASI's packages need not be given. Raises `WitError` with line and column.
        """
        return self.resolve_files({name: text}, deps=deps)

    def resolve_files(self, files: Mapping[str, str], *, deps: Deps = ()) -> Package:
        """Return the package that several files declare together. Raises `WitError` with file and line."""
        texts = {path: text for group in (*deps, files) for path, text in group.items()}
        arguments = [_files(files), [_files(dep) for dep in deps]]
        summary = f"{' and '.join(files) or 'the package'} does not resolve"
        try:
            verdict, value = self._call("resolve", *arguments)
        except GuestError as error:
            raise wit_error(f"{summary}: {error}", [], texts) from error
        if verdict == "err":
            raise wit_error(f"{summary}:", value, texts)
        return _package(value, text="\n".join(files.values()))

    def carried(self) -> dict[str, str]:
        """Return the WASI packages that need not be given: full id to text."""
        return dict(self._call("carried"))

    def bindings_c(self, package: Package, world: str) -> dict[str, bytes]:
        """Return C bindings by file name: `WORLD.h`, `WORLD.c` and `WORLD_component_type.o`."""
        return self._bindings("bindings-c", "C", package, world)

    def bindings_cpp(self, package: Package, world: str) -> dict[str, bytes]:
        """Return C++ bindings by file name: `WORLD_cpp.h`, `WORLD.cpp`, `WORLD_component_type.o`, `wit.h`."""
        return self._bindings("bindings-cpp", "C++", package, world)

    def bindings_go(self, package: Package, world: str) -> dict[str, bytes]:
        """Return Go bindings by path: `go.mod`, `wit_exports.go`, and a folder for each interface."""
        return self._bindings("bindings-go", "Go", package, world)

    def bindings_rust(self, package: Package, world: str) -> dict[str, bytes]:
        """Return Rust bindings by file name, formatted: `WORLD.rs`."""
        return self._bindings("bindings-rust", "Rust", package, world)

    def go_package(self) -> dict[str, str]:
        """Return the sources of `go.bytecodealliance.org/pkg`, which Go bindings import, by path."""
        return dict(self._call("go-package"))

    def for_js(self, package: Package, world: str) -> Files:
        """Return the package's files with the types that the world declares moved into an interface.

        componentize-qjs makes invalid components of worlds that declare records. Signatures keep their
        structure; a world without such types comes back as it was. For a package of them:
        `dataclasses.replace(package, files=...)`.
        """
        return self._rewritten("for-js", package, world)

    def extend_world(self, package: Package, world: str, imports: Sequence[str]) -> Files:
        """Return the package's files with imports of interfaces (`wasi:cli/stdout`) added to the world.

        Versions and carried packages are found as by `resolve`. Raises `WitError`.
        """
        return self._rewritten("extend-world", package, world, list(imports))

    def embed(self, core: bytes, package: Package, world: str) -> bytes:
        """Return the core module with the world's type in a custom section."""
        return self._bytes("the module takes no world", "embed", _blob(core), _target(package, world))

    def componentize(self, core: bytes, package: Package | None = None, world: str | None = None) -> bytes:
        """Return a component made of a core module, joined with the preview1 adapter where it needs that.

        Without a package the module carries its world's type already. Raises `ComponentError`.
        """
        target = None if package is None else [_target(package, world or "")]
        return self._bytes("the module does not make a component", "componentize", _blob(core), target)

    def plug(self, socket: bytes, plugs: Sequence[bytes], *, keep: Sequence[str] = ()) -> bytes:
        """Return one component: `socket`, with its imports satisfied by the exports of `plugs`.

        It exports what `socket` exports, and those of the plugs' exports that `keep` names.
        """
        blobs = list(map(_blob, plugs))
        return self._bytes("the components do not fit", "plug", _blob(socket), blobs, list(keep))

    def derive(
        self, component: bytes, role: str, *, extra: str = "", deps: Mapping[str, str] | None = None
    ) -> Package:
        """Return the package whose world `root` stands in front of a component.

        As a `membrane` it imports all that the component imports and exports the same; as a `driver` it imports all
        that the component exports. `extra` holds further imports and exports as WIT writes them, `deps` the files
        (`deps/x.wit`) of the packages they name. Raises `ComponentError`.
        """
        files = _files(deps or {})
        made = self._checked(f"it takes no {role}", "derive", _blob(component), role, extra, files)
        return _package(made, text="")

    def wit_of(self, component: bytes) -> str:
        """Return a component's WIT as text."""
        text: str = self._checked("its WIT cannot be read", "describe", _blob(component))[0]
        return text

    def world_of(self, component: bytes) -> World:
        """Return a component's world, with the names of its types; it has no package."""
        model = Model(self._checked("its WIT cannot be read", "describe", _blob(component))[1])
        worlds = model.worlds()
        if not worlds:
            raise refused(["wit-package", None])
        first = worlds[0]
        return World(first.name, "", first.imports, first.exports, first.types, first.docs)

    def validate(self, component: bytes) -> None:
        """Raise `ComponentError` unless the bytes are a component that the lab runs."""
        verdict, refusal = self._call("validate", _blob(component))
        if verdict == "err":
            raise refused(refusal)

    def anatomy(self, component: bytes) -> Anatomy:
        """Return the sizes of a component's or core module's parts and sections."""
        return Anatomy.from_normal(self._checked("its parts cannot be read", "anatomy", _blob(component)))

    def print_wat(self, wasm: bytes, *, max_size: int = 1 << 20) -> str:
        """Return WebAssembly in its text form, at most `max_size` characters of it."""
        text: str = self._checked("it cannot be printed", "print-wat", _blob(wasm), max_size)
        return text

    def parse_wave(self, text: str, wit_type: Type | Function) -> str:
        """Return a WAVE value in the ecosystem's own spelling; for a function, a whole call.

        Raises `UsageError` with the column where the text is no value of the type.
        """
        verdict, value = self._call("parse-wave", text, *declare(wit_type))
        if verdict == "ok":
            return str(value)
        message, _, line, column, _, _ = value[0]
        place = f" at column {column}" if line == 1 else f" at line {line}, column {column}" if line else ""
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        raise UsageError(f"{shown!r} is not read{place}: {message}.")

    def close(self) -> None:
        """Drop the instance; the next call starts another."""
        with self._lock:
            started, self._started = self._started, None
            if started is not None and started.generation == self._supervisor.generation:
                self._supervisor.drop(started)

    def _bindings(self, function: str, title: str, package: Package, world: str) -> dict[str, bytes]:
        files = self._of_world(f"gives no {title} bindings", function, package, world)
        return {name: _from_blob(content) for name, content in files}

    def _rewritten(self, function: str, package: Package, world: str, *more: Any) -> Files:
        files = self._of_world("cannot be rewritten", function, package, world, *more)
        return tuple((path, text) for path, text in files)

    def _of_world(self, failure: str, function: str, package: Package, world: str, *more: Any) -> Any:
        """Return what a function makes of a world. A generator that gives up traps, with its reason printed."""
        summary = f"{package.name} {failure}"
        try:
            verdict, value = self._call(function, _target(package, world), *more)
        except GuestTrap as error:
            raise wit_error(f"{summary}: {panic(error)}", [], {}) from error
        if verdict == "err":
            raise wit_error(f"{summary}:", value, dict(package.files))
        return value

    def _bytes(self, summary: str, function: str, *arguments: Any) -> bytes:
        return _from_blob(self._checked(summary, function, *arguments))

    def _checked(self, summary: str, function: str, *arguments: Any) -> Any:
        verdict, value = self._call(function, *arguments)
        if verdict == "err":
            raise component_error(summary[0].upper() + summary[1:], value)
        return value

    def _call(self, function: str, *arguments: Any) -> Any:
        with self._lock:
            try:
                result = self._ask(function, arguments)
            except BaseException:
                self.close()
                raise
            if _size((arguments, result)) > _LARGE:
                self.close()
            return result

    def _ask(self, function: str, arguments: Sequence[Any]) -> Any:
        full_name = f"{_INTERFACE}#{function}"
        started = self._instance()
        try:
            return self._supervisor.call(started, full_name, list(arguments)).result
        except GuestCrashed:
            if started.generation == self._supervisor.generation:
                raise  # it crashed under this very call; otherwise it was gone before
            return self._supervisor.call(self._instance(), full_name, list(arguments)).result

    def _instance(self) -> Started:
        if self._started is None or self._started.generation != self._supervisor.generation:
            self._started = self._supervisor.instantiate(self._load(), _START)
        return self._started

    def _load(self) -> Loaded:
        """Return the loaded component, its machine code made or made anew where it has to be."""
        settings = EngineSettings()
        if self._code is not None:
            with contextlib.suppress(CacheDamaged):
                return self._supervisor.load(self._code, settings=settings)
        wasm = (self._wasm or self._find()).read_bytes()
        key = key_of(hashlib.sha256(wasm).hexdigest(), settings.key, self._supervisor.key_id)
        # A lab with a cache of its own shares the user's machine code.
        cache = Cache() if Cache().get(_KIND, key, ".cwasm") else self._cache
        code = cache.path(_KIND, key, ".cwasm")
        make = lambda: self._supervisor.codegen(wasm, code, settings=settings)  # noqa: E731
        loaded = load_or_make(self._supervisor, code, settings, cache=cache, make=make)
        self._code = code
        return loaded

    def _find(self) -> Path:
        found = find_toolbox(self._cache)
        if found is None:
            raise ToolchainMissing(
                "The toolbox component",
                how="labkernel setup",
                detail="It is built from source once, in some minutes.",
            )
        self._wasm = found
        return found


def _package(resolution: Any, *, text: str) -> Package:
    data, resolved, notes = resolution
    model = Model(data)
    return Package(
        name=model.name,
        worlds=model.worlds(),
        interfaces=model.interfaces(),
        text=text,
        files=tuple((path, text) for path, text in resolved),
        docs=model.docs,
        notes=tuple(notes),
    )


def _blob(data: bytes) -> str:
    return data.decode("latin-1")


def _from_blob(blob: str) -> bytes:
    return blob.encode("latin-1")


def _files(files: Mapping[str, str]) -> list[list[str]]:
    return [[path, text] for path, text in files.items()]


def _target(package: Package, world: str) -> list[Any]:
    return [[list(file) for file in package.files], world]


def _size(value: Any) -> int:
    """Return roughly how many characters a normal form holds, blobs counting for what they are."""
    if isinstance(value, str):
        return len(value)
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 8
