"""What every language has in common: the records that go in and out of a build, and the toolchain's own
shape.

A toolchain turns a `Snippet` and a world into an `Artifact`; it finds its tools, says what is missing,
prepares them and writes the starter cell. What it needs from the lab reaches it as a `Context`. Third
parties add a language by an entry point in the group `labkernel.languages` that names a subclass of
`Toolchain`. This module knows no language, no notebook and no engine.

Two shapes of an artifact
-------------------------
*Its own component*: `Artifact(wasm)`. The bytes hold everything; what is compiled is what is deployed.

*A runtime and supplies*: `Artifact(runtime=context.runtime(key, make), supplies=Supplies(env=(("NAME",
text),)))`. For languages whose component is an interpreter that takes seconds to make. The runtime is made
once for each key (world, versions of tools, the loader's own text: everything but the snippet), lies in the
cache under the kind `runtime`, and its machine code beside it, so an edit reads, hashes and compiles none of
its megabytes. Whatever changes with the snippet goes into the supplies: environment variables (no NUL in
them, and of a few megabytes at most) and read-only folders, which the lab adds at every start. They are no
grant and no card shows them; the runtime takes them out of what the guest's code sees of its environment.
The build's digest covers both, so an instance starts anew after an edit; its machine code is found by the
runtime's digest alone. A development build cannot be saved as a file: `--release` is for that, and it should
behave the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Protocol, TypeAlias

from labkernel._cache import Cache
from labkernel._capability import Supplies
from labkernel._errors import Diagnostic, ToolchainMissing, UsageError
from labkernel._wit import Function, Package, World

__all__ = [
    "Artifact",
    "Assembler",
    "Context",
    "Form",
    "Native",
    "Options",
    "Progress",
    "Runtime",
    "Snippet",
    "Supplies",
    "ToolStatus",
    "Toolbox",
    "Toolchain",
    "identity_of",
]

Form: TypeAlias = Literal["development", "release"]
Progress: TypeAlias = Callable[[str], None]

#: The kind of cache entries that hold runtimes.
RUNTIME: Final = "runtime"
#: The optimization levels that every language understands.
LEVELS = ("0", "1", "2", "3", "s")


@dataclass(frozen=True, slots=True)
class Snippet:
    """Source text in one language. `name` is the build's name; `files` are further sources, by name."""

    language: str
    text: str
    files: tuple[tuple[str, str], ...] = ()
    name: str = "cell"


@dataclass(frozen=True, slots=True)
class Options:
    """How a snippet is built. `opt` left out means the form's own default."""

    opt: str | None = None
    release: bool = False
    flags: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    timeout_s: float = 120.0
    offline: bool = False
    verbose: bool = False
    engine: str = ""

    def __post_init__(self) -> None:
        """Refuse a level or a limit that no language knows."""
        if self.opt is not None and self.opt not in LEVELS:
            raise UsageError(f"Unknown optimization level {self.opt!r}; known: {', '.join(LEVELS)}.")
        if not self.timeout_s > 0:
            raise UsageError(f"A build's timeout of {self.timeout_s} s is not positive; for example: 60.")

    @property
    def form(self) -> Form:
        """The form of what is built."""
        return "release" if self.release else "development"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A component in the cache that reads a snippet when it starts: its cache key, sha256 and bytes."""

    key: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """A built component: `wasm`, or a `runtime` with the `supplies` it is started with.

    `phases` are nanoseconds by phase; `commands` can be pasted into a shell.
    """

    wasm: bytes = b""
    phases: Mapping[str, int] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    form: Form = "development"
    commands: tuple[str, ...] = ()
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""
    runtime: Runtime | None = None
    supplies: Supplies = field(default_factory=Supplies)


@dataclass(frozen=True, slots=True)
class ToolStatus:
    """One row of the doctor: a tool, its version or `None`, what it is for, and the line that installs it.

    `language` is empty for what every language needs. `minutes` estimates how long the installation takes.
    """

    tool: str
    version: str | None
    purpose: str
    install: str = ""
    language: str = ""
    note: str = ""
    minutes: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return asdict(self)

    @property
    def is_ready(self) -> bool:
        """Whether the tool is there."""
        return self.version is not None


@dataclass(frozen=True, slots=True)
class Native:
    """A snippet as a program of this machine. `expected` is what it prints last, if that is known."""

    program: Path
    what: str
    expected: str | None = None


class Toolbox(Protocol):
    """What toolchains ask of the toolbox."""

    def bindings_c(self, package: Package, world: str) -> dict[str, bytes]:
        """Return generated files by name."""
        ...

    def bindings_cpp(self, package: Package, world: str) -> dict[str, bytes]:
        """Return generated files by name."""
        ...

    def bindings_go(self, package: Package, world: str) -> dict[str, bytes]:
        """Return generated files by path."""
        ...

    def bindings_rust(self, package: Package, world: str) -> dict[str, bytes]:
        """Return generated files by name, to be read."""
        ...

    def go_package(self) -> dict[str, str]:
        """Return the sources of the module that generated Go code imports, by path."""
        ...

    def for_js(self, package: Package, world: str) -> tuple[tuple[str, str], ...]:
        """Return the package's files with the world's own types in an interface."""
        ...

    def extend_world(
        self, package: Package, world: str, imports: Sequence[str]
    ) -> tuple[tuple[str, str], ...]:
        """Return the package's files with imports added to the world."""
        ...

    def componentize(self, core: bytes, package: Package | None, world: str | None) -> bytes:
        """Return the component of a core module."""
        ...


