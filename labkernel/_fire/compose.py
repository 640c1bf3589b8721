"""Drivers composed in front of targets, once for each target and function, and kept in the cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CompileError, ComponentError, UsageError, WitError
from labkernel._fire.driver import DRIVER_WIT, GENERATOR, driver_text, noop_text
from labkernel._toolbox import Toolbox
from labkernel._toolbox.declare import declare
from labkernel._wit import (
    Function,
    HandleType,
    OpaqueType,
    parts,
    type_text,
)

__all__ = ["Composer", "NoDriver", "noop_of", "why_undrivable", "with_clock"]

_KIND: Final = "driver"
_CLOCKS: Final = re.compile(r"^package wasi:clocks@([\w.+-]+);", re.MULTILINE)
_CLOCK_VERSION: Final = "0.2.12"
_NOW: Final = "now: func() -> u64;"


class NoDriver(UsageError):
    """A function or a target that no driver can fire; the message says why, as a run's `why` does."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes composites. `assemble` turns text to binary."""

    toolbox: Toolbox
    assemble: Callable[[str], bytes]
    cache: Cache

    def key(self, digest: str, function: Function) -> str:
        """Return what a composite is cached under."""
        return key_of(_KIND, digest, function.full_name, function.text, GENERATOR, DRIVER_WIT)

    def is_cached(self, digest: str, function: Function) -> bool:
        """Return whether the composite has been made before."""
        return self.cache.path(_KIND, self.key(digest, function), ".wasm").is_file()

    def composite(self, digest: str, read: Callable[[], bytes], function: Function) -> bytes:
        """Return the target with a driver for this function in front of it; it exports what the target exports too.

        `digest` is of the bytes that `read` returns. Raises `NoDriver`.
        """
        key = self.key(digest, function)
        with self.cache.building(_KIND, key):
            found = self.cache.read(_KIND, key, ".wasm")
            if found is None:
                found = self._compose(read(), function)
                self.cache.put(_KIND, key, found, ".wasm")
        return found

    def noop(self, function: Function) -> bytes:
        """Return a component that does nothing in `noop_of(function)`, its only function."""
        nothing = noop_of(function)
        declarations, signature = declare(nothing, result=True)
        text = f"package labkernel:noop;\nworld root {{\n{declarations}\nexport noop: {signature};\n}}\n"
        package = self.toolbox.resolve(text, name="noop.wit")
        return self.toolbox.componentize(self.assemble(noop_text(nothing)), package, "root")

    def _compose(self, target: bytes, function: Function) -> bytes:
        if why := why_undrivable(function):
            raise NoDriver(f"no driver fires {function.full_name}: {why}")
        toolbox = self.toolbox
        try:
            files, clock = with_clock(dict(toolbox.derive(target, "driver", extra=DRIVER_WIT).files))
            world = {"world.wit": files.pop("world.wit")}
            package = toolbox.resolve_files(world, deps=[{path: text} for path, text in files.items()])
            core = self.assemble(driver_text(function, clock))
            driver = toolbox.componentize(core, package, "root")
            exports = [item.name for item in toolbox.world_of(target).exports]
            try:
                return toolbox.plug(driver, [target], keep=exports)
            except ComponentError:
                return toolbox.plug(driver, [target])
        except (ComponentError, WitError, CompileError) as error:
            raise NoDriver(f"no driver goes in front of this component: {error}") from None


def noop_of(function: Function) -> Function:
    """Return the function of the same signature that does nothing."""
    return Function("noop", function.params, function.result)


def with_clock(files: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the files of a world `root` that also imports the monotonic clock, and the clock's full id.

    A world read off a component has of `wasi:clocks` what the component uses, at the component's version.
    """
    made = dict(files)
    path = next((path for path, text in made.items() if _CLOCKS.search(text)), None)
    version = _CLOCK_VERSION
    if path is not None and (found := _CLOCKS.search(made[path])):
        version, text = found[1], made[path]
        if "interface monotonic-clock {" not in text:
            text += "\ninterface monotonic-clock {\n}\n"
        if not re.search(r"interface monotonic-clock \{(?:(?!\n\}).)*?\bnow: func", text, re.DOTALL):
            text = text.replace("interface monotonic-clock {", f"interface monotonic-clock {{\n  {_NOW}", 1)
        made[path] = text
    clock = f"wasi:clocks/monotonic-clock@{version}"
    if f"import {clock};" not in made["world.wit"]:
        made["world.wit"] = made["world.wit"].replace("world root {", f"world root {{\n  import {clock};", 1)
    return made, clock


def why_undrivable(function: Function) -> str:
    """Return why no driver can fire a function, or nothing."""
    if function.is_async:
        return "it is asynchronous"
    types = [p.type for p in function.params] + ([] if function.result is None else [function.result])
    for wit_type in types:
        for part in parts(wit_type):
            if isinstance(part, HandleType):
                return f"it takes or returns {type_text(part)!r}, and handles cannot be put into a table"
            if isinstance(part, OpaqueType):
                return f"it takes or returns {type_text(part)!r}, which has no values outside a component"
    return ""
