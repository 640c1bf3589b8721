"""`Build`: what making a component leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkernel._capability import Supplies
from labkernel._errors import Diagnostic
from labkernel._host import EngineSettings
from labkernel._wit import Function, Package, World

__all__ = ["Build"]


@dataclass(frozen=True, slots=True)
class Build:
    """A component and how it came about.

    The component's bytes lie at `wasm` in the cache, with machine code for `settings` at `code`; `digest` is
    their sha256. A development build of some languages is a runtime, shared by all snippets of its world, that
    is started with the `supplies`; there `digest` covers both, and `wasm_digest` is the sha256 of the bytes.
    `phases` are nanoseconds by phase, as measured when it was built; `cached` says
    whether this time it was only found again. `component` is the component's own imports and exports;
    `world` is what it was built for (`None` for one that brings its own).
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
    supplies: Supplies = field(default_factory=Supplies)
    wasm_digest: str = ""

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions it exports, with the names and docs of its world where one is known."""
        exported = {f.full_name: f for f in self.component.functions()}
        known = {f.full_name: f for f in self.world.functions()} if self.world else {}
        return tuple(known.get(name, function) for name, function in exported.items())

    @property
    def imports(self) -> tuple[str, ...]:
        """The names of what it asks its host for."""
        return self.component.imported()

    def read(self) -> bytes:
        """Return the component's bytes."""
        return self.wasm.read_bytes()

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
            "diagnostics": [d.to_json() for d in self.diagnostics],
        }

    def __repr__(self) -> str:
        return f"Build({self.name!r}, {self.language}, {self.size} bytes, sha256:{self.digest[:12]})"
