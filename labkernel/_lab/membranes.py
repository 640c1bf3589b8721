"""Builds behind membranes: composed once per component, kept in the cache, compiled like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CacheDamaged, ComponentError
from labkernel._host import EngineSettings, Supervisor
from labkernel._lab.code import MachineCode
from labkernel._lab.records import Build
from labkernel._sandbox.membrane import Wrapped, generator, membrane_for
from labkernel._toolbox import Toolbox
from labkernel._wit import Function, HandleType, parts

__all__ = ["Membranes"]

_KIND: Final = "membrane"
_WINCH_FROM_BYTES: Final = 1 << 20
"""From this size on a development build's composite takes Winch: who traces an edit waits for the compiler most."""


class Membranes:
    """`toolbox` returns the toolbox, built first where it is missing; `tools` is the host process that assembles."""

    def __init__(
        self, cache: Cache, *, code: MachineCode, toolbox: Callable[[], Toolbox], tools: Supervisor
    ) -> None:
        self._cache, self._code, self._toolbox, self._tools = cache, code, toolbox, tools

    def behind(self, build: Build, *, compiler: str | None = None) -> Build:
        """Return the same build behind a membrane of its own: `wrapped` is what the membrane sees, by number.

        Its digest and its world stay those of the guest. A component that asks its host for nothing comes back as it
        is. `compiler` is one that the user chose. Raises `ComponentError` for a component that takes no membrane.
        """
        if build.wrapped:
            return build
        guest = build.wasm_digest or build.digest
        key = key_of(_KIND, generator(), guest)
        wasm, table = self._cached(key) or self._make(key, build)
        if not table:
            return build
        settings = self._settings(build, len(wasm), compiler)
        digest = hashlib.sha256(wasm).hexdigest()
        made = replace(
            build, wasm=self._cache.path(_KIND, key, ".wasm"), code=self._code.path(digest, settings),
            wasm_digest=digest, settings=settings, wrapped=table,
        )  # fmt: skip
        try:
            return self._code.ensure(made, wasm=wasm)
        except ComponentError:
            _refuse_passing_on(build)
            raise

    def _settings(self, build: Build, size: int, compiler: str | None) -> EngineSettings:
        is_slow = build.form == "development" and size >= _WINCH_FROM_BYTES
        if compiler is None and is_slow and build.settings.compiler == "cranelift":
            return replace(build.settings, compiler="winch")
        return build.settings

    def _cached(self, key: str) -> tuple[bytes, tuple[Wrapped, ...]] | None:
        try:
            wasm = self._cache.read(_KIND, key, ".wasm")
            facts = self._cache.read(_KIND, key, ".json")
        except CacheDamaged:
            return None
        if wasm is None or facts is None:
            return None
        functions = map(Function.from_data, json.loads(facts))
        return wasm, tuple(Wrapped(number, function) for number, function in enumerate(functions))

    def _make(self, key: str, build: Build) -> tuple[bytes, tuple[Wrapped, ...]]:
        with self._cache.building(_KIND, key):
            if found := self._cached(key):
                return found
            made = membrane_for(build.read(), toolbox=self._toolbox(), supervisor=self._tools)
            wasm, table = (made.component, made.table) if made else (b"", ())
            self._cache.put(_KIND, key, wasm, ".wasm")
            facts = json.dumps([wrapped.function.to_data() for wrapped in table])
            self._cache.put(_KIND, key, facts.encode(), ".json")
            return wasm, table


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
