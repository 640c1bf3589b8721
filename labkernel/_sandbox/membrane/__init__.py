"""Membranes: components generated for a guest's imports that stand between it and its host and see every call.

A membrane imports what the guest imports, exports the same, and passes each call on. What it does besides is data,
handed over when an instance starts: keep an entry in its ledger, ask the host before, tell it after, or answer by
itself. It knows what types mean to the canonical ABI only, and nothing of what the calls do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from labkernel._errors import ComponentError
from labkernel._host import Supervisor
from labkernel._host.membrane_layout import IMPORT
from labkernel._sandbox.membrane.table import Wrapped, table_of
from labkernel._sandbox.membrane.text import module_text
from labkernel._toolbox import Toolbox
from labkernel._wit import Interface, OpaqueType, World

__all__ = ["GENERATOR", "Membrane", "Wrapped", "membrane_for", "table_of"]

GENERATOR: Final = "1"
"""Raised whenever a membrane made of the same component would be another."""

_CLOCK: Final = """package wasi:clocks@{version};
interface monotonic-clock {{
  type instant = u64;
  now: func() -> instant;
}}
"""
_CLOCK_NAME: Final = re.compile(r"wasi:clocks/monotonic-clock@0\.2\.\d+")


@dataclass(frozen=True, slots=True)
class Membrane:
    """A guest behind its membrane: one component, and what is wrapped in it."""

    component: bytes
    table: tuple[Wrapped, ...]


def membrane_for(component: bytes, *, toolbox: Toolbox, supervisor: Supervisor) -> Membrane | None:
    """Return a component behind a membrane of its own, `None` where it imports nothing that could be called.

    Raises `ComponentError` for a component that takes none.
    """
    own = toolbox.world_of(component)
    clock, extra, deps = _clock(own)
    extra = f"import {IMPORT};\n{extra}"
    host = files(__package__).joinpath("host.wit").read_text(encoding="utf-8")
    deps = {"deps/labkernel-membrane.wit": host, **deps}
    package = toolbox.derive(component, "membrane", extra=extra, deps=deps)
    world = _wrapped_world(package.worlds[0])
    table = table_of(world)
    if not table:
        return None
    core = supervisor.assemble(module_text(world, clock))
    membrane = toolbox.componentize(core, package, "root")
    return Membrane(toolbox.plug(component, [membrane]), table)


def _clock(world: World) -> tuple[str, str, dict[str, str]]:
    """Return the interface that a membrane reads the time from, its import, and the package that declares it.

    It is the one that the component imports, if that is there with `now`.
    """
    clocks = [i for i in world.imports if isinstance(i, Interface) and _CLOCK_NAME.fullmatch(i.name)]
    for interface in clocks:
        if any(f.name == "now" for f in interface.functions):
            return interface.name, "", {}
    taken = " ".join(world.imported())
    version = next(
        v for v in (f"0.2.{patch}" for patch in range(64)) if f"wasi:clocks/monotonic-clock@{v}" not in taken
    )
    name = f"wasi:clocks/monotonic-clock@{version}"
    return name, f"import {name};", {f"deps/clock-{version}.wit": _CLOCK.format(version=version)}


def _wrapped_world(world: World) -> World:
    """Return the world that the membrane exports, as imports. Raises `ComponentError` for one that it cannot."""
    resources = [t.name for t in world.types if t.type == OpaqueType("resource") and not t.alias_of]
    if resources:
        raise ComponentError(
            f"The component imports the resource {resources[0]!r} at its root, expected resources in interfaces only. "
            "It runs without a membrane: leave out the grants and the trace that need one."
        )
    wrapped = tuple(
        item for item in world.exports if not isinstance(item, Interface) or item.functions or item.types
    )
    return World(world.name, world.package, wrapped, (), world.types)
