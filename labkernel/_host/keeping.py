"""Machine code that several kernels keep in one cache: found, or made once by one of them, and never seen damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from labkernel._cache import Cache
from labkernel._errors import CacheDamaged
from labkernel._host.settings import EngineSettings, Loaded
from labkernel._host.supervisor import Supervisor

__all__ = ["load_or_make"]


def load_or_make(
    host: Supervisor, code: Path, settings: EngineSettings, *, cache: Cache, make: Callable[[], object]
) -> Loaded:
    """Return an entry of the cache in a host process; `make` writes it where it is missing or damaged.

    `make` is called with the entry's lock held, and replaces the file by a whole one: an entry that another kernel
    made in the meantime is neither removed nor made twice.
    """
    with contextlib.suppress(CacheDamaged):
        return host.load(code, settings=settings)
    with cache.building(code.parent.parent.name, code.stem):
        with contextlib.suppress(CacheDamaged):
            return host.load(code, settings=settings)
        make()
        return host.load(code, settings=settings)
