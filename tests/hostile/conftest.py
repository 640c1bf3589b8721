"""The arena that all attacks share: what one of them breaks, the next ones meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hostile_kit import Arena

from labkernel import _toolchains as toolchains
from labkernel._cache import Cache
from labkernel._toolbox import find_toolbox


@pytest.fixture(scope="session")
def _arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    made = Arena(tmp_path_factory.mktemp("arena"))
    yield made
    made.close()


@pytest.fixture
def arena(_arena: Arena) -> Iterator[Arena]:
    """Return the arena; afterwards it must be well."""
    _arena.said.clear()
    yield _arena
    for name in ("attack", "attacker"):
        if instance := _arena.lab.instances.pop(name, None):
            instance.drop()
    _arena.is_well(same_process=_arena.lab.guests.is_running(_arena.bystander._started))  # type: ignore[arg-type]


@pytest.fixture
def c_arena(arena: Arena, require: Callable[[str, object], None]) -> Arena:
    """Return the arena where C cells can be built."""
    require("zig", toolchains.zig_binary())
    require("the toolbox", find_toolbox(Cache()))
    return arena


@pytest.fixture
def rust_arena(arena: Arena, require: Callable[[str, object], None]) -> Arena:
    """Return the arena where Rust cells can be built."""
    require("Rust", toolchains.get("rust").versions())
    require("the toolbox", find_toolbox(Cache()))
    return arena