class Assembler(Protocol):
    """What toolchains ask of the host: a `Supervisor` is one."""

    def assemble(self, wat: str) -> bytes:
        """Return the binary of WebAssembly text."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a build needs from the lab. `scratch` is where a build's own folders are made."""

    cache: Cache
    scratch: Path
    toolbox: Toolbox | None = None
    supervisor: Assembler | None = None
    progress: Progress = lambda line: None

    def needs_toolbox(self, language: str) -> Toolbox:
        """Return the toolbox; raise `ToolchainMissing` where it is not built."""
        if self.toolbox is None:
            raise ToolchainMissing("The toolbox", language=language, how="labkernel setup")
        return self.toolbox

    def needs_supervisor(self, language: str) -> Assembler:
        """Return the host; raise `ToolchainMissing` where there is none."""
        if self.supervisor is None:
            raise ToolchainMissing("wasmtime", language=language, how="pip install wasmtime")
        return self.supervisor

    def runtime(self, key: str, make: Callable[[], bytes]) -> Runtime:
        """Return the runtime of this key, made by `make` where there is none; two kernels make it once."""
        found = self.find_runtime(key)
        if found is None:
            with self.cache.building(RUNTIME, key):
                found = self.find_runtime(key)
                if found is None:
                    self.cache.put(RUNTIME, key, make())
                    found = self.find_runtime(key)
        assert found is not None
        return found

    def find_runtime(self, key: str) -> Runtime | None:
        """Return the runtime of this key, or `None` where it has yet to be made."""
        digest = self.cache.digest(RUNTIME, key)
        return Runtime(key, digest, self.cache.path(RUNTIME, key).stat().st_size) if digest else None

    @contextlib.contextmanager
    def build_folder(self, *, keep: bool = False) -> Iterator[Path]:
        """Yield a folder of this build's own, removed afterwards unless `keep`."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="build-", dir=self.scratch))
        try:
            yield folder
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)


class Toolchain(ABC):
    """One language. Subclasses are stateless but for what they remember of their tools."""

    language: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    extensions: ClassVar[tuple[str, ...]] = ()
    #: What a component of this language does otherwise than a program of it; every card says so.
    caveats: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def versions(self) -> str:
        """Return what identifies the tools, for cache keys, without starting any; empty where one is missing."""

    def identity(self, options: Options, cache: Cache | None = None) -> str:
        """Return what identifies the tools for these options: another engine's where they name one.

        Versions beside the installed one lie in the cache.
        """
        return self.versions()

    def engines(self, cache: Cache) -> list[str]:
        """Return what `--engine` may name on this machine."""
        return []

    def setup_version(self, version: str, context: Context) -> None:
        """Prepare another version or engine beside the installed one, which `--engine` then names.

        Raises `UsageError` where the language has but one.
        """
        raise UsageError(
            f"{self.language}@{version}: {self.title} has no other versions here; leave them out."
        )

    def kept(self, cache: Cache) -> list[str]:
        """Return the versions that `setup_version` put into the cache."""
        return []

    def forget_version(self, version: str, cache: Cache) -> str:
        """Remove what `setup_version` put into the cache; return its name in words.

        Raises `UsageError` where nothing of that version is there.
        """
        raise UsageError(f"{self.language}@{version}: no version of {self.title} is kept in the lab's cache.")

    @abstractmethod
    def check(self, cache: Cache) -> list[ToolStatus]:
        """Return the doctor's rows; never raise for a missing tool."""

    @abstractmethod
    def setup(self, context: Context) -> None:
        """Prepare and warm the tools, with a line of progress for each step."""

    @abstractmethod
    def build(
        self,
        snippet: Snippet,
        package: Package | None,
        world: World | None,
        options: Options,
        context: Context,
    ) -> Artifact:
        """Build a snippet for a world; raise `CompileError`, `ToolchainMissing` or `UsageError`."""

    @abstractmethod
    def starter(self, package: Package | None, world: World | None, context: Context | None = None) -> str:
        """Return a cell that builds as it stands. Some languages need the toolbox of a `context` for it."""

    def signature_hint(self, function: Function, world: World) -> str:
        """Return how the language declares a function of the world."""
        return function.text

    def needs_world(self, text: str) -> bool:
        """Whether a snippet of this text can only be built for a world."""
        return True

    def needs(self, package: Package | None, world: World | None) -> tuple[Package, World]:
        """Return what a cell is built for; raise `UsageError` where there is no world."""
        if package is None or world is None:
            raise UsageError(
                f"A {self.title} cell needs a world: give one with --world, or write it in a %%wit cell."
            )
        return package, world

    def explain(self, code: str) -> str | None:
        """Return the language's own explanation of a diagnostic's code, or `None` where it has none."""
        return None

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the generated bindings by file name; raise `UsageError` where there are none."""
        raise UsageError(f"{self.title} has no bindings to show.")

    def native(
        self, snippet: Snippet, package: Package, world: World, function: Function, args: list[Any],
        options: Options, context: Context,
    ) -> Native | None:  # fmt: skip
        """Return the snippet as a program of this machine that calls one function, or `None`.

        `options` are those of the build it is compared with: the same packages, the same version of the compiler.
        """
        return None


def identity_of(*paths: Path) -> str:
    """Return what changes when one of these files is replaced: path, size and time of each.

    A missing file counts as such.
    """
    parts = []
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            parts.append(f"{path} -")
        else:
            parts.append(f"{path} {stat.st_size} {stat.st_mtime_ns}")
    return "; ".join(parts)
