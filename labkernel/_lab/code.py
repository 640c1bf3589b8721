"""Machine code of builds: made once per engine setting, kept in the cache, made again when damaged."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from labkernel._cache import Cache, key_of
from labkernel._errors import CacheDamaged
from labkernel._host import EngineSettings, Loaded, Supervisor
from labkernel._lab.records import Build

__all__ = ["MachineCode", "default_compiler", "settings_for"]

CODEGEN_TIMEOUT_S = 120.0
#: From this size on, Cranelift takes longer than most compilers need for an edit; Winch takes a quarter of that.
WINCH_FROM_BYTES: Final = 1 << 20


def default_compiler(form: str, size: int, *, is_shared: bool) -> str:
    """Return what makes the machine code of a build nobody chose a compiler for.

    It is Winch where each edit would wait for Cranelift most: a large component in the development form. A runtime
    that all edits share (`is_shared`) is compiled once, and a release is measured as it would be deployed.

    >>> default_compiler("development", 2_500_000, is_shared=False)
    'winch'
    """
    is_slow = form == "development" and size >= WINCH_FROM_BYTES and not is_shared
    return "winch" if is_slow else "cranelift"


def settings_for(build: Build, compiler: str | None, fuel: int | None) -> EngineSettings:
    """Return the engine settings of an instance: the compiler asked for, otherwise the build's own."""
    return EngineSettings(compiler or build.settings.compiler, fuel is not None)


class MachineCode:
    """`tools` is the host process that makes machine code, `guests` the one that loads it."""

    def __init__(self, cache: Cache, *, tools: Supervisor, guests: Supervisor) -> None:
        self._cache, self._tools, self._guests = cache, tools, guests

    def path(self, digest: str, settings: EngineSettings) -> Path:
        """Return where a component's machine code lies or would lie."""
        return self._cache.path("code", key_of("code 3", digest, settings.key), ".cwasm")

    def ensure(self, build: Build, *, wasm: bytes | None = None) -> Build:
        """Return the build with machine code beside it, made now where there was none.

        Raises `CacheDamaged` when the cached component is not what was built.
        """
        if build.code.exists() and build.code.with_suffix(".mac").exists():
            self._cache.get("code", build.code.stem, ".cwasm")
            return build
        data = build.read() if wasm is None else wasm
        if hashlib.sha256(data).hexdigest() != (build.wasm_digest or build.digest):
            raise CacheDamaged(f"The cached component {build.digest[:12]} is damaged; build it again.")
        made = self._tools.codegen(data, build.code, settings=build.settings, timeout_s=CODEGEN_TIMEOUT_S)
        return replace(build, phases={**build.phases, "codegen": made.ns})

    def loaded(self, build: Build) -> Loaded:
        """Return the component in the guests' process; damaged machine code is made again first."""
        try:
            return self._guests.load(build.code, settings=build.settings)
        except (CacheDamaged, FileNotFoundError):
            self._cache.drop("code", build.code.stem, ".cwasm")
            self.ensure(build)
            return self._guests.load(build.code, settings=build.settings)

    def for_settings(self, build: Build, settings: EngineSettings) -> Build:
        """Return the same component with machine code for other engine settings."""
        if settings == build.settings:
            return build
        code = self.path(build.wasm_digest or build.digest, settings)
        return self.ensure(replace(build, settings=settings, code=code))
