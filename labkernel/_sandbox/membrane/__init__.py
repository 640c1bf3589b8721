"""Membranes: components generated for a guest's imports that stand between it and its host and see every call.

A membrane imports what the guest imports, exports the same, and passes each call on. What it does besides is data,
handed over when an instance starts: keep an entry in its ledger, ask the host before, tell it after, or answer by
itself. It knows what types mean to the canonical ABI only, and nothing of what the calls do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from labkernel._errors import ComponentError
from labkernel._host import Supervisor
from labkernel._host.membrane_layout import CLOCK_IMPORT, IMPORT
from labkernel._sandbox.membrane.apart import Apart, versions_apart
from labkernel._sandbox.membrane.compose import compose, import_prefix
from labkernel._sandbox.membrane.table import Wrapped, table_of
from labkernel._sandbox.membrane.text import module_text
from labkernel._toolbox import Toolbox
from labkernel._wit import Function, OpaqueType, Package, World, parts

__all__ = ["Membrane", "Wrapped", "generator", "membrane_for", "table_of"]


@lru_cache(maxsize=1)
def generator() -> str:
    """Return a digest of all that makes membranes: another one may make another membrane of the same component."""
    here = files(__package__)
    parts = sorted((f for f in here.iterdir() if f.name.endswith((".py", ".wit"))), key=lambda f: f.name)
    layout = files("labkernel._host").joinpath("membrane_layout.py")
    return hashlib.sha256(b"".join(f.read_bytes() for f in (*parts, layout))).hexdigest()


@dataclass(frozen=True, slots=True)
class Membrane:
    """A guest behind its membrane: one component, and what is wrapped in it."""

    component: bytes
    table: tuple[Wrapped, ...]


def membrane_for(component: bytes, *, toolbox: Toolbox, supervisor: Supervisor) -> Membrane | None:
    """Return a component behind a membrane of its own, `None` where it imports nothing that could be called.

    Raises `ComponentError` for a component that takes none.
    """
    outer = import_prefix(component)
    host = files(__package__).joinpath("host.wit").read_text(encoding="utf-8")
    # The imports alone are a component too, of some kB, and have the same world but for the exports.
    package = toolbox.derive(
        outer.prefix if outer else component,
        "membrane",
        extra=f"import {IMPORT};\nimport {CLOCK_IMPORT};",
        deps={"deps/labkernel-membrane.wit": host},
    )
    world = _wrapped_world(package.worlds[0])
    table = table_of(world)
    if not table:
        return None
    apart = versions_apart(world.imported())
    if apart.names:
        package = _renamed(package, apart, toolbox)
    core = supervisor.assemble(module_text(_wrapped_world(package.worlds[0]), apart))
    membrane = toolbox.componentize(core, package, "root")
    made = compose(
        component, membrane, _clock_of(world), resources=_root_resources(world), outside=apart.outside
    )
    if made is None and apart.names:
        raise ComponentError(
            f"The component imports {' and '.join(p + '@' + v for p, v in apart.names)} beside a newer version, and "
            "its imports don't come first, expected one version or imports first. Build or compose it again."
        )
    return Membrane(made or toolbox.plug(component, [membrane]), table)


def _renamed(package: Package, apart: Apart, toolbox: Toolbox) -> Package:
    """Return the package with its versions kept apart."""
    files = {path: apart.inside(text) for path, text in package.files}
    main = {path: text for path, text in files.items() if not path.startswith("deps/")}
    return toolbox.resolve_files(
        main, deps=[{path: text} for path, text in files.items() if path not in main]
    )


def _clock_of(world: World) -> str:
    """Return a name of WASI's monotonic clock, of a 0.2 version that a world does not import."""
    names = (f"wasi:clocks/monotonic-clock@0.2.{patch}" for patch in range(1000))
    return next(name for name in names if name not in world.imported())


def _root_resources(world: World) -> list[tuple[str, str, str]]:
    """Return the resources that a world uses of interfaces: name, interface, name in it."""
    found = []
    for named in world.types:
        if named.type == OpaqueType("resource"):
            path, _, version = named.alias_of.partition("@")
            interface, _, own = path.rpartition(".")
            found.append((named.name, f"{interface}@{version}" if version else interface, own))
    return found


def _wrapped_world(world: World) -> World:
    """Return the world that the membrane exports, as imports. Raises `ComponentError` for one that it cannot."""
    resources = [t.name for t in world.types if t.type == OpaqueType("resource") and not t.alias_of]
    wrapped = World(world.name, world.package, world.exports, (), world.types)
    late = [w.name for w in table_of(wrapped) if is_late(w.function)]
    if resources or late:
        what = f"the resource {resources[0]!r} at its root" if resources else f"the asynchronous {late[0]!r}"
        raise ComponentError(
            f"The component imports {what}, expected plain functions and resources in interfaces. "
            "It runs without a membrane: leave out the grants and the trace that need one."
        )
    return wrapped


def is_late(function: Function) -> bool:
    """Whether a function is asynchronous, or takes or returns a stream or a future."""
    types = [p.type for p in function.params] + ([] if function.result is None else [function.result])
    return function.is_async or any(isinstance(part, OpaqueType) for t in types for part in parts(t))
