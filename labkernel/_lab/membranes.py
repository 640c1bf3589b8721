"""Builds behind membranes: composed once per component, kept in the cache, compiled like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CacheDamaged, ComponentError
from labkernel._host import EngineSettings, Supervisor
from labkernel._host.membrane_layout import IMPORT
from labkernel._lab.code import MachineCode
from labkernel._lab.records import Build
from labkernel._sandbox.membrane import Wrapped, generator, membrane_for
from labkernel._toolbox import Toolbox
from labkernel._wit import Function, HandleType, Interface, parts

__all__ = ["Membranes"]

_KIND: Final = "membrane"
_OWN: Final = IMPORT.partition("/")[0] + "/"
_MOST: Final = 2000
"""Functions that a membrane wraps: all of WASI 0.2 has some two hundred, and each takes milliseconds to generate."""
_WINCH_FROM_BYTES: Final = 1 << 20
"""From this size on a development build's composite takes Winch: who traces an edit waits for the compiler most."""


@dataclass(frozen=True, slots=True)
class _Composite:
    """A component behind its membrane, as the cache has it."""

    digest: str
    table: tuple[Wrapped, ...]


class Membranes:
    """`toolbox` returns the toolbox, built first where it is missing; `tools` is the host process that assembles.

    `progress` is told what takes seconds.
    """

    def __init__(
        self, cache: Cache, *, code: MachineCode, toolbox: Callable[[], Toolbox], tools: Supervisor,
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._cache, self._code, self._toolbox, self._tools = cache, code, toolbox, tools
        self._progress = progress

    def behind(self, build: Build, *, compiler: str | None = None) -> Build:
        """Return the same build behind a membrane of its own: `wrapped` is what the membrane sees, by number.

        Its digest and its world stay those of the guest. A component that asks its host for nothing comes back as it
        is. `compiler` is one that the user chose. Raises `ComponentError` for a component that takes no membrane.
        """
        if build.wrapped:
            return build
        key = key_of(_KIND, generator(), build.wasm_digest or build.digest)
        found = self._cached(key) or self._make(key, build)
        if not found.table:
            return build
        made = self._behind(build, key, found, compiler)
        try:
            return self._ensure(made, build)
        except CacheDamaged:
            self._cache.drop(_KIND, key, ".wasm")
            self._make(key, build)
            return self._ensure(made, build)

    def _behind(self, build: Build, key: str, found: _Composite, compiler: str | None) -> Build:
        wasm = self._cache.path(_KIND, key, ".wasm")
        size = wasm.stat().st_size if wasm.exists() else 0
        settings = self._settings(build, size, compiler)
        code = self._code.path(found.digest, settings)
        if size >= _WINCH_FROM_BYTES and not code.exists():
            self._progress(f"compiling {build.name} with a membrane around it: some seconds, once")
        return replace(
            build, wasm=wasm, code=code, wasm_digest=found.digest, settings=settings, wrapped=found.table
        )

    def _ensure(self, made: Build, build: Build) -> Build:
        try:
            return self._code.ensure(made)
        except ComponentError:
            _refuse_passing_on(build)
            raise

    def _settings(self, build: Build, size: int, compiler: str | None) -> EngineSettings:
        is_slow = build.form == "development" and size >= _WINCH_FROM_BYTES
        if compiler is None and is_slow and build.settings.compiler == "cranelift":
            return replace(build.settings, compiler="winch")
        return build.settings

    def _cached(self, key: str) -> _Composite | None:
        try:
            facts = self._cache.read(_KIND, key, ".json")
        except CacheDamaged:
            return None
        digest = self._cache.digest(_KIND, key, ".wasm")
        if digest is None or facts is None:
            return None
        functions = map(Function.from_data, json.loads(facts))
        return _Composite(
            digest, tuple(Wrapped(number, function) for number, function in enumerate(functions))
        )

    def _make(self, key: str, build: Build) -> _Composite:
        with self._cache.building(_KIND, key):
            if found := self._cached(key):
                return found
            _refuse_too_much(build)
            made = membrane_for(build.read(), toolbox=self._toolbox(), supervisor=self._tools)
            wasm, table = (made.component, made.table) if made else (b"", ())
            self._cache.put(_KIND, key, wasm, ".wasm")
            facts = json.dumps([wrapped.function.to_data() for wrapped in table])
            self._cache.put(_KIND, key, facts.encode(), ".json")
            return _Composite(hashlib.sha256(wasm).hexdigest(), table)


def _refuse_too_much(build: Build) -> None:
    """Raise `ComponentError` for a component that asks for more than a membrane sees, or for a membrane's own side."""
    for name in build.imports:
        if name.startswith(_OWN):
            raise ComponentError(
                f"{build.name} imports {name}, which is the lab's own side of a membrane and nobody else's. "
                "Start it without --trace, and without grants that need a membrane."
            )
    functions = sum(
        len(item.functions) if isinstance(item, Interface) else 1 for item in build.component.imports
    )
    if functions > _MOST:
        raise ComponentError(
            f"{build.name} imports {functions} functions, and a membrane sees {_MOST} at most. "
            "Start it without --trace, and without grants that need a membrane."
        )


def _refuse_passing_on(build: Build) -> None:
    """Tell why a component takes no membrane: its exports pass on a resource of its imports, which is another there.

    Raises `ComponentError`.
    """
    imports = set(build.component.imported())
    for function in build.component.functions():
        for wit_type in [*(p.type for p in function.params), function.result]:
            for part in parts(wit_type) if wit_type is not None else ():
                if isinstance(part, HandleType) and part.owner in imports:
                    raise ComponentError(
                        f"{function.full_name} of {build.name} passes on {part.resource!r} of {part.owner}, which no "
                        "membrane can see. Start it without --trace, and without grants that need a membrane."
                    )
