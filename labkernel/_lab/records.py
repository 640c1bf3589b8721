"""`Build`: what making a component leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkernel._capability import Supplies
from labkernel._errors import CacheDamaged, Diagnostic, UsageError
from labkernel._host import EngineSettings
from labkernel._sandbox.membrane import Wrapped
from labkernel._toolchains import Options
from labkernel._wit import Function, Package, World

__all__ = ["Build", "NoSuchFunction"]


class NoSuchFunction(UsageError, AttributeError):
    """An attribute that is no function to call: shown short, and `hasattr` answers no."""


@dataclass(frozen=True, slots=True)
class Build:
    """A component and how it came about.

    The component's bytes lie at `wasm` in the cache, with machine code for `settings` at `code`; `digest` is
    their sha256. A development build of some languages is a runtime, shared by all snippets of its world, that
    is started with the `supplies`; there `digest` covers both, and `wasm_digest` is the sha256 of the bytes.
    `phases` are nanoseconds by phase, as measured when it was built; `cached` says
    whether this time it was only found again. `source`, `files` and `options` are what it was made of.
    `component` is the component's own imports and exports; `world` is what it was built for (`None` for one
    that brings its own). Behind a membrane `wasm` is guest and membrane in one, and `wrapped` what the membrane
    sees of the guest's calls.
    """

    name: str
    language: str
    form: str
    digest: str
    size: int
    wasm: Path
    code: Path
    component: World
    settings: EngineSettings = field(default_factory=EngineSettings)
    world: World | None = None
    package: Package | None = None
    phases: dict[str, int] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    commands: tuple[str, ...] = ()
    tools: str = ""
    raw: str = ""
    cached: bool = False
    notes: tuple[str, ...] = ()
    source: str = ""
    files: tuple[tuple[str, str], ...] = ()
    options: Options = field(default_factory=Options)
    supplies: Supplies = field(default_factory=Supplies)
    wasm_digest: str = ""
    wrapped: tuple[Wrapped, ...] = ()

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions it exports: where its world is known, those of the world, with their names and docs.

        Some tools leave a function of their own beside them, which has had its time when the component is made.
        """
        exported = {f.full_name: f for f in self.component.functions()}
        if self.world is None:
            return tuple(exported.values())
        return tuple(f for f in self.world.functions() if f.full_name in exported)

    @property
    def imports(self) -> tuple[str, ...]:
        """The names of what it asks its host for."""
        return self.component.imported()

    def __getattr__(self, name: str) -> Any:
        """Tell who calls a component's function on the build what to call it on."""
        is_function = not name.startswith("_") and name not in self.__slots__
        if is_function and name in [f.name.replace("-", "_") for f in self.functions]:
            raise NoSuchFunction(
                f"{self.name} is a component, and functions are called on an instance. Start one with "
                f"%instantiate {self.name} --as fn, then fn.{name}(...)."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def read(self) -> bytes:
        """Return the component's bytes; raises `CacheDamaged` when the cache no longer has them."""
        try:
            return self.wasm.read_bytes()
        except FileNotFoundError:
            raise CacheDamaged(
                f"{self.name} is no longer in the cache, which was emptied or had to make room. "
                "Run its %%wasm cell again, or %wasm load it."
            ) from None

    def to_json(self) -> dict[str, Any]:
        """Return the facts of the card as plain data."""
        return {
            "name": self.name,
            "language": self.language,
            "form": self.form,
            "world": self.world.full_name if self.world else None,
            "digest": self.digest,
            "size": self.size,
            "phases": self.phases,
            "imports": list(self.imports),
            "exports": [f.text for f in self.functions],
            "cached": self.cached,
            "tools": self.tools,
            "compiler": self.settings.compiler,
            "diagnostics": [d.to_json() for d in self.diagnostics],
        }

    def __repr__(self) -> str:
        return f"Build({self.name!r}, {self.language}, {self.size} bytes, sha256:{self.digest[:12]})"
