"""What every language has in common: the records that go in and out of a build, and the toolchain's own
shape.

A toolchain turns a `Snippet` and a world into an `Artifact`; it finds its tools, says what is missing,
prepares them and writes the starter cell. What it needs from the lab reaches it as a `Context`. Third
parties add a language by an entry point in the group `labkernel.languages` that names a subclass of
`Toolchain`. This module knows no language, no notebook and no engine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from labkernel._cache import Cache
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
    "Snippet",
    "ToolStatus",
    "Toolbox",
    "Toolchain",
    "check_file_name",
    "identity_of",
]

Form: TypeAlias = Literal["development", "release"]
Progress: TypeAlias = Callable[[str], None]

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
class Artifact:
    """A built component. `phases` are nanoseconds by phase; `commands` can be pasted into a shell."""

    wasm: bytes
    phases: Mapping[str, int] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    form: Form = "development"
    commands: tuple[str, ...] = ()
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""


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

    @abstractmethod
    def versions(self) -> str:
        """Return what identifies the tools, for cache keys, without starting any; empty where one is missing."""

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
    def starter(self, package: Package | None, world: World | None) -> str:
        """Return a cell that builds as it stands."""

    def signature_hint(self, function: Function, world: World) -> str:
        """Return how the language declares a function of the world."""
        return function.text

    def needs_world(self, text: str) -> bool:
        """Whether a snippet of this text can only be built for a world."""
        return True

    def bindings(self, package: Package, world: World, context: Context) -> dict[str, str]:
        """Return the generated bindings by file name; raise `UsageError` where there are none."""
        raise UsageError(f"{self.title} has no bindings to show.")

    def native(
        self, text: str, package: Package, world: World, function: Function, args: list[Any], context: Context
    ) -> Native | None:
        """Return the snippet as a program of this machine that calls one function, or `None`."""
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


def check_file_name(name: str) -> str:
    """Return a further file's name; raise `UsageError` unless it stays within the build's folder."""
    parts = name.replace("\\", "/").split("/")
    if (
        not name
        or name.startswith(("/", "-", "~"))
        or any(p in ("", ".", "..") for p in parts)
        or "\0" in name
    ):
        raise UsageError(
            f"The file name {name!r} leads out of the build; give a plain relative name, like 'util.h'."
        )
    return name
