"""The WIT packages a lab knows, and how a world is found among them by what a user types."""

from __future__ import annotations

from collections.abc import Iterator

from labkernel._errors import UsageError, did_you_mean
from labkernel._wit import Package, World

__all__ = ["Worlds"]


class Worlds:
    """Packages by the name their cell gave them."""

    def __init__(self) -> None:
        self.packages: dict[str, Package] = {}

    def add(self, name: str, package: Package) -> None:
        """Keep a package under a name; a second one of that name replaces the first."""
        self.packages[name] = package

    def all(self) -> Iterator[tuple[str, Package, World]]:
        """Yield every world with its package and the name that the lab knows the package by."""
        for name, package in self.packages.items():
            for world in package.worlds:
                yield name, package, world

    def find(self, wanted: str | None) -> tuple[Package, World]:
        """Return the world that `wanted` means: the lab's name, the world's own, or its full id.

        Without `wanted` the only known world is taken. Raises `UsageError` when none or several fit.
        """
        worlds = list(self.all())
        if not worlds:
            raise UsageError(
                f"World {wanted!r} is not known: no WIT has been given yet. Start with a cell that begins %%wit NAME."
                if wanted
                else "No world is known yet. Give one in a cell that begins %%wit NAME."
            )
        fitting = [(p, w) for name, p, w in worlds if wanted is None or _fits(wanted, name, w)]
        names = sorted({w.full_name for _, _, w in worlds} | {n for n, p, _ in worlds if len(p.worlds) == 1})
        if not fitting:
            raise UsageError(
                f"World {wanted!r} is not known; known: {', '.join(names)}.{did_you_mean(wanted or '', names)}"
            )
        distinct = {w.full_name: (p, w) for p, w in fitting}
        if len(distinct) > 1:
            what = f"World {wanted!r} could be" if wanted else "Several worlds are known:"
            raise UsageError(f"{what} {', '.join(sorted(distinct))}. Say which with --world.")
        return fitting[-1]


def _fits(wanted: str, name: str, world: World) -> bool:
    full = world.full_name
    return wanted in (name, world.name, full, full.partition("@")[0], f"{name}/{world.name}")
