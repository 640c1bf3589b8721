"""The smallest set of grants with which a traced run would have worked.

What was not used is left out. A directory becomes the deepest folder that holds all that was used of it, read-only
where nothing was opened for writing. Variables and arguments are handed over all at once, so that all of them stay
where one was asked for. Under `--strict` what the component's imports need stays too.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from labkernel._capability import Directory, Endpoint, Grants, HttpTarget, normal_host
from labkernel._sandbox.refusing import ungranted
from labkernel._sandbox.tracing.uses import Folder, Uses
from labkernel._wit import World

__all__ = ["least"]


def least(uses: Uses, grants: Grants, world: World, behind: Mapping[str, str]) -> Grants:
    """Return the smallest of these grants that cover these uses; `behind` maps imports to `%%host` implementations.

    A made-up clock or generator stays where it was asked, since the run would not be the same without it.
    """
    clock, random = grants.clock, grants.random
    small = Grants(
        env=grants.env if uses.environment else (),
        args=grants.args if uses.arguments else (),
        stdin=grants.stdin if uses.stdin else b"",
        dirs=tuple(_folders(uses, grants)),
        clock=clock if clock and clock.is_virtual and uses.clock else None,
        random=random if random and random.mode == "seed" and uses.random else None,
        net=tuple(_endpoints(uses, grants)),
        http=tuple(HttpTarget(host, port, method) for method, host, port in uses.requests),
        host=tuple(name for name in grants.host if name in {behind.get(called) for called in uses.called}),
        strict=grants.strict,
    )
    return _with_imports(small, grants, world, behind) if grants.strict else small


def _folders(uses: Uses, grants: Grants) -> Iterator[Directory]:
    for directory in grants.dirs:
        folder = uses.folders.get(directory.guest)
        if folder is not None:
            inner = _deepest(directory, folder)
            host = os.path.normpath(os.path.join(directory.host, inner))
            guest = posixpath.normpath(posixpath.join(directory.guest, inner))
            yield Directory(host, guest, folder.written and directory.writable)


def _deepest(directory: Directory, folder: Folder) -> str:
    """Return the deepest folder that holds all that was used, where links of the machine lead included."""
    root = os.path.realpath(directory.host)
    used = set()
    for path, is_folder in folder.used:
        real = os.path.relpath(os.path.realpath(os.path.join(directory.host, path)), root)
        for place in (path, real if not real.startswith("..") else "."):
            used.add(os.path.normpath(place if is_folder else os.path.dirname(place) or "."))
    common = os.path.commonpath([os.path.join("/", path) for path in used])
    return os.path.normpath(os.path.relpath(common, "/"))


def _endpoints(uses: Uses, grants: Grants) -> Iterator[Endpoint]:
    """Yield where the run connected and listened, and what allowed look-ups that led to no connection."""
    for protocol, host, port in uses.out:
        yield Endpoint(host, port, protocol)
    for protocol, host, port in uses.listening:
        yield Endpoint(host, port, protocol, listen=True)
    reached = {host for _, host, _ in uses.out}
    for name in uses.unreached():
        host = normal_host(name)
        if host not in reached:
            yield from [e for e in grants.net if e.host == host and not e.listen][:1]


def _with_imports(small: Grants, grants: Grants, world: World, behind: Mapping[str, str]) -> Grants:
    """Give back, of each kind that an import still needs by name, the first that there was."""
    kinds = {
        "wasi:cli/environment": ("env", "args"), "wasi:cli/stdin": ("stdin",), "wasi:filesystem/": ("dirs",),
        "wasi:clocks/": ("clock",), "wasi:random/": ("random",), "wasi:sockets/": ("net",), "wasi:http/": ("http",),
    }  # fmt: skip
    needed = {name for item, name in behind.items() if item in world.imported()}
    small = replace(small, host=tuple(name for name in grants.host if name in needed))
    for standing in ungranted(world, small, behind):
        for name in _kinds_of(standing.import_name, kinds.items()):
            given = getattr(grants, name)
            if given and not getattr(small, name):
                first: dict[str, Any] = {name: given[:1] if isinstance(given, tuple) else given}
                small = replace(small, **first)
                break
    return small


def _kinds_of(import_name: str, kinds: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    return next((names for start, names in kinds if import_name.startswith(start)), ())
