"""WIT packages from elsewhere: `deps.toml`, registries, archives and folders, kept in `deps/` under a lock.

It knows the toolbox and the cache, and nothing of notebooks.
"""

from __future__ import annotations

from labkernel._registry.records import DepsRecord, Locked, State
from labkernel._registry.resolve import update_deps
from labkernel._registry.use import deps_of, find_root

__all__ = ["DepsRecord", "Locked", "State", "deps_of", "find_root", "update_deps"]
